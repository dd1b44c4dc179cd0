"""Delivered extracts whose day has other records by now: marked in Deliveries, and offered to be sent again."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..network.destinations import KINDS, name_of
from .messages import reason_of

if TYPE_CHECKING:
    from ..models import OutdatedDelivery
    from .logins import Login
    from .window import Application

log = logging.getLogger(__name__)
LOOK_SECONDS = 5.0
_SUBJECT = "Outdated Deliveries"


class Outdated:
    """What the database says of the deliveries of all computers; on the Tk thread."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._looked = 0.0
        self._told: set[str] = set()
        self.found: dict[str, OutdatedDelivery] = {}
        """By the number of the delivery."""

    def look(self) -> None:
        """Ask the database, though not more often than every few seconds."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._ask(offers=False)

    def offer(self) -> None:
        """Records were withdrawn, moved or corrected: offer to send again what went out before."""
        self._app.messages.outside(lambda: self._ask(offers=True))

    def send_again(self, old: OutdatedDelivery) -> None:
        """Make the extract of that day anew, and send it as a newer version."""
        tools, kind, name = self._app.tools, old.destination, name_of(old.destination)
        values = tools.deliveries.settings()
        if self._app.data_model is None or self._app.reconnecting.away:
            self._app.status.set("The extract can be made when the database is back")
            return
        if kind not in KINDS:
            self._app.status.set(f"This version can't deliver by {name}: another workstation has a newer one")
            return
        if not tools.may_begin(name):
            return

        def failed(error: BaseException) -> None:
            from .. import outbox

            reason = reason_of(error)
            if isinstance(error, outbox.NoRecords):
                reason = f"{old.date} has no records any more. The receiver has to be told."
            self._app.messages.failure(
                f"Upload by {name}", f"The extract of {old.date} was not sent again by {name}.", reason
            )

        def answered(login: Login | None) -> None:
            if login is None:
                self._app.status.set("Nothing was sent")
            elif tools.may_begin(name):
                tools.deliveries.upload(kind, old.date, values, login, failed)

        self._looked = 0.0
        tools.deliveries.logins.obtain(kind, values, "", answered)

    def _ask(self, offers: bool) -> None:
        model = self._app.data_model
        if model is None or self._app.reconnecting.away:
            return
        self._looked = time.monotonic()

        def show(found: Sequence[OutdatedDelivery]) -> None:
            self.found = {each.identifier: each for each in found}
            self._told &= set(self.found)
            new = [each for each in found if each.identifier not in self._told]
            if offers and new:
                self._tell(new)

        self._app.jobs.submit(
            "records",
            lambda: self._app.connection.lasting(model.outdated_deliveries),
            done=show,
            failed=lambda error: log.info("outdated deliveries aren't known: %s", type(error).__name__),
        )

    def _tell(self, new: Sequence[OutdatedDelivery]) -> None:
        self._told |= {each.identifier for each in new}
        several = len(new) > 1
        days = ", ".join(sorted({f"{each.date} by {name_of(each.destination)}" for each in new}))

        def send() -> None:
            if several:
                self._app.callbacks["show_deliveries"]()
            else:
                self.send_again(new[0])

        self._app.messages.choice(
            _SUBJECT,
            f"{'Extracts are' if several else 'An extract is'} outdated: {days}.",
            "Records of that day were changed after it was delivered.",
            (("Show Deliveries" if several else "Send Again", send), ("Later", None)),
        )
