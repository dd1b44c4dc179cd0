"""Deliver a day's extract, and what waits in the outbox; `deliver` makes all attempts.

What a person has to decide is asked through `Decisions`: by dialogs in the window, by options and prompts on the
command line. The result for a delivery is an `Outcome`.

A destination of the database gets the day's extract, or a view of the day in another format.
"""

from __future__ import annotations

import datetime
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .. import folders, outbox
from ..network.destinations import destination
from ..stored_destination import RECORDS, STORED, StoredDestination

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..outbox import Delivery, Outbox, Progress, Records, Send, Service

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds to wait for another process that is sending the same file."""

LAST_DAYS = 7
"""How many days before today are searched for records that weren't sent."""

Login = tuple[str, str]
Values = Mapping[str, object]


class NotAttempted(Exception):
    """No attempt was made; the text, for people, says why, or what the delivery waits for."""


class LoginMissing(NotAttempted):
    """There is no login, and nobody to ask for it: deliveries to that service wait."""


class Decisions(Protocol):
    """What only a person can decide. Called on the thread that delivers."""

    def login(self, service: Service) -> Login:
        """Return user name and password; raises `NotAttempted` or its subclass `LoginMissing`."""

    def trusts(self, host: str, fingerprint: str) -> bool:
        """Return whether to trust the unknown host key with that fingerprint."""


class AttemptMonitor(NamedTuple):
    """Gets the progress of an attempt, and can cancel it.

    `waits`: after a cancel the delivery waits and no other one is begun, instead of being cancelled for good.
    """

    progress: Progress
    cancel: threading.Event
    waits: bool = False


Watch = Callable[["Delivery"], AbstractContextManager[AttemptMonitor]]


class Outcome(NamedTuple):
    """The result for a delivery: its current state, and the error if it didn't arrive."""

    delivery: Delivery
    error: BaseException | None = None

    @property
    def arrived(self) -> bool:
        """Whether it is at its destination."""
        return self.delivery.state == "delivered"

    @property
    def remark(self) -> list[str]:
        """Remarks about a delivery that arrived, as sentences, such as that the day's report was refused."""
        return [self.delivery.reason] if self.arrived and self.delivery.reason else []

    @property
    def reason(self) -> str:
        """Why it didn't arrive, for people."""
        return str(self.error) if isinstance(self.error, outbox.OutboxError | NotAttempted) else self.delivery.reason

    @property
    def next_attempt(self) -> str:
        """When it is tried again, as a sentence; '' if it isn't."""
        planned = self.delivery.planned
        return "" if planned is None else f"It is tried again at {planned.astimezone():%H:%M} if the window is open."


def open_outbox() -> Outbox:
    """Return the outbox of this user."""
    return outbox.Outbox(folders.data_folder(create=True) / "outbox")


def last_days(today: datetime.date) -> tuple[datetime.date, ...]:
    """Return the days whose records may still have to be delivered, up to today, earliest first."""
    return tuple(today - datetime.timedelta(days) for days in range(LAST_DAYS, -1, -1))


def deliver_day(
    box: Outbox,
    model: SQLModel,
    kind: str,
    values: Values,
    date: datetime.date,
    login: Login,
    decisions: Decisions,
    watch: Watch,
) -> Outcome:
    """Add the delivery of a day's extract to that destination, and make an attempt.

    Both are recorded in the table `deliveries`. Raises what `enqueue` raises, and `Busy`.
    """
    with box.kept_open():
        delivery = enqueue(box, model, kind, values, date, login[0])
        try:
            with outbox.sender(kind, values, *login, box, decisions.trusts) as send:
                return _attempt(box, delivery, send, watch, PATIENCE)
        finally:
            outbox.record(box, model)


def enqueue(
    box: Outbox, model: SQLModel, kind: str, values: Values, date: datetime.date, username: str
) -> Delivery:
    """Add the delivery of a day's extract to that destination, also to the table `deliveries`, where others see it.

    Raises `SettingsUnusable`, `NoRecords`, what the export raises, and `OSError` of this computer's disk.
    """
    outbox.require_usable(kind, values)
    to = destination(kind)
    own, name = to.own(values), to.file_name(values, date)
    known = outbox.known_version(model, date, kind, name)
    place, head = to.place(values), partial(outbox.head_of, model)
    with box.kept_open():
        report = _report_of(model, date) if own["abq_send_report"] else None
        records, pattern = records_for(kind, values, model), str(own["abq_upload_name"])
        delivery = box.add(records, date, place, username, known, head, pattern, report, name)
        outbox.record(box, model)
    return delivery


def deliver(
    box: Outbox,
    deliveries: Sequence[Delivery],
    values: Values,
    decisions: Decisions,
    watch: Watch,
    report: Callable[[Outcome], object],
    patience: float = 0.0,
) -> None:
    """Make one attempt at each delivery, with one login for each service, and call `report` with each outcome.

    `patience`: the seconds to wait for another process that is sending the same file.

    After a failure the others are still attempted, except at a service that is down or refuses the login. Raises only
    BaseExceptions such as KeyboardInterrupt, after which the deliveries wait.
    """
    for service, these in outbox.by_service(deliveries).items():
        ready = [each for each in these if _has_same_destination(box, each, values, report)]
        if not ready:  # so that nobody is asked for a login that isn't needed
            continue
        try:
            login = decisions.login(service)
        except NotAttempted as error:
            for each in ready:
                report(Outcome(each, error))
            continue

        def attempt(delivery: Delivery) -> BaseException | None:
            try:
                outcome = _attempt(box, delivery, send, watch, patience)
            except NotAttempted as error:
                report(Outcome(delivery, error))
                return None
            except (outbox.OutboxError, OSError) as error:  # another process is sending it, or our disk fails
                outcome = Outcome(delivery, _outbox_error(delivery, error))
                report(outcome)
                return None
            report(outcome)
            return outcome.error

        with outbox.sender(service.kind, values, *login, box, decisions.trusts) as send:
            left = outbox.attempt_each(box, ready, attempt)
        for each in left:
            report(Outcome(each, NotAttempted("waits for the next `deliveries run`, since the others failed.")))


def _report_of(model: SQLModel, date: datetime.date) -> Callable[[Path], object]:
    """Return a function that writes the day's report to a file."""
    from ..models.errors import DatabaseError
    from .day_report import write_report  # not at the top: only some send reports, which import the charts

    def write(path: Path) -> None:
        try:
            write_report(model, date, path, datetime.datetime.now())
        except (DatabaseError, OSError):
            raise
        except Exception:  # a failure of the report must not prevent the delivery of the records
            log.exception("the extract of %s goes without its report, which couldn't be made", date)

    return write


def with_others_due(box: Outbox, waiting: Sequence[Delivery]) -> list[Delivery]:
    """Return these deliveries, and others that are due and need the same login."""
    services, known = outbox.by_service(waiting), {each.identifier for each in waiting}
    others = outbox.by_service(each for each in outbox.due(box) if each.identifier not in known)
    return [*waiting, *(each for service in services for each in others.get(service, ()))]


def _has_same_destination(box: Outbox, delivery: Delivery, values: Values, report: Callable[[Outcome], object]) -> bool:
    """Return whether the settings still name the delivery's place, for which its login is. If not, cancel the delivery.

    If a mistake in a setting leaves the place unknown, the delivery isn't cancelled.
    """
    try:
        outbox.require_same(delivery.place, values)
    except outbox.OutboxError as error:
        if not isinstance(error, outbox.SettingsUnusable):
            # Only a person can correct that, so it isn't tried again automatically.
            with suppress(OSError, outbox.OutboxError):  # if this fails, the next attempt is refused in the same way
                delivery = outbox.give_up(box, delivery, str(error))
        report(Outcome(delivery, error))
        return False
    return True


def _attempt(box: Outbox, delivery: Delivery, send: Send, watch: Watch, patience: float) -> Outcome:
    with watch(delivery) as (progress, cancel, waits):
        sent_by = _waiting_when_cancelled(send) if waits else send
        after, error = outbox.deliver(
            box, delivery, sent_by, progress=progress, cancel=cancel, patience=patience
        )
    return Outcome(after, error)


def _outbox_error(delivery: Delivery, error: OSError | outbox.OutboxError) -> outbox.OutboxError:
    from ..network import describe_failure

    if isinstance(error, outbox.OutboxError):
        return error
    log.error("delivery %s", delivery.short_id, exc_info=error)
    return outbox.OutboxError(describe_failure(error))


def _waiting_when_cancelled(send: Send) -> Send:
    """Wrap `send`: a cancel ends the run and lets the delivery wait, instead of cancelling it for good."""
    from ..network import Cancelled

    def stoppable(path: Path, *, name: str, progress: Progress, cancel: threading.Event) -> str | None:
        try:
            return send(path, name=name, progress=progress, cancel=cancel)
        except Cancelled:
            raise KeyboardInterrupt from None  # the outbox lets the delivery wait, as at the end of the program

    return stoppable


def records_for(kind: str, values: Mapping[str, object], model: SQLModel) -> Records:
    """Return the object that writes the file of a day for that destination."""
    stored = values.get(STORED)
    row = stored.get(kind) if isinstance(stored, dict) else None
    if isinstance(row, StoredDestination) and row.contents != RECORDS:
        return _ViewOfDay(model, row)
    return model


class _ViewOfDay:
    """Writes a view of one day as an export does it (`outbox.Records`)."""

    def __init__(self, model: SQLModel, row: StoredDestination) -> None:
        self._model, self._row = model, row
        self.cancel = threading.Event()

    def export_records(self, path: Path, first_date: datetime.date) -> int:
        """Write the rows of that day; return how many. Raises `SettingsUnusable` if the format isn't installed."""
        from ..outbox import SettingsUnusable
        from .export_view import FormatMissing, ViewQuery, export_view

        wanted = ViewQuery(self._row.contents, first_date, first_date)
        try:
            return export_view(self._model, wanted, self._row.format, path, self).rows
        except FormatMissing as error:
            raise SettingsUnusable(f"{error} Nothing was sent.") from error

    def report(self, done: int, total: int) -> None:
        """Ignore the progress."""
