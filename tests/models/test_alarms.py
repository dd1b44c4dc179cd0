"""Alarms in the database: what begins, what ends, who is told once, and who may say what."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.models import DatabaseError, SQLModel
from abq_data_entry.models.alarms import BEGIN, END, FAILED, MAIL, SENDING, TOLD, Finding, Receiver
from abq_data_entry.models.errors import PrivilegeMissing, RecordMissing
from abq_data_entry.models.undoing import By
from tests.models.logins import roles_of_lab_a
from tests.models.records import record
from tests.models.wire import When, around_the_commit, losing_answers
from tests.qa.data import Endpoint

BENCH, OFFICE = By("J Simms", "bench"), By("P Taylor", "office")
ALL_DAYS = range(1, 8)
FULL = Finding("disk", "/data", "Only 3 MiB are free on the disk of /data.")
FREE = FULL._replace(words="", ending="900 MiB are free again")


class Owner:
    """The owner of the tables, who may change what functions alone write."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._connection = psycopg2.connect(make_dsn(**endpoint))
        self._connection.autocommit = True

    def close(self) -> None:
        self._connection.close()

    def ask(self, statement: str, *given: object) -> list[tuple[object, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, given)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def owner(database: Endpoint) -> Iterator[Owner]:
    """A second connection."""
    with closing(Owner(database)) as found:
        yield found


def expect(owner: Owner, model: SQLModel, zone: str, lab: str = "A", times: tuple[str, ...] = ("20:00",)) -> None:
    """Expect checks of every day, for long."""
    owner.ask("UPDATE lab_settings SET time_zone = %s", zone)
    model.set_calendar(lab, ALL_DAYS, times)
    owner.ask("UPDATE alarm_calendar SET since = '2020-01-01'")


def missing(owner: Owner, moment: str) -> list[str]:
    """The checks that are missing at that moment."""
    asked = "SELECT subject FROM alarm_conditions(%s) WHERE kind = 'check missing' ORDER BY date, time"
    return [str(each) for (each,) in owner.ask(asked, moment)]


def test_a_check_is_missing_an_hour_after_its_time_by_the_labs_clock(model: SQLModel, owner: Owner) -> None:
    assert missing(owner, "2026-11-27 12:00+00") == []
    expect(owner, model, "America/Denver")
    model.save_record(record(Date=datetime.date(2026, 3, 7), Time="20:00"))
    # The clocks go forward in the night to 8 March, and back in the night to 1 November.
    before, after = "2026-03-09 02:59:59+00", "2026-03-09 03:00:00+00"
    assert missing(owner, before)[-2:] == ["2026-03-05 20:00, lab A", "2026-03-06 20:00, lab A"]
    assert missing(owner, after)[-1] == "2026-03-08 20:00, lab A"
    assert missing(owner, "2026-10-31 03:00:00+00")[-1] == "2026-10-30 20:00, lab A"
    assert missing(owner, "2026-11-02 03:59:59+00")[-1] == "2026-10-31 20:00, lab A"
    assert missing(owner, "2026-11-02 04:00:00+00")[-1] == "2026-11-01 20:00, lab A"
    assert len(missing(owner, "2026-11-02 04:00:00+00")) == 7, "no older ones"
    model.set_calendar("A", [6, 7], ())  # no weekends any more
    assert missing(owner, "2026-11-02 04:00:00+00")[-1] == "2026-10-30 20:00, lab A"
    owner.ask("UPDATE labs SET retired = now() WHERE id = 'A'")
    assert missing(owner, "2026-11-02 04:00:00+00") == []


def test_what_was_due_before_it_was_expected_is_not_missing(model: SQLModel, owner: Owner) -> None:
    for lab in ("A", "B"):
        model.set_calendar(lab, ALL_DAYS, ("8:00", "12:00", "16:00", "20:00"))
    assert model.look_for_alarms() == 0
    with pytest.raises(DatabaseError, match="There is no lab Z"):
        model.set_calendar("Z", [1], ("8:00",))
    model.set_calendar("A", [1], ("8:00",))
    kept = [each for each in model.get_calendar() if each.lab == "A" and each.weekday == 1]
    assert [each.time for each in kept] == ["8:00"]


def test_a_missing_check_raises_one_alarm_that_ends_when_it_arrives(model: SQLModel, owner: Owner) -> None:
    yesterday = owner.ask("SELECT (now() AT TIME ZONE 'UTC')::date - 1")[0][0]
    assert isinstance(yesterday, datetime.date)
    expect(owner, model, "UTC", times=("8:00", "12:00"))
    model.add_receiver(Receiver("qa", MAIL, "QA <qa@example.com>"))
    begun = model.look_for_alarms(by=BENCH)
    assert begun >= 12 and model.look_for_alarms(by=OFFICE) == 0
    alarm = next(each for each in model.get_alarms() if each.subject == f"{yesterday} 12:00, lab A")
    assert alarm.line == (
        f"The check of lab A on {yesterday} at 12:00 is missing: an hour after its time nothing is recorded."
    )
    assert (alarm.lab, alarm.workstation, alarm.ended) == ("A", "", None)
    due = next(each for each in model.due_notices() if each.alarm.id == alarm.id)
    assert model.take_notice(due, by=BENCH) and not model.take_notice(due, by=OFFICE)
    assert model.note_notice(due, SENDING, by=BENCH) and model.note_notice(due, TOLD, by=BENCH)
    assert not model.note_notice(due, FAILED, "late news", by=BENCH), "it is settled"
    assert alarm.id not in [each.alarm.id for each in model.due_notices()]

    model.save_record(record(Date=yesterday, Time="12:00"))
    assert model.look_for_alarms(by=OFFICE) == 1
    (ended,) = (each for each in model.get_alarms(ended_days=1) if each.id == alarm.id)
    assert ended.ended is not None and re.fullmatch(r"arrived on [\d-]{10} at \d{1,2}:\d\d", ended.ended_words)
    (end,) = (each for each in model.due_notices() if each.about == END)
    assert (end.alarm.id, end.receiver) == (alarm.id, "qa")
    # What ended before it was told isn't told at all: neither that it began nor that it ended.
    model.save_record(record(Date=yesterday, Time="8:00"))
    assert model.look_for_alarms() == 1
    assert not [each for each in model.due_notices() if each.alarm.subject == f"{yesterday} 8:00, lab A"]
    model.set_calendar("A", ALL_DAYS, ())
    model.look_for_alarms()
    others = [each for each in model.get_alarms(ended_days=1) if str(yesterday) not in each.subject]
    assert {each.ended_words for each in others} == {"it isn't expected any more"}
    model.remove_receiver("qa")
    assert model.due_notices() == [] and not model.take_notice(end, by=BENCH)


def delivery(owner: Owner, state: str, version: int = 1, *, ago: str = "2 hours", date: str = "today") -> None:
    """A row of `deliveries`, as an outbox tells it."""
    owner.ask(
        "INSERT INTO deliveries (id, created, date, file_name, version, destination, address, username, size, sha256,"
        " state, attempts, last_attempt, delivered, reason, revision) SELECT gen_random_uuid(), now() - %s::interval,"
        " %s::date, 'abq.csv', %s, 'rest', 'example.com', '', 1, repeat('0', 64), %s, 1, now(),"
        " CASE WHEN %s = 'delivered' THEN now() END, E'It said:\\r\\n\\u001b[31mno \\u202eway', 1",
        ago, date, version, state, state,
    )  # fmt: skip


def test_deliveries_that_are_late_or_given_up(model: SQLModel, owner: Owner) -> None:
    def said() -> list[tuple[str, str, str]]:
        model.look_for_alarms()
        return [(each.kind, each.line, each.ended_words) for each in model.get_alarms(ended_days=1)]

    today = owner.ask("SELECT current_date")[0][0]
    delivery(owner, "waiting", ago="59 minutes", date="yesterday")
    delivery(owner, "failed", ago="30 days", date="2026-01-01")  # long ago
    assert said() == []
    delivery(owner, "waiting")
    late = ("delivery late", "abq.csv has waited for its delivery to rest for more than an hour.", "")
    assert said() == [late]
    owner.ask("UPDATE deliveries SET state = 'failed', revision = 2 WHERE date = current_date")
    given_up, ended = said()
    assert given_up == ("delivery failed", "The delivery of abq.csv to rest was given up: It said: [31mno way", "")
    assert ended == (*late[:2], "the delivery was given up")
    owner.ask("UPDATE deliveries SET state = 'unknown' WHERE date = current_date")
    assert said()[0][1].startswith("Whether abq.csv has arrived at rest isn't known")
    assert [each.subject for each in model.get_alarms()] == [f"rest {today}"]
    owner.ask("UPDATE deliveries SET destination = repeat('x', 100000) WHERE date = '2026-01-01'")  # nobody is held up
    owner.ask("UPDATE deliveries SET date = '2027-01-01', last_attempt = now() WHERE date = '2026-01-01'")
    assert said()[0][1].startswith("The delivery of abq.csv to xxx")
    owner.ask("UPDATE deliveries SET state = 'cancelled' WHERE date = '2027-01-01'")
    delivery(owner, "delivered", 2, ago="0 hours")
    ends = [words for _kind, _line, words in said()]
    assert any(each.startswith("arrived at ") for each in ends) and model.get_alarms() == []


def test_what_a_schedule_should_have_sent(model: SQLModel, owner: Owner) -> None:
    owner.ask("UPDATE lab_settings SET time_zone = 'UTC'")
    day = owner.ask("SELECT (now() AT TIME ZONE 'UTC')::date - 2")[0][0]
    assert isinstance(day, datetime.date)
    owner.ask("INSERT INTO destinations (name, kind, address, schedule) VALUES"
              " ('archive', 'folder', '/srv/archive', 'every day at 20:30')")  # fmt: skip
    owner.ask("ALTER TABLE destinations DISABLE TRIGGER USER")
    owner.ask("UPDATE destinations SET scheduled = '2020-01-01'")
    model.save_record(record(Date=day))
    assert model.look_for_alarms() == 0, "what is entered late isn't late at once"
    soon = "SELECT words FROM alarm_conditions(clock_timestamp() + interval '61 minutes')"
    assert owner.ask(soon) == [(f"The extract of {day} should have gone to folder:archive, and no workstation has"
                                " sent it.",)]  # fmt: skip
    owner.ask("ALTER TABLE audit DISABLE TRIGGER USER")
    owner.ask("UPDATE audit SET moment = moment - interval '1 day'")
    assert model.look_for_alarms() == 1
    (due,) = model.due_deliveries()
    assert model.take_delivery(due) and model.look_for_alarms() == 0, "somebody is at it"
    owner.ask("DELETE FROM destinations")
    owner.ask("DELETE FROM scheduled_deliveries")
    assert model.look_for_alarms() == 1 and model.get_alarms(ended_days=1)[0].ended_words == "it isn't due any more"


def test_only_the_workstation_that_knows_ends_its_alarm(model: SQLModel, owner: Owner) -> None:
    assert model.look_for_alarms([FULL], by=BENCH) == 1
    assert model.look_for_alarms([FULL._replace(words="Only 2\n\x1b MiB.")], by=BENCH) == 0
    assert model.look_for_alarms([FREE], by=OFFICE) == 0
    (alarm,) = model.get_alarms()
    assert (alarm.subject, alarm.words, alarm.workstation) == ("bench: /data", "Only 2 MiB.", "bench")
    # A person ends it for everybody, and it isn't told again while the disk stays full.
    model.end_alarm(alarm.id, "ordered\na disk", by=OFFICE)
    assert model.look_for_alarms([FULL], by=BENCH) == 0 and model.get_alarms() == []
    assert model.get_alarms(ended_days=1)[0].ended_words == "ended by P Taylor (login abq): ordered a disk"
    with pytest.raises(DatabaseError, match=f"Alarm {alarm.id} has ended already"):
        model.end_alarm(alarm.id)
    with pytest.raises(RecordMissing, match="There is no alarm 99"):
        model.end_alarm(99)
    assert model.look_for_alarms([FREE], by=BENCH) == 1
    assert model.look_for_alarms([FULL], by=BENCH) == 1 and model.get_alarms()[0].id != alarm.id
    # Which workstation it is a session says itself, so the list names another login that ends the alarm.
    owner.ask("UPDATE alarms SET raised_by = 'somebody' WHERE ended IS NULL")
    assert model.look_for_alarms([FREE], by=BENCH) == 1
    assert model.get_alarms(ended_days=1)[0].ended_words == "900 MiB are free again (as login abq says)"
    with pytest.raises(DatabaseError, match="tells of backup, audit and disk, not of check missing"):
        model.look_for_alarms([FULL._replace(kind="check missing")])
    many = [FULL._replace(subject=f"/{number}", words="x" * 5000) for number in range(300)]
    many.append(FULL._replace(subject="/" + "\N{PILE OF POO}" * 3000))
    model.look_for_alarms(many, by=OFFICE)
    assert len(model.get_alarms()) == 200 and max(len(each.words) for each in model.get_alarms()) == 1000
    owner.ask("UPDATE alarms SET ended = now(), ended_words = 'x', over = now()")
    assert model.look_for_alarms([FULL], by=OFFICE) == 1 == model.look_for_alarms([FREE], by=OFFICE)
    # Nor does somebody get all told all day by having alarms begin and end.
    owner.ask(
        "INSERT INTO alarms (kind, subject, words, raised, raised_by, ended, ended_words, over)"
        " SELECT 'audit', 'audit', 'x', now(), session_user, now(), 'x', now() FROM generate_series(1, 1000)"
    )
    assert model.look_for_alarms([FULL], by=OFFICE) == 0
    owner.ask("UPDATE alarms SET raised = now() - interval '25 hours'")
    assert model.look_for_alarms([FULL], by=OFFICE) == 1
    owner.ask("UPDATE alarms SET ended = now(), ended_words = 'x', over = now() - interval '91 days'")
    model.look_for_alarms()
    assert model.get_alarms(ended_days=365) == []


def test_a_fault_that_comes_and_goes_makes_one_notice_an_hour(model: SQLModel, owner: Owner) -> None:
    model.add_receiver(Receiver("qa", MAIL, "qa@example.com"))
    told = list[tuple[int, str]]()
    for _ in range(5):
        for finding in (FULL, FREE):
            model.look_for_alarms([finding], by=BENCH)
            for due in model.due_notices():
                assert model.take_notice(due, by=BENCH) and model.note_notice(due, TOLD, by=BENCH)
                told.append((due.alarm.id, due.about))
    first = told[0][0]
    assert told == [(first, BEGIN), (first, END)]
    model.look_for_alarms([FULL], by=BENCH)
    assert model.due_notices() == []
    owner.ask("UPDATE alarm_notices SET taken = taken - interval '61 minutes'")
    (due,) = model.due_notices()
    # What fails is tried again after a while, by whoever comes first, and given up after a day.
    assert model.take_notice(due, by=BENCH) and model.note_notice(due, FAILED, "no\nway", 60.0, by=BENCH)
    assert model.due_notices() == [] and model.get_alarms()[0].failed_notices == ["qa of the begin: no way"]
    owner.ask("UPDATE alarm_notices SET next = now() WHERE state = 'failed'")
    (again,) = model.due_notices()
    assert again.attempts == 1 and model.take_notice(again, by=OFFICE)
    owner.ask("UPDATE alarm_notices SET first = now() - interval '25 hours' WHERE state = 'taken'")
    model.note_notice(again, FAILED, "still not", 60.0, by=OFFICE)
    owner.ask("UPDATE alarm_notices SET next = now() WHERE next IS NOT NULL")
    assert model.due_notices() == []


def test_an_open_transaction_holds_its_own_alarm_back_and_no_other(
    model: SQLModel, owner: Owner, database: Endpoint
) -> None:
    more = [FULL._replace(subject=f"/{number}") for number in range(3)]
    model.look_for_alarms(more[:2], by=BENCH)
    delivery(owner, "failed")
    with closing(psycopg2.connect(make_dsn(**database))) as holding, holding.cursor() as cursor:
        cursor.execute("SELECT look_for_alarms(), end_alarm(min(id)) FROM alarms")
        found = [more[0]._replace(words="Full."), more[2], more[1]._replace(words="", ending="free")]
        with pytest.raises(DatabaseError, match="in a transaction that stays open"):
            model.look_for_alarms(found, by=BENCH)
        said = {each.subject: each.ended_words for each in model.get_alarms(ended_days=1)}
        assert said == {"bench: /0": "", "bench: /1": "free", "bench: /2": ""}
    assert model.look_for_alarms(found, by=BENCH) == 1
    assert "delivery failed" in [each.kind for each in model.get_alarms()]


def test_a_receiver_with_many_due_notices_keeps_no_other_waiting(model: SQLModel, owner: Owner) -> None:
    for name in ("a", "b"):
        model.add_receiver(Receiver(name, MAIL, "qa@example.com"))
    owner.ask(
        "INSERT INTO alarms (kind, subject, words, workstation, raised, raised_by)"
        " SELECT 'disk', n, 'Full.', 'bench', now(), 'x' FROM generate_series(1, 600) AS n"
    )
    due = model.due_notices()
    assert {each.receiver for each in due} == {"a", "b"} and not any(each.overdue for each in due)
    owner.ask("UPDATE alarms SET raised = now() - interval '11 minutes' WHERE subject = '7'")
    assert [(each.alarm.subject, each.receiver) for each in model.due_notices() if each.overdue] == [
        ("7", "a"), ("7", "b")
    ]  # fmt: skip


def test_who_was_sending_and_never_said_what_came_of_it(model: SQLModel, owner: Owner) -> None:
    for name in ("qa", "boss"):
        model.add_receiver(Receiver(name, MAIL, "qa@example.com"))
    model.look_for_alarms([FULL], by=BENCH)
    boss, qa = model.due_notices()
    assert model.take_notice(boss, by=BENCH) and model.take_notice(qa, by=BENCH)
    model.note_notice(qa, SENDING, by=BENCH)
    owner.ask("UPDATE alarm_notices SET taken = now() - interval '11 minutes'")
    model.look_for_alarms(by=OFFICE)
    # Nothing of it was sent to the boss; it may have arrived at QA, so it isn't sent again by itself.
    assert [(each.receiver, each.about) for each in model.due_notices()] == [("boss", BEGIN)]
    (failed,) = model.get_alarms()[0].failed_notices
    assert failed.startswith("qa of the begin: The workstation that was sending it")
    model.look_for_alarms([FREE], by=BENCH)
    assert [(each.receiver, each.about) for each in model.due_notices()] == [("qa", END)]


NO_RECEIVERS: list[tuple[tuple[str, ...], str]] = [
    (("QA", MAIL, "qa@example.com"), "small letters"),
    (("qa", "pigeon", "qa@example.com"), "mail or webhook"),
    (("qa", MAIL, "nobody"), "must be one as qa@example.com"),
    (("qa", MAIL, "a\r\nBcc: x <b@example.com>"), "must be one as"),
    (("qa", MAIL, "qa@example.com", "reports"), "no destination 'reports'"),
    (("qa", MAIL, "qa@example.com", "http://x"), "smtp://"),
    (("qa", "webhook", "http://example.com/x"), "https://"),
    (("qa", "webhook", "https://u:p@example.com/x"), "https://"),
    (("qa", "webhook", "https://example.com/x", "", "user"), "neither a server"),
    (("qa", "webhook", "https://example.com/x", "", "", "magic"), "token or signature"),
    (("qa", MAIL, "qa@example.com", "", "x" * 201), "too long"),
    (("qa", MAIL, "qa@exam\0ple.com"), "character 0"),
]


def test_what_can_be_no_receiver(model: SQLModel) -> None:
    for row, reason in NO_RECEIVERS:
        with pytest.raises(DatabaseError, match=reason):
            model.add_receiver(Receiver(*row))
    assert model.get_receivers() == {}


def test_technicians_look_and_tell_and_change_no_lists(model: SQLModel, owner: Owner, database: Endpoint) -> None:
    model.save_record(record())
    model.add_receiver(Receiver("hook", "webhook", "http://localhost:9/x"))
    with roles_of_lab_a(database) as make:
        for role in ("abq_technician", "abq_qa"):
            someone = SQLModel.at(make(f"GRANT {role} TO {{}}"))
            with closing(someone):
                with someone.try_alarm_lock() as is_ours, model.try_alarm_lock() as also_theirs:
                    assert is_ours and not also_theirs
                someone.look_for_alarms([FULL], by=By("", role))
                (due,) = someone.due_notices()
                assert someone.take_notice(due) and not model.note_notice(due, TOLD), "only who took it says so"
                assert someone.note_notice(due, TOLD)
                someone.look_for_alarms([FREE], by=By("", role))
                for change in (
                    lambda someone=someone: someone.set_calendar("A", [1], ("8:00",)),
                    lambda someone=someone: someone.remove_receiver("hook"),
                    lambda someone=someone: someone.add_receiver(Receiver("x", MAIL, "x@example.com")),
                ):
                    with pytest.raises(PrivilegeMissing, match="Only the owner of the database"):
                        change()
            owner.ask("DELETE FROM alarms")


def test_where_labs_are_kept_apart_each_sees_its_own(model: SQLModel, owner: Owner, database: Endpoint) -> None:
    for lab in ("A", "B"):
        expect(owner, model, "UTC", lab)
    with roles_of_lab_a(database) as make:
        owner.ask("SELECT restrict_labs(true)")
        with closing(SQLModel.at(make("GRANT abq_technician TO {}"))) as someone:
            someone.look_for_alarms([Finding("audit", "", "It is broken.")])
            assert {each.lab for each in someone.get_alarms()} == {"A", None}
            assert {each.lab for each in model.get_alarms()} == {"A", "B", None}
            assert {each.lab for each in someone.get_calendar()} == {"A"}
            someone.look_for_alarms([Finding("audit", "", "", "intact")])
            assert any(each.kind == "audit" for each in model.get_alarms()), "it sees only a part of the audit"
            other = next(each for each in model.get_alarms() if each.lab == "B")
            with pytest.raises(RecordMissing):
                someone.end_alarm(other.id)
    model.look_for_alarms([Finding("audit", "", "", "intact")])
    assert not any(each.kind == "audit" for each in model.get_alarms())


@around_the_commit
def test_an_alarm_is_ended_once_though_the_answer_was_lost(database: Endpoint, when: When) -> None:
    with losing_answers(database, when) as (model, lose):
        model.look_for_alarms([FULL, FULL._replace(subject="/home")], by=BENCH)
        ended, other = model.get_alarms()
        lose()
        model.end_alarm(ended.id, "ordered a disk", by=OFFICE)
        assert model.get_alarms() == [other]
        assert model.get_alarms(ended_days=1)[-1].ended_words.endswith(": ordered a disk")


def test_a_receiver_has_a_name_of_its_own(model: SQLModel) -> None:
    qa = Receiver("qa", MAIL, "qa@example.com")
    with pytest.raises(DatabaseError, match=r"There is no receiver qa in the database\. There is none\."):
        model.remove_receiver("qa")
    model.add_receiver(qa)
    for wrong, words in (
        (qa._replace(address="boss@example.com"), "There is a receiver qa already"),
        (qa._replace(name="a\0"), "can hold the character 0"),
        (qa._replace(name="b", kind="x"), "kind"),
    ):
        with pytest.raises(DatabaseError, match=words):
            model.add_receiver(wrong)
    with pytest.raises(DatabaseError, match=r"There is no receiver chat in the database\. There are: qa\."):
        model.remove_receiver("chat")
    assert model.get_receivers() == {"qa": qa} and model.remove_receiver("qa") == qa and model.get_receivers() == {}
