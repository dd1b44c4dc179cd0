"""The one table of fields, and the conversion of each value from text and back.

Only the standard library: no window, no database. Form, list, SQL, CSV and help are derived from this table.
"""

from __future__ import annotations

from abq_data_entry.fields.numbers import cells, could_become_implied, limits, pasted, with_implied_point
from abq_data_entry.fields.table import (
    CSV_HEADER,
    FIELDS,
    FOCUS_ORDER,
    GROUPS,
    READINGS,
    RECORD_KEY,
    REQUIRED_ORDER,
    Choices,
    Field,
    field,
)
from abq_data_entry.fields.values import (
    FieldErrors,
    Merge,
    Record,
    check_across,
    check_record,
    complete,
    could_become_valid,
    format_value,
    in_one_line,
    likely,
    merge,
    parse,
    parse_record,
    typing_error,
)

__all__ = [
    "CSV_HEADER",
    "FIELDS",
    "FOCUS_ORDER",
    "GROUPS",
    "READINGS",
    "RECORD_KEY",
    "REQUIRED_ORDER",
    "Choices",
    "Field",
    "FieldErrors",
    "Merge",
    "Record",
    "cells",
    "check_across",
    "check_record",
    "complete",
    "could_become_implied",
    "could_become_valid",
    "field",
    "format_value",
    "in_one_line",
    "likely",
    "limits",
    "merge",
    "parse",
    "parse_record",
    "pasted",
    "typing_error",
    "with_implied_point",
]
