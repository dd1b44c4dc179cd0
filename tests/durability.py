"""What a failing computer would take back: the writes of a program, and which of them it had brought to the disk.

`strace` (Debian's package) records the calls of a real process. Whatever the storage is made of, at the moment at
which the program says that something is kept nothing of it may be in the system's memory alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import programs

ROOT = Path(__file__).resolve().parents[1]
KEPT = "it is kept"
_CALLS = "openat,creat,write,writev,pwrite64,pwritev,ftruncate,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat"
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) = (-?\d+)(?:<(.*?)>)?")
_DESCRIPTOR = re.compile(r"^\d+<(.*?)>")
_NAMES = re.compile(r'"((?:[^"\\]|\\.)*)"')


def unsynced(program: str, arguments: Sequence[str], folder: Path, trace: Path, passed_over: str = "") -> set[str]:
    """Run `program` (Python's text, which prints KEPT), and return what wasn't on the disk at that moment.

    Only files below `folder` count; those that match the pattern `passed_over` don't. A name with a `/` at its end
    stands for the entry in its folder. Skips the test where there is no strace, or where it may not look.
    """
    strace = programs.find("strace")
    if strace is None:
        pytest.skip("strace isn't installed")
    command = [str(strace), "-y", "-s", "4096", "-e", f"trace={_CALLS}", "-e", "signal=none", "-o", str(trace)]
    done = subprocess.run(
        [*command, sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    if "ptrace" in done.stderr:
        pytest.skip("strace may not look at processes here")
    assert done.returncode == 0, done.stderr
    left = _Disk(folder)
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        found = _CALL.match(line)
        if found and not found[3].startswith("-"):
            if KEPT in found[2]:
                return {each for each in left.unsynced if not passed_over or not re.search(passed_over, each)}
            left.note(found[1], found[2], found[4] or "")
    raise AssertionError(f"the program never said that it is kept:\n{done.stdout}")


class _Disk:
    """Which files and names below a folder were changed, and not brought to the disk since."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder.resolve())
        self._known = {str(path) for path in folder.resolve().rglob("*")}
        self.unsynced: set[str] = set()

    def note(self, call: str, arguments: str, opened: str) -> None:
        descriptor = _DESCRIPTOR.match(arguments)
        path = descriptor[1] if descriptor else ""
        if call in ("write", "writev", "pwrite64", "pwritev", "ftruncate"):
            self._change(path)
        elif call in ("fsync", "fdatasync"):
            self.unsynced.discard(path)
            self.unsynced -= {each for each in self.unsynced if each.endswith("/") and _parent(each) == path}
        elif call in ("openat", "creat") and "O_CREAT" in arguments and opened not in self._known:
            self._known.add(opened)
            self._change(f"{opened}/")
        elif call.startswith("mkdir"):
            made = os.path.join(self._folder, _NAMES.findall(arguments)[-1])  # noqa: PTH118 - may be absolute
            self._known.add(made)
            self._change(f"{made}/")
        elif call.startswith("rename"):
            old, new = _NAMES.findall(arguments)
            moved = {each for each in self.unsynced if each == old or each.startswith(f"{old}/")} - {f"{old}/"}
            self.unsynced -= {*moved, f"{old}/", new}
            self._known.add(new)
            self._change(f"{new}/")
            for each in moved:
                self._change(new + each.removeprefix(old))

    def _change(self, path: str) -> None:
        if path.startswith(self._folder + "/"):
            self.unsynced.add(path)


def _parent(name: str) -> str:
    return name.rstrip("/").rpartition("/")[0]
