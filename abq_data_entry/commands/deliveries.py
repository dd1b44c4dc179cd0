"""`deliveries`: list what waits and what has arrived; retry, cancel."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from .. import outbox as delivering
from ..network.destinations import destination
from ..workflows.deliver_day import deliver
from ..workflows.side_by_side import deliver_side_by_side
from .files import add_there_to
from .outbox import (
    MOST_PRINTED,
    AtTheTerminal,
    Summary,
    announced_attempt,
    local,
    opened_outbox,
    record_later,
    watched,
    with_stored,
)
from .outcome import NotDone, print_table, reason
from .passwords import DELIVERY_VARIABLE, Secrets, login_for, login_kept
from .receipts import add_receipts_to, last_answers, new_version_of, print_answers, read_after_a_run
from .schedule import add_schedule_to, enqueue_scheduled

if TYPE_CHECKING:
    from ..models import SettingsModel
    from ..outbox import Delivery, Outbox, Service
    from . import Subcommands

_HEADINGS = ("number", "day", "version", "to", "state", "since", "what next")


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand, with its own subcommands, to the parser."""
    parser = subcommands.add_parser(
        "deliveries",
        help="list what is delivered or waits; try again, cancel",
        description="List what was delivered and what waits in the outbox of this machine, the oldest first.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=print_list)
    tasks = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="task")
    for name, run, text in (
        ("run", run_due, "make all deliveries that are due"),
        ("retry", retry, "make one delivery now, whatever its schedule says"),
        ("arrived", arrived, "mark a delivery in the state unknown as arrived"),
        ("cancel", cancel, "cancel a delivery that waits or has failed, and remove its file"),
        ("show", show, "print the details of one delivery, with its attempts and what was answered"),
    ):
        task = tasks.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
        task.set_defaults(run=run)
        if name != "run":
            task.add_argument("id", metavar="ID", help="its number in the list, or the beginning of it")
        if name in ("run", "retry"):
            text = "the first line of standard input is the password"
            source = task.add_mutually_exclusive_group()
            source.add_argument("--password-stdin", action="store_true", help=text)
        if name == "run":
            text = "ask for nothing: make those whose login is stored, and what schedules want; name the rest"
            source.add_argument("--unattended", action="store_true", help=text)
            text = "with --unattended: don't read the receivers' answers from the mailbox afterwards"
            task.add_argument("--no-receipts", action="store_true", help=text)
    add_schedule_to(tasks)
    add_there_to(tasks)
    add_receipts_to(tasks)


def print_list(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print the deliveries; outdated ones are marked only if the database can be reached."""
    found = opened_outbox().deliveries()
    if not found:
        print("There are no deliveries.")
        return
    changed = _changed_since(found, secrets)
    answers = last_answers(found, secrets)
    rows = (_row(each, changed.get(each.identifier), answers.get(each.identifier, "")) for each in found)
    print_table([_HEADINGS, *rows])


def run_due(options: argparse.Namespace, secrets: Secrets) -> None:
    """Make all deliveries that are due, service by service; a failure of one doesn't stop the others.

    At the end, raises NotDone for failures, unreadable entries and an outbox that can't be written, because otherwise
    nobody would notice when a timer runs this.
    """
    from .database import read_settings

    settings, outbox = read_settings(), opened_outbox()
    # First, so that this run sends what is due by schedule.
    late = enqueue_scheduled(outbox, settings, secrets) if options.unattended else []
    problems = list[str]()
    try:
        _run_due(options, secrets, settings, outbox)
    except Exception as error:  # any error, such as a full disk; what is due by schedule is reported anyway
        problems.append(reason(error))
    if options.unattended and not options.no_receipts:
        read_after_a_run(outbox, settings, secrets)
    problems += [*outbox.problems, *late]
    if problems:
        more = len(problems) - MOST_PRINTED
        others = f" There is more: {more} of these." if more > 0 else ""
        raise NotDone(f"{' '.join(problems[:MOST_PRINTED])}{others}")


def _run_due(options: argparse.Namespace, secrets: Secrets, settings: SettingsModel, outbox: Outbox) -> None:
    due = delivering.due(outbox)
    if not due:
        print(_when_something_is_due(outbox))
        record_later(outbox, settings, secrets, not options.unattended)
        return
    # An unattended run uses only stored logins, never one that is typed or piped.
    if not options.unattended:
        _refuse_one_password_for_several(due, options.password_stdin, secrets)
    _deliver(outbox, due, settings, options, secrets)


def retry(options: argparse.Namespace, secrets: Secrets) -> None:
    """Retry one delivery now."""
    from .database import read_settings

    settings, outbox = read_settings(), opened_outbox()
    delivery = outbox.find(options.id)
    if outbox.is_gone(delivery):  # refused by its receiver, so a new version is needed
        delivery = new_version_of(outbox, delivery, settings, secrets)
    else:
        delivery = delivering.retry(outbox, delivery)
    _deliver(outbox, [delivery], settings, options, secrets)


def cancel(options: argparse.Namespace, secrets: Secrets) -> None:
    """Cancel one delivery."""
    from .database import read_settings

    outbox = opened_outbox()
    delivery = delivering.cancel(outbox, outbox.find(options.id))
    print(f"{delivery.short_id} is cancelled: {delivery.name} is not sent by {delivery.kind}.")
    record_later(outbox, read_settings(), secrets)


def arrived(options: argparse.Namespace, secrets: Secrets) -> None:
    """Mark a delivery as arrived, because somebody has found it there although the server's answer was lost."""
    from .database import read_settings

    outbox = opened_outbox()
    delivery = delivering.arrived(outbox, outbox.find(options.id))
    print(f"{delivery.short_id} has arrived: {delivery.name} is not sent again.")
    record_later(outbox, read_settings(), secrets)


def show(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print one delivery."""
    outbox = opened_outbox()
    delivery = outbox.find(options.id)
    path = outbox.file_of(delivery)
    login = f", as {delivery.username}" if delivery.username else ""
    facts = {
        "number": delivery.identifier,
        "file": f"{delivery.name}, version {delivery.version}",
        "sent as": delivery.sent_as if delivery.sent_as != delivery.name else "",
        "size": f"{delivery.size} bytes",
        "SHA-256": delivery.sha256,
        "to": f"{delivery.address} by {delivery.kind}{login}",
        "made": local(delivery.created),
        "state": f"{delivery.state} since {local(delivery.changed)}",
        "what next": delivery.next_step,
        "has it": ", ".join(delivery.served),
        "kept as": str(path) if path.exists() else "",
    }
    for name, text in facts.items():
        if text:
            print(f"{name + ':':<11}{text}")
    for chain in delivery.audit_chains:
        print(f"{'audit:':<11}lab {chain}")
    for number, attempt in enumerate(delivery.attempts, 1):
        seconds = "" if attempt.seconds is None else f" in {attempt.seconds:g} s"
        print(f"attempt {number}: {local(attempt.started)}, {attempt.sent} bytes{seconds}: {attempt.outcome or '…'}")
    print_answers(delivery, secrets)


def _deliver(
    outbox: Outbox,
    deliveries: Sequence[Delivery],
    settings: SettingsModel,
    options: argparse.Namespace,
    secrets: Secrets,
) -> None:
    asks = not getattr(options, "unattended", False)  # `retry` doesn't have this option
    values = with_stored(settings, secrets, deliveries, asks)

    def login(service: Service) -> tuple[str, str] | None:
        place = destination(service.kind).login_place(values)
        if not asks:
            return login_kept(service.kind, service.username, place)
        return login_for(service.kind, service.username, options.password_stdin, secrets, place)

    summary = Summary()
    decisions = AtTheTerminal(login, asks)
    try:
        if asks:
            deliver(outbox, deliveries, values, decisions, partial(watched, waits=True), summary.note)
        else:
            deliver_side_by_side(outbox, deliveries, values, decisions, announced_attempt, summary.note)
    finally:
        record_later(outbox, settings, secrets, asks)
    summary.end(len(deliveries))


def _when_something_is_due(outbox: Outbox) -> str:
    planned = [each.planned for each in outbox.deliveries() if each.state == "waiting" and each.planned is not None]
    return f"Nothing is due before {local(min(planned))}." if planned else "Nothing waits to be delivered."


def _refuse_one_password_for_several(due: Sequence[Delivery], from_stdin: bool, secrets: Secrets) -> None:
    """Raise NotDone if one password is given for several services, so that it isn't sent to another one."""
    services = [each for each in delivering.by_service(due) if destination(each.kind).needs_login]
    if len(services) > 1 and (from_stdin or secrets.delivery):
        source = "on standard input" if from_stdin else f"in {DELIVERY_VARIABLE}"
        raise NotDone(
            f"The deliveries that are due need {len(services)} logins, and the password {source} can be for one only. "
            "Make them one by one with `deliveries retry ID`, or keep the passwords in the keyring."
        )


def _changed_since(found: Sequence[Delivery], secrets: Secrets) -> dict[str, datetime.datetime]:
    """Return the times since which delivered extracts are outdated, by delivery number; asks for no password."""
    from ..models import DatabaseError
    from ..postgres import PostgresError
    from .database import opened_model, read_settings

    if all(each.state != "delivered" for each in found):
        return {}
    try:
        with opened_model(read_settings(), secrets, reports_waiting=False, asks=False) as model:
            return {each.identifier: each.changed for each in model.outdated_deliveries()}
    except (DatabaseError, PostgresError, NotDone) as error:
        print(f"Warning: which of these are outdated isn't known. {reason(error)}", file=sys.stderr)
        return {}


def _row(delivery: Delivery, changed: datetime.datetime | None = None, answer: str = "") -> tuple[str, ...]:
    outdated = "" if changed is None else f"upload {delivery.kind} --date {delivery.date} (changed {local(changed)})"
    return (
        delivery.short_id,
        f"{delivery.date}",
        f"{delivery.version}",
        delivery.kind,
        "outdated" if outdated else delivery.state,
        local(delivery.changed),
        outdated or " ".join(delivery.next_step.split()) or answer,
    )

