"""Delivered extracts whose records were changed since: marked in Deliveries, with an offer to send them again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..network.destinations import is_known, name_of
from .messages import reason_of

if TYPE_CHECKING:
    from ..models import OutdatedDelivery
    from .connection import Connection
    from .deliveries import Deliveries
    from .logins import Login
    from .messages import Messages, ShowStatus
    from .state import State

log = logging.getLogger(__name__)
LOOK_SECONDS = 5.0
_SUBJECT = "Outdated Deliveries"


class Outdated:
    """The outdated deliveries of all computers, by the database; on the Tk thread. ``may_begin(name)``: whether a
    command of that name may begin; ``show_deliveries()`` opens their window."""

    def __init__(
        self,
        state: State,
        connection: Connection,
        messages: Messages,
        show_status: ShowStatus,
        deliveries: Deliveries,
        may_begin: Callable[[str], bool],
        show_deliveries: Callable[[], object],
    ) -> None:
        self._state, self._connection, self._messages, self._show_status = state, connection, messages, show_status
        self._deliveries, self._may_begin, self._show_deliveries = deliveries, may_begin, show_deliveries
        self._looked = 0.0
        self._announced: set[str] = set()
        self.found: dict[str, OutdatedDelivery] = {}
        """By the identifier of the delivery."""

    def look(self) -> None:
        """Ask the database, though not more often than every few seconds."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._ask(offers=False)

    def offer(self) -> None:
        """Offer to send extracts again, because records were withdrawn, moved or corrected."""
        self._messages.outside_commands(lambda: self._ask(offers=True))

    def send_again(self, old: OutdatedDelivery) -> None:
        """Make the extract of that day again, and send it as a newer version."""
        kind, name, deliveries = old.destination, name_of(old.destination), self._deliveries
        values = deliveries.settings()
        if self._state.reachable is None:
            self._show_status("The extract can be made when the database is back")
            return
        if not is_known(kind):
            self._show_status(f"This version can't deliver by {name}: another workstation has a newer one")
            return
        if not self._may_begin(name):
            return

        def failed(error: BaseException) -> None:
            from .. import outbox

            reason = reason_of(error)
            if isinstance(error, outbox.NoRecords):
                reason = f"{old.date} has no records any more. The receiver has to be told."
            self._messages.failure(
                f"Upload by {name}", f"The extract of {old.date} was not sent again by {name}.", reason
            )

        def answered(login: Login | None) -> None:
            if login is None:
                self._show_status("Nothing was sent")
            elif self._may_begin(name):
                deliveries.upload(kind, old.date, values, login, failed)

        self._looked = 0.0
        deliveries.logins.obtain(kind, values, "", answered)

    def _ask(self, offers: bool) -> None:
        if self._state.reachable is None:
            return
        self._looked = time.monotonic()

        def show(found: Sequence[OutdatedDelivery]) -> None:
            self.found = {each.identifier: each for each in found}
            self._announced &= set(self.found)
            new = [each for each in found if each.identifier not in self._announced]
            if offers and new:
                self._announce(new)

        self._connection.ask(
            lambda model: model.outdated_deliveries(),
            show,
            lambda error: log.info("outdated deliveries aren't known: %s", type(error).__name__),
        )

    def _announce(self, new: Sequence[OutdatedDelivery]) -> None:
        self._announced |= {each.identifier for each in new}
        several = len(new) > 1
        days = ", ".join(sorted({f"{each.date} by {name_of(each.destination)}" for each in new}))

        def send() -> None:
            if several:
                self._show_deliveries()
            else:
                self.send_again(new[0])

        self._messages.choice(
            _SUBJECT,
            f"{'Extracts are' if several else 'An extract is'} outdated: {days}.",
            "Records of that day were changed after it was delivered.",
            (("Show Deliveries" if several else "Send Again", send), ("Later", None)),
        )
