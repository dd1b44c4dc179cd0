"""What a delivery says of itself, and which rows are deliveries: every part, to the last value that may be."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from typing import Any

import pytest

from abq_data_entry.outbox import Attempt, Delivery
from abq_data_entry.outbox.delivery import (
    BROKEN_OFF,
    CANCELLED,
    DELIVERED,
    FAILED,
    SENDING,
    UNKNOWN,
    WAITING,
    from_text,
    is_of_newer_version,
    is_usable_name,
    to_text,
)
from tests.outbox.conftest import DATE, NAME, REST, START

WHOLE = Attempt(START, 2.5, 10, "Delivered.")
LEFT = Delivery(
    "0123456789abcdef" * 2, NAME, DATE, "rest", REST.address, "lab-a", 10, "f" * 64, 1, START, START, START,
    attempts=(WHOLE,), audit_head="A 12 abc; B 7 def", sent_as=NAME,
)  # fmt: skip


def content(**changes: object) -> str:
    """The text of that delivery with other parts."""
    return json.dumps({**json.loads(to_text(LEFT)), **changes})


def test_its_short_forms() -> None:
    assert (LEFT.short_id, LEFT.file_key, LEFT.place) == ("01234567", f"rest/{NAME}", REST)
    assert LEFT.audit_chains == ["A 12 abc", "B 7 def"] and replace(LEFT, audit_head="").audit_chains == []
    assert (LEFT.failures, LEFT.revision, LEFT.state, LEFT.served) == (0, 1, WAITING, ())
    assert (Attempt(START).sent, Attempt(START).seconds, Attempt(START).outcome) == (0, None, "")


@pytest.mark.parametrize("state", [WAITING, SENDING, DELIVERED, FAILED, CANCELLED, UNKNOWN])
def test_what_its_state_means(state: str) -> None:
    delivery = replace(LEFT, state=state, reason="Because.", changed=START + datetime.timedelta(1))
    assert delivery.open is (state in (WAITING, SENDING))
    assert delivery.delivered == (delivery.changed if state == DELIVERED else None)
    assert delivery.next_step == ("Waits. Because." if state == WAITING else "Because.")


def test_the_next_step_is_in_local_time() -> None:
    planned = replace(LEFT, planned=START)
    assert planned.next_step == f"Next attempt {START.astimezone():%Y-%m-%d %H:%M}."
    assert LEFT.next_step == "Waits."


def test_an_attempt_without_an_outcome_was_broken_off() -> None:
    assert LEFT.attempts_ended == (WHOLE,) and replace(LEFT, attempts=()).attempts_ended == ()
    begun = replace(LEFT, attempts=(WHOLE, Attempt(START, None, 4)))
    assert begun.attempts_ended == (WHOLE, Attempt(START, None, 4, BROKEN_OFF))


@pytest.mark.parametrize(
    ("sent", "size", "outcome", "may"),
    [(10, 10, "", True), (11, 10, "", True), (9, 10, "", False), (10, 10, "Refused.", False), (1, 1, "", True),
     (0, 0, "", False)],
)  # fmt: skip
def test_what_was_sent_whole_may_have_arrived(sent: int, size: int, outcome: str, may: bool) -> None:
    assert replace(LEFT, size=size, attempts=(WHOLE, Attempt(START, None, sent, outcome))).may_have_arrived is may
    assert not replace(LEFT, attempts=()).may_have_arrived


def test_who_has_it_already_is_of_a_form_that_an_older_version_refuses() -> None:
    served = replace(LEFT, served=("a@example.org", "b@example.org"))
    assert to_text(LEFT).startswith(f'{{"id":"{LEFT.identifier}","format":4,') and '"served"' not in to_text(LEFT)
    assert '"format":5' in to_text(served) and from_text(to_text(served)) == served


LATEST = datetime.datetime(2199, 12, 31, tzinfo=datetime.timezone.utc)
TRY: dict[str, Any] = {"started": START.isoformat(), "seconds": 1.5, "sent": 10, "outcome": ""}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", 0), ("size", 2**63 - 1), ("version", 2**31 - 1), ("failures", 2**31 - 1), ("revision", 2**31 - 1),
        ("address", "x" * 10_000), ("audit_head", "~" * 8000), ("audit_head", ""), ("name", "x" * 200),
        ("created", LATEST.isoformat()), ("since", "1970-01-01T00:00:00+00:00"), ("planned", START.isoformat()),
        ("planned", None), ("attempts", []), ("attempts", [{**TRY, "seconds": None}]),
        ("attempts", [{**TRY, "seconds": 1}]), ("sent_as", "A 2026-11-20.csv"),
    ],
)  # fmt: skip
def test_the_last_value_that_may_be(name: str, value: object) -> None:
    found = from_text(content(**({name: value, "sent_as": value} if name == "name" else {name: value})))
    assert json.loads(to_text(found))[name] == value


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        *((name, value, "a number") for name in ("size", "version", "failures", "revision")
          for value in (-1, True, 1.0, "1", None)),
        ("size", 2**63, "out of range"), ("version", 2**31, "out of range"), ("failures", 2**31, "out of range"),
        ("revision", 2**31, "out of range"), ("version", 0, "no version"), ("kind", "pigeon", "unknown kind"),
        *((name, 7, "text is expected") for name in ("name", "kind", "address", "username", "sha256", "state",
                                                     "reason", "audit_head", "sent_as", "date", "created")),
        *((name, value, "couldn't store") for name in ("address", "username", "reason")
          for value in ("x" * 10_001, "a\0b", "a\ud800", "\udfff")),
        ("sha256", "f" * 63, "not a digest"), ("sha256", "F" * 64, "not a digest"), ("state", "gone", "unknown state"),
        ("name", ".x", "name that can't"), ("name", " x", "name that can't"), ("name", "x ", "name that can't"),
        ("name", "x" * 201, "name that can't"), ("name", "", "name that can't"), ("name", "a/b", "name that can't"),
        ("sent_as", "../x", "at the destination"), ("audit_head", "~" * 8001, "head of an audit"),
        ("audit_head", "Ä 1 x", "head of an audit"), ("audit_head", "a\nb", "head of an audit"),
        ("created", "2200-01-01T00:00:00+00:00", "without its zone"), ("changed", "1969-12-31T00:00:00+00:00", "zone"),
        ("since", "2026-11-21T08:00:00", "without its zone"), ("since", None, "text is expected"),
        ("planned", 7, "text is expected"), ("attempts", {}, "parts of a delivery"), ("attempts", [1], "an attempt"),
        ("attempts", [{**TRY, "more": 1}], "an attempt"), ("attempts", [{"started": TRY["started"]}], "an attempt"),
        ("attempts", [{**TRY, "seconds": "1"}], "a number"), ("attempts", [{**TRY, "seconds": True}], "a number"),
        ("attempts", [{**TRY, "sent": 1.0}], "a number"), ("attempts", [{**TRY, "sent": None}], "a number"),
        ("attempts", [{**TRY, "outcome": None}], "text is"), ("attempts", [{**TRY, "started": None}], "text is"),
        ("more", 1, "parts of a delivery"), ("id", "f" * 32, "a known format"), ("format", 6, "a known format"),
        ("format", 0, "a known format"), ("format", None, "a known format"), ("format", 3, "a known format"),
    ],
)  # fmt: skip
def test_the_first_value_that_may_not_be(name: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_text(content(**{name: value}))


@pytest.mark.parametrize("identifier", ["f" * 31, "f" * 33, "F" * 32, "g" * 32])
def test_an_identifier_is_32_digits(identifier: str) -> None:
    with pytest.raises(ValueError, match="not an identifier"):
        from_text(content(id=identifier, identifier=identifier))


@pytest.mark.parametrize(
    ("served", "words"),
    [("a", "list of texts"), ([1], "list of texts"), (["a\0"], "list of texts"), (None, "list of texts")],
)
def test_who_has_it_is_a_list_of_texts(served: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_text(content(format=5, served=served))


@pytest.mark.parametrize("text", ["[]", "null", "7", '"format"', "{}"])
def test_other_texts_are_no_delivery(text: str) -> None:
    with pytest.raises(ValueError, match="a known format"):
        from_text(text)
    assert not is_of_newer_version(text)


@pytest.mark.parametrize(
    ("text", "newer"),
    [
        ('{"format": 6}', True),
        ('{"format": 5, "kind": "rest"}', False),
        ('{"format": 5, "kind": "pigeon"}', True),
        ('{"format": 4, "kind": "pigeon"}', True),
        ('{"format": 3, "kind": "pigeon"}', False),
        ('{"format": 4, "kind": 7}', False),
        ('{"format": "6"}', False),
        ('{"kind": "pigeon"}', False),
        ("{", False),
        ("[" * 100_000, False),
    ],
    ids=str,
)
def test_a_newer_version_says_so(text: str, newer: bool) -> None:
    assert is_of_newer_version(text) is newer


@pytest.mark.parametrize(
    ("name", "usable"), [("a b-c.csv", True), (".a", False), ("a ", False), ("a/b", False), ("", False), ("a\n", False)]
)
def test_a_name_is_one_part_of_a_path(name: str, usable: bool) -> None:
    assert is_usable_name(name) is usable
