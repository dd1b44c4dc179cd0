"""Takes back the last action in this window: a save, a withdrawal, a move, or a correction of many records."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import fields
from ..views import DataRecordForm
from ..views.form_content import OpenedRecord
from .messages import Messages, place, reason_of
from .state import LastSave, State

if TYPE_CHECKING:
    from ..models import SQLModel, VersionedRecord
    from ..models.undoing import By
    from ..workflows.save_record import Save
    from .connection import Connection
    from .navigation import Navigation
    from .outage import Reconnecting, WaitingRecords

log = logging.getLogger(__name__)
TITLE = "Take Back the Last Save"
UNDOES = f"Edit ‣ {TITLE} undoes it"


class LastAction(NamedTuple):
    """What was done: its name in a sentence, what takes it back (on the database's thread), and what follows then."""

    name: str
    undo: Callable[[SQLModel, By], Any]
    done: Callable[[Any], object]


class TakingBack:
    """Remembers the last action, which can be taken back once. On the Tk thread.

    ``show_form()`` brings the form to the front; ``edited()`` is called when something was put into the form, and
    ``changed(gone)`` when a record was changed or, with its key as ``gone``, removed; ``keep(draft)`` keeps something
    half typed as the draft of its plot, and returns whether that was possible.
    """

    def __init__(
        self,
        form: DataRecordForm,
        state: State,
        messages: Messages,
        show_status: Callable[[str], object],
        waiting_records: WaitingRecords,
        connection: Connection,
        reconnecting: Reconnecting,
        navigation: Navigation,
        show_form: Callable[[], object],
        edited: Callable[[], object],
        changed: Callable[[tuple[Any, ...] | None], object],
        keep: Callable[[Mapping[str, Any]], bool],
    ) -> None:
        self._form, self._state, self._messages, self._waiting_records = form, state, messages, waiting_records
        self._show_status = show_status
        self._connection, self._reconnecting, self._navigation = connection, reconnecting, navigation
        self._show_form, self._edited, self._changed, self._keep = show_form, edited, changed, keep
        self._last: LastAction | None = None
        self._running = False
        self._asked_at: tuple[Any, ...] | None = None  # what the form showed when the command was chosen

    def remember(self, action: LastAction) -> None:
        """Remember an action other than a save, which can be taken back."""
        self._last, self._state.last_save = action, None

    def take_back(self) -> None:
        """Take back what was done last."""
        action, model, waiting, last = self._last, self._state.reachable, None, self._state.last_save
        if last is not None:
            action, waiting = self._undoing(last), self._state.latest_waiting(last.save.key)
        if self._form.saving:
            context = copy_context()  # keeps the command, so that typing since then is noticed
            self._navigation.after_saving(lambda: context.run(self.take_back))
        elif action is None:
            self._show_status("Nothing was saved in this window that could be taken back")
        elif self._running:
            self._show_status("This is being taken back…")
        elif waiting is not None:
            self._take_from_journal(action, waiting)
        elif model is None:
            self._show_status("This can be taken back when the database is back")
        else:
            self._run(action)

    def by(self) -> By:
        """Return who does it, for the audit and for the rules about persons."""
        from ..models.undoing import By

        return By(self._state.person, person=True)

    def _undoing(self, last: LastSave) -> LastAction:
        """Return the action for the form's last save."""
        save, version = last

        def undo(model: SQLModel, by: By) -> VersionedRecord:
            model.take_back(save.key, version, by=by)
            return model.get_versioned_record(*save.key)

        return LastAction(f"the save of {place(save.record)}", undo, lambda found: self._show(save, found))

    def _forget(self) -> None:
        self._last = self._state.last_save = None

    def _take_from_journal(self, action: LastAction, waiting: Any) -> None:
        """Remove the record from the journal, because it isn't in the database yet."""
        if self._waiting_records.is_replaying:
            self._show_status("This is being saved right now. Take it back in a moment")
            return
        from ..models import VersionedRecord

        self._forget()
        self._asked_at = self._form.key
        self._waiting_records.settle((waiting.identifier,), "discarded")
        base = waiting.base if waiting.write == "update" else None
        action.done(VersionedRecord(base or {}, (waiting.version or 0) if base else 0))

    def _run(self, action: LastAction) -> None:
        self._running, self._asked_at = True, self._form.key
        self._show_status(f"Taking back {action.name}…")
        by = self.by()

        def done(result: Any) -> None:
            self._running = False
            self._forget()
            action.done(result)

        def failed(error: BaseException) -> None:
            self._running = False
            log.warning("%s couldn't be taken back: %s", action.name, type(error).__name__)
            if self._reconnecting.means_away(error):
                self._show_status("This can be taken back when the database is back")
                return
            self._form.known.look_up()
            self._show_status(f"Not taken back: {action.name}")
            self._messages.failure(TITLE, f"Not taken back: {action.name}.", reason_of(error))

        self._connection.ask(lambda model: action.undo(model, by), done, failed, "database")

    def _show(self, save: Save, found: VersionedRecord) -> None:
        """Show in the form again what was typed, unless the user is at another plot by now."""
        record, key = save.record, save.key
        if self._messages.typed_since() or self._form.key != self._asked_at:
            words = self._kept_behind(save, found)
        else:
            self._fill(save, found)
            words = "What you typed stands in the form again"
        self._changed(None if found.record else key)
        was = "as it was before" if found.record else "not recorded any more"
        self._show_status(f"{place(record)}: taken back, {was}. {words}")

    def _kept_behind(self, save: Save, found: VersionedRecord) -> str:
        """Keep what was taken back as a draft of its plot, because the next keys are meant for what is in the form.
        Return a sentence about it."""
        key: Any = save.key
        if self._form.key == key:
            return "The form keeps what you have typed since"
        draft: dict[str, Any] = {"texts": _texts(save.record), "reason": save.reason, "opened": None}
        if found.record:
            draft |= OpenedRecord(key, _texts(found.record), found.record, found.version or None).draft()
        if self._keep(draft):
            return "What you typed there is kept half typed"
        return "That plot has something else half typed, which stays"

    def _fill(self, save: Save, found: VersionedRecord) -> None:
        typed, reason = _texts(save.record), save.reason

        def fill() -> None:
            form = self._form
            self._show_form()
            if found.record:
                form.open_record(found.record, found.version or None)  # the last known copy has no versions
                form.fill(typed)
                form.reason.fill(reason)
            else:
                form.draft_keeper.restore({"texts": typed, "opened": None})
            form.focus_correction()
            self._edited()

        self._navigation.leave_form(fill)


def _texts(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of all fields."""
    return {each.name: fields.format_value(each, record.get(each.name)) for each in fields.FIELDS}
