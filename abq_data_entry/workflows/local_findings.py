"""Findings for alarms that only this computer can make: about its disks and its backups."""

from __future__ import annotations

import datetime
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

from .. import folders
from ..models.alarms import BACKUP, DISK, Finding
from .back_up import FailedDaily, failed_daily, kept_backups
from .local_disks import existing, in_time, on_same_disk
from .status import Limits, is_old, local, newest_made

log = logging.getLogger(__name__)

LIMITS = Limits()
"""The limits of alarms. An alarm about a disk ends only when a tenth more is free, so that it doesn't flap."""

Values = Mapping[str, object]


def local_findings(values: Values, now: datetime.datetime, database_since: datetime.datetime | None) -> list[Finding]:
    """Return the findings about disks and backups, without those that can't be made, such as of a disk that hangs.

    `now`: with its time zone; `database_since`: when the database was created.
    """
    data = folders.data_folder()
    backups = kept_backups(values).folder
    found = [disk_finding(data)]
    try:
        found += in_time(
            backups,
            lambda: [backup_disk_finding(data, backups), backup_finding(values, now, database_since)],
        )
    except TimeoutError as error:
        log.warning("nothing is known of the backups: %s", type(error).__name__)
        found.append(failed_finding(values, backups))
    return [each for each in found if each is not None]


def disk_finding(folder: Path) -> Finding | None:
    """Return whether the disk of the folder is nearly full; None if unknown, or between the limits of begin and end."""
    try:
        usage = shutil.disk_usage(existing(folder))
    except OSError:
        return None
    if not usage.total:  # some network shares don't report their size
        return None
    free = usage.free // 2**20
    if free < LIMITS.free_mib:
        return Finding(DISK, str(folder), f"Only {free:,} MiB are free on the disk of {folder}.")
    return Finding(DISK, str(folder), "", f"{free:,} MiB are free again") if free >= LIMITS.free_mib * 1.1 else None


def backup_disk_finding(data: Path, backups: Path) -> Finding | None:
    """As `disk_finding`, for the folder of backups; if it is on the same disk as the data, there is only one alarm.

    None also if the folder doesn't exist: its disk may not be connected, and then another disk would be measured.
    """
    try:
        if on_same_disk(data, backups):
            return Finding(DISK, str(backups), "", f"it is on the disk of {data}")
    except OSError:
        return None
    return disk_finding(backups)


def failed_finding(values: Values, folder: Path) -> Finding | None:
    """As `backup_finding`, for a folder that can't be read: only whether the last daily backup failed; else None."""
    try:
        failure = failed_daily(values)
    except OSError:
        return None
    return None if failure is None else Finding(BACKUP, str(folder), _sentence(failure))


def backup_finding(
    values: Values, now: datetime.datetime, database_since: datetime.datetime | None
) -> Finding | None:
    """Return whether the newest backup is too old, or the last attempt at one failed; None if that isn't known."""
    from ..postgres import PostgresError, rotation_of

    try:
        backups = kept_backups(values)
        made = newest_made(backups, now)
        failure = failed_daily(values)
        is_wanted = rotation_of(values) is not None
    except (OSError, PostgresError):
        return None
    folder = str(backups.folder)
    if not is_wanted or (values["db_host"] and made is None and failure is None):
        # Backups of a server are made on the computer where `db backup --daily` is scheduled.
        return Finding(BACKUP, folder, "", "backups aren't made here")
    if failure is not None and (made is None or failure.moment > made):
        return Finding(BACKUP, folder, _sentence(failure))
    if made is not None and is_old(made, now, LIMITS):
        return Finding(BACKUP, folder, f"The newest backup in {folder} is of {local(made)}.")
    limit = now - datetime.timedelta(days=LIMITS.backup_days)
    if made is None and database_since is not None and database_since < limit:
        return Finding(BACKUP, folder, f"There is no backup in {folder}.")
    return Finding(BACKUP, folder, "", f"the newest backup is of {local(made)}" if made else "")


def _sentence(failure: FailedDaily) -> str:
    return f"The daily backup failed at {local(failure.moment)}: {failure.reason}"
