"""One file on its way to an SFTP server: under a temporary name, its size compared, then in place of the old one.

Sources: draft-ietf-secsh-filexfer-02 (SFTP version 3), OpenSSH's PROTOCOL (posix-rename).
"""

import contextlib

import paramiko

from .failures import UserFacingError
from .ftp_facts import TransferIncomplete
from .resuming import Part
from .sftp_reasons import FileRefused, is_closed, refusal
from .shell_session import ShellSession

BLOCK = 32_000  # bytes: with what goes around it, it just fits into one packet (RFC 4254, 5.2: 32,768)


class SftpStore(Part):
    """Stores the file, and knows what a failure leaves behind. `run` may be called again after a connection broke."""

    step_back = 4 * 1024 * 1024  # a server may work on what it got at once in any order, and leave holes

    def run(self, session: ShellSession) -> None:
        try:
            self._run(session)
        except OSError as error:
            session.guard.check()
            is_told = isinstance(error, UserFacingError | ConnectionError | TimeoutError)
            if is_told or error.filename or is_closed(error):
                raise
            if known := self._refusal(session.files, error):
                raise known from None
            raise

    def _run(self, session: ShellSession) -> None:
        files, guard = session.files, session.guard
        self.found = self._size_of_part(files)
        begin = max(self.found - self.step_back, 0)
        self._source.skip(begin)
        may_be_there = bool(self._partial) or self._is_lasting
        self._partial = self._temporary
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
            if known := self._refusal(files, OSError()):  # blocks that follow each other are refused in silence
                raise known
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
        self._partial = ""

    def _refusal(self, files: paramiko.SFTPClient, error: OSError) -> FileRefused | None:
        there = 0
        with contextlib.suppress(OSError):
            there = files.stat(self._temporary).st_size or 0
        return refusal(files, error, self._temporary, self._source.size - there)

    def _size_of_part(self, files: paramiko.SFTPClient) -> int:
        """Return how much there is of the file; 0 where it is better to begin anew."""
        if not self._partial and not self.may_be_there:
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
