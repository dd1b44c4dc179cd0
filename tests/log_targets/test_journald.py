"""The journal of systemd: entries as its protocol has them, large ones in a file, and the real journal."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry.log_targets.event import Event, Origin
from abq_data_entry.log_targets.event_log import SOURCE, EventLog, report
from abq_data_entry.log_targets.journald import entry
from abq_data_entry.version import version

from .conftest import PATIENCE, kept, log_text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the journal is on Linux only")

LOG = logging.getLogger("abq_data_entry.outbox.sending")
PLACE = ("sending.py", 9, "f")
EVENT = Event("outbox.sending.failed", "it failed", 1.5, logging.ERROR, "lab-a", "ValueError", PLACE, 1)
ORIGIN = Origin("lab-pc", "9.9", 4711)


def understood(content: bytes) -> list[tuple[str, str]]:
    """Read an entry as the journal does."""
    fields = []
    while content:
        line, _, rest = content.partition(b"\n")
        if b"=" in line:
            name, _, value = line.partition(b"=")
        else:
            name, (size,) = line, struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + size], rest[8 + size :]
            assert rest[:1] == b"\n"
            rest = rest[1:]
        fields.append((name.decode(), value.decode()))
        content = rest
    return fields


def test_a_line_break_makes_no_field() -> None:
    forged = EVENT._replace(text="x\nPRIORITY=0\nMESSAGE=forged", user="a\nABQ_USER=b")
    fields = understood(entry(forged, ORIGIN))
    assert len(fields) == len(dict(fields))
    assert dict(fields) == {
        "MESSAGE": "x\nPRIORITY=0\nMESSAGE=forged",
        "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "abq-data-entry",
        "SYSLOG_PID": "4711",
        "CODE_FILE": "sending.py",
        "CODE_LINE": "9",
        "CODE_FUNC": "f",
        "ABQ_EVENT": "outbox.sending.failed",
        "ABQ_WORKSTATION": "lab-pc",
        "ABQ_USER": "a\nABQ_USER=b",
        "ABQ_VERSION": "9.9",
        "ABQ_EXCEPTION": "ValueError",
    }


def test_what_is_too_large_for_a_datagram_goes_in_a_file(sockets: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(sockets / "socket"))
        receiver.settimeout(PATIENCE)
        with kept(log_target="journald", log_server=str(sockets / "socket")):
            LOG.error("%s", "🌱" * 100_000)
            content, numbers, _, _ = socket.recv_fds(receiver, 1, 1)
            assert content == b""
            with os.fdopen(numbers[0], "rb") as file:
                file.seek(0)
                fields = dict(understood(file.read()))
    assert fields["MESSAGE"].strip("🌱") == "…" and len(fields["MESSAGE"]) > 60_000


class Library:
    """In place of advapi32.dll, which only Windows has."""

    def __init__(self) -> None:
        self.reported: list[tuple[object, ...]] = []
        self.taken = 1

    def RegisterEventSourceW(self, server: object, source: str) -> str:
        return source

    def ReportEventW(self, source: str, kind: int, category: int, number: int, *rest: object) -> int:
        self.reported.append((source, kind, number, rest[3][0]))  # type: ignore[index]
        return self.taken

    def DeregisterEventSource(self, source: str) -> None:
        self.reported.append((source,))


def test_the_event_log_gets_type_number_and_text() -> None:
    library = Library()
    target = EventLog(library)
    for level in (logging.INFO, logging.WARNING, logging.ERROR):
        target.send(EVENT._replace(level=level), ORIGIN)
    target.close()
    text = report(EVENT, ORIGIN)
    assert library.reported == [(SOURCE, 4, 1, text), (SOURCE, 2, 2, text), (SOURCE, 1, 3, text), (SOURCE,)]
    assert text.split("\r\n")[:3] == ["it failed", "", "event: outbox.sending.failed"]
    library.taken = 0
    with pytest.raises(OSError, match="Event Log"):
        target.send(EVENT, ORIGIN)


# -- the real one


@contextlib.contextmanager
def journal(folder: Path) -> Iterator[Path]:
    """A journal of the test's own, which sees `folder` as /run; yields its socket."""
    program = Path("/usr/lib/systemd/systemd-journald")
    if os.geteuid() != 0 or not program.is_file() or not all(map(shutil.which, ("unshare", "mount", "journalctl"))):
        pytest.skip("systemd-journald, journalctl and unshare aren't here, or aren't for this user")
    (folder / "log/journal").mkdir(parents=True)
    command = 'mount --make-rprivate / && mount --bind "$1" /run && exec "$2"'
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", command, "sh", folder, program],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        path = folder / "systemd/journal/socket"
        end = time.monotonic() + PATIENCE
        while not path.exists():
            if process.poll() is not None:
                pytest.skip(f"systemd-journald doesn't run here: {process.communicate()[1]}")
            assert time.monotonic() < end
            time.sleep(0.02)
        yield path
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def entries(folder: Path) -> list[dict[str, object]]:
    """What the journal has of us."""
    options = ("--output=json", "--all", "--identifier=abq-data-entry")
    done = subprocess.run(
        ["journalctl", "--directory", folder / "log/journal", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.needs("network")
def test_the_real_journal(sockets: Path) -> None:
    with journal(sockets) as path, kept(log_target="journald", log_server=str(path)):
        LOG.info("plot saved – ü\nMESSAGE=forged", extra={"login": "lab-a"})
        LOG.error("%s", "🌱" * 100_000)
        LOG.warning("the last one")
        end = time.monotonic() + PATIENCE
        while len(found := entries(sockets)) < 3:
            assert time.monotonic() < end, (found, log_text())
            time.sleep(0.05)
    first, large, last = found
    assert first["MESSAGE"] == "plot saved – ü\\nMESSAGE=forged" and first["PRIORITY"] == "6"
    assert first["ABQ_USER"] == "lab-a" and first["ABQ_VERSION"] == version() and first["CODE_FILE"] == __file__
    assert str(large["MESSAGE"]).strip("🌱") == "…" and last["MESSAGE"] == "the last one"
