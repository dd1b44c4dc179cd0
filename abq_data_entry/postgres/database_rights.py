"""What belongs to a database and is in no dump of it: who may connect, how often, and its settings."""

import re
from collections.abc import Mapping

from .connections import cursor_at
from .errors import PostgresError

_RIGHTS = """
    SELECT format('REVOKE ALL ON DATABASE %%I FROM PUBLIC', %(fresh)s) FROM pg_database
    WHERE datname = %(name)s AND datacl IS NOT NULL
    UNION ALL
    SELECT format('GRANT %%s ON DATABASE %%I TO %%s%%s', privilege_type, %(fresh)s,
        CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
        CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_database, aclexplode(datacl) WHERE datname = %(name)s AND grantee <> datdba
    UNION ALL
    SELECT format('ALTER DATABASE %%I CONNECTION LIMIT %%s', %(fresh)s, datconnlimit) FROM pg_database
    WHERE datname = %(name)s AND datconnlimit >= 0
"""
_SETTINGS = """
    SELECT CASE setrole WHEN 0 THEN format('ALTER DATABASE %%I', %(fresh)s)
            ELSE format('ALTER ROLE %%I IN DATABASE %%I', pg_get_userbyid(setrole), %(fresh)s) END,
        split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
    FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS setting
    WHERE datname = %(name)s
"""
# Those that the server keeps as a list of quoted names, as pg_dump knows them too.
_LISTS = (
    "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
    "temp_tablespaces", "unix_socket_directories",
)  # fmt: skip
_NAME_IN_LIST = re.compile(r'"((?:[^"]|"")*)"|([^",\s]+)')


def carry_over(maintenance: Mapping[str, str], name: str, fresh: str) -> None:
    """Give one database the rights, the limit of connections and the settings of another one of this server.

    Raises PostgresError for what this login may not do.
    """
    import psycopg2
    from psycopg2 import sql

    names = {"name": name, "fresh": fresh}
    with cursor_at(maintenance) as cursor:
        cursor.execute(_RIGHTS, names)
        statements: list[sql.Composable] = [sql.SQL(each) for (each,) in cursor.fetchall()]
        cursor.execute(_SETTINGS, names)
        for whose, setting, value in cursor.fetchall():
            values = sql.SQL(", ").join([sql.Literal(each) for each in _values(setting, value)])
            statements.append(sql.SQL(whose) + sql.SQL(" SET {} TO ").format(sql.Identifier(setting)) + values)
        for statement in statements:
            try:
                cursor.execute(statement)
            except psycopg2.Error as error:
                told = statement.as_string(cursor).replace(fresh, name)
                raise PostgresError(
                    f"The database {name} was not replaced: what belongs to it and is in no backup could not be carried"
                    f" over: {told}: {error.diag.message_primary}. A superuser can restore it, or take that away.",
                    str(error),
                ) from error


def _values(setting: str, value: str) -> list[str]:
    if setting.lower() not in _LISTS:
        return [value]
    return [bare or quoted.replace('""', '"') for quoted, bare in _NAME_IN_LIST.findall(value)] or [""]
