"""Records withdrawn, brought back, moved, corrected together, taken back; what the audit and others see of it."""

from __future__ import annotations

import datetime
import sys
import uuid
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.models import (
    DatabaseError,
    PrivilegeMissing,
    RecordConflict,
    RecordExists,
    RecordInvalid,
    RecordMissing,
    SQLModel,
)
from abq_data_entry.models.undoing import By, Key, Place, place
from tests.models.records import DATE, faulty, record
from tests.models.wire import When, proxied

Endpoint = dict[str, str]
KEY: Key = (DATE, "8:00", "A", 3)
ELSEWHERE: Key = (DATE, "12:00", "A", 3)
OTHER_LAB: Key = (DATE, "8:00", "C", 7)
SIMMS = By("J Simms", "bench-1", person=True)
TAYLOR = By("P Taylor", "bench-2", person=True)


def keys(model: SQLModel) -> set[tuple[object, ...]]:
    rows = model.get_all_records(all_dates=True)
    return {tuple(row[name] for name in ("Date", "Time", "Lab", "Plot")) for row in rows}


def whole(model: SQLModel) -> bool:
    return model.verify_audit().breaks == ()


def age(endpoint: Endpoint, interval: str) -> None:
    """Make all of the audit older; its hashes don't fit then."""
    with closing(psycopg2.connect(make_dsn(**endpoint))) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE audit SET moment = moment - %s::interval", [interval])


class TestMovingOver:
    """Where another record has the place, what both give is saved there, and the one that was to come is withdrawn."""

    @pytest.fixture
    def both(self, model: SQLModel) -> dict[str, object]:
        model.save_record(record(Notes="of plot 7", Plot=7), author="J Simms")
        model.save_record(record(Notes="of plot 3"), author="P Taylor")
        return {**model.get_record(DATE, "8:00", "A", 7), "Plot": 3, "Notes": "of both"}

    def move(self, model: SQLModel, both: dict[str, object], **versions: int) -> None:
        model.move_record_over(
            (DATE, "8:00", "A", 7), both, "wrong plot", by=SIMMS,
            **{"expected_version": 1, "over_version": 1, **versions},
        )  # fmt: skip

    def test_both_in_one_transaction(self, model: SQLModel, both: dict[str, object]) -> None:
        self.move(model, both)
        assert keys(model) == {KEY}
        assert model.get_record(*KEY)["Notes"] == "of both"
        entries = model.query("SELECT operation, transaction, reason, application_user FROM audit"
                              " WHERE table_name = 'plot_checks' ORDER BY sequence DESC LIMIT 2") or []  # fmt: skip
        assert [each["operation"] for each in entries] == ["UPDATE", "DELETE"]
        assert len({each["transaction"] for each in entries}) == 1
        assert {(each["reason"], each["application_user"]) for each in entries} == {("wrong plot", "J Simms")}
        assert model.get_withdrawn()[0].record["Notes"] == "of plot 7" and whole(model)

    def test_a_connection_that_is_cut_between_leaves_both_as_they_were(
        self, model: SQLModel, database: Endpoint, both: dict[str, object]
    ) -> None:
        model.query("CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS"
                    " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END';"
                    " CREATE TRIGGER cut BEFORE UPDATE ON plot_checks FOR EACH ROW EXECUTE FUNCTION cut()")  # fmt: skip
        before = model.query("SELECT count(*) AS entries FROM audit")
        with pytest.raises(DatabaseError):
            self.move(model, both)
        assert keys(model) == {KEY, (DATE, "8:00", "A", 7)}
        assert model.get_record(*KEY)["Notes"] == "of plot 3"
        assert model.query("SELECT count(*) AS entries FROM audit") == before
        model.query("DROP TRIGGER cut ON plot_checks; DROP FUNCTION cut()")
        self.move(model, both)
        assert keys(model) == {KEY}

    @pytest.mark.parametrize("which", ["expected_version", "over_version"])
    def test_another_version_of_either_changes_nothing(
        self, model: SQLModel, both: dict[str, object], which: str
    ) -> None:
        with pytest.raises(RecordConflict) as caught:
            self.move(model, both, **{which: 2})
        assert caught.value.theirs.record["Notes"] == ("of plot 7" if which == "expected_version" else "of plot 3")
        assert keys(model) == {KEY, (DATE, "8:00", "A", 7)} and not model.get_withdrawn()

    def test_what_the_database_refuses_changes_nothing(self, model: SQLModel, both: dict[str, object]) -> None:
        with pytest.raises(RecordInvalid):
            self.move(model, {**both, "Plants": 21})
        assert keys(model) == {KEY, (DATE, "8:00", "A", 7)}
        with pytest.raises(RecordMissing):
            model.move_record_over((DATE, "20:00", "A", 7), both, "wrong", expected_version=1, over_version=1)


class TestWithdrawing:
    def test_the_row_goes_and_the_audit_keeps_it_with_the_reason(self, model: SQLModel) -> None:
        model.save_record(record(Notes="dry"), author="J Simms")
        before = model.get_record(*KEY)
        model.withdraw_record(KEY, "wrong plot", by=SIMMS)
        assert model.get_record(*KEY) == {} and model.get_lab_check(*KEY[:3]) == {}
        last = model.get_history(*KEY)[-1]
        assert (last.operation, last.reason) == ("DELETE", "wrong plot")
        assert (last.who, last.workstation) == ("J Simms", "bench-1")
        assert last.fields["Notes"] == ("dry", "")
        (found,) = model.get_withdrawn()
        assert found.record == before
        assert (found.who, found.reason) == ("J Simms", "wrong plot")
        assert whole(model)

    def test_the_plot_may_be_recorded_anew_and_is_another_version(self, model: SQLModel) -> None:
        """Who has the former one open doesn't write over the new one."""
        model.save_record(record())
        opened = model.get_versioned_record(*KEY).version
        model.withdraw_record(KEY, "wrong plot")
        model.save_record(record(Plants=4), "insert")
        with pytest.raises(RecordConflict):
            model.save_record(record(Plants=5), "update", expected_version=opened)
        assert [each.record["Plants"] for each in model.get_withdrawn()] == [9]
        assert whole(model)

    @pytest.mark.parametrize("reason", ["", "  \n\t"])
    def test_no_reason_no_change(self, model: SQLModel, reason: str) -> None:
        model.save_record(record())
        with pytest.raises(DatabaseError, match=r"A reason is required. Nothing was changed"):
            model.withdraw_record(KEY, reason)
        assert keys(model) == {KEY}

    def test_another_version_than_seen_stays(self, model: SQLModel) -> None:
        model.save_record(record())
        model.save_record(record(Plants=4), author="P Taylor")
        changed = "P Taylor changed the record of 2026-11-20 8:00, lab A, plot 3"
        with pytest.raises(RecordConflict, match=changed) as caught:
            model.withdraw_record(KEY, "wrong plot", expected_version=1)
        assert caught.value.theirs.record["Plants"] == 4
        with pytest.raises(RecordMissing, match="There is no record of 2026-11-20 12:00, lab A, plot 3") as missing:
            model.withdraw_record(ELSEWHERE, "wrong plot")
        assert tuple(missing.value.key.values()) == ELSEWHERE

    def test_other_plots_keep_their_check(self, model: SQLModel) -> None:
        model.save_record(record())
        model.save_record(record(Plot=4))
        model.withdraw_record(KEY, "wrong plot")
        assert model.get_check(*KEY[:3]).recorded == {4: "J Simms"}

    def test_what_the_owner_deletes_by_sql_is_listed_without_a_reason(self, model: SQLModel) -> None:
        model.save_record(record())
        model.query("DELETE FROM plot_checks")
        assert [each.reason for each in model.get_withdrawn()] == [""]


class TestBringingBack:
    def test_it_is_as_it_was(self, model: SQLModel) -> None:
        model.save_record(record(Plot=4))
        model.save_record(record(Technician="P Taylor", Notes="it's \"wet\"\n"))
        before = model.get_record(*KEY)
        model.withdraw_record(KEY, "wrong plot")
        model.bring_back_record(KEY, "it was right")
        assert model.get_record(*KEY) == before
        assert model.get_withdrawn() == []
        assert [each.reason for each in model.get_history(*KEY)] == ["", "wrong plot", "it was right"]
        assert {each.elsewhere for each in model.get_history(*KEY)} == {""}
        assert model.get_versioned_record(*KEY).version == 3 - 1
        assert whole(model)

    def test_with_the_check_that_went_along(self, model: SQLModel) -> None:
        model.save_record(faulty(Technician="J Simms"))
        model.save_record(faulty(Technician="P Taylor", Plot=4))
        for plot in (3, 4):
            model.withdraw_record((*KEY[:3], plot), "wrong lab")
        model.bring_back_record((*KEY[:3], 4), "right lab")
        assert model.get_check(*KEY[:3]).technician == "J Simms"

    def test_not_onto_a_record(self, model: SQLModel) -> None:
        model.save_record(record())
        model.withdraw_record(KEY, "wrong plot")
        model.save_record(record(Plants=4), author="P Taylor")
        with pytest.raises(RecordExists, match="There is a record of 2026-11-20 8:00, lab A, plot 3") as caught:
            model.bring_back_record(KEY, "it was right")
        assert caught.value.theirs is not None and caught.value.theirs.record["Plants"] == 4
        assert caught.value.key == dict(zip(("Date", "Time", "Lab", "Plot"), KEY, strict=True))
        assert len(model.get_withdrawn()) == 1

    def test_the_one_that_is_named_of_several(self, model: SQLModel) -> None:
        for plants in (1, 2, 3):
            model.save_record(record(Plants=plants))
            model.withdraw_record(KEY, f"number {plants}")
        newest_first = model.get_withdrawn()
        assert [each.record["Plants"] for each in newest_first] == [3, 2, 1]
        model.bring_back_record(KEY, "back", entry=newest_first[1].entry)
        assert model.get_record(*KEY)["Plants"] == 2
        assert [each.record["Plants"] for each in model.get_withdrawn()] == [3, 1]

    def test_nothing_was_withdrawn(self, model: SQLModel) -> None:
        with pytest.raises(RecordMissing, match="No record of 2026-11-20 8:00, lab A, plot 3 was withdrawn") as missing:
            model.bring_back_record(KEY, "back")
        assert tuple(missing.value.key.values()) == KEY


class TestMoving:
    @pytest.mark.parametrize(
        "to", [ELSEWHERE, OTHER_LAB, (DATE - datetime.timedelta(1), "8:00", "A", 3), (DATE, "8:00", "A", 20)]
    )
    def test_it_stands_there_whole_and_in_no_list_of_withdrawn(self, model: SQLModel, to: Key) -> None:
        model.save_record(record())
        before = model.get_record(*KEY)
        model.move_record(KEY, to, "wrong check")
        new_key = dict(zip(("Date", "Time", "Lab", "Plot"), to, strict=True))
        assert model.get_record(*to) == {**before, **new_key}
        assert keys(model) == {to}
        assert model.get_withdrawn() == []
        assert [each.reason for each in model.get_history(*KEY)] == ["", "wrong check"]
        assert [each.reason for each in model.get_history(*to)] == ["wrong check"]
        old_place, new_place = (f"{date} {time}, lab {lab}, plot {plot}" for date, time, lab, plot in (KEY, to))
        assert [each.elsewhere for each in model.get_history(*KEY)] == ["", new_place]
        assert [each.elsewhere for each in model.get_history(*to)] == [old_place]
        assert model.get_lab_check(*to[:3])["lab_tech"] == "J Simms"
        if to[:3] != KEY[:3]:
            assert model.get_lab_check(*KEY[:3]) == {}
        model.move_record(to, KEY, "it was right")
        assert model.get_record(*KEY) == before and model.get_withdrawn() == []
        assert whole(model)

    def test_not_onto_a_record(self, model: SQLModel) -> None:
        model.save_record(record())
        model.save_record(record(Time="12:00", Plants=1))
        with pytest.raises(RecordExists, match="There is a record of 2026-11-20 12:00") as caught:
            model.move_record(KEY, ELSEWHERE, "wrong time")
        assert caught.value.theirs is not None and caught.value.theirs.record["Plants"] == 1
        assert keys(model) == {KEY, ELSEWHERE}

    @pytest.mark.parametrize(
        ("to", "words"),
        [
            ((DATE, "8:00", "Z", 3), "Lab Z"), ((DATE, "9:00", "A", 3), "Time"), ((DATE, "8:00", "A", 21), "Plot"),
            ((DATE, "8:00", "", 3), "Lab"), (KEY, "stands there already"),
        ],
    )  # fmt: skip
    def test_not_to_what_is_no_place(self, model: SQLModel, to: Key, words: str) -> None:
        model.save_record(record())
        with pytest.raises(DatabaseError, match=words):
            model.move_record(KEY, to, "wrong")
        assert keys(model) == {KEY}

    def test_a_whole_check(self, model: SQLModel) -> None:
        model.save_record(record(Technician="J Simms"))
        model.save_record(record(Technician="P Taylor", Plot=4))
        assert model.move_check(KEY[:3], (DATE, "20:00", "B"), "wrong lab and time") == 2
        assert model.get_check(DATE, "20:00", "B").recorded == {3: "J Simms", 4: "P Taylor"}
        assert model.get_check(DATE, "20:00", "B").technician == "J Simms"
        assert model.get_lab_check(*KEY[:3]) == {}
        assert whole(model)

    def test_equal_records_of_a_check_find_their_own_plots_again(self, model: SQLModel) -> None:
        for plot in range(1, 21):
            model.save_record(record(Plot=plot))
        before = model.get_all_records(all_dates=True)
        model.move_check(KEY[:3], (DATE, "8:00", "B"), "wrong lab")
        moved = [place(row) for row in model.get_all_records(all_dates=True)]
        model.take_back_records(moved)
        assert model.get_all_records(all_dates=True) == before and model.get_withdrawn() == []

    def test_a_withdrawal_in_the_transaction_of_a_move_is_listed(self, model: SQLModel) -> None:
        for plot in (3, 4):
            model.save_record(record(Plot=plot))
        model.query(
            "SELECT withdraw_record('2026-11-20', '8:00', 'A', 3, 'wrong'),"
            " move_record('2026-11-20', '8:00', 'A', 4, '2026-11-20', '8:00', 'B', 4, 'wrong lab')"
        )
        assert [each.record["Plot"] for each in model.get_withdrawn()] == [3]

    def test_a_whole_check_or_nothing_of_it(self, model: SQLModel) -> None:
        for plot in (3, 4, 5):
            model.save_record(record(Plot=plot))
        model.save_record(record(Plot=4, Lab="B"))
        before = keys(model)
        with pytest.raises(RecordExists, match="lab B, plot 4"):
            model.move_check(KEY[:3], (DATE, "8:00", "B"), "wrong lab")
        with pytest.raises(RecordMissing, match="has no records"):
            model.move_check((DATE, "16:00", "E"), (DATE, "8:00", "C"), "wrong lab")
        assert keys(model) == before

    def test_who_was_right_about_the_version(self, model: SQLModel) -> None:
        """A record that comes to a place goes on from the versions that were there."""
        for _ in range(3):
            model.save_record(record(Time="12:00"))
            model.withdraw_record(ELSEWHERE, "again")
        model.save_record(record())
        model.move_record(KEY, ELSEWHERE, "wrong time", expected_version=1)
        assert model.get_versioned_record(*ELSEWHERE).version > 3


class TestTakingBack:
    def test_a_first_entry_is_withdrawn(self, model: SQLModel) -> None:
        model.save_record(record(), author="J Simms")
        assert model.take_back(KEY, 1, by=SIMMS) == "withdrawn"
        assert keys(model) == set() and model.get_history(*KEY)[-1].reason == "taken back"

    def test_a_correction_is_as_before(self, model: SQLModel) -> None:
        model.save_record(record(Notes="dry"))
        before = model.get_record(*KEY)
        model.save_record(faulty(Plants=2, Technician="P Taylor"), "update", expected_version=1, reason="misread")
        # One save made two versions: with the check's technician, and by itself.
        assert model.take_back(KEY, model.get_versioned_record(*KEY).version) == "restored"
        assert model.get_record(*KEY) == before
        assert model.get_lab_check(*KEY[:3])["lab_tech"] == "J Simms"
        assert model.get_history(*KEY)[-1].reason == "taken back"
        assert whole(model)

    def test_a_colleague_s_plot_keeps_its_technician(self, model: SQLModel) -> None:
        model.save_record(record(Technician="J Simms"))
        model.save_record(record(Technician="P Taylor"))
        model.save_record(record(Technician="P Taylor", Plot=4))
        model.take_back(KEY, None)
        assert model.get_check(*KEY[:3]).recorded == {3: "J Simms", 4: "P Taylor"}
        assert model.get_check(*KEY[:3]).technician == "P Taylor"

    def test_what_was_moved_stands_where_it_stood(self, model: SQLModel) -> None:
        model.save_record(record())
        model.move_record(KEY, OTHER_LAB, "wrong lab")
        assert model.take_back(OTHER_LAB, None) == "moved"
        assert keys(model) == {KEY}
        assert whole(model)

    def test_what_somebody_changed_since_stays(self, model: SQLModel) -> None:
        model.save_record(record())
        model.save_record(record(Plants=2), author="P Taylor")
        with pytest.raises(RecordConflict, match="P Taylor changed"):
            model.take_back(KEY, 1)
        assert model.get_record(*KEY)["Plants"] == 2


class TestCorrectingMany:
    def saved(self, model: SQLModel) -> list[Place]:
        for plot in (3, 4):
            model.save_record(record(Plot=plot))
        model.save_record(record(Plot=5, Lab="B"))
        return [place(row, 1) for row in model.get_all_records(all_dates=True)]

    def test_all_of_them_and_back(self, model: SQLModel) -> None:
        places = self.saved(model)
        before = model.get_all_records(all_dates=True)
        changes = {"Technician": "Q Murphy", "Seed sample": "AXM480", "Date": "2026-11-19"}
        became = model.correct_records(places, changes, "wrong badge and day")
        found = model.get_all_records(all_dates=True)
        wanted = {"Technician": "Q Murphy", "Seed sample": "AXM480", "Date": datetime.date(2026, 11, 19)}
        assert found == [{**row, **wanted} for row in before]
        assert model.get_check("2026-11-19", "8:00", "A").technician == "Q Murphy"
        assert [each.key for each in became] == [place(row).key for row in found]
        assert {each.reason for each in model.get_history("2026-11-19", "8:00", "B", 5)} == {"wrong badge and day"}
        model.take_back_records(became, reason="not wrong")
        assert model.get_all_records(all_dates=True) == before
        assert model.get_check(*KEY[:3]).technician == "J Simms"
        assert model.get_withdrawn() == [] and whole(model)

    def test_all_or_none(self, model: SQLModel) -> None:
        places = self.saved(model)
        model.save_record(record(Plot=4, Plants=1), author="P Taylor")
        before = model.get_all_records(all_dates=True)
        with pytest.raises(RecordConflict, match="P Taylor changed the record of 2026-11-20 8:00, lab A, plot 4"):
            model.correct_records(places, {"Technician": "Q Murphy"}, "wrong badge")
        model.save_record(record(Date="2026-11-19", Lab="B", Plot=5))
        with pytest.raises(RecordExists, match="2026-11-19 8:00, lab B, plot 5"):
            model.correct_records([Place(each.key) for each in places], {"Date": "2026-11-19"}, "wrong day")
        assert [row for row in model.get_all_records(all_dates=True) if row["Date"] == DATE] == before

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({}, "Technician, seed sample and date"), ({"Plants": 3}, "Technician, seed sample and date"),
            ({"Technician": "Nobody Known"}, "Nobody Known is not known"), ({"Seed sample": "AX"}, "Seed sample"),
            ({"Date": "2026-11-31"}, "November|Date"),
        ],
    )  # fmt: skip
    def test_only_what_can_be(self, model: SQLModel, changes: dict[str, object], words: str) -> None:
        places = self.saved(model)
        before = model.get_all_records(all_dates=True)
        with pytest.raises(DatabaseError, match=words):
            model.correct_records(places, changes, "wrong")
        assert model.get_all_records(all_dates=True) == before


class TestPersonsWithOneLogin:
    """The owner's login, as in the embedded database: the program asks for the rule, and names the person."""

    def test_who_entered_it_within_a_day(self, model: SQLModel, database: Endpoint) -> None:
        model.save_record(record(), author="J Simms")
        with pytest.raises(PrivilegeMissing, match=r"J Simms entered the record .* first.*Nothing was changed"):
            model.withdraw_record(KEY, "wrong", by=TAYLOR)
        model.move_record(KEY, OTHER_LAB, "wrong lab", by=SIMMS)
        with pytest.raises(PrivilegeMissing, match="J Simms entered"):
            model.withdraw_record(OTHER_LAB, "wrong", by=TAYLOR)
        age(database, "23 hours 50 minutes")
        model.move_record(OTHER_LAB, KEY, "right lab", by=SIMMS)
        age(database, "11 minutes")
        with pytest.raises(PrivilegeMissing, match="more than 24 hours ago"):
            model.move_record(KEY, OTHER_LAB, "wrong lab", by=SIMMS)
        model.withdraw_record(KEY, "by who may do all")

    def test_a_record_brought_back_is_not_new(self, model: SQLModel, database: Endpoint) -> None:
        model.save_record(record(), author="J Simms")
        age(database, "25 hours")
        model.withdraw_record(KEY, "wrong", by=By("Q Murphy"))
        model.bring_back_record(KEY, "right", by=By("Q Murphy"))
        for by, words in ((SIMMS, "24 hours"), (By("Q Murphy", person=True), "J Simms entered")):
            with pytest.raises(PrivilegeMissing, match=words):
                model.withdraw_record(KEY, "wrong", by=by)

    def test_what_was_there_before_the_audit_is_for_a_supervisor(self, model: SQLModel) -> None:
        hidden = "SET session_replication_role = replica; {} SET session_replication_role = origin"
        model.save_record(record())
        model.query(hidden.format("DELETE FROM audit;"))
        with pytest.raises(PrivilegeMissing, match="first is not known"):
            model.withdraw_record(KEY, "wrong", by=SIMMS)


class TestDeliveries:
    def delivery(self, model: SQLModel, date: datetime.date, **changes: object) -> str:
        number = str(uuid.uuid4())
        moment = datetime.datetime.now(datetime.timezone.utc)
        model.record_deliveries([{
            "id": number, "created": moment, "date": date, "file_name": "a.csv", "version": 1, "destination": "rest",
            "address": "x", "username": "u", "size": 1, "sha256": "0" * 64, "state": "delivered", "attempts": 1,
            "last_attempt": moment, "delivered": moment, "reason": None, "revision": 1,
            "audit_head": model.audit_heads(date), **changes,
        }])  # fmt: skip
        return number

    def outdated(self, model: SQLModel) -> set[str]:
        return {str(row["id"]) for row in model.query("SELECT id FROM deliveries WHERE outdated IS NOT NULL") or ()}

    def test_an_extract_of_a_day_that_was_changed_is_outdated(self, model: SQLModel) -> None:
        model.save_record(record())
        day_before = DATE - datetime.timedelta(1)
        first, second = self.delivery(model, DATE), self.delivery(model, day_before)
        assert self.outdated(model) == set()
        model.save_record(record())  # nothing new
        model.save_record(record(Date=DATE + datetime.timedelta(1)))
        assert self.outdated(model) == set()
        model.move_record(KEY, (day_before, *KEY[1:]), "wrong day")
        assert self.outdated(model) == {first, second}
        assert self.delivery(model, DATE) not in self.outdated(model)

    def test_a_delivery_that_is_recorded_late_too(self, model: SQLModel) -> None:
        model.save_record(record())
        head = model.audit_heads(DATE)
        model.withdraw_record(KEY, "wrong")
        late = self.delivery(model, DATE, audit_head=head)
        assert self.outdated(model) == {late}
        model.save_record(record(Lab="B"))
        assert self.delivery(model, DATE, audit_head=head, state="cancelled", delivered=None) in self.outdated(model)


@pytest.mark.skipif(sys.platform == "win32", reason="the proxy stands before a unix socket")
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_that_was_lost_is_found_out_and_nothing_is_done_twice(database: Endpoint, when: When) -> None:
    is_known = when == "before"  # then it was done once more, and that answer came
    with proxied(database) as (proxy, endpoint), closing(SQLModel.at(endpoint)) as model:

        def lose() -> None:
            assert proxy.cut is None
            proxy.cut = when

        for plot in (3, 4):
            model.save_record(record(Plot=plot))
        places = [place(row, 1) for row in model.get_all_records(all_dates=True)]
        lose()
        became = model.correct_records(places, {"Date": "2026-11-19"}, "wrong day")
        moved_to = [(datetime.date(2026, 11, 19), "8:00", "A", plot) for plot in (3, 4)]
        assert [tuple(each.key.values()) for each in became] == moved_to
        assert [each.version for each in became] == [model.get_versioned_record(*key).version for key in moved_to]
        lose()
        model.take_back_records(became, reason="not wrong")
        assert keys(model) == {KEY, (*KEY[:3], 4)}
        lose()
        assert model.move_check(KEY[:3], ELSEWHERE[:3], "wrong time") == 2
        lose()
        assert model.take_back(ELSEWHERE, None) == ("moved" if is_known else "")
        lose()
        model.withdraw_record(KEY, "typed twice")
        lose()
        model.bring_back_record(KEY, "after all")
        lose()
        model.move_record(KEY, OTHER_LAB, "wrong lab")
        assert keys(model) == {(*ELSEWHERE[:3], 4), OTHER_LAB}
        reasons = [each.reason for each in model.get_history(*OTHER_LAB)]
        assert reasons[-1] == "wrong lab" and reasons.count("wrong lab") == 1
        assert proxy.has_cut and proxy.cut is None and whole(model)


def test_records_are_looked_up_where_they_stand_now(model: SQLModel) -> None:
    model.save_record(record())
    model.save_record(record(Fruit="7"), write="update")
    (row,) = model.get_all_records(all_dates=True)
    gone = place({**row, "Plot": 5})
    ((found, where),) = model.look_up_records([place(row), gone])
    assert found["Fruit"] == 7 and where == place(row, 2)
    with pytest.raises(RecordInvalid) as refused:
        model.move_record(KEY, (DATE, "8:00", "Z", 3), "wrong lab")
    assert set(refused.value.errors) == {"Lab"}
