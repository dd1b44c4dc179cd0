"""Entries that tests keep."""

from __future__ import annotations

from typing import Any

from abq_data_entry.journal import Entry, new_entry
from tests.models.records import record, typed

DATABASE = "this computer/abq"


def inserted(plot: int, **changes: object) -> Entry:
    """A new record that waits."""
    return new_entry(DATABASE, record(Plot=str(plot), **changes), "insert", author="J Simms", cause="away")


def corrected(plot: int, base: dict[str, object], **changes: Any) -> Entry:
    """A correction that waits, of a record that was opened as `base`."""
    return new_entry(DATABASE, record(Plot=str(plot), **changes), "update", author="J Simms", base=typed(base))
