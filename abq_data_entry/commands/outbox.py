"""The outbox for the subcommands: opening it, recording it in the database, and printing results."""

from __future__ import annotations

import datetime
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .. import outbox as delivering
from ..network.destinations import KINDS, destination
from ..stored_destination import STORED
from ..workflows.deliver_day import AttemptMonitor, Login, LoginMissing, NotAttempted, Outcome, open_outbox
from .outcome import NotDone, announce_if_long, cancel_on_interrupt, reason
from .passwords import Secrets, ask, can_ask

if TYPE_CHECKING:
    from ..models import SettingsModel
    from ..outbox import Delivery, Outbox, Service

log = logging.getLogger(__name__)

MOST_PRINTED = 5
"""How many problems are printed one by one."""

_QUESTION = (
    "The server {host} isn't known yet. Its key has the fingerprint {fingerprint}. Compare it with the one that the "
    "server's administrator tells you. Trust it and send? [y/N] "
)


def opened_outbox() -> Outbox:
    """Open and tidy the outbox of this user; its `problems` are also printed to standard error."""
    from ..network import describe_failure

    opened = open_outbox()
    try:
        opened.tidy()
    except OSError as error:  # the list can still be read, and a write will report the error again
        opened.problems.append(f"The outbox can't be tidied. {describe_failure(error)}")
    for problem in opened.problems:
        print(f"Warning: {problem}", file=sys.stderr)
    return opened


def record_later(outbox: Outbox, settings: SettingsModel, secrets: Secrets, asks: bool = True) -> None:
    """Record in the database what it doesn't have yet; if it can't be reached, the next call does.

    Without `asks`, the user isn't asked for a login.
    """
    from ..models import DatabaseError
    from ..postgres import PostgresError
    from .database import opened_model

    if not outbox.unrecorded():
        return
    try:
        with opened_model(settings, secrets, asks=asks) as model:
            delivering.record(outbox, model)
    except (DatabaseError, PostgresError, NotDone) as error:
        log.warning("deliveries could not be recorded: %s", type(error).__name__)


def with_stored(
    settings: SettingsModel, secrets: Secrets, deliveries: Iterable[Delivery], asks: bool = True
) -> dict[str, object]:
    """Return the settings, with the destinations of the database if a delivery goes to one of them."""
    from ..models import DatabaseError
    from ..postgres import PostgresError
    from .database import opened_model

    values: dict[str, object] = {**settings.values()}
    if all(each.kind in KINDS for each in deliveries):
        return values
    try:
        with opened_model(settings, secrets, asks=asks) as model:
            values[STORED] = model.get_destinations()
    except (DatabaseError, PostgresError, NotDone) as error:  # deliveries to destinations of the settings still work
        print(f"Warning: the destinations of the database aren't known. {reason(error)}", file=sys.stderr)
    return values


class AtTheTerminal:
    """The decisions of the user, at the terminal or by options (`workflows.deliver_day.Decisions`).

    Without `asks`, the user isn't asked about the key of a server.
    """

    def __init__(self, login: Callable[[Service], Login | None], asks: bool = True) -> None:
        self._login, self._asks = login, asks

    def login(self, service: Service) -> Login:
        """Return the login for a service. Raises LoginMissing or NotAttempted without one; deliveries then wait."""
        try:
            login = self._login(service)
        except NotDone as error:
            raise NotAttempted(str(error)) from None
        if login is None:
            raise LoginMissing(f"waits for the password of {service.username}.")
        return login

    def trusts(self, host: str, fingerprint: str) -> bool:
        """Ask about the key of an unknown server; return False if nobody can be asked."""
        if not self._asks or not can_ask():
            return False
        sys.stdout.flush()  # so that earlier output is above the question
        return ask(_QUESTION.format(host=host, fingerprint=fingerprint)).lower() in ("y", "yes")


@contextmanager
def announced_attempt(delivery: Delivery) -> Iterator[Callable[[int, int], object]]:
    """Announce an attempt if it takes long; yields the function for its progress."""
    with announce_if_long(f"Sending {delivery.name} by {delivery.kind}") as wait:
        yield wait.report


@contextmanager
def watched(delivery: Delivery, waits: bool = False) -> Iterator[AttemptMonitor]:
    """Watch an attempt, announcing it if it takes long; Ctrl-C cancels it, or with `waits` interrupts it."""
    with cancel_on_interrupt() as event, announced_attempt(delivery) as report:
        yield AttemptMonitor(report, event, waits)


def success_text(outcome: Outcome) -> str:
    """Return the message of a success. Raises NotDone with the reason and the next step, or the error of a cancel."""
    from ..network.failures import Cancelled, with_sentence

    delivery, error = outcome.delivery, outcome.error
    if outcome.arrived:
        return "\n".join([destination(delivery.kind).success.format(file=delivery.name), *outcome.remark])
    if isinstance(error, NotAttempted):
        raise NotDone(str(error))
    if isinstance(error, delivering.OutboxError):  # an error of the file itself, so another attempt wouldn't help
        raise error
    if delivery.state == "cancelled":
        raise error if isinstance(error, Exception) and not isinstance(error, Cancelled) else NotDone(delivery.reason)
    why = reason(error) if error is not None else delivery.reason
    if delivery.planned is not None:
        following = (
            "It waits in the outbox: `deliveries run` or the window tries again from "
            f"{local(delivery.planned)} on."
        )
    else:
        following = f"It is kept in the outbox: `deliveries retry {delivery.short_id}` tries again."
    raise NotDone(with_sentence(why, following))


class Summary:
    """The results of a run: prints what has arrived, and at the end why the others haven't."""

    def __init__(self) -> None:
        self._failures: list[tuple[str, str, list[Delivery]]] = []  # destination, reason, deliveries

    def note(self, outcome: Outcome) -> None:
        """Print a result that needs no report at the end, and remember the others."""
        delivery = outcome.delivery
        if isinstance(outcome.error, (LoginMissing, delivering.Busy)):
            print(f"{delivery.short_id}, {delivery.name} by {delivery.kind}: {outcome.error}")
            return
        try:
            print(success_text(outcome), flush=True)
        except (NotDone, delivering.OutboxError) as problem:
            why = str(problem)
            # A hundred files that wait for one server make one line, so that cron's mail stays short.
            is_same = self._failures and self._failures[-1][:2] == (delivery.kind, why)
            together = isinstance(outcome.error, NotAttempted) and is_same
            if together:
                self._failures[-1][2].append(delivery)
            else:
                self._failures.append((delivery.kind, why, [delivery]))

    def end(self, count: int) -> None:
        """Raise `NotDone` if not all of them arrived."""
        if not self._failures:
            return
        failed = sum(len(these) for _kind, _why, these in self._failures)
        problems = list[str]()
        for kind, why, (first, *others) in self._failures:
            several = f" and {len(others)} more" if others else ""
            problems.append(f"{first.short_id}, {first.name}{several} by {kind}: {why}")
        if count == 1:
            raise NotDone(problems[0])
        more = len(problems) - MOST_PRINTED
        rest = f" `deliveries` shows the other {more}." if more > 0 else ""
        raise NotDone(f"{failed} of {count} not delivered. {' '.join(problems[:MOST_PRINTED])}{rest}")


def local(moment: datetime.datetime) -> str:
    """Return a moment in local time."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
