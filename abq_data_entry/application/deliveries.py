"""Deliveries from the window: they go through the outbox, and are retried while it is open and at the next start."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import outbox
from ..jobs import ANY, Job, Jobs
from ..network.destinations import destination
from ..workflows.deliver_day import (
    PATIENCE,
    AttemptMonitor,
    Login,
    NotAttempted,
    Outcome,
    Values,
    deliver,
    deliver_day,
    open_outbox,
    with_others_due,
)
from .logins import Logins, known_logins

if TYPE_CHECKING:
    import tkinter as tk

    from ..models import SQLModel
    from ..outbox import Delivery, Outbox, Service
    from .messages import Buttons, Messages, ShowStatus
    from .preferences import Settings
    from .state import State

NEXT_STEPS = "What to do: Tools ‣ Deliveries shows what became of it; Tools ‣ Upload CSV sends the day again."
BUSY_PAUSE_MS = 1000
SHORTEST_PAUSE_MS = 500

Begin = Callable[[str, Callable[[Job], Any], Callable[[Any], object], Callable[[BaseException], object], str], None]


class NotDelivered(Exception):
    """An attempt failed; carries what became of the delivery."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


class Running(NamedTuple):
    """A running attempt: the event that cancels it alone, and the job whose `latest` is its progress."""

    stop: Callable[[], object]
    job: Job


@dataclass(repr=False, eq=False)  # it holds the password
class Attempts:
    """The attempts of one command, on a worker thread; `running` has the running one, by identifier.

    The login was given in a dialog before. A question that comes up later, such as an unknown host key, ends the
    attempt; then a dialog asks, and another command continues with the answer.
    """

    given: Login
    running: MutableMapping[str, Running]
    job: Job
    stopped: set[str] = field(default_factory=set)
    """The deliveries whose attempt was cancelled, by identifier."""

    def login(self, service: Service) -> Login:
        """Return the login that was given for this command."""
        return self.given

    def trusts(self, host: str, fingerprint: str) -> bool:
        """Return False, because nobody is asked while the attempt runs."""
        return False

    @contextmanager
    def watch(self, delivery: Delivery) -> Iterator[AttemptMonitor]:
        """Show the progress of an attempt, and let it be cancelled; after the command is cancelled, none begins."""
        if self.job.cancel.is_set():
            raise NotAttempted("The command was cancelled.")
        identifier, self.job.latest = delivery.identifier, None

        def stop() -> None:
            self.stopped.add(identifier)
            self.job.cancel.set()

        self.running[identifier] = Running(stop, self.job)
        try:
            yield AttemptMonitor(self.job.report, self.job.cancel)
        finally:
            self.running.pop(identifier, None)

    def all(self, box: Outbox, model: SQLModel, values: Values, waiting: Sequence[Delivery]) -> list[Outcome]:
        """Make one attempt at each, and at what else is due there, with one login."""
        outcomes, unrecorded = list[Outcome](), ""

        def finished(outcome: Outcome) -> None:
            nonlocal unrecorded
            if not isinstance(outcome.error, NotAttempted):
                outcomes.append(outcome)
                # If the database can't record it now, the next try is only at the end.
                unrecorded = unrecorded or outbox.record(box, model, outcome.delivery)
            if outcome.delivery.identifier in self.stopped:  # only this attempt was cancelled
                self.job.cancel.clear()

        try:
            deliver(box, with_others_due(box, waiting), values, self, self.watch, finished, PATIENCE)
        finally:
            outbox.record(box, model)
        return outcomes


class Deliveries:
    """The deliveries of this computer; on the Tk thread. Logins are kept only for planned attempts, and in `Logins`.

    `begin(name, work, done, failed, remark)` runs a command in the background and shows it; `running(name)` tells
    whether one of that name runs; `show()` opens the window of deliveries.
    """

    def __init__(
        self,
        window: tk.Misc,
        state: State,
        settings: Settings,
        jobs: Jobs,
        messages: Messages,
        show_status: ShowStatus,
        begin: Begin,
        running: Callable[[str], bool],
        show: Callable[[], object],
    ) -> None:
        self._window, self._state, self._jobs, self._messages = window, state, jobs, messages
        self._show_status = show_status
        self.settings = settings.values
        """Returns the present settings, for a worker thread."""
        self._begin, self._running, self._show = begin, running, show
        self._timers: dict[tuple[str, str], str] = {}
        self._offered = False
        self._box: Outbox | None = None
        self.logins = Logins(window, jobs, messages)
        self.attempts: dict[str, Running] = {}
        """What is being sent, by identifier; written by worker threads."""

    def stop(self, identifier: str) -> bool:
        """Cancel this window's running attempt at a delivery; return False if there is none."""
        attempt = self.attempts.get(identifier)
        if attempt is not None:
            attempt.stop()
        return attempt is not None

    def upload(
        self,
        kind: str,
        date: datetime.date,
        values: Values,
        login: Login,
        failed: Callable[[BaseException], object],
    ) -> None:
        """Put the extract of a day into the outbox and make the first attempt; plan another one if that may help."""
        model = self._state.model
        assert model is not None
        # This version replaces an older one, so the attempt planned for that one isn't needed.
        self.forget(kind, destination(kind).file_name(values, date))

        def work(job: Job) -> Outcome:
            attempts = Attempts(login, self.attempts, job)
            outcome = deliver_day(self._opened(), model, kind, values, date, login, attempts, attempts.watch)
            if not outcome.arrived:
                raise NotDelivered(outcome)
            return outcome

        def done(outcome: Outcome) -> None:
            self.logins.accepted(kind, values, login)
            self._delivered(kind, [outcome])

        def ended_badly(error: BaseException) -> None:
            if not isinstance(error, NotDelivered) or not self._ask_about(kind, error.outcome, values, login):
                failed(error)

        to = destination(kind)
        self._begin(to.name, work, done, ended_badly, to.remark(values))

    def _opened(self) -> Outbox:
        """Return the outbox, on a worker thread; kept, because opening it reads the whole file of states."""
        if self._box is None or not self._box.folder.exists():  # somebody has removed the folder
            self._box = open_outbox()
        return self._box

    def count_unfinished(self) -> int:
        """Return how many deliveries of this computer wait, run or have failed; on a worker thread."""
        from ..outbox.delivery import ENDED

        return sum(each.state not in ENDED for each in self._opened().deliveries())

    def forget(self, kind: str, file_name: str) -> None:
        """Drop the attempts that this window has planned for this file."""
        timer = self._timers.pop((kind, file_name), None)
        if timer is not None:
            self._window.after_cancel(timer)

    def forget_logins(self) -> None:
        """Forget all logins, also those of planned attempts; waiting deliveries go on when somebody logs in."""
        for kind, file_name in tuple(self._timers):
            self.forget(kind, file_name)
        self.logins.forget_all(self._show_status)

    def offer(self) -> None:
        """Continue deliveries that weren't finished when the window was closed, or offer to; once, at the start."""
        if not self._offered:
            self._offered = True
            self._jobs.submit("files", _unfinished, done=self._take_up)

    def report_damage(self, problems: Sequence[str]) -> None:
        """Show in the message bar which waiting deliveries couldn't be read, and where they were put aside."""
        if problems:
            self._messages.note("Damaged Deliveries", problems[0], "\n".join(problems[1:]))

    def log_in(self, left: list[Delivery]) -> None:
        """Ask for the login of one service after the other, and send what is for that service."""
        if not left:
            return
        these = [each for each in left if (each.kind, each.username) == (left[0].kind, left[0].username)]
        kind, values = left[0].kind, self.settings()

        def answered(login: Login | None) -> None:
            if login is not None:
                self.send(kind, these, values, login)
            self.log_in([each for each in left if each not in these])

        self.logins.obtain(kind, values, left[0].username, answered)

    def send(self, kind: str, waiting: Sequence[Delivery], values: Values, login: Login) -> None:
        """Make one attempt at each of these, and plan the next attempts."""
        name = destination(kind).name
        if self._running(name):  # wait for the running one; nothing was tried, so it counts as no attempt
            self._window.after(BUSY_PAUSE_MS, self.send, kind, waiting, values, login)
            return
        model = self._state.model
        assert model is not None
        for each in waiting:
            self.forget(kind, each.name)

        def done(outcomes: list[Outcome]) -> None:
            arrived = [each for each in outcomes if each.arrived]
            if arrived:
                self.logins.accepted(kind, values, login)
                self._delivered(kind, arrived)
            failures: list[Outcome] = []
            for each in outcomes:
                if each.error is None:  # it arrived, or a newer version took its place meanwhile
                    continue
                words = f"{each.delivery.name} {_what_became(each)} by {name}: {_why(each)}"
                self._show_status(" ".join(words.split()))
                if not self._ask_about(kind, each, values, login) and not self.report_uncertain(kind, each):
                    failures.append(each)
            if failures:
                self._report_failures(kind, failures)

        def broken(error: BaseException) -> None:
            from ..network import describe_failure

            reason = str(error) if isinstance(error, outbox.OutboxError) else describe_failure(error)
            self._show_status(f"Nothing was sent by {name}: {' '.join(reason.split())}")
            self._messages.failure(f"Upload by {name}", f"Nothing was sent by {name}.", reason)

        self._begin(
            name,
            lambda job: Attempts(login, self.attempts, job).all(self._opened(), model, values, waiting),
            done,
            broken,
            destination(kind).remark(values),
        )

    def report_uncertain(self, kind: str, outcome: Outcome) -> bool:
        """Report that somebody has the extract, or may have it, without a button that would send it again by mistake.
        Return False if nobody has it."""
        delivery, name = outcome.delivery, destination(kind).name
        if delivery.state == "unknown":
            words = f"It isn't known whether an extract arrived by {name}. Your records are safe in the database."
            buttons: Buttons = (("Show Deliveries", self._show), ("Close", None))
        elif delivery.served:
            words = f"Not everybody has an extract by {name} yet. Your records are safe in the database."
            buttons = (("Try Again", lambda: self.try_again([delivery.identifier])), ("Close", None))
        else:
            return False
        detail, careful = f"{delivery.name}: {_why(outcome)}", delivery.state == "unknown"
        self._messages.choice(f"Upload by {name}", words, detail, buttons, careful=careful)
        return True

    def _report_failures(self, kind: str, failures: Sequence[Outcome]) -> None:
        """Report a failed attempt that ran by itself in the bar, because the next save overwrites the status line."""
        name = destination(kind).name
        what = "An extract" if len(failures) == 1 else f"{len(failures)} extracts"
        identifiers = [each.delivery.identifier for each in failures]
        self._messages.choice(
            f"Upload by {name}",
            f"{what} couldn't be sent by {name}. Your records are safe in the database.",
            "\n".join(f"{each.delivery.name}: {_why(each)}" for each in failures),
            (("Try Again", lambda: self.try_again(identifiers)), ("Close", None)),
        )

    def try_again(self, identifiers: Sequence[str]) -> None:
        """Make an attempt now at deliveries that failed or wait, for the user; say why if that isn't possible."""

        def failed(error: BaseException) -> None:
            from ..network import describe_failure

            what = "The extract" if len(identifiers) == 1 else "The extracts"
            expected = isinstance(error, outbox.OutboxError)
            reason = str(error) if expected else describe_failure(error)
            self._show_status(f"Nothing was sent: {' '.join(reason.split())}")
            retry: tuple[str, Callable[[], object]] = ("Try Again", lambda: self.try_again(identifiers))
            self._messages.choice(
                "Send Again",
                f"{what} couldn't be sent again. Your records are safe in the database.",
                f"{reason}\n\n{NEXT_STEPS}",
                (*(() if expected else (retry,)), ("Show Deliveries", self._show), ("Close", None)),
            )

        self._jobs.submit("files", _to_retry, identifiers, done=self.log_in, failed=failed)

    def _delivered(self, kind: str, arrived: Sequence[Outcome]) -> None:
        files = ", ".join(each.delivery.name for each in arrived)
        remarks = [" ".join(said.split()) for each in arrived for said in each.remark]
        self._show_status(" ".join([destination(kind).success.format(file=files), *remarks]))
        self._messages.settled(f"Upload by {destination(kind).name}")

    def _ask_about(self, kind: str, failure: Outcome, values: Values, login: Login) -> bool:
        """Ask the user about a failure (a login, a host key); return whether it did, so that it needn't be reported."""
        if outbox.login_refused(failure.error):
            self.logins.refused(kind, values, failure.reason)
        if failure.delivery.planned is not None:
            self._plan(kind, failure.delivery, values, login)
        fingerprint = outbox.unknown_host_key(failure.error)
        trust = destination(kind).trust(values, fingerprint) if fingerprint else None
        if trust is None:
            return False

        def answered(trusted: bool) -> None:
            if trusted:
                self.send(kind, [failure.delivery], trust.settings, login)
            else:
                self._show_status("Nothing was sent: the server's key isn't confirmed")

        from .host_key import ask_for_trust  # imported here, because it is seldom needed

        ask_for_trust(
            self._messages, trust.host, fingerprint, "your password and the extract",
            ("Trust and Send", lambda: answered(True)), lambda: answered(False),
        )  # fmt: skip
        return True

    def _plan(self, kind: str, delivery: Delivery, values: Values, login: Login) -> None:
        assert delivery.planned is not None
        key = (kind, delivery.name)

        def attempt() -> None:
            self._timers.pop(key, None)
            self.send(kind, [delivery], values, login)

        wait = delivery.planned - datetime.datetime.now(datetime.timezone.utc)
        self._timers[key] = self._window.after(max(SHORTEST_PAUSE_MS, int(wait.total_seconds() * 1000) + 1), attempt)

    # -- at the start -----------------------------------------------------------------------------------

    def _take_up(self, looked: tuple[list[Delivery], list[str]]) -> None:
        found, problems = looked
        self.report_damage(problems)
        if not found:
            return
        values = self.settings()

        def known(logins: Mapping[str, Login]) -> None:
            self._go_on([each for each in found if each.identifier in logins], values, logins)
            others = [each for each in found if each.identifier not in logins]
            if others:
                self._ask(others)

        self._jobs.submit(ANY, known_logins, found, values, done=known)

    def _go_on(self, found: Sequence[Delivery], values: Values, logins: Mapping[str, Login]) -> None:
        """Send what needs no login dialog, now or when it is planned; ask for the logins of the rest."""
        now = datetime.datetime.now(datetime.timezone.utc)
        due: dict[tuple[str, Login], list[Delivery]] = {}
        for each in found:
            kind, login = each.kind, logins[each.identifier]
            if outbox.is_due(now, each.planned, each.changed):
                due.setdefault((kind, login), []).append(each)
            else:
                self._plan(kind, each, values, login)
        for (kind, login), these in due.items():
            self.send(kind, these, values, login)

    def _ask(self, found: Sequence[Delivery]) -> None:
        offered = [each.identifier for each in found]

        def deliver_now() -> None:
            def seen(looked: tuple[list[Delivery], list[str]]) -> None:
                left = [each for each in looked[0] if each.identifier in offered]
                if left:
                    self.log_in(left)
                else:  # another window or command has sent them: nobody is asked for a password in vain
                    self._show_status("Nothing of it waits to be delivered any more")

            self._jobs.submit("files", _unfinished, done=seen)

        self._messages.choice(
            "Deliveries",
            "An extract waits to be delivered." if len(found) == 1 else f"{len(found)} extracts wait to be delivered.",
            "\n".join(f"{each.name} by {destination(each.kind).name}. {each.reason}".strip() for each in found),
            (("Deliver Now", deliver_now), ("Later", None)),
        )


def _what_became(failure: Outcome) -> str:
    """Return what to say after the name of a delivery that failed."""
    if failure.delivery.state == "unknown":
        return "may have arrived"
    return "hasn't reached everybody" if failure.delivery.served else "was not sent"


def _why(failure: Outcome) -> str:
    """Return why it wasn't sent, when it is tried again, and below that what the server said."""
    from ..network.failures import with_sentence

    return with_sentence(failure.reason, failure.next_attempt) if failure.next_attempt else failure.reason


# -- on worker threads ----------------------------------------------------------------------------------


def _to_retry(identifiers: Sequence[str]) -> list[Delivery]:
    """Take up deliveries that failed or wait, for an attempt now."""
    box = open_outbox()
    return [outbox.retry(box, box.read(each)) for each in identifiers]


def _unfinished() -> tuple[list[Delivery], list[str]]:
    """Return what waits (also after a crash), and a sentence for each damaged part that was put aside."""
    box = open_outbox()
    with suppress(OSError, outbox.OutboxError):  # it can't be written: what waits can be shown all the same
        box.tidy()
    return [each for each in box.deliveries() if each.state == "waiting"], box.problems
