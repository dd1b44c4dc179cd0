"""Parse a receiver's answer: whether a file was accepted, and which. Mails are untrusted, so all is bounded. No I/O.

Sources: RFC 5322 and 2045 (messages), RFC 2047 and 2231 (names beyond ASCII), RFC 3464 (what came back undelivered).
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses
from typing import NamedTuple

from .notice_text import from_html, line

ACCEPTED, REFUSED, ANSWER = "accepted", "refused", "answer"
"""The verdicts of an answer on a file; `answer`: neither of the two for certain."""

LONGEST_WORDS = 2000
"""How many characters of an answer are kept."""

HEADER = "X-ABQ-Receipt"
"""A header by which a program answers: `accepted` or `refused`."""

_MOST_CONTAINERS, _MOST_BORDERS, _MOST_PARTS = 30, 1000, 200
_LONGEST_HEADER, _LONGEST_TEXT, _LONGEST_NAME = 2000, 100_000, 200
_CONTAINER = re.compile(rb"^content-type:\s*(?:multipart|message)/", re.I | re.M)
_BORDER = re.compile(rb"^--", re.M)
_OURS = re.compile(r"<abq\.([0-9a-f]{32})\.([0-9a-f]{16})@")
_DIGEST = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{64}(?![0-9A-Fa-f])")
_WORD = re.compile(r"(accepted|refused|rejected)(?:\s*[:.,;!–—-].*|\s*)", re.I)
_REPLY = re.compile(r"(?:\s*(?:re|aw|sv|antw|fwd?|wg)\s*(?:\[\d{1,3}\])?:)+\s*", re.I)
_CHARSETS = re.compile(
    r"utf-(?:8|16|16-be|16-le)|ascii|iso8859-\d{1,2}|cp\d{3,4}|koi8-[ru]|gb\w+|big5\w*|euc_\w+|shift_jis\w*|iso2022_\w+"
)


class Unreadable(ValueError):
    """It isn't a mail, or exceeds a limit; the text is the end of a sentence."""


class SentBy(NamedTuple):
    """One of our Message-IDs: the delivery's identifier, and the beginning of its file's digest."""

    identifier: str
    digest: str


@dataclass(frozen=True)
class Answer:
    """A parsed mail. `digest`: of the whole mail; `answers`: which of our mails it answers; `is_report`: it is a
    delivery status notification; `digests`: of files that it names or has attached."""

    digest: str
    sender: str = ""
    subject: str = ""
    message_id: str = ""
    verdict: str = ANSWER
    words: str = ""
    is_report: bool = False
    answers: tuple[SentBy, ...] = ()
    digests: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    text: str = ""

    def mentions(self, name: re.Pattern[str]) -> bool:
        """Return whether a file of that name is attached, or named in the text."""
        return any(name.fullmatch(each) for each in self.names) or bool(name.search(f"{self.subject}\n{self.text}"))


def read_answer(content: bytes) -> Answer:
    """Read a mail, of which the end may be missing. Raises `Unreadable`."""
    if not content.strip():
        raise Unreadable("it is gone, or too large")
    if len(_CONTAINER.findall(content)) > _MOST_CONTAINERS:
        raise Unreadable("it has too many parts within each other")
    if len(_BORDER.findall(content)) > _MOST_BORDERS:
        raise Unreadable("it has too many parts")
    try:
        return _read(content)
    except Unreadable:
        raise
    except Exception as error:  # on strangers' mail, the standard library's parser raises more than it documents
        reason = type(error).__name__
    raise Unreadable(f"it can't be read ({reason})")


def _read(content: bytes) -> Answer:
    message = BytesParser().parsebytes(content)
    texts, html, others, names, digests = list[str](), list[str](), list[str](), list[str](), set[str]()
    returned = list[str]()
    failed = list[str]()
    is_report = message.get_content_type() == "multipart/report"
    reports_delivery = is_report and "delivery-status" in str(message.get("Content-Type", "")).lower()
    for part, is_within in _parts(message):
        kind, name = part.get_content_type(), _name_of(part)
        if kind == "message/delivery-status":
            failed += _failed(part)
        elif kind in ("message/rfc822", "text/rfc822-headers", "message/global"):
            returned.append(_id_returned(part))
        elif part.is_multipart():
            continue
        else:
            body = part.get_payload(decode=True)
            if not isinstance(body, bytes):
                continue
            if name:
                names.append(name)
                digests.add(hashlib.sha256(body).hexdigest())
            if not kind.startswith("text/"):
                continue
            said = _decoded(body[:_LONGEST_TEXT], part.get_content_charset())
            # Only the mail's own text gives the sender's verdict on the file, not what is attached or forwarded.
            if name or is_within or part.get_content_disposition() == "attachment":
                others.append(said)
            elif kind == "text/html":
                html.append(from_html(said))
            else:
                texts.append(said)
    text = "\n".join(texts if any(each.strip() for each in texts) else html)[:_LONGEST_TEXT]
    subject = _header(message, "Subject")
    digests |= _named(f"{subject}\n{_unquoted(text)}") or _named(text) or _named("\n".join(others)[:_LONGEST_TEXT])
    answers = _answered(message, returned if is_report else [])
    verdict = REFUSED if reports_delivery and failed else ANSWER if is_report else _verdict(message, subject, text)
    words = "\n".join(failed) if reports_delivery and failed else _own_words(text) or subject
    return Answer(
        hashlib.sha256(content).hexdigest(),
        _sender(message),
        subject[:_LONGEST_NAME],
        line(_raw(message, "Message-ID"))[:_LONGEST_NAME],
        verdict,
        words[:LONGEST_WORDS],
        reports_delivery,
        answers[:_MOST_PARTS],
        frozenset(digests),
        tuple(names),
        "\n".join((text, *others)),
    )  # fmt: skip


def _parts(message: Message) -> Iterator[tuple[Message, bool]]:
    """Yield each part, and whether it is in another mail that is attached."""
    waiting, number = [(message, False)], 0
    while waiting:
        part, is_within = waiting.pop()
        number += 1
        if number > _MOST_PARTS:
            raise Unreadable("it has too many parts")
        yield part, is_within
        if part.is_multipart():
            is_within = is_within or part.get_content_maintype() == "message"
            waiting += [(each, is_within) for each in reversed([*part.get_payload()]) if isinstance(each, Message)]


def _answered(message: Message, returned: list[str]) -> tuple[SentBy, ...]:
    """Return the Message-IDs of our mails that it answers or returns, but not of earlier ones in the same thread."""
    direct = _OURS.findall(" ".join((_raw(message, "In-Reply-To"), _raw(message, "Original-Message-ID"), *returned)))
    if direct:
        return tuple(dict.fromkeys(SentBy(*each) for each in direct))
    return tuple(SentBy(*each) for each in _OURS.findall(_raw(message, "References"))[-1:])


def _sender(message: Message) -> str:
    """Return the sender's address; empty if it is ambiguous, so that no mail is attributed to somebody else.

    Encoded words (RFC 2047) are decoded only in names: an address never has one, even if it looks so.
    """
    every = [str(each) for each in message.get_all("From", [])]
    found = getaddresses(every) if len(every) == 1 and len(every[0]) <= _LONGEST_HEADER else []
    written = "".join(every)
    if len(found) != 1 or written.count("<") > 1 or ("<" in written and not written.rstrip().endswith(">")):
        return ""
    return line(found[0][1])[:320].lower()


def _named(text: str) -> set[str]:
    return {each.lower() for each in _DIGEST.findall(text)}


def _unquoted(text: str) -> str:
    return "\n".join(each for each in text.splitlines() if not each.lstrip().startswith(">"))


def _verdict(message: Message, subject: str, text: str) -> str:
    """Return the verdict of the header, else of the first word of text or subject; none if these two contradict."""
    said = {str(each)[:_LONGEST_HEADER].strip().lower() for each in message.get_all(HEADER, [])}
    if said & {ACCEPTED, REFUSED}:
        return said.pop() if len(said) == 1 else ANSWER
    first = next((each.strip() for each in _unquoted(text).splitlines() if each.strip()), "")
    words = {_word(first), _word(_REPLY.sub("", subject, count=1))} - {""}
    return words.pop() if len(words) == 1 else ANSWER


def _word(said: str) -> str:
    found = _WORD.fullmatch(said.strip())
    return "" if found is None else ACCEPTED if found[1].lower() == ACCEPTED else REFUSED


def _own_words(text: str) -> str:
    """Return what was written, without the quoted text below it."""
    lines = [line(each, LONGEST_WORDS) for each in _unquoted(text).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _failed(part: Message) -> list[str]:
    """Return whom it didn't reach, and why (RFC 3464); nobody who has it, or may still get it."""
    blocks = part.get_payload()
    found = list[str]()
    for each in blocks if isinstance(blocks, list) else []:
        if isinstance(each, Message) and _raw(each, "Action").strip().lower() == "failed":
            whom = _raw(each, "Final-Recipient").rpartition(";")[2]
            why = _raw(each, "Diagnostic-Code").rpartition(";")[2] or _raw(each, "Status")
            found.append(line(f"It came back from {whom}: {why}"))
    return found


def _id_returned(part: Message) -> str:
    """Return the Message-ID of the mail that was returned."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return " ".join(_raw(each, "Message-ID") for each in payload if isinstance(each, Message))
    body = part.get_payload(decode=True)
    headers = body if isinstance(body, bytes) else b""
    found = re.search(rb"^message-id:\s*(<[^<>\s]{1,200}>)", headers, re.I | re.M)
    return found[1].decode("ascii", "replace") if found else ""


def _name_of(part: Message) -> str:
    """Return the name of an attached file, without a path or control characters for a terminal."""
    name = _words_of(str(part.get_filename() or "")[:_LONGEST_HEADER])
    return line(re.split(r"[/\\]", name)[-1])[:_LONGEST_NAME]


def _header(message: Message, name: str) -> str:
    return line(_words_of(_raw(message, name)))


def _raw(message: Message, name: str) -> str:
    return str(message.get(name, ""))[:_LONGEST_HEADER]


def _words_of(text: str) -> str:
    """Return a header with its encoded words decoded (RFC 2047)."""
    return "".join(
        each if isinstance(each, str) else _decoded(each, charset) for each, charset in decode_header(text)
    )


def _decoded(content: bytes, charset: str | None) -> str:
    """Decode the text by its charset, if Python has that for texts; else as UTF-8 with replacement characters."""
    try:
        known = codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        known = ""
    # The other codecs decompress, transform or take time that grows with the square of the length.
    return content.decode(known if _CHARSETS.fullmatch(known) else "utf-8", "replace").replace("\0", "�")
