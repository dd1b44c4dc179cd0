"""`deliveries`, and `upload` through the outbox: what waits is told, tried again, cancelled and shown."""

from __future__ import annotations

import datetime
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry import folders, logfile
from abq_data_entry.commands.database import read_settings
from abq_data_entry.models import SQLModel
from abq_data_entry.network.destinations import destination
from abq_data_entry.outbox import Delivery, Outbox
from tests.commands.conftest import DAY, PATIENCE, Outcome, outcome_of, start_process
from tests.fixtures.servers import BundledServer
from tests.models.records import DATE, record
from tests.network.faults import Connection, http, serving
from tests.outbox.conftest import Extract

NAME = f"abq_data_record_{DAY}.csv"
Line = Callable[..., Outcome]
Configure = Callable[..., None]


class Service:
    """A REST service that refuses, stalls or takes what it gets; `received`: each PUT that it took."""

    def __init__(self) -> None:
        self.answer = http("503 Service Unavailable", b"", "Retry-After: 600")
        self.stalls = False
        self.reached = threading.Event()
        self.logins = 0
        self.login_answer = http("200 OK")
        self.received: list[bytes] = []

    def __call__(self, connection: Connection) -> None:
        while request := connection.request():
            if request.startswith(b"POST"):
                self.logins += 1
                connection.send(self.login_answer)
                continue
            self.reached.set()
            if self.stalls:
                connection.stall()
                return
            if self.answer.startswith(b"HTTP/1.1 200"):
                self.received.append(request)
            connection.send(self.answer)

    def recover(self) -> None:
        self.answer, self.stalls = http("200 OK"), False


@pytest.fixture
def service(configure: Configure, one_record: None) -> Iterator[Service]:
    """The service, set as the destination, with one record to deliver."""
    made = Service()
    with serving(made) as port:
        address = f"http://127.0.0.1:{port}"
        configure(abq_auth_url=f"{address}/auth", abq_upload_url=f"{address}/upload?key=Gr0undhog-Tuesday")
        yield made


def upload(line: Line, destination: str = "rest", password: str = "test") -> Outcome:
    words = ("upload", destination, "--date", DAY, "--username", "test", "--password-stdin")
    return line(*words, stdin=password)


def outbox() -> Outbox:
    return Outbox(folders.data_folder() / "outbox")


def only() -> Delivery:
    (found,) = outbox().deliveries()
    return found


def make_due() -> None:
    """As if the time of the next attempt had come."""
    box = outbox()
    for each in box.deliveries():
        if each.state == "waiting":
            with box.locked(each):
                box.write(each, planned=None)


def test_an_empty_list_needs_no_database(line: Line) -> None:
    assert line("deliveries") == Outcome(0, "There are no deliveries.\n", "")
    assert line("deliveries", "run") == Outcome(0, "Nothing waits to be delivered.\n", "")


def test_each_upload_of_a_day_is_a_version(
    line: Line, configure: Configure, rest_server: BundledServer, stored: SQLModel, one_record: None
) -> None:
    configure(abq_auth_url=rest_server.auth_url, abq_upload_url=rest_server.upload_url)
    assert upload(line).code == 0
    stored.save_record(record(Plot="4", Seed_sample="AXM480"))
    assert upload(line).code == 0
    assert (rest_server.folder / NAME).read_bytes().count(b"\r\n") == 3
    heading, first, second = line("deliveries").output.splitlines()
    assert heading.split()[:4] == ["number", "day", "version", "to"]
    assert first.split()[1:5] == [DAY, "1", "rest", "delivered"]
    assert second.split()[1:5] == [DAY, "2", "rest", "delivered"]
    stored.save_record(record(Plot="5", Seed_sample="AXM477"))
    assert f"upload rest --date {DAY}" in line("deliveries").output
    assert [each.split()[4] for each in line("deliveries").output.splitlines()[1:]] == ["delivered", "outdated"]
    assert upload(line).code == 0
    assert "outdated" not in line("deliveries").output
    rows = stored.query("SELECT version, state, username, size FROM deliveries ORDER BY version")
    sizes = [each.size for each in outbox().deliveries()]
    assert rows == [
        {"version": number, "state": "delivered", "username": "test", "size": size}
        for number, size in enumerate(sizes, 1)
    ]


def test_a_failure_that_may_pass_says_when_it_is_tried_again(line: Line, service: Service, stored: SQLModel) -> None:
    reason = upload(line).reason
    waiting = only()
    assert waiting.state == "waiting" and waiting.planned is not None
    assert (waiting.planned - waiting.changed).total_seconds() >= 590, "the server said so"
    assert "503" in reason and "`deliveries run`" in reason
    assert f"{waiting.planned.astimezone():%Y-%m-%d %H:%M}" in reason
    assert "Nothing is due before" in line("deliveries", "run").output
    assert service.received == []
    service.recover()
    make_due()
    with outbox().locked(only()):  # as while the window, or cron, sends it
        busy = line("deliveries", "run", "--password-stdin", stdin="test")
    assert busy.code == 0 and "Another process is busy with this delivery" in busy.output, busy
    done = line("deliveries", "run", "--password-stdin", stdin="test")
    assert (done.code, done.output) == (0, f"{NAME} successfully uploaded to REST API.\n")
    assert len(service.received) == 1 and b"Date,Time," in service.received[0]
    assert only().state == "delivered"
    assert stored.query("SELECT state, attempts FROM deliveries") == [{"state": "delivered", "attempts": 2}]


def test_a_failure_that_stays_can_be_retried_with_another_password(
    line: Line, configure: Configure, ftp_server: BundledServer, one_record: None
) -> None:
    configure(abq_ftp_host=ftp_server.host, abq_ftp_port=ftp_server.port)
    reason = upload(line, "ftp", "wrong").reason
    assert "password" in reason and f"`deliveries retry {only().short_id}`" in reason
    assert "Nothing waits" in line("deliveries", "run").output
    assert line("deliveries", "retry", only().short_id, "--password-stdin", stdin="test").code == 0
    assert (ftp_server.folder / NAME).read_bytes().startswith(b"Date,Time,")
    assert "Upload the day again" in line("deliveries", "retry", only().short_id).reason


def test_what_the_server_said_comes_last_and_breaks_no_list(
    line: Line, service: Service, stored: SQLModel
) -> None:
    service.answer = http("422 Unprocessable", b'{"message": "the day is closed"}', "Content-Type: application/json")
    told = upload(line)
    assert told.code == 1 and told.errors.endswith("tries again. The server said: the day is closed\n"), told.errors
    listed = line("deliveries").output.splitlines()
    assert len(listed) == 2 and listed[1].endswith("The server said: the day is closed")


def test_cancel_and_show(line: Line, service: Service, stored: SQLModel) -> None:
    upload(line)
    shown = line("deliveries", "show", only().identifier[:4]).output
    words = ("version 1", "as test", "503", "kept as:", "attempt 1:", "Next attempt")
    for text in (only().identifier, only().sha256, *words):
        assert text in shown
    assert "Gr0undhog" not in shown
    assert "cancelled" in line("deliveries", "cancel", only().short_id).output
    assert not list((folders.data_folder() / "outbox").rglob("*.csv"))
    assert "kept as:" not in line("deliveries", "show", only().short_id).output
    assert stored.query("SELECT state FROM deliveries") == [{"state": "cancelled"}]
    assert "no delivery" in line("deliveries", "cancel", "zzzz").reason


def test_one_password_is_not_shown_to_two_services(line: Line, service: Service, configure: Configure) -> None:
    upload(line)
    line("upload", "rest", "--date", DAY, "--username", "other", "--password-stdin", stdin="other")
    box = outbox()
    for each in box.deliveries():  # as they would be with another day
        with box.locked(each):
            box.write(each, state="waiting", planned=None)
    service.recover()
    assert "2 logins" in line("deliveries", "run", "--password-stdin", stdin="test").reason
    assert service.received == []


def test_a_login_is_not_sent_where_it_was_not_meant_for(line: Line, service: Service, configure: Configure) -> None:
    upload(line)
    make_due()
    configure(abq_auth_url="http://127.0.0.1:1/", abq_upload_url="http://127.0.0.1:1/")
    reason = line("deliveries", "run", "--password-stdin", stdin="test").reason
    assert "settings for rest have changed" in reason and "Upload the day again" in reason
    assert only().state == "failed"


def test_without_a_database_it_arrives_and_is_recorded_later(
    line: Line, service: Service, configure: Configure, stored: SQLModel, home: Path
) -> None:
    upload(line)
    make_due()
    service.recover()
    settings = home / "abq_settings.json"
    before = settings.read_text(encoding="utf-8")
    settings.write_text(before.replace('"db_name"', '"db_host": {"type": "str", "value": "127.0.0.1"}, '
                                       '"db_port": {"type": "str", "value": "1"}, "db_name"'), encoding="utf-8")
    assert line("deliveries", "run", "--password-stdin", stdin="test").code == 0
    assert only().state == "delivered"
    assert stored.query("SELECT state FROM deliveries") == [{"state": "waiting"}]
    settings.write_text(before, encoding="utf-8")
    assert line("deliveries", "run").code == 0
    assert stored.query("SELECT state FROM deliveries") == [{"state": "delivered"}]


def test_nothing_secret_stays_in_the_outbox(line: Line, service: Service) -> None:
    upload(line, password="wrong-horse-battery")
    folder = outbox().folder
    places = (*folder.rglob("*"), *(folder.parent / "journal").iterdir())
    kept = b"".join(path.read_bytes() for path in places if path.is_file())
    assert b"503" in kept and b"wrong-horse" not in kept and b"Gr0undhog" not in kept


@pytest.mark.skipif(os.name != "posix", reason="no such signals here")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "terminated"])
def test_a_process_that_is_ended_while_it_sends(line: Line, service: Service, number: signal.Signals) -> None:
    service.stalls = True
    process = start_process(
        "upload", "rest", "--date", DAY, "--username", "test", env={**os.environ, "ABQ_PASSWORD": "test"}
    )
    assert service.reached.wait(PATIENCE)
    process.send_signal(number)
    assert outcome_of(process).code != 0
    assert "waiting" in line("deliveries").output, "whatever it was killed in"
    service.recover()
    assert line("deliveries", "run", "--password-stdin", stdin="test").code == 0
    assert len(service.received) == 1 and only().state == "delivered"


@pytest.mark.skipif(os.name != "posix", reason="no such signals here")
def test_ctrl_c_cancels_an_upload_but_only_interrupts_a_run(line: Line, service: Service) -> None:
    upload(line)
    make_due()
    service.stalls = True
    secret = folders.config_folder() / "secrets/rest"
    secret.parent.mkdir()
    secret.write_text("test\ntest\n", "utf-8")
    secret.chmod(0o600)
    for words, state in (
        (("deliveries", "run"), "waiting"),
        (("deliveries", "run", "--unattended"), "waiting"),
        (("upload", "rest", "--date", DAY, "--username", "test"), "cancelled"),
    ):
        service.reached.clear()
        process = start_process(*words, env={**os.environ, "ABQ_PASSWORD": "test"})
        assert service.reached.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        assert outcome_of(process).code == 1
        assert outbox().deliveries()[-1].state == state


def put_in(count: int) -> list[Delivery]:
    """Put in extracts of so many days for the service, as user `test`."""
    box, values = outbox(), read_settings().values()
    to = destination("rest").place(values)
    return [box.add(Extract(), DATE + datetime.timedelta(days=number), to, "test") for number in range(count)]


def test_all_that_is_due_goes_over_one_login(line: Line, service: Service, stored: SQLModel) -> None:
    waiting = put_in(12)
    service.recover()
    done = line("deliveries", "run", "--password-stdin", stdin="test")
    assert done.code == 0
    assert done.output.splitlines() == [f"{each.name} successfully uploaded to REST API." for each in waiting]
    assert (service.logins, len(service.received)) == (1, 12)
    assert stored.query("SELECT state, count(*)::int AS number FROM deliveries GROUP BY state") == [
        {"state": "delivered", "number": 12}
    ]


def test_a_service_that_is_down_is_not_asked_for_each_delivery(line: Line, service: Service) -> None:
    first, *others = put_in(12)
    reason = line("deliveries", "run", "--password-stdin", stdin="test").reason
    assert reason.startswith(f"12 of 12 not delivered. {first.short_id}, {first.name} by rest:") and "503" in reason
    assert f"{others[0].name} and 10 more by rest: waits" in reason
    assert [len(each.attempts) for each in outbox().deliveries()] == [1, *[0] * 11]
    service.answer = http("502 Bad Gateway")
    make_due()
    reason = line("deliveries", "run", "--password-stdin", stdin="test").reason
    assert reason.count("502") == 3
    assert [len(each.attempts) for each in outbox().deliveries()] == [2, 1, 1, *[0] * 9]


def test_without_a_password_nothing_is_tried_and_one_sentence_says_so(line: Line, service: Service) -> None:
    first, *_others = put_in(3)
    reason = line("deliveries", "run").reason
    assert reason.startswith(f"3 of 3 not delivered. {first.short_id}, {first.name} and 2 more by rest: ")
    assert reason.count("--password-stdin") == 1 and service.logins == 0
    assert {each.state for each in outbox().deliveries()} == {"waiting"}


def test_of_many_problems_only_some_are_printed(line: Line, service: Service) -> None:
    put_in(8)
    service.answer = http("422 Unprocessable")
    reason = line("deliveries", "run", "--password-stdin", stdin="test").reason
    assert reason.startswith("8 of 8 not delivered.") and reason.count("(422)") == 5
    assert reason.endswith("`deliveries` shows the other 3.")


def test_an_outbox_without_locks_is_listed_and_nothing_is_begun(line: Line, service: Service) -> None:
    """Whatever keeps us from writing there: no rights, a disk that is read-only."""
    (waiting,) = put_in(1)
    service.recover()
    with outbox().locked(waiting):  # the file of its lock is there from now on
        names = sorted((outbox().folder / "locks").iterdir())
    assert len(names) == 2
    for path in names:
        path.unlink()
        path.mkdir()
    listed = line("deliveries")
    assert listed.code == 0 and waiting.short_id in listed.output
    assert listed.errors.startswith("Warning: The outbox can't be tidied.")
    assert line("deliveries", "run", "--password-stdin", stdin="test").code == 1
    assert service.received == [] and only() == waiting
    for path in names:
        path.rmdir()
    assert line("deliveries", "run", "--password-stdin", stdin="test").code == 0


def test_the_audit_goes_with_an_upload(line: Line, service: Service, stored: SQLModel) -> None:
    service.recover()
    assert upload(line).code == 0
    head = stored.audit_heads(DATE)
    assert head and only().audit_head == head
    assert f"ABQ-Audit-Head: {head}\r\n".encode() in service.received[0]
    shown = line("deliveries", "show", only().short_id).output
    assert f"audit:     lab {head.split('; ')[0]}" in shown
    assert stored.query("SELECT audit_head FROM deliveries") == [{"audit_head": head}]
    assert line("db", "verify", "--head", head).code == 0


def test_the_log_says_which_version_was_sent_where(line: Line, service: Service, stored: SQLModel) -> None:
    upload(line)
    service.recover()
    upload(line)
    first, second = outbox().deliveries()
    log = (folders.log_folder() / logfile.NAME).read_text(encoding="utf-8")
    where = f"to {first.address} by rest"
    for each, outcome in ((first, "waiting"), (second, "delivered")):
        assert f"delivery {each.short_id}, {NAME} version {each.version} {where}: {outcome}" in log
    assert "Gr0undhog" not in log


def test_unattended_goes_on_with_what_the_keyring_knows_and_names_the_rest(
    line: Line, service: Service, known_passwords: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = put_in(2)
    box, to = outbox(), destination("rest").place(read_settings().values())
    other = box.add(Extract(), DATE + datetime.timedelta(days=9), to, "somebody")
    service.recover()
    known_passwords["abq-data-entry:rest", "test"] = "test"
    monkeypatch.setenv("ABQ_PASSWORD", "of somebody else, perhaps")
    done = line("deliveries", "run", "--unattended")
    assert done.code == 0
    assert done.output.splitlines() == [
        *(f"{each.name} successfully uploaded to REST API." for each in waiting),
        f"{other.short_id}, {other.name} by rest: waits for the password of somebody.",
    ]
    assert outbox().read(other.identifier) == other and len(service.received) == 2
    assert line("deliveries", "run", "--unattended", "--password-stdin").code == 2


def test_a_refused_login_leaves_the_others_as_they_are(line: Line, service: Service) -> None:
    """One wrong password doesn't fail a thousand deliveries, and isn't shown a thousand times."""
    first, *others = put_in(4)
    service.login_answer = http("401 Unauthorized")
    reason = line("deliveries", "run", "--password-stdin", stdin="wrong").reason
    assert "password" in reason and f"{others[0].name} and 2 more by rest: waits" in reason
    assert service.logins == 1
    assert [each.state for each in outbox().deliveries()] == ["failed", "waiting", "waiting", "waiting"]
    assert outbox().read(first.identifier).attempts[0].outcome
