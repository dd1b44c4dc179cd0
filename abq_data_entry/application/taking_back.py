"""Take back what was done last in this window: a save, or a withdrawal, a move or a correction of many records."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import fields
from .entry import place
from .messages import reason_of

if TYPE_CHECKING:
    from ..models import SQLModel, VersionedRecord
    from ..models.undoing import By
    from .window import Application

log = logging.getLogger(__name__)
TITLE = "Take Back the Last Save"


class LastAction(NamedTuple):
    """What was done: its name in a sentence, what takes it back (on the database's thread), and what follows then."""

    name: str
    undo: Callable[[SQLModel, By], Any]
    done: Callable[[Any], object]


class TakingBack:
    """Knows what was done last, once; on the Tk thread."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._last: LastAction | None = None
        self._running = False
        self._waits_as: tuple[Any, ...] = ()

    def saved(self, record: Mapping[str, Any], key: tuple[Any, ...], version: int | None) -> None:
        """The form's record is saved, as that version; it still stands in the form as it was typed."""
        form = self._app.form
        typed, reason = form.texts(), form.reason.text

        def undo(model: SQLModel, by: By) -> VersionedRecord:
            model.take_back(key, version, by=by)
            return model.get_versioned_record(*key)

        self._last = LastAction(
            f"the save of {place(record)}", undo, lambda found: self._show(record, typed, reason, found)
        )
        self._waits_as = key

    def remember(self, action: LastAction) -> None:
        """Something else was done that can be taken back."""
        self._last, self._waits_as = action, ()

    def take_back(self) -> None:
        """Take back what was done last."""
        app, action = self._app, self._last
        if app.form.saving:
            app.navigation.after_saving(self.take_back)
        elif action is None:
            app.status.set("Nothing was saved in this window that could be taken back")
        elif self._running:
            app.status.set("This is being taken back…")
        elif (waiting := app.waiting.latest(self._waits_as) if self._waits_as else None) is not None:
            self._take_from_journal(action, waiting)
        elif app.data_model is None or app.reconnecting.away:
            app.status.set("This can be taken back when the database is back")
        else:
            self._run(app.data_model, action)

    def by(self) -> By:
        """Who asks, for the audit and for the rule of persons."""
        from ..models.undoing import By

        return By(self._app.shared.person, person=True)

    def _take_from_journal(self, action: LastAction, waiting: Any) -> None:
        """It isn't in the database yet: it waits no more."""
        if self._app.waiting.is_replaying:
            self._app.status.set("This is being saved right now. Take it back in a moment")
            return
        from ..models import VersionedRecord

        self._last = None
        self._app.waiting.settle((waiting.identifier,), "discarded")
        base = waiting.base if waiting.write == "update" else None
        action.done(VersionedRecord(base or {}, waiting.version or 0 if base else 0))

    def _run(self, model: SQLModel, action: LastAction) -> None:
        self._running = True
        by = self.by()

        def done(result: Any) -> None:
            self._running = False
            self._last = None
            action.done(result)

        def failed(error: BaseException) -> None:
            self._running = False
            log.warning("%s couldn't be taken back: %s", action.name, type(error).__name__)
            if self._app.reconnecting.means_away(error):
                self._app.status.set("This can be taken back when the database is back")
                return
            self._app.checks.refresh()
            self._app.messages.failure(TITLE, f"Not taken back: {action.name}.", reason_of(error))

        self._app.jobs.submit(
            "database",
            lambda: self._app.connection.lasting(lambda: action.undo(model, by)),
            done=done,
            failed=failed,
        )

    def _show(self, record: Mapping[str, Any], typed: Mapping[str, str], reason: str, found: VersionedRecord) -> None:
        """The record is as it was: the form holds again what was typed."""

        def fill() -> None:
            form = self._app.form
            self._app.show_form()
            if found.version:
                form.open_record(found.record, found.version)
                form.fill(typed)
                form.reason.fill(reason)
            else:
                form.restore_draft({"texts": typed, "opened": None})
            form.focus_correction()
            self._app.drafts.edited()

        key = tuple(record[name] for name in fields.RECORD_KEY)
        if not found.version:
            self._app.record_list.unmark(key)
        self._app.navigation.leave_form(fill)
        self._app.checks.refresh()
        self._app.browsing.look_again()
        self._app.outdated.offer()
        was = "as it was before" if found.version else "not recorded any more"
        self._app.status.set(f"{place(record)}: taken back, {was}. What you typed stands in the form again")
