"""The mailbox of answers at servers that misbehave; what real ones do is in tests/commands/test_receipts.py."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from abq_data_entry.network.failures import Cancelled, TimedOut
from abq_data_entry.network.mail_addresses import mailbox_of, mailbox_problem
from abq_data_entry.network.mailbox import (
    LONGEST_ANSWER,
    LONGEST_MAIL,
    MOST,
    Account,
    MailboxFailed,
    logged_in,
    new_mails,
)
from tests.network.certificates import authority
from tests.network.faults import Connection, serving
from tests.network.mailbox_server import PASSWORD, USERNAME, mailbox_server

MAIL = b"From: qa@example.com\r\n\r\nACCEPTED\r\n"
PATIENCE, SILENCE = 30.0, 0.5
"""Seconds: for servers that answer, also on a busy machine, and for those that don't."""


@dataclass
class Imap:
    """A small IMAP server for one folder. `replies`: what to answer to a command instead, `{}` is its tag."""

    replies: dict[str, bytes | Callable[[Connection, bytes], None]] = field(default_factory=dict)
    greeting: bytes = b"* OK ready\r\n"
    abilities: bytes = b"IMAP4rev1 AUTH=PLAIN IDLE"
    mails: dict[int, bytes] = field(default_factory=lambda: {7: MAIL})
    commands: list[bytes] = field(default_factory=list)

    def __call__(self, connection: Connection) -> None:
        connection.send(self.greeting)
        while line := connection.until(b"\r\n"):
            tag, _, command = line.strip().partition(b" ")
            self.commands.append(command)
            word = " ".join(command.decode("latin-1").upper().split()[: 2 if command.startswith(b"UID") else 1])
            reply = self.replies.get(word)
            if callable(reply):
                reply(connection, tag)
            elif reply is not None:
                connection.send(reply.replace(b"{}", tag))
            else:
                self.answer(connection, tag, word, command)

    def answer(self, connection: Connection, tag: bytes, word: str, command: bytes) -> None:
        said = b""
        if word == "CAPABILITY":
            said = b"* CAPABILITY " + self.abilities + b"\r\n"
        elif word == "AUTHENTICATE":
            connection.send(b"+ \r\n")
            self.commands.append(connection.until(b"\r\n").strip())
        elif word == "EXAMINE":
            said = b"* %d EXISTS\r\n* OK [UIDVALIDITY 3] x\r\n" % len(self.mails)
        elif word == "FETCH":
            sizes = enumerate(((uid, len(mail)) for uid, mail in self.mails.items()), 1)
            said = b"".join(b"* %d FETCH (RFC822.SIZE %d UID %d)\r\n" % (at, size, uid) for at, (uid, size) in sizes)
        elif word == "UID FETCH":
            uid = int(command.split()[2])
            mail = self.mails[uid]
            said = b"* 1 FETCH (UID %d BODY[]<0> {%d}\r\n%s)\r\n" % (uid, len(mail), mail)
        connection.send(said + tag + b" OK done\r\n")


@dataclass
class Pop3:
    """A small POP3 server, in the same way."""

    replies: dict[str, bytes | Callable[[Connection, bytes], None]] = field(default_factory=dict)
    mails: list[bytes] = field(default_factory=lambda: [MAIL])
    commands: list[bytes] = field(default_factory=list)
    abilities: bytes = b"TOP\r\nUIDL\r\n"

    def __call__(self, connection: Connection) -> None:
        connection.send(b"+OK ready\r\n")
        while line := connection.until(b"\r\n"):
            self.commands.append(line.strip())
            word, *rest = line.decode("latin-1").split()
            reply = self.replies.get(word)
            if callable(reply):
                reply(connection, b"")
            elif reply is not None:
                connection.send(reply)
            else:
                said = {
                    "CAPA": self.abilities,
                    "LIST": b"".join(b"%d %d\r\n" % (at, len(each)) for at, each in enumerate(self.mails, 1)),
                    "UIDL": b"".join(b"%d id-%d\r\n" % (at, at) for at, _each in enumerate(self.mails, 1)),
                    "TOP": self.mails[int(rest[0]) - 1] if word == "TOP" else b"",
                    "RETR": self.mails[int(rest[0]) - 1] if word == "RETR" else b"",
                }.get(word)
                connection.send(b"+OK\r\n" + (b"" if said is None else said + b".\r\n"))


def account(port: int, scheme: str = "imap", timeout: float = PATIENCE, folder: str = "") -> Account:
    address = mailbox_of(f"{scheme}://127.0.0.1:{port}/{folder}", False)
    assert address is not None
    return Account(address, "lab", PASSWORD, None, timeout)


def read(script: Imap | Pop3, timeout: float = PATIENCE, folder: str = "") -> list[tuple[str, bytes | None]]:
    with serving(script) as port:
        scheme = "imap" if isinstance(script, Imap) else "pop3"
        return list(new_mails(account(port, scheme, timeout, folder), lambda names: ()))


def why(script: Imap | Pop3, timeout: float = PATIENCE) -> str:
    with pytest.raises((MailboxFailed, TimedOut)) as failed:
        read(script, timeout)
    assert PASSWORD not in str(failed.value)
    return str(failed.value)


def flood(content: bytes) -> Callable[[Connection, bytes], None]:
    """Sends that again and again until nobody listens."""

    def send(connection: Connection, tag: bytes) -> None:
        block = content * (65536 // len(content))
        for _ in range(2000):
            connection.send(block)

    return send


def test_addresses() -> None:
    for text, place, security, folder in (
        ("imaps://mail.example.com", "imaps://mail.example.com:993", "implicit", "INBOX"),
        ("imap://mail.example.com:1143/Lab/Answers", "imap://mail.example.com:1143", "starttls", "Lab/Answers"),
        ("pop3://[::1]", "pop3://[::1]:110", "starttls", "INBOX"),
        ("imaps://x/Antw%C3%B6rten", "imaps://x:993", "implicit", "Antwörten"),
    ):
        found = mailbox_of(text)
        assert found is not None and (found.place, found.security, found.folder) == (place, security, folder)
    plain = mailbox_of("imap://x", False)
    assert plain is not None and plain.security == "none"
    for wrong in ("x", "http://x", "imap://x:0", "imap://x:99999", "imap://u:p@x", "pop3://x/INBOX", "imap://x/a%0Ab"):
        assert mailbox_problem(wrong), wrong


def test_what_isnt_known_is_read_and_nothing_is_changed() -> None:
    server = Imap(mails={7: MAIL, 9: b"second", 12: b"third"})
    with serving(server) as port:
        found = list(new_mails(account(port), lambda names: {"3.9"} & set(names)))
        assert found == [("3.7", MAIL), ("3.12", b"third")]
        list(new_mails(account(port), lambda names: set(names)))
    words = {each.split()[0] for each in server.commands if each and each.isascii()}
    assert words >= {b"EXAMINE"} and not words & {b"SELECT", b"STORE", b"EXPUNGE", b"COPY", b"MOVE"}
    assert all(b"BODY.PEEK" in each for each in server.commands if each.startswith(b"UID FETCH"))
    assert read(Pop3(mails=[MAIL, b"..two\r\n"])) == [("id-1", MAIL), ("id-2", b".two\r\n")]
    without_top = Pop3(abilities=b"UIDL\r\n")
    assert read(without_top) == [("id-1", MAIL)] and b"RETR 1" in without_top.commands
    assert not any(each.startswith(b"DELE") for each in without_top.commands)
    assert read(Imap(mails={})) == []


def test_a_server_that_drips_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither with one answer, nor with many mails: the others come with the next look."""
    monkeypatch.setattr("abq_data_entry.network.mailbox.LONGEST_SECONDS", 0.5)

    def drip(connection: Connection, _tag: bytes) -> None:
        while True:
            connection.send(b"x")
            time.sleep(0.01)

    assert read(Imap({"UID FETCH": drip})) == [("3.7", None)]
    assert "took too long with one answer" in why(Imap({"EXAMINE": drip}))
    monkeypatch.undo()
    monkeypatch.setattr("abq_data_entry.network.mailbox.LONGEST_READ", 0.0)
    assert read(Imap(mails={7: MAIL, 9: b"second"})) == [("3.7", MAIL)]


def test_a_name_is_no_command() -> None:
    server = Imap()
    read(server, folder='a"b&c%C3%BC/%F0%9F%90%95')
    (examined,) = {each for each in server.commands if each.startswith(b"EXAMINE")}
    assert examined == b'EXAMINE "a\\"b&-c&APw-/&2D3cFQ-"'
    login = account(1)._replace(username="lab\r\nDELE 1")
    with serving(Pop3()) as port, pytest.raises(MailboxFailed, match="control characters"):
        list(new_mails(login._replace(address=account(port, "pop3").address), lambda names: ()))
    plain = Imap(abilities=b"IMAP4rev1", replies={"LOGIN": lambda connection, tag: _log_in(connection, tag, given)})
    given = list[bytes]()
    assert read(plain) == [("3.7", MAIL)] and given == [b"lab {%d}" % len(PASSWORD.encode()), PASSWORD.encode()]
    assert "lets nobody log in" in why(Imap(abilities=b"IMAP4rev1 LOGINDISABLED"))


def _log_in(connection: Connection, tag: bytes, given: list[bytes]) -> None:
    for _ in range(2):
        connection.send(b"+ go on\r\n")
        given.append(connection.until(b"\r\n").strip())
    connection.send(tag + b" OK\r\n")


def test_lies_floods_and_silence_end() -> None:
    """Each within its limit, in words, and without taking what was announced."""
    huge = b"* 1 FETCH (UID 7 BODY[] {99999999999}\r\n"
    said: dict[str, Imap] = {
        "more than was asked for": Imap({"CAPABILITY": b"* X {%d}\r\n" % (LONGEST_ANSWER + 1)}),
        "come to an end": Imap({"CAPABILITY": flood(b"* OK still here\r\n")}),
        "without an end": Imap({"CAPABILITY": flood(b"x")}),
        "makes no sense": Imap({"CAPABILITY": b"* X" + b" {0}\r\n" * 20}),
        "UIDVALIDITY": Imap({"EXAMINE": b"* 1 EXISTS\r\n{} OK\r\n"}),
        "EXAMINE": Imap({"EXAMINE": b"{} NO no such folder\r\n"}),
        "ended the connection": Imap({"EXAMINE": b"* BYE maintenance\r\n"}),
        "refused the user name or the password": Imap({"AUTHENTICATE": b"{} NO wrong\r\n"}),
        "can't log anybody in": Imap({"AUTHENTICATE": b"{} NO [UNAVAILABLE] later\r\n"}),
        "wants more": Imap({"AUTHENTICATE": b"+ \r\n+ \r\n"}),
        "doesn't greet": Imap(greeting=b"220 mail.example.com ESMTP\r\n"),
        "cut the connection": Imap({"EXAMINE": lambda connection, tag: connection.reset()}),
    }
    for what, script in said.items():
        began = time.monotonic()
        assert what in why(script), what
        assert time.monotonic() - began < PATIENCE
    with serving(lambda connection: connection.send(b"-ERR\r\n")) as port, pytest.raises(MailboxFailed, match="POP3"):
        list(new_mails(account(port, "pop3"), lambda names: ()))
    silent: tuple[Imap | Pop3, ...] = (
        Imap({"EXAMINE": lambda connection, tag: connection.stall()}),
        Imap({"EXAMINE": lambda connection, tag: connection.drip(b"* " + b"x" * 1000, 0.05)}),
        Pop3({"USER": lambda connection, tag: connection.stall()}),
    )
    for each in silent:
        assert "didn't answer" in why(each, SILENCE)
    for of_pop in (
        Pop3({"UIDL": b"-ERR unknown\r\n"}), Pop3({"LIST": flood(b"1 1\r\n")}), Pop3({"UIDL": flood(b"x")}),
        Pop3({"CAPA": flood(b"X\r\n")}), Pop3({"PASS": b"-ERR [IN-USE] locked\r\n"}),
    ):  # fmt: skip
        why(of_pop)
    # One mail that can't be had keeps none of the others.
    for bad in (huge, b"* 1 FETCH (UID 7 BODY[] {4000000}\r\n" + b"x" * 4_200_000, b"{} NO gone\r\n"):
        script = Imap(mails={7: MAIL, 8: b"eight", 9: b"nine"})
        script.replies["UID FETCH"] = _once(script, bad)
        first = None if b"gone" in bad else b""  # that may be another time, and is asked for again
        assert read(script) == [("3.7", first), ("3.8", b"eight"), ("3.9", b"nine")]
    assert "UID" in why(Imap({"UID FETCH": b"{} NO gone\r\n"}, mails=dict.fromkeys(range(50), MAIL)))
    endless = Pop3(mails=[MAIL, b"two\r\n"], replies={"TOP": flood(b"+OK\r\n" + b"x" * 1000 + b"\r\n")})
    assert read(endless) == [("id-1", b""), ("id-2", b"")]


def _once(server: Imap, reply: bytes) -> Callable[[Connection, bytes], None]:
    def answer(connection: Connection, tag: bytes) -> None:
        server.replies.pop("UID FETCH")
        connection.send(reply.replace(b"{}", tag))

    return answer


def test_wrong_numbers_change_nothing() -> None:
    """Another mail than was asked for, sizes that can't be, numbers twice, more mails than there are."""
    other = Imap({"UID FETCH": b"* 1 FETCH (UID 8 BODY[] {3}\r\nabc)\r\n{} OK\r\n"})
    assert read(other) == [("3.7", b"")]
    listed = b"".join(b"* %d FETCH (UID %d RFC822.SIZE 99999999999999)\r\n" % (each, each) for each in range(1, 4000))
    examined = b"* 999999999 EXISTS\r\n* OK [UIDVALIDITY 3]\r\n{} OK\r\n"
    crowd = Imap({"EXAMINE": examined, "FETCH": listed + b"{} OK\r\n"})
    with serving(crowd) as port, logged_in(account(port)) as session:
        found = session.list_mails()
    assert len(found) == MOST and found[-1].name == "3.3999"
    strange = b"* 1 FETCH (UID x RFC822.SIZE 3)\r\n* 1 FETCH (FLAGS ())\r\n* 1 FETCH (\xff\r\n{} OK\r\n"
    assert read(Imap({"FETCH": strange})) == []
    double = Pop3({"UIDL": b"+OK\r\n1 a\r\n1 b\r\n7 c\r\n2 bad name\r\n.\r\n"})
    assert {name for name, _content in read(double)} == {"a", "b"}
    large = Pop3(mails=[b"x" * 1000 + b"\r\n"] * 2, replies={"LIST": b"+OK\r\n1 99999999\r\n2 10\r\n.\r\n"})
    read(large)
    assert b"TOP 1 300" in large.commands
    whole = Imap(mails={7: b"x" * (LONGEST_MAIL + 5000)})
    assert read(whole) == [("3.7", b"x" * LONGEST_MAIL)], "more than was asked for"


def test_nothing_is_said_before_the_encryption_that_is_wanted(tmp_path: Path) -> None:
    trusted = authority("laboratory", tmp_path)
    for script, what in (
        (Imap(), "offers no encryption"),
        (Imap(greeting=b"* PREAUTH welcome\r\n", abilities=b"IMAP4rev1 STARTTLS"), "doesn't greet"),
        (Imap({"STARTTLS": b"{} BAD no\r\n"}, abilities=b"IMAP4rev1 STARTTLS"), "refused what was asked (STARTTLS)"),
        (
            Imap({"STARTTLS": b"{} OK\r\n* CAPABILITY AUTH=PLAIN\r\n"}, abilities=b"IMAP4rev1 STARTTLS"),
            "more than it should",
        ),
        (Imap({"STARTTLS": b"{} OK\r\n"}, abilities=b"IMAP4rev1 STARTTLS"), "No secure connection"),
    ):
        with serving(script) as port:
            address = mailbox_of(f"imap://127.0.0.1:{port}")
            assert address is not None
            with pytest.raises(MailboxFailed) as failed:
                list(new_mails(Account(address, "lab", PASSWORD, str(trusted.file), PATIENCE), lambda names: ()))
        assert what in str(failed.value)
        assert not any(each.startswith((b"AUTH", b"LOGIN")) for each in script.commands)


def test_a_wait_for_news_ends(tmp_path: Path) -> None:
    """IDLE at a server that says nothing, something, and no more; and by a cancel."""

    def idle(connection: Connection, tag: bytes) -> None:
        connection.send(b"+ idling\r\n")
        if next(news):
            connection.send(b"* 2 EXISTS\r\n")
        assert connection.until(b"\r\n") == b"DONE\r\n"
        connection.send(tag + b" OK\r\n")

    news = itertools.cycle((False, True))
    with serving(Imap({"IDLE": idle})) as port, logged_in(account(port, timeout=3.0)) as session:
        assert session.reports_new_mail
        assert session.wait(3.3) is False, "longer than silence may be otherwise"
        assert session.wait(30) is True
        assert [each.name for each in session.list_mails()] == ["3.7"]
    refusing = Imap({"IDLE": b"{} NO\r\n"})
    with serving(refusing) as port, pytest.raises(MailboxFailed, match="refuses"), logged_in(account(port)) as session:
        session.wait(1)
    cancel = threading.Event()

    def stall(connection: Connection, tag: bytes) -> None:
        connection.send(b"+ \r\n")
        cancel.set()
        connection.stall()

    with serving(Imap({"IDLE": stall})) as port, pytest.raises(Cancelled), logged_in(account(port), cancel) as session:
        session.wait(60)


def test_dovecot_by_each_way(tmp_path: Path) -> None:
    trusted = authority("laboratory", tmp_path)
    with mailbox_server(trusted.issue("127.0.0.1")) as mailbox:
        mailbox.put(MAIL)
        mailbox.put(b"From: qa@example.com\r\n\r\nin the folder\r\n", "Antw&APY-rten")
        for scheme in ("imap", "imaps", "pop3", "pop3s"):
            address = mailbox_of(mailbox.address(scheme))
            assert address is not None
            known = Account(address, USERNAME, PASSWORD, str(trusted.file), 30.0)
            assert [content for _name, content in new_mails(known, lambda names: ())] == [MAIL], scheme
        folder = mailbox_of(mailbox.address("imaps", "Antwörten"))
        assert folder is not None
        known = Account(folder, USERNAME, PASSWORD, str(trusted.file), 30.0)
        ((_name, content),) = new_mails(known, lambda names: ())
        assert content is not None and content.endswith(b"in the folder\r\n")
        with logged_in(known) as session:
            before = session.list_mails()
            threading.Thread(target=mailbox.put, args=(MAIL, "Antw&APY-rten")).start()
            assert session.wait(60) is True and len(session.list_mails()) == len(before) + 1


def test_a_mail_that_dovecot_cannot_read_keeps_no_other_one(tmp_path: Path) -> None:
    """Its file may be damaged, or another program at it: Dovecot hangs up by IMAP, and says so by POP3."""
    with mailbox_server(authority("laboratory", tmp_path).issue("127.0.0.1")) as mailbox:
        for _ in range(3):
            mailbox.put(MAIL)
        places = [mailbox_of(mailbox.address(scheme), False) for scheme in ("imap", "pop3")]
        boxes = [Account(each, USERNAME, PASSWORD, None, 30.0) for each in places if each is not None]
        assert [len(list(new_mails(each, lambda names: ()))) for each in boxes] == [3, 3]
        damaged = next(mailbox.folder.glob("cur/*"))
        damaged.chmod(0)
        for box in boxes:
            found = [content for _name, content in new_mails(box, lambda names: ())]
            assert sorted(each or b"" for each in found) == [b"", MAIL, MAIL] and found.count(None) == 1
        damaged.chmod(0o600)
        for box in boxes:
            assert [content for _name, content in new_mails(box, lambda names: ())] == [MAIL] * 3
