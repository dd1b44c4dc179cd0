"""Attempts at deliveries, on worker threads: what the window's deliveries do with the outbox."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from .. import outbox
from ..jobs import Job
from ..workflows.deliver_day import PATIENCE, deliver_day, open_outbox, require_same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..models import SQLModel
    from ..outbox import Delivery, Outbox
    from ..transfer import TransferProgress

Login = tuple[str, str]
Values = Mapping[str, object]


class NotDelivered(Exception):
    """An attempt failed; `delivery` says what happens next, `cause` why."""

    def __init__(self, delivery: Delivery, cause: BaseException | None) -> None:
        super().__init__(str(cause) if isinstance(cause, outbox.OutboxError) else delivery.reason)
        self.delivery = delivery
        self.cause = cause

    @property
    def told(self) -> str:
        """Why, and when it is tried again; what the server said stands below that."""
        from ..network.failures import with_sentence

        return with_sentence(str(self), self.next_attempt) if self.next_attempt else str(self)

    @property
    def next_attempt(self) -> str:
        """A sentence on the next attempt; empty if there is none."""
        planned = self.delivery.planned
        return "" if planned is None else f"It is tried again at {planned.astimezone():%H:%M} if the window is open."


class Running(NamedTuple):
    """An attempt that runs now: what cancels it, and it alone, and how far it is."""

    stop: Callable[[], object]
    progress: TransferProgress


class Attempts:
    """Makes them one after the other over one login; `running` shows the one that is under way, by identifier."""

    def __init__(
        self, model: SQLModel, values: Values, kind: str, login: Login, running: MutableMapping[str, Running], job: Job
    ) -> None:
        self._box = open_outbox()
        self._model = model
        self._values = values
        self._sender = outbox.sender(kind, values, *login)
        self._running = running
        self._job = job
        self._stopped: set[str] = set()
        self._unrecorded = ""  # why the database can't be told now; asked again only at the end

    def first(self, date: datetime.date, kind: str, username: str) -> str:
        """Put the extract of a day in and make an attempt; returns the file's name, raises `NotDelivered`.

        Raises `NoRecords` if there are none.
        """
        return deliver_day(self._box, self._model, kind, self._values, date, username, self._send)

    def all(self, waiting: Sequence[Delivery]) -> tuple[list[str], list[NotDelivered]]:
        """Make one attempt at each, and at what else is due there, over one login.

        Returns the names of those that arrived, and the failures of the others.
        """
        files: list[str] = []
        failures: list[NotDelivered] = []

        def attempt(delivery: Delivery) -> BaseException | None:
            if self._job.cancel.is_set():
                return None
            try:
                self._require_same(delivery)
                files.append(self._send(delivery))
            except NotDelivered as failure:
                failures.append(failure)
                return failure.cause
            except outbox.OutboxError as error:  # somebody else is at it, or has removed it
                failures.append(NotDelivered(delivery, error))
            except OSError as error:  # of this computer's disk: what can't be written down isn't begun
                failures.append(NotDelivered(delivery, outbox.OutboxError(describe_failure(error))))
            finally:
                if delivery.identifier in self._stopped:  # the others go on
                    self._job.cancel.clear()
            return None

        from ..network import describe_failure

        try:
            with self._sender:
                outbox.go_through(self._box, with_others_due(self._box, waiting), attempt)
        finally:
            outbox.record(self._box, self._model)  # what the database didn't take meanwhile
        return files, failures

    def _require_same(self, delivery: Delivery) -> None:
        try:
            require_same(self._box, delivery, self._values)
        except outbox.OutboxError as error:
            raise NotDelivered(self._box.read(delivery.identifier), error) from None

    def _send(self, delivery: Delivery) -> str:
        with self._shown(delivery.identifier) as progress:

            def noted(sent: int, total: int) -> None:
                progress.note(sent, total)
                self._job.report(sent, total)

            after, error = outbox.deliver(
                self._box,
                delivery.identifier,
                self._sender,
                progress=noted,
                cancel=self._job.cancel,
                patience=PATIENCE,
            )
        self._unrecorded = self._unrecorded or outbox.record(self._box, self._model, after)
        if after.state != "delivered":
            raise NotDelivered(after, error)
        return after.name

    @contextmanager
    def _shown(self, identifier: str) -> Iterator[TransferProgress]:
        from ..transfer import TransferProgress

        progress = TransferProgress()

        def stop() -> None:
            self._stopped.add(identifier)
            self._job.cancel.set()

        self._running[identifier] = Running(stop, progress)
        try:
            yield progress
        finally:
            self._running.pop(identifier, None)


def again(identifiers: Sequence[str]) -> list[Delivery]:
    """Take up deliveries that failed or wait, for an attempt now."""
    box = open_outbox()
    return [outbox.retry(box, box.read(each)) for each in identifiers]


def with_others_due(box: Outbox, waiting: Sequence[Delivery]) -> list[Delivery]:
    """Return these, and what else is due and needs the same login."""
    services, known = outbox.by_service(waiting), {each.identifier for each in waiting}
    others = outbox.by_service(each for each in outbox.due(box) if each.identifier not in known)
    return [*waiting, *(each for service in services for each in others.get(service, ()))]


def unfinished() -> list[Delivery]:
    """What waits, after a crash too; damaged entries are put aside, and the log names them."""
    box = open_outbox()
    with suppress(OSError):  # it can't be written: what waits can be shown all the same
        box.tidy()
    return [each for each in box.deliveries() if each.state == "waiting"]
