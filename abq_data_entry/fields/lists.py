"""Values of a list, typed by their beginning in either case, and the times of the checks."""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Sequence

from abq_data_entry.fields.table import Choices, Field

_MINUTES = ("", ":", ":0", ":00", ":00:00", ".", ".0", ".00", "00")
_LONGEST = 1000


def could_become_time(field: Field, text: str, choices: Choices | None) -> bool:
    """Tell whether `text` begins a spelling of one of the times."""
    return bool(_times_begun(_texts(field, choices), text))


def parse_time(field: Field, text: str, choices: Choices | None) -> str:
    """Return the time as the list has it: '8', '08:00' and '800' are '8:00'; raises `ValueError`."""
    times = _texts(field, choices)
    for time in times:
        if text in _spellings(time):
            return time
    raise ValueError(f"{field.name} must be one of {_listed(times)}.")


def complete_time(field: Field, text: str, choices: Choices | None) -> str | None:
    """Return the one time that `text` begins a spelling of."""
    times = _texts(field, choices)
    exact = [time for time in times if text in _spellings(time)]
    begun = exact or _times_begun(times, text)
    return begun[0] if len(begun) == 1 else None


def format_time(time: datetime.time) -> str:
    """Return the time as the list spells it: 8:00."""
    seconds = f":{time.second:02}" if time.second or time.microsecond else ""
    return f"{time.hour}:{time.minute:02}{seconds}"


def could_become_choice(field: Field, text: str, choices: Choices | None) -> bool:
    """Tell whether `text` begins one of the choices; without known choices, whether it is short enough."""
    texts = _texts(field, choices)
    if len(text) > _LONGEST:
        return False
    if not texts:
        return text.isprintable() and (field.length is None or len(text) <= field.length)
    return any(_folded(each.strip()).startswith(_folded(text)) for each in texts)


def parse_choice(field: Field, text: str, choices: Choices | None) -> str | int:
    """Return the choice that is spelled `text`, in either case; a plot as a number. Raises `ValueError`."""
    texts = _texts(field, choices)
    if not texts:
        return _unlisted(field, text)
    found = _exact(texts, text)
    if len(found) == 1:
        return _value(field, found[0])
    if found:
        raise ValueError(f"{field.name} could be {_listed(found)}: type it in the same case.")
    raise ValueError(f"{field.name} must be one of {_listed(texts)}.")


def complete_choice(field: Field, text: str, choices: Choices | None) -> str | None:
    """Return the one choice that `text` begins; `None` if there are none or several, as for plot 1 of 20."""
    if len(text) > _LONGEST:
        return None
    begun = [each for each in _texts(field, choices) if _folded(each.strip()).startswith(_folded(text))]
    return begun[0] if len(begun) == 1 else None


def _texts(field: Field, choices: Choices | None) -> Sequence[str]:
    if choices is not None:
        return tuple(str(each) for each in choices)
    if field.minimum is not None and field.maximum is not None:
        return tuple(str(number) for number in range(int(field.minimum), int(field.maximum) + 1))
    return field.values


def _exact(texts: Sequence[str], text: str) -> Sequence[str]:
    """Return the texts that `text` spells: the one of the same case, else all of any case."""
    if text in texts:
        return [text]
    if len(text) > _LONGEST:
        return []
    return [each for each in texts if _folded(each.strip()) == _folded(text)]


def _value(field: Field, text: str) -> str | int:
    return text if field.minimum is None else int(text)


def _unlisted(field: Field, text: str) -> str:
    """Return a text whose list isn't known here: the database will decide."""
    if (field.length is not None and len(text) > field.length) or not text.isprintable():
        raise ValueError(f"{field.name} must be at most {field.length} printable characters.")
    return text


def _folded(text: str) -> str:
    # Decomposed, so that the beginning of a text stays its beginning whichever way accents are encoded.
    return unicodedata.normalize("NFD", text.casefold())


def _spellings(time: str) -> frozenset[str]:
    hour = time.partition(":")[0]
    return frozenset(form + minutes for form in (hour, hour.zfill(2)) for minutes in _MINUTES)


def _times_begun(times: Sequence[str], text: str) -> list[str]:
    return [time for time in times if any(each.startswith(text) for each in _spellings(time))]


def _listed(texts: Sequence[str]) -> str:
    shown = list(texts[:6]) + (["…"] if len(texts) > 6 else [])
    return " or ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
