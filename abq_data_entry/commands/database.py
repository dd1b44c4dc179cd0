"""The database for a subcommand: the embedded one, or the configured server after a login."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .. import folders, postgres
from ..constants import SETTINGS_FILE
from ..models.settings import SettingsModel
from .outcome import NotDone, announce_if_long
from .passwords import DATABASE_VARIABLE, Secrets, ask, ask_secretly, can_ask
from .waiting import report_waiting

if TYPE_CHECKING:
    from ..models import SQLModel

log = logging.getLogger(__name__)

USER_VARIABLE = "ABQ_DB_USER"
_TRIES = 3
_STOPPED = "The database on this computer has stopped in the meantime. Try again: that starts it."


def read_settings() -> SettingsModel:
    """Return the settings. Invalid ones are reported on standard error, and get their defaults.

    Raises NotDone if it is then unclear which database is meant.
    """
    settings = SettingsModel(SETTINGS_FILE, folders.config_folder())
    if settings.doubts:
        raise NotDone(f"Which database is meant? {' '.join(settings.doubts)} Nothing was opened; correct the file.")
    for problem in settings.problems:
        print(f"Warning: {' '.join(problem.split())}", file=sys.stderr)
    return settings


@contextmanager
def opened_model(
    settings: SettingsModel, secrets: Secrets, reports_waiting: bool = True, asks: bool = True
) -> Iterator["SQLModel"]:
    """Open the database, ready for records. Raises DatabaseError, PostgresError.

    With `reports_waiting`, a note on standard error says which records of this computer aren't in it yet. Without
    `asks`, the user isn't asked for a login.
    """
    from ..models import SQLModel

    with opened_endpoint(settings, secrets, reports_waiting, asks) as endpoint:
        if not settings["db_host"]:
            prepare_tables(settings, endpoint)
        model = SQLModel.at(endpoint)
        try:
            with announce_if_long(_connecting(endpoint)):
                model.connect()  # only `db init` changes the tables on a server; here they are only checked
            yield model
        finally:
            model.close()


@contextmanager
def opened_endpoint(
    settings: SettingsModel, secrets: Secrets, reports_waiting: bool = True, asks: bool = True
) -> Iterator[dict[str, str]]:
    """Yield the parameters of a connection to the database, with a login that the server accepts.

    The tables may be missing. `reports_waiting` and `asks` as for `opened_model`. Raises DatabaseError, PostgresError,
    and NotDone if nobody can be asked.
    """
    from ..models import ServerUnreachable

    if reports_waiting:
        report_waiting(settings)  # before the password is asked for
    if settings["db_host"]:
        yield logged_in(configured_endpoint(settings), secrets, asks)
        return
    # Checked before the start, because a server that was already running must not be stopped.
    was_running = _is_running()
    server = start_embedded(settings)
    try:
        yield server.endpoint(str(settings["db_name"]))
    except ServerUnreachable as error:  # its text may name settings, which have nothing to do with the embedded server
        raise ServerUnreachable(_STOPPED, error.detail) from error
    finally:
        # A server that ran before may be in use through `db dsn`; its watcher stops it.
        if not was_running:
            _stop(server)


def start_embedded(settings: SettingsModel) -> postgres.EmbeddedServer:
    """Start the embedded server, and create its database if it is missing. Raises PostgresError, such as Damaged."""
    folder = folders.data_folder()
    doing = "Starting" if (folder / "postgres/cluster").exists() else "Making"
    try:
        with announce_if_long(f"{doing} the database on this computer"):
            server = postgres.start(folder)
            server.create_database(str(settings["db_name"]))
    except postgres.Damaged as error:
        raise postgres.Damaged(f"{error} {postgres.recovery_advice(kept_backups(settings))}", error.detail) from error
    return server


def kept_backups(settings: SettingsModel) -> postgres.KeptBackups:
    """Return the automatic backups, in the folder that the settings name."""
    return postgres.backups_of(settings.values(), folders.data_folder())


def prepare_tables(settings: SettingsModel, endpoint: dict[str, str]) -> bool:
    """Create the tables, or migrate those of an older version; return False if nothing had to be done.

    An embedded database is backed up first; a server has its own backups. Raises DatabaseError, PostgresError.
    """
    from ..models import schema

    def back_up(version: int) -> object:
        with announce_if_long(f"Backing up the database {endpoint['dbname']}, whose tables are of version {version}"):
            return kept_backups(settings).before_migration(endpoint)(version)

    with announce_if_long(f"Bringing the tables in the database {endpoint['dbname']} to version {schema.VERSION}"):
        return schema.prepare(endpoint, None if settings["db_host"] else back_up)


def _connecting(endpoint: dict[str, str]) -> str:
    return f"Connecting to the database {endpoint.get('dbname', '')} on {endpoint.get('host', '')}"


def configured_endpoint(settings: SettingsModel) -> dict[str, str]:
    """Return the connection parameters of the configured server, with the user from the environment.

    Raises PostgresError if a setting is invalid.
    """
    return {**postgres.server_endpoint(settings.values()), **login_of_environment()}


def login_of_environment() -> dict[str, str]:
    """Return the user and the password file from the environment."""
    user = os.environ.get(USER_VARIABLE) or os.environ.get("PGUSER")
    known = {"user": user, "passfile": os.environ.get("PGPASSFILE")}
    return {name: value for name, value in known.items() if value}


def _is_running() -> bool:
    from ..postgres.cluster import running

    return running(folders.data_folder() / "postgres" / "cluster") is not None


def _stop(server: postgres.EmbeddedServer) -> None:
    try:
        server.stop_if_unused()
    except postgres.PostgresError as error:  # only logged: the watcher stops it later
        log.warning("the embedded server was left running: %s", error)


def logged_in(endpoint: dict[str, str], secrets: Secrets, asks: bool = True) -> dict[str, str]:
    """Return the endpoint with a login that works; ask for one at a terminal if the server refuses the first.

    Raises LoginFailed if no login works, and DatabaseError.
    """
    from ..models import LoginFailed, SQLModel

    password = secrets.database or os.environ.get("PGPASSWORD", "")
    candidate = {**endpoint, **({"password": password} if password else {})}
    for tries_left in range(_TRIES, -1, -1):
        model = SQLModel.at(candidate)
        try:
            with announce_if_long(_connecting(candidate)):
                model.query("SELECT")  # the shortest query, because only the login is tested
            log.info("logged in", extra={"login": candidate.get("user", "")})
            return candidate
        except LoginFailed as error:
            # A wrong password that was given for this run stays wrong; one that was typed can be typed again.
            if secrets.database or not asks or not can_ask() or not tries_left:
                raise _with_advice(error) from None
            print(error, file=sys.stderr)
        finally:
            model.close()
        candidate = _asked(endpoint)
    raise AssertionError("the last try returns or raises")


def _asked(endpoint: dict[str, str]) -> dict[str, str]:
    where = f"the database {endpoint['dbname']} on {endpoint['host']}"
    user = endpoint.get("user") or ask(f"User name for {where}: ")
    password = ask_secretly(f"Password of {user} for {where}: ")
    return {**endpoint, "user": user, "password": password}


def _with_advice(error: Exception) -> Exception:
    from ..models import LoginFailed

    return LoginFailed(
        f"{error} The login comes from {USER_VARIABLE} and {DATABASE_VARIABLE}, or from PGUSER and ~/.pgpass.",
        getattr(error, "detail", ""),
    )
