"""`upload`: make the extract of a day and deliver it."""

from __future__ import annotations

import argparse
import datetime
from typing import TYPE_CHECKING

from ..keyring_store import service_name
from ..network.destinations import DESTINATIONS, KINDS, STORED_KINDS, destination, is_known
from ..stored_destination import STORED
from .days import add_date_option, unsent
from .outbox import AtTheTerminal, opened_outbox, success_text, watched
from .outcome import NotDone
from .passwords import DELIVERY_VARIABLE, Secrets, login_for

if TYPE_CHECKING:
    from ..models import SQLModel
    from . import Subcommands


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    kept_as = " or ".join(service_name(each.kind) for each in DESTINATIONS if each.needs_login)
    parser = subcommands.add_parser(
        "upload",
        help="deliver the extract of a day",
        description="Make the extract of a day and deliver it to the company: to its "
        f"{' or '.join(each.service for each in DESTINATIONS)}.",
        epilog="If it fails temporarily, it waits in the outbox: see the subcommand deliveries. "
        f"The password comes from --password-stdin, or from {DELIVERY_VARIABLE}, or from the system's "
        f"keyring (as {kept_as}), or you are asked for it.",
        allow_abbrev=False,
    )
    text = f"{', '.join(KINDS)}, or the name of a destination of the database"
    parser.add_argument("destination", metavar="DESTINATION", choices=_Destinations(KINDS), help=text)
    add_date_option(parser)
    parser.add_argument("--username", default="", metavar="U", help="who logs in there (default: asked for)")
    parser.add_argument(
        "--password-stdin", action="store_true", help="the first line of standard input is the password"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Add the extract to the outbox and make the first attempt. Without records, nothing is asked or sent."""
    from .. import outbox as delivering
    from ..models.destinations import destination_named
    from ..workflows.deliver_day import deliver_day
    from .database import opened_model, read_settings

    settings, date = read_settings(), options.date or datetime.date.today()
    with opened_model(settings, secrets) as model:
        stored = {} if options.destination in KINDS else model.get_destinations()
        row = None if options.destination in KINDS else destination_named(stored, options.destination)
        kind = options.destination if row is None else row.key
        if not _has_records(model, date):
            others = "" if options.date else unsent(model, date, kind)
            raise NotDone(f"There are no records to upload of {date}. {others}".strip())
        outbox, values = opened_outbox(), {**settings.values(), STORED: stored}
        delivering.require_usable(kind, values)
        place = destination(kind).login_place(values)
        username = options.username or (row.username if row is not None else "")
        login = login_for(kind, username, options.password_stdin, secrets, place)

        try:
            decisions = AtTheTerminal(lambda service: login)
            print(success_text(deliver_day(outbox, model, kind, values, date, login, decisions, watched)))
        except delivering.NoRecords:
            raise NotDone(f"There are no records to upload of {date}.") from None


class _Destinations(tuple[str, ...]):
    """The allowed choices: the kinds, and any possible name of a destination of the database, checked later."""

    __slots__ = ()

    def __contains__(self, text: object) -> bool:
        return super().__contains__(text) or is_known(f"{STORED_KINDS[0]}:{text}")


def _has_records(model: SQLModel, date: datetime.date) -> bool:
    from ..models import Selection

    return bool(model.get_page(Selection(date=date), 1))
