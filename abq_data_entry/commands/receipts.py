"""`deliveries receipts`: read receivers' answers by mail; and print them with deliveries."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..network.mail_addresses import MAILBOX, configured_mailbox
from .outbox import local, opened_outbox
from .outcome import NotDone, cancel_on_interrupt, print_to_stderr, reason
from .passwords import Secrets, ask_secretly, can_ask, login_kept_as, password_from_stdin

if TYPE_CHECKING:
    from ..models import SettingsModel
    from ..models.destinations import Receipt
    from ..outbox import Delivery, Outbox
    from ..workflows.receipts import MailboxRead

log = logging.getLogger(__name__)


def add_receipts_to(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `deliveries receipts`."""
    task = tasks.add_parser(
        "receipts",
        help="read the receivers' answers from the mailbox, and print what is new",
        description="Read the receivers' answers from the mailbox that the settings name, once, and print what is "
        "new. A file that was refused has to be sent again.",
        allow_abbrev=False,
    )
    task.set_defaults(run=read)
    source = task.add_mutually_exclusive_group()
    text = "the first line of standard input is the password"
    source.add_argument("--password-stdin", action="store_true", help=text)
    source.add_argument("--unattended", action="store_true", help="ask for nothing: the password has to be stored")


def read(options: argparse.Namespace, secrets: Secrets) -> None:
    """Read the mailbox once. Raises NotDone if that fails."""
    from .database import read_settings

    settings, outbox = read_settings(), opened_outbox()
    values = settings.values()
    if configured_mailbox(values) is None and not values["abq_answers_mailbox"]:
        raise NotDone("No mailbox is set for answers: the setting is abq_answers_mailbox. See docs/mail.md.")
    login = login_of_mailbox(values, options.password_stdin, not options.unattended)
    found = _read(outbox, settings, login, secrets, asks=not options.unattended)
    print(f"{found.line}.")


def read_after_a_run(outbox: Outbox, settings: SettingsModel, secrets: Secrets) -> None:
    """Read the mailbox of the settings, if there is one, after an unattended run. A failure is only a warning, because
    the deliveries are done."""
    from ..models import DatabaseError
    from ..outbox import OutboxError
    from ..postgres import PostgresError

    values = settings.values()
    if not values["abq_answers_mailbox"]:
        return
    try:
        found = _read(outbox, settings, login_of_mailbox(values, False, asks=False), secrets, asks=False)
    except (NotDone, DatabaseError, PostgresError, OutboxError, OSError) as error:
        print_to_stderr(f"Warning: the receivers' answers weren't read. {reason(error)}")
    else:
        if found.mails:
            print(f"{found.line}.")


def _read(
    outbox: Outbox, settings: SettingsModel, login: tuple[str, str], secrets: Secrets, asks: bool
) -> MailboxRead:  # fmt: skip
    """Read the mailbox, and print which deliveries are open again. Raises NotDone if it can't be read."""
    from ..network.failures import Cancelled, InvalidInput, describe_failure
    from ..outbox import record
    from ..workflows.receipts import MailboxRead, apply_answers, read_mailbox, refused_lately
    from .database import opened_model

    found, problem = MailboxRead(), ""
    with opened_model(settings, secrets, asks=asks) as model, cancel_on_interrupt() as cancel:
        record(outbox, model)  # first, because answers are compared with what the database has
        try:
            if not asks and refused_lately(settings.values(), login):
                problem = "The mailbox refused this login within the hour: correct it, or the account may be locked."
            else:
                found = read_mailbox(model, settings.values(), login, cancel)
        except (OSError, InvalidInput, Cancelled) as error:
            problem = describe_failure(error)
        reopened = apply_answers(outbox, model)
    for each in reopened:
        print(f"{each.short_id} is open again: {each.name} to {each.kind}. {each.reason}")
    if problem:
        raise NotDone(problem)
    return found


def login_of_mailbox(
    values: Mapping[str, object], from_stdin: bool, asks: bool = True, username: str = ""
) -> tuple[str, str]:
    """Return the login of the mailbox, from standard input, the keyring, a file of secrets, or a question.
    Raises NotDone if there is none."""
    from ..keyring_store import service_name

    username = username or str(values["abq_answers_username"])
    address = configured_mailbox(values)
    if from_stdin:
        return username, password_from_stdin()
    known = login_kept_as(MAILBOX, username, "" if address is None else address.place)
    if known is not None:
        return known
    if not asks or not can_ask():
        raise NotDone(
            f"The mailbox needs the password of {username or 'its user (abq_answers_username)'}: give it with "
            f"--password-stdin, or keep it in a file of secrets ({MAILBOX}) "
            f"or in the keyring as {service_name(MAILBOX)}."
        )
    return username, ask_secretly(f"Password of {username} for the mailbox: ")


def new_version_of(outbox: Outbox, delivery: Delivery, settings: SettingsModel, secrets: Secrets) -> Delivery:
    """Add a new version of a refused delivery to the outbox, with the current records.

    Raises NotDone if no records are left, or this version of the program doesn't know the destination's kind.
    """
    from ..network.destinations import is_known
    from ..outbox import NoRecords
    from ..stored_destination import STORED
    from ..workflows.deliver_day import enqueue
    from .database import opened_model

    if not is_known(delivery.kind):
        raise NotDone(f"This version can't deliver by {delivery.kind}.")
    with opened_model(settings, secrets) as model:
        values = {**settings.values(), STORED: model.get_destinations()}
        try:
            return enqueue(outbox, model, delivery.kind, values, delivery.date, delivery.username)
        except NoRecords:
            raise NotDone(f"{delivery.date} has no records any more. The receiver has to be told.") from None


def last_answers(found: Sequence[Delivery], secrets: Secrets) -> dict[str, str]:
    """Return the last answer to each delivery in one line, by its number; empty if the database can't be reached."""
    return {each.delivery: each.line for each in _receipts(found, secrets)}


def print_answers(delivery: Delivery, secrets: Secrets) -> None:
    """Print the answers to one delivery."""
    for each in _receipts([delivery], secrets):
        print(f"{'answer:':<11}{local(each.received)}, {each.line}")


def _receipts(found: Sequence[Delivery], secrets: Secrets) -> list[Receipt]:
    from ..models import DatabaseError
    from ..postgres import PostgresError
    from .database import opened_model, read_settings

    settings = read_settings()
    if not settings["abq_answers_mailbox"]:  # no answers are read here
        return []
    try:
        with opened_model(settings, secrets, reports_waiting=False, asks=False) as model:
            return model.get_receipts([each.identifier for each in found])
    except (DatabaseError, PostgresError, NotDone) as error:
        log.info("what was answered isn't known: %s", type(error).__name__)
        return []
