"""One entry of the journal: what stands on disk of it, and which texts are none."""

from __future__ import annotations

import datetime
import platform
from typing import Any

import pytest

from abq_data_entry import fields
from abq_data_entry.journal import UNDECIDED, WAITING, new_entry
from abq_data_entry.journal.file import as_texts, from_content, from_texts, has_key, to_content
from tests.models.records import DATE, record

ENTRY = new_entry(
    "db1:5432/abq", record(), "update", author="J Simms", base=record(Fruit="2"), version=3, reason="Typed wrong.",
    whole_check=True, cause="No answer.", identifier="ab" * 16,
)  # fmt: skip


def content(**changes: object) -> dict[str, Any]:
    return {**to_content(ENTRY), **{name.replace("_", " "): value for name, value in changes.items()}}


def test_it_says_which_record_by_whom_and_over_what() -> None:
    assert (ENTRY.identifier, ENTRY.database) == ("ab" * 16, "db1:5432/abq")
    assert (ENTRY.write, ENTRY.author) == ("update", "J Simms")
    assert (ENTRY.version, ENTRY.reason, ENTRY.whole_check, ENTRY.cause) == (3, "Typed wrong.", True, "No answer.")
    assert (ENTRY.workstation, ENTRY.state, ENTRY.remark, ENTRY.unknown) == (platform.node(), WAITING, "", {})
    assert ENTRY.key == (DATE, "8:00", "A", 3) and ENTRY.title == f"{DATE} 8:00, lab A, plot 3"
    assert ENTRY.base == fields.parse_record(record(Fruit="2")) and ENTRY.moment.tzinfo is datetime.timezone.utc
    assert from_content(content()) == ENTRY


def test_a_new_one_has_a_number_of_its_own() -> None:
    one, other = (new_entry("abq", record(), "insert") for _ in range(2))
    assert one.identifier != other.identifier and len(one.identifier) == 32
    assert (one.base, one.version, one.whole_check) == (None, None, False)
    assert one.author == one.reason == one.cause == ""
    assert from_content(to_content(one)) == one
    base = fields.parse_record(record())
    assert new_entry("abq", record(), "update", base=base).base is base
    with pytest.raises(fields.FieldErrors):
        new_entry("abq", record(Fruit="x"), "insert")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("moment", "2026-11-20T09:00:00", "moment with its zone"), ("moment", "yesterday", "yesterday"),
        *((name, 7, "a text") for name in ("database", "author", "workstation", "reason", "cause")),
        ("write", "delete", "neither an"), ("id", "ab" * 15, "no identifier"), ("id", "AB" * 16, "no identifier"),
        ("id", "ab" * 17, "no identifier"), ("version", "3", "a number"), ("version", True, "a number"),
        ("record", record(Date=""), "no date, time"), ("record", record(Plot="x"), "no date, time"),
        ("record", record(Lab=""), "no date, time"), ("record", record(Time=""), "no date, time"),
        ("record", record(Fruit=3), "not the fields"), ("base", {7: "x"}, "not the fields"),
    ],
)  # fmt: skip
def test_what_is_no_entry(name: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_content(content(**{name: value}))


@pytest.mark.parametrize("name", [*to_content(ENTRY)])
def test_each_part_must_be_there(name: str) -> None:
    with pytest.raises(KeyError):
        from_content({key: value for key, value in content().items() if key != name})


def test_what_a_newer_version_wrote_waits_for_that_version() -> None:
    newer = {**content()["record"], "Weight": "3", "Colour": "red"}
    found = from_content(content(record=newer))
    assert found.state == UNDECIDED and found.unknown == {"Weight": "3", "Colour": "red"}
    assert found.remark.startswith("Colour, Weight: this version of ABQ Data Entry doesn't know that.")
    assert to_content(found)["record"] == newer


def test_only_yes_is_yes() -> None:
    for said in (True, False, "yes", 1):
        assert from_content(content(whole_check=said)).whole_check is (said is True)
    assert from_content(content(version=None, base=None)).base is None


def test_a_value_beyond_the_limits_stays_a_text() -> None:
    texts = {**as_texts(ENTRY.record), "Humidity": "99", "Notes": "", "Equipment Fault": ""}
    found = from_texts(texts)
    assert not isinstance(found, fields.Record) and isinstance(from_texts(as_texts(ENTRY.record)), fields.Record)
    assert (found["Humidity"], found["Notes"], found["Equipment Fault"], found["Fruit"]) == ("99", None, False, 3)
    assert has_key(found) and not has_key({**found, "Date": str(DATE)}) and not has_key({**found, "Plot": "3"})
    incomplete = from_texts({"Fruit": "3"})
    assert incomplete["Fruit"] == 3 and incomplete["Plants"] is None and not has_key(incomplete)
