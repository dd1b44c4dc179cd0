"""An outbox on a disk that is full or can only be read, and entries that can't be read: told, and cron notices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from abq_data_entry import folders
from abq_data_entry.models import SQLModel
from tests.commands.test_deliveries import Configure, Line, Service, make_due, only, outbox, service, upload
from tests.fixtures.disks import read_only, small_disk
from tests.models.records import DATE, record
from tests.models.test_destinations import ZONE, scheduled
from tests.outbox.conftest import FTP, Extract, replace_content

__all__ = ["service"]


@pytest.fixture
def disk(configure: Configure) -> Iterator[Path]:
    """The outbox on a disk of its own."""
    folder = folders.data_folder(create=True) / "outbox"
    folder.mkdir()
    with small_disk(folder, "256k"):
        yield folder


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Fill what is left of the disk."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass
        yield
    finally:
        filler.unlink()


def test_a_full_disk_takes_nothing_in(disk: Path, line: Line, service: Service) -> None:
    outbox()
    with full(disk):
        told = upload(line)
        assert told.code == 1 and "The disk of this computer is full" in told.errors and str(disk) in told.errors
    assert outbox().deliveries() == [] and service.received == []
    service.recover()
    assert upload(line).code == 0


def test_a_full_disk_keeps_what_waits_until_there_is_room(disk: Path, line: Line, service: Service) -> None:
    assert upload(line).code == 1
    make_due()
    waiting, logins = only(), service.logins
    service.recover()
    with full(disk):
        told = line("deliveries", "run", "--password-stdin", stdin="test")
        assert told.code == 1 and "The disk of this computer is full" in told.errors and waiting.short_id in told.errors
        assert (service.received, service.logins) == ([], logins), "what can't be written down isn't begun"
        assert waiting.short_id in line("deliveries").output
    assert line("deliveries", "run", "--password-stdin", stdin="test").code == 0
    assert only().state == "delivered" and len(service.received) == 1


def test_on_a_full_disk_every_due_delivery_is_reported(
    disk: Path, line: Line, stored: SQLModel, database: dict[str, str], tmp_path: Path
) -> None:
    (before,) = stored.query(f"SELECT (now() AT TIME ZONE '{ZONE}')::date - 2 AS day") or []
    day, share = before["day"], tmp_path / "share"
    stored.save_record(record(Date=day))
    assert line("destinations", "add", "archive", "folder", share).code == 0
    assert line("destinations", "add", "evening", "ftp", "127.0.0.1:9", "--every-day", "20:30").code == 0
    scheduled(database, f"{day} 00:00-07")
    assert line("upload", "archive", "--date", day).code == 1
    make_due()
    share.mkdir()
    with full(disk):
        told = line("deliveries", "run", "--unattended")
        assert told.code == 1 and "The disk of this computer is full" in told.errors
        assert f"The extract of {day} is due at evening" in told.errors
    assert list(share.iterdir()) == []


def test_a_read_only_outbox_is_reported_by_each_run(disk: Path, line: Line, service: Service) -> None:
    assert upload(line).code == 1
    make_due()
    service.recover()
    with read_only(disk):
        for words, stdin in ((("run", "--password-stdin"), "test"), (("run", "--unattended"), "")):
            told = line("deliveries", *words, stdin=stdin)
            assert told.code == 1 and "can only be read" in told.errors and str(disk) in told.errors, told
        told = upload(line)
        assert told.code == 1 and "can only be read" in told.errors
        listed = line("deliveries")
        assert listed.code == 0 and only().short_id in listed.output
    assert service.received == []
    assert line("deliveries", "run", "--password-stdin", stdin="test").code == 0 and len(service.received) == 1


def test_a_damaged_entry_that_cannot_be_moved_is_reported_each_time(disk: Path, line: Line, service: Service) -> None:
    upload(line)
    bad = outbox().add(Extract(), DATE, FTP, "test")
    replace_content(outbox(), bad, "{")
    with read_only(disk):
        for _ in range(2):
            listed = line("deliveries")
            assert f"The delivery {bad.short_id} in the outbox is damaged" in listed.errors and "rest" in listed.output
            assert line("deliveries", "run", "--unattended").code == 1
    assert len(outbox().deliveries()) == 1 and (disk / "damaged").exists()


@pytest.mark.parametrize("damage", ["{", '{"format": 99}'])
def test_one_bad_entry_does_not_keep_the_others_and_the_run_is_not_done(
    damage: str, line: Line, service: Service
) -> None:
    upload(line)
    make_due()
    service.recover()
    bad = outbox().add(Extract(), DATE, FTP, "test")
    replace_content(outbox(), bad, damage)
    told = line("deliveries", "run", "--password-stdin", stdin="test")
    assert told.code == 1 and bad.short_id in told.errors.splitlines()[-1]
    assert len(service.received) == 1 and {each.state for each in outbox().deliveries()} == {"delivered"}
    again = line("deliveries", "run")
    assert again.code == (0 if damage == "{" else 1), "what was put aside is told once"
