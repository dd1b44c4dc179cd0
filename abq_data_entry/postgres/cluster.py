"""The data directory: where it is, its owner, initdb, how damage is recognized, and which server process runs on it."""

import hashlib
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .errors import Damaged, PostgresError, reason_in, translate_system_errors
from .programs import environment, major_version, program

# The operating system's user under which the server runs: PostgreSQL refuses to run as root.


# `postgres` first: it exists to run databases, while anything may run as `nobody`.
_UNPRIVILEGED = ("postgres", "nobody")
# The numbers of linux/capability.h.
_CAPABILITIES = {"dac_override": 1, "dac_read_search": 2}


@dataclass(frozen=True)
class Account:
    """The system's user that the server runs as. `switch`: this process is root, and must become that user first."""

    name: str
    uid: int
    gid: int
    switch: bool

    def own(self, path: Path) -> None:
        """Make this user the owner of a file or folder that this process has just created."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def allowed(self, path: Path, wanted: int) -> bool:
        """Return whether the mode of a path grants the `wanted` bits (4 read, 2 write, 1 execute or enter)."""
        found = path.stat()
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid == self.gid else 0
        return stat.S_IMODE(found.st_mode) >> shift & wanted == wanted

    def reaches(self, path: Path) -> bool:
        """Return whether this user may enter every folder above a path, which must have no symbolic links."""
        return all(self.allowed(folder, 1) for folder in path.parents)


def account_for(folder: Path) -> Account:
    """Return the user that runs the server in this folder: the folder's owner, or an unprivileged user if that is root.

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
    """Return the command line and the `Popen` arguments that run a program of `binaries` as the account, in `folder`.

    Raises PostgresError when the account can't access both folders.
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
    capability = next((name for name in enough if _has_capability(name)), None)
    if setpriv is None or capability is None:
        raise PostgresError(
            f"PostgreSQL refuses to run as root, and the user {account.name}, who would run it, can't reach "
            f"{folder} or {binaries}. Start the application as an ordinary user, or let everyone enter these "
            "folders (ABQ_DATA_DIR names another data folder)."
        )
    switch = [setpriv, f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    # Without this securebit access(2) ignores capabilities, and initdb looks for its programs with access(2).
    switch += [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}", "--securebits=+no_setuid_fixup", "--"]
    return switch + plain, options


def _capabilities_to_reach(binaries: Path, folder: Path, account: Account) -> list[str]:
    """Return the capabilities any one of which lets the account access both, such as below root's home; mostly empty.

    Only the server gets the capability, and only root may connect to that server: so nobody gains anything by it.
    """
    server, share = program(binaries, "postgres"), binaries.parent / "share"
    if not account.allowed(server, 5) or (share.is_dir() and not account.allowed(share, 5)):
        return ["dac_override"]  # installed with a strict umask; dac_read_search doesn't let a file be executed
    if not account.reaches(server) or not account.reaches(folder / "any"):
        return ["dac_read_search", "dac_override"]  # root in a container often has only the second
    return []


def _has_capability(capability: str) -> bool:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True  # a bare chroot without /proc: if it is missing, setpriv will report that
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> _CAPABILITIES[capability] & 1)


# What is in the embedded server's own folder, below the data folder.

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
        """The server's log; the watcher keeps it small."""
        return self.folder / "server.log"

    @property
    def lock(self) -> Path:
        """The lock file held while a cluster is created, or a server is started, attached to or stopped."""
        return self.folder / "lock"

    @property
    def watcher_lock(self) -> Path:
        """The lock file held by the watcher as long as it runs: one for each server."""
        return self.folder / "watcher.lock"

    @property
    def passfile(self) -> Path:
        """The password for a server without Unix-domain sockets, in the format of libpq's password file."""
        return self.folder / "passfile"


def home_in(data_folder: Path) -> Home:
    """Return the server's folder in a data folder, created if missing: mode 0700, owned by the server's user.

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


# As root we write into a folder of the server's user, who mustn't redirect us by a symbolic link.
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


def write_private(path: Path, text: str, account: Account) -> None:
    """Write a file that only the server's user may read (0600), and sync it to disk."""
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | _NO_LINKS, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    account.own(path)


def append_to(path: Path) -> BinaryIO:
    """Open a private file for reading and appending; other processes may append to it at the same time."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | _NO_LINKS, 0o600), "a+b")


@contextmanager
def locked(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold a lock file; the system releases it when the process ends. Raises PostgresError after `patience` seconds."""
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
    """As `locked`, for the watcher, but the file isn't created: if it is gone, its folder is being removed, and must
    not come back. Raises PostgresError then, and after `patience` seconds."""
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


# The folder of the server's Unix-domain socket: ours alone, and short (a socket's path has at most 107 bytes).

PORT = 5432  # a part of the socket's name
_LONGEST = 107 - len("/.s.PGSQL.5432.lock")


def socket_folder(home: Home) -> Path:
    """Return the folder of the socket for the next start, created if missing: mode 0700, the same each time where
    possible.

    It is in the temporary folder, not in XDG_RUNTIME_DIR, which is removed at logout while the server may still run.
    A folder of that name that is somebody else's, or a link, isn't used. Raises PostgresError when no place is usable.
    """
    name = "abq-" + hashlib.sha256(os.fsencode(home.folder)).hexdigest()[:16]
    places = [place for place in _places() if _is_suitable(place, name, home.account)]
    for place in places:
        if _create_or_own(place / name, home.account):
            return place / name
    for place in places:  # somebody else has taken the name: use one that can't be guessed
        folder = Path(tempfile.mkdtemp(prefix="abq-", dir=place))
        home.account.own(folder)
        return folder
    raise PostgresError(
        "No temporary folder suits the database's socket: its path must be short, private names in it must be safe "
        f"from others (sticky bit), and the user {home.account.name} must be able to enter it. Name one with TMPDIR."
    )


def _places() -> list[Path]:
    return [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108


def _is_suitable(place: Path, name: str, account: Account) -> bool:
    try:
        place = place.resolve(strict=True)
        found = place.stat()
    except OSError:
        return False
    trusted = found.st_uid in (0, os.geteuid(), account.uid)
    safe = trusted and (not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or bool(found.st_mode & stat.S_ISVTX))
    # libpq would read a path with a comma as two hosts.
    short = len(os.fsencode(place / name)) <= _LONGEST and "," not in str(place)
    return safe and short and os.access(place, os.W_OK | os.X_OK) and account.reaches(place / name)


def _create_or_own(folder: Path, account: Account) -> bool:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid and stat.S_IMODE(found.st_mode) == 0o700
    except OSError:
        return False
    account.own(folder)
    return True


# The data directory: created once by initdb, never over something that is already there.

PUT_ASIDE = "cluster.put-aside-"
_BUILT_IN = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # PostgreSQL 17 and later
_OLDER = [["--locale=C.UTF-8"], ["--locale=C"]]  # whichever the machine has first
_SETTINGS = """\
# Written by ABQ Data Entry at each start of the server. Your own settings go below the include in postgresql.conf.
listen_addresses = '{address}'
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 50
shared_buffers = 256MB
wal_level = minimal
max_wal_senders = 0
min_wal_size = 32MB
max_wal_size = 512MB
jit = off
# One query, one core: the window and its display need another to answer while millions of records are counted.
max_parallel_workers_per_gather = 0
log_checkpoints = off
log_autovacuum_min_duration = -1
# Neither statements nor rows in the log: they hold the laboratory's data.
log_min_error_statement = panic
log_error_verbosity = terse
"""


def prepare_cluster(home: Home, binaries: Path, over_tcp: bool) -> None:
    """Create the cluster if there is none, else check that it fits these programs. The caller holds the lock.

    It gets its name only once it is complete, so that what an interrupted initdb leaves isn't taken for a cluster.
    Raises PostgresError.
    """
    if os.path.lexists(home.cluster):
        _check(home, binaries)
        return
    _refuse_in_place_of_another(home)
    with translate_system_errors("The database folder", home.folder):
        for leftover in home.folder.glob("cluster.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="cluster.new-", dir=home.folder))
        home.account.own(new)
        try:
            _make(home, binaries, new, over_tcp)
            new.rename(home.cluster)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        _to_disk(home.folder)


def _check(home: Home, binaries: Path) -> None:
    made_by = version_of(home)
    ours = str(major_version(binaries))
    if made_by != ours:
        raise PostgresError(
            f"The database in {home.cluster} was made by PostgreSQL {made_by}, but the programs in {binaries} are "
            f"PostgreSQL {ours}. Nothing was changed. Install PostgreSQL {made_by} (you may remove it afterwards) and "
            "use: abq-data-entry db upgrade. Or restore a backup: abq-data-entry db restore --put-aside FILE."
        )
    refuse_incomplete(home)


def _refuse_in_place_of_another(home: Home) -> None:
    aside = sorted(home.folder.glob(f"{PUT_ASIDE}*"))
    if aside:
        raise PostgresError(
            f"There is no database in {home.folder}, only one that was put aside ({aside[-1].name}) by a restore or an "
            "upgrade that was interrupted. Nothing was changed. Run the command again; or, to go back to the database "
            f"that was put aside, rename its folder to {home.cluster.name}."
        )


def _make(home: Home, binaries: Path, new: Path, over_tcp: bool) -> None:
    if over_tcp:
        # host:port:database:user:password (libpq's manual, "The Password File")
        password = os.urandom(24).hex()
        write_private(home.passfile, f"*:*:*:{ROLE}:{password}\n", home.account)
        write_private(home.folder / "password.new", password, home.account)
    else:
        home.passfile.unlink(missing_ok=True)
    try:
        _run_initdb(home, binaries, new, over_tcp)
    finally:
        (home.folder / "password.new").unlink(missing_ok=True)
    _write_access_rules(home, new, over_tcp)
    settings = (new / "postgresql.conf").read_text(encoding="utf-8")
    write_private(new / "postgresql.conf", settings + "\ninclude = 'abq.conf'\n", home.account)


def _run_initdb(home: Home, binaries: Path, new: Path, over_tcp: bool) -> None:
    command: list[str | Path] = [program(binaries, "initdb"), "-D", new, "-U", ROLE, "-E", "UTF8", "--data-checksums"]
    command += ["--auth-local=peer", "--auth-host=scram-sha-256"]
    if over_tcp:
        command += ["--auth-local=scram-sha-256", f"--pwfile={home.folder / 'password.new'}"]
    locales = [_BUILT_IN] if major_version(binaries) >= 17 else _OLDER
    for locale in locales:
        arguments, options = arguments_for([*command, *locale], home.account, binaries, home.folder)
        done = subprocess.run(arguments, **options, capture_output=True, text=True, errors="replace")
        if done.returncode == 0:
            return
    said = done.stderr + done.stdout
    raise PostgresError(f"The database could not be made in {home.folder}: {reason_in(said)}", said)


def _write_access_rules(home: Home, cluster: Path, over_tcp: bool) -> None:
    rules = "host all all 127.0.0.1/32 scram-sha-256\n" if over_tcp else f"local all all peer map={ROLE}\n"
    write_private(cluster / "pg_hba.conf", rules, home.account)
    # Root can become any user anyway. Each may connect as the application's role or, from 16 on, as any role.
    who = ["root"] if home.account.switch else [home.account.name, "root"]
    names = "".join(f'{ROLE} "{name}" {role}\n' for name in dict.fromkeys(who) for role in (ROLE, "all"))
    write_private(cluster / "pg_ident.conf", names, home.account)


def write_settings(home: Home, sockets: Path | None, port: int) -> None:
    """Write the settings for the next start; `sockets` is None: listen on loopback, with a password."""
    folder = _in_a_list(sockets) if sockets else ""
    address = "" if sockets else "127.0.0.1"
    with translate_system_errors("The database folder", home.cluster):
        text = _SETTINGS.format(port=port, sockets=folder, address=address)
        write_private(home.cluster / "abq.conf", text, home.account)


def _in_a_list(folder: Path) -> str:
    """Quote a folder for `unix_socket_directories`, whose value is a list of quoted names."""
    element = '"' + str(folder).replace('"', '""') + '"'
    return element.replace("\\", "\\\\").replace("'", "''")


def _to_disk(folder: Path) -> None:
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# A cluster with damaged files is reported as such and left as it is: never repaired, never created again.


# What the server logs when it can't start (messages of xlogrecovery.c, controldata_utils.c, miscinit.c, smgr and md).
_DAMAGE = re.compile(
    r"PANIC|could not (?:locate|open|read|access|stat|seek|map)|invalid (?:data in|page|primary|secondary|checkpoint)"
    r"|incorrect checksum|checksum verification failed|files are incompatible|is not a (?:valid )?(?:data|database)"
    r"|is missing|does not exist|unexpected|corrupt|bogus|requested timeline"
)
_NOT_OURS = re.compile(r"has wrong ownership|has invalid permissions|Permission denied|group or world access")
_BY_SETTINGS = re.compile(
    r"configuration file|invalid value for parameter|unrecognized configuration|pg_hba|pg_ident"
)
_ELSEWHERE = re.compile(r"No space left|Read-only file system|shared memory|Address already in use|lock file")
SERVER_KILLED = "FATAL:  the server was ended from outside while it was starting"
"""What the server can't log itself."""
# Logged at a start after an interrupted recovery, which isn't damage.
_INTERRUPTED = re.compile(r"^.*probably means that some data is corrupted.*$", re.MULTILINE)
_NEEDED = ("global/pg_control", "base", "pg_wal")


def version_of(home: Home) -> str:
    """Return the cluster's major version, by its file PG_VERSION. Raises Damaged if that file is missing or
    unreadable."""
    try:
        made_by = (home.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except PermissionError as error:
        raise _not_ours(home, str(error)) from error
    except FileNotFoundError as error:
        raise _damaged(home, "it has no file PG_VERSION", str(error)) from error
    except (OSError, ValueError) as error:
        raise _damaged(home, "its file PG_VERSION can't be read", str(error)) from error
    if not re.fullmatch(r"\d+(\.\d+)?", made_by):
        raise _damaged(home, "its file PG_VERSION is empty or makes no sense")
    return made_by


def refuse_incomplete(home: Home) -> None:
    """Raise Damaged if a file or folder that every cluster has is missing."""
    for name in _NEEDED:
        if not (home.cluster / name).exists():
            raise _damaged(home, f"{name} is missing")


def start_failure(home: Home, said: str) -> PostgresError:
    """Why the server didn't start, by what it logged: damage, files of another owner, or another reason."""
    if _NOT_OURS.search(said):
        return _not_ours(home, said)
    if _DAMAGE.search(_INTERRUPTED.sub("", said)) and not _BY_SETTINGS.search(said) and not _ELSEWHERE.search(said):
        return _damaged(home, f"the server doesn't start with it ({reason_in(said).rstrip('.')})", said)
    return PostgresError(f"The database server in {home.folder} didn't start: {reason_in(said)}", said)


def _damaged(home: Home, reason: str, detail: str = "") -> Damaged:
    return Damaged(f"The database in {home.cluster} is damaged: {reason}. Nothing was changed.", detail)


def _not_ours(home: Home, detail: str) -> PostgresError:
    return PostgresError(
        f"The files of the database in {home.cluster} don't belong to the user {home.account.name}, or others may read"
        f" them. Nothing was changed. Give them back: chown -R {home.account.name} and chmod -R go= for that folder.",
        detail,
    )


# Which process is this cluster's server, if any. A PID file alone proves nothing: another process may have the PID now.


@dataclass(frozen=True)
class Postmaster:
    """What `postmaster.pid` says about a running server."""

    pid: int
    socket_folder: str
    port: str
    status: str  # "" until it has its shared memory, then "starting", "ready", "stopping"

    @property
    def ready(self) -> bool:
        """Whether it takes connections."""
        return self.status == "ready"

    @property
    def reachable(self) -> bool:
        """Whether its socket is still there: something that cleans temporary folders may have removed it."""
        return not self.socket_folder or self.socket.exists()

    @property
    def socket(self) -> Path:
        """The path of its Unix-domain socket."""
        return Path(self.socket_folder, f".s.PGSQL.{self.port}")


def running(cluster: Path) -> Postmaster | None:
    """Return the server of this cluster, if its process is running."""
    found = read_pid_file(cluster)
    return found if found and _is_server(found, cluster) else None


def read_pid_file(cluster: Path) -> Postmaster | None:
    """Return what the PID file says, which may be stale."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        lines += [""] * 8  # a server that is just starting hasn't written them all
        return Postmaster(int(lines[0]), lines[4], lines[3], lines[7].strip())
    except (OSError, ValueError):
        return None


def _is_server(found: Postmaster, cluster: Path) -> bool:
    if sys.platform == "win32":
        return _answers(found)
    process = Path("/proc", str(found.pid))
    if not Path("/proc/self").exists():
        return _shown_by_ps(found, cluster)
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")  # empty for a zombie
        if Path(os.fsdecode(words[0])).name != "postgres" or process.stat().st_uid not in (0, cluster.stat().st_uid):
            return False
        return _has_working_directory(process, cluster, otherwise=os.fsencode(cluster) in words)
    except OSError:
        return False


def _has_working_directory(process: Path, cluster: Path, otherwise: bool) -> bool:
    # A server's working directory is its data directory. In a container even root may not see it: then -D has to do.
    try:
        return (process / "cwd").samefile(cluster)
    except PermissionError:
        return otherwise


def orphans(cluster: Path) -> list[int]:
    """Return the PIDs of all processes of this cluster's server, even if its main process was killed. Linux only."""
    found, owner = [], cluster.stat().st_uid
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            title = os.fsdecode((process / "cmdline").read_bytes().split(b"\0")[0])
            ours = title.startswith("postgres: ") or Path(title).name == "postgres"
            if ours and process.stat().st_uid == owner and (process / "cwd").samefile(cluster):
                found.append(int(process.name))
    return found


def _shown_by_ps(found: Postmaster, cluster: Path) -> bool:
    command = ["ps", "-ww", "-o", "command=", "-p", str(found.pid)]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    except OSError:
        shown = ""
    # Without /proc, as in a bare chroot, ps prints nothing either.
    return "postgres" in shown and str(cluster) in shown if shown else _answers(found)


def _answers(found: Postmaster) -> bool:
    try:
        if not found.socket_folder:
            socket.create_connection(("127.0.0.1", int(found.port or 0)), timeout=2).close()
        else:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(found.socket))
    except (OSError, ValueError):
        return False
    return True
