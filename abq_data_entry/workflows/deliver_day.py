"""Deliver the extract of a day: into the outbox, an attempt, and the table `deliveries` knows of both."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from .. import folders, outbox
from ..network.destinations import destination

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..network.destination import Settings
    from ..outbox import Delivery, Outbox

PATIENCE = 60.0
"""Seconds that another process may take for the same file."""

LAST_DAYS = 7
"""So many days before today are looked at for records that weren't sent."""

Outcome = TypeVar("Outcome")


def open_outbox() -> Outbox:
    """The outbox of this user."""
    return outbox.Outbox(folders.data_folder(create=True) / "outbox")


def last_days(today: datetime.date) -> tuple[datetime.date, ...]:
    """Today and the days before it of which something may still have to go out, the earliest first."""
    return tuple(today - datetime.timedelta(days) for days in range(LAST_DAYS, -1, -1))


def deliver_day(
    box: Outbox,
    model: SQLModel,
    kind: str,
    settings: Settings,
    date: datetime.date,
    username: str,
    attempt: Callable[[Delivery], Outcome],
) -> Outcome:
    """Put the extract of a day in, to go to that kind of destination, and return what `attempt` at it returns.

    Raises `SettingsUnusable`, `NoRecords`, what the export raises, and what `attempt` raises.
    """
    outbox.require_usable(kind, settings)
    known = outbox.known_version(model, date, kind)
    place, head = destination(kind).place(settings), outbox.heads_in(model)
    delivery = box.add(model, date, place, username, known, head, str(settings["abq_upload_name"]))
    outbox.record(box, model)
    try:
        return attempt(delivery)
    finally:
        outbox.record(box, model)


def require_same(box: Outbox, delivery: Delivery, settings: Settings) -> None:
    """Give a delivery up if the settings lead somewhere else by now, and raise the `OutboxError`: a login is for here.

    Raises `SettingsUnusable`, and gives nothing up, if they lead nowhere.
    """
    try:
        outbox.require_same(delivery.place, settings)
    except outbox.SettingsUnusable:
        raise
    except outbox.OutboxError as error:
        with suppress(OSError):  # it stays refused as long as the settings lead elsewhere
            outbox.give_up(box, delivery, str(error))
        raise
