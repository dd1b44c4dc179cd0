"""Deliveries of the window: through the outbox, tried again while it is open, taken up again at the next start."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import outbox
from ..jobs import ANY, Job
from .attempts import Attempts, NotDelivered, Running, again, unfinished
from .logins import Login, Logins, known_logins

if TYPE_CHECKING:
    from ..outbox import Delivery
    from .window import Application

SUCCESS = {"REST": "{file} successfully uploaded to REST API.", "FTP": "{file} successfully uploaded to FTP"}
BUSY_PAUSE_MS = 1000
SHORTEST_PAUSE_MS = 500

Values = Mapping[str, object]
Begin = Callable[[str, Callable[[Job], Any], Callable[[Any], object], Callable[[BaseException], object]], None]


class Deliveries:
    """What waits, on the Tk thread. A login is kept for the attempts that are planned, and in `Logins`; nowhere else.

    `begin(name, work, done, failed)` runs a command in the background and shows it; `running(name)` tells whether
    one of that name runs.
    """

    def __init__(self, application: Application, begin: Begin, running: Callable[[str], bool]) -> None:
        self._app = application
        self._begin = begin
        self._running = running
        self._timers: dict[tuple[str, str], str] = {}
        self._offered = False
        self.logins = Logins(application)
        self.attempts: dict[str, Running] = {}
        """What is being sent, by identifier; written by worker threads."""

    def settings(self) -> dict[str, object]:
        """The settings as they are now, for a worker thread."""
        return {name: variable.get() for name, variable in self._app.settings.items()}

    def stop(self, identifier: str) -> bool:
        """Cancel the attempt that this window makes at a delivery; False if it makes none."""
        attempt = self.attempts.get(identifier)
        if attempt is not None:
            attempt.stop()
        return attempt is not None

    def upload(
        self,
        name: str,
        date: datetime.date,
        values: Values,
        login: Login,
        failed: Callable[[BaseException], object],
    ) -> None:
        """Put the extract of a day in and make the first attempt; a later one is planned where that may help."""
        model = self._app.data_model
        assert model is not None
        # A new version is made: the attempt that is planned for the older one has nothing left to do.
        self.forget(name, outbox.extract_name(date))

        def work(job: Job) -> str:
            return Attempts(model, values, name.lower(), login, self.attempts, job).first(
                date, name.lower(), login[0]
            )

        def done(file: str) -> None:
            self.logins.accepted(name, values, login)
            self._delivered(name, file)

        def ended_badly(error: BaseException) -> None:
            if not isinstance(error, NotDelivered) or not self._mend(name, error, values, login):
                failed(error)

        self._begin(name, work, done, ended_badly)

    def forget(self, name: str, file_name: str) -> None:
        """Make no attempt at this file any more that was planned in this window."""
        timer = self._timers.pop((name, file_name), None)
        if timer is not None:
            self._app.after_cancel(timer)

    def forget_logins(self) -> None:
        """Forget the logins, those of the attempts that are planned too: what waits goes on when somebody logs in."""
        for name, file_name in tuple(self._timers):
            self.forget(name, file_name)
        self.logins.forget_all(self._app.status.set)

    def offer(self) -> None:
        """Take up what wasn't finished when the window was closed, or offer to; once, at the start."""
        if not self._offered:
            self._offered = True
            self._app.jobs.submit("files", unfinished, done=self._look_for_logins)

    def log_in(self, left: list[Delivery]) -> None:
        """Ask for the login of one service after the other, and send what goes there."""
        if not left:
            return
        these = [each for each in left if (each.kind, each.username) == (left[0].kind, left[0].username)]
        name, values = left[0].kind.upper(), self.settings()

        def answered(login: Login | None) -> None:
            if login is not None:
                self._send(name, these, values, login)
            self.log_in([each for each in left if each not in these])

        self.logins.obtain(name, values, left[0].username, answered)

    def _send(self, name: str, waiting: Sequence[Delivery], values: Values, login: Login) -> None:
        """Make one attempt at each of these, and plan the next ones."""
        if self._running(name):  # no retry: nothing was tried, our own attempt goes first
            self._app.after(BUSY_PAUSE_MS, self._send, name, waiting, values, login)
            return
        model = self._app.data_model
        assert model is not None
        for each in waiting:
            self.forget(name, each.name)

        def done(result: tuple[list[str], list[NotDelivered]]) -> None:
            files, failures = result
            if files:
                self.logins.accepted(name, values, login)
                self._delivered(name, ", ".join(files))
            told: list[NotDelivered] = []
            for each in failures:
                if each.cause is None:  # a newer version took its place meanwhile
                    continue
                reason = f"{each.delivery.name} was not sent by {name}: {each.told}"
                self._app.status.set(" ".join(reason.split()))
                if not self._mend(name, each, values, login):
                    told.append(each)
            if told:
                self._tell(name, told)

        def broken(error: BaseException) -> None:
            from ..network import describe_failure

            told = str(error) if isinstance(error, outbox.OutboxError) else describe_failure(error)
            self._app.status.set(f"Nothing was sent by {name}: {' '.join(told.split())}")
            self._app.messages.failure(f"Upload by {name}", f"Nothing was sent by {name}.", told)

        self._begin(
            name,
            lambda job: Attempts(model, values, name.lower(), login, self.attempts, job).all(waiting),
            done,
            broken,
        )

    def _tell(self, name: str, failures: Sequence[NotDelivered]) -> None:
        """An attempt that nobody waited for has failed: the status line alone would be overwritten by the next save."""
        what = "An extract" if len(failures) == 1 else f"{len(failures)} extracts"
        identifiers = [each.delivery.identifier for each in failures]
        self._app.messages.choice(
            f"Upload by {name}",
            f"{what} couldn't be sent by {name}. Your records are safe in the database.",
            "\n".join(f"{each.delivery.name}: {each.told}" for each in failures),
            (("Try Again", lambda: self._again(identifiers)), ("Close", None)),
        )

    def _again(self, identifiers: Sequence[str]) -> None:
        def failed(error: BaseException) -> None:
            from ..network import describe_failure

            self._app.status.set(str(error) if isinstance(error, outbox.OutboxError) else describe_failure(error))

        self._app.jobs.submit("files", again, identifiers, done=self.log_in, failed=failed)

    def _delivered(self, name: str, files: str) -> None:
        self._app.status.set(SUCCESS[name].format(file=files))
        self._app.messages.settled(f"Upload by {name}")

    def _mend(self, name: str, failure: NotDelivered, values: Values, login: Login) -> bool:
        """Do what can be done about a failure; True if the user is asked about it, so that nothing has to be told."""
        if outbox.login_refused(failure.cause):
            self.logins.refused(name, values, str(failure))
        if failure.delivery.planned is not None:
            self._plan(name, failure.delivery, values, login)
        fingerprint = outbox.unknown_host_key(failure.cause)
        if not fingerprint or values["abq_sftp_host_key"]:  # which key it must be is settled: this is another one
            return False
        trusting = {**values, "abq_sftp_host_key": fingerprint}

        def answered(trusted: bool) -> None:
            if trusted:
                self._send(name, [failure.delivery], trusting, login)
            else:
                self._app.status.set("Nothing was sent: the server's key isn't confirmed")

        from .host_key import ask_about_key

        ask_about_key(self._app.messages, str(values["abq_ftp_host"]), fingerprint, answered)
        return True

    def _plan(self, name: str, delivery: Delivery, values: Values, login: Login) -> None:
        assert delivery.planned is not None
        key = (name, delivery.name)

        def attempt() -> None:
            self._timers.pop(key, None)
            self._send(name, [delivery], values, login)

        wait = delivery.planned - datetime.datetime.now(datetime.timezone.utc)
        self._timers[key] = self._app.after(max(SHORTEST_PAUSE_MS, int(wait.total_seconds() * 1000) + 1), attempt)

    # -- at the start -----------------------------------------------------------------------------------

    def _look_for_logins(self, found: Sequence[Delivery]) -> None:
        if not found:
            return
        values = self.settings()

        def known(logins: Mapping[str, Login]) -> None:
            self._go_on([each for each in found if each.identifier in logins], values, logins)
            others = [each for each in found if each.identifier not in logins]
            if others:
                self._ask(others)

        self._app.jobs.submit(ANY, known_logins, found, values, done=known)

    def _go_on(self, found: Sequence[Delivery], values: Values, logins: Mapping[str, Login]) -> None:
        """Send what needs nobody: now, or when its schedule says."""
        now = datetime.datetime.now(datetime.timezone.utc)
        due: dict[tuple[str, Login], list[Delivery]] = {}
        for each in found:
            name, login = each.kind.upper(), logins[each.identifier]
            if outbox.is_due(now, each.planned, each.changed):
                due.setdefault((name, login), []).append(each)
            else:
                self._plan(name, each, values, login)
        for (name, login), these in due.items():
            self._send(name, these, values, login)

    def _ask(self, found: Sequence[Delivery]) -> None:
        self._app.messages.choice(
            "Deliveries",
            "An extract waits to be delivered." if len(found) == 1 else f"{len(found)} extracts wait to be delivered.",
            "\n".join(f"{each.name} by {each.kind.upper()}. {each.reason}".strip() for each in found),
            (("Deliver Now", lambda: self.log_in(list(found))), ("Later", None)),
        )
