"""Attempts at deliveries from the command line: service by service, each over one login."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from .. import outbox as room
from ..network import describe_failure
from ..workflows.deliver_day import require_same
from .host_key import sending
from .outbox import outcome_of, stopped_by_interrupt
from .outcome import NotDone, interrupt_sets
from .waits_told import told_if_long

if TYPE_CHECKING:
    from ..outbox import Delivery, Outbox, Send, Service

log = logging.getLogger(__name__)

_TOLD = 5  # problems that are told one by one

Login = tuple[str, str]


class Run:
    """The attempts of one word, by the settings of now.

    `login` gives user and password or raises `NotDone`; with None what goes to that service waits for somebody.
    """

    def __init__(
        self, outbox: Outbox, values: Mapping[str, object], login: Callable[[Service], Login | None]
    ) -> None:
        self._outbox = outbox
        self._values = values
        self._login = login
        self._problems: list[str] = []
        self._failed = 0

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Make one attempt at each; print what arrived. A failure of one doesn't keep the others.

        Raises `NotDone` in the end if not all of them arrived.
        """
        for service, these in room.by_service(deliveries).items():
            self._deliver_to(service, [each for each in these if self._leads_there(each)])
        if self._failed:
            raise NotDone(self._summary(len(deliveries)))

    def _deliver_to(self, service: Service, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            return
        try:
            login = self._login(service)
        except NotDone as error:
            self._note(deliveries, str(error))
            return
        if login is None:
            for each in deliveries:
                print(f"{each.short}, {each.name} by {each.kind}: waits for the password of {each.username}.")
            return
        with sending(service.kind, self._values, login) as sender:
            send = stopped_by_interrupt(sender)
            left = room.go_through(self._outbox, deliveries, lambda each: self._attempt(each, send))
        if left:
            self._note(left, "waits for the next `deliveries run`, since the others failed.")

    def _attempt(self, delivery: Delivery, send: Send) -> BaseException | None:
        error: BaseException | None = None
        try:
            with interrupt_sets() as event, told_if_long(f"Sending {delivery.name} by {delivery.kind}") as wait:
                after, error = room.deliver(
                    self._outbox, delivery.identifier, send, progress=wait.report, cancel=event
                )
            print(outcome_of(after, error), flush=True)
        except (NotDone, room.OutboxError) as problem:
            self._note([delivery], str(problem))
        except OSError as problem:  # of this computer's disk: what can't be written down isn't begun
            log.error("delivery %s", delivery.short, exc_info=problem)
            self._note([delivery], describe_failure(problem))
        return error

    def _leads_there(self, delivery: Delivery) -> bool:
        """Tell whether the settings still lead where it is to go; else it is given up."""
        try:
            require_same(self._outbox, delivery, self._values)
        except room.OutboxError as error:
            self._note([delivery], str(error))
            return False
        return True

    def _note(self, deliveries: Sequence[Delivery], why: str) -> None:
        first = deliveries[0]
        several = f" and {len(deliveries) - 1} more" if len(deliveries) > 1 else ""
        self._problems.append(f"{first.short}, {first.name}{several} by {first.kind}: {why}")
        self._failed += len(deliveries)

    def _summary(self, count: int) -> str:
        if count == 1:
            return self._problems[0]
        told = " ".join(self._problems[:_TOLD])
        more = len(self._problems) - _TOLD
        rest = f" `deliveries` shows the other {more}." if more > 0 else ""
        return f"{self._failed} of {count} not delivered. {told}{rest}"
