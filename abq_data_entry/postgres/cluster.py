"""The data directory: made once by initdb, told when it is damaged, and which process serves it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import Damaged, PostgresError, reason_in, translate_system_errors
from .home import ROLE, Home, arguments_for, write_private
from .programs import major_version, program

# The data directory: made once by initdb, and never made again over something that is there.

PUT_ASIDE = "cluster.put-aside-"
_BUILT_IN = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # PostgreSQL 17 and later
_OLDER = [["--locale=C.UTF-8"], ["--locale=C"]]  # the first that the machine has
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


def ready_cluster(home: Home, binaries: Path, over_tcp: bool) -> None:
    """Make the cluster if there is none, else see that these programs fit it. The caller holds the lock.

    It gets its name only once it is whole, so that an interrupted initdb leaves nothing that is taken for one.
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
            "upgrade that was interrupted. Nothing was changed. Run that again; or, to go back to it, give the folder "
            f"the name {home.cluster.name} again."
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
    # Root may become anybody anyway. As its owner: the role of the application, or (16 and later) any role.
    who = ["root"] if home.account.switch else [home.account.name, "root"]
    names = "".join(f'{ROLE} "{name}" {role}\n' for name in dict.fromkeys(who) for role in (ROLE, "all"))
    write_private(cluster / "pg_ident.conf", names, home.account)


def write_settings(home: Home, sockets: Path | None, port: int) -> None:
    """Write the settings of the coming start; without a folder for sockets: loopback and a password."""
    folder = _in_a_list(sockets) if sockets else ""
    address = "" if sockets else "127.0.0.1"
    with translate_system_errors("The database folder", home.cluster):
        text = _SETTINGS.format(port=port, sockets=folder, address=address)
        write_private(home.cluster / "abq.conf", text, home.account)


def _in_a_list(folder: Path) -> str:
    """A folder as `unix_socket_directories` wants it inside its quotes: one element of a list of quoted names."""
    element = '"' + str(folder).replace('"', '""') + '"'
    return element.replace("\\", "\\\\").replace("'", "''")


def _to_disk(folder: Path) -> None:
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# A cluster whose files are damaged is told as that, and left as it is: never repaired, never made again.


# What the server says when it can't start (messages of xlogrecovery.c, controldata_utils.c, miscinit.c, smgr and md).
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
"""What the server can't say itself."""
# Said at a start after a recovery that was interrupted, which is no damage.
_INTERRUPTED = re.compile(r"^.*probably means that some data is corrupted.*$", re.MULTILINE)
_NEEDED = ("global/pg_control", "base", "pg_wal")


def version_of(home: Home) -> str:
    """The major version that the cluster says it is of. Raises Damaged when it says none."""
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
    """Raise Damaged when what every cluster has isn't there."""
    for name in _NEEDED:
        if not (home.cluster / name).exists():
            raise _damaged(home, f"{name} is missing")


def start_failure(home: Home, said: str) -> PostgresError:
    """Why the server didn't start, by what it said: damage, somebody else's files, or another reason."""
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


# Which process is this cluster's server, if any. A pid file alone proves nothing: the pid may be another's by now.


@dataclass(frozen=True)
class Postmaster:
    """What `postmaster.pid` says of a running server."""

    pid: int
    socket_folder: str
    port: str
    status: str  # "" until it owns its memory, then "starting", "ready", "stopping"

    @property
    def ready(self) -> bool:
        """Whether it takes connections."""
        return self.status == "ready"

    @property
    def reachable(self) -> bool:
        """Whether its socket is still there; a cleaner of temporary folders may have taken it."""
        return not self.socket_folder or self.socket.exists()

    @property
    def socket(self) -> Path:
        """The path of its unix socket."""
        return Path(self.socket_folder, f".s.PGSQL.{self.port}")


def running(cluster: Path) -> Postmaster | None:
    """The server of this cluster, if its process lives."""
    found = read_pid_file(cluster)
    return found if found and _is_server(found, cluster) else None


def read_pid_file(cluster: Path) -> Postmaster | None:
    """What the pid file says, be it true or stale."""
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
        return _works_in(process, cluster, otherwise=os.fsencode(cluster) in words)
    except OSError:
        return False


def _works_in(process: Path, cluster: Path, otherwise: bool) -> bool:
    # PostgreSQL's processes stay in the data directory. A container's root may not look: then the -D must do.
    try:
        return (process / "cwd").samefile(cluster)
    except PermissionError:
        return otherwise


def orphans(cluster: Path) -> list[int]:
    """The pids of all processes of this cluster's server, also of one whose main process was killed. Linux only."""
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
    # In a bare chroot without /proc not even ps can tell.
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
