"""Answers as strangers write them: what is read of a mail, and that none takes long, much memory or anything else."""

from __future__ import annotations

import base64
import datetime
import hashlib
import random
import time

import pytest

from abq_data_entry.models.destinations import Answered
from abq_data_entry.models.settings import SettingsModel
from abq_data_entry.network.mailbox import LONGEST_MAIL
from abq_data_entry.network.mailbox_message import LONGEST_WORDS, Unreadable, read_answer
from abq_data_entry.workflows.receipts import verdicts_of

IDENTIFIER, DIGEST = "0123456789abcdef" * 2, "fedcba98" * 8
OURS = f"<abq.{IDENTIFIER}.{DIGEST[:16]}@lab.example>"
NAME = "abq_data_record_2026-11-27.csv"


def mail(text: str = "", *more: str, charset: str = "utf-8") -> bytes:
    head = "\n".join(("From: QA <qa@example.com>", *more, f"Content-Type: text/plain; charset={charset}", "", ""))
    return head.encode("utf-8", "surrogateescape") + text.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("text", "subject", "verdict"),
    [
        ("ACCEPTED", "", "accepted"),
        ("\n\n  Accepted.  Thank you!\n", "", "accepted"),
        ("REFUSED: why", "Re: Re: file", "refused"),
        ("rejected - see below", "", "refused"),
        ("see below", "AW: Refused", "refused"),
        ("see below", "Re[2]: accepted", "accepted"),
        ("> REFUSED\nACCEPTED", "", "accepted"),
        ("accepted?", "", "answer"),
        ("Accepted by nobody", "", "answer"),
        ("not accepted", "", "answer"),
        ("refusedly", "", "answer"),
        ("ACCEPTED", "REFUSED", "answer"),
        ("Thank you.\nREFUSED", "", "answer"),
        ("", "", "answer"),
    ],
)
def test_words_that_are_sure(text: str, subject: str, verdict: str) -> None:
    assert read_answer(mail(text, f"Subject: {subject}")).verdict == verdict


def test_what_is_read_of_a_mail() -> None:
    found = read_answer(mail(
        f"refused.\n> quoted\nwhy \x1b[31mred\n{DIGEST.upper()}", f"References: <x@y> {OURS}", f"In-Reply-To: {OURS}",
        "Subject: =?utf-8?q?Pr=C3=BCfung?=", "Message-ID: <9@example.com>",
    ))  # fmt: skip
    assert (found.sender, found.subject, found.message_id) == ("qa@example.com", "Prüfung", "<9@example.com>")
    assert found.answers == ((IDENTIFIER, DIGEST[:16]),) and found.digests == {DIGEST}
    assert found.words == f"refused.\nwhy [31mred\n{DIGEST.upper()}"
    html = read_answer(mail("<p>REFUSED:</p><script>x</script>two &amp; three").replace(b"text/plain", b"text/html"))
    assert html.verdict == "refused" and "two & three" in html.words and "<" not in html.words
    header = read_answer(mail("ACCEPTED", "X-ABQ-Receipt: Refused"))
    assert header.verdict == "refused"
    long = read_answer(mail("x" * 100_000, "Subject: " + "y" * 100_000))
    assert len(long.words) == LONGEST_WORDS and len(long.subject) <= 200
    assert read_answer(mail("ACCEPTED", f"In-Reply-To: {'a' * 3000} {OURS}")).answers == ()


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (f'attachment; filename="../../{NAME}"', NAME),
        ('attachment; filename="C:\\\\x\\\\evil.csv"', "evil.csv"),
        ("attachment; filename*=utf-8''%E2%82%AC%0d%0aX.csv", "€ X.csv"),
        ("attachment; filename*0=abq_; filename*1=x.csv", "abq_x.csv"),
        ('attachment; filename="=?utf-8?b?' + base64.b64encode("ü\x00\u202e.csv".encode()).decode() + '?="', "ü�.csv"),
        ("attachment; filename*=punycode''x", None),
        ("attachment; filename*0*=nix''%ff; filename*x=1; filename*1000000000=1", None),
    ],
)
def test_names_of_files(disposition: str, name: str | None) -> None:
    content = f"From: a@b.c\nContent-Disposition: {disposition}\n\ncontent".encode()
    try:
        found = read_answer(content)
    except Unreadable:
        assert name is None
        return
    assert all(each.isprintable() and not set(each) & set("/\\") for each in found.names)
    if name is not None:
        assert found.names == (name,) and hashlib.sha256(b"content").hexdigest() in found.digests


@pytest.mark.parametrize(
    "charset",
    [
        *("utf-16", "iso-8859-1", "nix", "zip", "punycode", "idna", "rot13", "unicode_escape", "x" * 5000, "utf-7"),
        *("undefined", "mbcs", "hex", "uu", "\0", "euc-jp"),
    ],
)
def test_charsets(charset: str) -> None:
    began = time.process_time()
    text = "ACCEPTED\n" + "é" * 50_000
    found = read_answer(mail(text, charset=charset))
    assert found.text and time.process_time() - began < 5


def _nested(depth: int, kind: str = "multipart/mixed") -> bytes:
    lines = [f"Content-Type: {kind}; boundary=b{each}\n\n--b{each}" for each in range(depth)]
    return "\n".join(lines).encode() + b"\n\nREFUSED"


HOSTILE = {
    "deep": _nested(2000),
    "deep, folded": _nested(2000).replace(b"Content-Type: ", b"CONTENT-TYPE:\n\t"),
    "messages within messages": b"Content-Type: message/rfc822\n\n" * 5000,
    "many parts": b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\nREFUSED\n" * 50_000,
    "many headers": b"".join(b"X-%d: y\n" % each for each in range(60_000)) + b"\nREFUSED",
    "one long header": b"Subject: " + b"=?utf-8?q?a?= " * 60_000 + b"\n\nREFUSED",
    "parameters": b"Content-Type: text/plain" + b"; a*0*=x" * 20_000 + b"\n\nREFUSED",
    "brackets": b"From: " + b"(<" * 200_000 + b"\n\nREFUSED",
    "references": b"References: " + b"<abq." * 150_000 + b"\n\nREFUSED",
    "tags": b"Content-Type: text/html\n\n" + b"<a" * 400_000,
    "comments": b"Content-Type: text/html\n\n" + b"<!--" * 200_000,
    "entities": b"Content-Type: text/html\n\n" + b"&#" * 400_000,
    "base64": b"Content-Transfer-Encoding: base64\n\n" + b"!" * LONGEST_MAIL,
    "uuencoded": b"Content-Transfer-Encoding: uuencode\n\nbegin 644 x\n" + b"M\n" * 300_000,
    "hexadecimal": b"\n" + b"a" * LONGEST_MAIL,
    "names": b"\n" + b"abq_data_record_" * 60_000,
    "zeros": bytes(LONGEST_MAIL),
    "noise": random.Random(7).randbytes(300_000),
    "half": _nested(3)[:-20],
    "report": b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\n\n--x\n"
    b"Content-Type: message/delivery-status\n\n" + b"Action: failed\nFinal-Recipient: x\n\n" * 30_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_none_takes_long(name: str) -> None:
    began = time.process_time()
    try:
        found = read_answer(HOSTILE[name][:LONGEST_MAIL])
    except Unreadable:
        pass
    else:
        assert len(found.words) <= LONGEST_WORDS and found.answers == ()
        verdicts_of(found, [Answered(IDENTIFIER, NAME, datetime.date(2026, 11, 27), 1, "rest", "x", DIGEST)], VALUES)
    assert time.process_time() - began < 5  # of the processor, whatever else it does


def test_nothing_is_no_mail() -> None:
    for content in (b"", b" \r\n"):
        with pytest.raises(Unreadable):
            read_answer(content)


# -- which delivery is meant, and what may be said of it

VALUES: dict[str, object] = {**SettingsModel("none.json").values(), "abq_answers_from": "Data <data@example.com>"}
DELIVERY = Answered(
    IDENTIFIER, NAME, datetime.date(2026, 11, 27), 1, "email", "QA@example.com, boss@example.com", DIGEST
)  # fmt: skip


def said(content: bytes, *others: Answered) -> dict[str, str]:
    return verdicts_of(read_answer(content), [DELIVERY, *others], VALUES)


def test_which_delivery_is_meant() -> None:
    reply = mail("REFUSED", f"In-Reply-To: {OURS}")
    assert said(reply) == {IDENTIFIER: "refused"}
    assert said(reply.replace(b"qa@example.com", b"DATA@example.com")) == {IDENTIFIER: "refused"}
    assert said(reply.replace(b"qa@example.com", b"qa@example.org")) == {IDENTIFIER: "answer"}
    assert said(reply.replace(DIGEST[:16].encode(), b"0" * 16)) == {}
    named = mail(f"REFUSED\nsha256  {DIGEST}  {NAME}")
    assert said(named) == {IDENTIFIER: "refused"}
    assert said(named.replace(b"qa@", b"x@")) == {}
    assert said(mail(f"REFUSED:\n{DIGEST} x{NAME}")) == {} == said(mail(f"REFUSED:\n{DIGEST} {NAME}x"))
    later = DELIVERY._replace(identifier="f" * 32, version=2)
    by_rest = later._replace(identifier="e" * 32, destination="rest", address="https://x")
    assert said(named, later, by_rest) == {"f" * 32: "refused"}, "the newest, and where the sender counts"
    from_data = named.replace(b"qa@", b"data@")
    assert said(from_data, later, by_rest) == {"f" * 32: "refused", "e" * 32: "refused"}
    assert said(reply, later) == {IDENTIFIER: "refused"}, "a Message-ID says it exactly"


def test_what_came_back() -> None:
    for action, verdict in (("failed", "refused"), ("delayed", "answer"), ("delivered", "answer")):
        content = (
            b"From: MAILER-DAEMON@relay.example.net\n"
            b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\n\n--x\n\nsorry\n--x\n"
            b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n"
            b"Final-Recipient: rfc822; qa@example.com\nAction: " + action.encode() + b"\n"
            b"Diagnostic-Code: smtp; 552 mailbox full\n\n--x\n"
            b"Content-Type: message/rfc822\n\nMessage-ID: " + OURS.encode() + b"\nSubject: x\n\n" + b"y" * 1000
        )
        assert said(content) == {IDENTIFIER: verdict}
        assert ("552 mailbox full" in read_answer(content).words) is (verdict == "refused")
    plain = mail("REFUSED").replace(b"\n\n", b"\n\n" + OURS.encode() + b"\n")
    assert said(plain) == {}, "in the text it could be quoted by anybody"


# -- strangers who know a Message-ID or a digest, and answers that are about something else


@pytest.mark.parametrize(
    "sender",
    [
        "=?utf-8?q?=3Cqa=40example.com=3E?= <mallory@example.org>",
        "=?utf-8?q?qa=40example.com=2C?= <mallory@example.org>",
        '"qa@example.com" <mallory@example.org>',
        "qa@example.com, mallory@example.org",
        "qa@example.com <mallory@example.org>",
        "<qa@example.com> <mallory@example.org>",
        "mallory@example.org\nFrom: qa@example.com",
    ],
)
def test_an_address_in_a_name_is_nobody(sender: str) -> None:
    content = mail("REFUSED", f"In-Reply-To: {OURS}").replace(b"QA <qa@example.com>", sender.encode())
    assert said(content) == {IDENTIFIER: "answer"}
    assert read_answer(content).sender in ("", "mallory@example.org")


def test_a_name_in_any_letters_keeps_its_address() -> None:
    for sender in ('"Ö, QA" <qa@example.com>', "=?utf-8?q?=C3=96=3C=3E?= <QA@example.com>", "qa@example.com (QA)"):
        content = mail("REFUSED", f"In-Reply-To: {OURS}").replace(b"QA <qa@example.com>", sender.encode())
        assert said(content) == {IDENTIFIER: "refused"}


def test_only_what_is_replied_to_is_answered() -> None:
    """Not what else was said in the conversation, nor what is quoted or passed on below."""
    other = DELIVERY._replace(identifier="f" * 32, sha256="0" * 64, file_name="abq_data_record_2026-11-26.csv")
    before = f"<abq.{other.identifier}.{'0' * 16}@lab.example>"
    assert said(mail("REFUSED", f"In-Reply-To: {OURS}", f"References: {before} {OURS}"), other) == {
        IDENTIFIER: "refused"
    }
    assert said(mail("REFUSED", f"References: {before}\n {OURS}"), other) == {IDENTIFIER: "refused"}
    quoted = f"REFUSED\n{DIGEST} {NAME}\n> {other.sha256} {other.file_name}"
    assert said(mail(quoted), other) == {IDENTIFIER: "refused"}
    assert said(mail(f"REFUSED\n> {DIGEST} {NAME}")) == {IDENTIFIER: "refused"}, "where only the quotation names it"
    passed_on = (
        b"From: qa@example.com\nIn-Reply-To: " + OURS.encode() + b"\nContent-Type: multipart/mixed; boundary=x\n\n"
        b"--x\nContent-Type: text/plain\n\n\n--x\nContent-Type: message/rfc822\n\n"
        b"From: somebody@example.org\n\nREFUSED\n"
    )
    assert said(passed_on) == {IDENTIFIER: "answer"}


def test_an_answer_in_html_with_the_file_attached() -> None:
    content = (
        b"From: qa@example.com\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/html\n\n"
        b"<p>REFUSED: plot 3</p>\n--x\nContent-Type: text/csv; name=" + NAME.encode() + b"\n\ndate,plot\n\n--x--\n"
    )
    found = read_answer(content)
    assert (found.verdict, found.words) == ("refused", "REFUSED: plot 3") and found.names == (NAME,)
    attached = f"{DIGEST}  {NAME}\n".encode()
    named = content.replace(b"date,plot\n", attached).replace(b"name=" + NAME.encode(), b"name=day.sha256")
    assert said(named) == {IDENTIFIER: "refused"}


def test_headers_that_contradict_each_other_say_nothing() -> None:
    assert read_answer(mail("ACCEPTED", "X-ABQ-Receipt: refused", "X-ABQ-Receipt: accepted")).verdict == "answer"
    assert read_answer(mail("ACCEPTED", "X-ABQ-Receipt: refused", "X-ABQ-Receipt: Refused")).verdict == "refused"
