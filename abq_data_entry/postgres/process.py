"""The server's processes: which one is ours, start it, stop it."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .account import arguments_for
from .errors import PostgresError
from .home import Home
from .programs import program

PATIENCE = 600.0  # seconds; recovery after a crash may take long
_LOOK_AGAIN = 0.005


@dataclass(frozen=True)
class Postmaster:
    """What postmaster.pid says of a running server."""

    pid: int
    socket_folder: str
    port: str
    ready: bool


def running(cluster: Path) -> Postmaster | None:
    """The server of this cluster, if its process lives; a pid file alone proves nothing."""
    found = _read_pid_file(cluster)
    return found if found and _is_postmaster(found.pid, cluster) else None


def _read_pid_file(cluster: Path) -> Postmaster | None:
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        lines += [""] * 8
        return Postmaster(int(lines[0]), lines[4], lines[3], lines[7].strip() == "ready")
    except (OSError, ValueError):
        return None


def _is_postmaster(pid: int, cluster: Path) -> bool:
    process = Path(f"/proc/{pid}")
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        return Path(os.fsdecode(words[0])).name == "postgres" and os.fsencode(cluster) in words
    except OSError:
        return False


def launch(home: Home, binaries: Path) -> Postmaster:
    """Start the server and wait until it takes connections. The caller holds the lock."""
    (home.cluster / "postmaster.pid").unlink(missing_ok=True)
    command: list[str | Path] = [program(binaries, "postgres"), "-D", home.cluster]
    arguments, options = arguments_for(command, home.account, binaries, home.folder)
    with home.log.open("ab") as log:
        began = log.tell()
        process = subprocess.Popen(arguments, **options, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None:
        found = _read_pid_file(home.cluster)
        if found and found.ready and found.pid == process.pid:
            leave_alone(process)
            return found
        if time.monotonic() > deadline:
            process.terminate()
            raise PostgresError("The database server didn't become ready within ten minutes.")
        time.sleep(_LOOK_AGAIN)
    raise PostgresError("The database server didn't start.", _log_since(home.log, began))


def leave_alone(process: "subprocess.Popen[bytes]") -> None:
    """Let a process outlive us, yet take note of its end, so that no zombie stays while we live."""
    threading.Thread(target=process.wait, name=f"wait for {process.pid}", daemon=True).start()


def _log_since(log: Path, position: int) -> str:
    with log.open("rb") as file:
        file.seek(position)
        return file.read(8192).decode("utf-8", "replace")


def stop_server(home: Home, binaries: Path) -> None:
    """Stop the server: connections are cut, what was acknowledged is on disk. The caller holds the lock."""
    found = running(home.cluster)
    if found is None:
        return
    if sys.platform == "win32":
        command = [program(binaries, "pg_ctl"), "stop", "-D", home.cluster, "-m", "fast", "-w", "-t", "600"]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return
    os.kill(found.pid, signal.SIGINT)
    deadline = time.monotonic() + PATIENCE
    while running(home.cluster):
        if time.monotonic() > deadline:
            raise PostgresError("The database server didn't stop within ten minutes.")
        time.sleep(_LOOK_AGAIN)
