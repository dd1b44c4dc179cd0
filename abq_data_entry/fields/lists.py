"""Values of a list, typed by their beginning in either case, and the times of the checks."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable, Sequence

from abq_data_entry.fields.table import Choices, Field

_MINUTES = ("", ":", ":0", ":00", ":00:00", ".", ".0", ".00", "00")
_LONGEST = 1000
_SHOWN = 40
_WORD = re.compile(r"(?<=[\s\-'’.])[^\s\-'’.]")


def could_become_time(field: Field, text: str, choices: Choices | None) -> bool:
    """Tell whether `text` begins a spelling of one of the times."""
    return bool(_times_begun(_texts(field, choices), text))


def parse_time(field: Field, text: str, choices: Choices | None) -> str:
    """Return the time as the list has it: '8', '08:00' and '800' are '8:00'; raises `ValueError`."""
    times = _texts(field, choices)
    return _only(_times_meant(times, text), text, times)


def complete_time(field: Field, text: str, choices: Choices | None) -> str | None:
    """Return the one time that `text` begins a spelling of."""
    begun = _times_meant(_texts(field, choices), text)
    return begun[0] if len(begun) == 1 else None


def format_time(time: datetime.time) -> str:
    """Return the time as the list spells it: 8:00."""
    seconds = f":{time.second:02}" if time.second or time.microsecond else ""
    return f"{time.hour}:{time.minute:02}{seconds}"


def could_become_choice(field: Field, text: str, choices: Choices | None) -> bool:
    """Tell whether `text` begins one of the choices or a word of one; any printable text while none are known."""
    texts = _texts(field, choices)
    if len(text) > _LONGEST:
        return False
    if not texts:
        return text.isprintable() and (field.length is None or len(text) <= field.length)
    return bool(_meant(texts, text))


def parse_choice(field: Field, text: str, choices: Choices | None) -> str | int:
    """Return the choice that `text` means; a plot as a number. Raises `ValueError`.

    That is the one that equals it (in either case), else the only one that begins with it or has a word that does.
    """
    texts = _texts(field, choices)
    if choices is not None and not texts:
        raise ValueError(f"{field.name}: there is none to choose")
    if not texts:
        return _unlisted(field, text)
    return _value(field, _only(_meant(texts, text), text, texts))


def complete_choice(field: Field, text: str, choices: Choices | None) -> str | None:
    """Return the one choice that `text` means; `None` if there are none or several."""
    meant = _meant(_texts(field, choices), text)
    return meant[0] if len(meant) == 1 else None


def _texts(field: Field, choices: Choices | None) -> Sequence[str]:
    if choices is not None:
        return tuple(str(each) for each in choices)
    if field.minimum is not None and field.maximum is not None:
        return tuple(str(number) for number in range(int(field.minimum), int(field.maximum) + 1))
    return field.values


def _only(meant: Sequence[str], text: str, texts: Sequence[str]) -> str:
    if len(meant) == 1:
        return meant[0]
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    if meant:
        raise ValueError(f"{shown} could be {_listed(meant)}")
    raise ValueError(f"{shown} isn't one of {_listed(texts)}")


def _meant(texts: Sequence[str], text: str) -> Sequence[str]:
    """Return the texts that `text` may mean: the one it is, else those it spells, else those it is the beginning of."""
    if text in texts:
        return [text]
    if len(text) > _LONGEST:
        return []
    folded = _folded(text)
    same = [each for each in texts if _folded(each) == folded]
    return same or [each for each in texts if any(part.startswith(folded) for part in _beginnings(each))]


def _beginnings(text: str) -> Iterable[str]:
    """The text, and what is left of it from the beginning of each of its words on."""
    stripped = text.strip()
    yield _folded(stripped)
    for word in _WORD.finditer(stripped):
        yield _folded(stripped[word.start() :])


def _times_meant(times: Sequence[str], text: str) -> Sequence[str]:
    return [time for time in times if text in _spellings(time)] or _times_begun(times, text)


def _value(field: Field, text: str) -> str | int:
    return text if field.minimum is None else int(text)


def _unlisted(field: Field, text: str) -> str:
    """Return a text whose list isn't known here: the database will decide."""
    if field.length is not None and len(text) > field.length:
        raise ValueError(f"{len(text):,} characters; at most {field.length} fit")
    if not text.isprintable():
        raise ValueError("a character that can't be printed isn't part of a name")
    return text


def _folded(text: str) -> str:
    # Decomposed, so that the beginning of a text stays its beginning whichever way accents are encoded.
    return unicodedata.normalize("NFD", " ".join(text.casefold().split()))


def _spellings(time: str) -> frozenset[str]:
    hour = time.partition(":")[0]
    return frozenset(form + minutes for form in (hour, hour.zfill(2)) for minutes in _MINUTES)


def _times_begun(times: Sequence[str], text: str) -> list[str]:
    return [time for time in times if any(each.startswith(text) for each in _spellings(time))]


def _listed(texts: Sequence[str]) -> str:
    if len(texts) > 2 and texts == tuple(str(number) for number in range(1, len(texts) + 1)):
        return f"1 to {len(texts)}"
    shown = list(texts[:6]) + (["…"] if len(texts) > 6 else [])
    return " or ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
