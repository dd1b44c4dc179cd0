"""The state of this computer, for a monitoring system: database, waiting records, deliveries, backups, disk, weather.

Collecting the state starts nothing, asks for nothing and sends nothing. It contains no reading, login or secret.
"""

from __future__ import annotations

import datetime
import platform
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import folders
from ..constants import APPLICATION_ID
from ..counting import counted
from ..version import version
from .back_up import kept_backups
from .local_disks import existing, in_time, on_same_disk

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..postgres import KeptBackups

Values = Mapping[str, object]
Part = dict[str, object]
OpenDatabase = Callable[[], AbstractContextManager["SQLModel | None"]]
"""A context manager with the database; None if the embedded one isn't running, which is no problem."""


class Limits(NamedTuple):
    """What counts as a problem: a backup older than `backup_days`, records waiting longer than `waiting_hours`, less
    than `free_mib` MiB free on the disk, an observation older than `weather_hours` (None: its age is ignored)."""

    backup_days: float = 2.0
    waiting_hours: float = 1.0
    free_mib: int = 500
    weather_hours: float | None = None


class Status(NamedTuple):
    """`content` can be written as JSON; `problems` are its sentences about problems."""

    content: Part
    problems: tuple[str, ...]


def status(values: Values, opened: OpenDatabase, limits: Limits, now: datetime.datetime) -> Status:
    """Collect the state; a part that can't be read is a problem, and the others are still reported.

    `now`: the moment, with its time zone.
    """
    parts: dict[str, tuple[Part, list[str]]] = {
        "database": _database(values, opened, limits, now),
        "records_waiting": _part_or_problem(lambda: _records(values, limits, now)),
        "deliveries": _part_or_problem(_deliveries),
        "backup": _part_or_problem(lambda: in_time(kept_backups(values).folder, lambda: _backup(values, limits, now))),
        "disk": _part_or_problem(lambda: _disk(limits)),
    }
    problems = tuple(problem for _, found in parts.values() for problem in found)
    content: Part = {
        "application": APPLICATION_ID,
        "version": version(),
        "workstation": platform.node(),
        "moment": _moment(now),
        "ok": not problems,
        "problems": list(problems),
        **{name: part for name, (part, _) in parts.items()},
    }
    return Status(content, problems)


def _part_or_problem(look: Callable[[], tuple[Part, list[str]]]) -> tuple[Part, list[str]]:
    from ..journal import JournalError
    from ..outbox import OutboxError
    from ..postgres import PostgresError

    try:
        return look()
    except (OSError, JournalError, OutboxError, PostgresError) as error:
        return {}, [str(error)]


def _database(values: Values, opened: OpenDatabase, limits: Limits, now: datetime.datetime) -> tuple[Part, list[str]]:
    from ..models import DatabaseError
    from ..postgres import PostgresError

    part: Part = {"name": str(values["db_name"]), "host": str(values["db_host"]), "embedded": not values["db_host"]}
    try:
        with opened() as model:
            if model is None:
                return {**part, "running": False}, []
            rows = model.query(_OF_THE_DATABASE) or [{}]
    except (DatabaseError, PostgresError) as error:
        return {**part, "running": False}, [f"The database can't be read: {error}"]
    newest = rows[0]["newest"]
    seen = newest if isinstance(newest, datetime.datetime) else None
    part |= {"running": True, "schema_version": rows[0]["schema"], "newest_observation": seen and _moment(seen)}
    if limits.weather_hours is None or (seen and now - seen <= datetime.timedelta(hours=limits.weather_hours)):
        return part, []
    since = f"is of {local(seen)}" if seen else "is missing"
    return part, [f"The newest observation of the weather {since}."]


_OF_THE_DATABASE = """
    SELECT (SELECT max(version) FROM schema_version) AS schema, (
        SELECT datetime FROM local_weather AS w WHERE temperature IS NOT NULL
            AND to_jsonb(w) ->> 'kind' IS DISTINCT FROM 'model' -- tables of an older version have no such column
        ORDER BY datetime DESC LIMIT 1
    ) AS newest
"""


def _records(values: Values, limits: Limits, now: datetime.datetime) -> tuple[Part, list[str]]:
    from ..journal import UNDECIDED, Journal, database_name, same_database

    folder = folders.data_folder() / "journal"
    if not folder.is_dir():  # opening the journal would create it
        return {"waiting": 0, "to_decide": 0, "oldest": None, "for_other_databases": 0}, []
    journal = Journal(folder)
    entries = journal.entries()
    here = [each for each in entries if same_database(each.database, database_name(values))]
    undecided = [each for each in here if each.state == UNDECIDED]
    oldest = min((each.moment for each in here), default=None)
    problems = list(journal.problems)
    if oldest is not None and now - oldest > datetime.timedelta(hours=limits.waiting_hours):
        are = f"{counted(len(here), 'record')} {'is' if len(here) == 1 else 'are'}"
        problems.append(f"{are} not in the database yet, the first since {local(oldest)}.")
    if undecided:
        problems.append(f"Somebody has to decide about {counted(len(undecided), 'record')}.")
    part: Part = {"waiting": len(here) - len(undecided), "to_decide": len(undecided),
                  "oldest": oldest and _moment(oldest), "for_other_databases": len(entries) - len(here)}  # fmt: skip
    return part, problems


def _deliveries() -> tuple[Part, list[str]]:
    from ..outbox.delivery import FAILED, UNKNOWN
    from .deliver_day import open_outbox

    if not (folders.data_folder() / "outbox").is_dir():
        return {"waiting": 0, "failed": 0, "newest_delivered": None}, []
    box = open_outbox()
    found = box.deliveries()
    failed = [each for each in found if each.state == FAILED]
    delivered = [each.delivered for each in found if each.delivered is not None]
    waiting = [each for each in found if each.open]
    part: Part = {"waiting": len(waiting), "failed": len(failed),
                  "newest_delivered": _moment(max(delivered)) if delivered else None}  # fmt: skip
    problems = list(box.problems)
    if failed:
        days = ", ".join(sorted({each.date.isoformat() for each in failed}))
        problems.append(f"{counted(len(failed), 'delivery', 'deliveries')} given up: {days}.")
    if unknown := [each for each in found if each.state == UNKNOWN]:
        days = ", ".join(sorted({each.date.isoformat() for each in unknown}))
        problems.append(f"Whether {counted(len(unknown), 'delivery', 'deliveries')} arrived isn't known: {days}.")
    return part, problems


def _backup(values: Values, limits: Limits, now: datetime.datetime) -> tuple[Part, list[str]]:
    from ..postgres import rotation_of

    backups = kept_backups(values)
    made = newest_made(backups, now)
    wanted = rotation_of(values) is not None
    part: Part = {"folder": str(backups.folder), "newest": made and _moment(made), "wanted": wanted}
    problems = list[str]()
    if wanted and (made is None or is_old(made, now, limits)):
        since = f"The newest backup is of {local(made)}" if made else f"There is no backup in {backups.folder}"
        problems.append(f"{since}.")
    if backups.folder.is_dir() and not on_same_disk(folders.data_folder(), backups.folder):
        room, few = _room(backups.folder, limits)
        part, problems = {**part, **room}, [*problems, *few]
    return part, problems


def newest_made(backups: KeptBackups, now: datetime.datetime) -> datetime.datetime | None:
    """When the newest backup was made, in the time zone of `now`; None if there is no backup. Raises `OSError`."""
    newest = backups.newest()
    return None if newest is None else datetime.datetime.fromtimestamp(newest.stat().st_mtime, now.tzinfo)


def is_old(made: datetime.datetime, now: datetime.datetime, limits: Limits) -> bool:
    """Return whether a backup is too old, or as far in the future (its clock was ahead)."""
    return abs(now - made) > datetime.timedelta(days=limits.backup_days)


def _disk(limits: Limits) -> tuple[Part, list[str]]:
    return _room(folders.data_folder(), limits)


def _room(folder: Path, limits: Limits) -> tuple[Part, list[str]]:
    usage = shutil.disk_usage(existing(folder))
    part: Part = {"folder": str(folder), "free_bytes": usage.free, "total_bytes": usage.total}
    free = usage.free // 2**20
    few = f"Only {free:,} MiB are free on the disk of {folder}."
    # Some network shares report a size of 0 bytes.
    return part, [few] if free < limits.free_mib and usage.total else []


def _moment(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def local(moment: datetime.datetime) -> str:
    """Return a time in the time zone of this computer, as text."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
