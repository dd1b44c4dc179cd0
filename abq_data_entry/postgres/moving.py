"""Growing up: everything in one database goes to an empty one on a server, checked row by row."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from . import client_programs
from .connections import connect, cursor_at
from .contents import Contents, contents_of, difference, differing_row, snapshot, tables_of
from .errors import PostgresError
from .loading import fill
from .watching import UNWATCHED, Part, Watching

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

_Tables = dict[str, Contents]
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    " AND application_name <> %s"
)
_IN_USE = "Others use the database on this computer. Close every window of the application and try again."
_OURS = "ABQ Data Entry: moving"
_CLOSING = 2.0  # seconds that a connection which was just closed may still be seen
_ANYTHING = """
    SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
"""


class Moved(NamedTuple):
    """What is in both databases now, by table; and the roles that have rights in the old one only."""

    tables: _Tables
    missing_roles: list[str]


def move(
    source: Mapping[str, str],
    target: Mapping[str, str],
    then: Callable[[Moved], None],
    watching: Watching = UNWATCHED,
) -> None:
    """Copy everything in the database `source` into the empty database `target`, and compare every row of both.

    The source isn't changed, and meanwhile nobody can change it; `then` is called when all is there, before anybody can
    again: to make the target the database that is used from now on. The target is filled in one transaction:
    interrupted at any point, it is empty or whole, and this can be repeated; a target that holds the very same already
    is only compared. Raises PostgresError when somebody else uses the source, when the target holds anything else, or
    when the two differ in the end.
    """
    with _held(source), snapshot(source, _OURS) as ours:
        missing = [] if _holds_anything(target) else _copy(source, target, watching)
        with snapshot(target, _OURS) as theirs:
            found = _compared(ours, theirs, target, watching)
        _refuse_others(source)
        then(Moved(found, missing))


@contextmanager
def _held(source: Mapping[str, str]) -> Iterator[None]:
    """Nobody else uses the database, and nobody can change it until the end of the block."""
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


def _holds_anything(target: Mapping[str, str]) -> bool:
    with cursor_at(target, _OURS) as cursor:
        cursor.execute(_ANYTHING)
        return bool(cursor.fetchall() != [(0,)])


def _copy(source: Mapping[str, str], target: Mapping[str, str], watching: Watching) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="abq-move-") as folder:  # 0700
        file = Path(folder, "everything.dump")
        arguments = ["--format=custom", client_programs.NO_LARGE_OBJECTS, f"--file={file}"]
        client_programs.run("pg_dump", source, arguments, "Nothing was moved", watching)
        watching.report(20, 100)
        return fill(target, file, watching)


def _compared(ours: "Connection", theirs: "Connection", target: Mapping[str, str], watching: Watching) -> _Tables:
    expected = contents_of(ours, Part(watching, 40, 60))
    wrong = difference(expected, contents_of(theirs, Part(watching, 60, 80)))
    if not wrong:
        for table in expected:
            row = differing_row(ours, theirs, table, watching)
            if row:
                wrong = f"the table {table} differs in the row {row}"
                break
    if wrong:
        where = f"{target['dbname']} on {target['host']}"
        raise PostgresError(
            f"The database {where} holds something else than the one on this computer: {wrong}. Nothing was changed. "
            "Name an empty database, or make this one anew (dropdb and createdb)."
        )
    watching.report(100, 100)
    return expected
