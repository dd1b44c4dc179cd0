"""`upload`: deliveries, and where the password comes from."""

from __future__ import annotations

import datetime
import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from abq_data_entry import logfile
from abq_data_entry.commands.outbox import opened_outbox
from abq_data_entry.models import SQLModel
from abq_data_entry.outbox.delivery import CANCELLED, DELIVERED, WAITING
from abq_data_entry.postgres.cluster import running
from abq_data_entry.workflows import day_report
from tests.commands.conftest import DAY, PATIENCE, Outcome, at_terminal, outcome_of, start_process
from tests.fixtures.servers import BundledServer
from tests.models.records import record
from tests.network.faults import Connection, Ftp, serving

NAME = f"abq_data_record_{DAY}.csv"
WRONG = "wrong-horse-battery"
Secrets = dict[tuple[str, str], str]


@pytest.fixture
def rest(configure: Callable[..., None], rest_server: BundledServer, one_record: None) -> BundledServer:
    """The HTTP server, set as the destination; user and password are `test`."""
    configure(abq_auth_url=rest_server.auth_url, abq_upload_url=rest_server.upload_url)
    return rest_server


@pytest.fixture
def ftp(configure: Callable[..., None], ftp_server: BundledServer, one_record: None) -> BundledServer:
    """The FTP server, set as the destination; user and password are `test`."""
    configure(abq_ftp_host=ftp_server.host, abq_ftp_port=ftp_server.port)
    return ftp_server


def _upload(line: Callable[..., Outcome], destination: str, *words: str, stdin: str = "") -> Outcome:
    return line("upload", destination, "--date", DAY, "--username", "test", *words, stdin=stdin)


def test_rest(line: Callable[..., Outcome], rest: BundledServer) -> None:
    done = _upload(line, "rest", "--password-stdin", stdin="test\nmore\n")
    assert (done.code, done.output, done.errors) == (0, f"{NAME} successfully uploaded to REST API.\n", "")
    line("export", "--date", DAY, "-o", rest.folder / "expected.csv")
    assert (rest.folder / NAME).read_bytes() == (rest.folder / "expected.csv").read_bytes()


def test_ftp(line: Callable[..., Outcome], ftp: BundledServer) -> None:
    done = _upload(line, "ftp", "--password-stdin", stdin="test")
    assert (done.code, done.output, done.errors) == (0, f"{NAME} successfully uploaded to FTP\n", "")
    assert (ftp.folder / NAME).read_bytes().startswith(b"Date,Time,")


def test_a_shared_folder_needs_no_login(
    line: Callable[..., Outcome],
    configure: Callable[..., None],
    one_record: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = line("upload", "folder", "--date", DAY)
    assert refused.reason.endswith("The setting 'abq_folder_path' is empty: it says where the shared folder is. "
                                   "Nothing was sent.")  # fmt: skip
    share = tmp_path / "share"
    configure(abq_folder_path=str(share))
    monkeypatch.setenv("ABQ_PASSWORD", WRONG)  # for another one, which isn't due
    waits = line("upload", "folder", "--date", DAY)
    assert "isn't there" in waits.reason and "`deliveries run` or the window tries again" in waits.reason
    share.mkdir()
    number = line("deliveries").output.splitlines()[-1].split()[0]
    done = line("deliveries", "retry", number)
    assert (done.code, done.output) == (0, f"{NAME} successfully uploaded to the file share\n"), done
    assert f"to:        {share} by folder\n" in line("deliveries", "show", number).output
    assert [each.name for each in share.iterdir()] == [NAME]
    done = line("check", "--only", "folder", "--write")
    assert done.code == 0 and "was stored and removed again" in done.output and "No login" not in done.output
    assert [each.name for each in share.iterdir()] == [NAME]


def test_standard_input_goes_before_all(
    line: Callable[..., Outcome], rest: BundledServer, monkeypatch: pytest.MonkeyPatch, known_passwords: Secrets
) -> None:
    monkeypatch.setenv("ABQ_PASSWORD", WRONG)
    known_passwords["abq-data-entry:rest", "test"] = WRONG
    assert _upload(line, "rest", "--password-stdin", stdin="test\n").code == 0


def test_the_environment_goes_before_the_keyring(
    line: Callable[..., Outcome], rest: BundledServer, monkeypatch: pytest.MonkeyPatch, known_passwords: Secrets
) -> None:
    monkeypatch.setenv("ABQ_PASSWORD", "test")
    known_passwords["abq-data-entry:rest", "test"] = WRONG
    assert _upload(line, "rest").code == 0
    assert "ABQ_PASSWORD" not in os.environ  # taken out, so that no program started from here inherits it


def test_the_keyring_knows_password_and_user(
    line: Callable[..., Outcome], ftp: BundledServer, known_passwords: Secrets
) -> None:
    known_passwords["abq-data-entry:rest", "test"] = WRONG
    known_passwords["abq-data-entry:ftp", "test"] = "test"
    assert _upload(line, "ftp").code == 0
    assert line("upload", "ftp", "--date", DAY).code == 0


def test_it_is_asked_for_at_a_terminal_and_not_shown(line: Callable[..., Outcome], rest: BundledServer) -> None:
    done = at_terminal(
        ["upload", "rest", "--date", DAY], [("User name for rest: ", "test"), ("Password of test for rest: ", "test")]
    )
    assert done.code == 0, done
    assert done.output.count("test") == 2, "the user name as it was typed and in the question, and nothing more"


def test_nobody_to_ask(line: Callable[..., Outcome], rest: BundledServer) -> None:
    without_password = _upload(line, "rest").reason
    for way in ("--password-stdin", "ABQ_PASSWORD", "abq-data-entry:rest"):
        assert way in without_password
    assert "--username" in line("upload", "rest", "--date", DAY).reason
    assert "first line" in _upload(line, "rest", "--password-stdin", stdin="\n").reason
    assert list(rest.folder.iterdir()) == []


@pytest.mark.parametrize("destination", ["rest", "ftp"])
def test_a_wrong_password_is_reported_as_such_and_shown_nowhere(
    destination: str, request: pytest.FixtureRequest, line: Callable[..., Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    server: BundledServer = request.getfixturevalue(destination)
    with caplog.at_level(logging.DEBUG):
        done = _upload(line, destination, "--password-stdin", stdin=f"{WRONG}\n")
    assert "password" in done.reason
    assert WRONG not in done.output + done.errors + caplog.text
    assert WRONG not in (Path(os.environ["ABQ_DATA_DIR"]) / "log" / logfile.NAME).read_text(encoding="utf-8")
    assert list(server.folder.iterdir()) == []


@pytest.mark.parametrize("destination", ["rest", "ftp"])
def test_an_unreachable_destination_is_reported_as_such(
    destination: str, line: Callable[..., Outcome], configure: Callable[..., None], one_record: None
) -> None:
    nowhere = "http://127.0.0.1:1/"
    configure(abq_auth_url=nowhere, abq_upload_url=nowhere, abq_ftp_host="127.0.0.1", abq_ftp_port=1)
    reason = _upload(line, destination, "--password-stdin", stdin="test").reason
    assert "refused the connection" in reason
    assert "password" not in reason


def test_encryption_as_the_settings_say(
    line: Callable[..., Outcome], configure: Callable[..., None], ftp: BundledServer
) -> None:
    configure(abq_ftp_host=ftp.host, abq_ftp_port=ftp.port, abq_ftp_security="explicit")
    assert "offers no encryption" in _upload(line, "ftp", "--password-stdin", stdin="test").reason
    configure(abq_ftp_host=ftp.host, abq_ftp_port=ftp.port, abq_ftp_security="explicit", abq_ca_file="/nowhere.pem")
    assert "/nowhere.pem doesn't exist" in _upload(line, "ftp", "--password-stdin", stdin="test").reason
    assert not list(ftp.folder.iterdir())


def test_without_records_nothing_is_asked_or_sent(line: Callable[..., Outcome], rest: BundledServer) -> None:
    done = line("upload", "rest", "--date", "2020-01-01")
    assert done.reason == "There are no records to upload of 2020-01-01."
    assert "request received" not in rest.output()


def test_after_midnight_it_names_the_days_that_were_not_sent(
    line: Callable[..., Outcome], rest: BundledServer, stored: SQLModel
) -> None:
    today = datetime.date.today()
    yesterday = today - datetime.timedelta(1)
    stored.save_record(record(Date=str(yesterday)))
    stored.save_record(record(Date=str(today - datetime.timedelta(8))))
    done = line("upload", "rest")
    assert done.code == 1 and done.reason.startswith(f"There are no records to upload of {today}. Not sent yet: ")
    assert done.reason.endswith(f"{yesterday} (--date).") and str(today - datetime.timedelta(8)) not in done.reason
    assert "request received" not in rest.output()


def test_no_extract_stays_behind(
    line: Callable[..., Outcome], rest: BundledServer, tmp_path_factory: pytest.TempPathFactory, stored: SQLModel
) -> None:
    stored.save_record(record(Plot="4", Seed_sample="AXM480"))
    temporary = tmp_path_factory.mktemp("tmp")
    for password, code in (("test", 0), (WRONG, 1)):
        process = start_process(
            "upload", "rest", "--date", DAY, "--username", "test",
            env={**os.environ, "ABQ_PASSWORD": password, "TMPDIR": str(temporary)},
        )  # fmt: skip
        assert outcome_of(process).code == code
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")
def test_programs_that_are_started_inherit_no_password(short_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    variables = {"ABQ_PASSWORD": WRONG, "ABQ_DB_PASSWORD": WRONG}
    places = {"ABQ_DATA_DIR": str(short_folder / "data"), "ABQ_CONFIG_DIR": str(short_folder / "config")}
    done = outcome_of(start_process("db", "dsn", env={**os.environ, **places, **variables}))
    assert done.code == 0, done
    server = running(short_folder / "data" / "postgres" / "cluster")
    assert server is not None
    assert WRONG.encode() not in Path(f"/proc/{server.pid}/environ").read_bytes()
    assert WRONG not in done.output


@pytest.mark.parametrize("destination", ["rest", "ftp"])
def test_it_gets_the_name_of_the_settings_in_the_folder_of_the_settings(
    line: Callable[..., Outcome], rest: BundledServer, ftp: BundledServer, configure: Callable[..., None],
    destination: str,
) -> None:  # fmt: skip
    configure(abq_ftp_folder="incoming", abq_upload_name="{lab}_{date}.csv", abq_ftp_host=ftp.host,
              abq_ftp_port=ftp.port, abq_auth_url=rest.auth_url, abq_upload_url=rest.upload_url)  # fmt: skip
    server, folder = (ftp, ftp.folder / "incoming") if destination == "ftp" else (rest, rest.folder)
    folder.mkdir(exist_ok=True)
    done = _upload(line, destination, "--password-stdin", stdin="test")
    assert done.code == 0 and done.output.startswith(f"{NAME} successfully uploaded"), "here it keeps its name"
    assert [path.name for path in folder.iterdir()] == [f"A_{DAY}.csv"], server.output()
    number = line("deliveries").output.splitlines()[1].split()[0]
    assert f"A_{DAY}.csv" in line("deliveries", "show", number).output


@pytest.mark.parametrize(
    ("name", "value"), [("abq_ftp_folder", "../x"), ("abq_upload_name", "../{date}.csv"), ("abq_upload_name", "")]
)
def test_a_folder_or_name_that_makes_no_sense_is_refused_by_name(
    line: Callable[..., Outcome], ftp: BundledServer, configure: Callable[..., None], name: str, value: str
) -> None:
    configure(**{name: value}, abq_ftp_host=ftp.host, abq_ftp_port=ftp.port)
    done = _upload(line, "ftp", "--password-stdin", stdin="test")
    assert done.code == 1 and done.errors.splitlines()[-1].startswith(f"The setting {name!r}")
    assert not list(ftp.folder.iterdir()) and line("deliveries").output == "There are no deliveries.\n"
    checked = line("check", "--only", "ftp")
    assert checked.code == 1 and name in checked.output


def test_what_waits_is_not_given_up_for_a_slip_in_the_settings(
    line: Callable[..., Outcome], ftp: BundledServer, configure: Callable[..., None]
) -> None:
    (ftp.folder / "incoming").mkdir()
    place = {"abq_ftp_host": ftp.host, "abq_ftp_port": ftp.port}
    configure(**place, abq_ftp_folder="incoming")
    assert _upload(line, "ftp", "--password-stdin", stdin=WRONG).code == 1
    number = line("deliveries").output.splitlines()[1].split()[0]
    configure(**place, abq_ftp_folder="incoming/..")
    told = line("deliveries", "retry", number, "--password-stdin", stdin="test")
    assert told.code == 1 and "The setting 'abq_ftp_folder'" in told.errors.splitlines()[-1]
    configure(**place, abq_ftp_folder="incoming")
    assert line("deliveries", "retry", number, "--password-stdin", stdin="test").code == 0
    assert [path.name for path in (ftp.folder / "incoming").iterdir()] == [NAME]


@pytest.mark.parametrize("kind", ["rest", "ftp"])
def test_the_report_of_the_day_goes_along_where_that_is_set(
    kind: str, request: pytest.FixtureRequest, line: Callable[..., Outcome], configure: Callable[..., None]
) -> None:
    server: BundledServer = request.getfixturevalue(kind)
    place = (
        {"abq_auth_url": server.auth_url, "abq_upload_url": server.upload_url}
        if kind == "rest"
        else {"abq_ftp_host": server.host, "abq_ftp_port": server.port}
    )
    assert _upload(line, kind, "--password-stdin", stdin="test").code == 0
    assert [path.name for path in server.folder.iterdir()] == [NAME]
    configure(**place, abq_send_report=True)
    again, report = _upload(line, kind, "--password-stdin", stdin="test"), NAME.replace(".csv", ".report.html")
    assert (again.code, again.errors) == (0, "")
    assert sorted(path.name for path in server.folder.iterdir()) == [NAME, report]
    text = (server.folder / report).read_text(encoding="utf-8")
    assert f"{DAY}</title>" in text and "<h2>Audit</h2>" in text and text.endswith("</html>\n")


def test_a_fault_of_the_report_does_not_keep_the_records(
    line: Callable[..., Outcome], configure: Callable[..., None], ftp: BundledServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a fault in the charts")

    monkeypatch.setattr(day_report, "write_report", broken)
    configure(abq_ftp_host=ftp.host, abq_ftp_port=ftp.port, abq_send_report=True)
    assert _upload(line, "ftp", "--password-stdin", stdin="test").code == 0
    assert [path.name for path in ftp.folder.iterdir()] == [NAME]


@pytest.mark.skipif(os.name != "posix", reason="no such signals here")
@pytest.mark.parametrize(
    ("in_place", "number", "said", "state"),
    [
        (True, signal.SIGINT, "Cancelled while the server was storing it: the file there may be incompl", CANCELLED),
        (False, signal.SIGINT, "Cancelled when the whole file had been sent: it may have arrived.", CANCELLED),
        (True, signal.SIGTERM, "Interrupted.", WAITING),
        (False, signal.SIGTERM, "Interrupted.", WAITING),
    ],
)
def test_an_upload_that_is_ended_while_the_server_stores_it(
    line: Callable[..., Outcome], configure: Callable[..., None], one_record: None,
    in_place: bool, number: signal.Signals, said: str, state: str,
) -> None:  # fmt: skip
    reached = threading.Event()

    def stall_midway(control: Connection, _data: Connection) -> None:
        reached.set()
        control.stall()

    server = Ftp(renames=not in_place, keep=10, after=stall_midway)
    with serving(server) as port:
        configure(abq_ftp_host="127.0.0.1", abq_ftp_port=port)
        environment = {**os.environ, "ABQ_PASSWORD": "test"}
        process = start_process("upload", "ftp", "--date", DAY, "--username", "test", env=environment)
        assert reached.wait(PATIENCE)
        process.send_signal(number)
        assert said in outcome_of(process).reason
        (delivery,) = opened_outbox().deliveries()
        assert delivery.state == state and NAME not in server.files
        server.keep = None
        assert _upload(line, "ftp", "--password-stdin", stdin="test").code == 0
        assert server.files[NAME].count(b"\n") == 2  # here: at the end, the first attempt goes on
    assert [each.state for each in opened_outbox().deliveries()] == [CANCELLED, DELIVERED]
