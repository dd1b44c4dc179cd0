"""A share whose server doesn't answer, as a frozen NFS server doesn't: a file system that nobody serves (FUSE)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_MNT_DETACH = 2


class FrozenShare:
    """Whatever touches `folder` waits until `disconnect`, after which the server has gone for good."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self._number = number

    def disconnect(self) -> None:
        """Let the waiting calls fail."""
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)


@contextlib.contextmanager
def frozen_share(folder: Path) -> Iterator[FrozenShare]:
    """Mount one at the folder; skips the test where this user may not."""
    if sys.platform != "linux" or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("no file system of one's own can be had here (FUSE)")
    system = ctypes.CDLL(None, use_errno=True)
    number = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={number},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()}"
    if system.mount(b"frozen", os.fsencode(folder), b"fuse", 0, options.encode()):
        os.close(number)
        pytest.skip("this user may not mount a file system of its own")
    share = FrozenShare(folder, number)
    try:
        yield share
    finally:
        share.disconnect()
        system.umount2(os.fsencode(folder), _MNT_DETACH)
