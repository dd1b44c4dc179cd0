"""Opens the history of a record, and puts the database's changes into words."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import fields
from ..constants import FieldTypes
from ..views.record_windows import FieldChange, HistoryWindow, RecordChange
from ..widgets.focus import focused_widget
from . import history_undoing
from .messages import reason_of

if TYPE_CHECKING:
    from ..models import Change
    from .window import Application

log = logging.getLogger(__name__)
_DONE = {"INSERT": "recorded", "UPDATE": "corrected", "DELETE": "withdrawn"}


def show_history(application: Application) -> HistoryWindow | None:
    """Show the history of the record that has the attention: the list's row if the focus is there, else the form's."""
    records = application.record_list
    if focused_widget(application) is records.page.tree and records.page.selected is not None:
        return show_history_of(application, records.page.selected)
    key = application.form.opened or application.form.key
    if key is None:
        application.status.set("Choose a record first: a row of the list, or a plot")
        return None
    return show_history_of(application, dict(zip(fields.RECORD_KEY, key, strict=True)))


def show_history_of(application: Application, row: Mapping[str, Any]) -> HistoryWindow | None:
    """Show the history of the record of a row."""
    model = application.data_model
    if model is None:
        application.status.set("The database isn't open yet")
        return None
    key = tuple(row[name] for name in fields.RECORD_KEY)
    date, time, lab, plot = key

    def fetch(window: HistoryWindow) -> None:
        def failed(error: BaseException) -> None:
            log.warning("a history couldn't be fetched", exc_info=error)
            window.show_problem(f"The history couldn't be looked up.\n{reason_of(error)}\n\nRefresh (F5) tries again.")

        application.jobs.submit(
            "records",
            lambda: application.connection.lasting(lambda: model.get_history(*key)),
            done=lambda changes: window.show_changes(in_words(changes), history_undoing.offered(changes)),
            failed=failed,
        )

    def undo(window: HistoryWindow, what: str) -> None:
        history_undoing.undo(application, key, what, window.refresh)

    command = application.messages.command
    return HistoryWindow(application, f"{date} {time}, lab {lab}, plot {plot}", fetch, command(undo))


def in_words(changes: Sequence[Change]) -> list[RecordChange]:
    """The changes as the window shows them, the newest first."""
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
    """What was done to the record."""
    operation = change.operation.upper()
    if change.elsewhere:
        return f"moved to {change.elsewhere}" if operation == "DELETE" else f"moved here from {change.elsewhere}"
    if operation == "INSERT" and change.reason and not is_first:  # a first entry never has one
        return "brought back"
    return _DONE.get(operation, change.operation)


def _whole(change: Change, is_first: bool) -> tuple[FieldChange, ...]:
    """The line for what became of the record as a whole; none where its fields tell it."""
    is_gone = change.operation.upper() == "DELETE"
    if change.elsewhere:
        places = ("", change.elsewhere) if is_gone else (change.elsewhere, "")
        return (FieldChange("Moved", *places, whole=True),)
    done = _done(change, is_first)
    return () if done in (_DONE["INSERT"], _DONE["UPDATE"]) else (FieldChange(done.capitalize(), "", "", whole=True),)


def _shown(name: str, text: str) -> str:
    """A text of the database with its unit, and yes or no for a box."""
    if name not in fields.CSV_HEADER:
        return text
    field = fields.field(name)
    if field.type is FieldTypes.BOOLEAN:
        return {"true": "yes", "false": "no"}.get(text, text)
    return f"{text} {field.unit}" if text and field.unit else text
