"""The operating system's user under which the server runs: PostgreSQL refuses to run as root."""

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import PostgresError
from .programs import environment, program

# `postgres` first: it exists to run databases, while anything may run as `nobody`.
_UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """Whose processes the server's are. `switch`: this process is root and has to become that user first."""

    name: str
    uid: int
    gid: int
    switch: bool

    def own(self, path: Path) -> None:
        """Give a file or folder that was just made to this user."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def account_for(cluster: Path) -> Account:
    """The user that runs the server of this cluster: its owner, or, as root with a new one, an unprivileged user."""
    if sys.platform == "win32":
        return Account(os.environ.get("USERNAME", ""), 0, 0, switch=False)
    import pwd

    uid = os.geteuid()
    if uid != 0:
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            raise PostgresError(
                f"The user number {uid} has no name on this machine, and PostgreSQL needs one. Add the user, "
                "or name a database server in the setting db_host."
            ) from None
        return Account(name, uid, os.getegid(), switch=False)
    if cluster.is_dir() and (owner := cluster.stat().st_uid) != 0:
        entry = pwd.getpwuid(owner)
        return Account(entry.pw_name, owner, entry.pw_gid, switch=True)
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid, switch=True)
    raise PostgresError(
        "PostgreSQL refuses to run as root, and this machine has neither a user postgres nor a user nobody. "
        "Start the application as an ordinary user."
    )


def reachable(path: Path, account: Account) -> bool:
    """Whether the account may enter every folder above a path (which has no symbolic links)."""
    return all(_may(folder, account, 0o1) for folder in path.parents)


def _may(path: Path, account: Account, wanted: int) -> bool:
    found = path.stat()
    if found.st_uid == account.uid:
        granted = found.st_mode >> 6
    elif found.st_gid == account.gid:
        granted = found.st_mode >> 3
    else:
        granted = found.st_mode
    return stat.S_IMODE(granted) & wanted == wanted


def _missing_capability(binaries: Path, folder: Path, account: Account) -> str | None:
    """The one capability the account needs to reach its programs and data, e.g. below root's home; usually None."""
    server = program(binaries, "postgres")
    share = binaries.parent / "share"
    if not _may(server, account, 0o5) or (share.is_dir() and not _may(share, account, 0o5)):
        return "dac_override"  # dac_read_search doesn't let a file be executed
    if not reachable(server, account) or not reachable(folder / "x", account):
        return "dac_read_search"
    return None


def arguments_for(
    command: list[str | Path], account: Account, binaries: Path, folder: Path
) -> tuple[list[str], dict[str, Any]]:
    """Command line and `Popen` arguments that run a program of `binaries` as the account, in `folder`."""
    plain = [str(part) for part in command]
    common: dict[str, Any] = {"cwd": folder, "env": environment(), "stdin": subprocess.DEVNULL}
    if not account.switch:
        return plain, common
    capability = _missing_capability(binaries, folder, account)
    if capability is None:
        return plain, {**common, "user": account.uid, "group": account.gid, "extra_groups": []}
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PostgresError(
            f"PostgreSQL refuses to run as root, and the user {account.name} can't reach {folder} or {binaries}. "
            "Start the application as an ordinary user, or set ABQ_DATA_DIR to a folder that everyone can enter."
        )
    switch = [setpriv, f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    switch += [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}", "--"]
    return switch + plain, common
