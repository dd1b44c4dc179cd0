"""Destinations in the database: what is taken, by the program and by the tables; and what their schedules make due."""

from __future__ import annotations

import datetime
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import make_dsn

from abq_data_entry.models import DatabaseError, PrivilegeMissing, SQLModel
from abq_data_entry.models.auditing import QA_VIEWS
from abq_data_entry.models.settings import SETTINGS
from abq_data_entry.network.destinations import STORED_KINDS, destination, is_known
from abq_data_entry.network.destinations.rest import without_secrets
from abq_data_entry.postgres.connections import cursor_at
from abq_data_entry.setting import Setting
from abq_data_entry.stored_destination import STORED, StoredDestination
from tests.models.logins import roles_of_lab_a
from tests.models.records import DATE, record
from tests.models.test_schema import Endpoint, run

ARCHIVE = StoredDestination("archive", "sftp", "files.example.com:2222", folder="plants/abq", username="abq")
URL = "https://example.com/upload"
REST = {"kind": "rest", "folder": "", "address": URL}
DEFAULTS: dict[str, object] = {each.name: each.default for each in SETTINGS if isinstance(each, Setting)}

REFUSED: dict[str, list[dict[str, Any]]] = {
    "called by 1 to 40": [{"name": each} for each in ("", "Archive", "a b", "../x", "1a", "a" * 41, "ü", "a:b", "a\n")],
    "like a kind": [{"name": "ftp"}, {"name": "webdav"}],
    "The kind of a destination is": [{"kind": "scp"}, {"kind": ""}],
    "a host, or a host and a port": [
        {"address": each}
        for each in (
            *("", "a b", "user@host", "host:0", "host:65536", "host:99999", "host:", ":22", "host:22:22", "host:+22"),
            *("host/x", "-host", "host-", "a..b", ".a", "a" * 64, "ssh://host", "sftp://host", "u:p@host", "hòst"),
            *("[::1]x", "[::1]:0", "[::1", "[x]", "[:]", "[1.2.3.4]", "::1", "[::1%eth0]", "1.2.3", "1.2.3.999", "7"),
            *("a\u200bb", "a\u00a0b", "a\\b", "a,b", "host:２２"),
        )
    ],
    "line breaks": [{"address": "host\n"}, {"folder": "a\x1b[2J"}, {"username": "a\u202eb"}, {"file_name": " a.csv"}],
    "too long": [{"address": "h" * 1001}, {"file_name": "a" * 120 + ".csv"}, {"username": "u" * 201}],
    "The folder must have /": [{"folder": each} for each in ("..", "a/../b", "a\\b", "~/x", "-rf", "a/-x", "{date}")],
    "knows {date} and {lab} only": [{"file_name": "{time}.csv"}, {"file_name": "a}.csv"}],
    "of letters, digits": [{"file_name": each} for each in ("../a.csv", "a/b.csv", ".a.csv", "a..csv", "a*.csv")],
    "must end with .csv": [{"file_name": "{date}.xlsx"}, {"file_name": "{date}"}],
    "There is no view": [{"contents": "pg_shadow"}, {"contents": "audit"}, {"contents": ""}],
    "The format is csv": [{"format": "xlsx"}, {"contents": "growth", "format": "exe", "file_name": "a.exe"}],
    "knows {lab}": [{"contents": "growth", "file_name": "{lab}.csv"}],
    "The schedule is": [
        {"schedule": each} for each in ("", "every day at 24:00", "every day at 8:30", "hourly", "by hand; --")
    ],
    "without user, password": [
        {"kind": "rest", "folder": "", "address": each}
        for each in (
            *("e.org", "https://u:p@e.org/", "https://e.org/?key=1", "ftp://x/", "https://e/#a", "http:/e", "HTTPS://e"),
            *("", "https://", "https:///up", "https://[x/up", "https://[x]/up", "https://[::1]x/", "https://e:99999/up"),
            *("https://e:0/", "https://e:/", "https://e:port/", "https://e e/", "https://e/a b", "https://a..b/"),
            *("https://1.2.3.999/", "https://e\\@evil/", "https://e/a\u200bb", "https://e/\u00a0"),
            *("javascript:alert(1)", "https://u@e/", "https://:p@e/", "https://-e/", "https://[::1]:65536/"),
        )
    ]
    + [{"kind": "webdav", "address": each} for each in ("https://e:99999/", "https://[x/dav", "https://u:p@e/dav")],
    "one as https://example.com/auth": [
        {"kind": "rest", "folder": "", "address": URL, "login_address": each}
        for each in ("https://e:99999/", "https://[x/", "e.org", "https://u:p@e.org/", "https://e/?a=1")
    ],
    "one as qa@example.com": [{"kind": "email", "folder": "", "address": "qa"}],
    "as smtp://mail.example.com:587": [
        {"kind": "email", "folder": "", "address": "QA <qa@example.com>", "login_address": "http://x"},
    ],
    "a host to go through": [
        {"login_address": each}
        for each in (URL, "jump.example.com", "ssh://a:b@jump", "ssh://@jump", "ssh://jump:0", "ssh://jump/x", "ssh://")
    ],
    "login address is for the kinds rest": [
        {"kind": "ftps", "login_address": "ssh://jump.example.com"},
        {"kind": "webdav", "address": URL, "login_address": URL},
        *({"kind": each, "folder": "", "address": URL, "login_address": URL} for each in ("xmlrpc", "s3")),
    ],
    "login method is": [{**REST, "login_method": each} for each in ("digest", "API-KEY", " basic", "x\n", "none")],
    "login method of the kind email is none": [
        {"kind": "email", "folder": "", "address": "qa@example.com", "login_method": "basic"},
    ],
    "method is for the kinds rest, brapi, xmlrpc and email": [
        {"login_method": "basic"}, {"kind": "s3", "folder": "", "address": URL, "login_method": "basic"},
    ],
    "it has no address": [{**REST, "login_method": each, "login_address": URL} for each in ("api-key", "basic")],
    "login header is": [
        *({**REST, "login_method": "api-key", "login_header": each} for each in ("a b", "a:", "ü", "a\nb", "h" * 101)),
        {**REST, "login_header": "X-Key"},
    ],
    "login scope is": [
        *({**REST, "login_method": "oauth2", "login_scope": each} for each in ("a  b", " a", 'a"', "a\\", "ü", "a\n")),
        {**REST, "login_method": "token", "login_scope": "a"},
    ],
    "on the way it could be read": [
        {**REST, "login_method": "token", "address": "http://example.com/up"},
        {**REST, "login_method": "oauth2", "login_address": "http://localhost.example.com/token"},
        {**REST, "login_method": "basic", "address": "http://127.0.0.1.example.com"},
        {"kind": "xmlrpc", "folder": "", "address": "http://example.com/RPC2"},
    ],
    "login method of the kind xmlrpc is": [
        {"kind": "xmlrpc", "folder": "", "address": URL, "login_method": each} for each in ("cookie", "token", "x")
    ],
    "the method that is called": [{"kind": "xmlrpc", "folder": each, "address": URL} for each in ("a b", "ü", "{x}")],
    "By brapi go the records": [
        {"kind": "brapi", "address": URL, "checksum": True},
        {"kind": "brapi", "address": URL, "contents": "growth"},
    ],
    "no folder": [{"kind": "rest", "address": URL}],
    "whole path of a folder": [
        {"kind": "folder", "folder": "", "username": "", "address": each}
        for each in ("x", "../x", "/a/../b", "C:x", "\\x")
    ],
    "neither a folder": [{"kind": "folder", "address": "/mnt/x"}],
}  # fmt: skip
TAKEN: list[dict[str, Any]] = [
    {}, {"address": "localhost"}, {"address": "[::1]:22"}, {"address": "10.0.0.1"}, {"folder": "/srv/ü b"},
    {"address": "[2001:db8::2]"}, {"address": "files_2.example.com:65535"}, {"address": "xn--bcher-kva.example"},
    {"kind": "rest", "folder": "", "address": "https://[::1]:8443/a/b%20c~d;e=f/"},
    {"kind": "rest", "folder": "", "address": URL, "login_address": "http://localhost:8000/auth"},
    {"kind": "webdav", "address": "https://example.com/dav/"},
    {**REST, "login_method": "api-key", "login_header": "X-Lab.Key_1"}, {**REST, "login_method": "cookie"},
    {"kind": "brapi", "address": "https://example.com/brapi/v2", "folder": "ABQ 2026", "login_method": "basic"},
    {"kind": "xmlrpc", "folder": "lab.Store:1/x_2", "address": URL},
    {"login_address": "ssh://lab@jump.example.com:2222"}, {"login_address": "ssh://[::1]:22"},
    {"kind": "s3", "folder": "plants/2026", "address": "https://minio.example.com:9000/lab"},
    {"kind": "xmlrpc", "folder": "", "address": "http://example.com/RPC2", "login_method": "none"},
    {**REST, "login_method": "oauth2", "login_address": "http://127.0.0.1:8000/token", "login_scope": "a:b https://x/.c"},
    {"kind": "folder", "folder": "", "username": "", "address": "/mnt/company"},
    {"kind": "folder", "folder": "", "username": "", "address": r"\\server\share"},
    {"kind": "ftps", "schedule": "every day at 20:30", "checksum": True},
    {"file_name": "Lab {lab} {date}.csv", "schedule": "when a check is complete"},
    {"contents": "growth", "format": "xlsx", "file_name": "growth_{date}.xlsx"},
]  # fmt: skip


def directly(endpoint: Endpoint, row: StoredDestination) -> str:
    """What the table itself says to a row; '' if it takes it."""
    columns = ", ".join(row._fields)
    with closing(psycopg2.connect(make_dsn(**endpoint))) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(f"INSERT INTO destinations ({columns}) VALUES %s", (tuple(row),))
        except psycopg2.errors.CheckViolation as error:
            return error.diag.message_primary or ""
        finally:
            connection.rollback()
    return ""


def test_what_cannot_be_is_refused_by_program_and_table_alike(model: SQLModel, database: Endpoint) -> None:
    for words, rows in REFUSED.items():
        for changes in rows:
            row = ARCHIVE._replace(**changes)
            with pytest.raises(DatabaseError) as refused:
                model.add_destination(row)
            assert words in str(refused.value) and str(refused.value).endswith(" Nothing was changed."), changes
            assert "violates" not in str(refused.value), "the program asks before the table refuses it"
            assert words in directly(database, row), changes
    with pytest.raises(DatabaseError, match="character 0"):
        model.add_destination(ARCHIVE._replace(folder="a\0b"))
    for number, changes in enumerate(TAKEN):
        row = ARCHIVE._replace(**{"name": f"d{number}", **changes})
        assert directly(database, row) == "", changes
        model.add_destination(row)
    stored = model.get_destinations()
    assert [each._replace(name="") for each in sorted(stored.values(), key=lambda each: int(each.name[1:]))] == [
        ARCHIVE._replace(**{**changes, "name": ""}) for changes in TAKEN
    ]
    assert [key for key in stored if not is_known(key)] == []
    # Each can be used as it is, with the settings of any workstation.
    values: dict[str, object] = {**DEFAULTS, STORED: stored}
    for key in stored:
        to = destination(key)
        elsewhere = "whole path" in to.problem(values)  # a folder of Windows, or of the others
        assert (elsewhere or to.problem(values), to.is_set_up(values)) == (elsewhere or "", True)
        assert not elsewhere or "folder:" in key
        assert to.place(values).kind == key and to.address(values)
        assert "isn't valid" not in to.address(values) and to.uploads(values, "ada", "word")
    assert without_secrets(URL) in [destination(key).address(values) for key in stored]
    # What an older version took and yet is no address is told, and never keeps the window from its menus.
    for kind in ("rest", "webdav"):
        row = ARCHIVE._replace(name="odd", kind=kind, folder="", address="https://[x/up")
        values = {**DEFAULTS, STORED: {row.key: row}}
        to = destination(row.key)
        assert to.remark(values) == "" and to.address(values) and to.login_place(values)


def test_the_table_knows_the_kinds_and_views_of_the_program(database: Endpoint) -> None:
    assert set(run(database, "SELECT unnest(destination_kinds())")) == {(each,) for each in STORED_KINDS}
    assert set(run(database, "SELECT unnest(qa_views())")) == {(each,) for each in QA_VIEWS}


def test_name_and_kind_stay_and_what_waits_keeps_a_destination(model: SQLModel, database: Endpoint) -> None:
    model.add_destination(ARCHIVE)
    with pytest.raises(DatabaseError, match="There is a destination archive already"):
        model.add_destination(ARCHIVE._replace(kind="ftp"))
    for change in ("name = 'other'", "kind = 'ftp'"):
        with pytest.raises(psycopg2.errors.CheckViolation, match="keeps its name and its kind"):
            run(database, f"UPDATE destinations SET {change}")
    assert model.change_destination("archive", {"folder": "x"}).folder == "x"
    with pytest.raises(DatabaseError, match=r"There is no destination other in the database. There are: archive\."):
        model.change_destination("other", {"folder": "x"})
    run(database, "INSERT INTO deliveries VALUES (gen_random_uuid(), now(), '2025-02-28', 'a.csv', 1, 'sftp:archive',"
                  " 'x', 'u', 1, repeat('0', 64), 'failed', 3, now(), NULL, 'no way', 7)")
    with pytest.raises(DatabaseError, match="1 delivery to archive didn't arrive yet"):
        model.remove_destination("archive")
    assert model.remove_destination("archive", anyway=True) == ARCHIVE._replace(folder="x")
    assert model.get_destinations() == {}
    run(database, "ALTER TABLE destinations ADD CHECK (name <> 'own')")  # a rule that only this database has
    with pytest.raises(DatabaseError, match=r"violates check constraint .* Nothing was changed"):
        model.add_destination(ARCHIVE._replace(name="own"))
    assert model.get_destinations() == {}
    assert model.verify_audit().breaks == ()
    entries = "SELECT operation, key ->> 'name' FROM audit WHERE table_name = 'destinations' ORDER BY sequence"
    assert run(database, entries) == [("INSERT", "archive"), ("UPDATE", "archive"), ("DELETE", "archive")]


def test_who_may_change_them(model: SQLModel, database: Endpoint) -> None:
    model.add_destination(ARCHIVE)
    with roles_of_lab_a(database) as make:
        for role in ("abq_technician", "abq_supervisor", "abq_qa"):
            endpoint = make(f"GRANT {role} TO {{}}")
            with closing(SQLModel.at(endpoint)) as person:
                assert person.get_destinations() == {ARCHIVE.key: ARCHIVE}
                with pytest.raises(PrivilegeMissing, match="owner of the database"):
                    person.change_destination("archive", {"address": "evil.example.com"})
        endpoint = make("GRANT abq_technician TO {0}; GRANT SELECT, INSERT, UPDATE, DELETE ON destinations TO {0}")
        with closing(SQLModel.at(endpoint)) as administrator:
            assert administrator.change_destination("archive", {"folder": ""}).folder == ""


# -- schedules

ZONE = "America/Denver"
EVENING = "every day at 20:30"


def due(database: Endpoint, moment: str) -> list[tuple[str, str, str]]:
    """Destination, day and occasion of what is due at that moment."""
    with cursor_at(database) as cursor:
        return due_for(cursor, moment)


def due_for(cursor: Cursor, moment: str) -> list[tuple[str, str, str]]:
    """The same at a connection that stays: for many moments."""
    cursor.execute(f"SELECT destination, date, occasion FROM due_deliveries('{moment}')")
    return [(str(name).partition(":")[2], str(date), str(occasion)) for name, date, occasion in cursor.fetchall()]


def scheduled(database: Endpoint, since: str) -> None:
    """Let the schedules hold since that moment, in that zone."""
    run(database, f"""
        UPDATE lab_settings SET time_zone = '{ZONE}';
        ALTER TABLE destinations DISABLE TRIGGER refuse_destination;
        UPDATE destinations SET scheduled = '{since}';
        ALTER TABLE destinations ENABLE TRIGGER refuse_destination;
    """)


def test_a_time_of_the_day_is_due_once_and_missed_days_are_caught_up(model: SQLModel, database: Endpoint) -> None:
    for date in ("2026-03-07", "2026-03-08", "2026-03-09", "2026-10-31", "2026-11-01"):
        model.save_record(record(Date=datetime.date.fromisoformat(date)))
    model.add_destination(ARCHIVE._replace(schedule=EVENING))
    scheduled(database, "2026-03-01 00:00-07")
    assert due(database, "2026-03-07 20:29:59-07") == []
    assert due(database, "2026-03-07 20:30:00-07") == [("archive", "2026-03-07", "20:30")]
    # The workstation was asleep for days: each day that has records is due once; those longer ago stay out.
    assert [date for _, date, _ in due(database, "2026-03-09 21:00-06")] == ["2026-03-07", "2026-03-08", "2026-03-09"]
    assert [date for _, date, _ in due(database, "2026-03-16 20:00-06")] == ["2026-03-09"]
    # The clock of the server has passed midnight in UTC long before the labs' day ends.
    assert due(database, "2026-11-01 01:00+00") == []
    assert [date for _, date, _ in due(database, "2026-11-01 03:00+00")] == ["2026-10-31"]
    # Nights in which the clock is put forward or back: the hour that isn't there, and the one that comes twice.
    model.change_destination("archive", {"schedule": "every day at 02:30"})
    scheduled(database, "2026-03-01 00:00-07")
    spring = [due(database, f"2026-03-08 0{hour}:59:59{zone}") for hour, zone in ((1, "-07"), (3, "-06"))]
    assert spring == [[], [("archive", "2026-03-07", "02:30")]]  # before the first check: the day before
    autumn = [due(database, f"2026-11-01 {moment}") for moment in ("01:59-06", "01:59-07", "02:31-07")]
    assert [[date for _, date, _ in each] for each in autumn] == [[], [], ["2026-10-31"]]


def test_each_night_has_one_delivery_whatever_the_clock_does(model: SQLModel, database: Endpoint) -> None:
    times = ("00:30", "01:30", "02:30", "03:30")
    for date in ("2026-03-06", "2026-03-07", "2026-10-30", "2026-10-31"):
        model.save_record(record(Date=datetime.date.fromisoformat(date)))
    for at in times:
        model.add_destination(ARCHIVE._replace(name=f"at-{at[:2]}", schedule=f"every day at {at}"))
    for begin, days in (("2026-03-07 06:00+00", ("2026-03-06", "2026-03-07")),
                        ("2026-10-31 05:00+00", ("2026-10-30", "2026-10-31"))):  # fmt: skip
        scheduled(database, begin)
        # Each half hour of two nights, but for some in which the computer is asleep: over the time that is left out
        # in spring, and over one of the two hours that come twice.
        for asleep in ((), range(50, 60), range(2, 95)):
            sent = list[tuple[str, str, str]]()
            with cursor_at(database) as cursor:
                cursor.execute("DELETE FROM scheduled_deliveries")
                for half_hours in range(96):
                    if half_hours in asleep:
                        continue
                    moment = f"{begin}'::timestamptz + '{half_hours * 30} minutes"
                    for name, date, occasion in due_for(cursor, moment):
                        sent.append((name, date, occasion))
                        cursor.execute("INSERT INTO scheduled_deliveries (destination, date, occasion, taken, taken_by,"
                                       f" delivery) VALUES ('sftp:{name}', '{date}', '{occasion}', now(), 'x',"
                                       " gen_random_uuid())")
            assert sorted(sent) == sorted((f"at-{at[:2]}", day, at) for at in times for day in days), asleep


def test_a_complete_check_is_due_once(model: SQLModel, database: Endpoint) -> None:
    run(database, "UPDATE plots SET retired = now() WHERE lab_id = 'A' AND plot > 4")
    model.add_destination(ARCHIVE._replace(schedule="when a check is complete"))
    scheduled(database, f"{DATE} 00:00-07")
    for plot in ("3", "1", "2"):
        model.save_record(record(Plot=plot))
    assert due(database, f"{DATE} 23:00-07") == []
    model.save_record(record(Plot="4"))
    assert due(database, f"{DATE} 07:59-07") == []
    assert due(database, f"{DATE} 23:00-07") == [("archive", str(DATE), "08:00 A")]
    day_before = DATE + datetime.timedelta(1)
    scheduled(database, f"{day_before} 00:00-07")
    assert due(database, f"{day_before} 23:00-07") == []  # checks of days before it was set stay out


def later(database: Endpoint, minutes: int) -> None:
    """Let what was taken be taken that much longer ago."""
    run(database, f"UPDATE scheduled_deliveries SET taken = taken - interval '{minutes} minutes'")


def test_nobody_holds_back_what_others_should_send(model: SQLModel, database: Endpoint) -> None:
    ((day,),) = run(database, f"SELECT (now() AT TIME ZONE '{ZONE}')::date - 2")
    assert isinstance(day, datetime.date)
    model.save_record(record(Date=day))
    model.add_destination(ARCHIVE._replace(schedule="every day at 08:00"))
    scheduled(database, "2026-01-01")
    (due_now,) = model.due_deliveries()
    number = "8a1c9c1e-0f0f-4e66-9d3a-1f1f1f1f1f1f"
    with roles_of_lab_a(database) as make:
        endpoint = make("GRANT abq_technician TO {}")
        with closing(SQLModel.at(endpoint)) as hostile:
            # What isn't due can't be taken beforehand.
            for other in ({"occasions": ("09:00",)}, {"date": day + datetime.timedelta(1)}, {"destination": "sftp:x"}):
                assert hostile.take_delivery(due_now._replace(**other)) is False
            # Taken again and again it is the others' in between, whether it was given back or left.
            for gives_back in (True, False):
                assert hostile.take_delivery(due_now) is True
                assert model.due_deliveries() == [] and model.take_delivery(due_now) is False
                if gives_back:
                    hostile.note_delivery(due_now)
                    later(database, 1)
                else:
                    later(database, 11)
                assert hostile.take_delivery(due_now) is False
                assert [each.destination for each in model.due_deliveries()] == [ARCHIVE.key]
                later(database, 26)
            assert model.take_delivery(due_now) is True
            # What others have taken is neither given back nor noted as made.
            hostile.note_delivery(due_now)
            run(endpoint, f"INSERT INTO deliveries VALUES ('{number}', now(), '{day}', 'a.csv', 1, 'sftp:archive', 'x',"
                          " 'u', 1, repeat('0', 64), 'waiting', 0, NULL, NULL, NULL, 1)")
            hostile.note_delivery(due_now, number)
            assert hostile.take_delivery(due_now) is False
            assert run(database, "SELECT delivery FROM scheduled_deliveries") == [(None,)]
            later(database, 26)
            # The lock of the schedules spares work only; a transaction that stays open ends the one attempt.
            with hostile.try_schedule_lock() as held, model.try_schedule_lock() as is_ours:
                assert (held, is_ours, [each.late for each in model.due_deliveries()]) == (True, False, [True])
            with closing(psycopg2.connect(make_dsn(**endpoint))) as stays, stays.cursor() as cursor:
                cursor.execute("SELECT take_delivery('sftp:archive', %s, ARRAY['08:00'])", (day,))
                with pytest.raises(DatabaseError):
                    model.take_delivery(due_now)
            assert model.take_delivery(due_now) is True


def test_what_is_due_is_made_once_by_whoever_comes_first(model: SQLModel, database: Endpoint) -> None:
    # The day before yesterday: it is due at any time of the day.
    ((day,),) = run(database, f"SELECT (now() AT TIME ZONE '{ZONE}')::date - 2")
    model.save_record(record(Date=day))
    model.add_destination(ARCHIVE._replace(schedule="every day at 08:00"))
    scheduled(database, "2026-01-01")
    (first,) = model.due_deliveries()
    with closing(SQLModel.at(database)) as other:
        (same,) = other.due_deliveries()
        with model.try_schedule_lock() as ours, other.try_schedule_lock() as theirs:
            assert (ours, theirs) == (True, False)
        assert (model.take_delivery(first), other.take_delivery(same)) == (True, False)
        assert other.due_deliveries() == []
        model.note_delivery(first)  # it couldn't be made: others may at once, this login after a while
        assert (other.due_deliveries(), other.take_delivery(same)) == ([], False)
        later(database, 16)
        assert other.take_delivery(same) is True
        later(database, 26)  # its computer went off
        assert model.take_delivery(first) is True
        number = "8a1c9c1e-0f0f-4e66-9d3a-1f1f1f1f1f1f"
        model.note_delivery(first, number)  # no such delivery: it stays open
        run(database, f"INSERT INTO deliveries VALUES ('{number}', now(), '{day}', 'a.csv', 1, 'sftp:archive', 'x',"
                      " 'u', 1, repeat('0', 64), 'waiting', 0, NULL, NULL, NULL, 1)")
        model.note_delivery(first, number)
        later(database, 26)
        assert (model.due_deliveries(), other.take_delivery(same)) == ([], False)
    told = run(database, "SELECT destination, occasion, delivery::text, taken_by <> '' FROM scheduled_deliveries")
    assert told == [("sftp:archive", "08:00", number, True)]
    with roles_of_lab_a(database) as make:
        # Who sees only some labs would send less than the whole: by itself nothing is sent.
        run(database, "DELETE FROM scheduled_deliveries; SELECT restrict_labs(true)")
        with closing(SQLModel.at(make("GRANT abq_technician TO {}"))) as apart:
            assert (apart.due_deliveries(), apart.sees_all_labs()) == ([], False)
        assert len(model.due_deliveries()) == 1 and model.sees_all_labs()


def test_what_has_just_come_due_isnt_late(model: SQLModel, database: Endpoint) -> None:
    # Where it is afternoon: a time before the first check would mean the day before.
    now = datetime.datetime.now(datetime.timezone.utc)
    zone = "UTC" if (now - datetime.timedelta(minutes=1)).hour >= 12 else "Etc/GMT-12"  # which is ahead of UTC
    minute = f"now() AT TIME ZONE '{zone}' - interval '1 minute'"
    ((day, at),) = run(database, f"SELECT ({minute})::date, to_char({minute}, 'HH24:MI')")
    model.save_record(record(Date=day))
    model.add_destination(ARCHIVE._replace(schedule=f"every day at {at}"))
    scheduled(database, "2026-01-01")
    run(database, f"UPDATE lab_settings SET time_zone = '{zone}'")
    (found,) = model.due_deliveries()
    assert (found.destination, found.date, found.late, found.present) == (ARCHIVE.key, day, False, "")
