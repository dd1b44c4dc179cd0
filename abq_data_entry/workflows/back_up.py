"""Back the database up, once a day by itself too; bring a backup back, also beside a damaged database."""

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
    """How much a backup holds; nothing where it wasn't read back."""

    tables: int
    rows: int


class Daily(NamedTuple):
    """The day's backup: `made` now (None: it was there), in which folder; `off`: none is wanted."""

    made: Path | None
    folder: Path
    off: bool = False


class Restored(NamedTuple):
    """Where what was there before is kept (None: it isn't), and the roles of the backup that the server lacks."""

    before: Path | None
    missing: list[str]


def kept_backups(values: Values) -> KeptBackups:
    """The backups that are made by themselves, in the folder that the settings name."""
    from .. import postgres

    return postgres.backups_of(values, folders.data_folder())


def back_up(endpoint: Endpoint, values: Values, file: Path, monitor: ProgressMonitor, verify: bool = True) -> BackedUp:
    """Dump the database to the file, which gets its name when it has been read back and compared.

    It goes past a pooler where that is needed. Raises `PostgresError`.
    """
    from .. import postgres

    held = postgres.dump(postgres.bypassing_pooler(endpoint, values), file, verify=verify, monitor=monitor)
    return BackedUp(len(held), sum(each.rows for each in held.values()))


def back_up_daily(
    opened: Callable[[], AbstractContextManager[tuple[Endpoint, ProgressMonitor]]], values: Values, today: datetime.date
) -> Daily:
    """Make the day's backup unless there is one; the database is opened only for that. Raises `PostgresError`."""
    from .. import postgres

    kept, rotation = kept_backups(values), postgres.rotation_of(values)
    if rotation is None:
        return Daily(None, kept.folder, off=True)
    try:
        try:
            if today in in_time(kept.folder, kept.daily):
                return Daily(None, kept.folder)
        except TimeoutError as error:  # a share: whoever waits for it hangs, and nobody hears of it
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
    """When the day's backup failed, and why."""

    moment: datetime.datetime
    reason: str


def failed_daily(values: Values) -> FailedDaily | None:
    """Return how the last attempt at a daily backup of this database failed; None if it didn't. Raises `OSError`."""
    file = _failure_file(values)
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            reason, made = one_line(opened.read(_LONGEST_REASON)), file.stat().st_mtime
    except FileNotFoundError:
        return None
    return FailedDaily(datetime.datetime.fromtimestamp(made, datetime.timezone.utc), reason)


def _note_failure(values: Values, error: Exception) -> None:
    """Keep why for `alarms`, which whoever made the backup may not be running for."""
    file = _failure_file(values)
    with suppress(OSError), folders.replacement(file) as temporary:
        temporary.write_text(one_line(str(error))[:_LONGEST_REASON], encoding="utf-8")


def _failure_file(values: Values) -> Path:
    return database_file("backup-failed", values)


def database_file(name: str, values: Values) -> Path:
    """Where this computer keeps something about the database of the settings, and of no other."""
    place = f"{values.get('db_host') or ''}/{values.get('db_name') or ''}"
    return folders.data_folder() / f"{name}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


def restore(
    endpoint: Endpoint,
    values: Values,
    file: Path,
    watched: Callable[[str], AbstractContextManager[ProgressMonitor]],
    keeps_before: bool = True,
) -> Restored:
    """Keep the present database in a backup, unless that isn't wanted, and put the one in the file in its place.

    `watched` is asked for who watches the `backup`, and then the `restore`. Raises `PostgresError`; then the database
    is as it was.
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
    """Put the backup into a new embedded database, and keep the present one, damaged or not, beside it.

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
