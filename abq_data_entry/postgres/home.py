"""What lies in the embedded server's own folder, below the data folder."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .account import Account, account_for
from .errors import PostgresError, system_errors_told

ROLE = "abq"
PATIENCE = 600.0  # seconds for anything that waits for the server: recovery after a crash may take long


@dataclass(frozen=True)
class Home:
    """The paths of one embedded server and the user it runs under."""

    folder: Path
    account: Account

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        """What the server says; the watcher keeps it small."""
        return self.folder / "server.log"

    @property
    def lock(self) -> Path:
        """Held while a server is made, started, attached to or stopped."""
        return self.folder / "lock"

    @property
    def watcher_lock(self) -> Path:
        """Held by the watcher as long as it lives: one a server."""
        return self.folder / "watcher.lock"

    @property
    def passfile(self) -> Path:
        """The password of a server without unix sockets, in libpq's password file format."""
        return self.folder / "passfile"


def home_in(data_folder: Path) -> Home:
    """The server's home in a data folder, made if missing: 0700, and the property of the server's user.

    Raises PostgresError.
    """
    folder = data_folder.absolute() / "postgres"
    with system_errors_told("The database folder", folder):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = folder.resolve()
        account = account_for(folder)
        folder.mkdir(mode=0o700, exist_ok=True)
        home = Home(folder, account)
        if sys.platform != "win32":
            _belongs_to(folder, account)
            for lock in (home.lock, home.watcher_lock):
                if not lock.exists():
                    write_private(lock, "", account)
    return home


def _belongs_to(folder: Path, account: Account) -> None:
    owner = folder.stat().st_uid
    if owner == 0 and account.switch:  # just made
        account.own(folder)
    elif owner != account.uid:
        raise PostgresError(
            f"The database folder {folder} belongs to another user (number {owner}). Start the application as that "
            "user, or name a folder of your own with ABQ_DATA_DIR."
        )


# As root we write into a folder of the server's user, who mustn't send us elsewhere by a link.
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


def write_private(path: Path, text: str, account: Account) -> None:
    """Write a file that only the server's user may read (0600), down to the disk."""
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | _NO_LINKS, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    account.own(path)


def append_to(path: Path) -> BinaryIO:
    """Open a private file for reading, and for writing at its end; others may be writing at its end as well."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | _NO_LINKS, 0o600), "a+b")


@contextmanager
def locked(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold a lock among processes; it falls with the process that holds it. PostgresError after `patience` seconds."""
    import filelock

    lock = filelock.FileLock(path, timeout=patience, poll_interval=0.01)
    with system_errors_told("The database's lock file", path):
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise PostgresError(
                f"Another process has been busy with the database in {path.parent} for {patience:.0f} seconds. "
                "Wait for it or end it, then try again."
            ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def locked_where_it_is(path: Path, patience: float) -> Iterator[None]:
    """As `locked`, for the watcher: makes no file. Where it is gone its folder is being removed, and nothing of that
    may come back. PostgresError then, and after `patience` seconds."""
    if sys.platform == "win32":
        with locked(path, patience):
            yield
        return
    import fcntl

    deadline = time.monotonic() + patience
    while True:
        try:
            handle = os.open(path, os.O_RDWR | _NO_LINKS)
        except OSError as error:
            raise PostgresError(f"The lock file {path} is gone.", str(error)) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            os.close(handle)
            if time.monotonic() > deadline:
                raise PostgresError(f"Another process holds {path}.") from None
            time.sleep(0.05)
    try:
        yield
    finally:
        os.close(handle)
