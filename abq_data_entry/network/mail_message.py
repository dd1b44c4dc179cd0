"""One mail as it goes over the line: its headers, its text and what is attached. Nothing of it can begin a header anew.

Sources: RFC 5322 (messages), RFC 2047 and 2231 (names beyond ASCII), RFC 6532 (headers in UTF-8).
"""

from __future__ import annotations

import datetime
import mimetypes
import re
from collections.abc import Iterable, Mapping, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

from .failures import InvalidInput
from .mail_addresses import Person, on_the_wire

LONGEST = 100 * 1024 * 1024
"""Bytes that a mail may have in memory; servers take less."""


class Attachment(NamedTuple):
    """What is attached: its name for the receiver, and all of it."""

    name: str
    content: bytes


class Mail(NamedTuple):
    """What is to be sent. `identifier`: the same for every attempt at the same mail; it becomes the Message-ID.

    `served`: addresses of receivers who have it from an attempt before.
    """

    sender: Person
    receivers: tuple[Person, ...]
    subject: str
    text: str
    identifier: str
    attachments: tuple[Attachment, ...] = ()
    headers: Mapping[str, str] = {}
    served: frozenset[str] = frozenset()

    @property
    def still_to(self) -> tuple[Person, ...]:
        """The receivers who don't have it yet."""
        return tuple(each for each in self.receivers if each.address not in self.served)


def needs_utf8(sender: Person, receivers: Iterable[Person]) -> bool:
    """Whether an address has letters before its @ that only servers with SMTPUTF8 take."""
    return any(not on_the_wire(each.address).isascii() for each in (sender, *receivers))


def message_id(identifier: str, sender: Person) -> str:
    """The Message-ID of every attempt at this mail, so that receivers can tell that two are one."""
    name = re.sub(r"[^0-9A-Za-z.-]", "-", identifier)[:100]
    return f"<abq.{name}@{on_the_wire(sender.address).rpartition('@')[2]}>"


def as_bytes(mail: Mail, moment: datetime.datetime) -> bytes:
    """Return the mail with the line ends of SMTP. Raises `InvalidInput` for what can be no header."""
    is_utf8 = needs_utf8(mail.sender, mail.receivers)
    message = EmailMessage(SMTPUTF8 if is_utf8 else SMTP)
    message["From"] = _header_address(mail.sender)
    message["To"] = tuple(_header_address(each) for each in mail.receivers)
    message["Subject"] = _one_line(mail.subject)
    message["Date"] = format_datetime(moment)
    message["Message-ID"] = message_id(mail.identifier, mail.sender)
    message["Auto-Submitted"] = "auto-generated"  # no answering machine answers (RFC 3834)
    for name, value in mail.headers.items():
        message[name] = _one_line(value)
    message.set_content(mail.text)
    for each in mail.attachments:
        main, _slash, sub = _type_of(each.name)
        message.add_attachment(each.content, maintype=main, subtype=sub, filename=_one_line(each.name))
    return bytes(message)


def _header_address(person: Person) -> Address:
    local, _at, domain = on_the_wire(person.address).rpartition("@")
    return Address(_one_line(person.name), local, domain)


def _one_line(text: str) -> str:
    """Refuse what would begin a header of its own, or be taken for one."""
    if any(ord(each) < 32 or ord(each) == 127 for each in text) or not text.isprintable():
        raise InvalidInput(f"{text!r} can't stand in a mail's header. Nothing was sent.")
    return text


def _type_of(name: str) -> tuple[str, str, str]:
    if name.endswith(".csv"):
        return "text", "/", "csv"  # in Windows the registry has another one
    found, coding = mimetypes.guess_type(name)
    return ("application", "/", "octet-stream") if found is None or coding else found.partition("/")


def read_attachments(files: Sequence[tuple[Path, str]]) -> tuple[Attachment, ...]:
    """Read what goes along with a file. Raises `OSError`, and `InvalidInput` for what is too large."""
    if sum(path.stat().st_size for path, _name in files) > LONGEST:
        raise InvalidInput("What is to be attached is too large for a mail. Nothing was sent.")
    return tuple(Attachment(name, path.read_bytes()) for path, name in files)
