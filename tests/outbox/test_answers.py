"""What was answered and what becomes of it here: whatever else happens meanwhile, and whoever stands in the way."""

from __future__ import annotations

import threading
from contextlib import closing
from unittest.mock import patch

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.models import SQLModel
from abq_data_entry.models.settings import SettingsModel
from abq_data_entry.outbox import Delivery, Outbox, deliver, record
from abq_data_entry.workflows import receipts
from abq_data_entry.workflows.receipts import apply_answers, read_mailbox, watch_mailbox
from tests.models.test_receipts import said
from tests.models.test_schema import Endpoint, run
from tests.network.faults import Connection, serving
from tests.network.mailbox_server import PASSWORD
from tests.network.test_mailbox import Imap
from tests.outbox.conftest import DATE, REST, Extract
from tests.outbox.test_mail import MAIL
from tests.outbox.test_sending import arriving


def put(box: Outbox, model: SQLModel, state: str, served: tuple[str, ...] = ()) -> Delivery:
    """A delivery in this state, which the database knows."""
    delivery = box.add(Extract(b"x\r\n"), DATE, MAIL, "lab")
    if state == "delivered":
        deliver(box, delivery, arriving)
    else:
        box.write(box.read(delivery.identifier), state=state, served=served)
    record(box, model)
    return box.read(delivery.identifier)


def test_a_refusal_of_who_has_it_outlasts_the_wait_for_others(box: Outbox, model: SQLModel) -> None:
    waiting = put(box, model, "waiting", ("qa@example.com",))
    model.keep_answers("m", "1", [said(waiting.identifier, words="why " * 400)])
    assert apply_answers(box, model) == [] and box.read(waiting.identifier).state == "waiting"
    deliver(box, waiting, arriving)
    (reopened,) = apply_answers(box, model)
    assert reopened.state == "failed" and len(reopened.reason) < 1000
    assert reopened.reason.startswith("Send the day again when it is corrected. Refused by qa@example.com: why")
    assert model.get_receipts([waiting.identifier], unsettled=True) == []


@pytest.mark.parametrize("verdicts", [("refused", "accepted"), ("accepted", "refused")])
def test_a_refusal_stands_whatever_else_is_answered(
    box: Outbox, model: SQLModel, database: Endpoint, verdicts: tuple[str, str]
) -> None:
    unknown = put(box, model, "unknown")
    for number, verdict in enumerate(verdicts):
        model.keep_answers("m", f"{number}", [said(unknown.identifier, verdict, f"{number}")])
    assert [each.identifier for each in apply_answers(box, model)] == [unknown.identifier]
    assert box.read(unknown.identifier).state == "failed"
    assert run(database, "SELECT state FROM deliveries") == [("failed",)]
    assert model.get_receipts([unknown.identifier], unsettled=True) == [] == apply_answers(box, model)


def test_an_answer_that_comes_meanwhile_is_heard_next(box: Outbox, model: SQLModel) -> None:
    sent = put(box, model, "delivered")
    model.keep_answers("m", "1", [said(sent.identifier, "accepted", "a")])
    settle = model.settle_receipts

    def late(heard: list[object]) -> None:
        model.keep_answers("m", "2", [said(sent.identifier, "refused", "b")])
        settle(heard)  # type: ignore[arg-type]

    with patch.object(model, "settle_receipts", late):
        assert apply_answers(box, model) == []
    assert [each.state for each in apply_answers(box, model)] == ["failed"]


def test_one_that_another_process_has_is_heard_later(box: Outbox, model: SQLModel) -> None:
    sent = put(box, model, "delivered")
    model.keep_answers("m", "1", [said(sent.identifier, "refused", "a")])
    model.keep_answers("m", "2", [said(sent.identifier, "accepted", "b")])
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with box.locked(sent):
            held.set()
            done.wait(30)

    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(30)
    try:
        assert apply_answers(Outbox(box.folder), model) == []
    finally:
        done.set()
        other.join()
    assert len(model.get_receipts([sent.identifier], unsettled=True)) == 2
    assert [each.state for each in apply_answers(box, model)] == ["failed"]


def values(port: int) -> dict[str, object]:
    return {
        **SettingsModel("none.json").values(), "abq_answers_mailbox": f"imap://127.0.0.1:{port}",
        "abq_answers_encrypted": False, "abq_answers_from": "qa@example.com",
    }  # fmt: skip


@pytest.mark.needs("network")
def test_nobody_keeps_all_others_from_reading(
    box: Outbox, model: SQLModel, database: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither who holds the lock, nor who changes one of the deliveries and doesn't finish."""
    monkeypatch.setattr(receipts, "OTHERS_SECONDS", 0.1)
    first, second = box.add(Extract(b"1\r\n"), DATE, REST, ""), box.add(Extract(b"2\r\n"), DATE, MAIL, "")
    for each in (first, second):
        deliver(box, each, arriving)
    record(box, model)
    mails = {
        number: f"From: qa@example.com\r\nMessage-ID: <{number}@x>\r\n\r\nREFUSED\r\n{each.sha256} {each.name}".encode()
        for number, each in enumerate((first, second), 1)
    }
    dsn = make_dsn(**database)
    other = SQLModel.at(database)
    with serving(Imap(mails=mails)) as port, closing(other), other.try_mailbox_lock() as is_ours:
        assert is_ours
        with closing(psycopg2.connect(dsn)) as stays, stays.cursor() as cursor:
            cursor.execute("SELECT FROM deliveries WHERE id = %s FOR UPDATE", (first.identifier,))
            found = read_mailbox(model, values(port), ("lab", PASSWORD))
            assert (found.mails, found.answers) == (2, 1) and "yet" in found.unreadable[0]
        found = read_mailbox(model, values(port), ("lab", PASSWORD))
        assert (found.mails, found.answers, found.unreadable) == (1, 1, ())
    assert len(apply_answers(box, model)) == 2


@pytest.mark.needs("network")
def test_a_server_with_news_all_the_time_is_not_asked_all_the_time(
    model: SQLModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "PAUSE", 30.0)
    told, cancel = threading.Event(), threading.Event()

    def always(connection: Connection, tag: bytes) -> None:
        connection.send(b"+ idling\r\n* 1 RECENT\r\n")
        connection.until(b"DONE\r\n")
        connection.send(tag + b" OK\r\n")
        paused.set()

    paused = threading.Event()
    script = Imap({"IDLE": always})
    with serving(script) as port:
        watcher = threading.Thread(
            target=watch_mailbox, args=(model, values(port), ("lab", PASSWORD), told, cancel), daemon=True
        )
        watcher.start()
        assert paused.wait(30) and told.wait(30)
        watcher.join(0.5)
        cancel.set()
        watcher.join(30)
    assert not watcher.is_alive() and script.commands.count(b"IDLE") == 1
