"""A folder that others see too: whole files only, nothing of others replaced, told by name what is wrong."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.network import Cancelled, FileChanged, describe_failure, folder_store
from abq_data_entry.network.destinations import destination
from abq_data_entry.network.failures import TimedOut
from abq_data_entry.network.folder_store import FolderFailed, FolderFiles, FolderUploads, SharedFolder, part_of
from abq_data_entry.network.guard import Guard
from abq_data_entry.network.remote_files_names import FILE, RemoteEntry
from abq_data_entry.outbox import is_transient
from tests.fixtures.disks import filled, read_only, small_disk
from tests.network.shares import frozen_share, share_that_freezes
from tests.pace import patience

NAME = "abq_data_record_2026-11-20.csv"
LARGE = 5 * 1024 * 1024 + 7  # more than is flushed at once


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(os.urandom(LARGE))
    return path


def send(folder: Path, path: Path, mount: str = "", timeout: float = 20.0, **options: Any) -> None:
    with FolderUploads(str(folder), mount, timeout=timeout) as uploads:
        uploads.upload(path, **options)


def refusal(folder: Path, path: Path, **options: Any) -> tuple[str, bool]:
    """What is said, and whether it may pass."""
    with pytest.raises((FolderFailed, TimedOut)) as caught:
        send(folder, path, **options)
    return describe_failure(caught.value), is_transient(caught.value)


def test_a_file_arrives_whole_and_replaces_the_version_before(share: Path, extract: Path) -> None:
    seen: list[tuple[int, int]] = []
    threads = set()

    def progress(sent: int, total: int) -> None:
        seen.append((sent, total))
        threads.add(threading.current_thread())
        assert [each.name for each in share.iterdir()] == [part_of(NAME, "abc")], "not under its name until it is whole"

    send(share, extract, identifier="abc", progress=progress)
    assert (share / NAME).read_bytes() == extract.read_bytes() and seen[-1] == (LARGE, LARGE)
    assert threads == {threading.current_thread()}
    extract.write_bytes(b"second version\n")
    send(share, extract, name="other.csv")
    send(share, extract)
    assert {each.name: each.read_bytes() for each in share.iterdir()} == {
        NAME: b"second version\n", "other.csv": b"second version\n",
    }  # fmt: skip


def test_what_a_killed_attempt_left_is_replaced_and_old_parts_go(share: Path, extract: Path) -> None:
    before = time.time() - 2 * 24 * 3600
    ours, orphan, live = share / part_of(NAME, "abc"), share / part_of("a.csv", "1"), share / part_of("b.csv", "2")
    foreign, folder = share / ".x.0123456789ab.part", share / part_of("c.csv", "3")
    for each in (ours, orphan, live, foreign):
        each.write_bytes(b"half")
    folder.mkdir()
    for each in (orphan, foreign, folder):
        os.utime(each, (before, before))
    send(share, extract, identifier="abc")
    assert {each.name for each in share.iterdir()} == {NAME, live.name, foreign.name, folder.name}


def test_a_cancelled_one_leaves_the_old_file_and_nothing_else(share: Path, extract: Path) -> None:
    (share / NAME).write_bytes(b"old")
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        send(share, extract, cancel=cancel, progress=lambda sent, total: cancel.set())
    with pytest.raises(FileChanged):
        send(share, extract, progress=lambda sent, total: os.utime(extract, (1, 1)))
    assert [each.read_bytes() for each in share.iterdir()] == [b"old"]


@pytest.mark.parametrize("kind", ["a folder", "a link", "no file"])
def test_only_a_file_of_that_name_is_replaced(share: Path, extract: Path, tmp_path: Path, kind: str) -> None:
    target, secret = share / NAME, tmp_path / "secret"
    secret.write_bytes(b"of somebody else")
    make = {"a folder": target.mkdir, "a link": lambda: target.symlink_to(secret), "no file": lambda: os.mkfifo(target)}
    make[kind]()
    said, transient = refusal(share, extract)
    assert f"{NAME} is {kind} in the shared folder" in said and not transient
    assert secret.read_bytes() == b"of somebody else" and [each.name for each in share.iterdir()] == [NAME]


def test_a_link_in_place_of_the_part_is_not_followed(share: Path, extract: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"of somebody else")
    (share / part_of(NAME, "abc")).symlink_to(secret)
    send(share, extract, identifier="abc")
    assert secret.read_bytes() == b"of somebody else" and not (share / NAME).is_symlink()


def test_a_name_that_the_share_takes_for_another_is_not_replaced(
    share: Path, extract: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in where the disk distinguishes capitals: there the lookup of a name finds the other spelling."""
    other = share / NAME.upper()
    other.write_bytes(b"of somebody else")
    if not (share / NAME).exists():
        monkeypatch.setattr(folder_store, "_status", lambda path: other.lstat())
    said, transient = refusal(share, extract)
    assert f"has a file {other.name}, and takes {NAME} for the same name" in said and not transient
    assert {each.name: each.read_bytes() for each in share.iterdir()} == {other.name: b"of somebody else"}


def test_a_share_that_is_not_there(share: Path, extract: Path, tmp_path: Path) -> None:
    said, transient = refusal(share / "gone", extract)
    assert f"The shared folder {share / 'gone'} isn't there" in said and transient and "\n" not in said
    said, transient = refusal(share, extract, mount=str(share))
    assert f"Nothing is mounted at {share}" in said and transient
    said, _ = refusal(extract, extract)
    assert "abq_folder_path" in said
    assert not list(share.iterdir())


def test_a_disk_that_is_full_or_can_only_be_read(share: Path, extract: Path) -> None:
    with small_disk(share, "1m"):
        (share / NAME).write_bytes(b"old")
        said, transient = refusal(share, extract, mount=str(share))
        assert f"The shared folder {share} is full" in said and transient
        assert [each.name for each in share.iterdir()] == [NAME], "what there was of it is removed"
        with read_only(share):
            said, transient = refusal(share, extract)
            assert "can only be read" in said and not transient
        assert (share / NAME).read_bytes() == b"old"
        filled(share / "rest")


def test_a_frozen_share_times_out_and_a_missing_one_is_reported(share: Path, extract: Path) -> None:
    with frozen_share(share) as frozen:
        begun = time.monotonic()
        said, transient = refusal(share, extract, timeout=0.3)
        assert f"The shared folder {share} didn't answer in time (0.3 s)" in said and transient
        cancel = threading.Event()
        threading.Timer(0.2, cancel.set).start()
        with pytest.raises(Cancelled):
            send(share, extract, cancel=cancel)
        assert time.monotonic() - begun < 15, "nothing waits for the server"
        frozen.disconnect()
        said, transient = refusal(share, extract)
        assert "isn't there (Transport endpoint is not connected)" in said and transient


def test_a_damaged_copy_is_noticed(share: Path, extract: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for a disk that keeps something else than what was written."""
    written = folder_store.write_all
    monkeypatch.setattr(folder_store, "write_all", lambda file, content: written(file, b"x" + content[1:]))
    said, transient = refusal(share, extract)
    assert "differs from what was sent" in said and transient and not list(share.iterdir())


def test_a_lost_answer_to_the_renaming_is_no_failure(
    share: Path, extract: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS asks again when the answer is lost, and is told then that there is no such file any more."""
    rename = Path.replace

    def twice(path: Path, target: Path) -> object:
        rename(path, target)
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", twice)
    send(share, extract)
    assert (share / NAME).read_bytes() == extract.read_bytes()


@pytest.mark.parametrize(
    ("number", "windows", "said", "transient"),
    [
        (errno.EACCES, None, "no right to write there", False),
        (errno.EACCES, 5, "another program has the old one open", True),
        (errno.EACCES, 32, "another program has the old file open", True),
        (errno.EINVAL, 53, "isn't there", True),
        (errno.ESTALE, None, "isn't there", True),
        (errno.EDQUOT, None, "your space there is used up", True),
        (errno.ENAMETOOLONG, None, "its name is too long there", False),
        (errno.EFBIG, None, "takes no file of this size", False),
        (errno.ENOLCK, None, "reported an error", False),
    ],
)
def test_errors_of_the_system_in_words(number: int, windows: int | None, said: str, transient: bool) -> None:
    error = OSError(number, "what the system says")
    error.winerror = windows  # type: ignore[attr-defined]
    with Guard(None, 5.0) as guard:
        failure = SharedFolder("/mnt/share", "", guard).failure(error)
    assert said in describe_failure(failure) and "/mnt/share" in describe_failure(failure)
    assert is_transient(failure) is transient


@pytest.mark.parametrize(
    ("path", "mount", "problem"),
    [
        ("", "", "The setting 'abq_folder_path' is empty"),
        ("share/in", "", "must be the whole path"),
        ("/mnt/share/../x", "", "must name folders, not .."),
        ("/mnt/share/a\nb", "", "line breaks"),
        ("/mnt/share", "/mnt/other", "must lie in the folder that 'abq_folder_mount' names"),
        ("/mnt/share/in", "/mnt/share", ""),
    ],
)
def test_what_the_settings_can_be(path: str, mount: str, problem: str) -> None:
    found = destination("folder").problem({"abq_folder_path": path, "abq_folder_mount": mount})
    assert problem in found if problem else not found


def test_cancel_leaves_a_share_that_freezes_while_a_file_is_fetched(share: Path, tmp_path: Path) -> None:
    """The close, too, asks the server, as it does with sshfs."""
    cancel, cancelled = threading.Event(), list[float]()
    files = FolderFiles(lambda folder: FolderUploads(folder, timeout=60.0), str(share), 60.0)
    with share_that_freezes(share, LARGE) as frozen:

        def stop() -> None:
            frozen.wait(20)
            cancelled.append(time.monotonic())
            cancel.set()

        threading.Thread(target=stop, daemon=True).start()
        with pytest.raises(Cancelled):
            files.get((), RemoteEntry(NAME, FILE, LARGE), tmp_path / "got.csv", cancel=cancel)
        assert time.monotonic() - cancelled[0] < patience(2)
    assert not (tmp_path / "got.csv").exists()
