"""The private folder of the server's unix socket: short (a socket's path ends at 107 bytes), ours alone."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from .account import Account
from .errors import PostgresError
from .home import Home

_LONGEST = 107 - len("/.s.PGSQL.5432.lock")


def socket_folder(home: Home) -> Path:
    """The folder for the coming start of the server, made if missing (0700); the same one each time where possible."""
    name = "abq-" + hashlib.sha256(os.fsencode(home.folder)).hexdigest()[:16]
    for parent in _parents(home.account):
        folder = parent / name
        if len(os.fsencode(folder)) > _LONGEST:
            continue
        if _made_or_ours(folder, home.account):
            return folder
    raise PostgresError("There is no folder for the database's socket.")


def _parents(account: Account) -> list[Path]:
    named = os.environ.get("XDG_RUNTIME_DIR")
    runtime = [Path(named)] if named and not account.switch else []
    return [*runtime, Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108


def _made_or_ours(folder: Path, account: Account) -> bool:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid and stat.S_IMODE(found.st_mode) == 0o700
    except OSError:
        return False
    account.own(folder)
    return True
