"""Files of secrets: logins for unattended runs, as systemd credentials or in the folder `secrets`.

A file is named after its destination, with a dot for the colon (`rest`, `sftp.archive`). Its lines are the user name,
which may be left out if the settings have it, and the password.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from . import folders

_LONGEST = 4096  # characters


class SecretUnusable(Exception):
    """The file for that destination is invalid; the text says why, and what to do."""


class SecretOfAnother(SecretUnusable):
    """The file has the login of another user."""


def login(kind: str, username: str) -> tuple[str, str] | None:
    """Return the login for a destination, from systemd's credentials, else from the folder; None if no file has it.

    Raises `SecretUnusable`, and its subclass `SecretOfAnother` if all files are of other users than `username` (unless
    that is '').
    """
    others = list[str]()
    systemd = os.environ.get("CREDENTIALS_DIRECTORY")
    for folder in (*([Path(systemd)] if systemd else []), folders.config_folder() / "secrets"):
        path = folder / kind.replace(":", ".")
        lines = _lines(path)
        if not lines:
            continue
        user = lines[0] if len(lines) > 1 else username
        if not user:
            name = kind.partition(":")[2]
            how = f", or name it with `destinations change {name} --username`" if name else ""
            raise SecretUnusable(
                f"The file of secrets {path} has one line, the password, and no user name. Put that in a line "
                f"above it{how}."
            )
        if username in ("", user):
            return user, lines[-1]
        others.append(f"The file of secrets {path} has the login of {user}, and {username} is to log in there.")
    if others:
        raise SecretOfAnother(f"{' '.join(others)} Correct the file, or name the user with --username.")
    return None


def _lines(path: Path) -> list[str]:
    """Return the first two lines of a file that only its owner may read; empty if there is no such file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # Windows editors write a byte order mark
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SecretUnusable(f"The file of secrets {path} is no file.")
            # Windows has no such permission bits; there the settings' folder is the user's own.
            if os.name == "posix" and (status.st_mode & 0o077 or status.st_uid not in (0, os.geteuid())):
                raise SecretUnusable(
                    f"The file of secrets {path} isn't used: others may read it. Type: chmod 600 {path}"
                )
            text = file.read(_LONGEST)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnusable(f"The file of secrets {path} can't be read ({type(error).__name__}).") from None
    return [each for each in text.splitlines()[:2] if each]
