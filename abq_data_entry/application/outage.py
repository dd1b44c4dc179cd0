"""While the database can't be reached: the window tries to reconnect, at growing intervals. Meanwhile, records are kept
and shown on this computer; they are saved when the database is back."""

from __future__ import annotations

import datetime
import logging
import math
import time
import tkinter as tk
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import fields, folders
from ..constants import FieldNames as F
from ..jobs import ANY, Job, Jobs
from ..retrying import CLUSTER, DATABASE, JOURNAL, Policy, Retries
from ..views import DataRecordForm
from ..widgets import StatusBar
from .connection import NoAnswer
from .messages import Messages
from .state import State

if TYPE_CHECKING:
    from ..journal import Entry, Journal
    from ..models import SQLModel
    from ..views.record_windows import WaitingRow
    from ..workflows.replay import Replayed
    from ..workflows.save_record import Save

log = logging.getLogger(__name__)

PATIENCE_MS = 4000  # how long the database may take to answer before the form goes on without it
CLUSTER_SECONDS = 120  # how long a cluster may take to choose a new primary; meanwhile it is tried every second
SAME_OUTAGE_SECONDS = 10.0  # if the database is away again within this time, it counts as the same outage
TICK_MS = 1000


class ReconnectingCallbacks(NamedTuple):
    """Callbacks about the connection to the database.

    ``attempt()`` tries to connect, on a worker thread, and returns the model and the lists. ``back(model, lists)`` is
    called when that succeeds, ``went_away()`` when the connection is lost, and ``show()`` when the state or the time of
    the next attempt has changed. ``is_cluster()`` returns whether several servers are configured.
    """

    attempt: Callable[[], tuple[Any, Any]]
    back: Callable[[Any, Any], object]
    went_away: Callable[[], object]
    show: Callable[[], object]
    is_cluster: Callable[[], bool]


class Reconnecting:
    """Knows whether the database is away, and schedules the attempts to reconnect. On the Tk thread."""

    def __init__(self, window: tk.Misc, state: State, jobs: Jobs, callbacks: ReconnectingCallbacks) -> None:
        self._window, self._state, self._jobs, self._callbacks = window, state, jobs, callbacks
        self._retries = Retries(DATABASE)
        self._back_at = -math.inf
        self._by_itself = True
        self._timer = ""
        self._job: Job | None = None

    @property
    def away(self) -> bool:
        """Whether the database is away, so that records wait on this computer."""
        return self._state.away

    def means_away(self, error: BaseException) -> bool:
        """Return whether the error means that the database is away; if so, start to reconnect."""
        from ..models.errors import LoginFailed, ServerUnreachable
        from ..postgres import PostgresError

        if not isinstance(error, ServerUnreachable | PostgresError | LoginFailed):
            return False
        self.lost(error)
        return True

    def lost(self, error: BaseException, by_itself: bool = True) -> None:
        """Note that the database is away. With ``by_itself`` it is tried in the background, else only on request."""
        self._state.away_error = error
        if self._state.away:
            return
        log.warning("the database is away: %s: %s", type(error).__name__, getattr(error, "detail", ""))
        self._state.away_since = datetime.datetime.now().astimezone()
        self._by_itself = by_itself
        if time.monotonic() - self._back_at > SAME_OUTAGE_SECONDS:
            self._retries.succeeded()
        if self._state.model is not None:  # open connections are useless now
            self._jobs.submit(ANY, self._state.model.close_idle, 0.0)
        self._plan()
        self._callbacks.went_away()

    def expect(self, job: Job, overdue: Callable[[], object] = lambda: None) -> None:
        """Treat the database as away if this job isn't done in time; ``overdue`` is called then."""

        def late() -> None:
            self.lost(NoAnswer("The database didn't answer in time."))
            overdue()

        job.timers.append(self._window.after(PATIENCE_MS, late))

    def retry_now(self) -> None:
        """Try to connect now."""
        if self._job is not None:
            return
        self._cancel_timer()
        self._job = self._jobs.submit("counting", self._callbacks.attempt, done=self._back, failed=self._still_away)
        self._callbacks.show()

    def back(self) -> None:
        """Note that the database answers again."""
        self._cancel_timer()
        if self._state.away:
            log.info("the database is back after %d attempts", self._retries.failures)
            self._back_at = time.monotonic()
        self._state.away_since = self._state.away_error = None
        self._callbacks.show()

    def end(self) -> None:
        """Stop: the window closes."""
        self._cancel_timer()

    def next_text(self) -> str:
        """When the next attempt is, in words."""
        if self._job is not None or self._state.opening:
            return "trying now…"
        return f"trying again in {math.ceil(self._retries.wait)} s" if self._timer else "not tried again by itself"

    def _plan(self) -> None:
        self._retries.failed(self._policy())
        self._cancel_timer()
        if self._by_itself:
            self._wait()
        self._callbacks.show()

    def _policy(self) -> Policy:
        since = self._state.away_since or datetime.datetime.now().astimezone()
        gone = (datetime.datetime.now().astimezone() - since).total_seconds()
        deciding = self._callbacks.is_cluster() and gone < CLUSTER_SECONDS
        return CLUSTER if deciding else DATABASE

    def _wait(self) -> None:
        """Wait for the next attempt, and count the seconds meanwhile."""
        self._timer = self._window.after(min(TICK_MS, math.ceil(self._retries.wait * 1000)), self._tick)

    def _tick(self) -> None:
        self._timer = ""
        if self._retries.due:
            self.retry_now()
        else:
            self._wait()
            self._callbacks.show()

    def _back(self, result: Any) -> None:
        self._job = None
        self._callbacks.back(*result)

    def _still_away(self, error: BaseException) -> None:
        from ..models.errors import LoginFailed, ServerUnreachable
        from ..postgres import PostgresError

        self._job = None
        if not self._state.away:
            return
        self._state.away_error = error
        if isinstance(error, LoginFailed) or not isinstance(error, ServerUnreachable | PostgresError):
            log.warning("the database answers, but: %s", error)
            self._by_itself = False  # retrying wouldn't help
        self._plan()

    def _cancel_timer(self) -> None:
        if self._timer:
            self._window.after_cancel(self._timer)
            self._timer = ""


_UNREADABLE = "Journal"
LOOK_MS = 10_000  # because other windows and the command line use the journal too
REFRESH_MS = 1000
_STATES = {"waiting": "waiting", "undecided": "needs a decision"}


class WaitingCallbacks(NamedTuple):
    """Callbacks about the waiting records.

    ``saved(entries)`` is called with entries that are in the database now. ``retry()`` tries to connect at once.
    ``day_of_form()`` returns the day whose extract would be made. ``open_entry(entry)`` opens a waiting record in the
    form, and returns False if that isn't possible now; ``discard_entry(entry)`` discards one. ``leave_form(then)``
    calls ``then()`` once the draft in the form is kept.
    """

    saved: Callable[[tuple[Entry, ...]], object]
    retry: Callable[[], object]
    day_of_form: Callable[[], datetime.date]
    open_entry: Callable[[Entry], bool]
    discard_entry: Callable[[Entry], object]
    leave_form: Callable[[Callable[[], object]], object]


class WaitingRecords:
    """The waiting records, for the window. On the Tk thread; the file is read and written on the worker ``files``."""

    def __init__(
        self,
        form: DataRecordForm,
        status_bar: StatusBar,
        jobs: Jobs,
        state: State,
        messages: Messages,
        show_status: Callable[[str], object],
        reconnecting: Reconnecting,
        callbacks: WaitingCallbacks,
    ) -> None:
        self._form, self._status_bar, self._jobs, self._state = form, status_bar, jobs, state
        self._messages, self._show_status = messages, show_status
        self._reconnecting, self._callbacks = reconnecting, callbacks
        self._database = ""
        self._mark: tuple[int, ...] | None = None
        self._replaying = False
        self._again = False
        self._problem = self._unreadable = ""
        self._timer = self._retry_timer = ""
        self._retries = Retries(JOURNAL)
        self._journal = OwnJournal()
        # Created once, because the message bar compares them to see whether its buttons have changed.
        self._show_records, self._retry_now = messages.command(self.show), messages.command(callbacks.retry)
        self.in_form: dict[tuple[Any, ...], tuple[str, ...]] = {}
        """By the key of a record: the identifiers of entries that are settled once the form has saved it."""
        self.foreign: tuple[Entry, ...] = ()
        """The entries that wait for another database."""
        state.follow(State.outdated, lambda outdated: None if outdated else self.replay_now())

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries that wait for this database, in order."""
        return self._state.waiting

    @property
    def undecided(self) -> tuple[Entry, ...]:
        """The entries that need a decision."""
        return tuple(each for each in self._state.waiting if each.state == "undecided")

    def begin(self, database: str) -> None:
        """Start to read the journal, now and again; `database` is the one of the settings."""
        self._database = database
        self._look()

    def end(self) -> None:
        """Stop: the window closes."""
        for timer in filter(None, (self._timer, self._retry_timer)):
            self._form.after_cancel(timer)
        self._timer = self._retry_timer = ""

    # -- keeping and settling -------------------------------------------------------------------------

    def keep(
        self, save: Save, cause: str, done: Callable[[], object], failed: Callable[[BaseException], object]
    ) -> Job:
        """Keep a record in the journal; then it waits."""

        def kept(entry: Entry) -> None:
            self._state.waiting = (*self._state.waiting, entry)
            self.show_line()
            done()
            if not self._state.away:
                self.replay()

        return self._jobs.submit("files", self._journal.keep, self._database, save, cause, done=kept, failed=failed)

    def settle(self, identifiers: tuple[str, ...], how: str) -> None:
        """Remove these from the journal, because they are saved or decided about."""
        gone = tuple(each for each in self._state.waiting if each.identifier in identifiers)
        self._state.waiting = tuple(each for each in self._state.waiting if each.identifier not in identifiers)
        self.show_line()
        if how == "saved":
            self._mark_saved(gone)
        self._jobs.submit("files", self._journal.settle, identifiers, how, done=lambda _: self._look_once())

    def replay_now(self) -> None:
        """Save what waits, even if the database has refused it: the connection is new, or the user asks for it."""
        self._retries.succeeded()
        self.replay()

    def replay(self) -> None:
        """Save what waits, if the database is open; then show the result.

        After a refusal of the database this does nothing; `replay_now` tries again.
        """
        model = self._state.model
        if not self._retries.due or self._state.outdated:
            return
        if model is None or not any(each.state == "waiting" for each in self._state.waiting):
            return
        if self._replaying:
            self._again = True
            return
        self._replaying = True
        self._cancel_retry()
        self.show_line()
        self._jobs.submit(
            "database",
            _replay,
            self._journal,
            self._database,
            model,
            done=self._replayed,
            failed=self._not_replayed,
        )

    def agree(self, then: Callable[[], object], date: datetime.date | None = None) -> object:
        """Call `then`, which makes an extract; if records of its day wait here, first ask whether it may lack those.

        The day is ``date``; without it, that of the form or today.
        """
        if not self._state.waiting:
            return then()
        today, own = self._state.today(), date or self._callbacks.day_of_form()
        missing = [each for each in self._state.waiting if each.key[0] in ((date,) if date else (today, own))]
        day = "today" if own == today else str(own)
        if not missing:
            return then()
        self._messages.choice(
            "Waiting Records",
            f"{counted(len(missing))} of {day} {'waits' if len(missing) == 1 else 'wait'} on this computer.",
            "The extract is made from the database, which doesn't have what waits here yet.",
            (("Without What Waits", then), ("Cancel", None)),
        )
        return None

    # -- showing --------------------------------------------------------------------------------------

    def show_line(self) -> None:
        """Show below the status the state of the database, and how many records wait."""
        actions: list[tuple[str, Callable[[], object]]] = []
        if self._state.waiting or self.foreign:
            actions.append(("Show Records", self._show_records))
        if self._state.away:
            actions.append(("Log In…" if self._state.login_refused else "Retry Now", self._retry_now))
        self._status_bar.show_trouble(self.line, actions)
        self._form.show_waiting({each.key for each in self._state.waiting})

    @property
    def is_replaying(self) -> bool:
        """Whether waiting records are being saved now."""
        return self._replaying

    def show(self) -> None:
        """Show the window of waiting records, or bring the open one to the front."""
        from ..views import record_windows
        from ..views.side_window import brought_up

        parent = self._form.winfo_toplevel()
        shown = brought_up(parent, record_windows.WaitingWindow)
        if shown is not None:
            shown.tree.focus_set()
            return

        def with_entry(action: Callable[[Entry], object]) -> Callable[[str], object]:
            def act(identifier: str) -> None:
                entry = next((each for each in self._state.waiting if each.identifier == identifier), None)
                if entry is not None:
                    action(entry)

            return self._messages.command(act)

        def opened(entry: Entry) -> None:
            if self._callbacks.open_entry(entry):
                window.leave()  # it lies over the form
                parent.lift()

        callbacks = record_windows.WaitingCallbacks(
            with_entry(lambda entry: self._callbacks.leave_form(lambda: opened(entry))),
            with_entry(self._callbacks.discard_entry),
            self._retry_now,
        )
        window = record_windows.WaitingWindow(parent, callbacks)

        def refresh() -> None:
            others = [_row(each, f"Waits for the database {each.database}.") for each in self.foreign]
            window.show_rows([*(_row(each) for each in self._state.waiting), *others], self.line or "Nothing waits.")

        window.repeat(REFRESH_MS, refresh)

    @property
    def line(self) -> str:
        """The state of the database, and how many records wait; empty if all is well."""
        since, count = self._state.away_since, counted(len(self._state.waiting))
        if since is not None:
            waiting = f", {count} waiting here" if self._state.waiting else ""
            if self._state.login_refused:
                return f"The database no longer accepts the login{waiting}"
            return f"Database away since {since:%H:%M}{waiting}; {self._reconnecting.next_text()}"
        if self._replaying and len(self._state.waiting) > len(self.undecided):
            return f"Saving {counted(len(self._state.waiting) - len(self.undecided))} that waited here…"
        parts = []
        if self.undecided:
            parts.append(f"{counted(len(self.undecided))} waiting here for your decision")
        if len(self._state.waiting) > len(self.undecided):
            why = f" ({self._problem})" if self._problem else ""
            parts.append(f"{counted(len(self._state.waiting) - len(self.undecided))} waiting here{why}")
        if self.foreign:
            parts.append(f"{counted(len(self.foreign))} waiting here for another database")
        return ", ".join(parts)

    # -- inside ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._timer = self._form.after(LOOK_MS, self._look)
        self._look_once()

    def _look_once(self) -> None:
        self._jobs.submit("files", self._journal.entries, self._mark, done=self._seen, failed=self._not_seen)

    def _seen(self, found: tuple[tuple[int, ...], list[Entry], list[str]] | None) -> None:
        from ..journal import same_database

        if self._unreadable:
            self._unreadable = ""
            self._messages.settled(_UNREADABLE)
        if found is not None:
            self._mark, entries, problems = found
            before = self._state.waiting
            self._state.waiting = tuple(each for each in entries if same_database(each.database, self._database))
            self.foreign = tuple(each for each in entries if each not in self._state.waiting)
            for problem in problems:
                self._messages.warning("Waiting Records", problem)
            self.show_line()
            if self._state.waiting != before:
                self._form.known.look_up()
        if not self._state.away:
            self.replay()

    def _not_seen(self, error: BaseException) -> None:
        log.error("the journal can't be read", exc_info=error)
        if str(error) != self._unreadable:
            self._unreadable = str(error)
            self._messages.note(_UNREADABLE, "What waits on this computer can't be read.", str(error))

    def _replayed(self, done: Replayed) -> None:
        self._replaying = False
        gone = {each.identifier for each in done.saved}
        self._state.waiting = tuple(each for each in self._state.waiting if each.identifier not in gone)
        self._mark_saved(done.saved)
        if done.undecided:
            need = "needs" if len(done.undecided) == 1 else "need"
            self._show_status(f"{counted(len(done.undecided))} that waited here {need} your decision")
        away = done.problem is not None and self._reconnecting.means_away(done.problem)
        self._problem = str(done.problem) if done.problem is not None and not away else ""
        if done.problem is None:
            self._retries.succeeded()
        elif not away:
            self._retry_later()
        self._look_once()
        self.show_line()
        if self._again and done.problem is None:
            self._again = False
            self.replay()

    def _mark_saved(self, entries: tuple[Entry, ...]) -> None:
        """Show these as saved here, because the database has them now."""
        if not entries:
            return
        are = "is" if len(entries) == 1 else "are"
        self._show_status(f"{counted(len(entries))} that waited here {are} in the database now")
        self._callbacks.saved(entries)

    def _not_replayed(self, error: BaseException) -> None:
        from ..journal import JournalBusy

        self._replaying = False
        if not isinstance(error, JournalBusy):
            log.error("what waits couldn't be saved", exc_info=error)
            self._problem = str(error)
        self._retry_later()
        self.show_line()

    def _retry_later(self) -> None:
        self._cancel_retry()
        self._retry_timer = self._form.after(math.ceil(self._retries.failed() * 1000), self._retry)

    def _retry(self) -> None:
        self._retry_timer = ""
        if not self._state.away:
            self.replay()

    def _cancel_retry(self) -> None:
        if self._retry_timer:
            self._form.after_cancel(self._retry_timer)
            self._retry_timer = ""


def counted(number: int) -> str:
    """Return that number of records in words."""
    return "1 record" if number == 1 else f"{number} records"


def _row(entry: Entry, remark: str = "") -> WaitingRow:
    from ..views.record_windows import WaitingRow

    why = remark or entry.remark or entry.cause
    cells = (
        entry.title,
        str(entry.record[F.TECHNICIAN]),
        f"{entry.moment.astimezone():%Y-%m-%d %H:%M}",
        _STATES[entry.state],
        " ".join(why.split()),
    )
    values = ", ".join(
        f"{each.name} {fields.format_value(each, entry.record[each.name])}"
        for each in fields.FIELDS[5:]
        if entry.record[each.name] not in (None, False)
    )
    detail = f"{'Correction' if entry.write == 'update' else 'New record'}: {values}.\n{why}"
    return WaitingRow(entry.identifier, cells, detail.strip(), not remark, not remark and entry.state == "undecided")


# -- on worker threads ----------------------------------------------------------------------------------


class OwnJournal:
    """The journal of this user, opened when first needed; its file is checked again only after another process has
    written to it. On the workers ``files`` and ``database``."""

    @cached_property
    def journal(self) -> Journal:
        """The journal, opened; raises `JournalError`."""
        from ..journal import Journal

        return Journal(folders.data_folder(create=True) / "journal")

    def keep(self, database: str, save: Save, cause: str) -> Entry:
        """Keep a record; damage found in the journal is reported with the next look."""
        from ..workflows.save_record import keep

        return keep(self.journal, database, save, cause)

    def settle(self, identifiers: tuple[str, ...], how: str) -> None:
        """Remove these entries."""
        for identifier in identifiers:
            self.journal.settle(identifier, how)

    def entries(self, mark: tuple[int, ...] | None) -> tuple[tuple[int, ...], list[Entry], list[str]] | None:
        """Return the entries; `None` if the file hasn't changed since ``mark``."""
        present = self.journal.mark()
        if present == mark:
            return None
        found, problems = self.journal.entries(), self.journal.problems.copy()
        del self.journal.problems[: len(problems)]
        return present, found, problems


def _replay(journal: OwnJournal, database: str, model: SQLModel) -> Replayed:
    from ..workflows.replay import replay

    return replay(journal.journal, database, model)
