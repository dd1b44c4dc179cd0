"""The outbox as the words use it: opened, recorded in the database, and told about."""

from __future__ import annotations

import datetime
import logging
import sys
import threading
from typing import TYPE_CHECKING

from .. import outbox as room
from ..network.destinations import destination
from ..workflows.deliver_day import open_outbox
from .outcome import NotDone, reason
from .passwords import Secrets

if TYPE_CHECKING:
    from pathlib import Path

    from ..models import SettingsModel
    from ..outbox import Delivery, Outbox, Progress, Send

log = logging.getLogger(__name__)


def opened_outbox() -> Outbox:
    """The outbox of this user, tidied; what is wrong with it is told on standard error and stands in its problems."""
    from ..network import describe_failure

    opened = open_outbox()
    try:
        opened.tidy()
    except OSError as error:  # the list can be read all the same, and what has to write says it again
        opened.problems.append(f"The outbox can't be tidied. {describe_failure(error)}")
    for problem in opened.problems:
        print(f"Warning: {problem}", file=sys.stderr)
    return opened


def record_later(outbox: Outbox, settings: SettingsModel, secrets: Secrets) -> None:
    """Write into the database what it doesn't know yet, if it can be reached; else the next one does."""
    from ..models import DatabaseError
    from ..postgres import PostgresError
    from .database import opened_model

    if not outbox.unrecorded():
        return
    try:
        with opened_model(settings, secrets) as model:
            room.record(outbox, model)
    except (DatabaseError, PostgresError, NotDone) as error:
        log.warning("deliveries could not be recorded: %s", type(error).__name__)


def outcome_of(delivery: Delivery, error: BaseException | None) -> str:
    """Return the text of success; raises NotDone with the reason and what happens next, or the error of a cancel."""
    from ..network.failures import with_sentence

    if delivery.state == "delivered":
        return destination(delivery.kind).success.format(file=delivery.name)
    if delivery.state == "cancelled":
        raise error if isinstance(error, Exception) else NotDone(delivery.reason)
    if isinstance(error, room.OutboxError):  # the file itself: another attempt wouldn't help
        raise error
    why = reason(error) if error is not None else delivery.reason
    if delivery.planned is not None:
        following = (
            "It waits in the outbox: `deliveries run` or the window tries again from "
            f"{local(delivery.planned)} on."
        )
    else:
        following = f"It is kept in the outbox: `deliveries retry {delivery.short}` tries again."
    raise NotDone(with_sentence(why, following))


def local(moment: datetime.datetime) -> str:
    """A moment by the clock on the wall."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def stopped_by_interrupt(send: Send) -> Send:
    """The same, but Ctrl-C ends the word and lets the delivery wait, where it else would cancel it for good."""
    from ..network import Cancelled

    def stoppable(path: Path, *, name: str, progress: Progress, cancel: threading.Event) -> None:
        try:
            send(path, name=name, progress=progress, cancel=cancel)
        except Cancelled:
            raise KeyboardInterrupt from None

    return stoppable
