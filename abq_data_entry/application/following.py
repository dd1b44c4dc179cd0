"""Shows what others do: who is entering which plot, and what they save. Nothing that the user is using moves."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import fields
from ..constants import FieldNames as F
from ..retrying import PRESENCE, Retries
from ..views.form_content import CheckKey, Entering
from .lookup import others_in

if TYPE_CHECKING:
    from ..jobs import Jobs
    from ..models import Presence, SQLModel
    from ..models.connections import ServerFacts
    from ..models.presence import Notification
    from ..views import DataRecordForm, RecordList
    from .lookup import Browsing
    from .messages import ShowStatus
    from .outage import Reconnecting
    from .state import State
    from .which_database import DatabaseChanges


IDLE_SECONDS = 600.0  # how long after the last key a check still counts as being entered
LOOK_MS = 200
PAUSE_SECONDS = 1.0  # between two queries, so that many changes at once cause one
AGAIN_MS = 1000  # after an outage, so that waiting records are saved first
GONE = "it is no longer in the database."
MOST_ROWS = 100
MOST_CHANGES = 200  # shown one by one; with more at once, everything is fetched again
CLOSE_SECONDS = 3.0
LOOK_SECONDS = 5.0  # how long somebody whose computer crashed may still be shown
REMARK_TABLES = ("value_marks", "shift_notes")  # remarks about records, plots and labs
Key = tuple[Any, ...]
Held = tuple[CheckKey, "int | None", str]

log = logging.getLogger(__name__)


class CheckPresence:
    """Announces to other windows at which check and plot this form is: from the moment that somebody is confirmed or
    types there, until the form is left or idle. A plot belongs to the window that claimed it first."""

    def __init__(
        self, form: DataRecordForm, state: State, jobs: Jobs, show_status: ShowStatus, reconnecting: Reconnecting
    ) -> None:
        self._form, self._state, self._jobs, self._show_status = form, state, jobs, show_status
        self._reconnecting = reconnecting
        self._check: CheckKey | None = None
        self.now: Callable[[], float] = time.monotonic
        """Returns the time in seconds."""
        self._typed_at = self.now() - IDLE_SECONDS
        self._refused = False
        self._announced: Held | None = None
        self._looked: CheckKey | None = None
        self._looked_at = 0.0
        self._looking = False
        self.look_at = 0.0
        """When the form must be checked again at the latest, by that clock."""
        self._retries = Retries(PRESENCE)

    def look(self) -> None:
        """Fetch who is at the form's check now, because somebody came, moved on or left."""
        self._looked = None
        self.look_at = 0.0

    def announce_again(self) -> None:
        """Announce the form's check again, because a lost connection has ended the old announcement."""
        self._announced = None
        self._retries.succeeded()
        self.look()

    def follow_form(self) -> bool:
        """Announce the form's check and plot if they have changed, and fetch who is there. Return whether a plot is
        being claimed."""
        model = self._state.model
        if model is None:
            return False
        held = self._held()
        asks = held != self._announced and self._retries.due
        if asks:
            self._announced = held
            job = self._jobs.submit("records", _announce, model, held, done=self._answered, failed=self._unanswered)
            if held is not None:
                self._reconnecting.expect(job, self._form.pending_answer.claim_answered)
        check = self._form.check
        # Repeated while others are shown, because nothing announces somebody whose connection was cut.
        due = check.key != self._looked or (check.others and self.now() - self._looked_at > LOOK_SECONDS)
        if check.key is not None and due and not self._looking and not self._state.away:
            self._look_who_is_there(model, check.key)
        waits = held != self._announced or (self._looking and check.key != self._looked)
        since = self._looked_at if check.others else self.now()
        self.look_at = self._retries.not_before if waits else since + LOOK_SECONDS
        return asks and held is not None and not self._state.away

    def confirmed(self) -> bool:
        """Claim the plot in the form, because somebody was confirmed; return whether there is one to claim."""
        self._typed_at = self.now()
        return self.follow_form()

    def _answered(self, answer: Answer) -> None:
        """Go on to a free plot if the claim was refused, because the plot belongs to somebody else."""
        self._retries.succeeded()
        self._refused = not answer.is_ours
        if not answer.is_ours:
            self._give_way(answer)
        self._form.pending_answer.claim_answered()

    def _unanswered(self, error: BaseException) -> None:
        self._announced, self.look_at = None, 0.0  # the announcement ended with its connection
        self._retries.failed()
        self._form.pending_answer.claim_answered()
        _unknown(error)

    def _give_way(self, answer: Answer) -> None:
        if answer.held is None or answer.held[1] is None:
            return
        form, plot = self._form, answer.held[1]
        form.show_others(answer.held[0], answer.others)
        if form.check.key == answer.held[0] and form.known.leave_taken_plot(plot):
            other = next((each.named for each in answer.others if each.plot == plot), "A colleague")
            self._show_status(f"{other} is entering plot {plot}; the form is at the next free one")
            self.follow_form()

    def leave(self) -> None:
        """Stop: the window closes."""
        model = self._state.model
        if model is not None and self._announced is not None:
            self._jobs.submit("database", model.leave_check, failed=_unknown)

    def _look_who_is_there(self, model: SQLModel, key: CheckKey) -> None:
        self._looking, self._looked, self._looked_at = True, key, self.now()

        def done(present: Sequence[Presence]) -> None:
            self._looking = False
            others = others_in(present)
            claimed = self._announced
            if self._refused and claimed is not None and claimed[1] not in {each.plot for each in others}:
                self._announced, self.look_at = None, 0.0  # the claim has expired
            self._form.show_others(key, others)

        def failed(error: BaseException) -> None:
            self._looking = False
            if not self._reconnecting.means_away(error):  # otherwise the last known state stays
                self._form.show_others(key, ())
            _unknown(error)

        self._jobs.submit("records", model.get_presence, *key, done=done, failed=failed)

    def _held(self) -> Held | None:
        form = self._form
        recently = self.now() - self._typed_at <= IDLE_SECONDS
        if form.changed or form.saving:
            self._check, self._typed_at = form.check_key, self.now()
        elif recently and form.confirmation.name and form.check.known and not (form.opened or form.inputs.read_only):
            self._check = form.check_key
        if self._check is None or self._check != form.check_key or self.now() - self._typed_at > IDLE_SECONDS:
            self._check = None
            return None
        plot = form.inputs.value(F.PLOT)
        return self._check, plot if isinstance(plot, int) else None, self._state.person


class Answer(NamedTuple):
    """The result of a claim, with the others at the check if it was refused."""

    held: Held | None
    is_ours: bool
    others: tuple[Entering, ...] = ()


def _announce(model: SQLModel, held: Held | None) -> Answer:
    if held is None:
        model.leave_check()
        return Answer(held, True)
    check, plot, who = held
    if plot is None:
        model.enter_check(*check, plot, who)
        return Answer(held, True)
    if model.claim_plot(*check, plot, who):
        return Answer(held, True)
    return Answer(held, False, others_in(model.get_presence(*check)))


def _unknown(error: BaseException) -> None:
    log.info("who is entering what couldn't be sent or asked: %s", type(error).__name__)


class FollowingActions(NamedTuple):
    """Callbacks about changes by others, on the Tk thread.

    ``show_choices(choices)`` gets the lists of technicians, labs and plots after a change. ``days_changed()`` is called
    when the records of a day have changed, ``marks_changed()`` when marks of QA or notes may have, ``messages_heard()``
    when a colleague may have sent a message, and ``form_changed()`` when the form may show another check or record.
    """

    show_choices: Callable[[Any], object]
    days_changed: Callable[[], object]
    marks_changed: Callable[[], object]
    messages_heard: Callable[[], object]
    form_changed: Callable[[], object]


class Following:
    """Listens to the database on its own thread; changes are collected and shown on the Tk thread."""

    def __init__(
        self,
        form: DataRecordForm,
        records: RecordList,
        jobs: Jobs,
        show_status: ShowStatus,
        browsing: Browsing,
        presence: CheckPresence,
        changes: DatabaseChanges,
        actions: FollowingActions,
    ) -> None:
        self._form, self._records, self._jobs, self._show_status = form, records, jobs, show_status
        self._browsing, self._presence, self._changes, self._actions = browsing, presence, changes, actions
        self._heard: queue.SimpleQueue[list[Notification]] = queue.SimpleQueue()
        self._watched: SQLModel | None = None
        self._facts: ServerFacts | None = None  # of the last connection
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._saved: dict[Key, str] = {}
        self._missed = self._remarks_changed = False
        self._lists_changed = False
        self.shown_at = 0.0
        """When changes were last shown, by the monotonic clock; 0: never."""
        self._edition = form.edition
        self._timer, self._begins = form.after(LOOK_MS, self._look), ""

    def begin_again(self, model: SQLModel) -> None:
        """Start soon to listen to a database that is back, and then fetch the changes that were missed."""
        self.stop_listening()
        self._begins = self._form.after(AGAIN_MS, self.begin, model)

    def begin(self, model: SQLModel) -> None:
        """Listen to that database from now on."""
        self._begins = ""
        self._stop.set()
        self._watched, self._facts, self._stop = model, None, threading.Event()
        self._thread = threading.Thread(
            target=model.watch, args=(self._heard.put, self._stop), name="watching", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """Stop showing anything: the window closes."""
        self._form.after_cancel(self._timer)
        self.stop_listening()

    def stop_listening(self) -> None:
        """Stop listening."""
        if self._begins:
            self._form.after_cancel(self._begins)
        self._stop.set()

    def close(self) -> None:
        """Wait until the listening connection is closed; on a worker thread."""
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    # -- notifications ----------------------------------------------------------------------------------

    def _look(self) -> None:
        self._timer = self._form.after(LOOK_MS, self._look)
        while not self._heard.empty():
            for notice in self._heard.get():
                self._take(notice)
        if self._watched is not None and self._facts != self._watched.server_facts:
            self._facts = self._watched.server_facts
            self._changes.look(self._watched)
        is_changed, self._edition = self._form.edition != self._edition, self._form.edition
        if is_changed:
            self._actions.form_changed()
        if is_changed or self._presence.now() >= self._presence.look_at:
            self._presence.follow_form()
        if self._form.date != self._records.followed:
            self.follow_form()
        has_heard = self._saved or self._missed or self._lists_changed or self._remarks_changed
        if has_heard and time.monotonic() - self.shown_at >= PAUSE_SECONDS:
            self.show()

    def follow_form(self) -> None:
        """Let the list follow the day of the form, once that is typed."""
        focused, date = self._form.focused, self._form.date
        if (focused is None or focused.name != F.DATE) and date is not None:
            self._records.follow_date(date)

    def _take(self, notice: Notification) -> None:
        if notice.channel == "abq_presence":
            self._presence.look()
        elif notice.channel == "abq_schema" and self._watched is not None:
            self._changes.ask(self._watched)
        elif notice.channel == "abq_messages":
            self._actions.messages_heard()
        elif not notice.channel:
            self._missed = True
            self._actions.messages_heard()
            self._presence.announce_again()
        elif self._watched is not None:
            # Including changes of this window, because a correction may have answered a question.
            if notice.content.get("table", REMARK_TABLES[0]) in REMARK_TABLES:
                self._remarks_changed = True
            if not self._watched.owns(notice.process):
                self._take_change(notice.content)

    def _take_change(self, content: Mapping[str, object]) -> None:
        if not content or len(self._saved) >= MOST_CHANGES:  # without content if labs are kept apart
            self._missed = True
            return
        key, operation = _key_in(content), str(content.get("operation")).lower()
        if content.get("table") in REMARK_TABLES:
            return
        if content.get("table") not in ("plot_checks", "lab_checks"):
            self._lists_changed = True
        elif key is not None:
            self._saved[key] = _combined(self._saved.get(key), operation)

    @property
    def pending(self) -> int:
        """The number of single changes that aren't shown yet."""
        return len(self._saved)

    def show(self) -> None:
        """Show the collected changes."""
        model = self._watched
        saved, self._saved = self._saved, {}
        if model is not None and (self._remarks_changed or self._missed):
            self._remarks_changed, self.shown_at = False, time.monotonic()
            self._actions.marks_changed()
        if model is None or not (saved or self._missed or self._lists_changed):
            return
        self.shown_at = time.monotonic()
        self._actions.days_changed()
        if self._lists_changed or self._missed:
            self._jobs.submit("records", model.choices, done=self._actions.show_choices, failed=_not_fetched)
        lab = self._form.check_key[2] if self._form.check_key is not None else None
        if self._missed or any(key[2] == lab for key in saved):
            self._form.known.look_up()
        missed, self._missed, self._lists_changed = self._missed, False, False
        if missed:
            self._show_missed()
        self._fetch(model, saved, whole=missed)

    def _show_missed(self) -> None:
        """Fetch everything visible again, because changes may have been missed."""
        self._browsing.look_again()
        if self._form.opened is not None and self._watched is not None:
            self._fetch(self._watched, {}, also=(self._form.opened,))

    def _fetch(
        self, model: SQLModel, saved: dict[Key, str], also: tuple[Key, ...] = (), whole: bool = False
    ) -> None:
        """Fetch changed records that are visible: those in the list, the one in the form, and new ones.

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
        if records.filter.technician is None:  # then the key alone determines whether a record matches
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
                self._form.shown_record.show_gone(opened, how)

        self._jobs.submit("records", fetch, done=show, failed=_not_fetched)

    def _left_the_list(self, saved: Mapping[Key, str]) -> bool:
        """Return whether records may have left the list: withdrawn, moved, or now of another technician."""
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
        """Show new records in the list, or only their number while the user moves in it."""
        records = self._records
        if count and records.in_use:
            records.show_news(records.unseen + count)
            self._browsing.count_news(count)
        elif count:
            self._browsing.follow(count)

    def _show_opened(self, key: Any, theirs: Any) -> None:
        """Show the new version of the record in the form; if something was typed there, only show that there is one."""
        form = self._form
        opened = form.opened_record
        if opened is None or opened.version in (None, theirs.version) or form.saving:
            return
        by = theirs.changed_by or "Somebody else"
        if form.changed:
            form.shown_record.show_changed(key, by)
            return
        form.open_record(theirs.record, theirs.version)
        self._show_status(f"{by} has just corrected plot {key[3]}: these are the new values")


def _combined(before: str | None, after: str) -> str:
    """Return two changes of a record as one: inserted and updated is an insert, deleted and inserted an update."""
    if before == "insert" and after == "update":
        return "insert"
    return "update" if before == "delete" and after == "insert" else after


def _key_of(row: Any) -> Key:
    return tuple(row[name] for name in fields.RECORD_KEY)


def _key_in(content: Mapping[str, object]) -> Key | None:
    """Return the key of a change (plot None: the whole check); None if it isn't valid, because anybody may send one."""
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
