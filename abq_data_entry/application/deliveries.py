"""Deliveries of the window: through the outbox, tried again while it is open, offered at the next start."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import folders, outbox
from ..jobs import Job
from ..views import Dialog, LoginDialog, show_choice

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..outbox import Delivery, Outbox, Send
    from .window import Application

TITLES = {"REST": "Login to ABQ Corporate REST API", "FTP": "Login to ABQ Corporate FTP"}
SUCCESS = {"REST": "{file} successfully uploaded to REST API.", "FTP": "{file} successfully uploaded to FTP"}
BUSY_PAUSE_MS = 1000
SHORTEST_PAUSE_MS = 500
PATIENCE = 60.0  # seconds that another process may take for the same file

Values = Mapping[str, object]
Login = tuple[str, str]
Begin = Callable[[str, Callable[[Job], Any], Callable[[Any], object], Callable[[BaseException], object]], None]


class NotDelivered(Exception):
    """An attempt failed; `delivery` says what happens next, `cause` why."""

    def __init__(self, delivery: Delivery, cause: BaseException | None) -> None:
        super().__init__(str(cause) if isinstance(cause, outbox.OutboxError) else delivery.reason)
        self.delivery = delivery
        self.cause = cause

    @property
    def next_attempt(self) -> str:
        """A sentence on the next attempt; empty if there is none."""
        planned = self.delivery.planned
        return "" if planned is None else f"It is tried again at {planned.astimezone():%H:%M} if the window is open."


class Deliveries:
    """What waits, on the Tk thread. Logins are kept in memory, for the attempts that are planned, and nowhere else.

    `begin(name, work, done, failed)` runs a command in the background and shows it; `running(name)` tells whether
    one of that name runs.
    """

    def __init__(self, application: Application, begin: Begin, running: Callable[[str], bool]) -> None:
        self._app = application
        self._begin = begin
        self._running = running
        self._timers: dict[tuple[str, str], str] = {}
        self._offered = False
        self._jobs: dict[str, Job] = {}
        self.progress: dict[str, tuple[int, int]] = {}
        """Bytes sent and bytes in all of what is being sent, by identifier; written by worker threads."""

    def stop(self, identifier: str) -> bool:
        """Cancel the attempt that this window makes at a delivery; False if it makes none."""
        job = self._jobs.get(identifier)
        if job is not None:
            job.cancel.set()
        return job is not None

    def upload(
        self, name: str, date: datetime.date, login: Login, failed: Callable[[BaseException], object]
    ) -> None:
        """Put the extract of a day in and make the first attempt; a later one is planned where that may help."""
        model, values = self._app.data_model, self._settings()
        assert model is not None
        # A new version is made: the attempt that is planned for the older one has nothing left to do.
        self.forget(name, outbox.extract_name(date))

        def work(job: Job) -> str:
            box = opened()
            delivery = put_in(box, model, date, name.lower(), values, login[0])
            try:
                return self._send_one(box, delivery, outbox.sender(name.lower(), values, *login), job).name
            finally:
                outbox.record(box, model)

        def ended_badly(error: BaseException) -> None:
            self._plan(name, error, login)
            failed(error)

        self._begin(name, work, lambda file: self._app.status.set(SUCCESS[name].format(file=file)), ended_badly)

    def forget(self, name: str, file_name: str) -> None:
        """Make no attempt at this file any more that was planned in this window."""
        timer = self._timers.pop((name, file_name), None)
        if timer is not None:
            self._app.after_cancel(timer)

    def offer(self) -> None:
        """Offer what wasn't finished when the window was closed; once, at the start."""
        if not self._offered:
            self._offered = True
            self._app.jobs.submit("files", unfinished, done=self._ask)

    def _send(self, name: str, waiting: Sequence[Delivery], login: Login) -> None:
        """Make one attempt at each of these, and plan the next ones."""
        if self._running(name):
            self._app.after(BUSY_PAUSE_MS, self._send, name, waiting, login)
            return
        model, values = self._app.data_model, self._settings()
        assert model is not None
        for each in waiting:
            self.forget(name, each.name)

        def done(result: tuple[list[str], list[NotDelivered]]) -> None:
            files, failures = result
            if files:
                self._app.status.set(SUCCESS[name].format(file=", ".join(files)))
            for each in failures:
                if each.cause is None:  # a newer version took its place meanwhile
                    continue
                reason = f"{each.delivery.name} was not sent by {name}: {each} {each.next_attempt}"
                self._app.status.set(reason.strip())
                self._plan(name, each, login)

        self._begin(
            name,
            lambda job: self._send_all(model, waiting, values, login, job),
            done,
            lambda error: self._app.status.set(f"Nothing was sent by {name} ({type(error).__name__})"),
        )

    def _plan(self, name: str, error: BaseException, login: Login) -> None:
        if not isinstance(error, NotDelivered) or error.delivery.planned is None:
            return
        delivery, key = error.delivery, (name, error.delivery.name)

        def attempt() -> None:
            self._timers.pop(key, None)
            self._send(name, [delivery], login)

        wait = error.delivery.planned - datetime.datetime.now(datetime.timezone.utc)
        self._timers[key] = self._app.after(max(SHORTEST_PAUSE_MS, int(wait.total_seconds() * 1000) + 1), attempt)

    def _ask(self, found: Sequence[Delivery]) -> None:
        if not found:
            return
        other = next((each for each in self._app.winfo_children() if isinstance(each, Dialog)), None)
        if other is not None:  # such as the warning about settings: two at once would share the keyboard badly

            def ask_afterwards(event: tk.Event) -> None:
                if event.widget is other:
                    self._app.after_idle(self._ask, found)

            other.bind("<Destroy>", ask_afterwards, add=True)
            return
        show_choice(
            self._app,
            "Deliveries",
            "An extract waits to be delivered." if len(found) == 1 else f"{len(found)} extracts wait to be delivered.",
            "\n".join(f"{each.name} by {each.kind.upper()}. {each.reason}".strip() for each in found),
            (("Deliver Now", lambda: self.log_in(list(found))), ("Later", None)),
        )

    def log_in(self, left: list[Delivery]) -> None:
        """Ask for the login of one service after the other, and send what goes there."""
        if not left:
            return
        these = [each for each in left if (each.kind, each.username) == (left[0].kind, left[0].username)]
        name = left[0].kind.upper()

        def answered(login: Login | None) -> None:
            if login is not None:
                self._send(name, these, login)
            self.log_in([each for each in left if each not in these])

        LoginDialog(self._app, TITLES[name], "", left[0].username, answered)

    def _settings(self) -> dict[str, object]:
        """The settings as they are now, for a worker thread."""
        return {name: variable.get() for name, variable in self._app.settings.items()}

    # -- on worker threads ------------------------------------------------------------------------------

    def _send_one(self, box: Outbox, delivery: Delivery, send: Send, job: Job) -> Delivery:
        """Make one attempt; returns the delivery, raises `NotDelivered` if it isn't delivered by now."""
        identifier = delivery.identifier

        def noted(sent: int, total: int) -> None:
            self.progress[identifier] = sent, total
            job.report(sent, total)

        self._jobs[identifier] = job
        try:
            after, error = outbox.deliver(
                box, identifier, send, progress=noted, cancel=job.cancel, patience=PATIENCE
            )
        finally:
            self._jobs.pop(identifier, None)
            self.progress.pop(identifier, None)
        if after.state != "delivered":
            raise NotDelivered(after, error)
        return after

    def _send_all(
        self, model: SQLModel, waiting: Sequence[Delivery], values: Values, login: Login, job: Job
    ) -> tuple[list[str], list[NotDelivered]]:
        """Make one attempt at each, and at what else is due there, over one login.

        Returns the names of those that arrived, and the failures of the others.
        """
        box, files, failures, unreachable = opened(), list[str](), list[NotDelivered](), ""

        def attempt(delivery: Delivery) -> BaseException | None:
            nonlocal unreachable
            if job.cancel.is_set():
                return None
            try:
                require_same(box, delivery, values)
                after = self._send_one(box, delivery, send, job)
                files.append(after.name)
            except NotDelivered as failure:
                failures.append(failure)
                after = failure.delivery
            except outbox.OutboxError as error:  # somebody else is at it, or has removed it
                failures.append(NotDelivered(delivery, error))
                return None
            unreachable = unreachable or outbox.record(box, model, after)
            return None if after.state == "delivered" else failures[-1].cause

        with outbox.sender(waiting[0].kind, values, *login) as send:
            outbox.go_through(with_others_due(box, waiting), attempt)
        outbox.record(box, model)
        return files, failures


# -- on worker threads ----------------------------------------------------------------------------------


def opened() -> Outbox:
    """The outbox of this user."""
    return outbox.Outbox(folders.data_folder(create=True) / "outbox")


def put_in(
    box: Outbox, model: SQLModel, date: datetime.date, kind: str, values: Values, username: str
) -> Delivery:
    """Put the extract of a day into the outbox and the database; raises `NoRecords`."""
    known = outbox.known_version(model, date, kind)
    delivery = box.add(model, date, outbox.destination_of(kind, values), username, known)
    outbox.record(box, model)
    return delivery


def require_same(box: Outbox, delivery: Delivery, values: Values) -> None:
    """Give a delivery up if the settings lead somewhere else by now: the login is for here. Raises `NotDelivered`."""
    try:
        outbox.require_same(delivery.destination, values)
    except outbox.OutboxError as error:
        raise NotDelivered(outbox.give_up(box, delivery, str(error)), error) from None


def with_others_due(box: Outbox, waiting: Sequence[Delivery]) -> list[Delivery]:
    """Return these, and what else is due and needs the same login."""
    services, known = outbox.by_service(waiting), {each.identifier for each in waiting}
    others = outbox.by_service(each for each in outbox.due(box) if each.identifier not in known)
    return [*waiting, *(each for service in services for each in others.get(service, ()))]


def unfinished() -> list[Delivery]:
    """What waits, after a crash too; damaged entries are put aside, and the log names them."""
    box = opened()
    outbox.tidy(box)
    return [each for each in box.deliveries() if each.state == "waiting"]
