"""What a database holds, so that two can be compared: rows and a digest for each table, and the rows that differ."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from .connections import connect
from .errors import UNWATCHED, PostgresError, Watching, cancellable, refuse_cancelled

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

_TABLES = """
    SELECT format('%I.%I', nspname, relname), greatest(pg_table_size(pg_class.oid), 1)
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind = 'r' AND nspname <> 'information_schema' AND nspname !~ '^pg_' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'
    )
    ORDER BY 1
"""
# The same text of a row whatever the server's settings are; and all rows or an error, never a selection by policy.
_SAME_TEXT = (
    "SET LOCAL quote_all_identifiers = off;"
    " SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL timezone = 'UTC';"
    " SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL row_security = off;"
    " SET LOCAL statement_timeout = 0; SET LOCAL search_path = pg_catalog"
)
# Whatever the order of the rows: the sum of the two halves of each row's SHA-256.
_CONTENTS = """
    SELECT count(*), encode(sha256(convert_to(coalesce(concat(sum(high), ' ', sum(low)), ''), 'UTF8')), 'hex')
    FROM (
        SELECT ('x' || substr(digest, 1, 16))::bit(64)::bigint::numeric AS high,
            ('x' || substr(digest, 17, 16))::bit(64)::bigint::numeric AS low
        FROM (
            SELECT encode(sha256(convert_to("a row of it"::text, 'UTF8')), 'hex') AS digest
            FROM {table} AS "a row of it" OFFSET 0
        ) AS digests
    ) AS halves
"""
_DIGESTS = """
    SELECT encode(sha256(convert_to("a row of it"::text, 'UTF8')), 'hex') COLLATE "C", left("a row of it"::text, 200)
    FROM {table} AS "a row of it" ORDER BY 1
"""
_AT_ONCE = 2000


class Contents(NamedTuple):
    """How many rows a table has, and a digest of all of them whatever their order."""

    rows: int
    digest: str


@contextmanager
def snapshot(endpoint: Mapping[str, str], name: str = "ABQ Data Entry") -> Iterator["Connection"]:
    """A connection whose statements all see one state of the database. Raises PostgresError.

    `name` is what `pg_stat_activity` shows.
    """
    import psycopg2

    connection = connect(endpoint, name)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {_SAME_TEXT}")
        yield connection
    except psycopg2.Error as error:
        which, reason = endpoint.get("dbname"), error.diag.message_primary or "the connection was lost"
        raise PostgresError(f"The database {which} could not be read: {reason}.", str(error)) from error
    finally:
        connection.close()


def tables_of(connection: "Connection") -> dict[str, int]:
    """The names of all tables that a dump holds, with their schema and quoted, and their sizes in bytes."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        return {str(name): int(size) for name, size in cursor.fetchall()}


def contents_of(connection: "Connection", watching: Watching = UNWATCHED) -> dict[str, Contents]:
    """Rows and digest of every table, as a `snapshot` sees them. Raises Cancelled."""
    found: dict[str, Contents] = {}
    sizes = tables_of(connection)
    done, total = 0, sum(sizes.values())
    with cancellable(connection, watching), connection.cursor() as cursor:
        for table, size in sizes.items():
            refuse_cancelled(watching)
            cursor.execute(_CONTENTS.format(table=table))
            ((rows, digest),) = cursor.fetchall()
            found[table] = Contents(int(rows), str(digest))
            done += size
            watching.report(done, total)
    return found


def difference(expected: Mapping[str, Contents], found: Mapping[str, Contents]) -> str:
    """The first difference as the end of a sentence; empty when there is none."""
    # The audit differs wherever something else does, which says more.
    for table, one in sorted(expected.items(), key=lambda each: "audit" in each[0]):
        other = found.get(table)
        if other is None:
            return f"the table {table} is missing"
        if one.rows != other.rows:
            return f"the table {table} has {other.rows:,} rows instead of {one.rows:,}"
        if one.digest != other.digest:
            return f"the {one.rows:,} rows of the table {table} are not the same"
    more = sorted(set(found) - set(expected))
    return f"there is a table {more[0]} more" if more else ""


def differing_row(one: "Connection", other: "Connection", table: str, watching: Watching = UNWATCHED) -> str:
    """Compare a table row by row; the beginning of the first row that only one of the two has, empty if none."""
    with one.cursor() as ours, other.cursor() as theirs:
        for cursor in (ours, theirs):
            # The server's own cursor: a table may be larger than our memory.
            cursor.execute(f"DECLARE digests NO SCROLL CURSOR FOR {_DIGESTS.format(table=table)}")
        while True:
            refuse_cancelled(watching)
            left, right = _next(ours), _next(theirs)
            if left != right:
                return str(min(set(left) ^ set(right))[1])
            if not left:
                ours.execute("CLOSE digests")
                theirs.execute("CLOSE digests")
                return ""


def _next(cursor: "Cursor") -> list[tuple[str, str]]:
    cursor.execute(f"FETCH {_AT_ONCE} FROM digests")
    return list(cursor.fetchall())
