"""Notes to the next shift: who may write and finish which, and that they stay, wherever the check goes."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from abq_data_entry.folders import bundled_file
from abq_data_entry.models import DatabaseError, PrivilegeMissing, RecordMissing, SQLModel
from abq_data_entry.models.marks import Subject
from abq_data_entry.models.undoing import By
from abq_data_entry.postgres import backup
from tests.models.logins import roles_of_lab_a
from tests.models.records import record
from tests.models.test_marks import refused
from tests.models.test_schema import run
from tests.models.wire import When, around_the_commit, losing_answers
from tests.qa.data import Endpoint, ask

As = Callable[[str], Endpoint]
DAY = datetime.date(2026, 11, 20)
LAB, PLOT, CHECK = Subject("A"), Subject("A", 3), Subject("A", None, DAY, "8:00")
HOSTILE = "'); DROP TABLE shift_notes; -- %s {0} \\x1b[2J <b>\u202e \N{PILE OF POO}\nsecond line"


@pytest.fixture
def acting(model: SQLModel, database: Endpoint) -> Iterator[As]:
    """Where everything is asked as somebody of that role, who belongs to lab A."""
    model.save_record(record())
    with roles_of_lab_a(database) as make:
        yield lambda role: make(f"GRANT {role} TO {{}}")


def said(model: SQLModel, lab: str | None = None, done: bool = False) -> list[tuple[str, str]]:
    """Place and words of the notes."""
    return [(each.subject.named, each.words) for each in model.get_notes(lab, done=done)]


def test_a_note_stays_until_it_is_done(model: SQLModel, database: Endpoint, tmp_path: Path) -> None:
    model.save_record(record())
    by = By(author="J Simms", workstation="bench 2")
    whole = model.write_note(LAB, "  The door sticks. ", by=by)
    assert model.write_note(LAB, "The door sticks.") == whole  # once more, such as after a lost answer: the same
    plot, check = model.write_note(PLOT, HOSTILE, by=by), model.write_note(CHECK, "Plots 18 to 20 are missing.", by=by)
    model.write_note(Subject("B"), "Of the other lab.")
    assert said(model, "A") == [
        ("lab A", "The door sticks."), ("lab A, plot 3", HOSTILE),
        ("check 2026-11-20 8:00, lab A", "Plots 18 to 20 are missing."),
    ]  # fmt: skip
    assert len(said(model)) == model.today().notes == 4
    assert "\n" not in model.get_note(plot).line and model.get_note(plot).line.endswith("second line")
    assert model.get_note(plot).written_by.startswith("J Simms (login ")
    model.finish_note(plot, by=by)
    found = model.get_note(plot)
    assert found.done is not None and found.done_by == found.written_by
    assert [each for each, _ in said(model, "A")] == ["lab A", "check 2026-11-20 8:00, lab A"]
    assert said(model, "A", done=True)[-1] == ("lab A, plot 3", HOSTILE)
    with pytest.raises(DatabaseError, match=rf"Note {plot} \(lab A, plot 3\) is done already, by J Simms"):
        model.finish_note(plot)
    assert model.write_note(PLOT, HOSTILE) > plot  # after it was done it is another
    model.reopen_note(plot)
    with pytest.raises(DatabaseError, match="is open already"):
        model.reopen_note(plot)
    operations = ask(database, "SELECT operation, workstation FROM audit WHERE key @> %s", [f'{{"id": {plot}}}'])
    assert [row["operation"] for row in operations] == ["INSERT", "UPDATE", "UPDATE"]
    assert operations[0]["workstation"] == "bench 2"
    # A backup holds it, and its audit.
    backup.dump(database, tmp_path / "dump")
    model.finish_note(whole)
    model.close()
    backup.restore(database, tmp_path / "dump")
    with closing(SQLModel.at(database)) as restored:
        assert len(said(restored, "A")) == 4
        assert restored.verify_audit().breaks == ()
        # It goes where its check goes, and to no other.
        run(database, "SELECT move_check('2026-11-20', '8:00', 'A', '2026-11-20', '12:00', 'C', 'wrong lab')")
        assert restored.get_note(check).subject == Subject("C", None, DAY, "12:00")
        assert restored.get_note(plot).subject == PLOT
        assert restored.verify_audit().breaks == ()


def test_what_makes_no_sense_is_refused_in_a_sentence(model: SQLModel, database: Endpoint) -> None:
    for subject, words, kind, sentence in (
        (LAB, " \n ", DatabaseError, "Words are required."),
        (LAB, "x" * 2001, DatabaseError, "more than 2000 characters"),
        (Subject("Z"), "x", RecordMissing, "There is no lab 'Z'"),
        (Subject("A", 21), "x", RecordMissing, "There is no plot 21 in lab A"),
        (Subject("A", None, DAY, "9:00"), "x", DatabaseError, "There is no check at 9:00"),
        (Subject("A", None, DAY), "x", DatabaseError, "A check has a date and a time"),
        (Subject("A", 3, DAY, "8:00"), "x", DatabaseError, "to a lab, to a plot or to a check"),
    ):
        with pytest.raises(kind, match=f"{sentence}.*Nothing was changed"):
            model.write_note(subject, words)
    with pytest.raises(RecordMissing, match="There is no note 9"):
        model.finish_note(9)
    with pytest.raises(RecordMissing, match="There is no note 9"):
        model.get_note(9)
    assert said(model, done=True) == []


def test_only_the_functions_write_notes_and_labs_stay_apart(
    acting: As, model: SQLModel, database: Endpoint
) -> None:
    own, other = model.write_note(LAB, "Ours."), model.write_note(Subject("B"), "Theirs.")
    technician, qa = acting("abq_technician"), acting("abq_qa")
    for someone in (technician, acting("abq_supervisor"), qa):
        for statement in ("UPDATE shift_notes SET done = now()", "DELETE FROM shift_notes", "TRUNCATE shift_notes",
                          "INSERT INTO shift_notes SELECT * FROM shift_notes"):  # fmt: skip
            refused(someone, statement, "42501")
    for statement in ("DELETE FROM shift_notes", "TRUNCATE shift_notes"):
        refused(database, statement, "42501", "a note is done, and stays")
    run(database, "GRANT ALL ON shift_notes TO abq_technician; GRANT UPDATE (done) ON shift_notes TO abq_qa")
    run(database, bundled_file("create_db.sql").read_text("utf-8"))
    given = "information_schema.column_privileges WHERE grantee ~ '^abq_' AND table_name = 'shift_notes'"
    assert run(database, f"SELECT DISTINCT privilege_type FROM {given} AND grantee <> grantor") == [("SELECT",)]

    run(database, "SELECT restrict_labs(true)")
    with closing(SQLModel.at(technician)) as theirs:
        assert said(theirs) == [("lab A", "Ours.")]
        heard = ask(technician, "SELECT key -> 'id' AS id FROM audit WHERE table_name = 'shift_notes'")
        assert [row["id"] for row in heard] == [own]
        with pytest.raises(RecordMissing, match=f"There is no note {other}"):
            theirs.finish_note(other)
        with pytest.raises(PrivilegeMissing, match="Notes to lab B are written and done by who enters its records"):
            theirs.write_note(Subject("B"), "x")
        theirs.finish_note(own)
    with closing(SQLModel.at(qa)) as reading:
        assert said(reading, done=True) == [("lab B", "Theirs."), ("lab A", "Ours.")]
        with pytest.raises(PrivilegeMissing, match="those who enter records"):
            reading.write_note(LAB, "x")
    with closing(SQLModel.at(database)) as owner:
        assert owner.verify_audit().breaks == ()


@around_the_commit
def test_a_note_is_written_and_done_once_though_the_answer_was_lost(database: Endpoint, when: When) -> None:
    with losing_answers(database, when) as (model, lose):
        lose()
        number = model.write_note(LAB, "The door sticks.")
        assert said(model) == [("lab A", "The door sticks.")]
        lose()
        model.finish_note(number)
        assert model.get_note(number).done is not None
        lose()
        model.reopen_note(number)
        assert model.get_note(number).done is None
