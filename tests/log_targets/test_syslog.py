"""Syslog by each way: what arrives at real sockets is what RFC 5424 says, one event for each call, and no secrets."""

from __future__ import annotations

import logging
import os
import platform
import socket
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abq_data_entry import logfile
from abq_data_entry.log_targets.event import Event, Origin, event_of, shortened
from abq_data_entry.log_targets.syslog import LONGEST, message
from abq_data_entry.version import version
from tests.network.certificates import Authority
from tests.network.faults import serving

from .conftest import Frames, datagrams, kept, log_text, understood

LOG = logging.getLogger("abq_data_entry.outbox.sending")
ORIGIN = Origin("lab-pc 3", "9.9", 4711)


def record(text: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    traced = (type(error), error, error.__traceback__) if error is not None else None
    return LOG.makeRecord(LOG.name, logging.WARNING, __file__, 7, text, arguments, traced, func="_failed")


def event(text: str, *arguments: object, error: BaseException | None = None, user: str = "lab-a") -> Event:
    return event_of(record(text, *arguments, error=error), logfile.one_line, user, 1)


def test_an_event_has_its_structure() -> None:
    found = understood(message(event("attempt %d failed", 3, error=ValueError("24.09")), ORIGIN, 8192))
    assert found.priority == 8 * 1 + 4 and found.text == "attempt 3 failed" and found.id == "outbox.sending.failed"
    assert found.facts == {
        "event": "outbox.sending.failed",
        "workstation": "lab-pc 3",
        "user": "lab-a",
        "version": "9.9",
        "exception": "ValueError",
        "sequenceId": "1",
    }


@pytest.mark.parametrize(
    ("level", "severity"), [(logging.CRITICAL, 2), (logging.ERROR, 3), (logging.INFO, 6), (logging.DEBUG, 7)]
)
def test_levels_are_severities(level: int, severity: int) -> None:
    assert event("x")._replace(level=level).severity == severity


@given(text=st.text(), user=st.text(), size=st.sampled_from(sorted(set(LONGEST.values()))))
def test_no_text_forges_a_record_or_a_fact(text: str, user: str, size: int) -> None:
    made = message(event("%s", text + "\n<8>1 forged" * (len(text) % 3), user=user), ORIGIN, size)
    found = understood(made)  # which takes neither line breaks nor control characters
    assert "\n" not in found.text and len(made) <= size
    assert set(found.facts) <= {"event", "workstation", "user", "version", "sequenceId"}


@pytest.mark.parametrize("letter", ["x", "é", "€", "🌱"])
def test_a_huge_message_is_cut_between_letters(letter: str) -> None:
    for size in range(2040, 2049):
        made = message(event("%s", letter * 5_000_000), ORIGIN, size)
        assert size - 4 < len(made) <= size and understood(made).text.strip(letter) == "…"
    assert shortened("€€", 6) == "€€" and shortened("€€€", 8) == "€…"


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("password=hush", ()),
        ("it failed: %s", (ValueError("hush"),)),
        ("%(what)s", ({"what": ValueError("hush")},)),
        ('invalid input syntax for type numeric: "24,09hush"', ()),
        ("https://lab.example/upload?token=hush refused", ()),
        ("https://lab:hush@lab.example/", ()),
    ],
)
def test_what_others_say_brings_no_secret_and_no_reading(text: str, arguments: tuple[object, ...]) -> None:
    made = message(event(text, *arguments, error=RuntimeError("humidity hush")), ORIGIN, 8192)
    assert b"hush" not in made and b"humidity" not in made


@pytest.mark.parametrize("beginning", ['"', "?", "password ", "https://", '"1 "'])
def test_no_message_takes_long(beginning: str) -> None:
    for filling in ("1", " ", "\n", '"1'):
        start = time.process_time()
        event(beginning + filling * 1_000_000)
        assert time.process_time() - start < 5, filling


def test_words_of_ours_stay() -> None:
    text = "the record couldn't be sent after 3 attempts, it's at 'lab_checks' and \"plots\""
    assert understood(message(event(text), ORIGIN, 8192)).text == text


def test_a_mistake_in_the_words_is_no_reason_to_fail() -> None:
    assert event("%d of %d", "one").text == "%d of %d"


# -- by each way


def test_by_udp() -> None:
    with datagrams(socket.AF_INET, ("127.0.0.1", 0)) as (receiver, take):
        place = f"udp://127.0.0.1:{receiver.getsockname()[1]}"
        with kept(log_target="syslog", log_server=place):
            LOG.info("plot saved – ü\n<14>1 forged")
            LOG.warning("x" * 100_000)
            first, second = take(), take()
    assert understood(first).text == "plot saved – ü\\n<14>1 forged" and b"\xef\xbb\xbf" in first
    assert len(second) == LONGEST["udp"] and b"\xef\xbb\xbf" in second and understood(second).text.endswith("x…")
    facts = understood(first).facts
    assert facts["workstation"] == platform.node() and facts["version"] == version() and facts["user"]


def test_by_tcp(frames: Frames) -> None:
    with serving(frames.script()) as port, kept(log_target="syslog", log_server=f"tcp://127.0.0.1:{port}"):
        LOG.info("logged in", extra={"login": 'lab "a"]'})
        for number in range(300):
            LOG.info("%d %s", number, "ü" * (number * 20))
        LOG.debug("too fine")
        logging.getLogger("elsewhere").info("chatter")
        logging.getLogger("elsewhere").warning("careful")
        assert frames.next().facts["user"] == 'lab "a"]'
        texts = frames.until("careful")
    assert [text.split()[0] for text in texts] == [*map(str, range(300)), "careful"]
    assert "forged" not in log_text()


def test_by_tls(frames: Frames, trusted: Authority) -> None:
    with serving(frames.script(trusted.issue("localhost"))) as port:
        settings = {"log_server": f"tls://localhost:{port}", "log_ca_file": str(trusted.file)}
        with kept(log_target="syslog", **settings):
            for number in range(50):
                LOG.info("event %d", number)
            assert frames.until("event 49") == [f"event {number}" for number in range(50)]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no local sockets")
def test_by_the_local_socket(sockets: Path) -> None:
    place = str(sockets / "log")
    with datagrams(socket.AF_UNIX, place) as (_, take), kept(log_target="syslog", log_server=place):
        LOG.info("hello")
        assert understood(take()).text == "hello"


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no local sockets")
def test_by_a_local_stream(sockets: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(sockets / "log"))
        listener.listen()
        with kept(log_target="syslog", log_server=str(sockets / "log")):
            LOG.info("hello")
            LOG.info("again")
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as stream:
                content = b""
                while content.count(b"\0") < 2:
                    content += stream.read1()
    assert [understood(each).text for each in content.split(b"\0") if each] == ["hello", "again"]


def test_without_a_target_there_is_no_thread() -> None:
    with kept(log_target="", log_server="udp://127.0.0.1:514"):
        LOG.info("hello")
        assert "log-sender" not in [each.name for each in threading.enumerate()]
    assert f"[{os.getpid()}]" in log_text()
