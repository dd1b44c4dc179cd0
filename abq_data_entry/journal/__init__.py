"""Records that can't be saved at the moment: they stand in a file of this computer until the database has them.

- `Journal(folder)`: what waits, in order; survives a crash at any point, and several windows at once.
- `replay(journal, database, ledger)`: save what waits for that database, each record once.
- `Known`, `KnownFile`: the last known copy of what the form needs to go on without the database.
- `database_name(settings)`, `same_database(name, other)`: which database a record belongs to.

All names are imported with their first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .belonging import database_name, same_database
    from .entry import UNDECIDED, WAITING, Entry, new_entry
    from .errors import JournalBusy, JournalError
    from .file import Journal
    from .known import Known
    from .known_file import KnownFile
    from .replaying import Ledger, Replayed, replay

__all__ = [
    "UNDECIDED",
    "WAITING",
    "Entry",
    "Journal",
    "JournalBusy",
    "JournalError",
    "Known",
    "KnownFile",
    "Ledger",
    "Replayed",
    "database_name",
    "new_entry",
    "replay",
    "same_database",
]

_HOMES = {
    "Entry": "entry",
    "Journal": "file",
    "JournalBusy": "errors",
    "JournalError": "errors",
    "Known": "known",
    "KnownFile": "known_file",
    "Ledger": "replaying",
    "Replayed": "replaying",
    "UNDECIDED": "entry",
    "WAITING": "entry",
    "database_name": "belonging",
    "new_entry": "entry",
    "replay": "replaying",
    "same_database": "belonging",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
