"""What QA says of values: who may say what, what it becomes, and that it stays wherever the record goes."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.folders import bundled_file
from abq_data_entry.models import DatabaseError, RecordMissing, SQLModel
from abq_data_entry.models.marks import Mark, MarkEvent
from abq_data_entry.postgres import backup
from tests.models.logins import roles_of_lab_a
from tests.models.records import DATE, faulty, record
from tests.models.test_schema import run
from tests.models.wire import When, around_the_commit, losing_answers
from tests.qa.data import Endpoint, ask

PLACE = "'2026-11-20', '8:00', 'A', 3"
As = Callable[[str], Endpoint]


@pytest.fixture
def marked(model: SQLModel, database: Endpoint) -> Endpoint:
    """Records of two labs, one of them with a fault."""
    for lab in "AB":
        model.save_record(record(Lab=lab))
    model.save_record(faulty(Plot="4"))
    return database


@pytest.fixture
def acting(marked: Endpoint) -> Iterator[As]:
    """Where everything is asked as somebody of that role, who belongs to lab A."""
    with roles_of_lab_a(marked) as make:
        yield lambda role: make(f"GRANT {role} TO {{}}")


def mark(
    endpoint: Endpoint, field: str = "humidity", state: str = "queried", words: str = "Why?", at: str = PLACE
) -> int:
    """Mark a value; return the number."""
    (row,) = ask(endpoint, f"SELECT mark_value({at}, %s, %s, %s) AS id", [field, state, words])
    return int(row["id"])


def mark_of(endpoint: Endpoint, number: int) -> dict[str, Any]:
    """The row of that mark."""
    (row,) = ask(endpoint, "SELECT * FROM value_marks WHERE id = %s", [number])
    return row


def history(endpoint: Endpoint, number: int) -> list[tuple[str, str | None]]:
    """What became of the mark."""
    return [(row["event"], row["said"]) for row in ask(endpoint, "SELECT * FROM mark_history(%s)", [number])]


def refused(endpoint: Endpoint, statement: str, code: str, *words: str) -> None:
    """The statement is refused with that SQLSTATE, and says those words."""
    with pytest.raises(psycopg2.Error) as caught:
        ask(endpoint, statement)
    assert caught.value.pgcode == code
    assert [each for each in words if each not in str(caught.value)] == [], str(caught.value)


def test_of_two_who_change_marks_of_several_labs_the_second_holds_nothing(marked: Endpoint) -> None:
    first, second = mark(marked), mark(marked, at=PLACE.replace("'A'", "'B'"))
    with closing(psycopg2.connect(make_dsn(**marked))) as holding, holding.cursor() as cursor:
        cursor.execute("SELECT close_mark(%s)", [first])
        refused(marked, f"SET lock_timeout = '100ms'; SELECT answer_mark({second}, 'Read anew.')", "55P03")
        refused(marked, f"SET lock_timeout = '100ms'; SELECT close_mark({second})", "55P03")
        cursor.execute("SELECT close_mark(%s)", [second])
        holding.commit()
    assert {mark_of(marked, each)["status"] for each in (first, second)} == {"closed"}


def test_a_query_is_asked_answered_and_closed(acting: As, marked: Endpoint, model: SQLModel) -> None:
    qa, technician = acting("abq_qa"), acting("abq_technician")
    number = mark(qa)
    assert mark(qa) == number  # the same once more is one
    found = mark_of(technician, number)
    assert (found["field"], found["value"], found["state"], found["status"], found["words"]) == (
        "humidity", "24.09", "queried", "open", "Why?"
    )  # fmt: skip
    refused(qa, f"SELECT answer_mark({number}, 'No.')", "42501")
    for attempt in ("close_mark({0})", "reopen_mark({0}, 'x')", "mark_value(" + PLACE + ", 'light', 'queried', 'x')"):
        refused(technician, "SELECT " + attempt.format(number), "42501")
    ask(technician, "SELECT answer_mark(%s, '  The door was open. ')", [number])
    found = mark_of(qa, number)
    assert (found["status"], found["answer"], found["words"]) == ("answered", "The door was open.", "Why?")
    ask(qa, "SELECT reopen_mark(%s, 'All day?')", [number])
    ask(technician, "SELECT answer_mark(%s, 'Until noon.')", [number])
    ask(qa, "SELECT close_mark(%s)", [number])
    assert mark_of(qa, number)["status"] == "closed"
    assert history(qa, number) == history(technician, number) == [
        ("marked", "Why?"), ("answered", "The door was open."), ("reopened", "All day?"), ("answered", "Until noon."),
        ("closed", None),
    ]  # fmt: skip
    assert model.get_record("2026-11-20", "8:00", "A", 3)["Humidity"] == Decimal("24.09")
    assert model.verify_audit().breaks == ()
    assert mark(qa) > number  # a new one


def test_what_makes_no_sense_is_refused_in_a_sentence(acting: As, marked: Endpoint) -> None:
    qa, technician = acting("abq_qa"), acting("abq_technician")
    number, accepted = mark(qa), mark(qa, "light", "accepted", "Seen by eye.")
    again = f"SELECT mark_value({PLACE}, 'Humidity', 'queried', 'Really?')"
    refused(qa, again, "AB005", "Mark 1 (humidity of 2026-11-20 8:00, lab A, plot 3) is queried already, by", "Why?")
    refused(qa, f"SELECT reopen_mark({number}, 'x')", "AB005", "is open already")
    refused(technician, f"SELECT answer_mark({accepted}, 'x')", "AB005", "asks nothing: it is accepted")
    refused(technician, f"SELECT answer_mark({number}, ' ')", "22023", "Words are required")
    ask(technician, f"SELECT answer_mark({number}, 'x')")
    refused(qa, again, "AB005", "is answered already: close or reopen it")
    ask(qa, f"SELECT close_mark({number}, 'Settled.')")
    refused(qa, f"SELECT close_mark({number})", "AB005", "is closed already")
    refused(technician, f"SELECT answer_mark({number}, 'x')", "AB005", "is closed. QA may reopen it")
    newer = mark(qa)
    refused(qa, f"SELECT reopen_mark({number}, 'x')", "AB005", f"mark {newer} is newer")
    for attempt, code, words in (
        (f"{PLACE}, 'humidity', 'wrong', 'x'", "22023", "queried, accepted or excluded, not 'wrong'"),
        (f"{PLACE}, 'humidity', NULL, 'x'", "22023", "queried, accepted or excluded, not empty"),
        (f"{PLACE}, 'humid', 'queried', 'x'", "22023", "no field 'humid'"),
        (f"{PLACE}, 'Plot', 'queried', 'x'", "22023", "mark the whole record"),
        (f"{PLACE}, 'humidity', 'queried', NULL", "22023", "Words are required"),
        (f"{PLACE}, 'seed sample', 'excluded', 'x'", "22023", "seed sample can't be excluded by itself"),
        ("'2026-11-20', '8:00', 'A', 4, 'light', 'excluded', 'x'", "22023", "there is nothing to exclude"),
        ("'2026-11-20', '8:00', 'C', 3, 'light', 'queried', 'x'", "AB002", "no record of 2026-11-20 8:00, lab C"),
    ):
        refused(qa, f"SELECT mark_value({attempt})", code, words)
    refused(qa, "SELECT close_mark(99)", "AB002", "There is no mark 99")


def test_nobody_writes_or_deletes_marks_but_by_the_functions(acting: As, marked: Endpoint) -> None:
    number = mark(marked)
    for role in ("abq_technician", "abq_supervisor", "abq_qa"):
        someone = acting(role)
        for statement in ("UPDATE value_marks SET status = 'closed'", "DELETE FROM value_marks", "TRUNCATE value_marks",
                          "INSERT INTO value_marks SELECT * FROM value_marks"):  # fmt: skip
            refused(someone, statement, "42501")
    for statement in ("DELETE FROM value_marks", "TRUNCATE value_marks"):
        refused(marked, statement, "42501", "a mark is closed, and stays")
    run(marked, "GRANT ALL ON value_marks TO abq_technician; GRANT UPDATE (status) ON value_marks TO abq_qa")
    run(marked, bundled_file("create_db.sql").read_text("utf-8"))
    given = "information_schema.column_privileges WHERE grantee ~ '^abq_' AND table_name = 'value_marks'"
    assert run(marked, f"SELECT DISTINCT privilege_type FROM {given} AND grantee <> grantor") == [("SELECT",)]
    assert mark_of(marked, number)["status"] == "open"


def test_a_mark_goes_where_its_record_goes(marked: Endpoint, model: SQLModel) -> None:
    number = mark(marked, words="Which lab?")
    run(marked, f"SELECT move_record({PLACE}, '2026-11-21', '12:00', 'C', 5, 'wrong lab', 1)")
    found = mark_of(marked, number)
    assert (str(found["date"]), str(found["time"]), found["lab_id"], found["plot"]) == (
        "2026-11-21", "12:00:00", "C", 5
    )  # fmt: skip
    withdraw = "SELECT withdraw_record(date, time, lab_id, plot, '{}', version) FROM plot_checks WHERE lab_id = 'C'"
    run(marked, withdraw.format("twice"))
    model.save_record(record(Date="2026-11-21", Time="12:00", Lab="C", Plot="5"))
    assert mark_of(marked, number)["gone"] is not None
    assert mark(marked, at="'2026-11-21', '12:00', 'C', 5") > number  # another record, another mark
    refused(marked, f"SELECT close_mark({number}); SELECT reopen_mark({number}, 'x')", "AB005", "was withdrawn")
    run(marked, withdraw.format("this one"))
    entry = mark_of(marked, number)["gone"]
    run(marked, f"SELECT bring_back_record('2026-11-21', '12:00', 'C', 5, 'was right', {entry})")
    assert mark_of(marked, number)["gone"] is None
    assert [event for event, _ in history(marked, number)] == ["marked", "moved", "withdrawn", "brought back"]
    assert history(marked, number)[1:] == [
        ("moved", "from 2026-11-20 8:00, lab A, plot 3"), ("withdrawn", "twice"), ("brought back", "was right")
    ]  # fmt: skip
    assert [row["gone"] is None for row in ask(marked, "SELECT gone FROM value_marks ORDER BY id")] == [True, False]
    assert model.verify_audit().breaks == ()


def test_a_correction_answers_a_query(acting: As, marked: Endpoint, model: SQLModel) -> None:
    number, other, whole = mark(marked), mark(marked, "light"), mark(marked, "record")
    correct = "UPDATE plot_checks SET humidity = {} WHERE lab_id = 'A' AND plot = 3"
    run(acting("abq_technician"), correct.format("23.9"))
    assert [mark_of(marked, each)["status"] for each in (number, other, whole)] == ["corrected", "open", "corrected"]
    run(marked, correct.format("24.09"))
    assert [mark_of(marked, each)["status"] for each in (number, other)] == ["open", "open"]
    assert history(marked, number) == [
        ("marked", "Why?"), ("corrected", "23.90, was 24.09"), ("restored", "24.09, was 23.90")
    ]  # fmt: skip
    run(marked, f"SELECT close_mark({number})")
    run(marked, correct.format("23"))
    assert mark_of(marked, number)["status"] == "closed"


def test_views_leave_out_what_is_excluded(marked: Endpoint, model: SQLModel) -> None:
    before = ask(marked, "SELECT * FROM plot_readings ORDER BY lab, plot")
    raw = ask(marked, "SELECT * FROM data_record_view")
    numbers = [mark(marked, field, "excluded") for field in ("Humidity", "min height", "fruit")]
    for field in ("light", "plants"):
        mark(marked, field, "queried")
    mark(marked, "temperature", "accepted")
    mark(marked, "record", "excluded", at="'2026-11-20', '8:00', 'A', 4")
    after = ask(marked, "SELECT * FROM plot_readings ORDER BY lab, plot")
    assert [(row["lab"], row["plot"]) for row in after] == [("A", 3), ("B", 3)]
    assert after[0] == {**before[0], "humidity": None, "min_height": None, "fruit": None}
    assert after[1] == before[2]
    assert ask(marked, "SELECT * FROM data_record_view") == raw
    for number in numbers:
        run(marked, f"SELECT close_mark({number})")
    assert ask(marked, "SELECT * FROM plot_readings ORDER BY lab, plot") == [before[0], before[2]]
    # Another state changes the mark that there is.
    assert mark(marked, "light", "excluded", "Sensor wet.") == mark(marked, "light", "excluded", "Sensor wet.")
    assert len(ask(marked, "SELECT FROM value_marks WHERE field = 'light'")) == 1


def test_labs_kept_apart_stay_apart(acting: As, marked: Endpoint) -> None:
    qa, technician = acting("abq_qa"), acting("abq_technician")
    own, other = mark(qa), mark(qa, at="'2026-11-20', '8:00', 'B', 3")
    run(marked, "SELECT restrict_labs(true)")
    assert [row["id"] for row in ask(qa, "SELECT id FROM value_marks ORDER BY id")] == [own, other]
    assert [row["id"] for row in ask(technician, "SELECT id FROM value_marks")] == [own]
    assert history(technician, own) != [] == history(technician, other)
    assert ask(technician, "SELECT FROM audit WHERE key ->> 'id' = %s", [str(other)]) == []
    refused(technician, f"SELECT answer_mark({other}, 'x')", "AB002", f"There is no mark {other}")
    ask(technician, "SELECT answer_mark(%s, 'x')", [own])
    run(marked, f"SELECT move_record({PLACE}, '2026-11-20', '8:00', 'B', 7, 'wrong lab', 1)")
    assert ask(technician, "SELECT FROM value_marks") == []
    assert [event for event, _ in history(qa, own)] == ["marked", "answered", "moved"]


def test_a_backup_brings_marks_back(marked: Endpoint, tmp_path: Path) -> None:
    number = mark(marked, "record", "excluded", "Wrong plot.")
    backup.dump(marked, tmp_path / "dump")
    run(marked, f"SELECT close_mark({number})")
    backup.restore(marked, tmp_path / "dump")
    assert (mark_of(marked, number)["status"], ask(marked, "SELECT plot FROM plot_readings WHERE lab = 'A'")) == (
        "open", [{"plot": 4}]
    )  # fmt: skip
    with closing(SQLModel.at(marked)) as model:
        assert model.verify_audit().breaks == ()


def test_a_mark_says_what_it_is_about() -> None:
    moment = datetime.datetime(2026, 11, 20, 9, tzinfo=datetime.timezone.utc)
    mark = Mark(
        1, DATE, "8:00", "A", 3, "seed_sample", "AXM479", "queried", "open", "Which?", moment, "QA", "", None, "",
        "marked", "Which?", "QA", moment, False, "J Simms", "AXM479",
    )  # fmt: skip
    assert mark.key == (DATE, "8:00", "A", 3) and mark.field_name == "Seed sample" and mark.waits
    assert replace(mark, field="record").field_name == ""
    assert not replace(mark, status="answered").waits and not replace(mark, state="excluded").waits
    event = MarkEvent(moment, "QA", "bench-1", "marked", "Which\none?", "queried", "open")
    local = f"{moment.astimezone():%Y-%m-%d %H:%M}"
    assert event.words.startswith(f"{local} marked by QA on bench-1: Which") and "\n" not in event.words
    assert replace(event, workstation="", said="").words == f"{local} marked by QA"


@around_the_commit
def test_a_mark_is_changed_once_though_the_answer_was_lost(marked: Endpoint, when: When) -> None:
    number = mark(marked)

    def events() -> list[tuple[str, str | None]]:
        return history(marked, number)[1:]

    with losing_answers(marked, when) as (model, lose):
        with pytest.raises(RecordMissing, match="There is no mark 99"):
            model.get_mark(99)
        lose()
        model.answer_mark(number, " The door was open. ")
        assert events() == [("answered", "The door was open.")]
        lose()
        model.close_mark(number, "Settled.")
        assert events()[1:] == [("closed", "Settled.")]
        lose()
        model.reopen_mark(number, "All day?")
        assert events()[2:] == [("reopened", "All day?")]
        if when == "before":  # somebody else is faster, with other words
            lose(lambda: ask(marked, "SELECT close_mark(%s, 'Never mind.')", [number]))
            with pytest.raises(DatabaseError, match="Nothing was changed"):
                model.close_mark(number, "Settled.")
            assert events()[3:] == [("closed", "Never mind.")]
