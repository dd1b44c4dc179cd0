"""A new major version of PostgreSQL: everything in the old cluster goes into a new one, and the old one is kept."""

import tempfile
from pathlib import Path

from . import client_programs
from .connections import cursor_at, in_use
from .contents import contents_of, difference, snapshot
from .damage import version_of
from .errors import PostgresError
from .home import home_in
from .loading import fill
from .programs import binaries, major_version, with_version
from .replacing import replace_cluster
from .server import EmbeddedServer, start

_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND datname NOT IN ('template1', 'postgres')"
_IDLE_SECONDS = 600.0


def upgrade(data_folder: Path, old_programs: Path | None = None) -> Path | None:
    """Bring the embedded database to the major version of the present programs; where the old one is kept.

    `None`: it is of that version already. The old cluster is only read, by programs of its own version: those in the
    folder `old_programs`, else the machine's. All rows are compared before the new cluster takes its place. Raises
    PostgresError when these programs are missing, and when anything fails; then nothing was changed.
    """
    home = home_in(data_folder)
    if not home.cluster.exists():
        raise PostgresError(f"There is no embedded database in {home.folder}.")
    made_by = version_of(home)
    if made_by == str(major_version(binaries())):
        return None
    programs = old_programs or with_version(made_by)
    if programs is None or str(major_version(programs)) != made_by:
        where = "on this machine" if programs is None else f"in {programs}"
        raise PostgresError(
            f"The database in {home.cluster} was made by PostgreSQL {made_by}, whose programs aren't {where}. Nothing "
            f"was changed. Install them (on Debian and Ubuntu: postgresql-{made_by}), or name their folder: --programs."
        )
    return replace_cluster(data_folder, lambda new: _carry_over(data_folder, programs, new))


def _carry_over(data_folder: Path, programs: Path, new: EmbeddedServer) -> None:
    old = start(data_folder, idle_seconds=_IDLE_SECONDS, programs=programs)
    try:
        if in_use(old.endpoint("postgres"), besides=1):
            raise PostgresError("Others use the database on this computer. Close every window and try again.")
        with tempfile.TemporaryDirectory(prefix="abq-upgrade-") as folder:  # 0700
            _carry_roles(old, new, Path(folder, "roles.sql"))
            with cursor_at(old.endpoint("postgres")) as cursor:
                cursor.execute(_DATABASES)
                names = [str(name) for (name,) in cursor.fetchall()]
            for number, name in enumerate(names):
                new.create_database(name)
                _carry_database(old.endpoint(name), new.endpoint(name), Path(folder, f"{number}.dump"))
    finally:
        old.stop()


def _carry_roles(old: EmbeddedServer, new: EmbeddedServer, file: Path) -> None:
    failure = "The roles were not carried over, and nothing was changed"
    client_programs.run("pg_dumpall", old.endpoint("postgres"), ["--roles-only", f"--file={file}"], failure)
    # Without an end at the first error: the role that owns everything is there already.
    arguments = ["--no-psqlrc", "--quiet", f"--file={file}"]
    client_programs.run("psql", new.endpoint("postgres"), arguments, failure)


def _carry_database(old: dict[str, str], new: dict[str, str], file: Path) -> None:
    failure = "The old database could not be read, and nothing was changed"
    client_programs.run("pg_dump", old, ["--format=custom", f"--file={file}"], failure)
    fill(new, file)
    with snapshot(old) as one, snapshot(new) as other:
        wrong = difference(contents_of(one), contents_of(other))
    if wrong:
        raise PostgresError(f"Nothing was changed: in the new database {wrong}.")
    with cursor_at(new) as cursor:
        cursor.execute("VACUUM (ANALYZE)")  # a dump holds no statistics
