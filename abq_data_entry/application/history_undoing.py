"""What the window of a record's history offers: bring back what was withdrawn, take the last change back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from . import undoing
from .taking_back import LastAction

if TYPE_CHECKING:
    from ..models import Change, SQLModel, VersionedRecord, Withdrawn
    from ..models.undoing import By
    from .undoing import Key
    from .window import Application

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


def undo(application: Application, key: Key, what: str, done: Callable[[], object]) -> None:
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
