"""What a session of the server is told by us: time limits, who we are. And whether a pooler stands in between.

A pooler such as PgBouncer lends its sessions, perhaps for one transaction at a time: what is set there must end with
the transaction, or it would be somebody else's. Startup options it refuses, so nothing is set by those.
"""

from __future__ import annotations

import datetime
import getpass
import platform
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from psycopg2.extensions import PYDATE, PYDATETIME, PYDATETIMETZ, new_type, register_type
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import SCHEMA_VERSION

# Nobody waits for ever: neither for a lock of somebody who went home, nor for a page of the list. Less than what the
# client allows (see `waits.py`): the server's own words say more.
_LIMITS = {"lock_timeout": "8s", "statement_timeout": "60s", "idle_in_transaction_session_timeout": "5min"}
_OPTION = re.compile(r"(?:^|(?<=\s))(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\s\\])*)")


_DATABASE = "(SELECT oid FROM pg_database WHERE datname = current_database())"
_HAS_VERSION = "coalesce(has_table_privilege(to_regclass('schema_version'), 'SELECT'), false)"
# Where our tables are, whatever stands in front of them on the path of a role or a database: the schema public, or the
# first other one. Then that path, for reports of one's own; temporary tables, which anybody may make, last.
PATH = """(
    SELECT array_to_string(ARRAY(
        SELECT quote_ident(name) FROM unnest(nspname || current_schemas(false)) WITH ORDINALITY AS path (name, place)
        WHERE name !~ '^pg_temp' GROUP BY name ORDER BY min(place)
    ) || 'pg_temp'::text, ', ')
    FROM pg_namespace AS place WHERE nspname !~ '^pg_' AND 3 = (
        SELECT count(*) FROM pg_class
        WHERE relnamespace = place.oid AND relname IN ('labs', 'lab_checks', 'plot_checks')
    ) ORDER BY nspname <> 'public', place.oid LIMIT 1
)"""
"""The search path with our tables first, as SQL; NULL where there are none."""

SCHEMA_VERSION_NOW = "SELECT coalesce(max(version), 0) FROM schema_version"
"""Which version the tables are of."""


def _with_first(kind: Any, first: object) -> Any:
    """The type of psycopg2's for dates which reads one before Christ as `first`."""

    def read(text: str | bytes | None, cursor: Cursor) -> object:
        return first if isinstance(text, str) and text.endswith("BC") else kind(text, cursor)

    return new_type(kind.values, kind.name, read)


_DATE_TYPES = (
    _with_first(PYDATE, datetime.date.min),
    _with_first(PYDATETIME, datetime.datetime.min),
    _with_first(PYDATETIMETZ, datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)),
)


class ServerFacts(NamedTuple):
    """What was found at the other end of a new connection.

    `pooled`: a pooler stands in between; `database`: the number of the database, another one after a restore;
    `version`: of the tables, 0 where that can't be read; `server`: PostgreSQL's exact version, such as `18.6`.
    """

    pooled: bool = False
    database: int = 0
    version: int = 0
    server: str = ""


class Session:
    """What is set in each session, or where that isn't ours alone, in each transaction."""

    def __init__(self, options: str = "") -> None:
        """`options`: those of libpq's keyword, such as `-c lock_timeout=1s`; they go over ours."""
        wanted = {name.replace("-", "_"): re.sub(r"\\(.)", r"\1", value) for name, value in _OPTION.findall(options)}
        # An older window than the tables is refused its saves by this version.
        self._values = {**_LIMITS, "abq.schema": str(SCHEMA_VERSION), **_origin(), **wanted}
        self._path_is_given = "search_path" in wanted
        self.other_options = " ".join(_OPTION.sub("", options).split())
        """Those that can't be set later, for the start of a connection."""

    def begin(self, connection: Connection) -> ServerFacts:
        """Set up a new connection; where a pooler lends it, `begin_transaction` sets what is needed each time."""
        # Its own number is what a server tells at the beginning; a pooler tells one that it made up.
        given = connection.info.backend_pid
        settings = "".join([", set_config(%s, %s, pg_backend_pid() <> %s)"] * len(self._values))
        bound = [part for name, value in self._values.items() for part in (name, value, given)]
        with connection.cursor() as cursor:
            path = "current_setting('search_path')"
            pinned = path if self._path_is_given else (
                f"set_config('search_path', coalesce({PATH}, {path}), pg_backend_pid() <> %s)"
            )
            # The rights last: another role may be among the settings.
            cursor.execute(
                f"SELECT pg_backend_pid(), {_DATABASE}{settings}, {pinned}, {_HAS_VERSION}",
                bound if self._path_is_given else [*bound, given],
            )
            process, database, *_, found, has_version = cursor.fetchall()[0]
            version = 0
            if has_version:
                cursor.execute(
                    f"SELECT set_config('search_path', %s, %s); {SCHEMA_VERSION_NOW}", [found, process != given]
                )
                version = cursor.fetchall()[0][0]
        if process != given:
            self._values = {**self._values, "search_path": found}
        return ServerFacts(process != given, database, version, connection.get_parameter_status("server_version") or "")

    @property
    def path(self) -> str:
        """Where names are looked for, as SQL, once a pooler's session was begun."""
        return self._values["search_path"]

    def begin_transaction(self, cursor: Cursor) -> None:
        """Set what is needed until the end of the transaction that has begun."""
        settings = ", ".join(["set_config(%s, %s, true)"] * len(self._values))
        cursor.execute(f"SELECT {settings}", [part for pair in self._values.items() for part in pair])


def read_all_dates(connection: Connection) -> None:
    """Let dates before Christ, which Python hasn't, be read as its first day: one such row must not stop a page."""
    for kind in _DATE_TYPES:
        register_type(kind, connection)


def is_pooled(connection: Connection) -> bool:
    """Tell whether a pooler stands between us and the server."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return bool(cursor.fetchall()[0][0] != connection.info.backend_pid)


def _origin() -> Mapping[str, str]:
    """Return what tells the audit who changes something and where, unless a save says it itself."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # of a number without a name
        user = ""
    told = {"abq.application_user": user, "abq.workstation": platform.node()}
    return {name: value.encode("utf-8", "replace").decode() for name, value in told.items() if value}
