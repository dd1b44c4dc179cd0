"""Add scheduled deliveries that are due to the outbox, each on one workstation that can send it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import outbox
from ..models.errors import DatabaseError
from ..network.destinations import destination, is_known
from ..stored_destination import BY_HAND, STORED, StoredDestination
from .deliver_day import Login, enqueue

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..models.destinations import Due
    from ..outbox import Delivery, Outbox

log = logging.getLogger(__name__)

Values = Mapping[str, object]
FindLogin = Callable[[StoredDestination, Values], "Login | None"]


class Scheduled(NamedTuple):
    """The added deliveries, each with its login; what is due, but has no login here; and why something couldn't be
    made, as sentences. `values`: the settings, with the current destinations."""

    values: Values
    waiting: tuple[tuple[Delivery, Login], ...] = ()
    without_login: tuple[Due, ...] = ()
    problems: tuple[str, ...] = ()


def enqueue_due(box: Outbox, model: SQLModel, values: Values, login: FindLogin) -> Scheduled:
    """Add what is due and can be sent from here; if another workstation handles the schedules, only what is late.

    `login(destination, values)`: the stored login, or None: then it is left to others. Raises `DatabaseError`.
    """
    stored = model.get_destinations()
    values = {**values, STORED: stored}
    if all(each.schedule == BY_HAND for each in stored.values()):
        return Scheduled(values)
    waiting, without_login, problems = list[tuple["Delivery", Login]](), list["Due"](), list[str]()
    with model.try_schedule_lock() as is_ours:
        for due in model.due_deliveries():
            if not (is_ours or due.late):
                continue
            row = stored.get(due.destination)
            if row is None or not is_known(due.destination):  # a newer version added its kind
                continue
            # A Windows path elsewhere, or a POSIX path on Windows: a computer with such paths sends it.
            if row.kind == "folder" and not Path(row.address).is_absolute():
                continue
            if due.present and due.address != destination(due.destination).place(values).address:
                due = due._replace(present="")  # what was sent to its old address isn't at the new one
            own_login = ("", "") if due.present else login(row, values)
            if own_login is None:
                without_login.append(due)
            else:
                try:
                    made = _made(box, model, due, values, own_login[0]) if model.take_delivery(due) else []
                except (DatabaseError, outbox.OutboxError, OSError) as error:
                    problems.append(f"What was due at {row.name} couldn't be made: {error}")
                except Exception as error:  # a failure at one destination must not keep others from being sent
                    from ..network.failures import describe_failure  # not at the top: it costs some milliseconds

                    log.exception("what is due at %s couldn't be made", row.name)
                    problems.append(f"What was due at {row.name} couldn't be made: {describe_failure(error)}")
                else:
                    waiting += [(each, own_login) for each in made]
    return Scheduled(values, tuple(waiting), tuple(without_login), tuple(problems))


def _made(box: Outbox, model: SQLModel, due: Due, values: Values, username: str) -> list[Delivery]:
    """Add the delivery, and note in the database which one it is; nothing if somebody has sent the same by hand."""
    if due.present:
        model.note_delivery(due, due.present)
        return []
    try:
        delivery = enqueue(box, model, due.destination, values, due.date, username)
    except outbox.NoRecords:  # the view is empty, or records were withdrawn: tried again later
        return []
    except (DatabaseError, outbox.OutboxError, OSError):
        with suppress(DatabaseError):
            model.note_delivery(due)
        raise
    with suppress(DatabaseError):  # it is sent all the same, and others see it in the table `deliveries`
        model.note_delivery(due, delivery.identifier)
    log.info("delivery %s is due at %s", delivery.short_id, due.destination)
    return [delivery]
