"""Whole and decimal numbers as people type them: comma or point, a leading sign, no exponent, ASCII digits only."""

from __future__ import annotations

import re
from decimal import Decimal

from abq_data_entry.fields.table import Choices, Field

# A longer text is no reading of a sensor; the bound keeps a pasted book from being computed with.
_LONGEST = 20
_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:([.,])([0-9]*))?")


def could_become_number(field: Field, text: str, choices: Choices | None) -> bool:
    """Tell whether more digits could make `text` a number within the limits of the field."""
    found = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if not found:
        return False
    sign, whole, separator, decimals = found.groups()
    if not _takes_sign(field, sign) or not _takes_decimals(field, separator, decimals):
        return False
    return _reaches_limits(field, sign, whole, separator, decimals or "", spare=_LONGEST - len(text))


def parse_decimal(field: Field, text: str, choices: Choices | None) -> Decimal:
    """Return the number with the places of the field; raises `ValueError` with a sentence."""
    found = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if not found or not (found[2] or found[4]) or (found[3] and not field.places):
        raise ValueError(f"{field.name} must be {_kind(field)}.")
    sign, whole, _, decimals = found.groups()
    if len(decimals or "") > field.places:
        raise ValueError(f"{field.name} takes at most {field.places} decimals.")
    value = Decimal(f"{sign}{whole or '0'}.{decimals or '0'}").quantize(Decimal(1).scaleb(-field.places))
    if not _takes_sign(field, sign):
        # "-0" as well: a filter of keystrokes that takes no minus sign must not meet it from elsewhere.
        value = min(value, -Decimal(1))
    _check_limits(field, value)
    return value


def parse_integer(field: Field, text: str, choices: Choices | None) -> int:
    """Return the whole number; raises `ValueError` with a sentence."""
    return int(parse_decimal(field, text, choices))


def format_decimal(field: Field, value: Decimal) -> str:
    """Return a decimal without an exponent, with the places of the field; more places only if they hold something."""
    if not value.is_finite() or abs(value.adjusted()) > _LONGEST:
        return str(value)
    text = format(value, "f")
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0").ljust(field.places, "0")
    return f"{whole}.{decimals}" if decimals else whole


def with_unit(field: Field, number: Decimal) -> str:
    """Return a limit as a sentence says it: '52 g/m³'."""
    whole, _, decimals = format(number, "f").partition(".")
    shown = f"{whole}.{decimals.rstrip('0')}" if decimals.strip("0") else whole
    return f"{shown} {field.unit}".rstrip()


def _kind(field: Field) -> str:
    return "a number such as 12.34" if field.places else "a whole number"


def _takes_sign(field: Field, sign: str) -> bool:
    return sign != "-" or field.minimum is None or field.minimum < 0


def _takes_decimals(field: Field, separator: str | None, decimals: str | None) -> bool:
    return separator is None or (field.places > 0 and len(decimals or "") <= field.places)


def _check_limits(field: Field, value: Decimal) -> None:
    if field.minimum is not None and value < field.minimum:
        raise ValueError(f"{field.name} must be at least {with_unit(field, field.minimum)}.")
    if field.maximum is not None and value > field.maximum:
        raise ValueError(f"{field.name} must be at most {with_unit(field, field.maximum)}.")


def _reaches_limits(field: Field, sign: str, whole: str, separator: str | None, decimals: str, spare: int) -> bool:
    """Tell whether one of the ranges that more digits lead to meets the limits; `spare` digits may follow."""
    step = Decimal(1).scaleb(-field.places)
    start = Decimal(f"{whole or '0'}.{decimals or '0'}")
    if separator is not None:
        widths = [Decimal(1).scaleb(-len(decimals))]
        starts = [start]
    else:
        widths = [Decimal(1).scaleb(more) for more in range(spare + 1)]
        starts = [start * width for width in widths]
    return any(_meets(field, sign, low, low + width - step) for low, width in zip(starts, widths, strict=True))


def _meets(field: Field, sign: str, low: Decimal, high: Decimal) -> bool:
    if sign == "-":
        low, high = -high, -low
    above = field.minimum is None or high >= field.minimum
    return above and (field.maximum is None or low <= field.maximum)
