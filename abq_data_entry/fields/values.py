"""How the value of a field comes from text and goes back to it; one entry a field type."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from abq_data_entry.constants import FieldTypes
from abq_data_entry.fields import dates, lists, numbers, texts
from abq_data_entry.fields.table import Choices, Field


class _Language(NamedTuple):
    """What can be typed into fields of one type; both functions get the text without blanks around it."""

    could_become_valid: Callable[[Field, str, Choices | None], bool]
    parse: Callable[[Field, str, Choices | None], object]


_LANGUAGES: Mapping[FieldTypes, _Language] = {
    FieldTypes.DATE: _Language(dates.could_become_date, dates.parse_date),
    FieldTypes.TIME: _Language(lists.could_become_time, lists.parse_time),
    FieldTypes.LIST: _Language(lists.could_become_choice, lists.parse_choice),
    FieldTypes.STRING: _Language(texts.could_become_string, texts.parse_string),
    FieldTypes.DECIMAL: _Language(numbers.could_become_number, numbers.parse_decimal),
    FieldTypes.INTEGER: _Language(numbers.could_become_number, numbers.parse_integer),
    FieldTypes.BOOLEAN: _Language(texts.could_become_boolean, texts.parse_boolean),
}


def could_become_valid(field: Field, text: str, choices: Choices | None = None) -> bool:
    """Tell whether typing on could still make `text` a valid value; where it couldn't, the field is marked at once.

    `choices` are the present values of a list. Blanks around the value don't count; once blanks follow it, it must be
    valid as it is (or go on, where the values of a list hold blanks).
    """
    if field.type is FieldTypes.LONG_TEXT:
        return _is_valid(field, text, choices) or not text.strip()
    started = text.lstrip()
    language = _LANGUAGES[field.type]
    if language.could_become_valid(field, started, choices):
        return True
    if started == started.rstrip():
        return False
    return _is_valid(field, started.rstrip(), choices)


def parse(field: Field, text: str, choices: Choices | None = None) -> object:
    """Return the typed value of `text`, `None` for an empty text of a field that isn't required.

    Date: `datetime.date`; Time: a text of the list such as '8:00'; Plot and integers: `int`; decimals: `Decimal` with
    two places; Equipment Fault: `bool`, False when empty; all others: `str`.

    Raises `ValueError` with a sentence for people.
    """
    if field.type is FieldTypes.LONG_TEXT:
        return texts.parse_long_text(field, text)
    stripped = text.strip()
    if stripped:
        return _LANGUAGES[field.type].parse(field, stripped, choices)
    if field.type is FieldTypes.BOOLEAN:
        return False
    if field.required:
        raise ValueError(f"{field.name} is required.")
    return None


def mark(field: Field, text: str, choices: Choices | None = None) -> str:
    """Return what is wrong with a text that is being typed, in words; empty while typing on could make it valid."""
    if not text.strip() or could_become_valid(field, text, choices):
        return ""
    try:
        parse(field, text, choices)
    except ValueError as error:
        return str(error)
    return ""


def likely(field: Field, text: str) -> str | None:
    """Return what a text that isn't valid was probably meant to be, to be offered; None where there is no telling."""
    if field.type not in (FieldTypes.DECIMAL, FieldTypes.INTEGER):
        return None
    return numbers.likely_number(field, text)


def complete(field: Field, text: str, choices: Choices | None = None) -> str | None:
    """Return the one choice of a list that the typed beginning `text` means, `None` if there are none or several."""
    stripped = text.strip()
    if not stripped:
        return None
    if field.type is FieldTypes.TIME:
        return lists.complete_time(field, stripped, choices)
    if field.type is FieldTypes.LIST:
        return lists.complete_choice(field, stripped, choices)
    return None


def format_value(field: Field, value: object) -> str:
    """Return the text of a value as an entry shows it and `parse` reads it back; '' for `None`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        return numbers.format_decimal(field, value)
    if isinstance(value, datetime.time):
        return lists.format_time(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value)


def _is_valid(field: Field, text: str, choices: Choices | None) -> bool:
    try:
        return parse(field, text, choices) is not None
    except ValueError:
        return False
