"""Checks of a whole record: every field, and what has to fit across fields."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from abq_data_entry.constants import FieldNames
from abq_data_entry.fields.numbers import with_unit
from abq_data_entry.fields.table import FIELDS, READINGS, Choices, Field, field
from abq_data_entry.fields.values import format_value, parse


class FieldErrors(ValueError):
    """A record that can't be saved: `errors` holds a sentence for each field that is wrong."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(in_one_line(errors))
        self.errors: dict[str, str] = dict(errors)


def in_one_line(errors: Mapping[str, str]) -> str:
    """Return the errors by field name as one line, each with its field."""
    return "; ".join(
        sentence if sentence.startswith(name) else f"{name}: {sentence}" for name, sentence in errors.items()
    )


def parse_record(
    record: Mapping[str, object], choices: Mapping[str, Choices] | None = None
) -> dict[str, object]:
    """Return the record with typed values for all fields, in the order of the CSV, from texts or values.

    A field that is missing counts as empty. `choices` are the present values of lists by field name; the lists that
    aren't there are left for the database to decide.

    Raises `FieldErrors` with all errors of the record, those across fields too.
    """
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
    for name, sentence in check_across(values).items():
        errors.setdefault(name, sentence)
    if errors:
        raise FieldErrors(errors)
    return values


def check_record(record: Mapping[str, object], choices: Mapping[str, Choices] | None = None) -> dict[str, str]:
    """Return a sentence for each field of the record that is wrong, by field name; none when it can be saved."""
    try:
        parse_record(record, choices)
    except FieldErrors as error:
        return error.errors
    return {}


def check_across(values: Mapping[str, object]) -> dict[str, str]:
    """Return what doesn't fit between the typed values that are there, by the name of the field to change."""
    errors: dict[str, str] = {}
    if values.get(FieldNames.EQUIPMENT_FAULT) is True:
        for name in READINGS:
            if values.get(name) is not None:
                errors[name] = f"a reading, although {FieldNames.EQUIPMENT_FAULT} is set"
    errors.update(_check_heights(values))
    return errors


def _check_heights(values: Mapping[str, object]) -> dict[str, str]:
    lowest, highest, median = (
        field(name) for name in (FieldNames.MIN_HEIGHT, FieldNames.MAX_HEIGHT, FieldNames.MEDIAN_HEIGHT)
    )
    if _is_below(values, highest, lowest):
        return {highest.name: f"{_number(values, highest)} is below {_named(values, lowest)}"}
    if _is_below(values, median, lowest):
        return {median.name: f"{_number(values, median)} is below {_named(values, lowest)}"}
    if _is_below(values, highest, median):
        return {median.name: f"{_number(values, median)} is above {_named(values, highest)}"}
    return {}


def _is_below(values: Mapping[str, object], low: Field, high: Field) -> bool:
    first, second = values.get(low.name), values.get(high.name)
    return isinstance(first, Decimal) and isinstance(second, Decimal) and first < second


def _named(values: Mapping[str, object], each: Field) -> str:
    return f"{each.name} ({_number(values, each)})"


def _number(values: Mapping[str, object], each: Field) -> str:
    value = values[each.name]
    assert isinstance(value, Decimal)
    return with_unit(each, value)


def _read_fault(record: Mapping[str, object]) -> bool:
    fault = field(FieldNames.EQUIPMENT_FAULT)
    try:
        return parse(fault, format_value(fault, record.get(fault.name))) is True
    except ValueError:
        return False


_NAMES = frozenset(each.name for each in FIELDS)
