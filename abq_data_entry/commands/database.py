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
from .outcome import NotDone, told_if_long
from .passwords import DATABASE_VARIABLE, Secrets, ask, ask_secretly, can_ask
from .waiting import tell_waiting

if TYPE_CHECKING:
    from ..models import SQLModel

log = logging.getLogger(__name__)

USER_VARIABLE = "ABQ_DB_USER"
_TRIES = 3
_STOPPED = "The database on this computer has stopped in the meantime. Try again: that starts it."


def read_settings() -> SettingsModel:
    """The settings; what makes no sense in the file is told on standard error, and its default is used.

    Raises NotDone where that leaves a doubt which database is meant.
    """
    settings = SettingsModel(SETTINGS_FILE, folders.config_folder())
    if settings.doubts:
        raise NotDone(f"Which database is meant? {' '.join(settings.doubts)} Nothing was opened; correct the file.")
    for problem in settings.problems:
        print(f"Warning: {' '.join(problem.split())}", file=sys.stderr)
    return settings


@contextmanager
def opened_model(
    settings: SettingsModel, secrets: Secrets, tells_waiting: bool = True, asks: bool = True
) -> Iterator["SQLModel"]:
    """The database, ready for records. Raises DatabaseError, PostgresError.

    With `tells_waiting` standard error says which records of this computer it doesn't hold yet; without `asks` nobody
    is asked for a login.
    """
    from ..models import SQLModel

    with opened_endpoint(settings, secrets, tells_waiting, asks) as endpoint:
        if not settings["db_host"]:
            prepare_tables(settings, endpoint)
        model = SQLModel.at(endpoint)
        try:
            with told_if_long(_connecting(endpoint)):
                model.connect()  # a server of others is changed by `db init` only: here it is looked at
            yield model
        finally:
            model.close()


@contextmanager
def opened_endpoint(
    settings: SettingsModel, secrets: Secrets, tells_waiting: bool = True, asks: bool = True
) -> Iterator[dict[str, str]]:
    """Where the database is, with a login that the server takes; the tables may be missing."""
    from ..models import ServerUnreachable

    if tells_waiting:
        tell_waiting(settings)  # first: who asks for a password should know that something is missing
    if settings["db_host"]:
        yield logged_in(configured_endpoint(settings), secrets, asks)
        return
    # Asked before the start: who finds it running isn't the one to end it.
    was_running = _is_running()
    server = start_embedded(settings)
    try:
        yield server.endpoint(str(settings["db_name"]))
    except ServerUnreachable as error:  # the settings, of which the error may speak, say nothing of our own server
        raise ServerUnreachable(_STOPPED, error.detail) from error
    finally:
        # One that was there before us may have been promised to somebody by `db dsn`: its watcher ends it.
        if not was_running:
            _stop(server)


def start_embedded(settings: SettingsModel) -> postgres.EmbeddedServer:
    """The embedded server, running and with its database, which may be empty. Raises PostgresError."""
    folder = folders.data_folder()
    doing = "Starting" if (folder / "postgres/cluster").exists() else "Making"
    try:
        with told_if_long(f"{doing} the database on this computer"):
            server = postgres.start(folder)
            server.create_database(str(settings["db_name"]))
    except postgres.Damaged as error:
        raise postgres.Damaged(f"{error} {postgres.recovery_advice(kept_backups(settings))}", error.detail) from error
    return server


def kept_backups(settings: SettingsModel) -> postgres.KeptBackups:
    """The backups that are made by themselves, in the folder that the settings name."""
    return postgres.backups_of(settings.values(), folders.data_folder())


def prepare_tables(settings: SettingsModel, endpoint: dict[str, str]) -> bool:
    """Make the tables, or bring those of an older version up to date; False if nothing had to be done.

    In the embedded database a backup is made first; a server of others has backups of its own. Raises DatabaseError,
    PostgresError.
    """
    from ..models import schema

    def back_up(version: int) -> object:
        with told_if_long(f"Backing up the database {endpoint['dbname']}, whose tables are of version {version}"):
            return kept_backups(settings).before_migration(endpoint)(version)

    with told_if_long(f"Bringing the tables in the database {endpoint['dbname']} to version {schema.VERSION}"):
        return schema.prepare(endpoint, None if settings["db_host"] else back_up)


def _connecting(endpoint: dict[str, str]) -> str:
    return f"Connecting to the database {endpoint.get('dbname', '')} on {endpoint.get('host', '')}"


def configured_endpoint(settings: SettingsModel) -> dict[str, str]:
    """The configured server, with the user that the environment names. Raises PostgresError."""
    return {**postgres.server_endpoint(settings.values()), **login_of_environment()}


def login_of_environment() -> dict[str, str]:
    """The user, and the file of passwords, that the environment names."""
    user = os.environ.get(USER_VARIABLE) or os.environ.get("PGUSER")
    known = {"user": user, "passfile": os.environ.get("PGPASSFILE")}
    return {name: value for name, value in known.items() if value}


def _is_running() -> bool:
    from ..postgres.cluster import running

    return running(folders.data_folder() / "postgres" / "cluster") is not None


def _stop(server: postgres.EmbeddedServer) -> None:
    try:
        server.stop_if_unused()
    except postgres.PostgresError as error:  # what was asked is done; the watcher tries again
        log.warning("the embedded server was left running: %s", error)


def logged_in(endpoint: dict[str, str], secrets: Secrets, asks: bool = True) -> dict[str, str]:
    """The endpoint with a password, if it takes one; asks for it when the server refuses and somebody is there."""
    from ..models import LoginFailed, SQLModel

    password = secrets.database or os.environ.get("PGPASSWORD", "")
    candidate = {**endpoint, **({"password": password} if password else {})}
    for tries_left in range(_TRIES, -1, -1):
        model = SQLModel.at(candidate)
        try:
            with told_if_long(_connecting(candidate)):
                model.query("SELECT")  # the least that a server answers: only the login is tried
            log.info("logged in", extra={"login": candidate.get("user", "")})
            return candidate
        except LoginFailed as error:
            # A password that was given for this run is wrong for good; one that is typed may be a slip.
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
