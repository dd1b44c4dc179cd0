"""Whether a database, or a dump of one, is of this application: a restore must put nothing else in the place of one."""

import re
from collections.abc import Mapping
from pathlib import Path

from . import client_programs
from .connections import cursor_at
from .errors import PostgresError

# The columns that every version has had, the first schema too.
_TABLES: Mapping[str, tuple[str, ...]] = {
    "labs": ("id",),
    "lab_techs": ("id", "name"),
    "plots": ("lab_id", "plot", "current_seed_sample"),
    "lab_checks": ("date", "time", "lab_id", "lab_tech_id"),
    "plot_checks": (
        *("date", "time", "lab_id", "plot", "seed_sample", "humidity", "light", "temperature", "equipment_fault"),
        *("blossoms", "plants", "fruit", "max_height", "min_height", "median_height", "notes"),
    ),
}
# What later versions added and restores must bring back with its rows. Of a check's presence nothing needs to be kept.
_LATER = frozenset((
    *("local_weather", "schema_version", "deliveries", "audit", "audit_heads", "audit_baselines", "lab_members"),
    *("technician_logins", "journal_entries"),
))  # fmt: skip
_LISTED = re.compile(r"^\d+; \d+ \d+ TABLE \S+ (\S+) ", re.MULTILINE)
_WITH_ROWS = re.compile(r"^\d+; \d+ \d+ TABLE DATA \S+ (\S+) ", re.MULTILINE)
_MISSING = """
    SELECT wanted.table_name, wanted.column_name FROM unnest(%s, %s) AS wanted (table_name, column_name)
    LEFT JOIN pg_attribute ON attrelid = to_regclass(quote_ident(wanted.table_name))
        AND attname = wanted.column_name AND NOT attisdropped
    WHERE attname IS NULL
"""
_ANY_TABLE = """
    SELECT EXISTS (SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE relkind IN ('r', 'p', 'v') AND nspname <> 'information_schema' AND nspname !~ '^pg_')
"""


def refuse_foreign_file(file: Path) -> None:
    """Raise PostgresError unless the file is a dump with our tables and their rows; nothing is restored for that."""
    if not file.is_file():
        raise PostgresError(f"There is no backup file {file}.")
    listed = client_programs.output("pg_restore", ["--list", str(file.absolute())], f"{file} can't be read as a backup")
    tables = set(_LISTED.findall(listed))
    missing = _TABLES.keys() - tables
    if missing:
        raise PostgresError(_foreign(f"{file} isn't a backup of", f"the table {min(missing)}"))
    wanted = tables & (_TABLES.keys() | _LATER) | ({"audit"} if "audit_heads" in tables else set())
    without = wanted - set(_WITH_ROWS.findall(listed))
    if without:
        raise PostgresError(
            f"{file} isn't a whole backup: the rows of the table {min(without)} are missing. Choose another backup."
        )


def refuse_foreign_database(endpoint: Mapping[str, str], which: str = "") -> None:
    """Raise PostgresError unless the database has our tables with the columns that each version has.

    `which` begins the sentence: "The database abq isn't one of" where it isn't given.
    """
    tables = [table for table, columns in _TABLES.items() for _ in columns]
    names = [name for columns in _TABLES.values() for name in columns]
    with cursor_at(endpoint) as cursor:
        cursor.execute(_MISSING, (tables, names))
        missing = cursor.fetchall()
        cursor.execute(_ANY_TABLE)
        ((holds_something,),) = cursor.fetchall()
    if not holds_something and not which:
        raise PostgresError(
            f"The database {endpoint.get('dbname', '')} has no tables yet, so there is nothing to back up. The first "
            "start of the window makes them, or: abq-data-entry db init."
        )
    if missing:
        table, column = min(missing)
        whole = len([each for each in missing if each[0] == table]) == len(_TABLES[table])
        what = f"the table {table}" if whole else f"the column {column} of the table {table}"
        raise PostgresError(_foreign(which or f"The database {endpoint.get('dbname', '')} isn't one of", what))


def _foreign(which: str, missing: str) -> str:
    return f"{which} ABQ Data Entry: {missing} is missing."
