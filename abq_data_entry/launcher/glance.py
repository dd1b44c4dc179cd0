"""Whether ``.venv`` fits, at a glance: the launcher asks at every start, before anything costly is imported.

Only `os` and `sys` here, which Python has imported already; `pathlib` would take longer than all of this. What can't be
told at a glance, `virtualenv` looks at.
"""
# ruff: noqa: PTH110, PTH116, PTH118, PTH123

import os
import sys

BUILD_LOCK = "requirements-build.lock"
LOCKS = (BUILD_LOCK, "requirements.lock")
STAMP = "abq-environment"
MARKER = "abq-installing"
ASKED_PYTHON = "ABQ_ASKED_PYTHON"  # set while one Python hands over to another one, so that the stamp knows both


def this_python() -> str:
    """What tells the running Python from another one; the same inside and outside of its environments."""
    return f"{sys.implementation.cache_tag} {os.path.realpath(sys.base_prefix)}"


def read_stamp(folder: str) -> dict[str, str]:
    """What the last complete installation wrote down in ``.venv``; empty when there was none."""
    try:
        with open(os.path.join(folder, STAMP), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def last_change(path: str) -> str:
    """Size and time of the last change of a file; empty when it is missing."""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def is_for_us(folder: str, stamp: dict[str, str], tk: bool) -> bool:
    """Whether the environment is complete, here, made by or for the running Python, and has Tk if asked."""
    return (
        (stamp.get("tk") == "yes" or not tk)
        and this_python() in (stamp.get("python"), stamp.get("asked"))
        and stamp.get("folder") == os.path.realpath(folder)
        and not os.path.exists(os.path.join(folder, MARKER))
        and os.access(python_in(folder), os.X_OK)
    )


def is_inside(checkout: str) -> bool:
    """Whether this process runs in the checkout's ``.venv``."""
    folder = os.path.join(checkout, ".venv")
    return sys.prefix != sys.base_prefix and os.path.realpath(sys.prefix) == os.path.realpath(folder)


def fitting_python(checkout: str, tk: bool) -> str:
    """The Python of a ``.venv`` that fits, its locks untouched since it was made; empty: look closer."""
    folder = os.path.join(checkout, ".venv")
    stamp = read_stamp(folder)
    untouched = all(stamp.get(changed(name)) == last_change(os.path.join(checkout, name)) != "" for name in LOCKS)
    return python_in(folder) if untouched and is_for_us(folder, stamp, tk) else ""


def changed(lock: str) -> str:
    """The name under which the stamp keeps the last change of a lock."""
    return f"{lock} changed"


def python_in(folder: str) -> str:
    """The Python of an environment."""
    return os.path.join(folder, "Scripts", "python.exe") if os.name == "nt" else os.path.join(folder, "bin", "python")
