"""Storage of records, weather and settings: `SQLModel`, `CSVModel`, `SettingsModel`, and their errors.

Each name is imported when it is first used, so that the window opens without waiting for the import of psycopg2.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abq_data_entry.models.csv_file import CSVModel
    from abq_data_entry.models.errors import (
        CheckChanged,
        DatabaseDamaged,
        DatabaseError,
        LoginFailed,
        ObservationElsewhere,
        ObservationInvalid,
        OutcomeUnknown,
        PrivilegeMissing,
        QueryCancelled,
        RecordConflict,
        RecordExists,
        RecordInvalid,
        RecordMissing,
        SchemaMissing,
        SchemaTooNew,
        ServerNotReady,
        ServerUnreachable,
        TookTooLong,
        WindowOutdated,
        WritesRefused,
    )
    from abq_data_entry.models.extract import OutdatedDelivery
    from abq_data_entry.models.records import (
        SORTABLE,
        Change,
        CheckProgress,
        Choices,
        PositionIndex,
        Presence,
        Privileges,
        Selection,
        VersionedRecord,
        Withdrawn,
    )
    from abq_data_entry.models.settings import SETTINGS, SettingsModel
    from abq_data_entry.models.sql import SQLModel
    from abq_data_entry.setting import Setting

_MODULES = {
    "csv_file": ("CSVModel",),
    "errors": (
        "CheckChanged",
        "DatabaseDamaged",
        "DatabaseError",
        "LoginFailed",
        "ObservationElsewhere",
        "ObservationInvalid",
        "OutcomeUnknown",
        "QueryCancelled",
        "RecordConflict",
        "RecordExists",
        "RecordInvalid",
        "RecordMissing",
        "PrivilegeMissing",
        "SchemaMissing",
        "SchemaTooNew",
        "ServerNotReady",
        "ServerUnreachable",
        "TookTooLong",
        "WindowOutdated",
        "WritesRefused",
    ),
    "extract": ("OutdatedDelivery",),
    "records": (
        "Change",
        "CheckProgress",
        "Choices",
        "PositionIndex",
        "Presence",
        "Privileges",
        "SORTABLE",
        "Selection",
        "VersionedRecord",
        "Withdrawn",
    ),
    "settings": (
        "SETTINGS",
        "Setting",
        "SettingsModel",
    ),
    "sql": ("SQLModel",),
}

__all__ = [
    "SETTINGS",
    "SORTABLE",
    "CSVModel",
    "Change",
    "CheckChanged",
    "CheckProgress",
    "Choices",
    "DatabaseDamaged",
    "DatabaseError",
    "LoginFailed",
    "ObservationElsewhere",
    "ObservationInvalid",
    "OutcomeUnknown",
    "OutdatedDelivery",
    "PositionIndex",
    "Presence",
    "PrivilegeMissing",
    "Privileges",
    "QueryCancelled",
    "RecordConflict",
    "RecordExists",
    "RecordInvalid",
    "RecordMissing",
    "SQLModel",
    "SchemaMissing",
    "SchemaTooNew",
    "Selection",
    "ServerNotReady",
    "ServerUnreachable",
    "Setting",
    "SettingsModel",
    "TookTooLong",
    "VersionedRecord",
    "WindowOutdated",
    "Withdrawn",
    "WritesRefused",
]


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
