"""Mail addresses in settings: lists of people, the server, the mailbox for answers. Without I/O.

Sources: RFC 5321 (4.5.3.1: lengths), RFC 5322 (3.4: addresses), RFC 6531 (letters beyond ASCII), RFC 5891 (IDNA),
RFC 8314 (ports and TLS), RFC 5092 (addresses of IMAP), RFC 2384 (of POP).
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple

from ..setting import Setting

PORT, IMPLICIT_PORT = 587, 465
"""The ports for submission with STARTTLS (RFC 6409), and with implicit TLS (RFC 8314)."""

MOST = 100  # recipients that every server must take (RFC 5321, 4.5.3.1.8)
_LONGEST_LOCAL, _LONGEST_NAME = 64, 120
_LOCAL = re.compile(r"[^\s@<>()\[\],;:\\\"]+")
_LABEL = re.compile(r"[^\W_](?:[\w-]*[^\W_])?")
_NAMED = re.compile(r'\s*(?:"(?P<quoted>[^"\\]*)"|(?P<name>[^<>,;@"]*?))\s*<\s*(?P<address>[^<>]*?)\s*>\s*')
_SERVER = re.compile(r"(?P<scheme>smtps?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/:@\[\]]+)(?::(?P<port>[0-9]{1,5}))?/?")
SECURITIES = ("starttls", "implicit", "none")


class Person(NamedTuple):
    """A sender or receiver of mail: the display name (may be empty) and the address."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """The part after the @."""
        return self.address.rpartition("@")[2]


class MailServer(NamedTuple):
    """A server for submission. `security`: `starttls` (required), `implicit` or `none`."""

    host: str
    port: int = PORT
    security: str = "starttls"

    @property
    def place(self) -> str:
        """The server as text, for display and comparison."""
        return f"{self.host}:{self.port}"


def people(text: str) -> tuple[Person, ...]:
    """Read a list such as `QA <qa@example.com>, boss@example.com`; raises `ValueError` with the end of a sentence."""
    if not text.isprintable():  # a line break would inject a header field
        raise ValueError("must not contain line breaks or other control characters")
    found = tuple(_person(each) for each in _parts(text) if each.strip())
    if not found:
        raise ValueError("must name an address, as qa@example.com")
    if len(found) > MOST:
        raise ValueError(f"has too many addresses: at most {MOST}")
    once: dict[str, Person] = {}
    for each in found:
        once.setdefault(each.address.lower(), each)
    return tuple(once.values())


def people_problem(text: str) -> str | None:
    """Return why this can't be a list of addresses, as the end of a sentence; None if it can (empty: nobody)."""
    try:
        if text:
            people(text)
    except ValueError as error:
        return str(error)
    return None


def sender_problem(text: str) -> str | None:
    """As `people_problem`, for the sender."""
    problem = people_problem(text)
    return problem if problem or not text or len(people(text)) == 1 else "must be one address"


def host_problem(text: str) -> str | None:
    """Return why this can't be the name of a server, as the end of a sentence; None if it can (empty: none)."""
    return None if not text or re.fullmatch(r"\[[0-9A-Fa-f:.]+\]|[\w.-]+", text) else "must be the name of a server"


def server_of(text: str) -> MailServer | None:
    """Return the server of an address as smtp://mail.example.com:587 (STARTTLS) or smtps://mail.example.com; None if
    none."""
    found = _SERVER.fullmatch(text)
    if found is None:
        return None
    is_implicit = found["scheme"] == "smtps"
    port = int(found["port"] or (IMPLICIT_PORT if is_implicit else PORT))
    security = "implicit" if is_implicit else "starttls"
    return MailServer(found["host"], port, security) if 0 < port < 65536 else None


def on_the_wire(address: str) -> str:
    """Return the address with its domain in ASCII (IDNA), as every server takes it; raises `ValueError`."""
    local, _at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    import idna  # few need it

    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        raise ValueError(f"has a domain that can't be: {domain}") from None


def _parts(text: str) -> list[str]:
    """Split at commas and semicolons outside of quoted names."""
    return re.findall(r'(?:"[^"]*"|[^,;"])+|"', text)


def _person(text: str) -> Person:
    named = _NAMED.fullmatch(text)
    name, address = ("", text.strip()) if named is None else (named["quoted"] or named["name"] or "", named["address"])
    local, _at, domain = address.rpartition("@")
    labels = domain.split(".")
    is_usable = (
        _LOCAL.fullmatch(local)
        and not local.startswith(".")
        and not local.endswith(".")
        and ".." not in local
        and len(local.encode()) <= _LONGEST_LOCAL
        and len(name) <= _LONGEST_NAME
        and len(domain) <= 253
        and all(_LABEL.fullmatch(each) and len(each) <= 63 for each in labels)
    )
    if not is_usable:
        raise ValueError(f"has {text.strip()!r}, which is no address as qa@example.com or QA <qa@example.com>")
    on_the_wire(address)
    return Person(name.strip(), address)


PORTS = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
INBOX = "INBOX"
_LONGEST_FOLDER = 200  # characters
_ADDRESS = re.compile(
    r"(?P<scheme>imaps?|pop3s?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(?P<port>[0-9]{1,5}))?(?:/(?P<folder>[^/?#].*)?)?"
)


class MailboxAddress(NamedTuple):
    """A mailbox. `security`: `implicit` (TLS from the first byte), `starttls` (required) or `none`."""

    protocol: str
    host: str
    port: int
    security: str
    folder: str = INBOX

    @property
    def scheme(self) -> str:
        """The scheme of its URL."""
        return self.protocol + ("s" if self.security == "implicit" else "")

    @property
    def place(self) -> str:
        """The server without the folder, for display, for the login and for comparison."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """Server and folder."""
        return self.place if self.protocol == "pop3" else f"{self.place}/{self.folder}"


def mailbox_of(text: str, is_encrypted: bool = True) -> MailboxAddress | None:
    """Return the mailbox of an address as `imaps://mail.example.com/Answers`; None if it is none.

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
"""The setting `abq_answers_from`: whose answers count, besides those of the receivers of an e-mail."""

MAILBOX = "answers"
"""The name of the mailbox in the keyring, in the folder of secrets and for `check`."""


def configured_mailbox(settings: Mapping[str, object]) -> MailboxAddress | None:
    """Return the mailbox of these settings, None if none is set or it is invalid."""
    return mailbox_of(str(settings.get("abq_answers_mailbox", "")), bool(settings.get("abq_answers_encrypted", True)))
