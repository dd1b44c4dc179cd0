"""Whether a folder is on a disk of this computer: SQLite's write-ahead log isn't safe on a network's.

Source: sqlite.org/wal.html, "All processes using a database must be on the same host computer".
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# Those of which we know it. What isn't named, also one in user space, has the slower way that is safe anywhere.
_LOCAL = {
    "bcachefs", "btrfs", "ecryptfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "reiserfs", "tmpfs",
    "xfs", "zfs",
}  # fmt: skip
_DRIVE_REMOTE = 4


def is_local(folder: Path) -> bool:
    """Tell whether the folder is on a disk of this computer; False where that isn't known."""
    folder = folder.resolve()
    if os.name == "nt":
        return not _is_remote_drive(folder)
    try:
        if (mounts := Path("/proc/self/mountinfo")).exists():
            return kind_on_linux(folder, mounts.read_text("utf-8", "replace")) in _LOCAL
        done = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5, check=True)
        return is_local_on_bsd(folder, done.stdout)
    except (OSError, subprocess.SubprocessError):
        return False


def kind_on_linux(folder: Path, mounts: str) -> str:
    """Return the type of the folder's file system; `mounts` is what `/proc/self/mountinfo` says."""
    found, longest = "", -1
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        words = before.split()
        if len(words) < 5 or not after:
            continue
        place = words[4].encode("latin-1", "replace").decode("unicode_escape")  # a blank is \040
        if _is_below(folder, place) and len(place) >= longest:  # the later one lies over the earlier one
            found, longest = after.split()[0], len(place)
    return found


def is_local_on_bsd(folder: Path, mounts: str) -> bool:
    """Tell whether the folder is on a local disk; `mounts` is what `mount` says on macOS and its relatives."""
    local, longest = False, -1
    for line in mounts.splitlines():
        before, _, words = line.rpartition(" (")
        place = before.partition(" on ")[2]
        if place and _is_below(folder, place) and len(place) >= longest:
            local, longest = "local" in words.rstrip(")").split(", "), len(place)
    return local


def _is_below(folder: Path, place: str) -> bool:
    return os.path.commonpath([place, str(folder)]) == place if place.startswith("/") else False


def _is_remote_drive(folder: Path) -> bool:
    import ctypes

    if folder.drive.startswith("\\\\"):
        return True
    return bool(ctypes.windll.kernel32.GetDriveTypeW(folder.anchor) == _DRIVE_REMOTE)  # type: ignore[attr-defined,unused-ignore]
