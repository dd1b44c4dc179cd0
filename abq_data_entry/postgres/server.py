"""The embedded server: start it or attach to the running one, make databases, stop it when nobody uses it."""

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
    read_pid_file,
    ready_cluster,
    running,
    socket_folder,
    start_failure,
    write_settings,
)
from .connections import connect, cursor_at, endpoint_of, in_use, watched
from .errors import PostgresError, translate_system_errors
from .programs import binaries, program, without_secrets

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


# The server's life: start it, wait for it, stop it. The caller holds the lock.

_LOOK_AGAIN = 0.005
_GRACE = 2.0  # seconds for the processes of a killed server to notice
_LARGEST_LOG = 1_000_000
_KEPT_OF_LOG = 100_000
# What a new server says as long as processes of a killed one hold its memory.
_STILL_THERE = "is still in use"
# Ended from outside while it started: by the system for want of memory, or by somebody.
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
        if _KILLED.search(said) and killed.failures < _MOST_KILLS:  # it goes on where its recovery was
            time.sleep(killed.failed())
            continue
        if _STILL_THERE not in said or time.monotonic() > began + 10 * _GRACE:
            raise start_failure(home, said)
        if time.monotonic() > began + _GRACE:
            _end_orphans(home)
        time.sleep(left_over.failed())


def _attempt(home: Home, programs: Path, idle_seconds: float) -> str:
    """Start the server once; what it said when it isn't ready."""
    shorten(home.log)
    with translate_system_errors("The database folder", home.folder):
        # Stale: `running` said so. PostgreSQL itself would believe it if the pid is any process of the same user.
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
            if found and found.status and not watched:  # before recovery, which may take longer than we live
                start_watcher(home, found, idle_seconds)
                watched = True
            if found and found.ready:
                leave_alone(process)
                return ""
            if time.monotonic() > deadline:
                process.terminate()
                process.wait()
                raise PostgresError(f"The database server in {home.folder} wasn't ready after {PATIENCE:.0f} seconds.")
            time.sleep(_LOOK_AGAIN)
    except KeyboardInterrupt:
        if not watched:  # nobody would ever stop it
            process.terminate()
            process.wait()
        raise
    with home.log.open("rb") as file:
        file.seek(began)
        said = file.read(10_000).decode("utf-8", "replace")
    return f"{said}\n{SERVER_KILLED}" if process.returncode in _BY_OTHERS else said


def _start(home: Home, programs: Path, log: int) -> "subprocess.Popen[bytes]":
    # Not by pg_ctl where it can be avoided: it hands the paths to a shell, and looks only ten times a second whether
    # the server is ready. On Windows it is needed, since it drops an administrator's rights.
    command: list[str | Path] = [program(programs, "postgres"), "-D", home.cluster]
    if sys.platform == "win32":
        command = [program(programs, "pg_ctl"), "start", "-w", "-t", "600", "-D", home.cluster, "-l", home.log]
    arguments, options = arguments_for(command, home.account, programs, home.folder)
    # Its own session: Ctrl-C in the terminal of one application mustn't stop the server of the others.
    return subprocess.Popen(arguments, **options, stdout=log, stderr=log, start_new_session=True)


def leave_alone(process: "subprocess.Popen[bytes]") -> None:
    """Let a process outlive us, yet take note of its end, so that no zombie stays while we live."""
    threading.Thread(target=process.wait, name=f"end of process {process.pid}", daemon=True).start()


def settled(cluster: Path) -> Postmaster | None:
    """The server once it takes connections; None if there is none, or when it has stopped while we waited."""
    deadline = time.monotonic() + PATIENCE
    while (found := running(cluster)) and not found.ready:
        if time.monotonic() > deadline:
            raise PostgresError(f"The database server in {cluster.parent} has been starting or stopping for too long.")
        time.sleep(_LOOK_AGAIN)
    return found


def stop_server(home: Home) -> None:
    """Stop the server: connections are cut, what was acknowledged is on disk. Nothing happens when none runs."""
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
    """End what a killed server left behind, e.g. a long query; its transaction was lost with the server anyway."""
    for pid in orphans(home.cluster):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def shorten(log: Path) -> None:
    """Keep the server's log small. Emptied in place, since the server goes on writing (appending) to this very file."""
    with suppress(OSError):
        if log.stat().st_size > _LARGEST_LOG:
            with append_to(log) as file:
                file.seek(-_KEPT_OF_LOG, os.SEEK_END)
                end = file.read()
                file.truncate(0)
                file.write(end)


def start_watcher(home: Home, server: Postmaster, idle_seconds: float) -> None:
    """Start the process that stops this server when nobody uses it; it outlives us.

    Where that can't be done, the last application that leaves still stops the server.
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
        leave_alone(process)


_WINDOWS = sys.platform == "win32"
_WATCHER_ENDS = 5.0  # seconds that the watcher may need to notice


def start(
    data_folder: Path, *, idle_seconds: float = 60.0, over_tcp: bool = _WINDOWS, programs: Path | None = None
) -> "EmbeddedServer":
    """The embedded server of a data folder: made if missing, started if stopped, attached to if it runs.

    Safe for several processes at once. `idle_seconds`: so long after the last connection was closed, a started server
    is stopped by its watcher, whatever became of its clients. `over_tcp`: a new cluster listens on loopback and wants
    a password, for systems without unix sockets. `programs`: the folder of others than the usual ones. Raises
    PostgresError.
    """
    server = EmbeddedServer(data_folder, idle_seconds, over_tcp, programs)
    server.ensure_running()
    return server


class EmbeddedServer:
    """A running server that this process uses: it holds a connection, so that others leave the server running."""

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
        """Start the server again if it has gone (killed, or stopped by somebody); attach otherwise.

        Raises PostgresError.
        """
        self._leave()
        with locked(self._home.lock):
            found = settled(self._home.cluster)
            if found and not found.reachable:
                stop_server(self._home)
                found = None
            self._found = found or self._launch()
            self._presence = connect(self.endpoint("postgres"))
            with self._presence.cursor() as cursor:
                if found and not watched(cursor):
                    start_watcher(self._home, self._found, self._idle_seconds)

    def endpoint(self, dbname: str = "abq") -> dict[str, str]:
        """The libpq keywords of a database of this server."""
        if self._found is None:
            raise PostgresError("The embedded database server isn't running.")
        return endpoint_of(self._home, self._found, dbname)

    def create_database(self, dbname: str = "abq") -> None:
        """Make a database, empty and in UTF-8, if it is missing. Raises PostgresError."""
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
        """Leave the server, and stop it if nobody else is connected. True: it no longer runs. Raises PostgresError."""
        self._leave()
        with locked(self._home.lock):
            self._found = settled(self._home.cluster)
            if self._found is None:
                return True
            if in_use(self.endpoint("postgres")):
                return False
            stop_server(self._home)
            return True

    def stop(self) -> None:
        """Stop the server, whoever uses it; its watcher has ended too, so the folder may go. Raises PostgresError."""
        self._leave()
        with locked(self._home.lock):
            stop_server(self._home)
        with suppress(PostgresError), locked(self._home.watcher_lock, _WATCHER_ENDS):
            pass

    def _launch(self) -> Postmaster:
        programs = self._programs or binaries()
        ready_cluster(self._home, programs, self._over_tcp)
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
