"""The windows of a record's history and of the withdrawn records, and what undoes the changes shown there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import fields
from ..constants import FieldTypes
from ..views.record_windows import FieldChange, HistoryWindow, RecordChange, WithdrawnRow, WithdrawnWindow
from ..views.side_window import brought_up
from ..widgets.focus import focused_widget
from . import undoing
from .messages import reason_of
from .taking_back import LastAction

if TYPE_CHECKING:
    from ..models import Change, SQLModel, VersionedRecord, Withdrawn
    from ..models.undoing import By
    from .undoing import Key
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
            done=lambda changes: window.show_changes(in_words(changes), offered(changes)),
            failed=failed,
        )

    def undo(window: HistoryWindow, what: str) -> None:
        undo_change(application, key, what, window.refresh)

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


BRING_BACK, TAKE_BACK, WITHDRAW = "Bring Back…", "Take Back…", "Withdraw…"
_USUAL = ("Typing error", "Corrected by mistake", "Wrong plot")


def offered(changes: Sequence[Change]) -> str:
    """What undoes the last of these changes; empty where nothing does, as where the record was moved elsewhere."""
    latest = max(changes, key=lambda each: each.moment, default=None)
    if latest is None:
        return ""
    operation = latest.operation.upper()
    if operation == "DELETE":
        return "" if latest.elsewhere else BRING_BACK
    return WITHDRAW if operation == "INSERT" and len(changes) == 1 else TAKE_BACK


def undo_change(application: Application, key: Key, what: str, done: Callable[[], object]) -> None:
    """Do what was offered, after a question for the reason; ``done()`` is called when that has changed something."""
    run = application.permissions.run
    if what == BRING_BACK:
        run("withdraw_record", _bring_back, application, key, done)
    elif what == WITHDRAW:
        run("withdraw_record", _withdraw, application, key, done)
    elif what == TAKE_BACK:
        run("take_back", _take_back, application, key, done)


def _bring_back(application: Application, key: Key, done: Callable[[], object]) -> None:
    model = undoing._model(application)
    if model is None:
        return

    def found(records: Sequence[Withdrawn]) -> None:
        gone = next((each for each in records if undoing.key_of(each.record) == key), None)
        if gone is None:
            application.status.set(f"The record of {undoing.named(key)} isn't withdrawn any more")
            done()
        else:
            undoing.bring_back(application, gone, done)

    application.jobs.submit(
        "records",
        lambda: application.connection.lasting(lambda: model.get_withdrawn(key[0], key[0], key[2])),
        done=found,
        failed=lambda error: undoing._failed(application, "Bring Back", error),
    )


def _withdraw(application: Application, key: Key, done: Callable[[], object]) -> None:
    undoing.withdraw(application, undoing.row_of(key), done)


def _take_back(application: Application, key: Key, done: Callable[[], object]) -> None:
    """Ask why, then take the last change of the record back."""

    def ask(found: VersionedRecord, key: Key) -> None:
        def act(_values: object, reason: str) -> None:
            def change(model: SQLModel, by: By) -> str:
                return model.take_back(key, found.version, reason=reason, by=by)

            def taken_back(result: str) -> None:
                undoing._changed(application, _told(key, result))
                if result == "restored":
                    application.taking_back.remember(_again(application, key))
                done()

            undoing._do(application, "Take Back", change, taken_back)

        undoing._ask(
            application,
            "Take Back",
            f"Take back the last change of the record of {undoing.named(key)}?",
            f"Now: {undoing.readings(found.record)}.\n\nIt becomes as it was before that change. The audit keeps both.",
            "Take Back",
            act,
            usual=_USUAL,
        )

    undoing._with_record(application, undoing.row_of(key), ask)


def _told(key: Key, result: str) -> str:
    what = {"withdrawn": "is withdrawn: it was its first entry", "moved": "stands where it was before"}
    return f"The record of {undoing.named(key)} {what.get(result, 'is as it was before its last change')}"


def _again(application: Application, key: Key) -> LastAction:
    return LastAction(
        f"what was taken back of {undoing.named(key)}",
        lambda model, by: model.take_back(key, None, by=by),
        lambda _result: undoing._changed(application, f"The record of {undoing.named(key)} is as corrected again"),
    )


_AT_MOST = 500


def show_withdrawn(application: Application) -> WithdrawnWindow | None:
    """Show the window of withdrawn records, or bring the one that is open to the front."""
    shown = brought_up(application, WithdrawnWindow)
    if shown is not None:
        shown.tree.focus_set()
        return shown
    found: dict[str, Withdrawn] = {}

    def fetch(show: Callable[[Sequence[WithdrawnRow]], object], problem: Callable[[str], object]) -> None:
        model = application.data_model
        if model is None or application.reconnecting.away:
            problem("Withdrawn records can't be looked up while the database is away. F5 tries again.")
            return

        def fetched(records: Sequence[Withdrawn]) -> None:
            found.clear()
            found.update({f"{each.record['Lab']} {each.entry}": each for each in records})
            show([_row(identifier, each) for identifier, each in found.items()])

        application.jobs.submit(
            "records",
            lambda: application.connection.lasting(lambda: model.get_withdrawn(limit=_AT_MOST)),
            done=fetched,
            failed=lambda error: problem(f"Withdrawn records couldn't be looked up.\n{reason_of(error)}"),
        )

    def bring_back(identifier: str) -> None:
        gone = found.get(identifier)
        if gone is not None:
            undoing.bring_back(application, gone, window.refresh)

    window = WithdrawnWindow(
        application,
        fetch,
        application.messages.command(
            lambda identifier: application.permissions.run("withdraw_record", bring_back, identifier)
        ),
    )
    return window


def _row(identifier: str, gone: Withdrawn) -> WithdrawnRow:
    key = undoing.named(undoing.key_of(gone.record))
    when = f"{gone.moment.astimezone():%Y-%m-%d %H:%M}"
    where = f" on {gone.workstation}" if gone.workstation else ""
    detail = f"{key}: {undoing.readings(gone.record)}.\nWithdrawn {when} by {gone.who}{where}: {gone.reason or '-'}"
    return WithdrawnRow(identifier, (key, str(gone.record["Technician"]), when, gone.who, gone.reason), detail)
