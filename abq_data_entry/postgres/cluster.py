"""The data directory: made once by initdb, and never made again over something that is there."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .account import arguments_for
from .damage import refuse_incomplete, version_of
from .errors import PostgresError, reason_in, system_errors_told
from .home import ROLE, Home, write_private
from .programs import major_version, program

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
    with system_errors_told("The database folder", home.folder):
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
            f"PostgreSQL {ours}. Nothing was changed. Install PostgreSQL {made_by} (it may go again afterwards) and "
            "use: abq-data-entry db upgrade. Or bring back a backup: abq-data-entry db restore --put-aside FILE."
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
    command += ["--no-instructions", "--auth-local=peer", "--auth-host=scram-sha-256"]
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
    with system_errors_told("The database folder", home.cluster):
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
