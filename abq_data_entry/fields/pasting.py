"""What a pasted text loses before it stands in a field: blanks around it, the digit grouping, and the field's own unit.

Nothing else: what is left isn't changed, and is marked where it isn't valid.
"""

from __future__ import annotations

import re
import unicodedata

from abq_data_entry.constants import FieldTypes
from abq_data_entry.fields.table import Field

_NUMBERS = (FieldTypes.DECIMAL, FieldTypes.INTEGER)
_LONGEST = 60
# Blanks (the narrow ones of typesetters too) and apostrophes group digits and nothing else. A comma or a point does
# so only beside the other one: alone it may be the decimal one.
_BLANKS = " \u00a0\u2007\u2009\u202f"
_GROUPED = re.compile(rf"([+-]?[0-9]{{1,3}})((?:([{_BLANKS}'’])[0-9]{{3}})(?:\3[0-9]{{3}})*)((?:[.,][0-9]*)?)")
_WITH_BOTH = re.compile(r"([+-]?[0-9]{1,3})((?:([.,])[0-9]{3})(?:\3[0-9]{3})*)((?!\3)[.,][0-9]*)")


def pasted(field: Field, text: str) -> str:
    """Return `text` as it stands in the field after a paste."""
    if field.type is FieldTypes.LONG_TEXT:
        return text
    stripped = text.strip()
    if field.type not in _NUMBERS or len(stripped) > _LONGEST:
        return stripped
    return _ungrouped(_without_unit(stripped, field.unit))


def cells(text: str) -> list[list[str]]:
    """Return the cells of a text copied from a spreadsheet: its rows, each cut at the tabs.

    An empty line at the end, which spreadsheets add, is no row.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    return [line.split("\t") for line in lines]


def _without_unit(text: str, unit: str) -> str:
    """The number before the unit; m3 is m³, and ℃ is °C."""
    for end in range(1, len(text) if unit else 0):
        if _plain(text[end:]) == _plain(unit):
            return text[:end].strip()
    return text


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("^", "").casefold()


def _ungrouped(text: str) -> str:
    found = _GROUPED.fullmatch(text) or _WITH_BOTH.fullmatch(text)
    if not found:
        return text
    first, groups, separator, decimals = found.groups()
    return first + groups.replace(separator, "") + decimals
