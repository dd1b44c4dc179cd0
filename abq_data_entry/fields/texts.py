"""Strings of fixed length, long texts, and yes or no."""

from __future__ import annotations

from abq_data_entry.fields.table import Choices, Field

_BOOLEANS = {
    "true": True,
    "t": True,
    "yes": True,
    "y": True,
    "1": True,
    "false": False,
    "f": False,
    "no": False,
    "n": False,
    "0": False,
}


def could_become_string(field: Field, text: str, choices: Choices | None) -> bool:
    """Tell whether more characters could make `text` a string of the field's length."""
    return _is_plain(text) and (field.length is None or len(text) <= field.length)


def parse_string(field: Field, text: str, choices: Choices | None) -> str:
    """Return the string; raises `ValueError` if its length is wrong or it holds blanks or control characters."""
    if not _is_plain(text):
        raise ValueError(f"{field.name} must not hold blanks or control characters.")
    if field.length is not None and len(text) != field.length:
        raise ValueError(f"{field.name} must have exactly {field.length} characters, not {len(text)}.")
    return text


def could_become_boolean(field: Field, text: str, choices: Choices | None) -> bool:
    """Tell whether `text` begins a word for yes or no."""
    return len(text) <= 5 and any(word.startswith(text.lower()) for word in _BOOLEANS)


def parse_boolean(field: Field, text: str, choices: Choices | None) -> bool:
    """Return yes or no as a boolean; raises `ValueError` for any other word."""
    value = _BOOLEANS.get(text.lower()) if len(text) <= 5 else None
    if value is None:
        raise ValueError(f"{field.name} must be yes or no.")
    return value


def parse_long_text(field: Field, text: str) -> str | None:
    """Return the text as it is stored, `None` when it is empty; raises `ValueError` when it is too long.

    Line ends become one kind, and those at the end go: an entry of several lines adds one each time it is read.
    What UTF-8 and PostgreSQL can't store goes as well: NUL characters, and halves of surrogate pairs.
    """
    if field.length is not None and len(text) > field.length:
        raise ValueError(f"{field.name} must have at most {field.length:,} characters, not {len(text):,}.")
    lines = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    whole = lines.encode("utf-16", "surrogatepass").decode("utf-16", "replace").rstrip("\n")
    if not whole.strip():
        return None
    return whole


def _is_plain(text: str) -> bool:
    return text.isprintable() and not any(character.isspace() for character in text)
