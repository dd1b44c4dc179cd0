"""A quick check at every start whether ``.venv`` fits, before anything slow is imported.

Imports only `os` and `sys`, which Python has loaded already; `pathlib` would take longer than the whole check. If the
check is not enough, `virtualenv` looks more closely.
"""
# ruff: noqa: PTH110, PTH116, PTH118, PTH123

import os
import sys

BUILD_LOCK = "requirements-build.lock"
LOCKS = (BUILD_LOCK, "requirements.lock")
STAMP = "abq-environment"
MARKER = "abq-installing"
ASKED_PYTHON = "ABQ_ASKED_PYTHON"  # set when one Python hands over to another one, so that the stamp can name both


def this_python() -> str:
    """Return what identifies the running Python; the same inside and outside of its virtual environments."""
    return f"{sys.implementation.cache_tag} {os.path.realpath(sys.base_prefix)}"


def read_stamp(folder: str) -> dict[str, str]:
    """Return what the last complete installation noted in ``.venv``; empty if there was none."""
    try:
        with open(os.path.join(folder, STAMP), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def last_change(path: str) -> str:
    """Return size and modification time of a file as one text; empty if it is missing."""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def is_usable(folder: str, stamp: dict[str, str], tk: bool) -> bool:
    """Return whether the environment is complete, was made in this folder by or for the running Python, and has Tk if
    `tk`."""
    return (
        (stamp.get("tk") == "yes" or not tk)
        and this_python() in (stamp.get("python"), stamp.get("asked"))
        and stamp.get("folder") == os.path.realpath(folder)
        and not os.path.exists(os.path.join(folder, MARKER))
        and os.access(python_in(folder), os.X_OK)
    )


def is_inside(checkout: str) -> bool:
    """Return whether this process runs in the checkout's ``.venv``."""
    folder = os.path.join(checkout, ".venv")
    return sys.prefix != sys.base_prefix and os.path.realpath(sys.prefix) == os.path.realpath(folder)


def fitting_python(checkout: str, tk: bool) -> str:
    """Return the path of the Python in ``.venv`` if that is usable and no lock file changed since; empty otherwise."""
    folder = os.path.join(checkout, ".venv")
    stamp = read_stamp(folder)
    untouched = all(stamp.get(change_key(name)) == last_change(os.path.join(checkout, name)) != "" for name in LOCKS)
    return python_in(folder) if untouched and is_usable(folder, stamp, tk) else ""


def change_key(lock: str) -> str:
    """Return the name under which the stamp keeps the last change of a lock file."""
    return f"{lock} changed"


def python_in(folder: str) -> str:
    """Return the path of the Python in an environment."""
    return os.path.join(folder, "Scripts", "python.exe") if os.name == "nt" else os.path.join(folder, "bin", "python")
