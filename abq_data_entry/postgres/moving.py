"""Move a database: into a new cluster, to a new major version of PostgreSQL, to a server."""

import datetime
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..retrying import BUSY, Retries
from . import dumps
from .cluster import PUT_ASIDE, Home, home_in, locked, version_of
from .connections import connect, cursor_at, in_use
from .dumps import Contents, contents_of, difference, differing_row, fill, snapshot, tables_of
from .errors import UNMONITORED, PostgresError, ProgressMonitor, SubMonitor, translate_system_errors
from .programs import binaries, major_version, with_version
from .server import EmbeddedServer, start, stop_server

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


# Replace the embedded cluster: the new one is completed beside it first, and the old one is kept.

_STAGING = "new-database"
_REMOVING = 5.0  # seconds


def replace_cluster(data_folder: Path, fill: Callable[[EmbeddedServer], None]) -> Path:
    """Replace the present cluster by a new one, which `fill` fills; return the folder where the old one is kept.

    Until the new one is complete, the present one stays as it is, running or not. Whatever interrupts this, it can be
    repeated, and the old one is never lost. Raises PostgresError, and what `fill` raises.
    """
    home = home_in(data_folder)
    staging = data_folder.absolute() / _STAGING
    with locked(home.folder / "replacing.lock"):
        _clear(staging)
        new = _staging_folder(staging, home)
        try:
            server = start(staging, idle_seconds=600.0, over_tcp=home.passfile.exists())
            try:
                fill(server)
            finally:
                server.stop()
            return _swap_clusters(home, new)
        finally:
            _clear(staging)


def _staging_folder(staging: Path, home: Home) -> Path:
    """Create the folder of the new server, with the same owner as the present one."""
    folder = staging / home.folder.name
    with translate_system_errors("The folder for the new database", staging):
        folder.mkdir(mode=0o700, parents=True)
        home.account.own(folder)
    return folder


def _swap_clusters(home: Home, new: Path) -> Path:
    moment = datetime.datetime.now().strftime("%Y-%m-%dT%H%M%S")
    aside = home.folder / f"{PUT_ASIDE}{moment}"
    with locked(home.lock), translate_system_errors("The database folder", home.folder):
        stop_server(home)
        if os.path.lexists(home.cluster):
            home.cluster.rename(aside)
        # From here to the last line there is no cluster. A start in between is refused, since one has been put aside.
        if (new / home.passfile.name).exists():
            (new / home.passfile.name).replace(home.passfile)
        (new / home.cluster.name).rename(home.cluster)
    return aside


def _clear(staging: Path) -> None:
    """Stop the server of an earlier attempt, and remove its folder."""
    if not staging.exists():
        return
    left = home_in(staging)
    with locked(left.lock):
        stop_server(left)
    with locked(left.watcher_lock):  # its watcher has ended, so nothing writes into the folder again
        pass
    until = time.monotonic() + _REMOVING
    retries = Retries(BUSY)
    shutil.rmtree(staging, ignore_errors=True)
    while staging.exists() and time.monotonic() < until:  # a process of its server wrote a last file
        time.sleep(retries.failed())
        shutil.rmtree(staging, ignore_errors=True)


# A new major version of PostgreSQL: the content of the old cluster goes into a new one, and the old one is kept.

_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND datname NOT IN ('template1', 'postgres')"
_IDLE_SECONDS = 600.0


def upgrade(data_folder: Path, old_programs: Path | None = None) -> Path | None:
    """Upgrade the embedded database to the major version of the present programs; return where the old one is kept.

    `None`: it has that version already. The old cluster is only read, by programs of its own version: those in the
    folder `old_programs`, else the system's. All rows are compared before the new cluster takes its place. Raises
    PostgresError when these programs are missing, or anything else fails; then nothing was changed.
    """
    home = home_in(data_folder)
    if not home.cluster.exists():
        raise PostgresError(f"There is no embedded database in {home.folder}.")
    made_by = version_of(home)
    if made_by == str(major_version(binaries())):
        return None
    programs = old_programs or with_version(made_by)
    if programs is None or str(major_version(programs)) != made_by:
        where = "on this machine" if programs is None else f"in {programs}"
        raise PostgresError(
            f"The database in {home.cluster} was made by PostgreSQL {made_by}, whose programs aren't {where}. Nothing "
            f"was changed. Install them (on Debian and Ubuntu: postgresql-{made_by}), or name their folder: --programs."
        )
    return replace_cluster(data_folder, lambda new: _carry_over(data_folder, programs, new))


def _carry_over(data_folder: Path, programs: Path, new: EmbeddedServer) -> None:
    old = start(data_folder, idle_seconds=_IDLE_SECONDS, programs=programs)
    try:
        if in_use(old.endpoint("postgres"), besides=1):
            raise PostgresError("Others use the database on this computer. Close every window and try again.")
        with tempfile.TemporaryDirectory(prefix="abq-upgrade-") as folder:  # 0700
            _copy_roles(old, new, Path(folder, "roles.sql"))
            with cursor_at(old.endpoint("postgres")) as cursor:
                cursor.execute(_DATABASES)
                names = [str(name) for (name,) in cursor.fetchall()]
            for number, name in enumerate(names):
                new.create_database(name)
                _copy_database(old.endpoint(name), new.endpoint(name), Path(folder, f"{number}.dump"))
    finally:
        old.stop()


def _copy_roles(old: EmbeddedServer, new: EmbeddedServer, file: Path) -> None:
    failure = "The roles were not carried over, and nothing was changed"
    dumps.run("pg_dumpall", old.endpoint("postgres"), ["--roles-only", f"--file={file}"], failure)
    # No ON_ERROR_STOP: creating the role that owns everything fails, since the new cluster has it already.
    arguments = ["--no-psqlrc", "--quiet", f"--file={file}"]
    dumps.run("psql", new.endpoint("postgres"), arguments, failure)


def _copy_database(old: dict[str, str], new: dict[str, str], file: Path) -> None:
    failure = "The old database could not be read, and nothing was changed"
    dumps.run("pg_dump", old, ["--format=custom", f"--file={file}"], failure)
    fill(new, file)
    with snapshot(old) as one, snapshot(new) as other:
        wrong = difference(contents_of(one), contents_of(other))
    if wrong:
        raise PostgresError(f"Nothing was changed: in the new database {wrong}.")
    with cursor_at(new) as cursor:
        cursor.execute("VACUUM (ANALYZE)")  # a dump holds no statistics


# From the embedded database to a server: copied into an empty database there, and compared row by row.

_Tables = dict[str, Contents]
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    " AND application_name <> %s"
)
_IN_USE = "Others use the database on this computer. Close every window of the application and try again."
_OURS = "ABQ Data Entry: moving"
_CLOSING = 2.0  # seconds for which pg_stat_activity may still show a closed connection
_ANYTHING = """
    SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
"""


class Moved(NamedTuple):
    """The contents of both databases, by table; and the roles with privileges that the target's server lacks."""

    tables: _Tables
    missing_roles: list[str]


def move(
    source: Mapping[str, str],
    target: Mapping[str, str],
    then: Callable[[Moved], None],
    monitor: ProgressMonitor = UNMONITORED,
) -> None:
    """Copy the database `source` into the empty database `target`, and compare every row of both.

    The source is locked, and not changed. `then` is called when all rows are there, before the lock is released: it
    makes the target the database that is used from now on. The target is filled in one transaction, so that an
    interruption leaves it empty or complete, and this can be repeated: a target that already has the same content is
    only compared. Raises PostgresError when somebody else uses the source, the target has other content, or both differ
    in the end.
    """
    with _source_locked(source), snapshot(source, _OURS) as ours:
        missing = [] if _is_not_empty(target) else _copy(source, target, monitor)
        with snapshot(target, _OURS) as theirs:
            found = _compared(ours, theirs, target, monitor)
        _refuse_others(source)
        then(Moved(found, missing))


@contextmanager
def _source_locked(source: Mapping[str, str]) -> Iterator[None]:
    """Lock the database until the end of the block: nobody else uses it, and nobody can change it."""
    import psycopg2

    _refuse_others(source)
    connection = connect(source, _OURS)
    try:
        connection.autocommit = False
        tables = ", ".join(tables_of(connection))
        if tables:
            with connection.cursor() as cursor:
                try:
                    cursor.execute(f"SET LOCAL lock_timeout = '10s'; LOCK TABLE {tables} IN EXCLUSIVE MODE")
                except psycopg2.Error as error:
                    raise PostgresError(f"{_IN_USE} Nothing was moved.", str(error)) from error
        yield
    finally:
        connection.close()


def _refuse_others(source: Mapping[str, str]) -> None:
    deadline = time.monotonic() + _CLOSING
    with cursor_at(source, _OURS) as cursor:
        while True:
            cursor.execute(_OTHERS, [_OURS])
            if cursor.fetchall() == [(0,)]:
                return
            if time.monotonic() > deadline:
                raise PostgresError(f"{_IN_USE} This computer's settings are as they were.")
            time.sleep(0.01)


def _is_not_empty(target: Mapping[str, str]) -> bool:
    with cursor_at(target, _OURS) as cursor:
        cursor.execute(_ANYTHING)
        return bool(cursor.fetchall() != [(0,)])


def _copy(source: Mapping[str, str], target: Mapping[str, str], monitor: ProgressMonitor) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="abq-move-") as folder:  # 0700
        file = Path(folder, "everything.dump")
        arguments = ["--format=custom", dumps.NO_LARGE_OBJECTS, f"--file={file}"]
        dumps.run("pg_dump", source, arguments, "Nothing was moved", monitor)
        monitor.report(20, 100)
        return fill(target, file, monitor)


def _compared(ours: "Connection", theirs: "Connection", target: Mapping[str, str], monitor: ProgressMonitor) -> _Tables:
    expected = contents_of(ours, SubMonitor(monitor, 40, 60))
    wrong = difference(expected, contents_of(theirs, SubMonitor(monitor, 60, 80)))
    if not wrong:
        for table in expected:
            row = differing_row(ours, theirs, table, monitor)
            if row:
                wrong = f"the table {table} differs in the row {row}"
                break
    if wrong:
        where = f"{target['dbname']} on {target['host']}"
        raise PostgresError(
            f"The database {where} holds other data than the one on this computer: {wrong}. Nothing was changed. "
            "Name an empty database, or create this one again (dropdb and createdb)."
        )
    monitor.report(100, 100)
    return expected
