"""The model's methods where a key can be none, an answer is lost, or nothing is said of who saves."""

from __future__ import annotations

import datetime
import platform
import sys
from contextlib import closing
from typing import Any

import pytest

from abq_data_entry.models import CheckProgress, RecordInvalid, Selection, SQLModel, VersionedRecord
from tests.models.records import DATE, record, typed
from tests.models.wire import Proxy, When, proxied

Endpoint = dict[str, str]
KEY = (DATE, "8:00", "A", 3)
unix_only = pytest.mark.skipif(sys.platform == "win32", reason="the proxy stands before a unix socket")


def test_what_can_be_no_key_has_nothing(model: SQLModel) -> None:
    model.save_record(record())
    wrong: list[tuple[Any, ...]] = [
        ("2026-02-30", "8:00", "A", 3), (DATE, "9:00", "A", 3), (DATE, "8:00", "A", 21), (DATE, "8:00", "A", 0),
        (None, "8:00", "A", 3), (DATE, "", "A", 3), (DATE, "8:00", "A", "x"), (DATE, "8:00", "", 3),
    ]  # fmt: skip
    for key in wrong:
        assert model.get_record(*key) == {} and model.get_versioned_record(*key) == VersionedRecord()
        assert model.get_departure(*key) == "" and model.get_history(*key) == []
        assert model.get_position(Selection(), *key) is None
    for date, time, lab in {each[:3] for each in wrong} - {KEY[:3]}:
        assert model.get_lab_check(date, time, lab) == {} and model.get_check(date, time, lab) == CheckProgress()
        assert model.get_previous_readings(date, time, lab) == {} and model.get_presence(date, time, lab) == []
        model.enter_check(date, time, lab, 3, "J Simms")
        with pytest.raises(RecordInvalid, match="Date, time and lab of the check are required"):
            model.set_check_technician(date, time, lab, "J Simms")
    assert model.get_current_seed_sample("A", 21) == model.get_current_seed_sample("", 3) == ""
    assert model.get_presence(*KEY[:3]) == []


def test_a_key_may_be_typed(model: SQLModel) -> None:
    model.save_record(record())
    model.save_record(record(Plot=4))
    saved = typed(record())
    for key in (KEY, ("20261120", "8", "A", "3"), ("2026-11-20", datetime.time(8), "A", 3)):
        assert model.get_record(*key) == saved and model.get_versioned_record(*key).version == 1
        assert model.get_position(Selection(descending=False), *key) == 0
        assert model.get_check(*key[:3]).recorded == {3: "J Simms", 4: "J Simms"}
        assert model.get_lab_check(*key[:3])["lab_tech"] == "J Simms"
    assert model.get_record(DATE, "12:00", "A", 3) == {} and model.get_lab_check(DATE, "12:00", "A") == {}
    assert sorted(model.get_previous_readings(DATE, "12:00", "A")) == [3, 4]


def test_who_saves_and_where_is_said_or_known(model: SQLModel) -> None:
    model.save_record(record())
    assert (model.last_write, model.saved_version) == ("insert", 1)
    model.save_record(record(Fruit="7"), author="P Taylor", workstation="bench-2", reason="counted again")
    assert (model.last_write, model.saved_version) == ("update", 2)
    model.save_record(record(Fruit="8"), workstation="")
    first, second, third = model.get_history(*KEY)
    assert (first.application_user, first.workstation, first.reason) == ("J Simms", platform.node(), "")
    assert (second.application_user, second.workstation, second.reason) == ("P Taylor", "bench-2", "counted again")
    assert (third.application_user, third.fields) == ("J Simms", {"Fruit": ("7", "8")})
    model.set_check_technician(*KEY[:3], "P Taylor", author="Q Murphy", reason="swapped")
    assert model.get_check(*KEY[:3]).technician == "P Taylor"
    entries = model.query("SELECT application_user, workstation, reason FROM audit WHERE table_name = 'lab_checks'"
                          " ORDER BY sequence DESC LIMIT 1")  # fmt: skip
    assert entries == [{"application_user": "Q Murphy", "workstation": platform.node(), "reason": "swapped"}]


def test_records_of_today_and_of_a_day(model: SQLModel) -> None:
    today = datetime.date.today()
    model.save_record(record(Date=today))
    model.save_record(record())
    assert [each["Date"] for each in model.get_all_records()] == [today]
    assert [each["Date"] for each in model.get_all_records(all_dates=True)] == [DATE, today]


def is_lost(proxy: Proxy) -> bool:
    return proxy.cut is None


@unix_only
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_that_was_lost_is_asked_for_again(database: Endpoint, when: When) -> None:
    with proxied(database) as (proxy, endpoint), closing(SQLModel.at(endpoint)) as model:
        model.save_record(record())
        proxy.cut = when
        model.set_check_technician(*KEY[:3], "P Taylor", expected_version=1)
        assert is_lost(proxy) and model.get_check(*KEY[:3]).technician == "P Taylor"
        row: dict[str, object] = {
            "id": "ab" * 16, "file_name": "a.csv", "version": 2, "date": DATE, "destination": "rest", "address": "x",
            "username": "u", "size": 1, "sha256": "f" * 64, "created": datetime.datetime.now(datetime.timezone.utc),
            "state": "waiting", "attempts": 0, "last_attempt": None, "delivered": None, "reason": None,
            "revision": 1, "audit_head": None,
        }  # fmt: skip
        proxy.cut = when
        model.record_deliveries([row])
        assert is_lost(proxy) and model.latest_delivery(DATE, "a.csv", "rest") == 2
        assert model.latest_delivery(DATE, "a.csv", "ftp") == 0
