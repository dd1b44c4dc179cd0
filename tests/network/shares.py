"""A share whose server doesn't answer, as a frozen NFS server doesn't: a file system that nobody serves (FUSE)."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

_MNT_DETACH = 2


class FrozenShare:
    """Whatever touches `folder` waits until `disconnect`, after which the server has gone for good."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self.number = number  # of the device by which the system asks

    def disconnect(self) -> None:
        """Let the waiting calls fail."""
        number, self.number = self.number, -1
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


# The numbers and layouts of linux/fuse.h.
_LOOKUP, _GETATTR, _OPEN, _READ, _INIT, _OPENDIR = 1, 3, 14, 15, 26, 27
_WITHOUT_ANSWER = (2, 36, 42)  # FORGET, INTERRUPT, BATCH_FORGET
_REQUEST, _ANSWER, _LONGEST_REQUEST = struct.Struct("<IIQQIIII"), struct.Struct("<IiQ"), 1024 * 1024
_ROOT = 1
_LONGEST_FREEZE = 15.0  # seconds


@contextlib.contextmanager
def share_that_freezes(folder: Path, size: int) -> Iterator[threading.Event]:
    """Mount one in which every name is a file of that size; it freezes at the first read, and sets the event then.

    After a while it disconnects, because a process that waits for it can't be killed.
    """
    frozen = threading.Event()
    with frozen_share(folder) as share:
        at_the_latest = threading.Timer(_LONGEST_FREEZE, share.disconnect)
        at_the_latest.daemon = True
        at_the_latest.start()
        threading.Thread(target=_serve_until_a_read, args=(os.dup(share.number), size, frozen), daemon=True).start()
        yield frozen
        at_the_latest.cancel()


def _serve_until_a_read(number: int, size: int, frozen: threading.Event) -> None:
    with os.fdopen(number, "r+b", buffering=0) as device, contextlib.suppress(OSError):
        while request := device.read(_LONGEST_REQUEST):
            _length, operation, unique, node, *_others = _REQUEST.unpack_from(request)
            if operation == _READ:
                break
            if operation in _WITHOUT_ANSWER:
                continue
            is_root = node == _ROOT and operation != _LOOKUP
            mode = stat.S_IFDIR | 0o755 if is_root else stat.S_IFREG | 0o644
            status = struct.pack("<6Q10I", _ROOT if is_root else 2, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 512, 0)
            content = {
                _INIT: struct.pack("<4I2H2I2HI7I", 7, 31, 0, 0, 1, 1, 4096, 1, 0, 0, 0, *[0] * 7),
                _LOOKUP: struct.pack("<4Q2I", 2, 0, 0, 0, 0, 0) + status,
                _GETATTR: struct.pack("<Q2I", 0, 0, 0) + status,
                _OPEN: bytes(16),
                _OPENDIR: bytes(16),
            }.get(operation)
            error = -errno.ENOSYS if content is None else 0
            answer = content or b""
            device.write(_ANSWER.pack(_ANSWER.size + len(answer), error, unique) + answer)
    frozen.set()
