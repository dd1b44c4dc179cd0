"""Which Pythons this machine has, and which of them can show a window and make an environment."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from abq_data_entry.launcher.old_python import NEWEST, OLDEST
from abq_data_entry.launcher.quick_check import this_python

_PROBE = """
import os, sys
from importlib.util import find_spec
def has(*names):
    return all(find_spec(name) for name in names)
print(sys.version_info[0], sys.version_info[1], int(has("tkinter", "_tkinter")), int(has("venv", "ensurepip")))
print(sys.executable)
print(sys.implementation.cache_tag, os.path.realpath(sys.base_prefix))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python on this machine and what it can do."""

    path: str  # its `sys.executable`, whatever link or script led there
    identity: str  # as `quick_check.this_python` returns it
    version: tuple[int, int]
    has_tk: bool
    has_venv: bool


def missing_parts(tk: bool) -> list[str]:
    """Return which of "tkinter" (only if ``tk``) and "venv" the running Python lacks."""
    missing = []
    if tk and not (find_spec("tkinter") and find_spec("_tkinter")):
        missing.append("tkinter")
    if not (find_spec("venv") and find_spec("ensurepip")):
        missing.append("venv")
    return missing


def find_other(tk: bool) -> Interpreter | None:
    """Return another Python of this machine, of a supported version, with venv (and Tk if ``tk``)."""
    seen = {os.path.realpath(sys.executable)}
    for path in _candidates():
        real = os.path.realpath(path)
        if real in seen:
            continue
        seen.add(real)
        found = probe(path)
        if not found or found.identity == this_python():
            continue
        if OLDEST <= found.version <= NEWEST and found.has_venv and (found.has_tk or not tk):
            return found
    return None


def probe(path: str) -> Interpreter | None:
    """Run the program at ``path`` and return which Python it is; None if it isn't one."""
    try:
        answer = subprocess.run(
            [path, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, check=True
        ).stdout.splitlines()
        major, minor, has_tk, has_venv = (int(word) for word in answer[0].split())
        executable, identity = answer[1:]
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return Interpreter(executable, identity, (major, minor), bool(has_tk), bool(has_venv))


def _candidates() -> Iterator[str]:
    """Yield paths where a Python may be: on PATH, in the usual folders, of pyenv; in each, the newest version first."""
    if os.name == "nt":
        yield from _from_windows_launcher()
        return
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    with suppress(PermissionError):  # a folder of somebody else, such as root's, named by the environment
        folders += [str(path / "bin") for path in sorted(pyenv.glob("3.*"), reverse=True)]
    names = ["python3", *(f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1))]
    for folder in dict.fromkeys(folder for folder in folders if folder):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 - a plain text, compared with others
            if os.access(path, os.X_OK):
                yield path


def _from_windows_launcher() -> Iterator[str]:
    try:
        text = subprocess.run(["py", "-0p"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return
    for line in text.splitlines():
        _, found, path = line.strip().partition(":\\")
        if found:
            drive = line.strip().split(":\\")[0][-1]
            yield f"{drive}:\\{path}"
