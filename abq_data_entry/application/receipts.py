"""Receivers' answers while the window is open: the mailbox is read each hour, or at once if it announces new mail."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..jobs import ANY, Job, Jobs
from ..network.mail_addresses import MAILBOX, configured_mailbox
from ..workflows.deliver_day import open_outbox
from .messages import reason_of

if TYPE_CHECKING:
    import tkinter as tk

    from ..models import SQLModel
    from ..models.destinations import Receipt
    from ..outbox import Delivery
    from ..workflows.receipts import MailboxRead
    from .logins import Login, Logins
    from .messages import Messages, ShowStatus
    from .preferences import Settings
    from .state import State

log = logging.getLogger(__name__)

LOOK_MS = 10_000
READ_SECONDS = 3600.0
HEARD_SECONDS = 300.0
"""Seconds between two questions to the database about what other workstations have read."""
SHOWN_SECONDS = 5.0
_SUBJECT = "Answers to Deliveries"

Values = Mapping[str, object]


class Looked(NamedTuple):
    """The result of a look for answers.

    ``reopened``: deliveries that their receivers refused; ``damage``: what is damaged in the outbox; ``read``: what was
    read in the mailbox, with which ``login``; ``problem``: why it wasn't read; ``passes``: trying again may help;
    ``refused``: the login was refused.
    """

    reopened: Sequence[Delivery]
    damage: Sequence[str]
    read: MailboxRead | None = None
    login: Login | None = None
    problem: str = ""
    passes: bool = False
    refused: bool = False


class Answers:
    """Reads the mailbox that the settings name, if its login is stored; otherwise it only fetches from the database
    what other workstations have read. On the Tk thread. Only `ask` asks for a login that isn't stored. `may_deliver()`:
    whether the login may deliver; `show_deliveries()` opens their window; `report_damage(problems)` is called with what
    is found to be damaged in the outbox."""

    def __init__(
        self,
        window: tk.Misc,
        state: State,
        jobs: Jobs,
        settings: Settings,
        messages: Messages,
        show_status: ShowStatus,
        may_deliver: Callable[[], bool],
        show_deliveries: Callable[[], object],
        report_damage: Callable[[Sequence[str]], object],
        logins: Logins,
    ) -> None:
        self._window, self._state, self._jobs, self._settings = window, state, jobs, settings
        self._messages, self._show_status = messages, show_status
        self._may_deliver, self._show_deliveries, self._report_damage = may_deliver, show_deliveries, report_damage
        self._logins = logins
        self._job: Job | None = None
        self._read_at, self._heard_at, self._shown_at = -READ_SECONDS, -HEARD_SECONDS, -SHOWN_SECONDS
        self._reported: set[str] = set()
        self._news, self._end = threading.Event(), threading.Event()
        self._watcher: threading.Thread | None = None
        self.found: dict[str, list[Receipt]] = {}
        """The answers by the identifier of the delivery, as of the last look."""
        self._timer = window.after(LOOK_MS, self._tick)

    @property
    def is_reading(self) -> bool:
        """Whether the mailbox or the database is being asked now."""
        return self._job is not None and not self._job.finished

    def end(self) -> None:
        """Stop: the window closes."""
        self._window.after_cancel(self._timer)
        self._end.set()
        if self._job is not None:
            self._job.cancel.set()

    def look(self, now: bool = False) -> None:
        """Read new answers if it is time for that, or with `now` in any case."""
        model, values = self._state.reachable, self._settings.values()
        if self.is_reading or model is None or self._state.outdated or not self._may_deliver():
            return
        moment = time.monotonic()
        reads = configured_mailbox(values) is not None and (
            now or self._news.is_set() or moment - self._read_at >= READ_SECONDS
        )
        if not reads and not now and moment - self._heard_at < HEARD_SECONDS:
            return
        self._heard_at = moment
        if reads:
            self._news.clear()
            self._read_at = moment
            self._take_in(model, values)
        else:
            self._job = self._jobs.submit("deliveries", _identifiers, done=self._ask, failed=_unknown)

    @property
    def has_mailbox(self) -> bool:
        """Whether the settings name a mailbox."""
        return configured_mailbox(self._settings.values()) is not None

    def ask(self, show_status: ShowStatus) -> None:
        """Read new answers for the user, who is asked for a login that isn't stored; `show_status` shows the result."""
        model, values = self._state.reachable, self._settings.values()
        if model is None or self._state.outdated:
            show_status("The mailbox is read when the database is there")
            return
        if not self._may_deliver():
            show_status("Your login may not deliver: others read the mailbox")
            return

        def answered(login: Login | None) -> None:
            if login is None:
                show_status("The mailbox wasn't read")
            elif self.is_reading:
                show_status("The mailbox is being read already")
            else:
                show_status("The mailbox is being read")
                self._take_in(model, values, login, show_status)

        self._logins.obtain(MAILBOX, values, "", answered)

    def _ask(self, found: tuple[list[str], list[str]]) -> None:
        """Ask the database whether another workstation has read an answer to one of our deliveries."""
        deliveries, problems = found
        self._report_damage(problems)
        model = self._state.reachable
        if model is None or not deliveries:
            return

        def heard(found: Sequence[Receipt]) -> None:
            if found:
                self._take_in(model, None)

        self._job = self._jobs.submit(
            "records", lambda: model.get_receipts(deliveries, unsettled=True), done=heard, failed=_unknown
        )

    def _take_in(
        self, model: SQLModel, values: Values | None, login: Login | None = None, show_status: ShowStatus | None = None
    ) -> None:
        """Read answers in the background. With `show_status` the user waits for the result and gets all of it;
        otherwise only refusals and problems are shown."""
        if login is None and values is not None:
            login = self._logins.of_session(MAILBOX, values, str(values["abq_answers_username"]))

        def work(job: Job) -> Looked:
            return _read(model, values, login, job.cancel)

        def looked(found: Looked) -> None:
            self._note_login(values, found)
            if show_status is None:
                self._report_problem(found)
            else:
                self._answer(found, show_status)
            self._looked(found)

        def failed(error: BaseException) -> None:
            _unknown(error)
            if show_status is not None:
                show_status(reason_of(error))

        self._job = self._jobs.submit(ANY, work, name=_SUBJECT, done=looked, failed=failed, with_job=True)

    def _note_login(self, values: Values | None, found: Looked) -> None:
        if values is None or found.login is None:
            return
        if found.refused:
            self._logins.refused(MAILBOX, values, found.problem)
        elif not found.problem:
            self._logins.accepted(MAILBOX, values, found.login)

    def _answer(self, found: Looked, show_status: ShowStatus) -> None:
        """Show the result to the user, who waits for it."""
        if found.problem:
            show_status("The mailbox wasn't read")
            again = self._messages.command(lambda: self.ask(show_status))
            self._messages.failure(_SUBJECT, "The mailbox of answers wasn't read.", found.problem, again)
            return
        self._messages.settled(_SUBJECT)
        read = found.read
        show_status(read.line if read else "The mailbox wasn't read")

    def _report_problem(self, found: Looked) -> None:
        problem = "" if found.passes else found.problem
        if problem and problem not in self._reported:  # once, because the next look finds the same
            self._reported.add(problem)
            self._show_status(f"The mailbox of answers wasn't read: {' '.join(problem.split())}")
            self._messages.note(_SUBJECT, "The mailbox of answers wasn't read.", problem)

    def look_up(self, deliveries: Sequence[str]) -> None:
        """Fetch the answers to these from the database, but not more often than every few seconds."""
        model, moment = self._state.reachable, time.monotonic()
        if model is None or not deliveries or moment - self._shown_at < SHOWN_SECONDS:
            return
        self._shown_at = moment

        def show(found: Sequence[Receipt]) -> None:
            self.found = {}
            for each in found:
                self.found.setdefault(each.delivery, []).append(each)

        self._jobs.submit("records", model.get_receipts, list(deliveries), done=show, failed=_unknown)

    def _tick(self) -> None:
        self._timer = self._window.after(LOOK_MS, self._tick)
        self.look()

    def _looked(self, found: Looked) -> None:
        reopened = found.reopened
        self._report_damage(found.damage)
        if reopened:
            self._shown_at = -SHOWN_SECONDS
            one = len(reopened) == 1
            what = f"{reopened[0].name} was refused" if one else f"{len(reopened)} files were refused"
            self._show_status(f"{what} by {'its receiver' if one else 'their receivers'}")
            self._messages.choice(
                _SUBJECT,
                f"{what} by {'its receiver' if one else 'their receivers'}. Your records are safe in the database.",
                "\n".join(f"{each.name}: {each.reason}" for each in reopened),
                (("Show Deliveries", self._show_deliveries), ("Close", None)),
            )
        if found.login is not None and not found.problem:
            self._watch(found.login)

    def _watch(self, login: Login) -> None:
        """Wait for new mail on a separate thread, until the window closes or the connection ends."""
        model, values = self._state.reachable, self._settings.values()
        address = configured_mailbox(values)
        is_waiting = self._watcher is not None and self._watcher.is_alive()
        if model is None or address is None or address.protocol != "imap" or is_waiting:
            return
        self._watcher = threading.Thread(
            target=_watch_mailbox, args=(model, values, login, self._news, self._end), name="mailbox", daemon=True
        )
        self._watcher.start()


# -- on worker threads ----------------------------------------------------------------------------------


def _identifiers() -> tuple[list[str], list[str]]:
    """Return the identifiers of this computer's deliveries, and messages about damage in its outbox."""
    box = open_outbox()
    return [each.identifier for each in box.deliveries()], box.problems


def _login(values: Values) -> Login | None:
    from .logins import look_up, server_of

    server = server_of(MAILBOX, values)
    return look_up(MAILBOX, server.username, server.place).login


def _read(model: SQLModel, values: Values | None, login: Login | None, cancel: threading.Event) -> Looked:
    """Read the mailbox, if values are given, with this login or the stored one; then apply the answers to the
    deliveries of this computer's outbox."""
    from .. import outbox
    from ..network.failures import Cancelled, UserFacingError, describe_failure
    from ..workflows.receipts import apply_answers, read_mailbox

    box, found = open_outbox(), Looked((), ())
    login = login or (None if values is None else _login(values))
    if values is not None and login is not None:
        outbox.record(box, model)  # an answer is compared with what the database knows
        try:
            found = Looked((), (), read_mailbox(model, values, login, cancel), login)
        except Cancelled:
            pass
        except (OSError, ValueError) as error:
            log.warning("the mailbox of answers wasn't read: %s", type(error).__name__)
            passes = isinstance(error, UserFacingError) and error.transient
            refused = outbox.login_refused(error)
            found = Looked((), (), None, login, describe_failure(error), passes, refused)
    return found._replace(reopened=apply_answers(box, model), damage=box.problems)


def _watch_mailbox(model: SQLModel, values: Values, login: Login, news: threading.Event, end: threading.Event) -> None:
    from ..models import DatabaseError
    from ..network.failures import Cancelled
    from ..workflows.receipts import watch_mailbox

    try:
        watch_mailbox(model, values, login, news, end)
    except (Cancelled, DatabaseError, OSError, ValueError) as error:  # the mailbox is still read once an hour
        log.info("the mailbox no longer announces new mail: %s", type(error).__name__)


def _unknown(error: BaseException) -> None:
    # Only logged: the window itself reports problems of the database, and the next look may succeed.
    log.warning("what was answered isn't known: %s", type(error).__name__)
