"""Where the tests' temporary files lie: in memory where there is room, since they make many databases and folders.

No test pulls the plug, so that nothing is lost by it; making and removing a database costs a fifth of what it does on
a disk.
"""

import os
import tempfile
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30  # bytes; the suite needs about half of it
_CHOSEN = ("TMPDIR", "TEMP", "TMP")


def spare_the_disk() -> None:
    """Let this process and those it starts keep their temporary files in memory, unless somebody chose a place."""
    if not any(name in os.environ for name in _CHOSEN) and _is_usable(_IN_MEMORY):
        os.environ["TMPDIR"] = str(_IN_MEMORY)
        tempfile.tempdir = None  # asks the environment again


def _is_usable(folder: Path) -> bool:
    """Whether the folder has room, and programs may be started there, which the tests of the installation do."""
    try:
        system = os.statvfs(folder)
    except (OSError, AttributeError):  # there is none; Windows
        return False
    has_room = system.f_bavail * system.f_frsize >= _ROOM
    return has_room and not system.f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK)
