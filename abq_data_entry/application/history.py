"""The windows of a record's history and of the withdrawn records, and undoing the changes shown there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import fields
from ..constants import FieldTypes
from ..views.record_windows import FieldChange, HistoryWindow, RecordChange, WithdrawnRow, WithdrawnWindow
from ..views.side_window import brought_up
from ..widgets.focus import focused_widget
from .messages import reason_of
from .taking_back import LastAction
from .undoing import Asking, Changes, key_of, named, readings, row_of

if TYPE_CHECKING:
    import tkinter as tk

    from ..models import Change, SQLModel, VersionedRecord, Withdrawn
    from ..models.undoing import By
    from ..views import DataRecordForm, RecordList
    from .connection import Connection
    from .messages import Messages, ShowStatus
    from .state import State
    from .undoing import Key

log = logging.getLogger(__name__)

_DONE = {"INSERT": "recorded", "UPDATE": "corrected", "DELETE": "withdrawn"}


BRING_BACK, TAKE_BACK, WITHDRAW = "Bring Back…", "Take Back…", "Withdraw…"
_USUAL = ("Typing error", "Corrected by mistake", "Wrong plot")
_AT_MOST = 500


class Histories:
    """Opens the windows, and runs their commands through ``changes``. ``permitted(name, action, …)`` runs an action
    unless the login may not do it. On the Tk thread."""

    def __init__(
        self,
        window: tk.Misc,
        form: DataRecordForm,
        records: RecordList,
        state: State,
        connection: Connection,
        messages: Messages,
        show_status: ShowStatus,
        changes: Changes,
        permitted: Callable[..., object],
    ) -> None:
        self._window, self._form, self._records, self._state = window, form, records, state
        self._connection, self._messages, self._show_status = connection, messages, show_status
        self._changes, self._permitted = changes, permitted

    def show(self) -> HistoryWindow | None:
        """Show the history of the selected record: the list's row if the focus is there, else the form's."""
        page = self._records.page
        if focused_widget(self._form) is page.tree and page.selected is not None:
            return self.show_of(page.selected)
        key = self._form.opened or self._form.key
        if key is None:
            self._show_status("Choose a record first: a row of the list, or a plot")
            return None
        return self.show_of(row_of(key))

    def show_of(self, row: Mapping[str, Any]) -> HistoryWindow | None:
        """Show the history of the record of a row."""
        if self._state.model is None:
            self._show_status("The database isn't open yet")
            return None
        key = key_of(row)

        def fetch(window: HistoryWindow) -> None:
            def failed(error: BaseException) -> None:
                log.warning("a history couldn't be fetched", exc_info=error)
                window.show_problem(
                    f"The history couldn't be looked up.\n{reason_of(error)}\n\nRefresh (F5) tries again."
                )

            self._connection.ask(
                lambda model: model.get_history(*key),
                lambda changes: window.show_changes(in_words(changes), offered(changes)),
                failed,
            )

        def undo(window: HistoryWindow, what: str) -> None:
            self._undo(key, what, window.refresh)

        return HistoryWindow(self._window, named(key), fetch, self._messages.command(undo))

    def show_withdrawn(self) -> WithdrawnWindow | None:
        """Show the window of withdrawn records, or bring the open one to the front."""
        shown = brought_up(self._window, WithdrawnWindow)
        if shown is not None:
            shown.tree.focus_set()
            return shown
        found: dict[str, Withdrawn] = {}

        def fetch(show: Callable[[Sequence[WithdrawnRow]], object], problem: Callable[[str], object]) -> None:
            if self._state.reachable is None:
                problem("Withdrawn records can't be looked up while the database is away. F5 tries again.")
                return

            def fetched(records: Sequence[Withdrawn]) -> None:
                found.clear()
                found.update({f"{each.record['Lab']} {each.entry}": each for each in records})
                show([_row(identifier, each) for identifier, each in found.items()])

            self._connection.ask(
                lambda model: model.get_withdrawn(limit=_AT_MOST),
                fetched,
                lambda error: problem(f"Withdrawn records couldn't be looked up.\n{reason_of(error)}"),
            )

        def bring_back(identifier: str) -> None:
            gone = found.get(identifier)
            if gone is not None:
                self._changes.bring_back(gone, window.refresh)

        window = WithdrawnWindow(
            self._window,
            fetch,
            self._messages.command(lambda identifier: self._permitted("withdraw_record", bring_back, identifier)),
        )
        return window

    def _undo(self, key: Key, what: str, done: Callable[[], object]) -> None:
        """Do what the button offers, after asking for the reason; ``done()`` is called when something has changed.
        """
        if what == BRING_BACK:
            self._permitted("withdraw_record", self._bring_back, key, done)
        elif what == WITHDRAW:
            self._permitted("withdraw_record", self._changes.withdraw, row_of(key), done)
        elif what == TAKE_BACK:
            self._permitted("take_back", self._take_back, key, done)

    def _bring_back(self, key: Key, done: Callable[[], object]) -> None:
        if not self._changes.may_begin():
            return

        def found(records: Sequence[Withdrawn]) -> None:
            gone = next((each for each in records if key_of(each.record) == key), None)
            if gone is None:
                self._show_status(f"The record of {named(key)} isn't withdrawn any more")
                done()
            else:
                self._changes.bring_back(gone, done)

        self._changes.look_up(
            f"the record of {named(key)}",
            lambda model: model.get_withdrawn(key[0], key[0], key[2]),
            found,
            "Bring Back",
        )

    def _take_back(self, key: Key, done: Callable[[], object]) -> None:
        """Ask for a reason, then take back the last change of the record."""
        changes = self._changes

        def ask(found: VersionedRecord, key: Key) -> None:
            def act(_values: object, reason: str) -> None:
                def change(model: SQLModel, by: By) -> str:
                    return model.take_back(key, found.version, reason=reason, by=by)

                def taken_back(result: str) -> None:
                    changes.changed(_result_text(key, result))
                    if result == "restored":
                        changes.remember(again)
                    done()

                changes.do(asking, change, taken_back)

            asking = Asking("Take Back", key, lambda: self._take_back(key, done))
            changes.ask(
                asking,
                f"Take back the last change of the record of {named(key)}?",
                f"Now: {readings(found.record)}.\n\nIt will be as it was before that change. The audit keeps both.",
                "Take Back",
                act,
                usual=_USUAL,
            )

        again = LastAction(
            f"what was taken back of {named(key)}",
            lambda model, by: model.take_back(key, None, by=by),
            lambda _result: changes.changed(f"The record of {named(key)} is as corrected again"),
        )
        changes.with_record(row_of(key), ask)


def in_words(changes: Sequence[Change]) -> list[RecordChange]:
    """Return the changes as the window shows them, the newest first."""
    newest_first = sorted(changes, key=lambda each: each.moment, reverse=True)
    first = newest_first[-1] if newest_first else None
    return [
        RecordChange(
            f"{each.moment.astimezone():%Y-%m-%d %H:%M:%S}",
            each.who,
            each.workstation,
            _done(each, each is first),
            each.reason,
            (*_whole(each, each is first), *(
                FieldChange(name, _shown(name, before), _shown(name, after))
                for name, (before, after) in each.fields.items()
                if name not in fields.RECORD_KEY
            )),
        )
        for each in newest_first
    ]


def _done(change: Change, is_first: bool) -> str:
    """Return what was done to the record."""
    operation = change.operation.upper()
    if change.elsewhere:
        return f"moved to {change.elsewhere}" if operation == "DELETE" else f"moved here from {change.elsewhere}"
    if operation == "INSERT" and change.reason and not is_first:  # a first entry never has one
        return "brought back"
    return _DONE.get(operation, change.operation)


def _whole(change: Change, is_first: bool) -> tuple[FieldChange, ...]:
    """Return the row for a change of the whole record; empty if its fields show it."""
    is_gone = change.operation.upper() == "DELETE"
    if change.elsewhere:
        places = ("", change.elsewhere) if is_gone else (change.elsewhere, "")
        return (FieldChange("Moved", *places, whole=True),)
    done = _done(change, is_first)
    return () if done in (_DONE["INSERT"], _DONE["UPDATE"]) else (FieldChange(done.capitalize(), "", "", whole=True),)


def _shown(name: str, text: str) -> str:
    """Return a text of the database with its unit, or yes or no for a box."""
    if name not in fields.CSV_HEADER:
        return text
    field = fields.field(name)
    if field.type is FieldTypes.BOOLEAN:
        return {"true": "yes", "false": "no"}.get(text, text)
    return f"{text} {field.unit}" if text and field.unit else text


def offered(changes: Sequence[Change]) -> str:
    """Return what undoes the last of these changes; empty if nothing does, such as after a move to another place."""
    latest = max(changes, key=lambda each: each.moment, default=None)
    if latest is None:
        return ""
    operation = latest.operation.upper()
    if operation == "DELETE":
        return "" if latest.elsewhere else BRING_BACK
    return WITHDRAW if operation == "INSERT" and len(changes) == 1 else TAKE_BACK


def _result_text(key: Key, result: str) -> str:
    what = {"withdrawn": "is withdrawn: it was its first entry", "moved": "is where it was before"}
    return f"The record of {named(key)} {what.get(result, 'is as it was before its last change')}"


def _row(identifier: str, gone: Withdrawn) -> WithdrawnRow:
    key = named(key_of(gone.record))
    when = f"{gone.moment.astimezone():%Y-%m-%d %H:%M}"
    where = f" on {gone.workstation}" if gone.workstation else ""
    detail = f"{key}: {readings(gone.record)}.\nWithdrawn {when} by {gone.who}{where}: {gone.reason or '-'}"
    return WithdrawnRow(identifier, (key, str(gone.record["Technician"]), when, gone.who, gone.reason), detail)
