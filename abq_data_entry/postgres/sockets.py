"""The private folder of the server's unix socket: ours alone, and short (a socket's path ends at 107 bytes)."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from .account import Account
from .errors import PostgresError
from .home import Home

PORT = 5432  # a part of the socket's name
_LONGEST = 107 - len("/.s.PGSQL.5432.lock")


def socket_folder(home: Home) -> Path:
    """The folder for the coming start of the server, made if missing: 0700, the same each time where possible.

    In the temporary folder, not in XDG_RUNTIME_DIR: that one vanishes at logout under a server that still runs.
    Somebody else's folder or link of the expected name isn't used. Raises PostgresError when there is no place.
    """
    name = "abq-" + hashlib.sha256(os.fsencode(home.folder)).hexdigest()[:16]
    places = [place for place in _places() if _suits(place, name, home.account)]
    for place in places:
        if _made_or_ours(place / name, home.account):
            return place / name
    for place in places:  # the name is taken by somebody else: one that can't be guessed
        folder = Path(tempfile.mkdtemp(prefix="abq-", dir=place))
        home.account.own(folder)
        return folder
    raise PostgresError(
        "No temporary folder suits the database's socket: its path must be short, private names in it must be safe "
        f"from others (sticky bit), and the user {home.account.name} must be able to enter it. Name one with TMPDIR."
    )


def _places() -> list[Path]:
    return [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108


def _suits(place: Path, name: str, account: Account) -> bool:
    try:
        place = place.resolve(strict=True)
        found = place.stat()
    except OSError:
        return False
    trusted = found.st_uid in (0, os.geteuid(), account.uid)
    safe = trusted and (not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or bool(found.st_mode & stat.S_ISVTX))
    # A comma would make two hosts of it.
    short = len(os.fsencode(place / name)) <= _LONGEST and "," not in str(place)
    return safe and short and os.access(place, os.W_OK | os.X_OK) and account.reaches(place / name)


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
