"""What lies in the embedded server's own folder, below the data folder."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .account import Account, account_for
from .errors import system_errors_told

ROLE = "abq"


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
        """What the server says; kept small by the watcher."""
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
    """The server's home in a data folder, made if missing (0700, owned by the server's user)."""
    folder = data_folder / "postgres"
    with system_errors_told("The database folder", folder):
        data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = folder.resolve()
        account = account_for(folder)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            pass
        else:
            account.own(folder)
        home = Home(folder, account)
        if sys.platform != "win32":
            for lock in (home.lock, home.watcher_lock):
                _make_private(lock, account)
    return home


def _make_private(path: Path, account: Account) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    account.own(path)
