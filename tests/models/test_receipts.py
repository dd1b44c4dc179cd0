"""Answers to deliveries in the database: each mail once, and what a refusal changes."""

from __future__ import annotations

import uuid
from contextlib import closing

import pytest

from abq_data_entry.models import DatabaseError, SQLModel
from tests.models.test_deliveries import MOMENT, row
from tests.models.test_schema import Endpoint, run
from tests.models.wire import When, around_the_commit, losing_answers

MAILBOX = "imaps://mail.example.com:993/INBOX lab"


def said(delivery: object, verdict: str = "refused", digest: str = "a", words: str = "why") -> dict[str, object]:
    return {
        "delivery": str(delivery), "digest": digest * 64, "sender": "qa@example.com", "message_id": "<1@x>",
        "verdict": verdict, "words": words,
    }  # fmt: skip


def test_each_mail_counts_once(model: SQLModel, database: Endpoint) -> None:
    arrived = row(state="delivered", delivered=MOMENT, attempts=1, revision=3)
    waiting, cancelled = row(file_name="b"), row(file_name="c", state="cancelled")
    model.record_deliveries([arrived, waiting, cancelled])
    ids = [str(each["id"]) for each in (arrived, waiting, cancelled)]
    assert model.known_mails(MAILBOX, ["3.1", "3.2"]) == set()
    told = [said(each) for each in (*ids, uuid.uuid4().hex)]
    assert model.keep_answers(MAILBOX, "3.1", told) == 3, "of a delivery that there isn't nothing is kept"
    states = "SELECT state, delivered, reason, revision FROM deliveries ORDER BY file_name"
    untouched = [("waiting", None, None, 1), ("cancelled", None, None, 1)]
    assert run(database, states) == [("failed", None, "Refused by qa@example.com: why", 4), *untouched]
    assert model.known_mails(MAILBOX, ["3.1", "3.2"]) == {"3.1"} and not model.known_mails("other", ["3.1"])

    # It is sent again, and arrives; the same mail elsewhere changes nothing any more.
    model.record_deliveries([{**arrived, "attempts": 2, "revision": 6}])
    assert model.keep_answers("other", "1.1", told) == 0
    assert run(database, states)[0][0] == "delivered" and model.known_mails("other", ["1.1"]) == {"1.1"}
    assert model.keep_answers(MAILBOX, "3.2", [said(ids[0], "accepted", "b"), said(ids[0], "answer", "c")]) == 2
    assert [each.line for each in model.get_receipts(ids[:1])] == [
        "Refused by qa@example.com: why", "Accepted by qa@example.com: why", "Answer of qa@example.com: why",
    ]  # fmt: skip

    open_ones = {(each.delivery, each.verdict) for each in model.get_receipts(ids, unsettled=True)}
    assert open_ones == {(ids[0], "accepted"), *((each, "refused") for each in ids)}
    model.settle_receipts([each for each in model.get_receipts(ids[:2]) if each.digest != "b" * 64])
    assert [(each.delivery, each.verdict) for each in model.get_receipts(ids[:2], unsettled=True)] == [
        (ids[0], "accepted")
    ], "one that came meanwhile is still to be heard of"
    model.settle_receipts(model.get_receipts(ids[:2]))
    assert [each.delivery for each in model.get_receipts(ids, unsettled=True)] == ids[2:]
    assert model.get_receipts([]) == []


def test_a_mail_that_came_by_two_ways_counts_once(model: SQLModel, database: Endpoint) -> None:
    """What servers write above it differs. And who says what was read is written down."""
    first, second = row(state="delivered", delivered=MOMENT), row(state="delivered", delivered=MOMENT, version=2)
    model.record_deliveries([first, second])
    assert model.keep_answers(MAILBOX, "5.1", [said(first["id"])]) == 1
    for other in (said(first["id"], digest="b"), said(second["id"], digest="c")):
        assert model.keep_answers(MAILBOX, "5.2", [other]) == 0
    assert model.keep_answers(MAILBOX, "5.3", [said(second["id"], digest="d", words="again")]) == 1
    model.settle_receipts(model.get_receipts([str(second["id"])]))
    who = "SELECT login = session_user, settled_by = session_user FROM delivery_receipts ORDER BY digest"
    assert run(database, who) == [(True, None), (True, True)]
    assert run(database, "SELECT DISTINCT login = session_user FROM mailbox_messages") == [(True,)]


def test_a_refusal_of_the_last_revision_there_can_be(model: SQLModel, database: Endpoint) -> None:
    arrived = row(state="delivered", delivered=MOMENT, revision=2147483647)
    model.record_deliveries([arrived])
    assert model.keep_answers(MAILBOX, "6.1", [said(arrived["id"])]) == 1
    assert run(database, "SELECT state FROM deliveries") == [("failed",)]


def test_what_is_kept_is_bounded(model: SQLModel, database: Endpoint) -> None:
    arrived = row(state="delivered", delivered=MOMENT, attempts=1)
    model.record_deliveries([arrived])
    model.keep_answers("m" * 9000, "n" * 9000, [said(arrived["id"], words="w" * 9000)])
    assert run(database, "SELECT length(words) FROM delivery_receipts") == [(2000,)]
    assert run(database, "SELECT length(mailbox), length(message) FROM mailbox_messages") == [(500, 100)]
    with pytest.raises(DatabaseError):
        model.keep_answers(MAILBOX, "3.3", [said(arrived["id"], verdict="perhaps", digest="d")])
    assert not model.known_mails(MAILBOX, ["3.3"]), "all of it or nothing"
    run(database, "UPDATE mailbox_messages SET looked = looked - interval '401 days'")
    model.keep_answers(MAILBOX, "3.4", [])
    assert run(database, "SELECT message FROM mailbox_messages") == [("3.4",)]


@around_the_commit
def test_a_mail_is_kept_once_though_the_answer_was_lost(database: Endpoint, when: When) -> None:
    arrived = row(state="delivered", delivered=MOMENT)
    with losing_answers(database, when) as (model, lose):
        model.record_deliveries([arrived])
        lose()
        assert model.keep_answers(MAILBOX, "7.1", [said(arrived["id"])]) == int(when == "before")
        assert len(model.get_receipts([str(arrived["id"])])) == 1


def test_one_workstation_reads_a_mailbox_and_one_waits_at_it(model: SQLModel, database: Endpoint) -> None:
    with closing(SQLModel.at(database)) as other:
        with model.try_mailbox_lock() as reads, other.try_mailbox_watch() as waits:
            assert reads and waits, "one may be here and the other there"
            with other.try_mailbox_lock() as reads_too, model.try_mailbox_watch() as waits_too:
                assert not reads_too and not waits_too
        with other.try_mailbox_lock() as reads, model.try_mailbox_watch() as waits:
            assert reads and waits
