"""Records that wait on this computer for the database: kept, counted, shown, and saved when it is back."""

from __future__ import annotations

import datetime
import logging
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import folders
from ..retrying import JOURNAL, Retries
from .state import State

if TYPE_CHECKING:
    from ..journal import Entry, Journal
    from ..workflows.replay import Replayed
    from ..workflows.save_record import Save
    from .window import Application

log = logging.getLogger(__name__)

_UNREADABLE = "Journal"
LOOK_MS = 10_000  # another window, or the command line, may keep and save too


class Waiting:
    """The journal as the window sees it. On the Tk thread; file work is done on the lane for files."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._database = ""
        self._mark: tuple[int, ...] | None = None
        self._replaying = False
        self._again = False
        self._problem = self._unreadable = ""
        self._timer = self._retry_timer = ""
        self._retries = Retries(JOURNAL)
        self._in_form: dict[tuple[Any, ...], tuple[str, ...]] = {}
        self.entries: tuple[Entry, ...] = ()
        """What waits for this database, in order."""
        self.foreign: tuple[Entry, ...] = ()
        """What waits for another one."""
        application.shared.follow(State.outdated, lambda outdated: None if outdated else self.replay_now())

    @property
    def keys(self) -> set[tuple[Any, ...]]:
        """Date, time, lab and plot of each record that waits."""
        return {each.key for each in self.entries}

    @property
    def in_line(self) -> set[tuple[Any, ...]]:
        """The keys of those that are saved as soon as the database is back: later records of them go behind."""
        return {each.key for each in self.entries if each.state == "waiting"}

    @property
    def undecided(self) -> tuple[Entry, ...]:
        """Those that need somebody's decision."""
        return tuple(each for each in self.entries if each.state == "undecided")

    def latest(self, key: tuple[Any, ...]) -> Entry | None:
        """The last record of that date, time, lab and plot that waits."""
        return next((each for each in reversed(self.entries) if each.key == key), None)

    def begin(self, database: str) -> None:
        """Look at the journal, now and again; `database` is the one that the settings lead to."""
        self._database = database
        self._look()

    def end(self) -> None:
        """The window closes."""
        for timer in filter(None, (self._timer, self._retry_timer)):
            self._app.after_cancel(timer)
        self._timer = self._retry_timer = ""

    # -- keeping and settling -------------------------------------------------------------------------

    def keep(
        self, save: Save, cause: str, done: Callable[[], object], failed: Callable[[BaseException], object]
    ) -> None:
        """Keep a record in the journal; then it waits."""

        def kept(found: tuple[Entry, list[str]]) -> None:
            entry, problems = found
            self._tell(problems)
            self.entries = (*self.entries, entry)
            self.show_line()
            done()
            if not self._app.reconnecting.away:
                self.replay()

        self._app.jobs.submit("files", _keep, self._database, save, cause, done=kept, failed=failed)

    def settle(self, identifiers: tuple[str, ...], how: str) -> None:
        """The database has these, or somebody decided about them."""
        gone = tuple(each for each in self.entries if each.identifier in identifiers)
        self.entries = tuple(each for each in self.entries if each.identifier not in identifiers)
        self.show_line()
        if how == "saved":
            self._mark_saved(gone)
        self._app.jobs.submit("files", _settle, identifiers, how, done=lambda _: self._look_once())

    def decide_in_form(self, entries: Sequence[Entry]) -> None:
        """These wait no more once the form has saved their record."""
        self._in_form[entries[-1].key] = tuple(each.identifier for each in entries)

    def form_saved(self, key: tuple[Any, ...]) -> None:
        """The form has saved the record of that key."""
        decided = self._in_form.pop(key, ())
        if decided:
            self.settle(decided, "decided")

    def replay_now(self) -> None:
        """Save what waits, whatever the database said to that before: it was away meanwhile, or somebody asks."""
        self._retries.succeeded()
        self.replay()

    def replay(self) -> None:
        """Save what waits, if the database is open; afterwards show what became of it.

        Where the database refused that, it isn't asked again at once: `replay_now` is for that.
        """
        model = self._app.data_model
        if not self._retries.due or self._app.shared.outdated:
            return
        if model is None or not any(each.state == "waiting" for each in self.entries):
            return
        if self._replaying:
            self._again = True
            return
        self._replaying = True
        self._cancel_retry()
        self.show_line()
        lasting, database = self._app.connection.lasting, self._database
        self._app.jobs.submit(
            "database", lambda: _replay(database, model, lasting), done=self._replayed, failed=self._not_replayed
        )

    def agree(self, then: Callable[[], object], date: datetime.date | None = None) -> object:
        """Make an extract, `then`; where records of its day wait here, ask whether it may lack them.

        The day is ``date``; without it, that of the form or today.
        """
        today, own = self._app.shared.today(), date or self._app.extract_days.of_form
        missing = [each for each in self.entries if each.key[0] in ((date,) if date else (today, own))]
        day = "today" if own == today else str(own)
        if not missing:
            return then()
        self._app.messages.choice(
            "Waiting Records",
            f"{counted(len(missing))} of {day} {'waits' if len(missing) == 1 else 'wait'} on this computer.",
            "The extract is made from the database, which doesn't have what waits here yet.",
            (("Without What Waits", then), ("Cancel", None)),
        )
        return None

    # -- showing --------------------------------------------------------------------------------------

    def show_line(self) -> None:
        """Say below the status how the database is, and how many records wait."""
        self._app.status_bar.show_trouble(self.line, self._actions())
        self._app.form.show_waiting(self.keys)

    @property
    def is_replaying(self) -> bool:
        """Whether what waits is being saved at this moment."""
        return self._replaying

    def show(self) -> None:
        """Open the window of what waits."""
        from .waiting_list import show_waiting

        show_waiting(self._app)

    @property
    def line(self) -> str:
        """How the database is, and how many records wait; empty when all is well."""
        away, count = self._app.reconnecting, counted(len(self.entries))
        if away.since is not None:
            waiting = f", {count} waiting here" if self.entries else ""
            if away.refused:
                return f"The database doesn't take the login any more{waiting}"
            return f"Database away since {away.since:%H:%M}{waiting}; {away.next_text()}"
        if self._replaying and len(self.entries) > len(self.undecided):
            return f"Saving {counted(len(self.entries) - len(self.undecided))} that waited here…"
        parts = []
        if self.undecided:
            parts.append(f"{counted(len(self.undecided))} waiting here for your decision")
        if len(self.entries) > len(self.undecided):
            why = f" ({self._problem})" if self._problem else ""
            parts.append(f"{counted(len(self.entries) - len(self.undecided))} waiting here{why}")
        if self.foreign:
            parts.append(f"{counted(len(self.foreign))} waiting here for another database")
        return ", ".join(parts)

    def _actions(self) -> tuple[tuple[str, Callable[[], object]], ...]:
        command = self._app.messages.command
        shown = (("Show Records", command(self.show)),) if self.entries or self.foreign else ()
        if self._app.reconnecting.away:
            retry = "Log In…" if self._app.reconnecting.refused else "Retry Now"
            return (*shown, (retry, command(self._app.retry_database)))
        return shown

    # -- inside ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._timer = self._app.after(LOOK_MS, self._look)
        self._look_once()

    def _look_once(self) -> None:
        self._app.jobs.submit("files", _entries, self._mark, done=self._seen, failed=self._not_seen)

    def _seen(self, found: tuple[tuple[int, ...], list[Entry], list[str]] | None) -> None:
        from ..journal import same_database

        if self._unreadable:
            self._unreadable = ""
            self._app.messages.settled(_UNREADABLE)
        if found is not None:
            self._mark, entries, problems = found
            before = self.keys
            self.entries = tuple(each for each in entries if same_database(each.database, self._database))
            self.foreign = tuple(each for each in entries if each not in self.entries)
            self._tell(problems)
            self.show_line()
            if self.keys != before:
                self._app.checks.refresh()
        if not self._app.reconnecting.away:
            self.replay()

    def _tell(self, problems: list[str]) -> None:
        for problem in problems:
            self._app.messages.warning("Waiting Records", problem)

    def _not_seen(self, error: BaseException) -> None:
        log.error("the journal can't be read", exc_info=error)
        if str(error) != self._unreadable:
            self._unreadable = str(error)
            self._app.messages.note(_UNREADABLE, "What waits on this computer can't be read.", str(error))

    def _replayed(self, done: Replayed) -> None:
        self._replaying = False
        gone = {each.identifier for each in done.saved}
        self.entries = tuple(each for each in self.entries if each.identifier not in gone)
        self._mark_saved(done.saved)
        if done.undecided:
            need = "needs" if len(done.undecided) == 1 else "need"
            self._app.status.set(f"{counted(len(done.undecided))} that waited here {need} your decision")
        away = done.problem is not None and self._app.reconnecting.means_away(done.problem)
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
        """The database has these by now: show them as what was saved here."""
        if not entries:
            return
        for entry in entries:
            self._app.offline.record_saved(entry.record)
            self._app.record_list.mark(entry.key, "new" if entry.write == "insert" else "edited")
        self._app.status.set(f"{counted(len(entries))} that waited here {_are(entries)} in the database now")
        self._app.checks.refresh()
        self._app.browsing.look_again()
        self._app.extract_days.look_soon()

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
        self._retry_timer = self._app.after(math.ceil(self._retries.failed() * 1000), self._retry)

    def _retry(self) -> None:
        self._retry_timer = ""
        if not self._app.reconnecting.away:
            self.replay()

    def _cancel_retry(self) -> None:
        if self._retry_timer:
            self._app.after_cancel(self._retry_timer)
            self._retry_timer = ""


def counted(number: int) -> str:
    """So many records, for people."""
    return "1 record" if number == 1 else f"{number} records"


def _are(entries: tuple[Entry, ...]) -> str:
    return "is" if len(entries) == 1 else "are"


# -- on worker threads ----------------------------------------------------------------------------------


def open_journal() -> Journal:
    """The journal of this user."""
    from ..journal import Journal

    return Journal(folders.data_folder(create=True) / "journal")


def _keep(database: str, save: Save, cause: str) -> tuple[Entry, list[str]]:
    from ..workflows.save_record import keep

    journal = open_journal()
    return keep(journal, database, save, cause), journal.problems


def _settle(identifiers: tuple[str, ...], how: str) -> None:
    journal = open_journal()
    for identifier in identifiers:
        journal.settle(identifier, how)


def _entries(mark: tuple[int, ...] | None) -> tuple[tuple[int, ...], list[Entry], list[str]] | None:
    """What waits; `None` if the file is the one that was read before."""
    journal = open_journal()
    present = journal.mark()
    if present == mark:
        return None
    return present, journal.entries(), journal.problems


def _replay(database: str, model: Any, lasting: Callable[[Callable[[], Any]], Any]) -> Replayed:
    from ..workflows.replay import replay

    lasting(model.connect)  # our own server is started again where it has gone
    return replay(open_journal(), database, model)
