"""Records that can't be saved at the moment: a file of this computer keeps them until the database has them.

- `Journal(folder)`: waiting records, in order; safe against a crash at any point, and for several windows at once.
- `Known`, `KnownFile`: the last known copy of what the form needs to go on without the database.
- `database_name(settings)`, `same_database(name, other)`: which database a record belongs to. A record that waits for
  one database is never saved into another.

The other names are imported at their first use.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .file import UNDECIDED, WAITING, Entry, Journal, JournalBusy, JournalError, new_entry
    from .known import Known, KnownFile

__all__ = [
    "UNDECIDED",
    "WAITING",
    "Entry",
    "Journal",
    "JournalBusy",
    "JournalError",
    "Known",
    "KnownFile",
    "database_name",
    "new_entry",
    "same_database",
]

_EMBEDDED = "this computer"
_HOMES = {
    "Entry": "file",
    "Journal": "file",
    "JournalBusy": "file",
    "JournalError": "file",
    "Known": "known",
    "KnownFile": "known",
    "UNDECIDED": "file",
    "WAITING": "file",
    "new_entry": "file",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def database_name(settings: Mapping[str, object]) -> str:
    """Return the name of the database that the settings lead to, such as `db1:5432,db2:5432/abq`."""
    hosts = _listed(settings.get("db_host"))
    ports = _listed(settings.get("db_port")) or ["5432"]
    if len(ports) != len(hosts):
        ports = ports[:1] * len(hosts)
    where = ",".join(f"{host.lower()}:{port}" for host, port in zip(hosts, ports, strict=True)) or _EMBEDDED
    return f"{where}/{str(settings.get('db_name') or '').strip() or 'abq'}"


def same_database(name: str, other: str) -> bool:
    """Return whether both names mean one database: a cluster stays the same when servers are added or removed."""
    (hosts, _, database), (others, _, other_database) = name.rpartition("/"), other.rpartition("/")
    return database == other_database and bool(set(hosts.split(",")) & set(others.split(",")))


def _listed(value: object) -> list[str]:
    return [part.strip() for part in str(value or "").split(",") if part.strip()]
