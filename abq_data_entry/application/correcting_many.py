"""Correct many records of the list at once: who recorded them, what grew there, or the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..constants import FieldNames as F
from ..views.reasoned import Asked, ManyDialog
from . import undoing
from .conflicts import shown
from .taking_back import LastAction
from .waiting import counted

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..models.undoing import By, Place
    from .window import Application

Chosen = Sequence[tuple[Mapping[str, Any], "Place"]]
_FIELDS = (F.TECHNICIAN, F.SEED_SAMPLE, F.DATE)


def correct_many(application: Application) -> None:
    """Ask what becomes of the rows that are chosen in the list, show it, then correct all of them or none."""
    rows = application.record_list.chosen
    model = undoing._model(application)
    if model is None:
        return
    if not rows:
        application.status.set("Choose records in the list first: Shift or Ctrl with the arrows, Ctrl+A for all")
        return
    from ..models.corrections import place

    places = [place(row) for row in rows]
    application.jobs.submit(
        "records",
        lambda: application.connection.lasting(lambda: model.look_up_records(places)),
        done=lambda found: _ask(application, found),
        failed=lambda error: undoing._failed(application, "Correct Many", error),
    )


def _ask(application: Application, found: Chosen) -> None:
    if not found:
        application.status.set("None of these records is there any more")
        return

    def preview(values: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [(undoing.named(undoing.key_of(record)), _becomes(record, values)) for record, _ in found]

    def act(values: Mapping[str, Any], reason: str) -> None:
        changes = {name: value for name, value in values.items() if value is not None}
        _correct(application, [each for _, each in found], changes, reason)

    title, message = "Correct Many", f"Correct {counted(len(found))}: all of them, or none."
    detail = "What stays empty stays as it is."
    asked = [Asked(F.TECHNICIAN, "", application.form.choices.get(F.TECHNICIAN)), Asked(F.SEED_SAMPLE), Asked(F.DATE)]
    application.messages.open(
        title,
        message,
        detail,
        "Open…",
        lambda: ManyDialog(application, title, message, detail, "Correct", act, asked, preview),
        lambda: None,
    )


def _becomes(record: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    changes = [
        f"{name} {shown(name, record[name])} → {shown(name, values[name])}"
        for name in _FIELDS
        if values.get(name) is not None and values[name] != record[name]
    ]
    return ", ".join(changes) or "stays as it is"


def _correct(application: Application, places: Sequence[Place], changes: Mapping[str, Any], reason: str) -> None:
    def change(model: SQLModel, by: By) -> list[Place]:
        return model.correct_records(places, changes, reason, by=by)

    def done(became: Sequence[Place]) -> None:
        application.record_list.choose_none()
        told = f"{counted(len(became))} {'is' if len(became) == 1 else 'are'} corrected. Edit ‣ Take Back undoes it"
        undoing._changed(application, told)
        application.taking_back.remember(LastAction(
            f"the correction of {counted(len(became))}",
            lambda model, by: model.take_back_records(became, by=by),
            lambda _result: undoing._changed(application, f"{counted(len(became))}: as before the correction"),
        ))  # fmt: skip

    undoing._do(application, "Correct Many", change, done)
