"""Extracts by mail: with a fault in every third none is lost, and none is sent again by itself once it may be there."""

from __future__ import annotations

import datetime
import hashlib
import itertools
import json
import threading
from collections import Counter

import pytest

from abq_data_entry.network.mail import Mailer, MailLogin, MailUploads
from abq_data_entry.network.mail_addresses import MailServer, Person
from abq_data_entry.outbox import (
    Outbox,
    OutboxError,
    Place,
    Sender,
    arrived,
    attempt_each,
    deliver,
    due,
    retry,
)
from abq_data_entry.outbox.delivery import to_text
from tests.network.mail_server import PASSWORD, USERNAME, mail_server
from tests.outbox.conftest import DATE, Clock, Extract

LAB, QA = Person("", "lab@example.com"), Person("", "qa@example.com")
MAIL = Place("email", "qa@example.com")
COUNT = 30


def sending(port: int, box: Outbox, *to: Person) -> Sender:
    mailer = Mailer(MailServer("127.0.0.1", port, "none"), MailLogin(USERNAME, PASSWORD), None, 10)
    served = lambda identifier: box.read(identifier).served  # noqa: E731 - as `sender` makes it
    return Sender(lambda: MailUploads(mailer, LAB, to or (QA,), 10), with_checksum=True, served=served)


@pytest.mark.needs("network")
def test_every_third_meets_a_fault(box: Outbox, clock: Clock) -> None:
    for number in range(COUNT):
        box.add(Extract(f"day {number}\r\n".encode() * 200), DATE + datetime.timedelta(days=number), MAIL, "lab")
    faults, turns = itertools.cycle(("451", "lost", "cut", "lost")), itertools.count(1)
    with mail_server() as (port, letters), sending(port, box) as send:
        letters.fault = lambda: next(faults) if next(turns) % 3 == 0 else ""
        for _round in range(40):
            attempt_each(box, due(box), lambda each: deliver(box, each, send)[1])
            clock.forward(minutes=10)
            if not due(box):
                break
        came = Counter(str(each["Message-ID"]) for each in letters.messages())
        assert set(came.values()) == {1} and len(came) == COUNT, "none is lost, and none came twice"
        states = Counter(each.state for each in box.deliveries())
        assert set(states) == {"delivered", "unknown"} and states["unknown"] >= 4
        # A person decides: this one came, that one is to go once more, with the same Message-ID.
        first, second, *_ = [each for each in box.deliveries() if each.state == "unknown"]
        assert "never sent again" in first.reason
        assert arrived(box, first).state == "delivered"
        letters.fault = lambda: ""
        assert deliver(box, second, send)[0].state == "unknown", "not by itself"
        assert deliver(box, retry(box, second), send)[0].state == "delivered"
        assert max(Counter(str(each["Message-ID"]) for each in letters.messages()).values()) == 2
        names = [each.get_filename() for each in letters.messages()[0].iter_attachments()]
        assert names[1] == f"{names[0]}.sha256"


@pytest.mark.needs("network")
def test_a_refusal_for_good_is_one(box: Outbox) -> None:
    delivery = box.add(Extract(), DATE, MAIL, "lab")
    with mail_server() as (port, letters), sending(port, box) as send:
        letters.fault = lambda: "554"
        found, error = deliver(box, delivery, send)
        assert found.state == "failed" and "554" in found.reason and error is not None
        letters.fault, letters.refused = lambda: "", {"qa@example.com": "450 later"}
        assert deliver(box, retry(box, found), send)[0].state == "waiting"
        with pytest.raises(OutboxError, match="only one in the state unknown"):
            arrived(box, found)


@pytest.mark.needs("network")
def test_one_receiver_doesnt_hold_it_back_from_the_others(box: Outbox, clock: Clock) -> None:
    """Each gets it once, with one Message-ID; only who was refused for now is asked again."""
    gone, late = Person("", "gone@example.com"), Person("", "late@example.com")
    place = Place("email", "qa@example.com, late@example.com, gone@example.com")
    first, second = (box.add(Extract(), DATE + datetime.timedelta(days=day), place, "lab") for day in (0, 1))
    with mail_server() as (port, letters), sending(port, box, QA, late, gone) as send:
        letters.refused = {late.address: "450 mailbox full", gone.address: "550 no such user"}
        left = attempt_each(box, due(box), lambda each: deliver(box, each, send)[1])
        assert left == []
        waiting = box.read(first.identifier)
        assert (waiting.state, waiting.served) == ("waiting", (QA.address,))
        assert "450 mailbox full" in waiting.reason and "550 no such user" in waiting.reason
        assert json.loads(to_text(waiting))["format"] == 5, "older versions would send it again"
        again = Outbox(box.folder, clock).read(first.identifier)
        assert again == waiting, "also after a new start"
        letters.fault = lambda: "lost"
        assert deliver(box, first, send)[0].state == "waiting", "nothing is sent that can be lost"
        letters.refused = {gone.address: "550 no such user"}
        lost, _error = deliver(box, second, send)
        assert (lost.state, lost.served) == ("unknown", (QA.address,)) and "certainly not arrived for" in lost.reason
        letters.fault = lambda: ""
        done, error = deliver(box, first, send)
        assert (done.state, done.served, error) == ("delivered", (), None)
        assert "550 no such user" in done.reason and json.loads(to_text(done))["format"] == 4
        letters.refused = dict.fromkeys((late.address, gone.address), "550 no such user")
        done, error = deliver(box, retry(box, lost), send)
        assert (done.state, error) == ("delivered", None) and "late@example.com (550" in done.reason
    came = [(to, str(each["Message-ID"])) for (to, _), each in zip(letters.kept, letters.messages(), strict=True)]
    assert [to for to, _ in came] == [[QA.address], [QA.address], [late.address], [late.address]]
    assert {number for _, number in came[:2]} == {number for _, number in came[2:]} and came[0][1] != came[1][1]
    assert all(len(each["To"].addresses) == 3 for each in letters.messages())


@pytest.mark.needs("network")
def test_a_wordy_server_leaves_the_delivery_readable(box: Outbox) -> None:
    """What many receivers are told, and what steers a terminal, must fit into what is kept."""
    to = [Person("", f"{number:03}.{'x' * 50}@example.com") for number in range(100)]
    delivery = box.add(Extract(), DATE, MAIL, "lab")
    with mail_server() as (port, letters), sending(port, box, *to) as send:
        letters.refused = {each.address: "550 \x1b[2J" + "no such user here. " * 20 for each in to}
        deliver(box, delivery, send)
    again = Outbox(box.folder, box.clock)
    found = again.read(delivery.identifier)
    assert found.state == "failed" and again.problems == [] and "\x1b" not in found.reason
    assert found.reason.startswith("127.0.0.1 refused every receiver: 000.")


@pytest.mark.parametrize("how", ["the process is gone", "Ctrl-C"])
def test_what_ends_after_all_was_sent_is_unknown(box: Outbox, how: str) -> None:
    delivery = box.add(Extract(), DATE, MAIL, "lab")
    other = Outbox(box.folder, box.clock)

    def send(path: object, *, name: str, progress: object, cancel: threading.Event) -> None:
        assert callable(progress)
        progress(delivery.size, delivery.size)
        if how == "Ctrl-C":
            raise KeyboardInterrupt
        kept.append(box.read(delivery.identifier))
        raise OSError  # what follows isn't looked at

    kept: list[object] = []
    if how == "Ctrl-C":
        with pytest.raises(KeyboardInterrupt):
            deliver(box, delivery, send)
        assert box.read(delivery.identifier).state == "unknown"
        return
    deliver(box, delivery, send)
    (running,) = kept
    box.write(running)  # type: ignore[arg-type]  # as the process left it
    other.tidy()
    found = other.read(delivery.identifier)
    assert found.state == "unknown" and "ended before the server's last answer" in found.reason
    assert hashlib.sha256(box.file_of(found).read_bytes()).hexdigest() == found.sha256, "the file is kept"
