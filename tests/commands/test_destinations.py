"""Destinations of the database on the command line."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from abq_data_entry import folders, secret_files
from abq_data_entry.commands import passwords
from abq_data_entry.commands.outbox import AtTheTerminal, announced_attempt
from abq_data_entry.commands.outcome import NotDone
from abq_data_entry.commands.passwords import Secrets, login_for, login_kept
from abq_data_entry.models import SQLModel
from abq_data_entry.stored_destination import STORED
from abq_data_entry.workflows.deliver_day import Outcome as Became
from abq_data_entry.workflows.deliver_day import open_outbox
from abq_data_entry.workflows.side_by_side import Limits, deliver_side_by_side, group_by_place
from tests.commands.conftest import DAY, Outcome
from tests.fixtures.servers import BundledServer
from tests.models.records import record
from tests.models.test_destinations import DEFAULTS, ZONE, later, scheduled

Line = Callable[..., Outcome]


def test_destinations_are_added_listed_changed_tested_and_removed(line: Line, tmp_path: Path) -> None:
    assert line("destinations").output == "There are no destinations in the database.\n"
    share = tmp_path / "company"
    share.mkdir()
    added = line("destinations", "add", "archive", "folder", share, "--every-day", "8:30")
    assert (added.code, added.output, added.errors) == (
        0, f"The destination archive is added: {share} by folder, every day at 08:30.\n", ""
    )  # fmt: skip
    assert line("destinations", "add", "archive", "folder", share).reason == "There is a destination archive already."
    growth = line("destinations", "add", "growth", "sftp", "files.example.com", "--view", "growth", "--format", "xlsx")
    assert growth.code == 0
    assert line("destinations", "change", "growth").reason == "No change was given."
    changed = line("destinations", "change", "growth", "--username", "abq", "--checksum", "--when-complete")
    assert changed.output == (
        "The destination growth is changed: files.example.com by sftp, when a check is complete.\n"
    )
    heading, *rows = line("destinations", "list").output.splitlines()
    assert heading.split() == ["name", "kind", "where", "what", "when", "login"]
    assert [each.split()[:2] for each in rows] == [["archive", "folder"], ["growth", "sftp"]]
    listed = json.loads(line("destinations", "list", "--json").output)
    assert [listed[1][name] for name in ("file_name", "contents", "format", "username", "checksum")] == [
        "abq_growth_{date}.xlsx", "growth", "xlsx", "abq", True
    ]  # fmt: skip
    refused = line("destinations", "change", "growth", "--folder", "../x").reason
    assert refused.startswith("The folder must have / between folders") and refused.endswith("Nothing was changed.")
    assert line("destinations", "add", "x", "scp", "host").code == 2
    assert line("destinations", "add", "x", "sftp", "host", "--every-day", "8:30", "--by-hand").code == 2
    tested = line("destinations", "test", "archive", "--write")
    assert (tested.code, "✗" in tested.output, list(share.iterdir())) == (0, False, [])
    share.rmdir()
    assert line("destinations", "test", "archive").code == 1
    assert line("destinations", "test", "other").reason == (
        "There is no destination other in the database. There are: archive, growth."
    )
    assert line("destinations", "remove", "archive").output == "The destination archive is removed.\n"
    assert line("db", "verify").code == 0


def test_an_extract_goes_to_a_destination_of_the_database_and_waits_for_it(
    line: Line, one_record: None, stored: SQLModel, tmp_path: Path
) -> None:
    share, elsewhere, moved = (tmp_path / each for each in ("company", "views", "moved"))
    for folder in (share, elsewhere):
        folder.mkdir()
    pattern = ("--file-name", "lab {lab} {date}.csv")
    assert line("destinations", "add", "archive", "folder", share, "--checksum", *pattern).code == 0
    view = ("--view", "plot_readings", "--format", "xlsx")
    assert line("destinations", "add", "views", "folder", elsewhere, *view).code == 0
    name = f"lab A {DAY}.csv"
    sent = line("upload", "archive", "--date", DAY)
    assert sent.output == f"abq_data_record_{DAY}.csv successfully uploaded to archive\n", sent
    digest = hashlib.sha256((share / name).read_bytes()).hexdigest()
    assert (share / f"{name}.sha256").read_text("utf-8") == f"{digest}  {name}\n"
    assert {each.name for each in share.iterdir()} == {name, f"{name}.sha256"}
    assert line("upload", "views", "--date", DAY).code == 0
    (workbook,) = elsewhere.iterdir()
    assert workbook.name == f"abq_plot_readings_{DAY}.xlsx" and workbook.read_bytes().startswith(b"PK")
    assert line("upload", "views", "--date", DAY).code == 0
    known = "SELECT file_name, destination, version, state FROM deliveries ORDER BY created, version"
    assert [tuple(each.values()) for each in stored.query(known) or []] == [
        (f"abq_data_record_{DAY}.csv", "folder:archive", 1, "delivered"),
        (workbook.name, "folder:views", 1, "delivered"), (workbook.name, "folder:views", 2, "delivered"),
    ]  # fmt: skip
    assert line("upload", "other", "--date", DAY).reason == (
        "There is no destination other in the database. There are: archive, views."
    )
    assert line("upload", "No Name", "--date", DAY).code == 2
    # The share is gone: it waits, and keeps its destination.
    shutil.rmtree(share)
    assert line("upload", "archive", "--date", DAY).code == 1
    assert "1 delivery to archive didn't arrive yet" in line("destinations", "remove", "archive").reason
    number = line("deliveries").output.splitlines()[-1].split()[0]
    assert line("destinations", "remove", "archive", "--anyway").code == 0
    gone = line("deliveries", "retry", number).reason
    assert "The destination archive of the kind folder was removed from the database." in gone
    assert "Upload the day to another destination, or cancel it" in gone
    assert line("destinations", "add", "archive", "ftp", "localhost").code == 0  # another kind is another destination
    assert "archive of the kind folder was removed" in line("deliveries", "retry", number).reason
    assert line("deliveries", "run", "--unattended").code == 0  # told once, and set aside
    assert line("destinations", "remove", "archive").code == 0
    assert line("destinations", "add", "archive", "folder", moved).code == 0
    assert f"it was to go to {share}" in line("deliveries", "retry", number).reason  # and not where it is now
    assert line("destinations", "change", "archive", "--address", share).code == 0
    share.mkdir()
    assert line("deliveries", "retry", number).code == 0
    assert (share / name).exists() and not (share / f"{name}.sha256").exists()


def test_a_run_that_nobody_watches_sends_what_schedules_want_once(
    line: Line, stored: SQLModel, database: dict[str, str], ftp_server: BundledServer, tmp_path: Path
) -> None:
    (yesterday,) = stored.query(f"SELECT (now() AT TIME ZONE '{ZONE}')::date - 2 AS day") or []
    day = yesterday["day"]
    stored.save_record(record(Date=day))
    share = tmp_path / "share"
    share.mkdir()
    nothing = line("deliveries", "run", "--unattended")
    assert (nothing.code, nothing.output) == (0, "Nothing waits to be delivered.\n")
    when = ("--every-day", "20:30")
    assert line("destinations", "add", "archive", "folder", share, *when).code == 0
    place = f"{ftp_server.host}:{ftp_server.port}"
    named = ("--username", "test", "--file-name", "evening {date}.csv")
    assert line("destinations", "add", "evening", "ftp", place, *named, *when).code == 0
    assert line("destinations", "add", "windows", "folder", r"C:\abq", *when).code == 0  # not sent from here
    assert line("deliveries", "run", "--unattended").code == 0  # it is due from the next evening on
    assert list(share.iterdir()) == []
    scheduled(database, f"{day} 00:00-07")

    # The one that needs a login is named, the other one goes.
    first = line("deliveries", "run", "--unattended")
    assert first.reason == (
        f"The extract of {day} is due at evening, and neither the keyring nor a file of secrets has a login for it."
    )
    assert [each.name for each in share.iterdir()] == [f"abq_data_record_{day}.csv"]
    secrets = folders.config_folder() / "secrets"
    secrets.mkdir(parents=True)
    secret = secrets / "ftp.evening"
    secret.write_text("test\n", "utf-8")
    secret.chmod(0o644)
    refused = line("deliveries", "run", "--unattended").reason
    assert f"The file of secrets {secret} isn't used: others may read it. Type: chmod 600 {secret}" in refused
    secret.chmod(0o600)
    second = line("deliveries", "run", "--unattended")
    assert second.output == f"abq_data_record_{day}.csv successfully uploaded to evening\n", second
    assert (ftp_server.folder / f"evening {day}.csv").read_bytes().startswith(b"Date,Time")

    # Nothing is sent twice, neither from here nor from another computer.
    assert line("deliveries", "run", "--unattended").output == "Nothing waits to be delivered.\n"
    shutil.rmtree(folders.data_folder() / "outbox")
    shutil.rmtree(folders.data_folder() / "journal")
    assert line("deliveries", "run", "--unattended").output == "Nothing waits to be delivered.\n"
    sent = stored.query("SELECT destination, version FROM deliveries ORDER BY destination")
    assert [tuple(each.values()) for each in sent or []] == [("folder:archive", 1), ("ftp:evening", 1)]

    # What went to its old address isn't at the new one, and what went there by hand counts.
    moved = tmp_path / "moved"
    moved.mkdir()
    assert line("destinations", "change", "archive", "--address", moved, "--every-day", "20:45").code == 0
    scheduled(database, f"{day} 00:00-07")
    assert "uploaded to archive" in line("deliveries", "run", "--unattended").output
    assert [each.name for each in moved.iterdir()] == [f"abq_data_record_{day}.csv"]
    assert line("destinations", "change", "archive", "--every-day", "20:50").code == 0
    scheduled(database, f"{day} 00:00-07")
    assert line("deliveries", "run", "--unattended").output == "Nothing waits to be delivered.\n"


def test_a_delivery_that_fails_is_reported_and_stops_no_other(
    line: Line, stored: SQLModel, database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = stored.query(f"SELECT (now() AT TIME ZONE '{ZONE}')::date - 2 AS day") or []
    day, evening = before["day"], ("--every-day", "20:30")
    stored.save_record(record(Date=day))
    view = ("--view", "growth", "--format", "parquet")
    assert line("destinations", "add", "a-view", "folder", tmp_path / "views", *view, *evening).code == 0
    assert line("destinations", "add", "b-down", "ftp", "127.0.0.1:9", "--username", "ada", *evening).code == 0
    assert line("destinations", "add", "c-login", "ftp", "127.0.0.1:9", *evening).code == 0
    assert line("destinations", "add", "d-share", "folder", tmp_path, *evening).code == 0
    secret = folders.config_folder() / "secrets" / "ftp.b-down"
    secret.parent.mkdir(parents=True)
    secret.write_text("ada\nGr0undhog\n", "utf-8")
    secret.chmod(0o600)
    scheduled(database, f"{day} 00:00-07")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    told = line("deliveries", "run", "--unattended").reason
    assert (tmp_path / f"abq_data_record_{day}.csv").exists()
    assert "due at a-view couldn't be made: Parquet is written by pyarrow, which isn't installed" in told
    assert "by ftp:b-down: 127.0.0.1 refused the connection" in told
    assert f"The extract of {day} is due at c-login, and neither" in told
    # Another version of what writes the file fails in a way that nobody foresaw.
    monkeypatch.setitem(sys.modules, "pyarrow", SimpleNamespace(parquet=None))
    later(database, 16)  # until then it is left to others
    told = line("deliveries", "run", "--unattended").reason
    assert "due at a-view couldn't be made: Something unexpected went wrong (AttributeError)." in told
    assert "is due at c-login" in told
    assert "which isn't installed" not in told and "Gr0undhog" not in told


def test_servers_that_never_answer_hold_up_no_other_destination(
    line: Line, stored: SQLModel, database: dict[str, str], tmp_path: Path
) -> None:
    (before,) = stored.query(f"SELECT (now() AT TIME ZONE '{ZONE}')::date - 2 AS day") or []
    day, evening, seen = before["day"], ("--every-day", "20:30"), list[bool]()
    stored.save_record(record(Date=day))
    extract = tmp_path / f"abq_data_record_{day}.csv"
    secrets = folders.config_folder() / "secrets"
    secrets.mkdir(parents=True)
    with ExitStack() as opened:
        frozen = [opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
        places = [each.getsockname() for each in frozen]
        for number, (host, port) in enumerate(places):
            named = (f"a-frozen-{number}", "ftp", f"{host}:{port}", "--username", "ada")
            assert line("destinations", "add", *named, *evening).code == 0
            file = secrets / f"ftp.a-frozen-{number}"
            file.write_text("Gr0undhog", "utf-8")
            file.chmod(0o600)
        assert line("destinations", "add", "z-good", "folder", tmp_path, *evening).code == 0
        scheduled(database, f"{day} 00:00-07")

        def wake() -> None:  # only once the other destination has its file
            until = time.monotonic() + 50
            while not extract.exists() and time.monotonic() < until:
                threading.Event().wait(0.05)
            seen.append(extract.exists())
            for each in frozen:
                each.close()

        waker = threading.Thread(target=wake)
        waker.start()
        ran = line("deliveries", "run", "--unattended")
        waker.join()
    assert seen == [True]
    assert "uploaded to z-good" in ran.output and ran.reason.startswith("4 of 5 not delivered.")

    # The whole run has an end too: what isn't begun by then waits, what is under way is broken off and waits.
    box = open_outbox()
    waiting = [each for each in box.deliveries() if each.state == "waiting"]
    fresh = replace(waiting[-1], failures=0)
    assert [each[0].identifier for each in group_by_place([*waiting[:-1], fresh])] == [
        fresh.identifier, *(each.identifier for each in waiting[:-1])
    ]  # fmt: skip
    values = {**DEFAULTS, STORED: stored.get_destinations()}
    decisions, told = AtTheTerminal(lambda _service: ("ada", "Gr0undhog"), asks=False), list[Became]()
    with ExitStack() as opened:
        for place in places:
            opened.enter_context(socket.create_server(place))
        for limits, attempts in ((Limits(2, 0, 60), 1), (Limits(2, 60, 0.5), 2)):
            made = 0
            while made < attempts:  # on a busy machine a run may end before it has begun anything
                told.clear()
                deliver_side_by_side(box, waiting, values, decisions, announced_attempt, told.append, limits)
                assert {each.delivery.identifier for each in told} == {each.identifier for each in waiting}
                assert {str(each.error) for each in told} == {
                    "waits for the next `deliveries run`, since this one took too long."
                }
                now = [box.read(each.identifier) for each in waiting]
                assert {each.state for each in now} == {"waiting"}
                made = max(len(each.attempts) for each in now)
            assert made == attempts


def test_a_run_that_nobody_watches_asks_for_nothing_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(_question: str) -> str:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr("abq_data_entry.commands.outbox.can_ask", lambda: True)
    monkeypatch.setattr("abq_data_entry.commands.outbox.ask", asked)
    assert AtTheTerminal(lambda _service: None, asks=False).trusts("files.example.com", "SHA256:x") is False
    with pytest.raises(AssertionError, match="somebody was asked"):
        AtTheTerminal(lambda _service: None).trusts("files.example.com", "SHA256:x")


def test_secrets_come_from_files_that_only_their_owner_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    file = tmp_path / "sftp.archive"
    for text, asked, found in (
        ("ada\nGr0undhog\n", "", ("ada", "Gr0undhog")), ("ada\nGr0undhog\n", "ada", ("ada", "Gr0undhog")),
        ("Gr0undhog\n", "ada", ("ada", "Gr0undhog")),
        ("", "ada", None), ("\ufeffada\r\nGr0undhog\r\n", "ada", ("ada", "Gr0undhog")),
    ):  # fmt: skip
        file.write_bytes(text.encode())
        file.chmod(0o600)
        assert secret_files.login("sftp:archive", asked) == found, text
    # One of somebody else isn't passed over in silence: where nobody is asked, that is the reason; else it is told.
    with pytest.raises(secret_files.SecretOfAnother, match="has the login of ada, and bob is to log in"):
        secret_files.login("sftp:archive", "bob")
    with pytest.raises(NotDone, match="has the login of ada"):
        login_kept("sftp:archive", "bob", "sftp://files.example.com")
    with pytest.raises(NotDone, match="has the login of ada"):
        login_for("sftp:archive", "bob", False, Secrets(), "sftp://files.example.com")
    with monkeypatch.context() as terminal:
        terminal.setattr(passwords, "can_ask", lambda: True)
        terminal.setattr(passwords, "ask_secretly", lambda _prompt: "typed")
        found = login_for("sftp:archive", "bob", False, Secrets(), "sftp://files.example.com")
        assert found == ("bob", "typed") and "has the login of ada" in capsys.readouterr().err
    file.write_text("Gr0undhog", "utf-8")
    with pytest.raises(secret_files.SecretUnusable, match="one line, the password, and no user name") as problem:
        secret_files.login("sftp:archive", "")
    assert "destinations change archive --username" in str(problem.value) and "Gr0undhog" not in str(problem.value)
    assert secret_files.login("rest", "ada") is None
    file.unlink()
    file.mkdir()
    with pytest.raises(secret_files.SecretUnusable, match="can't be read"):
        secret_files.login("sftp:archive", "ada")
