"""An outbox in a folder of the test's, with a clock that the test moves and records that need no database."""

from __future__ import annotations

import datetime
import hashlib
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.outbox import Delivery, Outbox, Place, Progress, Send, Sender

DATE = datetime.date(2026, 11, 20)
NAME = f"abq_data_record_{DATE}.csv"
START = datetime.datetime(2026, 11, 21, 20, 15, tzinfo=datetime.timezone.utc)
REST = Place("rest", "http://127.0.0.1/upload")
FTP = Place("ftp", "127.0.0.1:2100")


def alone(sender: Sender) -> Send:
    """The same over a login of its own for each file."""

    def send(path: Path, *, name: str, progress: Progress, cancel: threading.Event) -> str:
        with sender:
            return sender(path, name=name, progress=progress, cancel=cancel)

    return send


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


def rewrite(box: Outbox, statement: str, *values: object) -> None:
    """Change rows of the outbox past it."""
    with closing(sqlite3.connect(box.folder.parent / "journal" / "waiting.sqlite")) as connection, connection:
        assert connection.execute(statement, values).rowcount


def content_of(box: Outbox, delivery: Delivery) -> dict[str, Any]:
    """What stands in the row of a delivery."""
    with closing(sqlite3.connect(box.folder.parent / "journal" / "waiting.sqlite")) as connection:
        row = connection.execute("SELECT content FROM deliveries WHERE id = ?", (delivery.identifier,)).fetchone()
    return dict(json.loads(row[0]))


def replace_content(box: Outbox, delivery: Delivery, text: str) -> None:
    """Let a row say something else, with the digest that belongs to it."""
    statement = "UPDATE deliveries SET content = CAST(? AS TEXT), digest = ? WHERE id = ?"
    data = text.encode("utf-8", "surrogateescape")
    rewrite(box, statement, data, hashlib.sha256(data).hexdigest(), delivery.identifier)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box(tmp_path: Path, clock: Clock) -> Outbox:
    """An empty outbox."""
    return Outbox(tmp_path / "outbox", clock)
