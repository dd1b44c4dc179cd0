"""One file on its way to an SFTP server: under a temporary name, its size compared, then in place of the old one.

Sources: draft-ietf-secsh-filexfer-02 (SFTP version 3), OpenSSH's PROTOCOL (posix-rename).
"""

import contextlib
import secrets

import paramiko

from .ftp_store import TransferIncomplete
from .shell_session import ShellSession
from .source import SourceFile

BLOCK = 256 * 1024


class SftpStore:
    """Stores the file, and knows what a failure leaves behind."""

    def __init__(self, source: SourceFile) -> None:
        mark = secrets.token_hex(4)
        self._source = source
        self._name = source.name
        self._temporary = f"{source.name}.{mark}.part"
        self._aside = f"{source.name}.{mark}.old"
        self.unfinished = False

    def run(self, session: ShellSession) -> None:
        files, guard = session.files, session.guard
        self.unfinished = True
        with files.open(self._temporary, "wx", bufsize=0) as file:
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

    def _replace(self, files: paramiko.SFTPClient) -> None:
        """Rename where nothing may be overwritten: the old file is moved aside, and back on a failure."""
        try:
            files.rename(self._temporary, self._name)
            return
        except OSError:
            files.rename(self._name, self._aside)
        try:
            files.rename(self._temporary, self._name)
        except OSError:
            files.rename(self._aside, self._name)
            raise
        with contextlib.suppress(OSError):
            files.remove(self._aside)

    def tidy(self, session: ShellSession) -> None:
        """Remove what a failure left, over a new session; the old file comes back if it was moved aside."""
        with contextlib.suppress(OSError):
            session.files.rename(self._aside, self._name)  # refused where the new one has its name already
        for name in (self._temporary, self._aside):
            with contextlib.suppress(OSError):
                session.files.remove(name)
