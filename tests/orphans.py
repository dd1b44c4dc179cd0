"""Shared memory that killed database servers leave behind: removed after the tests, or no server can be started.

PostgreSQL takes one segment of System V shared memory for each server. One that was killed, and whose folder is gone,
leaves it there until the machine restarts, and the kernel has room for 4,096 of them (shmmni).
"""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

_TABLE = Path("/proc/sysvipc/shm")  # proc_sysvipc(5): a line of headings, then one for each segment
_SIZE = 56  # bytes, of the segment that says that a server runs (PostgreSQL's sysv_shmem.c)


class Segment(NamedTuple):
    """One segment: its number, its size in bytes, who made it, how many processes have it, when it was made."""

    number: str
    size: int
    maker: int
    attached: int
    made: float


def segments() -> list[Segment]:
    """Return all segments of this machine; none where there is no such table."""
    try:
        headings, *lines = (each.split() for each in _TABLE.read_text("ascii").splitlines())
    except (OSError, ValueError):
        return []
    rows = (dict(zip(headings, line, strict=False)) for line in lines)
    return [
        Segment(row["shmid"], int(row["size"]), int(row["cpid"]), int(row["nattch"]), float(row["ctime"]))
        for row in rows
    ]


def remove_orphaned_segments(since: float) -> list[str]:
    """Remove those of servers that were started since that moment and are dead; return the numbers."""
    orphaned = [
        each.number
        for each in segments()
        if each.size == _SIZE
        and not each.attached
        and each.made >= int(since)
        and not Path(f"/proc/{each.maker}").exists()
    ]
    if orphaned and shutil.which("ipcrm"):
        words = [word for number in orphaned for word in ("-m", number)]
        subprocess.run(["ipcrm", *words], check=False, stdin=subprocess.DEVNULL, capture_output=True)
    return orphaned
