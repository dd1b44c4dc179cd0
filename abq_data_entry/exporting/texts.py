"""Values as texts, the same for all text formats."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from abq_data_entry.models.view_rows import RECORDS, Column

TEXTS = ("text", "varchar", "bpchar", "char", "name", "uuid", "json", "jsonb")
"""PostgreSQL's text types."""
NUMBERS = ("int2", "int4", "int8", "numeric", "float4", "float8")


def text_of(value: object) -> str:
    """Return the text of a value: ISO 8601 for dates and times, JSON for lists; '' for `None`."""
    if value is None:
        return ""
    if isinstance(value, bool):  # before numbers, because bool is a subclass of int
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(Decimal(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, default=text_of)
    return str(value)


def short_time(value: Any) -> str:
    """Return a time as in the daily extract: 8:00."""
    return "" if value is None else f"{value.hour}:{value.minute:02}"


def reader(column: Column, view: str) -> Callable[[Any], str]:
    """Return the function that converts a column's values to texts."""
    if view == RECORDS and column.type == "time":
        return short_time
    return text_of


def described(column: Column, time_zone: str) -> str:
    """Return a description of a column, with its unit."""
    parts = [column.comment] if column.comment else []
    if column.unit:
        parts.append(f"Unit (UCUM): {column.unit}.")
    if column.term:
        parts.append(f"Term: {column.term}.")
    if column.type == "timestamptz":
        parts.append(f"By the clock of {time_zone}.")
    return " ".join(parts)
