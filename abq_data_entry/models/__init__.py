"""Where records, weather and settings are kept: `SQLModel`, `CSVModel`, `SettingsModel`, and what can go wrong.

psycopg2 is imported with the first use of `SQLModel`, not before: the window is open by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abq_data_entry.models.csv_file import CSVModel
from abq_data_entry.models.errors import (
    DatabaseError,
    DatabaseFull,
    LoginFailed,
    ObservationInvalid,
    OutcomeUnknown,
    QueryCancelled,
    RecordExists,
    RecordInvalid,
    RecordMissing,
    RightsMissing,
    SchemaMissing,
    SchemaTooNew,
    ServerUnreachable,
)
from abq_data_entry.models.records import CheckProgress, Choices
from abq_data_entry.models.selection import SORTABLE, PositionIndex, Selection
from abq_data_entry.models.settings import SETTINGS, Setting, SettingsModel

if TYPE_CHECKING:
    from abq_data_entry.models.sql import SQLModel

__all__ = [
    "SETTINGS",
    "SORTABLE",
    "CSVModel",
    "CheckProgress",
    "Choices",
    "DatabaseError",
    "DatabaseFull",
    "LoginFailed",
    "ObservationInvalid",
    "OutcomeUnknown",
    "PositionIndex",
    "QueryCancelled",
    "RecordExists",
    "RecordInvalid",
    "RecordMissing",
    "RightsMissing",
    "SQLModel",
    "SchemaMissing",
    "SchemaTooNew",
    "Selection",
    "ServerUnreachable",
    "Setting",
    "SettingsModel",
]


def __getattr__(name: str) -> object:
    if name == "SQLModel":
        from abq_data_entry.models.sql import SQLModel

        return SQLModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
