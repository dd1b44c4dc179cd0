"""Messages between workstations: who is told, how often, and who can't be made to have said something."""

from __future__ import annotations

import datetime
import json
import select
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.folders import bundled_file
from abq_data_entry.models import DatabaseError, PrivilegeMissing, SQLModel
from abq_data_entry.models.notices import LONGEST, MOST_SHOWN, Addressee, AddresseeUnknown
from abq_data_entry.models.undoing import By
from abq_data_entry.postgres import backup
from tests.models.logins import roles_of_lab_a
from tests.models.records import record
from tests.models.test_marks import refused
from tests.models.test_schema import run
from tests.models.wire import When, around_the_commit, losing_answers
from tests.qa.data import Endpoint

As = Callable[[str], Endpoint]
ALL = Addressee()
SIMMS, TAYLOR, MURPHY = (By(author=name, workstation="bench 2") for name in ("J Simms", "P Taylor", "Q Murphy"))


@pytest.fixture
def acting(model: SQLModel, database: Endpoint) -> Iterator[As]:
    """Where everything is asked as somebody of that role, who belongs to lab A."""
    model.save_record(record())
    with roles_of_lab_a(database) as make:
        yield lambda role: make(f"GRANT {role} TO {{}}")


def texts(model: SQLModel, by: By, at_lab: str | None = None, read: tuple[str, ...] = ()) -> tuple[list[str], int]:
    """The texts that are listed for somebody, and how many of the messages are unread."""
    found = model.take_messages(at_lab, read, by=by)
    return [each.words for each in found.messages], found.unread


def test_each_recipient_gets_a_message_once(model: SQLModel, database: Endpoint, tmp_path: Path) -> None:
    model.save_record(record())
    assert texts(model, TAYLOR) == ([], 0)
    answer = model.send_message(Addressee(person="p taylor"), "Please come.", by=SIMMS)
    assert answer == "P Taylor is entering no check now; the message is kept for 30 days."
    model.enter_check(datetime.date(2026, 11, 20), "8:00", "A", None, "P Taylor")
    assert model.send_message(Addressee(lab="A"), "Lamps at noon.", by=SIMMS) == "The message was sent."
    number = str(uuid.uuid4())
    for _ in range(2):  # once more, such as after an answer that was lost
        assert model.send_message(ALL, "To all.", number=number, by=SIMMS) == "The message was sent."
    with pytest.raises(DatabaseError, match="Another message has this number"):
        model.send_message(ALL, "Something else.", number=number, by=SIMMS)
    # Both windows of the same person; the second finds nothing new, and the same list.
    here, elsewhere = (texts(model, TAYLOR, "A") for _ in range(2))
    assert here == elsewhere == (["To all.", "Lamps at noon.", "Please come."], 3)
    assert run(database, "SELECT reader, count(*) FROM shift_message_readers GROUP BY 1") == [("P Taylor", 3)]
    # Who is at another lab gets what is to that lab once there. Who sent it sees that it was read.
    assert texts(model, MURPHY, "B") == (["To all."], 1)
    assert texts(model, MURPHY, "A") == (["To all.", "Lamps at noon."], 2)
    first = model.take_messages("A", by=TAYLOR).messages[-1]
    assert (first.from_whom, first.login, first.workstation) == (
        f"J Simms (login {first.login})", database["user"], "bench 2"
    )  # fmt: skip
    assert texts(model, TAYLOR, "A", (first.id,)) == (["To all.", "Lamps at noon.", "Please come."], 2)
    sent = {each.words: each for each in model.take_messages("A", by=SIMMS).messages}
    assert (sent["Please come."].read_by, sent["To all."].reached) == (["P Taylor"], ["P Taylor", "Q Murphy"])
    assert model.take_messages("A", by=SIMMS).unread == 0
    # A backup has them; nobody is told of them once more.
    backup.dump(database, tmp_path / "dump")
    model.close()
    backup.restore(database, tmp_path / "dump")
    with closing(SQLModel.at(database)) as restored:
        assert texts(restored, TAYLOR, "A") == (["To all.", "Lamps at noon.", "Please come."], 2)
        assert restored.verify_audit().breaks == ()
        # After 30 days they are gone.
        run(database, "UPDATE shift_messages SET sent = sent - interval '30 days' WHERE words <> 'To all.'")
        assert texts(restored, TAYLOR, "A") == (["To all."], 2)
        restored.send_message(ALL, "A new one.", by=MURPHY)
        assert texts(restored, TAYLOR, "A") == (["A new one.", "To all."], 2)
        assert run(database, "SELECT count(*) FROM shift_messages") == [(2,)]


def test_what_cant_be_sent_is_answered_and_a_notice_fits(model: SQLModel, database: Endpoint) -> None:
    for to, words, sentence in (
        (Addressee(person="N Obody"), "x", "There is no technician 'N Obody'. It was not sent."),
        (Addressee(person="x" * 9000), "x", "There is no technician 'xx"),
        (Addressee(lab="Z"), "x", "There is no lab 'Z'. It was not sent."),
        (Addressee(lab="AB"), "x", "There is no lab 'AB'. It was not sent."),
        (ALL, "\N{PILE OF POO}" * (LONGEST + 1), "This text has 641 characters; a message has 640 at most."),
        (ALL, "  ", "There is nothing to send"),
        *((ALL, f"a{sign}b", "one line without control characters") for sign in "\0\n\r\t\x1b\x7f\x85\u2028\u202e"),
    ):
        with pytest.raises(DatabaseError) as refusal:
            model.send_message(to, words, by=SIMMS)
        assert sentence in str(refusal.value)
        assert isinstance(refusal.value, AddresseeUnknown) is sentence.startswith("There is no "), sentence
    assert run(database, "SELECT count(*) FROM shift_messages") == [(0,)]
    with closing(psycopg2.connect(make_dsn(**database))) as listening:
        listening.autocommit = True
        listening.cursor().execute("LISTEN abq_messages")
        # The longest that there can be, of signs that JSON has to escape or that take four bytes.
        names = '"' * 300, "\N{PILE OF POO}" * 512
        run(database, f"INSERT INTO lab_techs VALUES (1, '{names[1]}')")
        for words in ("\N{PILE OF POO}" * LONGEST, '"\\' * (LONGEST // 2)):
            model.send_message(Addressee(person=names[1]), words, by=By(author=names[0]))
            select.select([listening], [], [], 10)
            listening.poll()
            notice = listening.notifies.pop()
            assert len(notice.payload.encode()) < 8000
            content = json.loads(notice.payload)
            assert (content["code"], content["text"], content["login"]) == ("message", words, database["user"])
            assert content["sender"] == names[0][:128] and datetime.datetime.fromisoformat(content["time"])


def test_only_the_functions_write_messages_and_labs_stay_apart(
    model: SQLModel, acting: As, database: Endpoint
) -> None:
    technician = acting("abq_technician")
    changing = (
        "INSERT INTO shift_messages SELECT gen_random_uuid(), now(), 'J Simms', 'abq', NULL, NULL, NULL, 'x'",
        "UPDATE shift_messages SET login = 'abq'", "DELETE FROM shift_messages", "TRUNCATE shift_messages CASCADE",
        "UPDATE shift_message_readers SET read = now()", "DELETE FROM shift_message_readers",
    )  # fmt: skip
    for statement in changing:
        refused(technician, statement, "42501")
    run(database, "GRANT ALL ON shift_messages TO abq_technician; GRANT UPDATE (login) ON shift_messages TO abq_qa")
    run(database, bundled_file("create_db.sql").read_text("utf-8"))
    for statement in changing:
        refused(technician, statement, "42501")
    # Whatever name the application is told, the login stands beside it.
    hostile = "SET abq.application_user = 'P Taylor'; SET abq.workstation = 'bench 1'"
    run(technician, f"{hostile}; SELECT send_message('I resign.'); NOTIFY abq_messages, '{{\"code\": \"message\"}}'")
    (found,) = model.take_messages("A", by=SIMMS).messages
    assert (found.sender, found.login) == ("P Taylor", technician["user"])
    assert found.from_whom == f"P Taylor (login {technician['user']})"
    # Labs kept apart: neither listed, nor heard, nor sent to.
    run(database, "SELECT restrict_labs(true)")
    model.send_message(Addressee(lab="B"), "Theirs.", by=SIMMS)
    model.send_message(Addressee(lab="A"), "Ours.", by=SIMMS)
    with closing(SQLModel.at(technician)) as theirs:
        assert texts(theirs, TAYLOR, "B")[0] == ["I resign."]
        assert texts(theirs, MURPHY, "A")[0] == ["Ours.", "I resign."]
        assert {each.words for each in theirs.get_messages()} == {"Ours.", "I resign."}
        with pytest.raises(DatabaseError, match="There is no lab 'B'"):
            theirs.send_message(Addressee(lab="B"), "x")
    with closing(SQLModel.at(acting("abq_qa"))) as reading:
        assert len(reading.get_messages()) == 3
        with pytest.raises(PrivilegeMissing, match="those who enter records can send"):
            reading.send_message(ALL, "x")
    # A flood is listed in part, and counted.
    run(database, "SELECT restrict_labs(false); SET abq.application_user = 'J Simms';"
                  " SELECT send_message('flood ' || n) FROM generate_series(1, 1000) AS n")  # fmt: skip
    listed, unread = texts(model, TAYLOR)
    assert (len(listed), unread) == (MOST_SHOWN, 1000)


@around_the_commit
def test_a_message_goes_out_once_though_the_answer_was_lost(database: Endpoint, when: When) -> None:
    with losing_answers(database, when) as (model, lose):
        lose()
        assert "kept for 30 days" in model.send_message(ALL, "To all.", by=SIMMS)
        lose()
        assert texts(model, TAYLOR) == (["To all."], 1)
        (found,) = model.get_messages()
        assert found.reached == ["P Taylor"]
        lose()
        assert texts(model, TAYLOR, read=(found.id,)) == (["To all."], 0)


def test_whom_a_message_is_to(model: SQLModel) -> None:
    assert [each.named for each in (ALL, Addressee("J Simms"), Addressee(lab="B"))] == ["all", "J Simms", "lab B"]
    model.save_record(record())
    for to in (ALL, Addressee(lab="B"), Addressee("J Simms")):
        model.send_message(to, "Lamps at noon.", by=TAYLOR)
    found = model.get_messages()
    assert [each.addressee for each in found] == [Addressee("J Simms"), Addressee(lab="B"), ALL]
    assert {(each.line, each.sender) for each in found} == {("Lamps at noon.", "P Taylor")}
    assert replace(found[0], words="a\x1b[2Jb\u202e").line == "a [2Jb"
    assert model.get_messages(Addressee(lab="B")) == [found[1]] == model.get_messages(limit=2)[1:]
    assert model.get_messages(Addressee("j simms")) == [found[0]]
