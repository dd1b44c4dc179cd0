"""Dump a database to a file and restore it; the folder of automatic backups."""

import datetime
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..folders import replacement
from ..retrying import BUSY, Retries
from . import dumps
from .cluster import locked
from .connections import connect, cursor_at
from .dumps import (
    Contents,
    carry_over,
    contents_of,
    difference,
    fill,
    load,
    refuse_foreign_database,
    refuse_foreign_file,
    snapshot,
    tables_of,
)
from .errors import (
    UNMONITORED,
    Cancelled,
    NoAnswer,
    PostgresError,
    ProgressMonitor,
    SubMonitor,
    raise_if_cancelled,
    translate_system_errors,
)

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor


# Dump a database to a file and restore it, with PostgreSQL's own pg_dump and pg_restore.


log = logging.getLogger(__name__)

_SWAPPING = 10.0  # seconds: clients that reconnect at once may keep the database from being renamed
_NEEDS_CREATEDB = "To restore, a role needs the attribute CREATEDB."
_NOT_VERIFIED = "To verify a backup, a role needs the attribute CREATEDB; db backup --no-verify makes one without it."


def dump(
    endpoint: Mapping[str, str],
    file: Path,
    *,
    verify: bool = False,
    anything: bool = False,
    monitor: ProgressMonitor = UNMONITORED,
) -> dict[str, Contents]:
    """Write the whole database to a file (pg_dump's custom format), which gets its name only once it is complete.

    `verify`: before that, restore the dump into a scratch database, compare the rows of each table with those that
    were dumped, and return the contents by table; without it, return {}. `anything`: accept a database without our
    tables, too (one that a restore is about to replace). Raises PostgresError, Cancelled.
    """
    file = file.absolute()
    if not anything:
        refuse_foreign_database(endpoint)
    with translate_system_errors("The backup file", file), replacement(file) as partial:
        partial.touch(mode=0o600, exist_ok=False)
        if not verify:
            _dump(endpoint, partial, [], monitor)
            return {}
        # The dump and the digests use one snapshot, whatever others save meanwhile.
        with snapshot(endpoint) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_export_snapshot()")
                ((name,),) = cursor.fetchall()
            _dump(endpoint, partial, [f"--snapshot={name}"], monitor)
            expected = contents_of(connection, SubMonitor(monitor, 25, 50))
        _verify(endpoint, partial, expected, SubMonitor(monitor, 50, 100))
        return expected


def _dump(endpoint: Mapping[str, str], file: Path, arguments: list[str], monitor: ProgressMonitor) -> None:
    arguments = ["--format=custom", dumps.NO_LARGE_OBJECTS, f"--file={file}", *arguments]
    dumps.run("pg_dump", endpoint, arguments, "The backup was not made", monitor)


def _verify(
    endpoint: Mapping[str, str], file: Path, expected: Mapping[str, Contents], monitor: ProgressMonitor
) -> None:
    failure = "The backup was not kept: it could not be restored into a scratch database"
    with _scratch(endpoint) as scratch:
        load(scratch, file, failure, with_privileges=False, monitor=monitor)
        monitor.report(1, 2)
        with snapshot(scratch) as connection:
            wrong = difference(expected, contents_of(connection, SubMonitor(monitor, 50, 100)))
    if wrong:
        raise PostgresError(f"The backup was not kept: restored into a scratch database, {wrong}. Make it again.")


@contextmanager
def _scratch(endpoint: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Create an empty database for the block, and drop it afterwards; those that killed processes left go first."""
    prefix = f"{endpoint['dbname'][:40]}_verifying_"
    maintenance = {**endpoint, "dbname": "postgres"}
    scratch = {**endpoint, "dbname": prefix + os.urandom(4).hex()}
    _drop_leftovers(maintenance, prefix)
    create = f"CREATE DATABASE {_identifier(scratch['dbname'])} TEMPLATE template0 ENCODING 'UTF8'"
    _execute(maintenance, create, _NOT_VERIFIED)
    with _drop_on_failure(maintenance, scratch["dbname"]):
        presence = connect(scratch)  # while it is in use, another process can't drop it as a leftover
        try:
            yield scratch
        finally:
            presence.close()
    _drop(maintenance, scratch["dbname"])


def _drop_leftovers(maintenance: Mapping[str, str], prefix: str) -> None:
    """Drop the databases that were left when a process was killed or the server stopped answering."""
    import psycopg2

    with cursor_at(maintenance) as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
        for (left,) in cursor.fetchall():
            with suppress(psycopg2.Error):  # in use: another process is working with it
                cursor.execute(f"DROP DATABASE IF EXISTS {_identifier(left)}")


@contextmanager
def _drop_on_failure(maintenance: Mapping[str, str], name: str) -> Iterator[None]:
    """Drop the database when the block fails; the block's error is raised, even if dropping fails as well."""
    try:
        yield
    except NoAnswer:
        raise  # the server wouldn't answer a DROP DATABASE either
    except BaseException:
        with suppress(PostgresError):
            _drop(maintenance, name)
        raise


def restore(
    endpoint: Mapping[str, str],
    file: Path,
    check: Callable[[dict[str, str]], None] | None = None,
    monitor: ProgressMonitor = UNMONITORED,
) -> list[str]:
    """Replace a database by a dump; return the roles whose privileges couldn't be granted, since the server lacks them.

    The dump is restored into a fresh database. `check` gets its endpoint, and may migrate it or refuse it by raising.
    Then the two swap names: whatever fails before that leaves the present database as it was. At the swap, other
    connections to the present one are terminated, and it is dropped. Raises PostgresError, Cancelled.
    """
    refuse_foreign_file(file)
    name = endpoint["dbname"]
    prefix = f"{name[:40]}_restoring_"
    fresh = prefix + os.urandom(4).hex()
    aside = f"{name[:40]}_replaced_{os.urandom(4).hex()}"
    maintenance = {**endpoint, "dbname": "postgres"}
    _drop_leftovers(maintenance, prefix)
    _execute(maintenance, f"CREATE DATABASE {_identifier(fresh)} TEMPLATE template0 ENCODING 'UTF8'")
    with _drop_on_failure(maintenance, fresh):
        missing = fill({**endpoint, "dbname": fresh}, file, monitor)
        monitor.report(2, 3)
        if check is not None:
            check({**endpoint, "dbname": fresh})
        _execute({**endpoint, "dbname": fresh}, "VACUUM (ANALYZE)")  # a dump holds no statistics
        carry_over(maintenance, name, fresh)
        raise_if_cancelled(monitor)
        _swap(maintenance, name, fresh, aside)
    _drop_replaced(maintenance, name, aside)
    return missing


def _drop_replaced(maintenance: Mapping[str, str], name: str, aside: str) -> None:
    """Drop the database that was replaced; a failure is only logged. If it was a template, the new one becomes one."""
    try:
        with cursor_at(maintenance) as cursor:
            cursor.execute("SELECT FROM pg_database WHERE datname = %s AND datistemplate", [aside])
            if cursor.rowcount:
                cursor.execute(f"ALTER DATABASE {_identifier(aside)} IS_TEMPLATE false")
                cursor.execute(f"ALTER DATABASE {_identifier(name)} IS_TEMPLATE true")
        _drop(maintenance, aside)
    except PostgresError as error:
        log.warning("the database %s, which was replaced, is still there: %s", aside, error)


def _swap(maintenance: Mapping[str, str], name: str, fresh: str, aside: str) -> None:
    import psycopg2.errors

    retries, deadline = Retries(BUSY), time.monotonic() + _SWAPPING
    with cursor_at(maintenance) as cursor:
        while True:
            try:
                left = _terminate_connections(cursor, [name, fresh])
                # One statement string is one transaction: both names change or neither.
                cursor.execute(
                    f"ALTER DATABASE {_identifier(name)} RENAME TO {_identifier(aside)};"
                    f"ALTER DATABASE {_identifier(fresh)} RENAME TO {_identifier(name)}"
                )
                return
            except psycopg2.errors.ObjectInUse:
                if left:
                    raise PostgresError(_termination_refused(cursor, name, left)) from None
                if time.monotonic() > deadline:
                    raise PostgresError(
                        f"Others keep using the database {name}, so it was not replaced. Close them and try again."
                    ) from None
                time.sleep(retries.failed())
            except psycopg2.Error as error:
                raise PostgresError(
                    f"The database {name} was not replaced: {error.diag.message_primary}.", str(error)
                ) from error


def _terminate_connections(cursor: "Cursor", names: list[str]) -> list[str]:
    """Terminate the connections to these databases; return the logins whose connections this one may not terminate."""
    import psycopg2.errors

    cursor.execute(
        "SELECT pid, usename FROM pg_stat_activity WHERE datname = ANY (%s::name[]) AND usename IS NOT NULL", [names]
    )
    left = []
    for process, login in cursor.fetchall():
        try:
            cursor.execute("SELECT pg_terminate_backend(%s)", [process])
        except psycopg2.errors.InsufficientPrivilege:
            left.append(login)
    return sorted(set(left))


def _termination_refused(cursor: "Cursor", name: str, left: list[str]) -> str:
    cursor.execute("SELECT format('GRANT pg_signal_backend TO %I;', current_user)")
    ((grant,),) = cursor.fetchall()
    return (
        f"The database {name} was not replaced: {', '.join(left)} uses it, and this login may not end the connections"
        f" of others. Close them and try again; or a superuser runs once: {grant} (which isn't enough for connections"
        " of superusers)."
    )


def _drop(maintenance: Mapping[str, str], name: str) -> None:
    _execute(maintenance, f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)")


def _execute(endpoint: Mapping[str, str], statement: str, advice: str = _NEEDS_CREATEDB) -> None:
    import psycopg2

    with cursor_at(endpoint) as cursor:
        try:
            cursor.execute(statement)
        except psycopg2.Error as error:
            raise PostgresError(
                f"The server refused this: {error.diag.message_primary}. {advice}",
                str(error),
            ) from error


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# The folder of automatic backups: one a day, and one before each change that can't be undone.

FOLDER = "backups"
_PATIENCE = 600.0  # seconds to wait for another process that makes a backup
_AHEAD = 24 * 3600.0  # seconds by which the clock of another computer may be ahead
_OWN = re.compile(r"-(\d{4}-\d\d-\d\d|before-)")  # any other name belongs to a database of another server
_DATED = re.compile(r"(?P<name>.+)-(?P<date>\d{4}-\d\d-\d\d)\.dump")


class Rotation(NamedTuple):
    """How many daily backups are kept: those of the last `days` days, and one for each of the `weeks` before them."""

    days: int = 7
    weeks: int = 4


USUAL = Rotation()


class KeptBackups:
    """The backups of one database in a folder. All methods raise PostgresError.

    `abq-2026-11-21.dump` is the backup of a day, `abq-before-….dump` one before a change. Both are verified, and get
    their names only when they are complete.
    """

    def __init__(self, folder: Path, dbname: str) -> None:
        self.folder = folder.expanduser().absolute()
        self._name = re.sub(r"[^\w.-]", "_", dbname)

    def newest(self) -> Path | None:
        """Return the newest backup of this database, daily or before a change; `None` if there is none.

        One that seems to be from the future (the clock was ahead) is returned only if there is no other.
        """
        found, limit = self._files("*.dump"), time.time() + _AHEAD
        return max(found, key=lambda path: (_moment(path) <= limit, _moment(path)), default=None)

    def daily(self) -> dict[datetime.date, Path]:
        """Return the daily backups by their day, the newest first."""
        matches = ((_DATED.fullmatch(path.name), path) for path in self._files("*.dump"))
        dated = {_date(match["date"]): path for match, path in matches if match and match["name"] == self._name}
        return {day: path for day, path in sorted(dated.items(), reverse=True) if day != datetime.date.min}

    def make_daily(
        self,
        endpoint: Mapping[str, str],
        today: datetime.date,
        rotation: Rotation = USUAL,
        monitor: ProgressMonitor = UNMONITORED,
    ) -> Path | None:
        """Make the day's backup, and remove expired ones; return its file, or `None` if it was there already.

        If another process is making it, wait for that one: there is one backup a day.
        """
        self._make_folder()
        with locked(self.folder / ".lock", _PATIENCE):
            self._tidy()
            made = self._file(today.isoformat())
            fresh = not made.exists()
            if fresh:
                dump(endpoint, made, verify=True, monitor=monitor)
            for day in expired(self.daily(), rotation, today):
                with suppress(OSError):  # it is removed tomorrow
                    self.daily()[day].unlink()
            return made if fresh else None

    def make_before(self, endpoint: Mapping[str, str], change: str, monitor: ProgressMonitor = UNMONITORED) -> Path:
        """Make a backup before a change that can't be undone, such as `restore`; such backups never expire."""
        self._make_folder()
        moment = datetime.datetime.now().strftime("%Y-%m-%dT%H%M%S")
        made = self._file(f"before-{change}-{moment}")
        dump(endpoint, made, verify=True, anything=True, monitor=monitor)
        return made

    def before_migration(self, endpoint: Mapping[str, str]) -> Callable[[int], object]:
        """Return a function that makes a backup before a migration; it takes the older version of the schema."""
        return lambda version: self.make_before(endpoint, f"leaving-version-{version}")

    def make_before_restore(self, endpoint: Mapping[str, str], monitor: ProgressMonitor = UNMONITORED) -> Path | None:
        """Make a backup before a restore; `None` if the database has no tables that could be lost."""
        with snapshot(endpoint) as connection:
            if not tables_of(connection):
                return None
        try:
            return self.make_before(endpoint, "restore", monitor)
        except Cancelled:
            raise
        except PostgresError as error:
            raise PostgresError(
                f"Nothing was restored, since there is no backup of the present database: {error}",
                error.detail,
            ) from error

    def file_name(self, day: datetime.date) -> str:
        """Return the name of a backup of that day."""
        return self._file(day.isoformat()).name

    def _file(self, rest: str) -> Path:
        return self.folder / f"{self._name}-{rest}.dump"

    def _files(self, pattern: str) -> list[Path]:
        with translate_system_errors("The folder of backups (setting backup_folder)", self.folder, "backup_folder"):
            found = self.folder.glob(f"{self._name}-{pattern}")
            return [path for path in found if _OWN.match(path.name[len(self._name) :]) and path.is_file()]

    def _make_folder(self) -> None:
        with translate_system_errors("The folder of backups (setting backup_folder)", self.folder, "backup_folder"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _tidy(self) -> None:
        """Remove partial files of daily backups that were killed; the caller holds the lock."""
        for path in self.folder.glob(f".{self._name}-????-??-??.dump.*.part"):
            with suppress(OSError):
                path.unlink()


def backups_of(settings: Mapping[str, object], data_folder: Path) -> KeptBackups:
    """Return the backups of the database that the settings name, in `backup_folder` or, if that is empty, the data
    folder."""
    folder = str(settings.get("backup_folder") or "").strip()
    # The name includes the server: databases of two servers may have one name, and share a folder.
    hosts = str(settings.get("db_host") or "").replace(" ", "")
    name = "-".join(filter(None, (str(settings.get("db_name") or "abq"), hosts)))
    return KeptBackups(Path(folder) if folder else data_folder / FOLDER, name)


def rotation_of(settings: Mapping[str, object]) -> Rotation | None:
    """Return the rotation that the settings `backup_keep` and `backup_keep_weeks` name; `None`: no daily backups."""
    days, weeks = (int(str(settings[name])) for name in ("backup_keep", "backup_keep_weeks"))
    return Rotation(days, weeks) if days else None


def expired(days: Iterable[datetime.date], rotation: Rotation, today: datetime.date) -> list[datetime.date]:
    """Return which daily backups have expired: neither one of the last days nor the last one of a week that is kept.

    Backups dated in the future (the clock was ahead) don't count, and are kept until that day.
    """
    newest_first = sorted((day for day in days if day <= today), reverse=True)
    older = newest_first[max(rotation.days, 1) :]
    last_of_week: dict[tuple[int, int], datetime.date] = {}
    for day in older:
        last_of_week.setdefault(day.isocalendar()[:2], day)
    kept = sorted(last_of_week.values(), reverse=True)[: rotation.weeks]
    return [day for day in older if day not in kept]


def moment_of(backup: Path) -> str:
    """When a backup was made, in words: "21 November 2026, 18:02"."""
    made = datetime.datetime.fromtimestamp(_moment(backup))
    return f"{made.day} {made:%B %Y, %H:%M}"


def _moment(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return datetime.date.min


def recovery_advice(backups: KeptBackups) -> str:
    """Return what to do when the embedded database is damaged: the newest backup, its time, and the command to restore
    it."""
    try:
        newest = backups.newest()
    except PostgresError:
        newest = None
    if newest is None:
        return (
            f"There is no backup in {backups.folder}. If you have one elsewhere: abq-data-entry db restore --put-aside "
            "FILE restores it into a new database, and keeps the damaged one beside it."
        )
    return (
        f"The newest backup is of {moment_of(newest)}. To go back to it: abq-data-entry db restore --put-aside "
        f'"{newest}". The damaged database is kept beside the new one.'
    )
