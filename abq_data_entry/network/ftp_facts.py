"""What an FTP server says of a file: how large it is, its digest, and what we may do with it.

Sources: RFC 3659 (SIZE, MLST), draft-bryan-ftp-hash (HASH). Nothing of it is promised: each may be refused.
"""

import contextlib
import ftplib
import re

from .failures import UserFacingError
from .ftp_session import Session
from .source import SourceFile

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
