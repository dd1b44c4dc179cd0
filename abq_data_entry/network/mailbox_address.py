"""Where the company's answers arrive, as the setting says it: a mailbox by IMAP or POP3. Pure.

Sources: RFC 8314 (ports and TLS), RFC 5092 (addresses of IMAP), RFC 2384 (of POP).
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple

from ..setting import Setting
from .mail_addresses import people_problem

PORTS = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
INBOX = "INBOX"
_LONGEST_FOLDER = 200  # characters
_ADDRESS = re.compile(
    r"(?P<scheme>imaps?|pop3s?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(?P<port>[0-9]{1,5}))?(?:/(?P<folder>[^/?#].*)?)?"
)


class MailboxAddress(NamedTuple):
    """A mailbox. `security`: `implicit` (TLS from the first byte), `starttls` (nothing goes on without) or `none`."""

    protocol: str
    host: str
    port: int
    security: str
    folder: str = INBOX

    @property
    def scheme(self) -> str:
        """The beginning of its address."""
        return self.protocol + ("s" if self.security == "implicit" else "")

    @property
    def place(self) -> str:
        """The server, for people, for a login and for comparing; without the folder."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """Server and folder."""
        return self.place if self.protocol == "pop3" else f"{self.place}/{self.folder}"


def mailbox_of(text: str, is_encrypted: bool = True) -> MailboxAddress | None:
    """The mailbox of an address as `imaps://mail.example.com/Answers`; None if it is none.

    `imap` and `pop3` mean STARTTLS, unless it needn't be encrypted.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return None
    scheme, port = found["scheme"], int(found["port"] or PORTS[found["scheme"]])
    folder = urllib.parse.unquote(found["folder"] or "")
    is_pop = scheme.startswith("pop3")
    if not 0 < port < 65536 or not folder.isprintable() or len(folder) > _LONGEST_FOLDER or (is_pop and folder):
        return None
    security = "implicit" if scheme.endswith("s") else "starttls" if is_encrypted else "none"
    return MailboxAddress("pop3" if is_pop else "imap", found["host"], port, security, folder or INBOX)


def mailbox_problem(text: str) -> str | None:
    """Return why this can't be a mailbox, as the end of a sentence; None if it can (empty: none)."""
    if not text or mailbox_of(text) is not None:
        return None
    return "must be a mailbox as imaps://mail.example.com, imap://mail.example.com/Answers or pop3s://mail.example.com"


SETTINGS = (
    Setting("abq_answers_mailbox", "", check=mailbox_problem),
    Setting("abq_answers_username", ""),
    Setting("abq_answers_from", "", check=people_problem),
    Setting("abq_answers_encrypted", True),
)
"""`abq_answers_from`: whose answers count besides those of the receivers of an e-mail."""

KIND = "answers"
"""What the mailbox is called in the keyring, among files of secrets and by `check`."""


def configured(settings: Mapping[str, object]) -> MailboxAddress | None:
    """The mailbox of these settings, None if none is set or it can't be used."""
    return mailbox_of(str(settings.get("abq_answers_mailbox", "")), bool(settings.get("abq_answers_encrypted", True)))
