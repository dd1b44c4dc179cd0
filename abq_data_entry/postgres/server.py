"""The embedded server: start it or attach to the running one, create databases, stop it when nobody uses it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..retrying import BUSY, STARTING, Retries
from .cluster import (
    PATIENCE,
    PORT,
    SERVER_KILLED,
    Home,
    Postmaster,
    append_to,
    arguments_for,
    home_in,
    locked,
    orphans,
    prepare_cluster,
    read_pid_file,
    running,
    socket_folder,
    start_failure,
    write_settings,
)
from .connections import connect, cursor_at, endpoint_of, has_watcher, in_use
from .errors import PostgresError, translate_system_errors
from .programs import binaries, program, without_secrets

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


# Start the server, wait for it, stop it. The caller holds the lock.

_LOOK_AGAIN = 0.005
_GRACE = 2.0  # seconds in which the other processes of a killed server notice that, and end
_LARGEST_LOG = 1_000_000
_KEPT_OF_LOG = 100_000
# What a new server logs while processes of a killed one still use its shared memory.
_STILL_THERE = "is still in use"
# Killed while it started: by the system, because it had no memory left, or by somebody.
_BY_OTHERS = (-9, -15)  # SIGKILL, SIGTERM
_KILLED = re.compile(rf"{SERVER_KILLED}|startup process .* was terminated by signal (?:9|15)\b")
_MOST_KILLS = 3


def launch(home: Home, programs: Path, idle_seconds: float) -> Postmaster:
    """Start the server and its watcher, and wait until it takes connections.

    Raises PostgresError with the server's reason.
    """
    began = time.monotonic()
    left_over, killed = Retries(BUSY), Retries(STARTING)
    while True:
        said = _attempt(home, programs, idle_seconds)
        found = running(home.cluster)
        if found and found.ready:
            return found
        if _KILLED.search(said) and killed.failures < _MOST_KILLS:  # the next start continues the recovery
            time.sleep(killed.failed())
            continue
        if _STILL_THERE not in said or time.monotonic() > began + 10 * _GRACE:
            raise start_failure(home, said)
        if time.monotonic() > began + _GRACE:
            _end_orphans(home)
        time.sleep(left_over.failed())


def _attempt(home: Home, programs: Path, idle_seconds: float) -> str:
    """Try once to start the server; return '', or what it logged if it isn't ready."""
    truncate_log(home.log)
    with translate_system_errors("The database folder", home.folder):
        # It is stale: `running` has checked. PostgreSQL would believe it if any process of the same user had that PID.
        (home.cluster / "postmaster.pid").unlink(missing_ok=True)
        with append_to(home.log) as log:
            home.account.own(home.log)
            began = log.seek(0, os.SEEK_END)
            process = _start(home, programs, log.fileno())
    watched = False
    try:
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None:
            found = read_pid_file(home.cluster)
            if found and found.status and not watched:  # now: the recovery may last longer than this process
                start_watcher(home, found, idle_seconds)
                watched = True
            if found and found.ready:
                detach(process)
                return ""
            if time.monotonic() > deadline:
                process.terminate()
                process.wait()
                raise PostgresError(f"The database server in {home.folder} wasn't ready after {PATIENCE:.0f} seconds.")
            time.sleep(_LOOK_AGAIN)
    except KeyboardInterrupt:
        if not watched:  # without a watcher, nothing would ever stop it
            process.terminate()
            process.wait()
        raise
    with home.log.open("rb") as file:
        file.seek(began)
        said = file.read(10_000).decode("utf-8", "replace")
    return f"{said}\n{SERVER_KILLED}" if process.returncode in _BY_OTHERS else said


def _start(home: Home, programs: Path, log: int) -> "subprocess.Popen[bytes]":
    # Without pg_ctl where possible: it passes the paths to a shell, and checks only ten times a second whether the
    # server is ready. On Windows it is needed: it drops an administrator's privileges.
    command: list[str | Path] = [program(programs, "postgres"), "-D", home.cluster]
    if sys.platform == "win32":
        command = [program(programs, "pg_ctl"), "start", "-w", "-t", "600", "-D", home.cluster, "-l", home.log]
    arguments, options = arguments_for(command, home.account, programs, home.folder)
    # In a session of its own: Ctrl-C in one application's terminal mustn't stop the server that others use.
    return subprocess.Popen(arguments, **options, stdout=log, stderr=log, start_new_session=True)


def detach(process: "subprocess.Popen[bytes]") -> None:
    """Let a process outlive this one, but wait for its end on a thread, so that it doesn't stay as a zombie."""
    threading.Thread(target=process.wait, name=f"end of process {process.pid}", daemon=True).start()


def wait_until_ready(cluster: Path) -> Postmaster | None:
    """Wait until the server accepts connections, and return it; None if there is none, or it has stopped meanwhile."""
    deadline = time.monotonic() + PATIENCE
    while (found := running(cluster)) and not found.ready:
        if time.monotonic() > deadline:
            raise PostgresError(f"The database server in {cluster.parent} has been starting or stopping for too long.")
        time.sleep(_LOOK_AGAIN)
    return found


def stop_server(home: Home) -> None:
    """Stop the server, if it runs ("fast" shutdown): its connections are terminated."""
    found = running(home.cluster)
    if found is None:
        return
    if sys.platform == "win32":
        command = [program(binaries(), "pg_ctl"), "stop", "-D", home.cluster, "-m", "fast", "-w", "-t", "600"]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    else:
        os.kill(found.pid, signal.SIGINT)  # PostgreSQL's "fast" shutdown
    deadline = time.monotonic() + PATIENCE
    while running(home.cluster):
        if time.monotonic() > deadline:
            raise PostgresError(f"The database server in {home.folder} didn't stop within {PATIENCE:.0f} seconds.")
        time.sleep(_LOOK_AGAIN)
    if found.socket_folder:
        with suppress(OSError):
            Path(found.socket_folder).rmdir()


def _end_orphans(home: Home) -> None:
    """End processes that a killed server left, such as one with a long query; its transaction is lost anyway."""
    for pid in orphans(home.cluster):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def truncate_log(log: Path) -> None:
    """Keep the server's log small. It is truncated in place, because the server goes on appending to this file."""
    with suppress(OSError):
        if log.stat().st_size > _LARGEST_LOG:
            with append_to(log) as file:
                file.seek(-_KEPT_OF_LOG, os.SEEK_END)
                end = file.read()
                file.truncate(0)
                file.write(end)


def start_watcher(home: Home, server: Postmaster, idle_seconds: float) -> None:
    """Start the process that stops this server when nobody uses it, and that outlives this one.

    If it can't be started, the last application that quits still stops the server.
    """
    words = [str(home.folder.parent), f"--server={server.pid}", f"--idle={idle_seconds}"]
    package = Path(__file__).resolve().parents[2]
    search = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH", "")]))
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    with suppress(OSError), append_to(home.log) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.watcher", *words],
            cwd=package.anchor,
            env={**without_secrets(), "PYTHONPATH": search},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            creationflags=flags,
        )
        detach(process)


_WINDOWS = sys.platform == "win32"
_WATCHER_ENDS = 5.0  # seconds in which the watcher notices that its server has stopped


def start(
    data_folder: Path, *, idle_seconds: float = 60.0, over_tcp: bool = _WINDOWS, programs: Path | None = None
) -> "EmbeddedServer":
    """Return the embedded server of a data folder: created if missing, started if stopped, attached to if it runs.

    Several processes may call this at once. `idle_seconds`: the watcher stops the server this long after the last
    connection was closed. `over_tcp`: a new cluster listens on loopback and asks for a password, for systems without
    Unix-domain sockets. `programs`: the folder of the server programs; None: that of `binaries`. Raises PostgresError.
    """
    server = EmbeddedServer(data_folder, idle_seconds, over_tcp, programs)
    server.ensure_running()
    return server


class EmbeddedServer:
    """A running server. This process keeps a connection to it open, so that no other process stops it."""

    def __init__(
        self, data_folder: Path, idle_seconds: float, over_tcp: bool, programs: Path | None = None
    ) -> None:
        self._programs = programs
        self._home: Home = home_in(data_folder)
        self._idle_seconds = idle_seconds
        self._over_tcp = over_tcp
        self._found: Postmaster | None = None
        self._presence: Connection | None = None

    def ensure_running(self) -> None:
        """Start the server again if it was killed or stopped; otherwise attach to it.

        Raises PostgresError.
        """
        self._leave()
        with locked(self._home.lock):
            found = wait_until_ready(self._home.cluster)
            if found and not found.reachable:
                stop_server(self._home)
                found = None
            self._found = found or self._launch()
            self._presence = connect(self.endpoint("postgres"))
            with self._presence.cursor() as cursor:
                if found and not has_watcher(cursor):
                    start_watcher(self._home, self._found, self._idle_seconds)

    def endpoint(self, dbname: str = "abq") -> dict[str, str]:
        """Return the endpoint of a database of this server. Raises PostgresError when it isn't running."""
        if self._found is None:
            raise PostgresError("The embedded database server isn't running.")
        return endpoint_of(self._home, self._found, dbname)

    def create_database(self, dbname: str = "abq") -> None:
        """Create an empty database with the encoding UTF-8, if it is missing. Raises PostgresError."""
        import psycopg2
        from psycopg2 import errors, sql

        statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(dbname))
        with cursor_at(self.endpoint("postgres")) as cursor:
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", [dbname])
            if cursor.rowcount:
                return
            try:
                with suppress(errors.DuplicateDatabase, errors.UniqueViolation):  # another process was quicker
                    cursor.execute(statement)
            except psycopg2.Error as error:
                reason = error.diag.message_primary
                raise PostgresError(f"The database {dbname} could not be made: {reason}.", str(error)) from error

    def stop_if_unused(self) -> bool:
        """Disconnect; stop the server if nobody else is connected; True if it no longer runs. Raises PostgresError."""
        self._leave()
        with locked(self._home.lock):
            self._found = wait_until_ready(self._home.cluster)
            if self._found is None:
                return True
            if in_use(self.endpoint("postgres")):
                return False
            stop_server(self._home)
            return True

    def stop(self) -> None:
        """Stop the server, even if others use it, and wait for its watcher's end: the folder may then be removed.

        Raises PostgresError.
        """
        self._leave()
        with locked(self._home.lock):
            stop_server(self._home)
        with suppress(PostgresError), locked(self._home.watcher_lock, _WATCHER_ENDS):
            pass

    def _launch(self) -> Postmaster:
        programs = self._programs or binaries()
        prepare_cluster(self._home, programs, self._over_tcp)
        sockets = None if self._home.passfile.exists() else socket_folder(self._home)
        try:
            write_settings(self._home, sockets, PORT if sockets else _free_port())
            return launch(self._home, programs, self._idle_seconds)
        except BaseException:  # Ctrl-C too
            if sockets:
                with suppress(OSError):
                    sockets.rmdir()
            raise

    def _leave(self) -> None:
        if self._presence is not None:
            self._presence.close()
            self._presence = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
