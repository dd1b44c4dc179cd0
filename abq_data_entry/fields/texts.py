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
    if any(character.isspace() for character in text):
        raise ValueError(f"a blank isn't part of a {field.name.lower()}")
    if not text.isprintable():
        raise ValueError(f"a character that can't be printed isn't part of a {field.name.lower()}")
    if field.length is not None and len(text) != field.length:
        raise ValueError(f"{len(text)} characters; a {field.name.lower()} has {field.length}")
    return text


def could_become_boolean(field: Field, text: str, choices: Choices | None) -> bool:
    """Tell whether `text` begins a word for yes or no."""
    return len(text) <= 5 and any(word.startswith(text.lower()) for word in _BOOLEANS)


def parse_boolean(field: Field, text: str, choices: Choices | None) -> bool:
    """Return yes or no as a boolean; raises `ValueError` for any other word."""
    value = _BOOLEANS.get(text.lower()) if len(text) <= 5 else None
    if value is None:
        raise ValueError(f"{text[:20]} isn't yes or no")
    return value


def parse_long_text(field: Field, text: str) -> str | None:
    """Return the text as it is stored, `None` when it is empty; raises `ValueError` when it is too long.

    Line ends become one kind, and those at the end go: an entry of several lines adds one each time it is read.
    What UTF-8 and PostgreSQL can't store is refused: NUL characters, and halves of surrogate pairs.
    """
    if field.length is not None and len(text) > field.length:
        raise ValueError(f"{len(text):,} characters; at most {field.length:,} are kept")
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        # Tk 8.6 has what lies beyond 16 bits as two halves: together they are one character.
        whole = lines.encode("utf-16", "surrogatepass").decode("utf-16").rstrip("\n")
    except UnicodeDecodeError as error:
        raise ValueError(_not_kept(lines, error.start // 2)) from None
    if "\x00" in whole:
        raise ValueError(_not_kept(lines, lines.index("\x00")))
    if not whole.strip():
        return None
    return whole


def _not_kept(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line} holds a character that can't be kept: type that line again"


def _is_plain(text: str) -> bool:
    return text.isprintable() and not any(character.isspace() for character in text)
