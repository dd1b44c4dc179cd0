"""Back up the database, also automatically once a day; restore a backup, also beside a damaged database."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import folders
from ..counting import one_line
from .local_disks import in_time

if TYPE_CHECKING:
    from ..postgres import EmbeddedServer, KeptBackups
    from ..postgres.errors import ProgressMonitor

Values = Mapping[str, object]
Endpoint = Mapping[str, str]
_LONGEST_REASON = 500  # characters


class BackedUp(NamedTuple):
    """How many tables and rows a backup has; 0 if it wasn't verified."""

    tables: int
    rows: int


class Daily(NamedTuple):
    """The day's backup: the file `made` now (None: it existed already), its folder; `off`: none is wanted."""

    made: Path | None
    folder: Path
    off: bool = False


class Restored(NamedTuple):
    """The backup or folder of the previous database (None: it isn't kept), and the roles that the server lacks."""

    before: Path | None
    missing: list[str]


def kept_backups(values: Values) -> KeptBackups:
    """Return the automatic backups, in the folder that the settings name."""
    from .. import postgres

    return postgres.backups_of(values, folders.data_folder())


def back_up(endpoint: Endpoint, values: Values, file: Path, monitor: ProgressMonitor, verify: bool = True) -> BackedUp:
    """Dump the database to the file, which gets its name once it has been verified.

    A pooler is bypassed if needed. Raises `PostgresError`.
    """
    from .. import postgres

    held = postgres.dump(postgres.bypassing_pooler(endpoint, values), file, verify=verify, monitor=monitor)
    return BackedUp(len(held), sum(each.rows for each in held.values()))


def back_up_daily(
    opened: Callable[[], AbstractContextManager[tuple[Endpoint, ProgressMonitor]]], values: Values, today: datetime.date
) -> Daily:
    """Make the day's backup if there is none yet; only then is the database opened. Raises `PostgresError`."""
    from .. import postgres

    kept, rotation = kept_backups(values), postgres.rotation_of(values)
    if rotation is None:
        return Daily(None, kept.folder, off=True)
    try:
        try:
            if today in in_time(kept.folder, kept.daily):
                return Daily(None, kept.folder)
        except TimeoutError as error:  # a network share that hangs: raised, so that the failure is reported
            raise postgres.PostgresError(str(error)) from None
        with opened() as (endpoint, monitor):
            made = kept.make_daily(postgres.bypassing_pooler(endpoint, values), today, rotation, monitor)
    except postgres.Cancelled:
        raise
    except Exception as error:
        _note_failure(values, error)
        raise
    with suppress(OSError):
        _failure_file(values).unlink(missing_ok=True)
    return Daily(made, kept.folder)


class FailedDaily(NamedTuple):
    """When the last daily backup failed, and why."""

    moment: datetime.datetime
    reason: str


def failed_daily(values: Values) -> FailedDaily | None:
    """Return the failure of the last daily backup of this database; None if it succeeded. Raises `OSError`."""
    file = _failure_file(values)
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            reason, made = one_line(opened.read(_LONGEST_REASON)), file.stat().st_mtime
    except FileNotFoundError:
        return None
    return FailedDaily(datetime.datetime.fromtimestamp(made, datetime.timezone.utc), reason)


def _note_failure(values: Values, error: Exception) -> None:
    """Write the reason to a file for `alarms`, which may run as another process."""
    file = _failure_file(values)
    with suppress(OSError), folders.replacement(file) as temporary:
        temporary.write_text(one_line(str(error))[:_LONGEST_REASON], encoding="utf-8")


def _failure_file(values: Values) -> Path:
    return database_file("backup-failed", values)


def database_file(name: str, values: Values) -> Path:
    """Return the file in which this computer keeps something about the database that the settings name."""
    place = f"{values.get('db_host') or ''}/{values.get('db_name') or ''}"
    return folders.data_folder() / f"{name}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


def restore(
    endpoint: Endpoint,
    values: Values,
    file: Path,
    watched: Callable[[str], AbstractContextManager[ProgressMonitor]],
    keeps_before: bool = True,
) -> Restored:
    """Back up the current database, unless `keeps_before` is false, and replace it by the one in the file.

    `watched("backup")` and `watched("restore")` return the monitors of these steps. Raises `PostgresError`; then the
    database is as it was.
    """
    from .. import postgres

    postgres.refuse_foreign_file(file)
    there, before = postgres.bypassing_pooler(endpoint, values), None
    if keeps_before:
        with watched("backup") as monitor:
            before = kept_backups(values).make_before_restore(there, monitor)
    with watched("restore") as monitor:
        return Restored(before, postgres.restore(there, file, _migrate, monitor))


def restore_beside(values: Values, file: Path, monitor: ProgressMonitor) -> Restored:
    """Restore the backup into a new embedded database, and keep the current one, damaged or not, beside it.

    Raises `PostgresError`; then nothing was changed.
    """
    from .. import postgres

    postgres.refuse_foreign_file(file)
    name, missing = str(values["db_name"]), list[str]()

    def fill(server: EmbeddedServer) -> None:
        server.create_database(name)
        missing.extend(postgres.restore(server.endpoint(name), file, _migrate, monitor))

    return Restored(postgres.replace_cluster(folders.data_folder(), fill), missing)


def _migrate(endpoint: dict[str, str]) -> None:
    from ..models import schema

    schema.prepare(endpoint)
