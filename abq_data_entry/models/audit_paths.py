"""Where a search path finds something else than the tables of ABQ Data Entry, read as PostgreSQL reads it."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence

from psycopg2.extensions import cursor as Cursor

_HOLDERS = """
    SELECT nspname::text, min(relname)::text FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE relname = ANY (%(names)s) AND nspname <> %(schema)s AND nspname !~ '^pg_(toast|temp)' GROUP BY nspname
"""
# What is set for one role or for all, for this database or for all; the role '' is everybody.
_SETTINGS = """
    SELECT coalesce(rolname, '')::text, substr(setting, 13)
    FROM pg_db_role_setting LEFT JOIN pg_roles ON pg_roles.oid = setrole
    LEFT JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS setting
    WHERE (setdatabase = 0 OR datname = current_database()) AND setting LIKE 'search_path=%'
        AND (setrole = 0) = (rolname IS NULL)
    ORDER BY 1, 2
"""
_OF_SERVER = "SELECT boot_val FROM pg_settings WHERE name = 'search_path'"
_OF_FILES = """
    SELECT setting FROM pg_file_settings WHERE name = 'search_path' AND error IS NULL ORDER BY seqno DESC LIMIT 1
"""
_MAY_READ_FILES = "SELECT has_table_privilege('pg_file_settings', 'SELECT') AND" \
    " has_function_privilege('pg_show_all_file_settings()', 'EXECUTE')"
_ROLES = "SELECT rolname::text FROM pg_roles"
_PART = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^",\s]+))\s*(?:,|$)')
_FOLDED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_LONGEST_NAME = 63  # bytes


def find(cursor: Cursor, schema: str, names: Sequence[str]) -> list[str]:
    """Return, as sentences, which paths find one of those names in another schema than that one."""
    cursor.execute(_HOLDERS, {"schema": schema, "names": list(names)})
    holders: dict[str, str] = dict(cursor.fetchall())
    if not holders:
        return []
    cursor.execute(_SETTINGS)
    settings: list[tuple[str, str]] = cursor.fetchall()
    if all(who for who, _ in settings):
        settings.append(("", _path_of_the_server(cursor)))
    cursor.execute(_ROLES)
    others = {role for (role,) in cursor.fetchall()} - {who for who, _ in settings}
    found = []
    if "pg_catalog" in holders:
        found.append(f"Every search path finds {holders['pg_catalog']} in the schema pg_catalog first")
    for who, path in settings:
        for name in _before(split(path), schema, who):
            for each in sorted(others & holders.keys()) if name == "$user" and not who else [who or name]:
                place = name if name != "$user" else each
                if place in holders and place != schema:
                    whose = f"of {each}" if name == "$user" else f"set for {who or 'everybody'}"
                    found.append(f"The search path {whose} finds {holders[place]} in the schema {place} first")
    return list(dict.fromkeys(found))


def split(path: str) -> list[str]:
    """Return the names of a search path as PostgreSQL takes them: in small letters unless quoted, and cut off."""
    names = []
    place = 0
    while (part := _PART.match(path, place)) is not None:
        quoted, plain = part.groups()
        name = quoted.replace('""', '"') if plain is None else plain.translate(_FOLDED)
        names.append(name.encode()[:_LONGEST_NAME].decode(errors="ignore"))
        place = part.end()
    return names


def _before(names: Sequence[str], schema: str, who: str) -> Iterator[str]:
    for name in names:
        if name == schema or (name == "$user" and who == schema):
            return
        yield name


def _path_of_the_server(cursor: Cursor) -> str:
    cursor.execute(_MAY_READ_FILES)
    for statement in (_OF_FILES, _OF_SERVER) if cursor.fetchall() == [(True,)] else (_OF_SERVER,):
        cursor.execute(statement)
        for (path,) in cursor.fetchall():
            return str(path)
    return ""
