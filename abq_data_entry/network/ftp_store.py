"""One file on its way to an FTP server: under a temporary name, its size compared, then in place of the old one.

Sources: RFC 959 (STOR, RNFR, RNTO), RFC 2640 (UTF-8 names), RFC 3659 (SIZE, MLST), draft-somers-ftp-mfxx (MFMT),
draft-bryan-ftp-hash (HASH).
"""

import contextlib
import ftplib
import hashlib
import re
import secrets
import time

from .failures import Told
from .ftp_session import Session
from .source import SourceFile

BLOCK = 64 * 1024
_TELL_DIGESTS = frozenset(("HASH", "XSHA256"))
_LACKS_RIGHT = re.compile(r"(?i)privilege|permi(t|ssion)|denied|not allowed|forbidden|disabled|unauthori|rights")


class TransferIncomplete(Told, ftplib.Error):
    """The server said it was done, but the file there isn't known to be whole."""


class Store:
    """Stores the file, and knows what a failure leaves behind.

    Where the server renames files the old one stays whole until the new one is known to be; where it doesn't, the
    file is stored under its name at once.
    """

    def __init__(self, source: SourceFile) -> None:
        mark = secrets.token_hex(4)
        self._source = source
        self._name = source.name
        self._temporary = f"{source.name}.{mark}.part"
        self._aside = f"{source.name}.{mark}.old"
        self._partial = ""  # a name under which a part of the file may be
        self._moving = False  # the old file may be under the name `_aside`

    @property
    def unfinished(self) -> bool:
        """Whether there may be something to tidy."""
        return bool(self._partial) or self._moving

    def run(self, session: Session) -> None:
        if not self._name.isascii():
            with contextlib.suppress(ftplib.error_reply, ftplib.error_perm):
                session.sendcmd("OPTS UTF8 ON")  # some servers want to be asked (RFC 2640)
        session.voidcmd("TYPE I")
        if not (self._may_rename(session) and self._in_two_steps(session)):
            self._store(session, self._name)
        self._partial = ""

    def tidy(self, session: Session) -> None:
        """Remove what a failure left behind, over a new session; the old file comes back if it was moved aside."""
        if self._moving:
            try:
                session.sendcmd(f"RNFR {self._temporary}")
            except ftplib.error_perm:  # it is in its place already
                session.delete(self._aside)
                return
            try:
                session.voidcmd(f"RNTO {self._name}")  # it is whole, or the old one wouldn't have been moved
            except ftplib.error_perm:
                with contextlib.suppress(ftplib.error_perm):
                    session.rename(self._aside, self._name)
            else:
                session.delete(self._aside)
                return
        session.delete(self._partial)

    def _may_rename(self, session: Session) -> bool:
        """Find out beforehand, without doing it: what can't be renamed in the end would be left there for ever."""
        rights = _rights(session, self._name) if "MLST" in session.features else None
        if rights is not None:
            return "f" in rights
        try:
            session.sendcmd(f"RNFR {self._name}")
        except ftplib.error_temp:
            return True
        except ftplib.error_perm as error:
            reply = str(error)
            missing = reply[:3] == "550" and not _LACKS_RIGHT.search(reply.replace(self._name, ""))
            return missing and not _size(session, self._name)
        with contextlib.suppress(ftplib.error_perm):
            session.sendcmd("TYPE I")  # ends the renaming; some servers call that a bad sequence, once
        return True

    def _in_two_steps(self, session: Session) -> bool:
        """Store and rename; returns False when the server turns out to allow only the file's own name."""
        self._partial = self._temporary
        try:
            self._store(session, self._temporary)
        except ftplib.error_perm as error:
            if self._source.sent or str(error)[:3] not in ("550", "553"):
                raise
            self._partial = ""
            return False
        try:
            session.sendcmd(f"RNFR {self._temporary}")
        except ftplib.error_perm:
            with contextlib.suppress(ftplib.error_perm):
                session.delete(self._temporary)
            self._source.rewind()
            return False
        try:
            session.voidcmd(f"RNTO {self._name}")
        except ftplib.error_perm as error:
            self._replace(session, error)
        return True

    def _replace(self, session: Session, refused: ftplib.error_perm) -> None:
        """Move the old file aside where the server doesn't let it be overwritten; it comes back if that fails too."""
        self._moving = True
        try:
            session.rename(self._name, self._aside)
        except ftplib.error_perm:
            self._moving = False
            raise refused from None
        try:
            session.rename(self._temporary, self._name)
        except ftplib.error_perm:
            session.rename(self._aside, self._name)
            self._moving = False
            raise
        with contextlib.suppress(ftplib.error_perm):
            session.delete(self._aside)
        self._moving = False

    def _store(self, session: Session, name: str) -> None:
        with contextlib.closing(session.transfercmd(f"STOR {name}")) as data:
            self._partial = name
            digest = hashlib.sha256() if session.features & _TELL_DIGESTS else None
            with session.telling_why():
                for block in self._source.blocks(BLOCK):
                    session.guard.send(data, block)
                    if digest is not None:
                        digest.update(block)
            session.end_data(data)
            session.guard.progressed()
            session.voidresp()
        self._verify(session, name)
        if digest is not None:
            self._compare(session, name, digest.hexdigest())
        if "MFMT" in session.features:
            with contextlib.suppress(ftplib.error_perm):
                when = time.strftime("%Y%m%d%H%M%S", time.gmtime(self._source.modified))
                session.sendcmd(f"MFMT {when} {name}")

    def _verify(self, session: Session, name: str) -> None:
        for ask in (_size, _listed_facts, _listed_line):
            session.guard.progressed()
            sizes = ask(session, name)
            if self._source.size in sizes:
                return
            if sizes:
                has = f"{sizes.pop()}" if len(sizes) == 1 else "not all"
                raise TransferIncomplete(
                    f"The server has {has} of the {self._source.size} bytes of {self._name}, though it said "
                    "that the transfer was complete. Send it again."
                )
        raise TransferIncomplete(
            f"The server wouldn't say how much of {self._name} it has, so the delivery can't be confirmed. "
            "Ask its administrator to look."
        )

    def _compare(self, session: Session, name: str, digest: str) -> None:
        session.guard.progressed()
        told = _digest(session, name)
        if told and told != digest:
            raise TransferIncomplete(
                f"What the server has of {self._name} differs from what was sent, though its size is right. "
                "Send it again."
            )


def _digest(session: Session, name: str) -> str:
    """Return the SHA-256 of a file there in hexadecimal; "" where the server doesn't tell it after all."""
    for command in sorted(session.features & _TELL_DIGESTS):
        with contextlib.suppress(ftplib.error_perm, ftplib.error_temp):
            if command == "HASH":
                session.sendcmd("OPTS HASH SHA-256")
            if found := re.search(r"(?i)\b[0-9a-f]{64}\b", session.sendcmd(f"{command} {name}").replace(name, "")):
                return found[0].lower()
    return ""


def _size(session: Session, name: str) -> set[int]:
    try:
        size = session.size(name)
    except ftplib.error_perm:
        return set()
    return set() if size is None else {size}


def _rights(session: Session, name: str) -> str | None:
    """Return what we may do with a file (RFC 3659, section 7.5.5); None if there is none, or nothing is told."""
    try:
        reply = session.sendcmd(f"MLST {name}")
    except ftplib.error_perm:
        return None
    found = re.search(r"(?i)\bperm=([a-z]*);", reply)
    return found[1].lower() if found else None


def _listed_facts(session: Session, name: str) -> set[int]:
    try:
        reply = session.sendcmd(f"MLST {name}")
    except ftplib.error_perm:
        return set()
    return {int(number) for number in re.findall(r"(?i)\bsize=(\d{1,18});", reply)}


def _listed_line(session: Session, name: str) -> set[int]:
    """Return every number in the file's line of LIST: its form is the server's own, but the size is in it."""
    try:
        lines = session.listing(f"LIST {name}")
    except ftplib.error_perm:
        return set()
    ours = [line for line in lines if line.rstrip().endswith(name)]
    return {int(number) for line in ours for number in re.findall(r"(?<!\S)\d{1,18}(?!\S)", line[: -len(name)])}
