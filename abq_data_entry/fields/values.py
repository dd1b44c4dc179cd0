"""Conversion of field values from text and back, for each field type; checks of whole records, and merging of two
versions of one."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from abq_data_entry.constants import FieldNames, FieldTypes
from abq_data_entry.fields import dates, numbers, table
from abq_data_entry.fields.numbers import with_unit
from abq_data_entry.fields.table import CSV_HEADER, FIELDS, READINGS, RECORD_KEY, Choices, Field

_LONGEST_NUMBER = 20  # digits before or after the point
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
    """Return whether more characters could make `text` a string of the field's length."""
    return _is_plain(text) and (field.length is None or len(text) <= field.length)


def parse_string(field: Field, text: str, choices: Choices | None) -> str:
    """Return the string; raises `ValueError` if its length is wrong or it holds spaces or control characters."""
    if any(character.isspace() for character in text):
        raise ValueError(f"a space isn't part of a {field.name.lower()}")
    if not text.isprintable():
        raise ValueError(f"a character that can't be printed isn't part of a {field.name.lower()}")
    if field.length is not None and len(text) != field.length:
        raise ValueError(f"{len(text)} characters; a {field.name.lower()} has {field.length}")
    return text


def could_become_boolean(field: Field, text: str, choices: Choices | None) -> bool:
    """Return whether `text` begins a word for yes or no."""
    begun = text.lower()
    return any(word.startswith(begun) for word in _BOOLEANS)


def parse_boolean(field: Field, text: str, choices: Choices | None) -> bool:
    """Return yes or no as a boolean; raises `ValueError` for any other word."""
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise ValueError(f"{text[:20]} isn't yes or no")
    return value


def parse_long_text(field: Field, text: str) -> str | None:
    """Return the text as it is stored, `None` if it is empty.

    Line ends become `\\n`, and those at the end are removed, because Tk's text widget adds one each time it is read.

    Raises `ValueError` if the text is too long, or holds what UTF-8 or PostgreSQL can't store: NUL characters, and
    halves of surrogate pairs.
    """
    if field.length is not None and len(text) > field.length:
        raise ValueError(f"{len(text):,} characters; at most {field.length:,} are kept")
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        # Tk 8.6 returns a character beyond U+FFFF as two surrogates: this joins them.
        whole = lines.encode("utf-16", "surrogatepass").decode("utf-16").rstrip("\n")
    except UnicodeDecodeError as error:
        raise ValueError(_cannot_be_stored(lines, error.start // 2)) from None
    if "\x00" in whole:
        raise ValueError(_cannot_be_stored(lines, lines.index("\x00")))
    if not whole.strip():
        return None
    return whole


def _cannot_be_stored(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line} holds a character that can't be stored: type that line again"


def _is_plain(text: str) -> bool:
    return text.isprintable() and not any(character.isspace() for character in text)


_MINUTES = ("", ":", ":0", ":00", ":00:00", ".", ".0", ".00", "00")
_LONGEST = 1000
_SHOWN = 40  # characters of a text that a message repeats
_WORD = re.compile(r"(?<=[\s\-'’.])[^\s\-'’.]")


def could_become_time(field: Field, text: str, choices: Choices | None) -> bool:
    """Return whether `text` begins a spelling of one of the times."""
    return bool(_times_begun(_texts(field, choices), text))


def parse_time(field: Field, text: str, choices: Choices | None) -> str:
    """Return the time as the list has it: '8', '08:00' and '800' are '8:00'; raises `ValueError`."""
    times = _texts(field, choices)
    return _only(_times_meant(times, text), text, times)


def complete_time(field: Field, text: str, choices: Choices | None) -> str | None:
    """Return the only time that has a spelling beginning with `text`; `None` if there are none or several."""
    begun = _times_meant(_texts(field, choices), text)
    return begun[0] if len(begun) == 1 else None


def format_time(time: datetime.time) -> str:
    """Return the time as the list spells it: 8:00."""
    seconds = f":{time.second:02}" if time.second or time.microsecond else ""
    return f"{time.hour}:{time.minute:02}{seconds}"


def could_become_choice(field: Field, text: str, choices: Choices | None) -> bool:
    """Return whether a choice, or a word of one, begins with `text`; True for printable text while none are known."""
    texts = _texts(field, choices)
    if len(text) > _LONGEST:
        return False
    if not texts:
        return text.isprintable() and (field.length is None or len(text) <= field.length)
    return bool(_meant(texts, text))


def parse_choice(field: Field, text: str, choices: Choices | None) -> str | int:
    """Return the choice that `text` means, a plot as a number; raises `ValueError` if there are none or several.

    A choice is meant if it equals the text (case is ignored), else if it begins with it or has a word that does.
    """
    texts = _texts(field, choices)
    # An empty list has no entries. None means that the list isn't known here: then the database decides.
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
    """Return the choices that `text` may mean: the same text, else those equal but for case and spaces, else those
    with a word that begins with it."""
    if text in texts:
        return [text]
    if len(text) > _LONGEST:
        return []
    folded = _folded(text)
    same = [each for each in texts if _folded(each) == folded]
    return same or [each for each in texts if any(part.startswith(folded) for part in _beginnings(each))]


def _beginnings(text: str) -> Iterable[str]:
    """Return the text, and the rest of it from each further word on."""
    stripped = text.strip()
    yield _folded(stripped)
    for word in _WORD.finditer(stripped):
        yield _folded(stripped[word.start() :])


def _times_meant(times: Sequence[str], text: str) -> Sequence[str]:
    return [time for time in times if text in _spellings(time)] or _times_begun(times, text)


def _value(field: Field, text: str) -> str | int:
    return text if field.minimum is None else int(text)


def _unlisted(field: Field, text: str) -> str:
    """Return a text whose list of choices isn't known here: the database will decide."""
    if field.length is not None and len(text) > field.length:
        raise ValueError(f"{len(text):,} characters; at most {field.length} fit")
    if not text.isprintable():
        raise ValueError("a character that can't be printed isn't part of a name")
    return text


def _folded(text: str) -> str:
    # Decomposed, so that a text is still found by its beginning, however its accents are encoded.
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


class _Parser(NamedTuple):
    """What can be typed into fields of one type; both functions get the text without spaces around it."""

    could_become_valid: Callable[[Field, str, Choices | None], bool]
    parse: Callable[[Field, str, Choices | None], object]


_PARSERS: Mapping[FieldTypes, _Parser] = {
    FieldTypes.DATE: _Parser(dates.could_become_date, dates.parse_date),
    FieldTypes.TIME: _Parser(could_become_time, parse_time),
    FieldTypes.LIST: _Parser(could_become_choice, parse_choice),
    FieldTypes.STRING: _Parser(could_become_string, parse_string),
    FieldTypes.DECIMAL: _Parser(numbers.could_become_number, numbers.parse_decimal),
    FieldTypes.INTEGER: _Parser(numbers.could_become_number, numbers.parse_integer),
    FieldTypes.BOOLEAN: _Parser(could_become_boolean, parse_boolean),
}


def could_become_valid(field: Field, text: str, choices: Choices | None = None) -> bool:
    """Return whether more characters could still make `text` a valid value; if not, the field shows its error at once.

    `choices` are the present values of a list. Spaces around the value are ignored, but a space after it means that it
    is complete, unless a value of the list goes on with a space.
    """
    if field.type is FieldTypes.LONG_TEXT:
        return _is_valid(field, text, choices) or not text.strip()
    started = text.lstrip()
    parser = _PARSERS[field.type]
    if parser.could_become_valid(field, started, choices):
        return True
    # A space at the end means that the user has finished the value.
    if started == started.rstrip():
        return False
    return _is_valid(field, started.rstrip(), choices)


def parse(field: Field, text: str, choices: Choices | None = None) -> object:
    """Return the typed value of `text`, `None` for an empty text of a field that isn't required.

    Date: `datetime.date`; Time: a text of the list such as '8:00'; Plot and integers: `int`; decimals: `Decimal` with
    two places; Equipment Fault: `bool`, False when empty; all others: `str`.

    Raises `ValueError` with a message for the user.
    """
    if field.type is FieldTypes.LONG_TEXT:
        return parse_long_text(field, text)
    stripped = text.strip()
    if stripped:
        return _PARSERS[field.type].parse(field, stripped, choices)
    if field.type is FieldTypes.BOOLEAN:
        return False
    if field.required:
        raise ValueError(f"{field.name} is required.")
    return None


def typing_error(field: Field, text: str, choices: Choices | None = None) -> str:
    """Return what is wrong with a text being typed, in words; empty while more characters could make it valid."""
    if text.strip() and not could_become_valid(field, text, choices):
        try:
            parse(field, text, choices)
        except ValueError as error:
            return str(error)
    return ""


def likely(field: Field, text: str) -> str | None:
    """Return what an invalid text was probably meant to be, so that it can be offered; None if that is unclear."""
    if field.type not in (FieldTypes.DECIMAL, FieldTypes.INTEGER):
        return None
    return numbers.likely_number(field, text)


def complete(field: Field, text: str, choices: Choices | None = None) -> str | None:
    """Return the one choice of a list that `text` means or begins, `None` if there are none or several."""
    stripped = text.strip()
    if not stripped:
        return None
    if field.type is FieldTypes.TIME:
        return complete_time(field, stripped, choices)
    if field.type is FieldTypes.LIST:
        return complete_choice(field, stripped, choices)
    return None


def format_value(field: Field, value: object) -> str:
    """Return the text of a value as an entry shows it and `parse` reads it back; '' for `None`."""
    if value is None:
        return ""
    # Before numbers, because in Python a bool is an int.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > _LONGEST_NUMBER:
            return str(value)
        # Without an exponent. An older record may have more decimals than the field takes today: all are shown.
        whole, _, decimals = format(value, "f").partition(".")
        decimals = decimals.rstrip("0").ljust(field.places, "0")
        return f"{whole}.{decimals}" if decimals else whole
    if isinstance(value, datetime.time):
        return format_time(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value)


def _is_valid(field: Field, text: str, choices: Choices | None) -> bool:
    try:
        return parse(field, text, choices) is not None
    except ValueError:
        return False


class FieldErrors(ValueError):
    """A record that can't be saved: `errors` holds a message by field name, for each field that is wrong."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(in_one_line(errors))
        self.errors: dict[str, str] = dict(errors)


class Record(dict[str, Any]):
    """The typed values of all fields by name, as `parse_record` returns them; immutable.

    A `Record` is always valid, so it is never checked again. It equals a dict with the same values.
    """

    # No dataclass, because importing `dataclasses` would slow the start of the window by some milliseconds.
    __slots__ = ("key",)
    key: tuple[Any, ...]
    """Date, time, lab and plot."""

    def __init__(self, values: Mapping[str, object]) -> None:
        super().__init__({each.name: values[each.name] for each in FIELDS})
        object.__setattr__(self, "key", tuple(values[name] for name in RECORD_KEY))

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has no hash, because it may change
        return hash(tuple(self.items()))

    def __repr__(self) -> str:
        return f"Record({dict(self)!r})"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a record never changes")

    if not TYPE_CHECKING:

        def _refuse(self, *_: object, **__: object) -> NoReturn:
            raise TypeError("a record never changes")

        __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse


def in_one_line(errors: Mapping[str, str]) -> str:
    """Return the messages by field name as one line, each with the name of its field."""
    return "; ".join(
        sentence if sentence.startswith(name) else f"{name}: {sentence}" for name, sentence in errors.items()
    )


def parse_record(
    record: Mapping[str, object], choices: Mapping[str, Choices] | None = None
) -> Record:
    """Return the record with typed values for all fields, in the order of the CSV, from texts or values.

    `choices` are the present values of lists by field name; what isn't among them is left to the database. Without
    `choices`, a `Record` is returned as it is. A missing field counts as empty.

    Raises `FieldErrors` with all errors of the record, including those across fields.
    """
    if isinstance(record, Record) and choices is None:
        return record
    values: dict[str, object] = {}
    errors = {name: "no field of a record" for name in record if name not in _NAMES}
    fault = _read_fault(record)
    for each in FIELDS:
        text = format_value(each, record.get(each.name))
        if each.name in READINGS and fault and not text.strip():
            values[each.name] = None
            continue
        try:
            values[each.name] = parse(each, text, (choices or {}).get(each.name))
        except ValueError as error:
            errors[each.name] = str(error)
    # The error of the field itself goes first: whether it fits the others is reported once it is valid.
    for name, sentence in check_across(values).items():
        errors.setdefault(name, sentence)
    if errors:
        raise FieldErrors(errors)
    return Record(values)


def check_record(record: Mapping[str, object], choices: Mapping[str, Choices] | None = None) -> dict[str, str]:
    """Return a message for each field of the record that is wrong, by field name; empty if it can be saved."""
    try:
        parse_record(record, choices)
    except FieldErrors as error:
        return error.errors
    return {}


def check_across(values: Mapping[str, object]) -> dict[str, str]:
    """Return what doesn't fit together among the typed values given, by the name of the field to change."""
    errors: dict[str, str] = {}
    if values.get(FieldNames.EQUIPMENT_FAULT) is True:
        for name in READINGS:
            if values.get(name) is not None:
                errors[name] = f"a reading, although {FieldNames.EQUIPMENT_FAULT} is set"
    for wrong, relation, other in _HEIGHTS:
        value, limit = values.get(wrong.name), values.get(other.name)
        if not isinstance(value, Decimal) or not isinstance(limit, Decimal):
            continue
        if value < limit if relation == "below" else value > limit:
            errors[wrong.name] = f"{with_unit(wrong, value)} is {relation} {other.name} ({with_unit(other, limit)})"
            break  # correcting this one may settle the others
    return errors


_LOWEST, _HIGHEST, _MEDIAN = (
    table.field(name) for name in (FieldNames.MIN_HEIGHT, FieldNames.MAX_HEIGHT, FieldNames.MEDIAN_HEIGHT)
)

_HEIGHTS = ((_HIGHEST, "below", _LOWEST), (_MEDIAN, "below", _LOWEST), (_MEDIAN, "above", _HIGHEST))
"""Impossible relations of two heights; the first one is the field to change."""


def _read_fault(record: Mapping[str, object]) -> bool:
    fault = table.field(FieldNames.EQUIPMENT_FAULT)
    try:
        return parse(fault, format_value(fault, record.get(fault.name))) is True
    except ValueError:
        return False


_NAMES = frozenset(each.name for each in FIELDS)


_DEPENDENT_FIELDS: tuple[tuple[str, ...], ...] = (
    (FieldNames.EQUIPMENT_FAULT, *READINGS),
    (FieldNames.MIN_HEIGHT, FieldNames.MAX_HEIGHT, FieldNames.MEDIAN_HEIGHT),
)
"""Groups of fields whose values limit each other."""


class Merge(NamedTuple):
    """The outcome of `merge`.

    `conflicts` names the fields for which somebody has to choose; `merged` has my value in those, and the merged one
    in all others. `taken` names the fields whose value was taken from the other version.
    """

    merged: dict[str, object]
    conflicts: tuple[str, ...]
    taken: tuple[str, ...]


def merge(base: Mapping[str, object] | None, mine: Mapping[str, object], theirs: Mapping[str, object]) -> Merge:
    """Merge two versions of one record, field by field.

    `base` is the version that both started from, None if both entered a new record. Values are typed; the key is the
    same. A field that only one side changed is taken from that side; the same change on both sides is no conflict.
    Fields that limit each other (the equipment fault and its three readings; the three heights) are decided together:
    if one of them is in conflict, or the merged values don't fit, all that differ are conflicts.
    """
    differing = [name for name in CSV_HEADER if mine.get(name) != theirs.get(name) and name not in RECORD_KEY]
    # Unchanged on this side, so the other side's value is taken.
    taken = [name for name in differing if base is not None and mine.get(name) == base.get(name)]
    merged = {name: (theirs if name in taken else mine).get(name) for name in CSV_HEADER}
    wrong = check_across(merged)
    conflicts = {name for name in differing if base is None or base.get(name) not in (mine.get(name), theirs.get(name))}
    for group in _DEPENDENT_FIELDS:
        if any(name in conflicts or name in wrong for name in group):
            conflicts.update(name for name in group if name in differing)
    return Merge(
        {name: mine.get(name) if name in conflicts else value for name, value in merged.items()},
        tuple(name for name in differing if name in conflicts),
        tuple(name for name in taken if name not in conflicts),
    )
