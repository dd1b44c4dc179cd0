"""Mail against a real server: encryption, logins, names, several receivers, and what is known when something fails."""

from __future__ import annotations

import base64
import datetime
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from abq_data_entry.models.settings import SETTINGS
from abq_data_entry.network.destination import NOBODY
from abq_data_entry.network.destinations import destination
from abq_data_entry.network.destinations.email import DESTINATION
from abq_data_entry.network.failures import Cancelled, InvalidInput, describe_failure
from abq_data_entry.network.mail import (
    Attachment,
    Mail,
    Mailer,
    MailFailed,
    MailLogin,
    MailUploads,
    OutcomeUnknown,
    PartlySent,
    as_bytes,
)
from abq_data_entry.network.mail_addresses import MailServer, Person, on_the_wire, people, people_problem, server_of
from abq_data_entry.network.probing import Options
from abq_data_entry.setting import Setting
from abq_data_entry.stored_destination import STORED, StoredDestination
from abq_data_entry.workflows.check_connections import check_connections
from tests.network.certificates import Authority
from tests.network.faults import Connection, serving
from tests.network.mail_server import PASSWORD, USERNAME, mail_server
from tests.network.name_server import name_server

LAB = Person("Labor Nord, Zoë", "lab@example.com")
QA, BOSS = Person("", "qa@example.com"), Person("Boß", "boss@bücher.example")
DEFAULTS = {each.name: each.default for each in SETTINGS if isinstance(each, Setting)}
LONG = 65 * "x" + "@b.de"
NOW = datetime.datetime(2026, 11, 27, 20, 30, tzinfo=datetime.timezone.utc)


def letter(*to: Person, subject: str = "Größe", text: str = "Ünïcode\n.a dot\n") -> Mail:
    return Mail(LAB, to or (QA,), subject, text, "0123.ab", (Attachment("Maße ü.csv", b"Date\r\n.1\r\n"),))


@pytest.mark.needs("network")
@pytest.mark.parametrize("security", ["starttls", "implicit"])
def test_it_arrives_encrypted_and_whole(trusted: Authority, security: str) -> None:
    certificate = trusted.issue("127.0.0.1")
    with mail_server(certificate, security == "implicit") as (port, letters):
        server = MailServer("127.0.0.1", port, security)
        with Mailer(server, MailLogin(USERNAME, PASSWORD), str(trusted.file), 5) as mailer:
            parts: list[float] = []
            assert mailer.send(letter(QA, BOSS), progress=parts.append) == []
            assert mailer.send(letter(QA)) == [], "over the same login"
        assert letters.encrypted == [True, True] and len(letters.logins) == 1
        with Mailer(server, MailLogin(USERNAME, "wrong"), str(trusted.file), 5) as mailer:
            with pytest.raises(MailFailed, match="refused the user name or the password") as refused:
                mailer.send(letter())
            assert refused.value.login_refused and "wrong" not in repr(refused.value)
        with pytest.raises(Exception, match="can't be trusted"):
            Mailer(server, MailLogin(USERNAME, PASSWORD), None, 5).send(letter())
    assert parts[-1] == 1.0 and parts.count(1.0) == 1
    (to, _content), *_ = letters.kept
    assert to == ["qa@example.com", "boss@xn--bcher-kva.example"]
    message = letters.messages()[0]
    assert message["Message-ID"] == letters.messages()[1]["Message-ID"] == "<abq.0123.ab@example.com>"
    assert message["Subject"] == "Größe" and message["From"].addresses[0].display_name == LAB.name
    body, attached = message.get_body(), next(message.iter_attachments())
    assert body is not None and body.get_content().replace("\r\n", "\n") == "Ünïcode\n.a dot\n"
    assert attached.get_filename() == "Maße ü.csv" and attached.get_payload(decode=True) == b"Date\r\n.1\r\n"


@pytest.mark.needs("network")
def test_without_encryption_no_login_is_sent_and_receivers_are_distinguished(tmp_path: Path) -> None:
    with mail_server() as (port, letters):
        plain = MailServer("127.0.0.1", port)
        with pytest.raises(MailFailed, match="offers no encryption"):
            Mailer(plain, MailLogin(USERNAME, PASSWORD), None, 5).send(letter())
        assert letters.logins == []
        mailer = Mailer(plain._replace(security="none"), MailLogin(USERNAME, PASSWORD), None, 5)
        letters.refused = {"qa@example.com": "550 no such user", "later@example.com": "552 greylisted, or too many"}
        file = tmp_path / "a.csv"
        file.write_bytes(b"x\r\n")
        with MailUploads(mailer, LAB, (QA, BOSS), 5) as uploads:
            uploads.upload(file, identifier="1" * 32)
            assert "550 no such user" in uploads.remark and "boss" not in uploads.remark
        with mailer:
            with pytest.raises(PartlySent, match="greylisted") as partly:
                mailer.send(letter(BOSS, Person("", "later@example.com")))
            assert partly.value.transient and partly.value.served == (BOSS.address,)
            with pytest.raises(MailFailed, match="greylisted") as busy:
                mailer.send(letter(BOSS, Person("", "later@example.com"))._replace(served=frozenset((BOSS.address,))))
            assert busy.value.transient
            with pytest.raises(MailFailed, match="every receiver") as gone:
                mailer.send(letter(QA))
            assert not gone.value.transient
            jose = Person("José", "josé@example.com")
            assert mailer.send(letter(jose)) == [], "SMTPUTF8 where it is needed"
        boss = "boss@xn--bcher-kva.example"
        assert [to for to, _content in letters.kept] == [[boss], [boss], ["josé@example.com"]]


@pytest.mark.needs("network")
@pytest.mark.parametrize("stage", ["banner", "EHLO", "STARTTLS", "AUTH", "MAIL", "DATA", "end"])
def test_a_frozen_server_costs_a_bounded_time(stage: str) -> None:
    """Before the end nothing has happened; after it nobody knows."""

    def script(connection: Connection) -> None:
        if stage == "banner":
            connection.stall()
        connection.send(b"220 mail\r\n")
        while line := connection.until(b"\r\n"):
            word = line.split()[0].decode().upper()
            if word == stage:
                connection.stall()
            answers = {
                "EHLO": b"250-mail\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", "AUTH": b"235 in\r\n",
                "DATA": b"354 go on\r\n",
            }  # fmt: skip
            connection.send(answers.get(word, b"250 OK\r\n"))
            if word == "DATA":
                connection.until(b"\r\n.\r\n")
                connection.stall()

    with serving(script) as port:
        server = MailServer("127.0.0.1", port, "starttls" if stage == "STARTTLS" else "none")
        started = time.monotonic()
        with pytest.raises(Exception, match=r"in time|isn't known") as failed:
            Mailer(server, MailLogin("u", "p"), None, 0.2).send(letter())
        assert isinstance(failed.value, OutcomeUnknown) == (stage == "end")
        assert time.monotonic() - started < 10
        cancel = threading.Event()
        threading.Timer(0.1, cancel.set).start()
        with pytest.raises((Cancelled, OutcomeUnknown)) as ended:
            Mailer(server, MailLogin("u", "p"), None, 30).send(letter(), cancel)
        assert isinstance(ended.value, OutcomeUnknown) == (stage == "end")


@pytest.mark.needs("network")
def test_a_login_that_the_server_repeats_is_shown_nowhere() -> None:
    encoded = base64.b64encode(b"\0u\0Gr0undhog").decode()

    def script(connection: Connection) -> None:
        connection.send(b"220 mail\r\n")
        while line := connection.until(b"\r\n"):
            word = line.split()[0].decode().upper()
            repeated = f"550 not for Gr0undhog {encoded}"
            answers = {"EHLO": "250-mail\r\n250 AUTH PLAIN", "AUTH": "235 in", "RCPT": repeated}
            connection.send(f"{answers.get(word, '250 OK')}\r\n".encode())

    with serving(script) as port:
        mailer = Mailer(MailServer("127.0.0.1", port, "none"), MailLogin("u", "Gr0undhog"), None, 5)
        with pytest.raises(MailFailed, match="550 not for … …") as refused, mailer:
            mailer.send(letter())
    assert "Gr0undhog" not in str(refused.value) and encoded not in str(refused.value)


def test_nothing_begins_a_header_of_its_own() -> None:
    for hostile in ("a\nBcc: x@example.com", "a\rb", "a\x00b", "a\u2028b"):
        with pytest.raises(InvalidInput):
            as_bytes(letter(subject=hostile), NOW)
        with pytest.raises(InvalidInput):
            as_bytes(letter(Person(hostile, "a@example.com")), NOW)
        assert people_problem(f"{hostile} <a@example.com>")
    long = as_bytes(letter(subject="ü" * 500), NOW)
    assert max(len(line) for line in long.splitlines()) < 998


def test_addresses() -> None:
    found = people('QA <qa@example.com>; "Boss, the" <boss@example.com>, lab@bücher.example, QA@example.com')
    assert found == (Person("QA", "qa@example.com"), Person("Boss, the", "boss@example.com"),
                     Person("", "lab@bücher.example"))  # fmt: skip
    assert on_the_wire("lab@bücher.example") == "lab@xn--bcher-kva.example"
    for wrong in ("qa", "a@b@c", "<a@b> c", "a b@c.de", "a@", "@b", "a@-b.de", ".a@b.de", "a@b..de", '"', LONG):
        assert people_problem(wrong), wrong
    assert server_of("smtps://mail.example.com") == MailServer("mail.example.com", 465, "implicit")
    assert server_of("smtp://[::1]:2525") == MailServer("[::1]", 2525, "starttls")
    assert server_of("http://x") is server_of("smtp://x:99999") is None


@pytest.mark.needs("network")
def test_the_check_goes_step_by_step(trusted: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, object] = {**DEFAULTS, "abq_ca_file": str(trusted.file)}
    records = {("example.com", "MX"): ["10 mail.example.com."]}
    with mail_server(trusted.issue("127.0.0.1")) as (port, letters), name_server(monkeypatch, records):
        letters.refused = {"gone@example.com": "550 gone"}
        row = StoredDestination("reports", "email", "qa@example.com, gone@example.com", f"smtp://127.0.0.1:{port}",
                                username=USERNAME)  # fmt: skip
        values[STORED] = {row.key: row}
        wanted = Options((row.key,), lambda kind: (USERNAME, PASSWORD), write=True)
        steps = list(check_connections(values, lambda: nullcontext({}), wanted, threading.Event()))
        order = "Name, Port, Greeting, TLS, Abilities, Receivers, Login, Write test"
        assert ", ".join(each.what for each in steps) == order
        assert {each.verdict for each in steps} <= {"ok", "slow"} and "gone@example.com (550" in steps[-1].advice
        assert letters.kept == []
    assert destination(row.key).address(values) == "qa@example.com, gone@example.com"
    relay = row._replace(login_method="none")
    assert destination(row.key).login_place({**values, STORED: {row.key: relay}}) == NOBODY, "nobody is asked"
    assert DESTINATION.login_place({**values, "abq_mail_auth_method": "none"}) == NOBODY
    assert "abq_mail_from" in DESTINATION.problem({**values, "abq_mail_to": "a@b.de", "abq_mail_host": "x"})
    assert describe_failure(OutcomeUnknown("a")) == "a"
