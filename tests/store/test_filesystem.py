"""Whether a folder is on a disk of this computer, by what the systems say of their mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from abq_data_entry.store import database

LINUX = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /home rw,relatime - nfs4 server:/home rw,vers=4.2
31 30 0:27 / /home/ann/fast\040disk rw - xfs /dev/vdb rw
32 22 0:28 / /mnt rw - xfs /dev/vdc rw
33 32 0:29 / /mnt rw - fuse.sshfs ann@server: rw
"""
MACOS = """/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)
//ann@server/home on /Volumes/home (smbfs, nodev, nosuid, mounted by ann)
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/home/ann/.local/share", "nfs4"),
        ("/home/ann/fast disk/data", "xfs"),
        ("/homes", "ext4"),
        ("/mnt/data", "fuse.sshfs"),
    ],
)
def test_linux(folder: str, kind: str) -> None:
    assert database.kind_on_linux(Path(folder), LINUX) == kind
    assert database.kind_on_linux(Path(folder), "") == ""


@pytest.mark.parametrize(
    ("folder", "is_local"), [("/System/Volumes/Data/Users/ann", True), ("/Volumes/home/data", False), ("/", True)]
)
def test_macos(folder: str, is_local: bool) -> None:
    assert database.is_local_on_bsd(Path(folder), MACOS) is is_local
    assert not database.is_local_on_bsd(Path(folder), "")


def test_the_disk_of_this_test_is_one_of_this_computer(tmp_path: Path) -> None:
    assert database.is_local(tmp_path) and database.is_local(tmp_path / "that" / "isn't there")
