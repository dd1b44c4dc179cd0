"""`alarms`: the list, what `alarms run` tells by mail and by webhook, and who is told once."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from pathlib import Path
from typing import NamedTuple

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.models import SettingsModel, SQLModel
from abq_data_entry.models.alarms import Finding
from abq_data_entry.models.undoing import By
from abq_data_entry.network.mail import Mail, Mailer
from abq_data_entry.workflows import local_findings
from abq_data_entry.workflows.alarms import look
from abq_data_entry.workflows.status import Limits
from tests.commands.conftest import Outcome
from tests.fixtures.secret_files import secret
from tests.network.certificates import authority
from tests.network.mail_server import PASSWORD, USERNAME, Letters, mail_server
from tests.network.test_webhook import SECRET, Posts, serving

Line = Callable[..., Outcome]
FULL = Finding("disk", "/data", "Only 3 MiB are free on the disk of /data.")
VALUES = {**SettingsModel("none.json").values(), "network_timeout": 20}
BENCH = By("", "bench")


@pytest.fixture(autouse=True)
def _room(monkeypatch: pytest.MonkeyPatch) -> None:
    """However full the disk of the tests is, it is no alarm."""
    monkeypatch.setattr(local_findings, "LIMITS", Limits(free_mib=0))


class Servers(NamedTuple):
    """A mail server that wants encryption and takes a login, and a web service."""

    smtp: int
    letters: Letters
    posts: Posts


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Servers, Path]]:
    trusted = authority("laboratory", tmp_path_factory.mktemp("authority"))
    with mail_server(trusted.issue("127.0.0.1")) as (port, letters), serving() as posts:
        yield Servers(port, letters, posts), trusted.file


@pytest.fixture
def told(
    running: tuple[Servers, Path], configure: Callable[..., None], home: Path, stored: SQLModel, line: Line
) -> Servers:
    """The servers, and a receiver at each, with their secrets in files."""
    servers, ca_file = running
    servers.letters.kept.clear()
    servers.letters.refused.clear()
    servers.letters.fault = lambda: ""
    servers.posts.kept.clear()
    servers.posts.fault = None
    configure(abq_ca_file=str(ca_file), network_timeout=20)
    secret(home, "alarms.qa", PASSWORD)
    secret(home, "alarms.chat", SECRET)
    at = f"smtp://127.0.0.1:{servers.smtp}"
    done = line("alarms", "receivers", "add", "qa", "mail", "QA <qa@example.com>, boss@example.com", "--server", at,
                "--username", USERNAME)  # fmt: skip
    assert done.code == 0, done
    assert line("alarms", "receivers", "add", "chat", "webhook", servers.posts.url, "--secret", "token").code == 0
    return servers


def events(posts: Posts) -> list[tuple[str, str]]:
    return [(json.loads(body)["event"], json.loads(body)["key"]) for _headers, body in posts.kept]


@pytest.mark.needs("network")
def test_the_beginning_and_the_end_are_sent_once(line: Line, told: Servers, stored: SQLModel) -> None:
    assert line("alarms").output == "There is no alarm.\n"
    assert line("alarms", "test").output == "chat was told: noted\nqa was told.\n"
    assert told.letters.messages()[0]["Subject"] == "ABQ alarm: a test" and events(told.posts)[0][0] == "test"
    assert line("alarms", "run", "--no-verify").output == "None began or ended; nobody had to be told.\n"
    stored.look_for_alarms([FULL], by=BENCH)
    (alarm,) = stored.get_alarms()
    done = line("alarms", "run")
    assert (done.code, done.errors) == (0, ""), done
    assert done.output == (
        f"chat was told: ABQ alarm {alarm.id}: disk, bench: /data (noted)\n"
        f"qa was told: ABQ alarm {alarm.id}: disk, bench: /data\n"
    )
    listed = line("alarms")
    assert (listed.code, listed.reason) == (1, "One alarm is open.") and FULL.words in listed.output
    stored.look_for_alarms([FULL._replace(words="", ending="900 MiB are free again")], by=BENCH)
    assert line("alarms", "run", "--no-verify").code == 0 == line("alarms", "run", "--no-verify").code
    (entry,) = json.loads(line("alarms", "--json", "--ended", "1", "list").output)
    assert line("alarms", "--json", "--ended", "1").output == line("alarms", "list", "--json", "--ended", "1").output
    assert json.loads(line("alarms", "--json", "list").output) == []
    assert {line("alarms", "--ended", days).code for days in ("-1", "91", "9" * 5000, "²")} == {2}
    assert (entry["id"], entry["end"], entry["not_told"]) == (alarm.id, "900 MiB are free again", [])
    _test, begin, end = told.letters.messages()
    assert [sorted(to) for to, _content in told.letters.kept[1:]] == [["boss@example.com", "qa@example.com"]] * 2
    assert FULL.words in begin.get_content() and "900 MiB are free again." in end.get_content()
    assert end["In-Reply-To"] == begin["Message-ID"] != end["Message-ID"] and begin["From"] == USERNAME
    _test_event, first, last = events(told.posts)
    assert (first[0], last[0]) == ("begin", "end") and first[1] != last[1]
    assert [head["Authorization"] for head, _body in told.posts.kept] == [f"Bearer {SECRET}"] * 3
    assert line("db", "verify").code == 0


@pytest.mark.needs("network")
def test_what_servers_refuse_or_lose(line: Line, told: Servers, stored: SQLModel) -> None:
    told.letters.refused["boss@example.com"] = "550 no such user"
    told.letters.fault = lambda: "lost"
    told.posts.fault = (500, b"out of order")
    hostile = "\N{RIGHT-TO-LEFT OVERRIDE}x\r\n.\r\n\0\x1b]0;" + "y" * 3000
    stored.look_for_alarms([FULL._replace(words=hostile)], by=BENCH)
    done = line("alarms", "run", "--no-verify")
    assert done.code == 1 and "out of order" in done.reason and "isn't known" in done.reason
    (alarm,) = stored.get_alarms()
    assert "\x1b" not in alarm.words and len(alarm.words) == 1000
    assert [each.partition(":")[0] for each in alarm.failed_notices] == ["chat of the begin", "qa of the begin"]
    assert "Not told: qa of the begin: Whether the mail arrived isn't known" in line("alarms").output
    told.letters.fault, told.posts.fault = lambda: "", None
    assert line("alarms", "run", "--no-verify").code == 0
    assert (len(told.letters.kept), len(told.posts.kept)) == (1, 1), "never again by itself, and later"
    stored.query("UPDATE alarm_notices SET next = now() WHERE next IS NOT NULL RETURNING 1")
    assert "chat was told" in line("alarms", "run", "--no-verify").output
    assert [key for _event, key in events(told.posts)] == [events(told.posts)[0][1]] * 2
    assert line("alarms", "end", alarm.id, "--words", "a new disk").output == f"Alarm {alarm.id} has ended.\n"
    done = line("alarms", "run", "--no-verify")
    assert "refused for boss@example.com (550 no such user)" in done.output and len(told.letters.kept) == 2
    assert line("alarms", "end", alarm.id).reason.startswith(f"Alarm {alarm.id} has ended already")


@pytest.mark.needs("network")
def test_who_can_get_it_later_gets_it_later_alone(line: Line, told: Servers, stored: SQLModel) -> None:
    line("alarms", "receivers", "remove", "chat")
    told.letters.refused["boss@example.com"] = "450 full"
    stored.look_for_alarms([FULL], by=BENCH)
    done = line("alarms", "run", "--no-verify")
    assert done.code == 1 and "boss@example.com (450 full)" in done.reason
    told.letters.refused.clear()
    stored.query("UPDATE alarm_notices SET next = now() WHERE next IS NOT NULL RETURNING 1")
    assert line("alarms", "run", "--no-verify").code == 0
    assert [to for to, _content in told.letters.kept] == [["qa@example.com"], ["boss@example.com"]]


@pytest.mark.needs("network")
def test_a_server_that_does_not_answer_is_waited_for_once(
    line: Line, told: Servers, stored: SQLModel, configure: Callable[..., None]
) -> None:
    for name in ("qa", "chat"):
        line("alarms", "receivers", "remove", name)
    told.posts.fault = (503, b"")
    line("alarms", "receivers", "add", "chat", "webhook", told.posts.url)
    stored.look_for_alarms([FULL._replace(subject=f"/{number}") for number in range(3)], by=BENCH)
    assert line("alarms", "run", "--no-verify").code == 1 and len(told.posts.kept) == 1
    told.posts.fault = None
    assert line("alarms", "run", "--no-verify").code == 0 and len(told.posts.kept) == 3
    told.posts.fault = (404, b"")  # of this one alone, perhaps
    stored.look_for_alarms([FULL._replace(subject=f"/other{number}") for number in range(2)], by=BENCH)
    assert line("alarms", "run", "--no-verify").code == 1 and len(told.posts.kept) == 5


@pytest.mark.needs("network")
def test_a_workstation_without_the_secret_leaves_it_to_others(
    line: Line, told: Servers, stored: SQLModel, home: Path
) -> None:
    shutil.rmtree(home / "secrets")
    stored.look_for_alarms([FULL], by=BENCH)
    done = line("alarms", "run", "--no-verify")
    assert done.code == 1 and "qa can't be told from here: neither the keyring" in done.reason
    assert "has its secret (alarms:chat)" in done.reason and len(stored.due_notices()) == 2
    secret(home, "alarms.qa", PASSWORD)
    (home / "secrets" / "alarms.qa").chmod(0o644)
    assert "others may read it" in line("alarms", "test", "qa").reason
    assert line("alarms", "receivers", "remove", "chat").code == 0
    (home / "secrets" / "alarms.qa").chmod(0o600)
    assert line("alarms", "run", "--no-verify").code == 0 and len(told.letters.kept) == 1
    assert told.posts.kept == [], "it was removed meanwhile"


@pytest.mark.needs("network")
def test_the_server_may_be_that_of_a_destination_or_of_the_settings(
    line: Line, told: Servers, home: Path, running: tuple[Servers, Path], configure: Callable[..., None]
) -> None:
    assert "There is no destination 'reports' of the kind email." in line(
        "alarms", "receivers", "add", "a", "mail", "a@example.com", "--server", "reports"
    ).reason  # fmt: skip
    at = f"smtp://127.0.0.1:{told.smtp}"
    line("destinations", "add", "reports", "email", "b@example.com", "--login-address", at, "--username", USERNAME)
    line("alarms", "receivers", "add", "a", "mail", "a@example.com", "--server", "reports")
    secret(home, "email.reports", PASSWORD)
    assert line("alarms", "test", "a").output == "a was told.\n"
    line("alarms", "receivers", "add", "c", "mail", "c@example.com")
    assert "'abq_mail_host' is empty" in line("alarms", "test", "c").reason
    configure(
        abq_ca_file=str(running[1]), abq_mail_host="127.0.0.1", abq_mail_port=told.smtp, abq_mail_from="x@example.com"
    )
    secret(home, "email", USERNAME, PASSWORD)
    assert line("alarms", "test", "c").output == "c was told.\n"
    assert [to for to, _content in told.letters.kept] == [["a@example.com"], ["c@example.com"]]
    assert [str(each["From"]) for each in told.letters.messages()] == [USERNAME, "x@example.com"]
    line("destinations", "remove", "reports")
    assert "no destination reports of the kind email any more" in line("alarms", "test", "a").reason


def test_the_calendar_by_words(line: Line) -> None:
    assert line("alarms", "calendar").output.startswith("No checks are expected")
    said = line("alarms", "calendar", "set", "a", "mon-fri", "20:00", "8:00").output
    assert said == "Lab A: checks are expected at 8:00, 20:00 on mon, tue, wed, thu, fri.\n"
    assert line("alarms", "calendar", "set", "B", "sat-mon,wed", "8:00").code == 0
    listed = line("alarms", "calendar", "list").output
    assert "A    fri  8:00 20:00\n" in listed and "B    wed  8:00\n" in listed and "B    tue" not in listed
    assert line("alarms", "calendar", "remove", "A").output == "Lab A: no checks are expected on any day.\n"
    rows = json.loads(line("alarms", "calendar", "list", "--json").output)
    assert [row["weekday"] for row in rows] == ["mon", "wed", "sat", "sun"]
    for words in (("set", "A", "noday", "8:00"), ("set", "A", "mon", "9:00"), ("set", "A", "mon"), ("set",)):
        assert line("alarms", "calendar", *words).code == 2
    assert "There is no lab Z." in line("alarms", "calendar", "set", "z", "daily", "8:00").reason
    assert line("alarms", "receivers", "list", "--json").output == "[]\n"
    assert line("alarms", "receivers").output == "Nobody is told of alarms.\n"
    assert line("alarms", "test").reason.startswith("Nobody is told of alarms")
    assert line("alarms", "receivers", "add", "x", "mail", "a@b@c").code == 1
    assert line("alarms", "receivers", "remove", "x").reason == "There is no receiver x in the database. There is none."


def test_the_disk_and_the_backups_of_this_computer(
    line: Line, stored: SQLModel, database: dict[str, str], monkeypatch: pytest.MonkeyPatch, home: Path,
    server_folder: Path,
) -> None:  # fmt: skip
    def said() -> list[tuple[str, str, str]]:
        assert line("alarms", "run", "--no-verify").code == 0
        return [(each.kind, each.line, each.ended_words) for each in stored.get_alarms(ended_days=1)]

    assert said() == []
    monkeypatch.setattr(local_findings, "LIMITS", Limits())
    usage = shutil.disk_usage(server_folder)
    room = {"free": 499 * 2**20}
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=room["free"]))
    assert said() == [("disk", f"Only 499 MiB are free on the disk of {server_folder}.", "")]
    room["free"] = 520 * 2**20  # it doesn't come and go at the limit
    assert said()[0][2] == ""

    def unreadable(_folder: Path) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", unreadable)
    assert said()[0][2] == "", "nothing is known"
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=room["free"]))
    room["free"] = 550 * 2**20
    assert said()[0][2] == "550 MiB are free again"
    stored.query("UPDATE schema_version SET applied = now() - interval '3 days' RETURNING 1")
    folder = server_folder / "backups"
    assert ("backup", f"There is no backup in {folder}.", "") in said()
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    made = folder / f"{database['dbname']}-2026-11-26.dump"
    made.touch()
    os.utime(made, (2**31 - 1,) * 2)  # of a clock that was ahead
    assert any(words.startswith(f"The newest backup in {folder} is of 2038-01-") for _kind, words, _ended in said())
    os.utime(made)
    assert said()[0][2].startswith("the newest backup is of")


@pytest.mark.needs("network")
def test_several_workstations_at_once_tell_it_once(told: Servers, stored: SQLModel, database: dict[str, str]) -> None:
    logins = {"alarms:chat": ("webhook", SECRET)}
    stored.remove_receiver("qa")
    for number in range(5):
        stored.look_for_alarms([FULL._replace(subject=f"/{number}")], by=BENCH)
    begin = threading.Barrier(4)

    def work(number: int) -> int:
        with closing(SQLModel.at(database)) as model:
            # As through a pooler, where no lock keeps others out.
            model.try_alarm_lock = lambda: nullcontext(True)  # type: ignore[method-assign]
            model.connect()
            begin.wait(60)
            return len(look(model, VALUES, lambda key, *_: logins.get(key), By("", f"bench {number}")).sent)

    with ThreadPoolExecutor(4) as workers:
        assert sum(workers.map(work, range(4))) == 5
    assert sorted(Counter(events(told.posts)).values()) == [1] * 5


@pytest.mark.needs("network")
def test_the_database_goes_away_in_the_middle(
    line: Line, told: Servers, stored: SQLModel, database: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.look_for_alarms([FULL], by=BENCH)
    line("alarms", "receivers", "remove", "chat")
    send, told_before = Mailer.send, []

    def cut_before_the_end(self: Mailer, mail: Mail, cancel: object, progress: Callable[[float], object]) -> object:
        def ended(part: float) -> None:
            if part == 1:  # the server ends our connection, right before the mail is handed in
                stored.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                             " WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
                told_before.append(mail.identifier)
            progress(part)

        return send(self, mail, None, ended)

    monkeypatch.setattr(Mailer, "send", cut_before_the_end)
    line("alarms", "run", "--no-verify")
    monkeypatch.setattr(Mailer, "send", send)
    # It was either told, once, after the connection was made anew; or nothing was sent, and somebody tells it later.
    stored.query("UPDATE alarm_notices SET taken = taken - interval '11 minutes' RETURNING 1")
    line("alarms", "run", "--no-verify")
    assert told_before and len(told.letters.kept) == 1


def test_a_daily_backup_that_failed(
    line: Line, stored: SQLModel, configure: Callable[..., None], tmp_path: Path, database: dict[str, str]
) -> None:
    folder = tmp_path / "backups"
    folder.write_text("no folder")
    configure(backup_folder=str(folder))
    assert line("db", "backup", "--daily").code == 1
    assert line("alarms", "run", "--no-verify").code == 0
    (alarm,) = stored.get_alarms()
    assert alarm.kind == "backup" and alarm.line.startswith("The daily backup failed at 20"), alarm
    folder.unlink()
    folder.mkdir()
    (folder / f"{database['dbname']}-2026-11-26.dump").touch()  # by hand, say: newer than the failure
    assert line("alarms", "run", "--no-verify").code == 0
    assert stored.get_alarms() == []
    assert stored.get_alarms(ended_days=1)[0].ended_words.startswith("the newest backup is of 20")


def test_a_broken_audit_is_an_alarm_until_it_is_found_intact(line: Line, one_record: None, stored: SQLModel) -> None:
    def tamper(reason: str) -> None:
        stored.query("ALTER TABLE audit DISABLE TRIGGER USER")
        stored.query("UPDATE audit SET reason = nullif(%s, '') WHERE sequence = 1 AND lab_id = 'A'", (reason,))
        stored.query("ALTER TABLE audit ENABLE TRIGGER USER")

    tamper("nothing happened")
    assert line("db", "verify").code == 1
    (alarm,) = stored.get_alarms()
    assert alarm.kind == "audit" and alarm.line.startswith("The audit is broken (lab A: "), alarm
    assert line("db", "verify", "--head", "A 1 x").code == 1 and len(stored.get_alarms()) == 1
    tamper("")
    assert line("alarms", "run", "--verify").code == 0
    assert [each.ended_words for each in stored.get_alarms(ended_days=1)] == ["`db verify` finds it intact"]


@pytest.mark.needs("network")
def test_who_holds_a_notice_back_holds_no_other_back(
    line: Line, told: Servers, stored: SQLModel, database: dict[str, str]
) -> None:
    line("alarms", "receivers", "remove", "qa")
    stored.look_for_alarms([FULL, FULL._replace(subject="/other")], by=BENCH)
    first, _second = stored.due_notices()
    with closing(psycopg2.connect(make_dsn(**database))) as holding, holding.cursor() as cursor:
        cursor.execute("SELECT take_notice(%s, 'chat', 'begin')", (first.alarm.id,))
        done = line("alarms", "run", "--no-verify")
        assert done.code == 1 and f"Alarm {first.alarm.id} to chat: " in done.reason and len(told.posts.kept) == 1
        cursor.execute("UPDATE alarms SET words = words || '!' WHERE id = %s", (first.alarm.id,))
        stored.query("UPDATE alarm_notices SET state = 'failed', next = now() RETURNING 1")
        begun = By("", first.alarm.workstation)
        with closing(SQLModel.at(database)) as model:
            found = look(model, VALUES, lambda *_: ("webhook", SECRET), begun, None, [FULL._replace(words="Full.")])
        assert "Not all of what began and ended is known" in found.problems[0] and len(found.sent) == 1
    assert line("alarms", "run", "--no-verify").code == 0 and len(told.posts.kept) == 3


@pytest.mark.needs("network")
def test_a_lock_that_is_never_released_only_delays_notices(
    line: Line, told: Servers, stored: SQLModel, database: dict[str, str]
) -> None:
    line("alarms", "receivers", "remove", "qa")
    stored.look_for_alarms([FULL, FULL._replace(subject="/other")], by=BENCH)
    with closing(SQLModel.at(database)) as frozen, frozen.try_alarm_lock() as is_theirs:
        assert is_theirs and line("alarms", "run", "--no-verify").code == 0 and told.posts.kept == []
        stored.query("UPDATE alarms SET raised = now() - interval '11 minutes' WHERE subject ~ 'data' RETURNING 1")
        done = line("alarms", "run", "--no-verify")
        assert done.code == 0 and len(told.posts.kept) == 1, done
    line("alarms", "run", "--no-verify")
    assert len(told.posts.kept) == len(set(events(told.posts))) == 2
