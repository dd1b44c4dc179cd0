"""`db backup` and `db restore`: save the database to a file, and restore it."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..workflows import back_up as workflow
from . import add_task
from .outcome import NotDone, announce_if_long
from .passwords import Secrets

if TYPE_CHECKING:
    from ..models.settings import SettingsModel
    from ..postgres.errors import ProgressMonitor
    from . import Subcommands


def add_to(tasks: Subcommands) -> None:
    """Add the subcommands to those of `db`."""
    text = "dump the whole database to a file (PostgreSQL's custom format), and test that it can be restored"
    backup = add_task(tasks, "backup", back_up, text)
    where = backup.add_mutually_exclusive_group(required=True)
    where.add_argument("file", type=Path, nargs="?", metavar="FILE")
    where.add_argument(
        "--daily", action="store_true", help="the day's backup, unless there is one, in the folder of backups"
    )
    backup.add_argument("--no-verify", action="store_true", help="don't restore it into a scratch database to compare")
    text = "replace the present database with a backup"
    restore = add_task(tasks, "restore", bring_back, text)
    restore.add_argument("file", type=Path, metavar="FILE")
    how = restore.add_mutually_exclusive_group()
    how.add_argument("--no-backup", action="store_true", help="don't make a backup of the present database first")
    how.add_argument(
        "--put-aside", action="store_true", help="keep the embedded database, damaged or not, beside a new one"
    )


def back_up(options: argparse.Namespace, secrets: Secrets) -> None:
    """Dump the database."""
    from .database import opened_endpoint, read_settings

    settings = read_settings()
    if options.daily:
        _daily(settings, secrets)
        return
    if options.file.exists() and not options.file.is_file():
        raise NotDone(f"{options.file} is not a file. Name another one.")
    verify = not options.no_verify
    with opened_endpoint(settings, secrets) as endpoint, announce_if_long(_backing_up(endpoint, verify)) as wait:
        held = workflow.back_up(endpoint, settings.values(), options.file, wait, verify)
    verified = f", verified: {held.tables} tables with {held.rows:,} rows" if held.tables else ""
    print(f"The database {endpoint['dbname']} is backed up in {options.file}{verified}")


def _backing_up(endpoint: dict[str, str], verified: bool = True) -> str:
    also = ", and reading the backup back to compare" if verified else ""
    return f"Backing up the database {endpoint['dbname']}{also}"


def _daily(settings: SettingsModel, secrets: Secrets) -> None:
    from .database import opened_endpoint

    name, today = str(settings["db_name"]), datetime.date.today()

    @contextmanager
    def opened() -> Iterator[tuple[workflow.Endpoint, ProgressMonitor]]:
        with opened_endpoint(settings, secrets) as endpoint, announce_if_long(_backing_up(endpoint)) as wait:
            yield endpoint, wait

    done = workflow.back_up_daily(opened, settings.values(), today)
    if done.off:
        raise NotDone("Daily backups are switched off: the setting backup_keep is 0.")
    if done.made is not None:
        print(f"The database {name} is backed up in {done.made}")
    else:
        print(f"The backup of {today} is there already, in {done.folder}")


def bring_back(options: argparse.Namespace, secrets: Secrets) -> None:
    """Restore and migrate a dump, which then replaces the current database."""
    from .database import opened_endpoint, read_settings

    if not options.file.is_file():
        raise NotDone(f"There is no backup file {options.file}.")
    settings = read_settings()
    if options.put_aside:
        _into_a_new_cluster(options.file, settings)
        return
    with opened_endpoint(settings, secrets) as endpoint:

        def watched(step: str) -> AbstractContextManager[ProgressMonitor]:
            return announce_if_long(_backing_up(endpoint) if step == "backup" else f"Restoring {options.file}")

        done = workflow.restore(endpoint, settings.values(), options.file, watched, not options.no_backup)
    print(f"The database {endpoint['dbname']} is as it was in {options.file}")
    if done.before is not None:
        print(f"What it was before is in {done.before}")
    _warn_of_missing_roles(done.missing)


def _into_a_new_cluster(file: Path, settings: SettingsModel) -> None:
    from ..postgres.errors import UNMONITORED

    if settings["db_host"]:
        raise NotDone("--put-aside is for the embedded database: one on a server is repaired by its administrator.")
    with announce_if_long(f"Restoring {file} into a new database"):
        done = workflow.restore_beside(settings.values(), file, UNMONITORED)
    print(f"The database {settings['db_name']} is as it was in {file}")
    print(f"What was there before is kept in {done.before}; remove it when you are sure that you don't need it")
    _warn_of_missing_roles(done.missing)


def _warn_of_missing_roles(roles: list[str]) -> None:
    if roles:
        print(
            f"Warning: this server has no role {', '.join(roles)}: grant the privileges of QA and others again.",
            file=sys.stderr,
        )
