"""An outbox in a folder of the test's, with a clock that the test moves and records that need no database."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from abq_data_entry.outbox import Outbox, Place

DATE = datetime.date(2026, 11, 20)
NAME = f"abq_data_record_{DATE}.csv"
START = datetime.datetime(2026, 11, 21, 20, 15, tzinfo=datetime.timezone.utc)
REST = Place("rest", "http://127.0.0.1/upload")
FTP = Place("ftp", "127.0.0.1:2100")


class Clock:
    """The time, which stands until the test moves it."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime.datetime:
        return self.moment

    def forward(self, **parts: float) -> None:
        self.moment += datetime.timedelta(**parts)


class Extract:
    """In place of the database: an extract with this content, or none."""

    def __init__(self, content: bytes = b"Date,Time\r\n2026-11-20,8:00\r\n") -> None:
        self.content = content

    def export_records(self, path: Path, first_date: datetime.date) -> int:
        if self.content:
            path.write_bytes(self.content)
        return self.content.count(b"\r\n")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box(tmp_path: Path, clock: Clock) -> Outbox:
    """An empty outbox."""
    return Outbox(tmp_path / "outbox", clock)
