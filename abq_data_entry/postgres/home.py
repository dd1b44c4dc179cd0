"""The embedded server's own folder, the user that the server runs as, and the folder of its socket."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .errors import PostgresError, translate_system_errors
from .programs import environment, program

# The operating system's user under which the server runs: PostgreSQL refuses to run as root.


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


# What lies in the embedded server's own folder, below the data folder.

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
    with translate_system_errors("The database folder", folder):
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
    with translate_system_errors("The database's lock file", path):
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


# The private folder of the server's unix socket: ours alone, and short (a socket's path ends at 107 bytes).

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
