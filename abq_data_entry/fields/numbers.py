"""Whole and decimal numbers as people type and paste them: comma or point, no exponent, ASCII digits only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal

from abq_data_entry.constants import FieldTypes
from abq_data_entry.fields.table import Choices, Field

# A longer text is no sensor reading. The limit also keeps arithmetic away from huge pasted texts.
_LONGEST = 20
_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:([.,])([0-9]*))?")
_FOREIGN = re.compile(r"[^0-9.,+-]")
_LIKE_A_POINT = str.maketrans(";:·'", "....")
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def could_become_number(field: Field, text: str, choices: Choices | None) -> bool:
    """Return whether more digits could make `text` a number within the limits of the field."""
    found = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if not found:
        return False
    sign, whole, separator, decimals = found.groups()
    if not _takes_sign(field, sign) or not _takes_decimals(field, separator, decimals):
        return False
    return _reaches_limits(field, sign, whole, separator, decimals or "", spare=_LONGEST - len(text))


def could_become_implied(field: Field, digits: str) -> bool:
    """Return whether more digits could make `digits` a valid number with an implied point: 240 may become 24.09.

    The last `field.places` digits are the decimals, so the point moves with each digit typed.
    """
    spare = _LONGEST - len(digits)
    start = Decimal(digits or "0").scaleb(-field.places)
    step = Decimal(1).scaleb(-field.places)
    starts = (start.scaleb(more) for more in range(spare + 1))
    return any(_meets(field, "", low, low + step.scaleb(more) - step) for more, low in enumerate(starts))


def with_implied_point(field: Field, digits: str) -> str:
    """Return the digits typed so far with the implied point in them: 2409 is 24.09, 9 is 0.09."""
    padded = digits.rjust(field.places + 1, "0")
    return f"{padded[: -field.places]}.{padded[-field.places :]}"


def parse_decimal(field: Field, text: str, choices: Choices | None) -> Decimal:
    """Return the number with the decimal places of the field; raises `ValueError` with a message for the user."""
    sign, whole, decimals = _parts(field, text)
    if len(decimals) > field.places:
        kept = "one is" if field.places == 1 else f"{_counted(field.places)} are"
        raise ValueError(f"{_counted(len(decimals))} decimals; {kept} kept")
    value = round(Decimal(f"{sign}{whole or '0'}.{decimals or '0'}"), field.places)
    _check_limits(field, value, text)
    if not _takes_sign(field, sign):  # -0
        raise ValueError(f"{text} has a minus sign: {limits(field)}")
    return value


def parse_integer(field: Field, text: str, choices: Choices | None) -> int:
    """Return the whole number; raises `ValueError` with a message for the user."""
    return int(parse_decimal(field, text, choices))


def likely_number(field: Field, text: str) -> str | None:
    """Return the number that `text` was probably meant to be, None if there is no such number.

    A semicolon or colon is taken for a point (on German keyboards, Shift with comma or point types them), a number
    without a point for one whose point was left out, and 1,000 for a thousand.
    """
    return next((each for each in _meant(field, text.strip()) if _is_valid(field, each)), None)


def with_unit(field: Field, number: Decimal) -> str:
    """Return a number with its unit, as messages show it: '52 g/m³'."""
    whole, _, decimals = format(number, "f").partition(".")
    shown = f"{whole}.{decimals.rstrip('0')}" if decimals.strip("0") else whole
    return f"{shown} {field.unit}".rstrip()


def limits(field: Field) -> str:
    """Return the limits of the field in words: '0.5 to 52.0 g/m³'; empty if it has none."""
    if field.minimum is None or field.maximum is None:
        return ""
    return f"{field.minimum} to {field.maximum} {field.unit}".rstrip()


def _parts(field: Field, text: str) -> tuple[str, str, str]:
    """Return the sign and the digits before and after the point; raises `ValueError` if `text` is no number."""
    if len(text) > _LONGEST:
        raise ValueError(f"{text[:_LONGEST]}… is too long for a number")
    foreign = _FOREIGN.search(text)
    if foreign:
        raise ValueError(f"{character_in_words(foreign[0])} isn't part of a number{_offered(field, text)}")
    found = _NUMBER.fullmatch(text)
    if not found or not (found[2] or found[4]):
        raise ValueError(f"{text} isn't a number{_offered(field, text)}")
    sign, whole, separator, decimals = found.groups()
    if separator and not field.places:
        raise ValueError(f"{text} isn't a whole number{_offered(field, text)}")
    return sign, whole, decimals or ""


def _meant(field: Field, text: str) -> Iterator[str]:
    if len(text) > _LONGEST:
        return
    if field.places:
        yield text.translate(_LIKE_A_POINT)
        if text.isdecimal() and text.isascii() and len(text) > field.places:
            yield with_implied_point(field, text)
    # In a field for whole numbers, 1,000 and 1.000 can only mean a thousand.
    elif re.fullmatch(r"[0-9]{1,3}[.,][0-9]{3}", text):
        yield text.replace(",", "").replace(".", "")


def _is_valid(field: Field, text: str) -> bool:
    found = _NUMBER.fullmatch(text)
    if not found or not (found[2] or found[4]) or not _takes_decimals(field, found[3], found[4]):
        return False
    value = Decimal(f"{found[1]}{found[2] or '0'}.{found[4] or '0'}")
    return _takes_sign(field, found[1]) and _meets(field, "", value, value)


def _offered(field: Field, text: str) -> str:
    likely = likely_number(field, text)
    return f": {likely}?" if likely is not None else ""


def _counted(number: int) -> str:
    return _WORDS[number] if number < len(_WORDS) else str(number)


def _takes_sign(field: Field, sign: str) -> bool:
    return sign != "-" or field.minimum is None or field.minimum < 0


def _takes_decimals(field: Field, separator: str | None, decimals: str | None) -> bool:
    return separator is None or (field.places > 0 and len(decimals or "") <= field.places)


def _check_limits(field: Field, value: Decimal, text: str) -> None:
    if field.minimum is not None and value < field.minimum:
        raise ValueError(f"{text} is below {field.minimum} {field.unit}".rstrip())
    if field.maximum is not None and value > field.maximum:
        raise ValueError(f"{text} is above {field.maximum} {field.unit}".rstrip() + _offered(field, text))


def _reaches_limits(field: Field, sign: str, whole: str, separator: str | None, decimals: str, spare: int) -> bool:
    """Return whether up to `spare` more digits can lead to a number within the limits."""
    step = Decimal(1).scaleb(-field.places)
    start = Decimal(f"{whole or '0'}.{decimals or '0'}")
    if separator is not None:
        widths = [Decimal(1).scaleb(-len(decimals))]
        starts = [start]
    else:
        # Each further digit makes the range ten times as wide: 2 may still become 2.x, 2x or 2xx.
        widths = [Decimal(1).scaleb(more) for more in range(spare + 1)]
        starts = [start * width for width in widths]
    return any(_meets(field, sign, low, low + width - step) for low, width in zip(starts, widths, strict=True))


def _meets(field: Field, sign: str, low: Decimal, high: Decimal) -> bool:
    if sign == "-":
        low, high = -high, -low
    above = field.minimum is None or high >= field.minimum
    return above and (field.maximum is None or low <= field.maximum)


_NUMBERS = (FieldTypes.DECIMAL, FieldTypes.INTEGER)
_LONGEST_PASTED = 60
# Spaces (narrow and non-breaking ones too) and apostrophes can only group digits. A comma or a point groups digits only
# if the other one is there as well: alone, it may be the decimal point.
_BLANKS = " \u00a0\u2007\u2009\u202f"
_GROUPED = re.compile(rf"([+-]?[0-9]{{1,3}})((?:([{_BLANKS}'’])[0-9]{{3}})(?:\3[0-9]{{3}})*)((?:[.,][0-9]*)?)")
_WITH_BOTH = re.compile(r"([+-]?[0-9]{1,3})((?:([.,])[0-9]{3})(?:\3[0-9]{3})*)((?!\3)[.,][0-9]*)")


def pasted(field: Field, text: str) -> str:
    """Return a pasted text without what the field refuses: surrounding spaces, digit grouping, the field's unit."""
    if field.type is FieldTypes.LONG_TEXT:
        return text
    stripped = text.strip()
    if field.type not in _NUMBERS or len(stripped) > _LONGEST_PASTED:
        return stripped
    return _ungrouped(_without_unit(stripped, field.unit))


def cells(text: str) -> list[list[str]]:
    """Return the rows of a text copied from a spreadsheet, each as a list of its cells (separated by tabs).

    Empty lines around it, such as the one that spreadsheets add at the end, are ignored.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for end in (-1, 0):
        while len(lines) > 1 and not lines[end].strip(_BLANKS):
            del lines[end]
    return [line.split("\t") for line in lines]


_BLANKS = " \N{NO-BREAK SPACE}"  # no tab: it separates cells


def character_in_words(character: str) -> str:
    """Return the character as an error message quotes it; in words if nobody would see it, or take it for another."""
    if character.isspace():
        return {"\t": "a tab", "\n": "a line break", "\r": "a line break"}.get(character, "a space")
    if not character.isprintable():
        return "an invisible character"
    if unicodedata.category(character) == "Pd" and character != "-":
        return f"`{character}` ({unicodedata.name(character).lower()})"
    return f"`{character}`"


def _without_unit(text: str, unit: str) -> str:
    """Return the number before the unit; m3 is m³, and ℃ is °C."""
    for end in range(1, len(text) if unit else 0):
        if _plain(text[end:]) == _plain(unit):
            return text[:end].strip()
    return text


def _plain(text: str) -> str:
    # Spreadsheets and instruments write m3, m^3 or ℃: NFKC turns them into one spelling.
    return unicodedata.normalize("NFKC", text).replace("^", "").casefold()


def _ungrouped(text: str) -> str:
    found = _GROUPED.fullmatch(text) or _WITH_BOTH.fullmatch(text)
    if not found:
        return text
    first, groups, separator, decimals = found.groups()
    return first + groups.replace(separator, "") + decimals
