"""Which process is this cluster's server, if any. A pid file alone proves nothing: the pid may be another's by now."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Postmaster:
    """What `postmaster.pid` says of a running server."""

    pid: int
    socket_folder: str
    port: str
    status: str  # "" until it owns its memory, then "starting", "ready", "stopping"

    @property
    def ready(self) -> bool:
        """Whether it takes connections."""
        return self.status == "ready"

    @property
    def reachable(self) -> bool:
        """Whether its socket is still there; a cleaner of temporary folders may have taken it."""
        return not self.socket_folder or self.socket.exists()

    @property
    def socket(self) -> Path:
        """The path of its unix socket."""
        return Path(self.socket_folder, f".s.PGSQL.{self.port}")


def running(cluster: Path) -> Postmaster | None:
    """The server of this cluster, if its process lives."""
    found = read_pid_file(cluster)
    return found if found and _is_server(found, cluster) else None


def read_pid_file(cluster: Path) -> Postmaster | None:
    """What the pid file says, be it true or stale."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        lines += [""] * 8  # a server that is just starting hasn't written them all
        return Postmaster(int(lines[0]), lines[4], lines[3], lines[7].strip())
    except (OSError, ValueError):
        return None


def _is_server(found: Postmaster, cluster: Path) -> bool:
    if sys.platform == "win32":
        return _answers(found)
    process = Path("/proc", str(found.pid))
    if not Path("/proc/self").exists():
        return _shown_by_ps(found, cluster)
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")  # empty for a zombie
        if Path(os.fsdecode(words[0])).name != "postgres" or process.stat().st_uid not in (0, cluster.stat().st_uid):
            return False
        return _works_in(process, cluster, otherwise=os.fsencode(cluster) in words)
    except OSError:
        return False


def _works_in(process: Path, cluster: Path, otherwise: bool) -> bool:
    # PostgreSQL's processes stay in the data directory. A container's root may not look: then the -D must do.
    try:
        return (process / "cwd").samefile(cluster)
    except PermissionError:
        return otherwise


def orphans(cluster: Path) -> list[int]:
    """The pids of all processes of this cluster's server, also of one whose main process was killed. Linux only."""
    found, owner = [], cluster.stat().st_uid
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            title = os.fsdecode((process / "cmdline").read_bytes().split(b"\0")[0])
            ours = title.startswith("postgres: ") or Path(title).name == "postgres"
            if ours and process.stat().st_uid == owner and (process / "cwd").samefile(cluster):
                found.append(int(process.name))
    return found


def _shown_by_ps(found: Postmaster, cluster: Path) -> bool:
    command = ["ps", "-ww", "-o", "command=", "-p", str(found.pid)]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    except OSError:
        shown = ""
    # In a bare chroot without /proc not even ps can tell.
    return "postgres" in shown and str(cluster) in shown if shown else _answers(found)


def _answers(found: Postmaster) -> bool:
    try:
        if not found.socket_folder:
            socket.create_connection(("127.0.0.1", int(found.port or 0)), timeout=2).close()
        else:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(found.socket))
    except (OSError, ValueError):
        return False
    return True
