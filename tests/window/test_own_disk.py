"""A full disk under the outbox, in the window: told in words, nothing sent, and sent when there is room again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry import folders
from abq_data_entry.models import SQLModel
from tests.commands.test_own_disk import full
from tests.fixtures.disks import small_disk
from tests.fixtures.servers import BundledServer
from tests.fixtures.window import Window
from tests.models.records import record
from tests.window.test_tools import FTP_TITLE, TODAY, ftp_settings, log_in, point_to


@pytest.fixture
def disk(home: Path) -> Iterator[Path]:
    folder = folders.data_folder(create=True) / "outbox"
    folder.mkdir()
    with small_disk(folder, "256k"):
        yield folder


def test_a_full_disk_is_reported_and_nothing_is_sent(
    disk: Path, window: Window, stored: SQLModel, ftp_server: BundledServer
) -> None:
    stored.save_record(record(Date=TODAY))
    point_to(window, **ftp_settings(ftp_server), abq_upload_name="{lab} {date}.csv")
    window.app.upload_to_corporate_ftp()
    with full(disk):
        log_in(window, FTP_TITLE, "test", "test")
        window.until(lambda: window.dialogs and "disk of this computer is full" in window.dialogs[-1].detail, "it")
        window.answer("Close")
        assert not list(ftp_server.folder.iterdir())
    window.app.upload_to_corporate_ftp()
    log_in(window, FTP_TITLE, "test", "test")
    window.until(lambda: "successfully uploaded to FTP" in window.app.status.get(), "the delivery")
    assert [path.name for path in ftp_server.folder.iterdir()] == [f"A {TODAY}.csv"]


@pytest.mark.parametrize(("name", "value"), [("abq_upload_name", "../{date}"), ("abq_ftp_folder", "..")])
def test_a_name_or_folder_that_makes_no_sense_is_named(
    window: Window, stored: SQLModel, ftp_server: BundledServer, name: str, value: str
) -> None:
    stored.save_record(record(Date=TODAY))
    point_to(window, **ftp_settings(ftp_server), **{name: value})
    window.app.upload_to_corporate_ftp()
    log_in(window, FTP_TITLE, "test", "test")
    window.until(lambda: window.dialogs and name in window.dialogs[-1].detail, "the refusal")
    window.answer("Close")
    assert not list(ftp_server.folder.iterdir())
