"""What a crash left behind in the outbox, and what is too old to be of use."""

from __future__ import annotations

import datetime
import shutil
from contextlib import suppress
from pathlib import Path

from .delivery import ENDED, SENDING, Delivery
from .extract import Busy, UnknownDelivery
from .folder import Outbox
from .sending import broken_off

KEPT = datetime.timedelta(days=90)
"""How long the receipt of a delivery stays in the outbox; the database keeps it for ever."""


def tidy(outbox: Outbox) -> None:
    """Let broken-off deliveries wait again, remove what was half made, files of ended deliveries and old receipts.

    What another process is at is left alone. Raises `OSError` in the end if something of it couldn't be done.
    """
    failure: OSError | None = None
    try:
        with suppress(Busy), outbox.nobody_adds():
            for path in outbox.leftovers():
                shutil.rmtree(path, ignore_errors=True)
    except OSError as error:
        failure = error
    for delivery in outbox.deliveries():
        try:
            if _needs_tidying(outbox, delivery):
                with suppress(Busy, UnknownDelivery), outbox.lane(delivery):
                    _tidy_one(outbox, outbox.read(delivery.identifier))
        except OSError as error:  # one of them mustn't keep the others
            failure = failure or error
    if failure is not None:
        raise failure


def _needs_tidying(outbox: Outbox, delivery: Delivery) -> bool:
    return delivery.state == SENDING or _is_old(outbox, delivery) or bool(_litter(outbox, delivery))


def _tidy_one(outbox: Outbox, delivery: Delivery) -> None:
    if delivery.state == SENDING:
        broken_off(outbox, delivery)
    elif _is_old(outbox, delivery):
        outbox.remove(delivery)
        return
    for path in _litter(outbox, delivery):
        path.unlink(missing_ok=True)


def _is_old(outbox: Outbox, delivery: Delivery) -> bool:
    ended = delivery.state in ENDED and outbox.recorded(delivery) == delivery.revision
    return ended and outbox.clock() - delivery.changed > KEPT


def _litter(outbox: Outbox, delivery: Delivery) -> list[Path]:
    """What writers that were killed left, and the file of a delivery that has ended."""
    folder = outbox.file_of(delivery).parent
    found = list(folder.glob(".*.part"))
    if delivery.state in ENDED:
        found += [path for path in outbox.files_of(delivery) if path.exists()]
    return found
