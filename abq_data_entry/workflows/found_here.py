"""What only this computer knows of what somebody has to look after: its disks, its backups."""

from __future__ import annotations

import datetime
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .. import folders
from ..models.alarms import BACKUP, DISK, Finding
from .back_up import failed_daily, kept_backups
from .status import Limits

log = logging.getLogger(__name__)

LIMITS = Limits()
"""From when on it is an alarm; that of the disk ends when a tenth more is free, lest it come and go."""

PATIENCE = 10.0
"""Seconds that the folder of backups has for an answer: it may be on a share."""

Values = Mapping[str, object]
_waiting: set[str] = set()  # folders from which an answer is still to come


def found_here(values: Values, now: datetime.datetime, database_since: datetime.datetime | None) -> list[Finding]:
    """Look at the disks and the backups; what can't be looked at isn't in the list: nothing is known of it.

    `now`: with its time zone; `database_since`: since when there is something to be backed up.
    """
    data = folders.data_folder()

    def look_at_backups() -> list[Finding | None]:
        return [backup_disk_finding(data, kept_backups(values).folder), backup_finding(values, now, database_since)]

    found = [disk_finding(data), *_in_time(str(kept_backups(values).folder), look_at_backups)]
    return [each for each in found if each is not None]


def disk_finding(folder: Path) -> Finding | None:
    """Whether the disk of the folder is nearly full; None if that can't be told, or it is just between the two."""
    try:
        there = _existing(folder)
        free = shutil.disk_usage(there).free // 2**20
    except OSError:
        return None
    if free < LIMITS.free_mib:
        return Finding(DISK, str(folder), f"Only {free:,} MiB are free on the disk of {folder}.")
    return Finding(DISK, str(folder), "", f"{free:,} MiB are free again") if free >= LIMITS.free_mib * 1.1 else None


def backup_disk_finding(data: Path, backups: Path) -> Finding | None:
    """The same of the folder of backups; a disk that it shares with the data of this computer is one alarm, not two.

    None also where the folder isn't there: that of a disk which isn't connected would be on another one.
    """
    try:
        if backups.stat().st_dev == _existing(data).stat().st_dev:
            return Finding(DISK, str(backups), "", f"it is on the disk of {data}")
    except OSError:
        return None
    return disk_finding(backups)


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _in_time(folder: str, look: Callable[[], list[Finding | None]]) -> list[Finding | None]:
    """Look at a folder that may be on a share which has stopped answering: then nothing is known of it.

    The look that waits there is left behind, and no other one follows it before it has ended.
    """
    from ..network.guard import call_abandonable

    if folder in _waiting:
        return []
    _waiting.add(folder)
    limit = time.monotonic() + PATIENCE

    def work() -> list[Finding | None]:
        try:
            return look()
        finally:
            _waiting.discard(folder)

    def check() -> None:
        if time.monotonic() >= limit:
            raise TimeoutError

    try:
        return call_abandonable(work, check)
    except TimeoutError:
        log.warning("the folder of backups didn't answer within %g s: nothing is known of it", PATIENCE)
        return []


def backup_finding(
    values: Values, now: datetime.datetime, database_since: datetime.datetime | None
) -> Finding | None:
    """Whether the newest backup is too old, or the last attempt at one failed; None if that can't be told."""
    from ..postgres import PostgresError, rotation_of

    try:
        backups = kept_backups(values)
        newest = backups.newest()
        made = datetime.datetime.fromtimestamp(newest.stat().st_mtime, now.tzinfo) if newest else None
        failure = failed_daily(values)
        is_wanted = rotation_of(values) is not None
    except (OSError, PostgresError):
        return None
    folder = str(backups.folder)
    if not is_wanted or (values["db_host"] and newest is None and failure is None):
        # A server's backups are made where its administrator had `db backup --daily` run.
        return Finding(BACKUP, folder, "", "backups aren't made here")
    if failure is not None and (made is None or failure.moment > made):
        return Finding(BACKUP, folder, f"The daily backup failed at {_local(failure.moment)}: {failure.reason}")
    limit = now - datetime.timedelta(days=LIMITS.backup_days)
    if made is not None and made < limit:
        return Finding(BACKUP, folder, f"The newest backup in {folder} is of {_local(made)}.")
    if made is None and database_since is not None and database_since < limit:
        return Finding(BACKUP, folder, f"There is no backup in {folder}.")
    return Finding(BACKUP, folder, "", f"the newest backup is of {_local(made)}" if made else "")


def _local(moment: datetime.datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
