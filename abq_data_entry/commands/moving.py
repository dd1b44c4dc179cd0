"""`db move`, from the embedded database to a server, and `db upgrade`, to a new PostgreSQL; one subcommand each."""

from __future__ import annotations

import argparse
import datetime
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from . import add_task
from .outcome import NotDone, announce_if_long
from .passwords import Secrets, password_from_stdin

if TYPE_CHECKING:
    from .. import postgres
    from ..models.settings import SettingsModel
    from . import Subcommands

NOTE = "moved.txt"
_WORDS = {"host": "HOST", "port": "--port", "name": "--name", "sslmode": "--sslmode", "sslrootcert": "--sslrootcert"}
_SETTING = re.compile(r"(?:the settings? )?'?\bdb_(host|port|name|sslmode|sslrootcert)\b'?", re.IGNORECASE)


def add_to(tasks: Subcommands) -> None:
    """Add the subcommand to those of `db`."""
    text = "move everything from the embedded database to an empty one on a server, and use that from now on"
    move = add_task(tasks, "move", move_to_server, text)
    move.add_argument("host", metavar="HOST", help="the server, or several by commas")
    move.add_argument("--port", default="5432", metavar="PORT", help="its port (default: %(default)s)")
    move.add_argument("--name", metavar="DATABASE", help="the empty database there (default: the same name)")
    move.add_argument("--user", metavar="U", help="user who will own the tables there")
    move.add_argument("--sslmode", default="", metavar="MODE", help="such as verify-full")
    move.add_argument("--sslrootcert", default="", metavar="FILE", help="the authority of the server's certificate")
    move.add_argument("--password-stdin", action="store_true", help="the password is the first line of standard input")

    text = "bring the embedded database to the newest PostgreSQL that this computer has"
    upgrade = add_task(tasks, "upgrade", upgrade_cluster, text)
    upgrade.add_argument("--programs", type=Path, metavar="FOLDER", help="folder of the old version's server programs")


def upgrade_cluster(options: argparse.Namespace, secrets: Secrets) -> None:
    """Copy everything into a new cluster; the old one is kept."""
    from .. import folders, postgres
    from .database import read_settings

    if read_settings()["db_host"]:
        raise NotDone("The database is on a server, whose administrator upgrades it.")
    with announce_if_long("Copying everything into a database of the newest version, and comparing every row"):
        aside = postgres.upgrade(folders.data_folder(), options.programs)
    if aside is None:
        print("The embedded database is at the newest version already")
        return
    print("The embedded database is at the newest version now: every row was compared")
    print(f"The old one is kept in {aside}; remove it when you are sure that you don't need it")


def move_to_server(options: argparse.Namespace, secrets: Secrets) -> None:
    """Copy everything, compare row by row, and only then change the settings to name the server."""
    from .. import postgres
    from .database import logged_in, login_of_environment, opened_endpoint, prepare_tables, read_settings
    from .waiting import require_nothing_waits

    settings = read_settings()
    if settings["db_host"]:
        raise NotDone(f"The setting db_host names the server {settings['db_host']} already: that database is used.")
    # Waiting records belong to this database, and would never be saved on the server.
    require_nothing_waits(settings)
    with _naming_arguments(options):
        new = _new_settings(options, settings)
        user = {"user": options.user} if options.user else {}
        target = {**postgres.server_endpoint({**settings.values(), **new}), **login_of_environment(), **user}
        if options.password_stdin:
            secrets = Secrets(database=password_from_stdin())
        target = postgres.bypassing_pooler(logged_in(target, secrets), {**settings.values(), **new})

    with opened_endpoint(settings, secrets) as source:

        def follow(moved: postgres.Moved) -> None:
            for name, value in new.items():
                settings.set(name, value)
            settings.save()
            _print_summary(moved, source, target)

        # Both must have the same version, because rows are copied unchanged.
        prepare_tables(settings, source)
        where = f"{target['dbname']} on {target['host']}"
        with announce_if_long(f"Copying everything to the database {where}, and comparing every row") as wait:
            postgres.move(source, target, follow, wait)


@contextmanager
def _naming_arguments(options: argparse.Namespace) -> Iterator[None]:
    """Replace names of settings in errors by the arguments that were typed; the settings are still the old ones.

    Raises NotDone in place of the original error.
    """
    from .. import postgres
    from ..models import DatabaseError

    try:
        yield
    except (NotDone, DatabaseError, postgres.PostgresError) as error:
        renamed = _SETTING.sub(lambda found: _WORDS[found[1].lower()], str(error))
        if renamed == str(error):
            raise
        raise NotDone(renamed.replace("HOST", f"HOST ({options.host})" if options.host else "HOST", 1)) from error


def _new_settings(options: argparse.Namespace, settings: SettingsModel) -> dict[str, str]:
    new = {"db_host": options.host, "db_port": options.port, "db_name": options.name or str(settings["db_name"])}
    new |= {"db_sslmode": options.sslmode, "db_sslrootcert": options.sslrootcert}
    # Checked in a copy, because the settings change only after everything has been moved.
    known = type(settings)(settings.path.name, settings.path.parent)
    for name, value in new.items():
        try:
            known.set(name, value)
        except ValueError as error:
            raise NotDone(str(error)) from None
    return new


def _print_summary(moved: postgres.Moved, source: dict[str, str], target: dict[str, str]) -> None:
    from .. import folders
    from ..postgres.cluster import home_in, write_private

    rows = sum(each.rows for each in moved.tables.values())
    where = f"{target['dbname']} on {target['host']}"
    moment = datetime.datetime.now().isoformat(" ", "minutes")
    home = home_in(folders.data_folder())
    note = home.folder / NOTE
    text = f"{moment}: everything in the database {source['dbname']} was moved to {where}. It stays here as it was.\n"
    write_private(note, text, home.account)
    print(f"{len(moved.tables)} tables with {rows:,} rows are in the database {where}: every row was compared")
    print(f"The settings name it from now on; the embedded database stays as it was ({note})")
    if moved.missing_roles:
        names = ", ".join(moved.missing_roles)
        warning = f"that server has no role {names}: grant the privileges of QA and others there."
        print(f"Warning: {warning}", file=sys.stderr)
