"""Notices in the database: one workstation asks for all, each person reads each once, and who may write what."""

from __future__ import annotations

import datetime
from contextlib import closing
from pathlib import Path

import pytest

from abq_data_entry.models import DatabaseError, SQLModel
from abq_data_entry.models.undoing import By
from abq_data_entry.postgres import backup
from tests.models.logins import roles_of_lab_a
from tests.models.records import record
from tests.models.test_marks import refused
from tests.models.test_schema import run
from tests.models.wire import When, around_the_commit, losing_answers
from tests.qa.data import Endpoint

SOURCE = "https://intranet.example.org/notices.xml"
SIMMS, TAYLOR = By(author="J Simms"), By(author="P Taylor")
NOW = datetime.datetime.now(datetime.timezone.utc)


def notice(mark: str, title: str = "Title", days: float | None = 1, words: str = "Words") -> dict[str, object]:
    published = None if days is None else NOW - datetime.timedelta(days=days)
    return {"mark": mark, "title": title, "words": words, "link": "", "published": published}


def keep(model: SQLModel, *notices: dict[str, object], complete: bool = True) -> int:
    return model.notices.keep(SOURCE, {"state": {"etag": "x"}, "complete": complete, "notices": list(notices)})


def titles(model: SQLModel, by: By = SIMMS, unread: bool = False) -> list[str]:
    board = model.notices.board(SOURCE, by=by)
    return [each.title for each in (board.unread if unread else board.notices)]


def test_one_asks_for_all_once_an_hour(model: SQLModel, database: Endpoint) -> None:
    assert model.notices.board(SOURCE).due
    assert model.notices.ask(SOURCE) == {"code": "ask", "state": {}}
    assert model.notices.ask(SOURCE, forced=True) == {"code": "asked"}
    run(database, "UPDATE notice_sources SET asked = asked - interval '2 minutes'")  # it was switched off meanwhile
    assert model.notices.ask(SOURCE)["code"] == "ask"
    assert keep(model, notice("1")) == 1
    assert model.notices.ask(SOURCE) == {"code": "known"} and not model.notices.board(SOURCE).due
    assert model.notices.ask(SOURCE, forced=True) == {"code": "ask", "state": {"etag": "x"}}
    now = datetime.datetime.now(datetime.timezone.utc)
    model.notices.keep(SOURCE, {"problem": "Busy.", "until": now + datetime.timedelta(days=30)})
    waits = model.notices.ask(SOURCE, forced=True)
    until = datetime.datetime.fromisoformat(str(waits["until"]))
    assert waits["code"] == "wait" and until - now < datetime.timedelta(days=1, minutes=5)
    board = model.notices.board(SOURCE)
    assert (board.problem, board.due, len(board.notices)) == ("Busy.", False, 1)
    assert board.fetched is not None and board.answered is not None and board.fetched < board.answered
    hour = "interval '1 hour'"
    run(database, f"UPDATE notice_sources SET answered = answered - {hour}, asked = asked - {hour}, not_before = now()")
    assert model.notices.board(SOURCE).due and model.notices.ask(SOURCE)["code"] == "ask"
    model.notices.keep(SOURCE, {"problem": "Away.", "until": None})
    assert model.notices.ask(SOURCE, forced=True)["code"] == "ask"
    model.notices.keep(SOURCE, {"state": {"etag": "x"}})
    assert model.notices.board(SOURCE).problem == ""


def test_each_person_reads_each_notice_once(model: SQLModel, database: Endpoint, tmp_path: Path) -> None:
    model.notices.ask(SOURCE)
    assert keep(model, notice("old", "Old", 31), notice("1", "One", 2), notice("2", "Two", 1)) == 3
    assert titles(model) == ["Two", "One", "Old"] and titles(model, unread=True) == ["Two", "One"]
    first, second, _ = model.notices.board(SOURCE).notices
    assert [model.notices.read([first.id, 99999], by=SIMMS) for _ in range(2)] == [1, 0]
    assert titles(model, unread=True) == ["One"] and titles(model, TAYLOR, unread=True) == ["Two", "One"]
    # Unread again only if it says that it is newer, and says something else.
    assert keep(model, notice("2", "Two", 0.5)) == 0 and titles(model, unread=True) == ["One"]
    assert keep(model, notice("2", "Two!", 1)) == 0 and titles(model, unread=True) == ["One"]
    assert keep(model, notice("1", "One", 2), notice("2", "Two!!", 0.4)) == 1
    assert titles(model, unread=True) == ["Two!!", "One"]
    # Taken back by the company; what is older than all that it has is only out of its list.
    assert keep(model, notice("1", "One", 2)) == 0 and titles(model) == ["One", "Old"]
    assert keep(model, notice("3", "Three", 1), complete=False) == 1 and titles(model) == ["Three", "One", "Old"]
    # Times that aren't there, or lie ahead, are those when it came.
    assert keep(model, notice("4", "Four", None), notice("5", "Five", -400), complete=False) == 2
    assert titles(model)[:2] == ["Five", "Four"] and model.notices.board(SOURCE).notices[0].published > NOW
    model.notices.read([each.id for each in model.notices.board(SOURCE).notices], by=SIMMS)
    assert keep(model, notice("4", "Four!", None), complete=False) == 0 and titles(model, unread=True) == []
    keep(model, *(notice(f"n{each}", f"n{each}", 0) for each in range(200)), complete=False)
    assert len(titles(model)) == 200 and "One" not in titles(model)
    run(database, "UPDATE notices SET words = E'a\\n\\x1b[2J', title = E't\\u202e' WHERE mark = 'n7'")
    evil = next(each for each in model.notices.board(SOURCE).notices if each.title == "t")
    assert evil.words == "a\n [2J"
    assert second.unread
    # A backup has them; the audit is whole.
    backup.dump(database, tmp_path / "dump")
    model.close()
    backup.restore(database, tmp_path / "dump")
    with closing(SQLModel.at(database)) as restored:
        assert len(titles(restored)) == 200
        assert restored.verify_audit().breaks == ()


def test_who_may_fetch_and_read(model: SQLModel, database: Endpoint) -> None:
    model.save_record(record())
    with roles_of_lab_a(database) as make:
        technician, qa = (make(f"GRANT {role} TO {{}}") for role in ("abq_technician", "abq_qa"))
        with closing(SQLModel.at(technician)) as theirs:
            assert theirs.notices.ask(SOURCE)["code"] == "ask"
            assert keep(theirs, notice("1")) == 1
            (found,) = theirs.notices.board(SOURCE).notices
            assert theirs.notices.read([found.id]) == 1  # without a name it is whose login it is
            assert titles(theirs, By(), unread=True) == []
        told = run(database, "SELECT login, (SELECT count(*) FROM notice_readers) FROM notices")
        assert told == [(technician["user"], 1)]
        for statement in (
            "SELECT ask_for_notices('x')", "SELECT keep_notices('x', '{}')", "SELECT read_notices('{1}')",
            "DELETE FROM notices", "UPDATE notice_sources SET problem = 'x'", "TRUNCATE notice_readers",
        ):  # fmt: skip
            refused(qa, statement, "42501")
        for statement in (
            "INSERT INTO notices DEFAULT VALUES", "UPDATE notices SET title = 'x'", "DELETE FROM notice_readers",
        ):  # fmt: skip
            refused(technician, statement, "42501")
        assert run(qa, "SELECT title FROM notices") == [("Title",)]


def test_what_a_login_sends_is_bounded(model: SQLModel, database: Endpoint) -> None:
    model.notices.ask(SOURCE)
    huge = [notice(f"{each}" * 999, "t" * 999, 1, "w" * 99999) for each in range(300)]
    model.notices.keep(SOURCE, {"state": {"x": "y" * 9999}, "notices": [*huge, {"mark": None}, {}]})
    assert run(
        database, "SELECT max(char_length(mark)), max(char_length(title)), max(char_length(words)) FROM notices"
    ) == [(200, 300, 20000)]  # fmt: skip
    assert run(database, "SELECT count(*) <= 200 FROM notices") == [(True,)]
    assert run(database, "SELECT state FROM notice_sources") == [({},)]
    with pytest.raises(DatabaseError):
        model.notices.ask("x" * 1001)


@around_the_commit
def test_notices_are_kept_and_read_though_the_answer_was_lost(database: Endpoint, when: When) -> None:
    changed = int(when == "before")  # then it was done once more, and that answer came
    with losing_answers(database, when) as (model, lose):
        model.notices.ask(SOURCE)
        lose()
        assert keep(model, notice("1")) == changed
        (found,) = model.notices.board(SOURCE, by=SIMMS).unread
        lose()
        assert model.notices.read([found.id], by=SIMMS) == changed
        assert titles(model) == ["Title"] and titles(model, unread=True) == []
