"""The data directory: made once by initdb, never made again over something that is there."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from .account import arguments_for
from .errors import PostgresError, system_errors_told
from .home import ROLE, Home
from .programs import major_version, program

_CONFIGURATION = """\
# Written by ABQ Data Entry at each start of the server; put your own changes into postgresql.conf.
listen_addresses = ''
port = {port}
unix_socket_directories = {sockets}
unix_socket_permissions = 0700
max_connections = 50
shared_buffers = 128MB
min_wal_size = 32MB
max_wal_size = 512MB
jit = off
max_wal_senders = 0
wal_level = minimal
log_checkpoints = off
log_autovacuum_min_duration = -1
# Neither statements nor rows in the log: they hold the laboratory's data.
log_min_error_statement = panic
log_error_verbosity = terse
"""


def make_cluster(home: Home, binaries: Path) -> None:
    """Make the cluster if there is none. It gets its name only once it is whole, whatever happens on the way."""
    if home.cluster.exists():
        _check_cluster(home.cluster, binaries)
        return
    with system_errors_told("The database folder", home.folder):
        for leftover in home.folder.glob("cluster.new-*"):
            shutil.rmtree(leftover)
        new = Path(tempfile.mkdtemp(prefix="cluster.new-", dir=home.folder))
        home.account.own(new)
        try:
            _run_initdb(home, binaries, new)
            _write_access_rules(home, new)
            new.rename(home.cluster)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise


def _check_cluster(cluster: Path, binaries: Path) -> None:
    try:
        version = (cluster / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise PostgresError(f"{cluster} isn't a PostgreSQL data directory, or it is damaged.", str(error)) from error
    if version != str(major_version(binaries)):
        raise PostgresError(
            f"The database in {cluster} was made by PostgreSQL {version}, but the programs in {binaries} "
            f"are of version {major_version(binaries)}."
        )


def _run_initdb(home: Home, binaries: Path, new: Path) -> None:
    command: list[str | Path] = [program(binaries, "initdb"), "-D", new, "-U", ROLE, "-E", "UTF8", "--data-checksums"]
    command += ["--no-instructions", "--auth-local=peer", "--auth-host=scram-sha-256", "--locale=C"]
    if major_version(binaries) >= 17:
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    arguments, options = arguments_for(command, home.account, binaries, home.folder)
    done = subprocess.run(arguments, **options, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise PostgresError(f"The database could not be made in {home.folder}.", done.stderr or done.stdout)


def _write_access_rules(home: Home, cluster: Path) -> None:
    import getpass

    who = {home.account.name, "root", getpass.getuser()}
    if home.account.switch:
        who.remove(home.account.name)
    hba = "local all all peer map=abq\n"
    ident = "".join(f'abq "{name}" {ROLE}\nabq "{name}" all\n' for name in sorted(who))
    for name, text in (("pg_hba.conf", hba), ("pg_ident.conf", ident)):
        (cluster / name).write_text(text, encoding="utf-8")
    with (cluster / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("include = 'abq.conf'\n")


def write_configuration(home: Home, sockets: Path, port: int) -> None:
    """Write the settings of the coming start."""
    quoted = "'" + str(sockets).replace("\\", "\\\\").replace("'", "''") + "'"
    file = home.cluster / "abq.conf"
    with system_errors_told("The database folder", home.cluster):
        file.write_text(_CONFIGURATION.format(port=port, sockets=quoted), encoding="utf-8")
        home.account.own(file)
