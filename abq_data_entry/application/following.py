"""What others save shows by itself, in the form and in the list, and nothing moves under anybody's hands."""

from __future__ import annotations

import datetime
import logging
import queue
import threading
import time as clock
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import fields
from ..constants import FieldNames as F

if TYPE_CHECKING:
    from ..jobs import Jobs
    from ..models import SQLModel
    from ..models.presence import Notice
    from ..views import DataRecordForm, RecordList
    from .browsing import Browsing
    from .messages import Say
    from .presence import CheckPresence
    from .which_database import DatabaseChanges

log = logging.getLogger(__name__)

LOOK_MS = 200
PAUSE_SECONDS = 1.0  # between two looks into the database: a burst costs one
GONE = "it is no longer in the database."
MOST_ROWS = 100
MOST_CHANGES = 200  # told one by one; what comes with more at once is looked for as a whole
CLOSE_SECONDS = 3.0
Key = tuple[Any, ...]


class FollowingActions(NamedTuple):
    """``show_choices(choices)``: technicians, labs and plots are these now; ``refresh_check()`` looks the form's check
    up again; ``days_changed()``: of some day other records are there now."""

    show_choices: Callable[[Any], object]
    refresh_check: Callable[[], object]
    days_changed: Callable[[], object]


class Following:
    """Hears on a thread of its own; what was heard is shown on the Tk thread, in bundles."""

    def __init__(
        self,
        form: DataRecordForm,
        records: RecordList,
        jobs: Jobs,
        say: Say,
        browsing: Browsing,
        presence: CheckPresence,
        changes: DatabaseChanges,
        actions: FollowingActions,
    ) -> None:
        self._form, self._records, self._jobs, self._say = form, records, jobs, say
        self._browsing, self._presence, self._changes, self._actions = browsing, presence, changes, actions
        self._heard: queue.SimpleQueue[list[Notice]] = queue.SimpleQueue()
        self._watched: SQLModel | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._saved: dict[Key, str] = {}
        self._missed = False
        self._places = False
        self.shown_at = 0.0
        """When what was heard was shown last, on the monotonic clock; 0: never."""
        self._timer = form.after(LOOK_MS, self._look)

    def begin(self, model: SQLModel) -> None:
        """Listen to that database from now on."""
        if model is self._watched:
            return
        self._stop.set()
        self._watched, self._stop = model, threading.Event()
        self._thread = threading.Thread(
            target=model.watch, args=(self._heard.put, self._stop), name="watching", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """The window closes: nothing is shown any more."""
        self._form.after_cancel(self._timer)
        self._stop.set()

    def stop_listening(self) -> None:
        """Hear nothing any more."""
        self._stop.set()

    def close(self) -> None:
        """Wait until the connection that listens is closed; for a worker thread."""
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    # -- what was heard ---------------------------------------------------------------------------------

    def _look(self) -> None:
        self._timer = self._form.after(LOOK_MS, self._look)
        while not self._heard.empty():
            for notice in self._heard.get():
                self._take(notice)
        if self._watched is not None:
            self._changes.look(self._watched)
        self._presence.follow_form()
        self.follow_form()
        if clock.monotonic() - self.shown_at >= PAUSE_SECONDS:
            self.show()

    def follow_form(self) -> None:
        """The list has the day of the form, once it is typed."""
        focused, date = self._form.focused, self._form.inputs.value(F.DATE)
        if (focused is None or focused.name != F.DATE) and isinstance(date, datetime.date):
            self._records.follow_date(date)

    def _take(self, notice: Notice) -> None:
        if notice.channel == "abq_presence":
            self._presence.look()
        elif notice.channel == "abq_schema" and self._watched is not None:
            self._changes.ask(self._watched)
        elif not notice.channel:
            self._missed = True
            self._presence.tell_again()
        elif self._watched is not None and not self._watched.owns(notice.process):
            self._take_change(notice.content)

    def _take_change(self, content: Mapping[str, object]) -> None:
        if not content or len(self._saved) >= MOST_CHANGES:  # labs that are kept apart aren't told what it was
            self._missed = True
            return
        key, operation = _key_in(content), str(content.get("operation")).lower()
        if content.get("table") not in ("plot_checks", "lab_checks"):
            self._places = True
        elif key is not None:
            self._saved[key] = _both(self._saved.get(key), operation)

    @property
    def pending(self) -> int:
        """How many changes were heard of one by one, and aren't shown yet."""
        return len(self._saved)

    def show(self) -> None:
        """Show what was heard."""
        model = self._watched
        saved, self._saved = self._saved, {}
        if model is None or not (saved or self._missed or self._places):
            return
        self.shown_at = clock.monotonic()
        self._actions.days_changed()
        if self._places or self._missed:
            self._jobs.submit("records", model.choices, done=self._actions.show_choices, failed=_not_fetched)
        lab = self._form.check_key[2] if self._form.check_key is not None else None
        if self._missed or any(key[2] == lab for key in saved):
            self._actions.refresh_check()
        missed, self._missed, self._places = self._missed, False, False
        if missed:
            self._show_missed()
        self._fetch(model, saved, whole=missed)

    def _show_missed(self) -> None:
        """Who knows what was saved since the list was fetched, while nobody listened."""
        self._browsing.look_again()
        if self._form.opened is not None and self._watched is not None:
            self._fetch(self._watched, {}, also=(self._form.opened,))

    def _fetch(
        self, model: SQLModel, saved: dict[Key, str], also: tuple[Key, ...] = (), whole: bool = False
    ) -> None:
        """Fetch the records that are to be seen: those in the list, the one in the form, and new ones.

        ``whole``: the list is fetched as a whole already, new ones too.
        """
        records, opened = self._records, self._form.opened
        changed = {key for key in saved if key[3] is not None and (records.holds(key) or key == opened)}
        for check in (key[:3] for key in saved if key[3] is None):
            changed |= {_key_of(row) for row in records.page.rows if _key_of(row)[:3] == check}
            changed |= {opened} if opened is not None and opened[:3] == check else set()
        if self._left_the_list(saved):
            self._browsing.look_again()
            whole = True
        inserted = [key for key, operation in saved.items() if operation == "insert" and key[3] is not None]
        new = [key for key in inserted if not whole and not records.holds(key) and records.may_admit(key)]
        if records.filter.technician is None:  # then the key alone says whether the list has it
            self._show_new(len(new))
            new = []
        wanted = list(dict.fromkeys((*changed, *also, *new)))[:MOST_ROWS]
        if not wanted:
            return

        def fetch() -> tuple[dict[Key, Any], str]:
            every = {key: model.get_versioned_record(*key) for key in wanted}
            found = {key: each for key, each in every.items() if each.record}
            if opened is None or opened in found or opened not in every:
                return found, ""
            return found, model.get_departure(*opened) or GONE

        def show(answer: tuple[dict[Key, Any], str]) -> None:
            found, how = answer
            self._show_found(found, set(new))
            if opened is not None and (how or opened in found):
                self._form.opening.show_gone(opened, how)

        self._jobs.submit("records", fetch, done=show, failed=_not_fetched)

    def _left_the_list(self, saved: Mapping[Key, str]) -> bool:
        """Whether records may be gone from the list: withdrawn, moved, or of another technician by now."""
        records = self._records
        gone = [key for key, operation in saved.items() if operation == "delete" and key[3] is not None]
        for key in gone:
            records.unmark(key)
        others = [] if records.filter.technician is None else [key for key in saved if saved[key] == "update"]
        return any(records.may_admit(key) for key in (*gone, *others) if key[3] is not None)

    def _show_found(self, found: dict[Key, Any], new: set[Key]) -> None:
        records = self._records
        records.show_changed({key: each.record for key, each in found.items() if key not in new})
        if any(records.holds(key) and not records.admits(each.record) for key, each in found.items()):
            self._browsing.look_again()
        self._show_new(sum(records.admits(each.record) for key, each in found.items() if key in new))
        opened = self._form.opened
        if opened in found:
            self._show_opened(opened, found[opened])

    def _show_new(self, count: int) -> None:
        """So many records are new and belong into the list: they appear, unless that would move it under the hands."""
        records = self._records
        if count and records.in_use:
            records.show_news(records.unseen + count)
            self._browsing.count_news(count)
        elif count:
            self._browsing.follow(count)

    def _show_opened(self, key: Any, theirs: Any) -> None:
        """The record in the form was saved by somebody else: show it, or say so where something was typed over it."""
        form = self._form
        opened = form.opened_record
        if opened is None or opened.version in (None, theirs.version) or form.saving:
            return
        by = theirs.changed_by or "Somebody else"
        if form.changed:
            form.opening.show_changed(key, by)
            return
        form.open_record(theirs.record, theirs.version)
        self._say(f"{by} has just corrected plot {key[3]}: these are the new values")


def _both(before: str | None, after: str) -> str:
    """What two changes of a record are together: recorded and corrected is still new, gone and come is changed."""
    if before == "insert" and after == "update":
        return "insert"
    return "update" if before == "delete" and after == "insert" else after


def _key_of(row: Any) -> Key:
    return tuple(row[name] for name in fields.RECORD_KEY)


def _key_in(content: Mapping[str, object]) -> Key | None:
    """Date, time, lab and plot (None: the whole check) of a change; anybody may send one, so it may make no sense."""
    time = str(content.get("time"))[:5].lstrip("0")
    texts = {F.DATE: content.get("date"), F.TIME: time, F.LAB: content.get("lab_id")}
    plot = content.get("plot")
    try:
        check = [fields.parse(fields.field(name), str(text)) for name, text in texts.items()]
    except ValueError:
        return None
    return (*check, plot) if plot is None or isinstance(plot, int) else None


def _not_fetched(error: BaseException) -> None:
    log.info("what others saved couldn't be fetched: %s", type(error).__name__)
