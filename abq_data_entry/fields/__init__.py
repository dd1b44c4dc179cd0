"""The one table of fields, and how each value comes from text and goes back to it.

Pure: standard library only, no window, no database. Form, list, SQL, CSV and help derive from here.
"""

from __future__ import annotations

from abq_data_entry.fields.merging import TOGETHER, Merge, merge
from abq_data_entry.fields.record import FieldErrors, check_across, check_record, parse_record
from abq_data_entry.fields.table import (
    CSV_HEADER,
    FIELDS,
    FOCUS_ORDER,
    READINGS,
    RECORD_KEY,
    REQUIRED_ORDER,
    Choices,
    Field,
    field,
)
from abq_data_entry.fields.values import complete, could_become_valid, format_value, parse

__all__ = [
    "CSV_HEADER",
    "FIELDS",
    "FOCUS_ORDER",
    "READINGS",
    "RECORD_KEY",
    "REQUIRED_ORDER",
    "TOGETHER",
    "Choices",
    "Field",
    "FieldErrors",
    "Merge",
    "check_across",
    "check_record",
    "complete",
    "could_become_valid",
    "field",
    "format_value",
    "merge",
    "parse",
    "parse_record",
]
