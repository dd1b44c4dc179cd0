"""What schedules should have sent by now: put into the outbox, once among all workstations, by who can send it."""

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
from .deliver_day import Login, put_in

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..models.destinations import Due
    from ..outbox import Delivery, Outbox

log = logging.getLogger(__name__)

Values = Mapping[str, object]
Known = Callable[[StoredDestination, Values], "Login | None"]


class Looked(NamedTuple):
    """What became of it: deliveries that wait now, each with its login; what is due where nobody here can log in; and
    why something couldn't be made, as sentences. `values`: the settings with the destinations as they are now."""

    values: Values
    waiting: tuple[tuple[Delivery, Login], ...] = ()
    without_login: tuple[Due, ...] = ()
    problems: tuple[str, ...] = ()


def put_in_due(box: Outbox, model: SQLModel, values: Values, login: Known) -> Looked:
    """Put in what is due and can be sent from here; where another workstation says that it looks after the schedules,
    only what is late all the same.

    `login(destination, values)`: the login that is known for it, None if none is: then it is left to others. Raises
    `DatabaseError`.
    """
    stored = model.get_destinations()
    values = {**values, STORED: stored}
    if all(each.schedule == BY_HAND for each in stored.values()):
        return Looked(values)
    waiting, without_login, problems = list[tuple["Delivery", Login]](), list["Due"](), list[str]()
    with model.schedules_alone() as is_ours:
        for due in model.due_deliveries():
            if not (is_ours or due.late):
                continue
            row = stored.get(due.destination)
            if row is None or not is_known(due.destination):  # a newer version has it
                continue
            # A path of Windows here, or of others there: a computer that has such paths sends it.
            if row.kind == "folder" and not Path(row.address).is_absolute():
                continue
            if due.present and due.address != destination(due.destination).place(values).address:
                due = due._replace(present="")  # what went to its old address isn't at the new one
            known = ("", "") if due.present else login(row, values)
            if known is None:
                without_login.append(due)
            else:
                try:
                    made = _made(box, model, due, values, known[0]) if model.take_delivery(due) else []
                except (DatabaseError, outbox.OutboxError, OSError) as error:
                    problems.append(f"What was due at {row.name} couldn't be made: {error}")
                except Exception as error:  # a fault at one destination must not keep the others from theirs
                    from ..network.failures import describe_failure  # costs a start some milliseconds

                    log.exception("what is due at %s couldn't be made", row.name)
                    problems.append(f"What was due at {row.name} couldn't be made: {describe_failure(error)}")
                else:
                    waiting += [(each, known) for each in made]
    return Looked(values, tuple(waiting), tuple(without_login), tuple(problems))


def _made(box: Outbox, model: SQLModel, due: Due, values: Values, username: str) -> list[Delivery]:
    """Put it in, and say in the database which delivery it is; nothing where somebody has sent the same by hand."""
    if due.present:
        model.note_delivery(due, due.present)
        return []
    try:
        delivery = put_in(box, model, due.destination, values, due.date, username)
    except outbox.NoRecords:  # of a view, or withdrawn meanwhile: it is looked for again after a while
        return []
    except (DatabaseError, outbox.OutboxError, OSError):
        with suppress(DatabaseError):
            model.note_delivery(due)
        raise
    with suppress(DatabaseError):  # it is on its way all the same, and the table of deliveries tells others
        model.note_delivery(due, delivery.identifier)
    log.info("delivery %s is due at %s", delivery.short, due.destination)
    return [delivery]
