"""One file on its way to an FTP server: under a temporary name, its size compared, then in place of the old one.

What a broken connection left there is continued, where the server lets us (`stored_uploads.Part`). What a
server says of a file (size, digest, rights) is never promised: each question may be refused.
Sources: RFC 959 (STOR, APPE, REST, RNFR, RNTO), RFC 2640 (UTF-8 names), RFC 3659 (REST STREAM, section 5),
draft-somers-ftp-mfxx (MFMT).
"""

from __future__ import annotations

import contextlib
import ftplib
import hashlib
import re
import time

from .failures import UserFacingError
from .ftp_session import Session
from .stored_uploads import Part
from .uploads import SourceFile

TELL_DIGESTS = frozenset(("HASH", "XSHA256"))


class TransferIncomplete(UserFacingError, ftplib.Error):
    """The server said it was done, but the file there isn't known to be whole."""

    transient = True


def confirm(session: Session, name: str, source: SourceFile, expected: str) -> None:
    """Raise `TransferIncomplete` unless the file is there, all of it; `expected`: its SHA-256, "" to leave it."""
    _confirm_size(session, name, source)
    session.guard.progressed()
    told = digest(session, name) if expected else ""
    if told and told != expected:
        raise TransferIncomplete(
            f"What the server has of {source.name} differs from what was sent, though its size is right. "
            "Send it again."
        )


def _confirm_size(session: Session, name: str, source: SourceFile) -> None:
    for ask in (size, listed_facts, listed_line):
        session.guard.progressed()
        sizes = ask(session, name)
        if source.size in sizes:
            return
        if sizes:
            has = f"{sizes.pop()}" if len(sizes) == 1 else "not all"
            raise TransferIncomplete(
                f"The server has {has} of the {source.size} bytes of {source.name}, though it said "
                "that the transfer was complete. Send it again."
            )
    raise TransferIncomplete(
        f"The server wouldn't say how much of {source.name} it has, so the delivery can't be confirmed. "
        "Ask its administrator to look."
    )


def digest(session: Session, name: str) -> str:
    """Return the SHA-256 of a file there in hexadecimal; "" where the server doesn't tell it after all."""
    for command in sorted(session.features & TELL_DIGESTS):
        with contextlib.suppress(ftplib.error_perm, ftplib.error_temp):
            if command == "HASH":
                session.sendcmd("OPTS HASH SHA-256")
            if found := re.search(r"(?i)\b[0-9a-f]{64}\b", session.sendcmd(f"{command} {name}").replace(name, "")):
                return found[0].lower()
    return ""


def size(session: Session, name: str) -> set[int]:
    """Return the size of a file there; nothing where the server doesn't tell it."""
    try:
        told = session.size(name)
    except ftplib.error_perm:
        return set()
    return set() if told is None else {told}


def rights(session: Session, name: str) -> str | None:
    """Return what we may do with a file (RFC 3659, section 7.5.5); None if there is none, or nothing is told."""
    try:
        reply = session.sendcmd(f"MLST {name}")
    except ftplib.error_perm:
        return None
    found = re.search(r"(?i)\bperm=([a-z]*);", reply)
    return found[1].lower() if found else None


def listed_facts(session: Session, name: str) -> set[int]:
    try:
        reply = session.sendcmd(f"MLST {name}")
    except ftplib.error_perm:
        return set()
    return {int(number) for number in re.findall(r"(?i)\bsize=(\d{1,18});", reply)}


def listed_line(session: Session, name: str) -> set[int]:
    """Return every number in the file's line of LIST: its form is the server's own, but the size is in it."""
    try:
        lines = session.listing(f"LIST {name}")
    except ftplib.error_perm:
        return set()
    ours = [line for line in lines if line.rstrip().endswith(name)]
    return {int(number) for line in ours for number in re.findall(r"(?<!\S)\d{1,18}(?!\S)", line[: -len(name)])}


BLOCK = 64 * 1024
_LACKS_RIGHT = re.compile(r"(?i)privilege|permi(t|ssion)|denied|not allowed|forbidden|disabled|unauthori|rights")
_NAME_REFUSED = ("550", "553")


class Store(Part):
    """Stores the file, and knows what a failure leaves behind.

    Where the server renames files the old one stays whole until the new one is known to be; where it doesn't, the
    file is stored under its name at once. `run` may be called again, over another session, after one that broke.
    `identifier`: of the delivery; what an earlier attempt at it left is continued, too.
    """

    def __init__(self, source: SourceFile, identifier: str | None = None) -> None:
        super().__init__(source, identifier)
        self._in_steps: bool | None = None  # under the temporary name first; None: not known yet

    def run(self, session: Session) -> None:
        self.found = 0
        if not self._name.isascii():
            with contextlib.suppress(ftplib.error_reply, ftplib.error_perm):
                session.sendcmd("OPTS UTF8 ON")  # some servers want to be asked (RFC 2640)
        session.voidcmd("TYPE I")
        if self._in_steps is None:
            self._in_steps = self._may_rename(session)
        self._in_steps = self._in_steps and self._in_two_steps(session)
        if not self._in_steps:
            self._store(session, self._name)
        self._partial = ""

    def tidy(self, session: Session) -> None:
        """Remove what a failure left behind, over a new session; the old file comes back if it was moved."""
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
        session.delete(self._partial or self._temporary)

    def _may_rename(self, session: Session) -> bool:
        """Find out beforehand, without doing it: what can't be renamed in the end would be left there for ever."""
        allowed = rights(session, self._name) if "MLST" in session.features else None
        if allowed is not None:
            return "f" in allowed
        try:
            session.sendcmd(f"RNFR {self._name}")
        except ftplib.error_temp:
            return True
        except ftplib.error_perm as error:
            reply = str(error)
            missing = reply[:3] == "550" and not _LACKS_RIGHT.search(reply.replace(self._name, ""))
            return missing and not size(session, self._name)
        with contextlib.suppress(ftplib.error_perm):
            session.sendcmd("TYPE I")  # ends the renaming; some servers call that a bad sequence, once
        return True

    def _in_two_steps(self, session: Session) -> bool:
        """Store and rename; returns False when the server turns out to allow only the file's own name."""
        try:
            self._store(session, self._temporary)
        except ftplib.error_perm as error:
            if self._source.sent or str(error)[:3] not in _NAME_REFUSED:
                raise
            self._partial = ""
            return False
        try:
            session.sendcmd(f"RNFR {self._temporary}")
        except ftplib.error_perm:
            self._remove(session, self._temporary)
            self._source.rewind()
            return False
        try:
            session.voidcmd(f"RNTO {self._name}")
        except ftplib.error_perm as error:
            self._replace(session, error)
        return True

    def _replace(self, session: Session, refused: ftplib.error_perm) -> None:
        """Move the old file away if the server doesn't let it be overwritten; it comes back if that fails too."""
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
        self._remove(session, self._aside)
        self._moving = False

    def _store(self, session: Session, name: str) -> None:
        """Store the file under the name: what is missing of it, else all of it."""
        may_be_there = self._partial == name or (name == self._temporary and self._is_lasting)
        rest = self._size_of_part(session, name)
        if name == self._temporary:
            self._partial = name
        if rest:
            self.found = rest
            if self._continue(session, name, rest):
                return
            self.found = 0
            self._remove(session, name)
            if name == self._temporary:
                name = self._take_another_name()
        self._source.rewind()
        try:
            self._send(session, name, f"STOR {name}")
        except ftplib.error_perm as error:
            if not may_be_there or self._source.sent or str(error)[:3] not in _NAME_REFUSED:
                raise
            self._remove(session, name)  # a part that may not be overwritten
            self._send(session, name, f"STOR {name}")

    def _take_another_name(self) -> str:
        """Start again under a name of which no server can remember the digest (ProFTPD does for a second)."""
        self._choose_names(None)
        self._partial = self._temporary
        return self._temporary

    def _size_of_part(self, session: Session, name: str) -> int:
        """Return how much there is of the file, by ourselves; 0 if it is better to start again."""
        if self._partial != name and not (name == self._temporary and self.may_be_there):
            return 0
        for ask in (size, listed_facts):
            for found in ask(session, name):
                return found if found <= self._source.size else 0
        return 0

    def _continue(self, session: Session, name: str, rest: int) -> bool:
        """Send what is missing; returns False where the server doesn't let us, or has something else in the end."""
        if rest == self._source.size:
            ways: tuple[tuple[str, int | None], ...] = (("", None),)
        else:
            ways = ((f"STOR {name}", rest), (f"APPE {name}", None))
        for command, offset in ways:
            try:
                self._send(session, name, command, offset, rest)
                return True
            except TransferIncomplete:
                return False
            except (ftplib.error_perm, ftplib.error_temp) as error:
                if self._source.sent != rest or str(error).startswith("421"):
                    raise
        return False

    def _send(self, session: Session, name: str, command: str, offset: int | None = None, begin: int = 0) -> None:
        """Send the file from `begin` on by a command, none if it is all there; make sure that all of it arrived."""
        digest = hashlib.sha256() if session.features & TELL_DIGESTS else None
        if digest is not None:
            for block in self._source.content(BLOCK, begin):
                session.guard.check()
                session.guard.progressed()
                digest.update(block)
        self._source.skip(begin)
        if command:
            with contextlib.closing(session.transfercmd(command, offset)) as data:
                self._partial = name
                with session.telling_why():
                    for block in self._source.blocks(BLOCK):
                        session.guard.send(data, block)
                        if digest is not None:
                            digest.update(block)
                session.end_data(data)
                session.guard.progressed()
                session.voidresp()
        confirm(session, name, self._source, "" if digest is None else digest.hexdigest())
        if "MFMT" in session.features:
            with contextlib.suppress(ftplib.error_perm):
                when = time.strftime("%Y%m%d%H%M%S", time.gmtime(self._source.modified))
                session.sendcmd(f"MFMT {when} {name}")

    @staticmethod
    def _remove(session: Session, name: str) -> None:
        with contextlib.suppress(ftplib.error_perm):
            session.delete(name)
