"""A folder that files go into: is it there, is there room, and, only if wanted, can a file be stored."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .folder_store import FolderFailed, SharedFolder
from .probing import TEST_CONTENT, Context, Inspection, Result, Steps, new_test_name, usable

_LITTLE = 100 * 1024 * 1024  # bytes
_OWN_DISK = (
    "It lies on this computer's own disk. If a share belongs there, set abq_folder_mount: nothing is sent then while "
    "it isn't mounted."
)


def probe(kind: str, problem: str, context: Context) -> Steps[None]:
    """Check the folder. `problem`: why a setting can't be used."""
    path, mount = str(context.settings["abq_folder_path"]), str(context.settings["abq_folder_mount"])
    inspection = Inspection(f"Shared folder {path}".strip(), context, kind)
    yield from usable(inspection, problem)
    share = SharedFolder(path, mount, inspection.guard)
    yield from inspection.step("Folder", lambda: _enter(share, mount))
    yield from inspection.step("Room", lambda: _room(share))
    if context.wanted.write:
        yield from inspection.step("Write test", lambda: _store(share))


def _enter(share: SharedFolder, mount: str) -> Result[None]:
    found = share.enter()
    is_own = not mount and os.name == "posix" and found.st_dev == Path("/").stat().st_dev
    return Result(None, "it is there" + (f", mounted at {mount}" if mount else ""), _OWN_DISK if is_own else "")


def _room(share: SharedFolder) -> Result[None]:
    free = share.call(lambda: shutil.disk_usage(share.path)).free
    megabytes = f"{free / 1024 / 1024:,.0f} MiB free"
    return Result(None, megabytes, "Little room is left there: tell its administrator." if free < _LITTLE else "")


def _store(share: SharedFolder) -> Result[None]:
    name = new_test_name()
    try:
        share.put(name, [TEST_CONTENT])
    finally:
        try:
            share.remove(name)
        except FolderFailed:
            left = True
        else:
            left = False
    advice = "It stays there: you may not remove files, and an older extract can't be replaced." if left else ""
    return Result(None, f"{name} was stored{'' if left else ' and removed again'}", advice)
