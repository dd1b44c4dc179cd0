"""The operating system's user under which the server runs: PostgreSQL refuses to run as root."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import PostgresError
from .programs import environment, program

# `postgres` first: it exists to run databases, while anything may run as `nobody`.
_UNPRIVILEGED = ("postgres", "nobody")
# Numbers of linux/capability.h.
_CAPABILITIES = {"dac_override": 1, "dac_read_search": 2}


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

    def allowed(self, path: Path, wanted: int) -> bool:
        """Whether the mode of a path grants the `wanted` bits (4 read, 2 write, 1 execute or enter)."""
        found = path.stat()
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid == self.gid else 0
        return stat.S_IMODE(found.st_mode) >> shift & wanted == wanted

    def reaches(self, path: Path) -> bool:
        """Whether this user may enter every folder above a path, which must have no symbolic links."""
        return all(self.allowed(folder, 1) for folder in path.parents)


def account_for(folder: Path) -> Account:
    """The user that runs the server in this folder: the folder's owner, or, for root, an unprivileged user.

    Raises PostgresError when there is none.
    """
    if sys.platform == "win32":
        return Account(os.environ.get("USERNAME", ""), 0, 0, switch=False)
    me = os.geteuid()
    if me != 0:
        return _named(me, switch=False)
    owner = folder.stat().st_uid if folder.exists() else 0
    return _named(owner, switch=True) if owner != 0 else _unprivileged()


def _named(uid: int, switch: bool) -> Account:
    import pwd

    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise PostgresError(
            f"The user number {uid} has no name on this machine, and PostgreSQL needs one. Add the user, "
            "or name a database server in the setting db_host."
        ) from None
    return Account(entry.pw_name, uid, entry.pw_gid, switch)


def _unprivileged() -> Account:
    import pwd

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


def arguments_for(
    command: Sequence[str | Path], account: Account, binaries: Path, folder: Path
) -> tuple[list[str], dict[str, Any]]:
    """Command line and `Popen` arguments that run a program of `binaries` as the account, in `folder`.

    Raises PostgresError when the account can't be made to reach both.
    """
    plain = [str(part) for part in command]
    options: dict[str, Any] = {"cwd": folder, "env": environment(binaries), "stdin": subprocess.DEVNULL}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NO_WINDOW
    if not account.switch:
        return plain, options
    enough = _capabilities_to_reach(binaries, folder, account)
    if not enough:
        return plain, {**options, "user": account.uid, "group": account.gid, "extra_groups": []}
    setpriv = shutil.which("setpriv")
    capability = next((name for name in enough if _have(name)), None)
    if setpriv is None or capability is None:
        raise PostgresError(
            f"PostgreSQL refuses to run as root, and the user {account.name}, who would run it, can't reach "
            f"{folder} or {binaries}. Start the application as an ordinary user, or let everyone enter these "
            "folders (ABQ_DATA_DIR names another data folder)."
        )
    switch = [setpriv, f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    # Without the securebit the kernel leaves capabilities aside in access(2), by which initdb looks for its programs.
    switch += [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}", "--securebits=+no_setuid_fixup", "--"]
    return switch + plain, options


def _capabilities_to_reach(binaries: Path, folder: Path, account: Account) -> list[str]:
    """The capabilities of which one lets the account reach programs and data below, say, root's home; mostly none.

    It is the server that gets it, and only root may connect to that server: nobody gains a right by it.
    """
    server, share = program(binaries, "postgres"), binaries.parent / "share"
    if not account.allowed(server, 5) or (share.is_dir() and not account.allowed(share, 5)):
        return ["dac_override"]  # installed with a strict umask; dac_read_search doesn't let a file be executed
    if not account.reaches(server) or not account.reaches(folder / "any"):
        return ["dac_read_search", "dac_override"]  # a container's root often has the second alone
    return []


def _have(capability: str) -> bool:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True  # a bare chroot without /proc: setpriv will say so if not
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> _CAPABILITIES[capability] & 1)
