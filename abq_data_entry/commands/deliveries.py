"""`deliveries`: what is on its way, what arrived, and trying again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .. import outbox as room
from .outbox import local, opened_outbox, outcome_of, record_later, stopped_by_interrupt
from .outcome import NotDone, interrupt_sets
from .passwords import DELIVERY_VARIABLE, Secrets, login_for

if TYPE_CHECKING:
    from ..models import SettingsModel
    from ..outbox import Delivery, Outbox
    from . import Words

    Logins = dict[tuple[str, str, str], tuple[str, str]]

_HEADINGS = ("number", "day", "version", "to", "state", "since", "what next")


def add_to(words: Words) -> None:
    """Add the word, with the words that may follow it, to the parser."""
    word = words.add_parser(
        "deliveries",
        help="list what is delivered or waits; try again, cancel",
        description="List what was delivered and what waits in the outbox of this machine, the oldest first.",
        allow_abbrev=False,
    )
    word.set_defaults(run=print_list)
    tasks = word.add_subparsers(title="words", metavar="WORD", dest="task")
    for name, run, text in (
        ("run", run_due, "make all deliveries whose time has come"),
        ("retry", retry, "make one delivery now, whatever its schedule says"),
        ("cancel", cancel, "give up a delivery that waits or has failed, and remove its file"),
        ("show", show, "print all that is known of one delivery, with its attempts"),
    ):
        task = tasks.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
        task.set_defaults(run=run)
        if name != "run":
            task.add_argument("id", metavar="ID", help="its number in the list, or the beginning of it")
        if name in ("run", "retry"):
            text = "the first line of standard input is the password"
            task.add_argument("--password-stdin", action="store_true", help=text)


def print_list(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print the deliveries; needs no database."""
    found = opened_outbox().deliveries()
    if not found:
        print("There are no deliveries.")
        return
    rows = [_HEADINGS, *(_row(each) for each in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def run_due(options: argparse.Namespace, secrets: Secrets) -> None:
    """Make what is due, one after the other; a failure of one doesn't keep the others."""
    from .database import read_settings

    settings, outbox = read_settings(), opened_outbox()
    waiting = [each for each in outbox.deliveries() if each.state == "waiting"]
    due = [each for each in waiting if room.is_due(outbox.clock(), each.planned, each.changed)]
    if not due:
        planned = min((each.planned for each in waiting if each.planned is not None), default=None)
        print("Nothing waits to be delivered." if planned is None else f"Nothing is due before {local(planned)}.")
        record_later(outbox, settings, secrets)
        return
    _refuse_one_password_for_several(due, options.password_stdin, secrets)
    logins: Logins = {}
    problems = []
    try:
        for delivery in due:
            try:
                print(_make(outbox, delivery, settings, options.password_stdin, secrets, logins), flush=True)
            except (NotDone, room.OutboxError) as error:
                problems.append(f"{delivery.short}, {delivery.name} by {delivery.kind}: {error}")
    finally:
        record_later(outbox, settings, secrets)
    if problems:
        raise NotDone(f"{len(problems)} of {len(due)} not delivered. {' '.join(problems)}")


def retry(options: argparse.Namespace, secrets: Secrets) -> None:
    """Begin another round with one delivery, at once."""
    from .database import read_settings

    settings, outbox = read_settings(), opened_outbox()
    delivery = room.retry(outbox, outbox.find(options.id))
    try:
        print(_make(outbox, delivery, settings, options.password_stdin, secrets, {}))
    finally:
        record_later(outbox, settings, secrets)


def cancel(options: argparse.Namespace, secrets: Secrets) -> None:
    """Give one up."""
    from .database import read_settings

    outbox = opened_outbox()
    delivery = room.cancel(outbox, outbox.find(options.id))
    print(f"{delivery.short} is cancelled: {delivery.name} is not sent by {delivery.kind}.")
    record_later(outbox, read_settings(), secrets)


def show(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print one delivery."""
    outbox = opened_outbox()
    delivery = outbox.find(options.id)
    path = outbox.file_of(delivery)
    facts = {
        "number": delivery.identifier,
        "file": f"{delivery.name}, version {delivery.version}",
        "size": f"{delivery.size} bytes",
        "SHA-256": delivery.sha256,
        "to": f"{delivery.address} by {delivery.kind}, as {delivery.username}",
        "made": local(delivery.created),
        "state": f"{delivery.state} since {local(delivery.changed)}",
        "what next": delivery.next_step,
        "kept as": str(path) if path.exists() else "",
    }
    for name, text in facts.items():
        if text:
            print(f"{name + ':':<11}{text}")
    for number, attempt in enumerate(delivery.attempts, 1):
        seconds = "" if attempt.seconds is None else f" in {attempt.seconds:g} s"
        print(f"attempt {number}: {local(attempt.started)}, {attempt.sent} bytes{seconds}: {attempt.outcome or '…'}")


def _make(
    outbox: Outbox, delivery: Delivery, settings: SettingsModel, from_stdin: bool, secrets: Secrets, logins: Logins
) -> str:
    """Make one attempt; return the text of success, or raise what `outcome_of` raises."""
    values = settings.values()
    try:
        room.require_same(delivery.destination, values)
    except room.OutboxError as error:
        room.give_up(outbox, delivery, str(error))
        raise
    service = (delivery.kind, delivery.address, delivery.username)
    if service not in logins:
        logins[service] = login_for(
            delivery.kind, delivery.username, from_stdin, secrets, delivery.address
        )
    send = stopped_by_interrupt(room.sender(delivery.kind, values, *logins[service]))
    with interrupt_sets() as event:
        return outcome_of(*room.deliver(outbox, delivery.identifier, send, cancel=event))


def _refuse_one_password_for_several(due: list[Delivery], from_stdin: bool, secrets: Secrets) -> None:
    """A password is for one service: it isn't shown to another one."""
    services = {(each.kind, each.address, each.username) for each in due}
    if len(services) > 1 and (from_stdin or secrets.delivery):
        source = "on standard input" if from_stdin else f"in {DELIVERY_VARIABLE}"
        raise NotDone(
            f"The deliveries that are due need {len(services)} logins, and the password {source} can be for one only. "
            "Make them one by one with `deliveries retry ID`, or keep the passwords in the keyring."
        )


def _row(delivery: Delivery) -> tuple[str, ...]:
    return (
        delivery.short,
        f"{delivery.date}",
        f"{delivery.version}",
        delivery.kind,
        delivery.state,
        local(delivery.changed),
        delivery.next_step,
    )

