"""One file on its way to an SFTP server: under a temporary name, its size compared, then in place of the old one.

Sources: draft-ietf-secsh-filexfer-02 (SFTP version 3), OpenSSH's PROTOCOL (posix-rename).
"""

import contextlib

import paramiko

from .ftp_facts import TransferIncomplete
from .resuming import KEPT_FROM, Names
from .shell_session import ShellSession
from .source import SourceFile

BLOCK = 32_000  # bytes: with what goes around it, it just fits into one packet (RFC 4254, 5.2: 32,768)
STEP_BACK = 4 * 1024 * 1024  # bytes: a server may work on what it got at once in any order, and leave holes


class SftpStore:
    """Stores the file, and knows what a failure leaves behind. `run` may be called again after a connection broke."""

    def __init__(self, source: SourceFile, identifier: str | None = None) -> None:
        names = Names(source, identifier)
        self.found = 0
        self.unfinished = False
        self._source = source
        self._name = source.name
        self._temporary, self._aside = names.temporary, names.aside
        self._is_lasting = names.are_lasting
        self._moving = False  # the old file may be under the name `_aside`

    @property
    def may_continue(self) -> bool:
        """Whether `run` may be called again."""
        return not self._moving

    @property
    def may_be_there(self) -> bool:
        """Whether an earlier attempt may have left a part of the file, which is to be continued."""
        return self._is_lasting and self._source.size > KEPT_FROM

    @property
    def is_worth_keeping(self) -> bool:
        """Whether another attempt would find what is there, and so much that it matters."""
        return self._is_lasting and self.may_continue and self._source.sent > KEPT_FROM + STEP_BACK

    def run(self, session: ShellSession) -> None:
        files, guard = session.files, session.guard
        self.found = self._size_of_part(files)
        begin = max(self.found - STEP_BACK, 0)
        self._source.skip(begin)
        may_be_there = self.unfinished or self._is_lasting
        self.unfinished = True
        mode = "r+" if begin else "w" if may_be_there else "wx"
        with files.open(self._temporary, mode, bufsize=0) as file:
            file.seek(begin)
            file.set_pipelined(True)  # blocks follow each other without waiting for each one's receipt
            for block in self._source.blocks(BLOCK):
                guard.check()
                file.write(bytes(block))
                guard.progressed()
        guard.progressed()
        size = files.stat(self._temporary).st_size
        if size != self._source.size:
            raise TransferIncomplete(
                f"The server has {size} of the {self._source.size} bytes of {self._name}. Send it again."
            )
        with contextlib.suppress(OSError):
            files.utime(self._temporary, (self._source.modified, self._source.modified))
        guard.check()
        try:
            files.posix_rename(self._temporary, self._name)
        except OSError:
            self._replace(files)
        self.unfinished = False

    def _size_of_part(self, files: paramiko.SFTPClient) -> int:
        """Return how much there is of the file; 0 where it is better to begin anew."""
        if not self.unfinished and not self.may_be_there:
            return 0
        try:
            size = files.stat(self._temporary).st_size or 0
        except OSError:
            return 0
        return size if size <= self._source.size else 0

    def _replace(self, files: paramiko.SFTPClient) -> None:
        """Rename where nothing may be overwritten: the old file is moved aside, and back on a failure."""
        try:
            files.rename(self._temporary, self._name)
            return
        except OSError:
            self._moving = True
            files.rename(self._name, self._aside)
        try:
            files.rename(self._temporary, self._name)
        except OSError:
            files.rename(self._aside, self._name)
            raise
        self._moving = False
        with contextlib.suppress(OSError):
            files.remove(self._aside)

    def tidy(self, session: ShellSession) -> None:
        """Remove what a failure left, over a new session; the old file comes back if it was moved aside."""
        with contextlib.suppress(OSError):
            session.files.rename(self._aside, self._name)  # refused where the new one has its name already
        for name in (self._temporary, self._aside):
            with contextlib.suppress(OSError):
                session.files.remove(name)
