"""What only this computer knows of what somebody has to look after: its disk, its backups."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Mapping
from pathlib import Path

from .. import folders
from ..models.alarms import BACKUP, DISK, Finding
from .status import Limits

LIMITS = Limits()
"""From when on it is an alarm; that of the disk ends when a tenth more is free, lest it come and go."""

Values = Mapping[str, object]


def found_here(values: Values, now: datetime.datetime, database_since: datetime.datetime | None) -> list[Finding]:
    """Look at the disk and the backups; what can't be looked at isn't in the list: nothing is known of it.

    `now`: with its time zone; `database_since`: since when there is something to be backed up.
    """
    found = [disk_finding(folders.data_folder()), backup_finding(values, now, database_since)]
    return [each for each in found if each is not None]


def disk_finding(folder: Path) -> Finding | None:
    """Whether the disk of the folder is nearly full; None if that can't be told, or it is just between the two."""
    try:
        there = next(each for each in (folder, *folder.parents) if each.exists())
        free = shutil.disk_usage(there).free // 2**20
    except OSError:
        return None
    if free < LIMITS.free_mib:
        return Finding(DISK, str(folder), f"Only {free:,} MiB are free on the disk of {folder}.")
    return Finding(DISK, str(folder), "", f"{free:,} MiB are free again") if free >= LIMITS.free_mib * 1.1 else None


def backup_finding(
    values: Values, now: datetime.datetime, database_since: datetime.datetime | None
) -> Finding | None:
    """Whether the newest backup is too old, or the last attempt at one failed; None if that can't be told."""
    from ..postgres import PostgresError, rotation_of
    from .back_up import failed_daily, kept_backups

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
