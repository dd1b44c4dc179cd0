"""`check`: are the database, the weather feed and the destinations of extracts reachable?"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from ..network.destinations import DESTINATIONS, KINDS, destination, stored_in
from ..network.mail_addresses import MAILBOX
from ..stored_destination import STORED, StoredDestination
from .outcome import NotDone, cancel_on_interrupt, require_no_failures
from .passwords import Secrets, ask, ask_secretly, can_ask, login_for, password_from_stdin

if TYPE_CHECKING:
    import threading

    from ..models import SettingsModel
    from ..network.probing import Step
    from . import Subcommands

_DESTINATIONS = ("database", "weather", *KINDS, MAILBOX, "notices")
_WITHOUT_LOGIN = ("weather", "notices", *(each.kind for each in DESTINATIONS if not each.needs_login))


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = subcommands.add_parser(
        "check",
        help="check the connections, step by step",
        description="Check whether the database, the weather feed, "
        f"{' and '.join(f'the {each.service}' for each in DESTINATIONS)} can be "
        "reached: names, ports, certificates, answers, times. Each step is ok, slow or failed, with what to do. No "
        "record is ever sent; the output holds no secrets, so you can send it to the help desk as it is.",
        epilog="Exit code 0: all steps are ok or slow; 1: one failed. The logins come from the same places as for "
        "upload; --username and --password-stdin are for one destination, named by --only.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--only",
        type=_destinations,
        default=(),
        metavar="D,D",
        help=f"of {','.join(_DESTINATIONS)} (default: what is set up, and the destinations of the database)",
    )
    parser.add_argument("--login", action="store_true", help="also log in, where there are logins")
    parser.add_argument(
        "--write", action="store_true", help="also store a tiny file, or write a row, and remove it again (logs in)"
    )
    parser.add_argument("--username", default="", metavar="U", help="who logs in (default: asked for)")
    parser.add_argument(
        "--password-stdin", action="store_true", help="the first line of standard input is the password"
    )
    parser.set_defaults(run=run, verify=partial(_verify, parser))


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print each step when it is done. Raises NotDone if one failed."""
    from ..network.probing import FAILED
    from ..workflows import check_connections as workflow
    from .database import read_settings

    settings = read_settings()
    wants_login = options.login or options.write or _names_login(options)
    failed, destination = 0, ""
    print(workflow.report(()).strip(), flush=True)
    with cancel_on_interrupt() as cancel:
        for step in _steps(settings, options, wants_login, secrets, cancel):
            if step.destination != destination:
                destination = step.destination
                print(f"\n{destination}")
            print("\n".join(workflow.lines_of(step)), flush=True)
            failed += step.verdict == FAILED
    if not wants_login and _has_logins(options.only or workflow.checks(settings.values()), settings):
        print("\nNo login was tried: --login does that.")
    require_no_failures(failed)


def _steps(
    settings: SettingsModel, options: argparse.Namespace, wants_login: bool, secrets: Secrets, cancel: threading.Event
) -> Iterator[Step]:
    """Yield the steps; without --only, also those of the database's destinations, if it can be read."""
    from ..network.probing import FAILED, Options
    from ..workflows.check_connections import check_connections
    from .database import opened_endpoint

    # Without the note about waiting records, which has nothing to do with connections.
    embedded = partial(opened_endpoint, settings, secrets, reports_waiting=False)

    def check(values: Mapping[str, object], only: tuple[str, ...]) -> Iterator[Step]:
        login = _Logins(values, settings, options, secrets) if wants_login else lambda kind: None
        return check_connections(values, embedded, Options(only, login, options.write), cancel)

    database_failed = False
    for step in check(settings.values(), options.only):
        database_failed |= step.kind == "database" and step.verdict == FAILED
        yield step
    if not options.only and not database_failed:
        values = {**settings.values(), STORED: _stored(settings, secrets)}
        if keys := tuple(each.key for each in stored_in(values)):
            yield from check(values, keys)


def _stored(settings: SettingsModel, secrets: Secrets) -> dict[str, StoredDestination]:
    """Return the destinations of the database; none if it has no tables, or reading them would need a question."""
    from ..models import DatabaseError, SQLModel
    from ..postgres import PostgresError
    from .database import opened_endpoint

    try:
        found = opened_endpoint(settings, secrets, reports_waiting=False, asks=False)
        with found as endpoint, closing(SQLModel.at(endpoint)) as model:
            return model.get_destinations()
    except (DatabaseError, PostgresError, NotDone):  # the step of the database has already reported the error
        return {}


def _verify(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Require that a login is for one destination, so that a password isn't sent to another one."""
    if _names_login(options) and (len(options.only) != 1 or options.only[0] in _WITHOUT_LOGIN):
        parser.error("--username and --password-stdin need --only with the one destination that they are for")


def _has_logins(destinations: tuple[str, ...], settings: SettingsModel) -> bool:
    """Return whether one of them needs a login; the embedded database doesn't."""
    return any(each != "database" or settings["db_host"] for each in destinations if each not in _WITHOUT_LOGIN)


def _names_login(options: argparse.Namespace) -> bool:
    return bool(options.username or options.password_stdin)


class _Logins:
    """Returns the login for a destination; asks for it when it is first needed."""

    def __init__(
        self, values: Mapping[str, object], settings: SettingsModel, options: argparse.Namespace, secrets: Secrets
    ) -> None:
        self._values, self._settings = values, settings
        self._options = options
        self._secrets = secrets

    def __call__(self, kind: str) -> tuple[str, str] | None:
        from ..network.probing import LoginMissing

        try:
            return {"database": self._database, MAILBOX: self._mailbox}.get(kind, partial(self._delivery, kind))()
        except NotDone as error:
            missing = str(error)
        raise LoginMissing(missing)

    def _mailbox(self) -> tuple[str, str]:
        from .receipts import login_of_mailbox

        return login_of_mailbox(self._values, self._options.password_stdin, username=self._options.username)

    def _delivery(self, kind: str) -> tuple[str, str]:
        place = destination(kind).login_place(self._values)
        username = self._options.username or destination(kind).username(self._values)
        return login_for(kind, username, self._options.password_stdin, self._secrets, place)

    def _database(self) -> tuple[str, str]:
        from .database import USER_VARIABLE, login_of_environment

        user = self._options.username or login_of_environment().get("user", "")
        if self._options.password_stdin:
            if not user:
                raise NotDone("The login at the database needs a user name: give it with --username.")
            return user, password_from_stdin()
        if not user and not can_ask():
            raise NotDone(f"The login at the database needs a user name: give it with --username or {USER_VARIABLE}.")
        user = user or ask("User name for the database: ")
        password = self._secrets.database or os.environ.get("PGPASSWORD", "")
        if not password and can_ask():
            password = ask_secretly(f"Password of {user} for the database (empty: as psql finds it): ")
        return user, password  # if the password is empty, libpq looks in ~/.pgpass


def _destinations(text: str) -> tuple[str, ...]:
    named = [each.strip() for each in text.split(",") if each.strip()]
    wrong = [each for each in named if each not in _DESTINATIONS]
    if wrong or not named:
        raise argparse.ArgumentTypeError(f"{wrong[0] if wrong else 'nothing'!r} is none of {', '.join(_DESTINATIONS)}")
    return tuple(each for each in _DESTINATIONS if each in named)
