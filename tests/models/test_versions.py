"""Versions of records, the audit behind them, who is there, and what others are told; with several at one database."""

from __future__ import annotations

import getpass
import platform
import queue
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from decimal import Decimal

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.models import (
    CheckChanged,
    CheckProgress,
    Privileges,
    RecordConflict,
    RecordExists,
    RecordMissing,
    SQLModel,
    auditing,
)
from abq_data_entry.models.presence import PRESENCE, RECORDS, Notification
from tests.models.records import DATE, EVERY_PLOT, record

Endpoint = dict[str, str]
KEY = (DATE, "8:00", "A", 3)


@pytest.fixture
def other(database: Endpoint) -> Iterator[SQLModel]:
    """The same database, as somebody else at another computer sees it."""
    made = SQLModel.at({**database, "options": "-c synchronous_commit=off"})
    yield made
    made.close()


def execute(endpoint: Endpoint, statement: str) -> None:
    with closing(psycopg2.connect(make_dsn(**endpoint))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def breaks(endpoint: Endpoint) -> tuple[auditing.Break, ...]:
    """Where the audit is broken. The definitions aren't compared here, which would make the whole schema once more."""
    with closing(psycopg2.connect(make_dsn(**endpoint))) as connection, connection.cursor() as cursor:
        return auditing.verify(cursor).breaks


class TestVersions:
    def test_each_change_makes_a_new_one_whoever_writes(self, model: SQLModel, database: Endpoint) -> None:
        assert model.get_versioned_record(*KEY).version == 0
        model.save_record(record(), author="J Simms")
        first = model.get_versioned_record(*KEY)
        assert (first.version, first.check_version, first.changed_by) == (1, 1, "J Simms")
        assert first.record == model.get_record(*KEY)
        execute(database, "UPDATE plot_checks SET plants = 5, version = 1")
        second = model.get_versioned_record(*KEY)
        assert (second.version, second.record["Plants"]) == (2, 5)
        assert second.changed_at is not None and first.changed_at is not None
        assert second.changed_at > first.changed_at

    def test_a_save_that_changes_nothing_makes_none(self, model: SQLModel) -> None:
        for _ in range(2):
            model.save_record(record())
        assert model.get_versioned_record(*KEY).version == 1
        assert len(model.get_history(*KEY)) == 1

    def test_what_somebody_else_changed_is_not_overwritten(self, model: SQLModel, other: SQLModel) -> None:
        model.save_record(record())
        opened = model.get_versioned_record(*KEY)
        other.save_record(record(Plants=7), "update", expected_version=opened.version, author="P Taylor")
        with pytest.raises(RecordConflict, match="P Taylor changed the record") as caught:
            model.save_record(record(Plants=8), "update", expected_version=opened.version)
        assert caught.value.theirs.version == 2
        assert caught.value.theirs.record["Plants"] == 7
        assert caught.value.theirs.changed_by == "P Taylor"
        assert model.get_record(*KEY)["Plants"] == 7
        model.save_record(record(Plants=8), "update", expected_version=2)
        assert model.get_record(*KEY)["Plants"] == 8

    def test_another_technician_for_the_check_is_no_conflict_with_oneself(self, model: SQLModel) -> None:
        model.save_record(record(Technician="J Simms"))
        model.save_record(record(Technician="P Taylor", Plants=8), "update", expected_version=1)
        assert model.get_record(*KEY)["Technician"] == "P Taylor"
        assert len(model.get_history(*KEY)) == 2

    def test_a_new_record_of_somebody_else_comes_with_what_it_says(self, model: SQLModel, other: SQLModel) -> None:
        other.save_record(record(Plants=7), "insert", author="P Taylor")
        with pytest.raises(RecordExists) as caught:
            model.save_record(record(), "insert")
        assert caught.value.theirs is not None
        assert (caught.value.theirs.version, caught.value.theirs.record["Plants"]) == (1, 7)

    def test_a_record_that_was_deleted_is_missing(self, model: SQLModel, database: Endpoint) -> None:
        model.save_record(record())
        execute(database, "DELETE FROM plot_checks")
        with pytest.raises(RecordMissing):
            model.save_record(record(), "update", expected_version=1)

    def test_an_entry_of_a_journal_comes_once(self, model: SQLModel, database: Endpoint) -> None:
        entry = "0123456789abcdef0123456789abcdef"
        model.save_record(record(), "insert", entry=entry)
        execute(database, "UPDATE plot_checks SET plants = 1")
        model.save_record(record(), "insert", entry=entry)  # again, after a crash say
        assert model.get_record(*KEY)["Plants"] == 1
        assert model.query("SELECT count(*) AS n FROM journal_entries") == [{"n": 1}]

    def test_many_writers_at_once_lose_nothing(self, model: SQLModel, database: Endpoint) -> None:
        model.save_record(record(Blossoms=0))
        plots = (3, 4)

        def count_up(number: int) -> None:
            own = SQLModel.at({**database, "options": "-c synchronous_commit=off"})
            with closing(own):
                for step in range(10):
                    plot = plots[(number + step) % 2]
                    while True:
                        with suppress(RecordConflict, RecordExists):
                            there = own.get_versioned_record(DATE, "8:00", "A", plot)
                            blossoms = int(str(there.record.get("Blossoms", 0))) + 1
                            own.save_record(
                                record(Plot=plot, Blossoms=blossoms),
                                "update" if there.version else "insert",
                                expected_version=there.version or None,
                            )
                            break

        threads = [threading.Thread(target=count_up, args=[number]) for number in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        counted = [int(str(row["Blossoms"])) for row in model.get_all_records(all_dates=True)]
        assert sum(counted) == 80
        for plot in plots:
            steps = [change.fields["Blossoms"] for change in model.get_history(DATE, "8:00", "A", plot)]
            assert [after for _, after in steps] == [before for before, _ in steps[1:]] + [steps[-1][1]]
        assert breaks(database) == ()


class TestChecks:
    def test_a_check_somebody_else_took_over_stays_theirs(self, model: SQLModel, other: SQLModel) -> None:
        model.save_record(record())
        seen = model.get_check(*KEY[:3])
        assert (seen.technician, seen.version) == ("J Simms", 1)
        other.set_check_technician(*KEY[:3], "P Taylor", expected_version=seen.version)
        with pytest.raises(CheckChanged, match="P Taylor now does this check") as caught:
            model.set_check_technician(*KEY[:3], "Q Murphy", expected_version=seen.version)
        assert caught.value.technician == "P Taylor"
        now = model.get_check(*KEY[:3])
        assert (now.technician, now.version, now.recorded) == ("P Taylor", 2, {3: "P Taylor"})
        model.set_check_technician(*KEY[:3], "P Taylor", expected_version=seen.version)  # theirs already
        model.set_check_technician(*KEY[:3], "Q Murphy", expected_version=now.version)
        assert model.get_check(*KEY[:3]).technician == "Q Murphy"
        model.query("DELETE FROM plot_checks")
        model.query("DELETE FROM lab_checks")
        with pytest.raises(CheckChanged, match="Nobody now does this check, so it stays as it is") as caught:
            model.set_check_technician(*KEY[:3], "J Simms", expected_version=1)
        assert caught.value.technician == "" and model.get_check(*KEY[:3]) == CheckProgress()
        model.set_check_technician(*KEY[:3], "J Simms", expected_version=0)
        assert model.get_check(*KEY[:3]).technician == "J Simms"


class TestHistory:
    def test_the_history_has_who_changed_what_and_why(self, model: SQLModel) -> None:
        model.save_record(record(Technician="J Simms"), workstation="bench-1")
        model.save_record(
            record(Technician="P Taylor", Humidity=Decimal("25.00"), Notes="it's \"wet\"\n\\"),
            reason="misread ", author="P Taylor", workstation="bench-2",
        )
        first, second = model.get_history(*KEY)
        assert (first.operation, first.who, first.workstation, first.reason) == ("INSERT", "J Simms", "bench-1", "")
        assert first.fields["Humidity"] == ("", "24.09")
        assert (second.operation, second.who, second.reason) == ("UPDATE", "P Taylor", "misread ")
        assert second.fields == {
            "Technician": ("J Simms", "P Taylor"),
            "Humidity": ("24.09", "25.00"),
            "Notes": (first.fields.get("Notes", ("", ""))[1], "it's \"wet\"\n\\"),
        }

    def test_changes_by_sql_are_in_it_too(self, model: SQLModel, database: Endpoint) -> None:
        model.save_record(record())
        execute(database, "UPDATE plot_checks SET fruit = 4")
        execute(database, "DELETE FROM plot_checks")
        assert [each.operation for each in model.get_history(*KEY)] == ["INSERT", "UPDATE", "DELETE"]
        last = model.get_history(*KEY)[-1]
        assert (last.application_user, last.who) == ("", database["user"])
        assert last.fields["Fruit"] == ("4", "")

    def test_a_record_nobody_saved_has_none(self, model: SQLModel) -> None:
        assert model.get_history(*KEY) == []
        assert model.get_history("never", "8:00", "A", 1) == []


def tamper(statement: str, table: str = "audit") -> str:
    """A superuser who hides what he does."""
    return f"SET session_replication_role = replica; {statement}; SET session_replication_role = origin"


class TestAudit:
    @pytest.fixture
    def written(self, model: SQLModel) -> SQLModel:
        for plot in (1, 2, 3):
            model.save_record(record(Plot=plot))
            model.save_record(record(Plot=plot, Lab="B"))
        model.save_record(record(Plot=1, Plants=3), reason="slip")
        return model

    def test_it_is_whole_as_it_is(self, written: SQLModel) -> None:
        verdict = written.verify_audit()
        assert verdict.breaks == ()
        assert verdict.entries == len(written.query("SELECT FROM audit") or ())

    @pytest.mark.parametrize(
        ("statement", "reason"),
        [
            ("UPDATE audit SET new = jsonb_set(new, '{plants}', '4') WHERE lab_id = 'A' AND sequence = 3", "content"),
            ("UPDATE audit SET reason = 'other' WHERE lab_id = 'A' AND reason = 'slip'", "content"),
            ("UPDATE audit SET moment = moment - interval '1 second' WHERE lab_id = 'A' AND sequence = 4", "content"),
            ("DELETE FROM audit WHERE lab_id = 'A' AND sequence = 5", "entry 5 is missing"),
            ("DELETE FROM audit WHERE lab_id = 'A' AND sequence = (SELECT max(sequence) FROM audit WHERE lab_id = 'A')",
             "doesn't end where its head says"),
            ("UPDATE audit SET sequence = CASE sequence WHEN 4 THEN 1000 ELSE 4 END"
             " WHERE lab_id = 'A' AND sequence IN (4, 5); UPDATE audit SET sequence = 5 WHERE sequence = 1000",
             "doesn't follow|missing|content"),
            ("UPDATE audit_heads SET hash = repeat('0', 64) WHERE lab_id = 'A'", "doesn't end where its head says"),
            ("UPDATE plot_checks SET plants = 19, version = version WHERE lab_id = 'A' AND plot = 2",
             "isn't as this entry left it"),
            ("DELETE FROM plot_checks WHERE lab_id = 'A' AND plot = 2", "isn't as this entry left it"),
            ("INSERT INTO plot_checks SELECT date, time, lab_id, 19, seed_sample, humidity, light, temperature,"
             " equipment_fault, blossoms, plants, fruit, max_height, min_height, median_height, notes, lab_tech_id"
             " FROM plot_checks WHERE lab_id = 'A' AND plot = 2", 'the row .*"plot": 19.* of plot_checks has no entry'),
            ("DELETE FROM plots WHERE lab_id = 'A' AND plot = 7", "isn't as this entry left it"),
        ],
    )  # fmt: skip
    def test_the_first_break_is_named(
        self, written: SQLModel, database: Endpoint, statement: str, reason: str
    ) -> None:
        execute(database, tamper(statement))
        (found,) = breaks(database)
        assert found.lab == "A"
        assert re.search(reason, found.reason), found

    def test_a_function_that_was_changed_hides_nothing(self, written: SQLModel, database: Endpoint) -> None:
        execute(database, "CREATE OR REPLACE FUNCTION audit_content(entry audit) RETURNS text LANGUAGE sql"
                          " AS $$ SELECT '' $$")
        written.save_record(record(Plot=4))
        assert [each.lab for each in breaks(database)] == ["A"]

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit SET reason = ''", "DELETE FROM audit", "TRUNCATE audit",
            "UPDATE audit_heads SET sequence = 0", "DELETE FROM audit_heads", "TRUNCATE audit_heads",
            "INSERT INTO audit SELECT * FROM audit LIMIT 1", "INSERT INTO audit_heads VALUES ('Z', 1, '')",
            "TRUNCATE plot_checks", "TRUNCATE lab_checks CASCADE", "TRUNCATE local_weather",
        ],
    )  # fmt: skip
    def test_even_its_owner_is_stopped(self, written: SQLModel, database: Endpoint, statement: str) -> None:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            execute(database, statement)
        assert breaks(database) == ()

    def test_a_large_transaction_makes_one_chain(self, written: SQLModel, database: Endpoint) -> None:
        """Its head is written once, at the end; what was rolled back on the way is in neither."""
        insert = EVERY_PLOT + "WHERE date > %s ORDER BY plot, lab_id"
        with closing(psycopg2.connect(make_dsn(**database))) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT lab_id::text, sequence FROM audit_heads ORDER BY lab_id")
            before = dict(cursor.fetchall())
            cursor.execute(
                "INSERT INTO lab_checks SELECT %(day)s::date + day, '8:00', lab, 4291"
                " FROM generate_series(1, 10) AS day, unnest(ARRAY['A', 'B']) AS lab", {"day": DATE}
            )
            cursor.execute("SAVEPOINT first")
            cursor.execute(insert, [DATE])
            cursor.execute("ROLLBACK TO first")
            cursor.execute(insert, [DATE])
            cursor.execute("DELETE FROM plot_checks WHERE plot = 1 AND date > %s", [DATE])
            cursor.execute("SELECT lab_id::text, sequence FROM audit_heads ORDER BY lab_id")
            assert dict(cursor.fetchall()) == before
            connection.commit()
            cursor.execute("SELECT lab_id::text, sequence FROM audit_heads ORDER BY lab_id")
            after = dict(cursor.fetchall())
        assert {lab: after[lab] - before[lab] for lab in after if after[lab] != before[lab]} == {"A": 220, "B": 220}
        assert breaks(database) == ()
        written.save_record(record(Plot=17))
        assert breaks(database) == ()

    def test_a_head_that_is_asked_for_at_once_is_the_same(self, written: SQLModel, database: Endpoint) -> None:
        execute(
            database,
            "SET CONSTRAINTS ALL IMMEDIATE; UPDATE plot_checks SET plants = 3; UPDATE plot_checks SET plants = 4",
        )
        assert breaks(database) == ()

    def test_a_last_entry_that_was_deleted_is_missed_after_the_next_save_too(
        self, written: SQLModel, database: Endpoint
    ) -> None:
        execute(database, tamper(
            "DELETE FROM audit WHERE lab_id = 'A' AND sequence = (SELECT max(sequence) FROM audit WHERE lab_id = 'A')"))
        written.save_record(record(Plot=17))
        (found,) = breaks(database)
        assert re.search("the entry [0-9]+ is missing", found.reason), found

    def test_the_heads_are_one_line_for_a_delivery(self, written: SQLModel) -> None:
        heads = written.audit_heads(DATE)
        assert [part.split()[0] for part in heads.split("; ")] == ["A", "B"]
        labs = (written.audit_heads() or "").split("; ")
        assert labs[0].startswith("- ") and len(labs) > 2
        before = heads
        written.save_record(record(Plot=9))
        assert written.audit_heads(DATE) != before

    def test_a_row_with_another_key_has_gone_and_is_new_elsewhere(self, written: SQLModel, database: Endpoint) -> None:
        execute(database, "UPDATE plot_checks SET plot = 12 WHERE lab_id = 'A' AND plot = 1")
        assert [each.operation for each in written.get_history(DATE, "8:00", "A", 1)] == ["INSERT", "UPDATE", "DELETE"]
        assert [each.operation for each in written.get_history(DATE, "8:00", "A", 12)] == ["INSERT"]
        execute(database, "UPDATE plot_checks SET lab_id = 'B' WHERE lab_id = 'A' AND plot = 12")
        assert [each.operation for each in written.get_history(DATE, "8:00", "A", 12)] == ["INSERT", "DELETE"]
        assert [each.operation for each in written.get_history(DATE, "8:00", "B", 12)] == ["INSERT"]
        assert breaks(database) == ()

    def test_a_clock_that_was_set_back_breaks_nothing(self, written: SQLModel, database: Endpoint) -> None:
        """The order is that of the numbers."""
        late = "moment + interval '1 day'"
        hashed = "encode(sha256(convert_to(previous_hash || audit_content(audit), 'UTF8')), 'hex')"
        written.add_lab("F", 1)
        last = "lab_id = 'F' AND sequence = 2"
        execute(database, tamper(
            f"UPDATE audit SET moment = {late} WHERE {last}; UPDATE audit SET hash = {hashed} WHERE {last};"
            f" UPDATE audit_heads SET hash = (SELECT hash FROM audit WHERE {last}) WHERE lab_id = 'F'"))
        written.set_seed_sample("F", 1, "AXM999")
        assert breaks(database) == ()

    def test_names_with_blanks_and_backslashes_come_whole(
        self, database: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOGNAME", "DOMAIN\\Jean  d'Arc ü")
        monkeypatch.setattr(platform, "node", lambda: "bench \\ 2")
        with closing(SQLModel.at(database)) as model:
            model.add_technician(77, "New One")
            told = model.query("SELECT application_user, workstation FROM audit WHERE new ->> 'name' = 'New One'")
        assert told == [{"application_user": "DOMAIN\\Jean  d'Arc ü", "workstation": "bench \\ 2"}]

    def test_a_long_hostile_text_is_hashed_as_it_is(self, model: SQLModel) -> None:
        text = "\"quoted\" 'single' \\ \t\n\r \x01 \u2028 🌱 {} $$ -- /* " * 1500
        model.save_record(record(Notes=text), reason=text[:500])
        assert model.get_history(*KEY)[0].fields["Notes"][1] == model.get_record(*KEY)["Notes"]
        assert model.verify_audit().breaks == ()

    def test_weather_and_places_are_in_it(self, model: SQLModel) -> None:
        model.add_technician(77, "New One")
        model.add_plot("A", 20)
        model.set_seed_sample("A", 20, "AXM999")
        tables = model.query("SELECT DISTINCT table_name FROM audit ORDER BY 1") or []
        assert [row["table_name"] for row in tables] == [
            "audit_baselines", "lab_settings", "lab_techs", "labs", "plots", "schema_version"
        ]  # fmt: skip
        told = model.query("SELECT DISTINCT application_user, workstation FROM audit WHERE new ->> 'name' = 'New One'")
        assert told == [{"application_user": getpass.getuser(), "workstation": platform.node()}]
        assert model.verify_audit().breaks == ()
        assert isinstance(model.verify_audit(), auditing.Verdict)


class TestPresence:
    def test_it_lasts_as_long_as_the_connection(self, model: SQLModel, other: SQLModel) -> None:
        other.enter_check(DATE, "8:00", "A", 4, "P Taylor", "bench-2")
        (there,) = model.get_presence(DATE, "8:00", "A")
        assert (there.who, there.workstation, there.plot, there.own) == ("P Taylor", "bench-2", 4, False)
        other.enter_check(DATE, "8:00", "A", 5, "P Taylor", "bench-2")
        assert [each.plot for each in model.get_presence(DATE, "8:00", "A")] == [5]
        assert [each.own for each in other.get_presence(DATE, "8:00", "A")] == [True]
        other.close()  # a crash ends it in the same way
        _until(lambda: model.get_presence(DATE, "8:00", "A") == [])

    def test_who_leaves_is_gone_and_may_come_back(self, model: SQLModel, other: SQLModel) -> None:
        for _ in range(2):
            other.enter_check(DATE, "8:00", "A", None, "P Taylor")
            assert len(model.get_presence(DATE, "8:00", "A")) == 1
            other.leave_check()
            assert model.get_presence(DATE, "8:00", "A") == []

    def test_two_at_one_check_see_each_other(self, model: SQLModel, other: SQLModel) -> None:
        model.enter_check(DATE, "8:00", "A", 1, "J Simms")
        other.enter_check(DATE, "8:00", "A", 2, "P Taylor")
        assert [(each.who, each.own) for each in model.get_presence(DATE, "8:00", "A")] == [
            ("J Simms", True), ("P Taylor", False),
        ]


class TestWatching:
    @pytest.fixture
    def told(self, model: SQLModel) -> Iterator[queue.Queue[Notification]]:
        notices: queue.Queue[Notification] = queue.Queue()
        stop = threading.Event()

        def note(found: list[Notification]) -> None:
            for each in found:
                notices.put(each)

        thread = threading.Thread(target=model.watch, args=[note, stop])
        thread.start()
        _until(lambda: bool(model.query("SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
                                        " AND datname = current_database()")))
        yield notices
        stop.set()
        thread.join()

    def test_saves_of_others_are_notified(self, told: queue.Queue[Notification], other: SQLModel) -> None:
        other.save_record(record(), workstation="bench-2")
        notice = _found(told, lambda each: each.content.get("table") == "plot_checks")
        assert notice.channel == RECORDS
        assert {"plot": 3, "lab_id": "A", "operation": "INSERT", "by": "bench-2"}.items() <= notice.content.items()

    def test_presence_of_others_is_notified(self, told: queue.Queue[Notification], other: SQLModel) -> None:
        other.enter_check(DATE, "8:00", "A", 1, "P Taylor")
        assert _found(told, lambda each: each.channel == PRESENCE)

    def test_after_a_lost_connection_all_may_be_new(
        self, told: queue.Queue[Notification], other: SQLModel, database: Endpoint
    ) -> None:
        assert _found(told, lambda each: each.channel == "")  # so it is at the beginning
        other.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
                    " AND datname = current_database()")
        assert _found(told, lambda each: each.channel == "")
        other.save_record(record())
        assert _found(told, lambda each: each.channel == RECORDS)

    def test_nonsense_on_the_channel_is_harmless(self, told: queue.Queue[Notification], database: Endpoint) -> None:
        execute(database, "NOTIFY abq_records, 'no json'; NOTIFY abq_records, '[1]'; NOTIFY abq_records")
        assert _found(told, lambda each: each.channel == RECORDS).content == {}


def test_the_owner_may_do_everything(model: SQLModel) -> None:
    assert model.privileges() == Privileges()


def _found(notices: queue.Queue[Notification], wanted: Callable[[Notification], bool]) -> Notification:
    while True:
        notice = notices.get(timeout=20)
        if wanted(notice):
            return notice


def _until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it never came true")
