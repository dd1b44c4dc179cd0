"""`deliveries receipts`: what receivers answer by mail, in a real mailbox (Dovecot), to what was sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from abq_data_entry.models import SQLModel
from tests.commands.conftest import DAY
from tests.commands.test_deliveries import Configure, Line, make_due, outbox, upload
from tests.fixtures.secret_files import secret
from tests.fixtures.servers import BundledServer
from tests.models.test_schema import run
from tests.network.certificates import Authority, authority
from tests.network.mail_server import PASSWORD as MAIL_PASSWORD
from tests.network.mail_server import USERNAME as MAIL_USERNAME
from tests.network.mail_server import Letters, mail_server
from tests.network.mailbox_server import PASSWORD, USERNAME, Mailbox, mailbox_server

NAME = f"abq_data_record_{DAY}.csv"
pytestmark = [pytest.mark.needs("network"), pytest.mark.takes(3)]


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority("laboratory", tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def dovecot(trusted: Authority) -> Iterator[Mailbox]:
    with mailbox_server(trusted.issue("127.0.0.1")) as running:
        yield running


@pytest.fixture
def mailbox(dovecot: Mailbox) -> Mailbox:
    dovecot.clear()
    return dovecot


@pytest.fixture
def letters(trusted: Authority, mailbox: Mailbox, configure: Configure, one_record: None) -> Iterator[Letters]:
    with mail_server(trusted.issue("127.0.0.1")) as (port, letters):
        configure(
            abq_mail_to="QA <qa@example.com>", abq_mail_from="lab@example.com", abq_mail_host="127.0.0.1",
            abq_mail_port=port, abq_ca_file=str(trusted.file), abq_answers_mailbox=mailbox.address("imap"),
            abq_answers_username=USERNAME,
        )  # fmt: skip
        yield letters


def send(line: Line) -> None:
    words = ("upload", "email", "--date", DAY, "--username", MAIL_USERNAME, "--password-stdin")
    assert line(*words, stdin=MAIL_PASSWORD).code == 0


def read(line: Line) -> str:
    done = line("deliveries", "receipts", "--password-stdin", stdin=PASSWORD)
    assert done.code == 0, done
    return done.output


def answer(text: str, *, to: str = "", sender: str = "QA <qa@example.com>", subject: str = "Re: your file") -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"], message["Message-ID"] = sender, subject, "<1@example.com>"
    if to:
        message["In-Reply-To"] = to
    message.set_content(text)
    return bytes(message)


def test_a_refusal_opens_the_delivery_again(
    line: Line, letters: Letters, mailbox: Mailbox, stored: SQLModel, database: dict[str, str]
) -> None:
    send(line)
    sent = str(letters.messages()[0]["Message-ID"])
    mailbox.put(answer("REFUSED: the humidity of plot 3 is missing.\n\n> SHA-256", to=sent))
    told = read(line)
    number = outbox().deliveries()[0].short_id
    assert f"{number} is open again: {NAME} to email. Send the day again when it is corrected. " in told
    assert "corrected. Refused by qa@example.com: REFUSED: the humidity" in told
    assert told.endswith("New mails: 1, answers to deliveries: 1.\n")
    assert outbox().deliveries()[0].state == "failed" and not outbox().unrecorded()
    assert run(database, "SELECT state, delivered, reason LIKE 'Refused by qa@%' FROM deliveries") == [
        ("failed", None, True)
    ]
    assert "Refused by qa@example.com" in line("deliveries").output
    assert "answer:    " in line("deliveries", "show", number).output
    assert [name.rpartition(":")[2] for name in mailbox.kept()] == [mailbox.kept()[0]], "nothing is marked"

    # What is sent then is made from the records as they are now; the refusal is read once.
    assert read(line) == "New mails: 0, answers to deliveries: 0.\n"
    assert line("deliveries", "retry", number, "--password-stdin", stdin=MAIL_PASSWORD).code == 0
    first, second = outbox().deliveries()
    assert (first.state, second.state, second.version) == ("cancelled", "delivered", 2)
    assert str(letters.messages()[1]["Message-ID"]) != sent
    assert read(line) == "New mails: 0, answers to deliveries: 0.\n"
    assert outbox().deliveries()[1].state == "delivered"

    # Found again under another number, or in another mailbox, it is still the same mail.
    mailbox.put(answer("Accepted, thank you", to=str(letters.messages()[1]["Message-ID"])))
    run(database, "DELETE FROM mailbox_messages")
    assert read(line) == "New mails: 2, answers to deliveries: 1.\n"
    assert "Accepted by qa@example.com: Accepted, thank you" in line("deliveries").output
    assert [each.state for each in outbox().deliveries()] == ["cancelled", "delivered"]


def test_a_run_that_nobody_watches_reads_the_answers_too(
    line: Line, letters: Letters, mailbox: Mailbox, home: Path
) -> None:
    run_due = ("deliveries", "run", "--unattended")
    secret(home, "email", MAIL_PASSWORD)
    letters.fault = lambda: "451"
    words = ("upload", "email", "--date", DAY, "--username", MAIL_USERNAME, "--password-stdin")
    assert line(*words, stdin=MAIL_PASSWORD).code == 1
    letters.fault = lambda: ""
    make_due()
    done = line(*run_due)
    assert done.code == 0 and outbox().deliveries()[0].state == "delivered", done
    assert "Warning: the receivers' answers weren't read. The mailbox needs the password" in done.errors
    mailbox.put(answer("REFUSED: plot 3", to=str(letters.messages()[0]["Message-ID"])))
    secret(home, "answers", "wrong")
    assert line(*run_due, "--no-receipts").errors == ""
    done = line(*run_due)
    assert done.code == 0 and "Warning: the receivers' answers weren't read." in done.errors
    tried = mailbox.log.read_text().count("auth failed")
    done = line(*run_due)  # ten minutes later: nobody locks the account by that
    assert done.code == 0 and "The mailbox refused this login within the hour" in done.errors
    assert "within the hour" in line("deliveries", "receipts", "--unattended").reason
    assert mailbox.log.read_text().count("auth failed") == tried > 0
    secret(home, "answers", PASSWORD)
    done = line(*run_due)
    assert (done.code, done.errors) == (0, "") and done.output.endswith("New mails: 1, answers to deliveries: 1.\n")
    assert outbox().deliveries()[0].state == "failed" and "is open again" in done.output
    assert line(*run_due).output == "Nothing waits to be delivered.\n"


def test_who_may_say_what(line: Line, letters: Letters, mailbox: Mailbox, database: dict[str, str]) -> None:
    """Only who got the mail, whom the settings name, and servers that give it back; only in words that are sure."""
    send(line)
    sent = str(letters.messages()[0]["Message-ID"])
    digest = outbox().deliveries()[0].sha256
    for content in (
        answer("REFUSED", to=sent, sender="mallory@example.org"),
        answer("REFUSED", to=sent.replace(sent[5:10], "00000")),
        answer(f"REFUSED {NAME} {digest}", sender="mallory@example.org"),
        answer(f"REFUSED: {NAME}"),
        answer(f"REFUSED: {digest}"),
        answer("I am away until Monday.", to=sent, subject="Re: refused parcels"),
        answer("accepted", to=sent, subject="Refused"),
        answer("It was refused last week.", to=sent),
    ):
        mailbox.put(content)
    assert read(line) == "New mails: 8, answers to deliveries: 4.\n"
    assert run(database, "SELECT verdict, count(*) FROM delivery_receipts GROUP BY 1") == [("answer", 4)]
    assert outbox().deliveries()[0].state == "delivered"

    letters.fault = lambda: "lost"
    done = line("upload", "email", "--date", DAY, "--username", MAIL_USERNAME, "--password-stdin", stdin=MAIL_PASSWORD)
    assert done.code == 1 and outbox().deliveries()[-1].state == "unknown"
    mailbox.put(answer("ACCEPTED", to=str(letters.messages()[-1]["Message-ID"])))
    assert read(line) == "New mails: 1, answers to deliveries: 1.\n"
    assert outbox().deliveries()[-1].state == "delivered", "the answer says that it arrived"

    mailbox.put(returned(str(letters.messages()[-1]["Message-ID"])))
    assert "It came back from qa@example.com: 550 5.1.1 no such user" in read(line)
    assert outbox().deliveries()[-1].state == "failed"


def returned(message_id: str) -> bytes:
    """What a mail server sends where it can't deliver (RFC 3464)."""
    return f"""From: MAILER-DAEMON@mail.example.net
To: lab@example.com
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: text/plain

It couldn't be delivered.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.net

Final-Recipient: rfc822; qa@example.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--x
Content-Type: text/rfc822-headers

From: lab@example.com
Message-ID: {message_id}

--x--
""".encode()


def test_a_file_is_known_by_its_name_and_digest(
    line: Line, rest_server: BundledServer, mailbox: Mailbox, configure: Configure, one_record: None,
    trusted: Authority, home: Path,
) -> None:  # fmt: skip
    """Whatever brought it: here by REST, answered with the file attached, read by POP3."""
    configure(
        abq_auth_url=rest_server.auth_url, abq_upload_url=rest_server.upload_url, abq_ca_file=str(trusted.file),
        abq_answers_mailbox=mailbox.address("pop3s"), abq_answers_username=USERNAME,
        abq_answers_from="Answers <answers@company.example>", abq_upload_name="lab-{lab}_{date}.csv",
    )  # fmt: skip
    assert upload(line).code == 0
    content = (rest_server.folder / f"lab-A_{DAY}.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() == outbox().deliveries()[0].sha256
    message = EmailMessage()
    message["From"], message["X-ABQ-Receipt"] = "answers@company.example", "refused"
    message.set_content("See the file.")
    message.add_attachment(content, maintype="application", subtype="octet-stream", filename=f"lab-A_{DAY}.csv")
    mailbox.put(bytes(message))
    secret(home, "answers", PASSWORD)
    done = line("deliveries", "receipts", "--unattended")
    assert done.code == 0 and "Refused by answers@company.example: See the file." in done.output
    assert outbox().deliveries()[0].state == "failed"
    (home / "secrets/answers").unlink()
    assert "file of secrets (answers)" in line("deliveries", "receipts", "--unattended").reason
    looked = line("check", "--only", "answers", "--password-stdin", stdin=PASSWORD)
    assert looked.code == 0 and f"{USERNAME} is logged in" in looked.output and "looked at: 1" in looked.output
    assert "TLS 1." in looked.output and "once an hour" in looked.output and PASSWORD not in looked.output
    file = home / "abq_settings.json"
    other = file.read_text("utf-8").replace(mailbox.address("pop3s"), mailbox.address("imap", "Nowhere"))
    file.write_text(other, "utf-8")
    looked = line("check", "--only", "answers", "--password-stdin", stdin=PASSWORD)
    assert looked.code == 1 and "refused what was asked (EXAMINE)" in looked.output
    assert "(IDLE)" in line("check", "--only", "answers").output
