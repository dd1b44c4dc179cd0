"""Correct many records of the list at once: their technician, seed sample or date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import fields
from ..constants import FieldNames as F
from ..views.reasoned import Asked, ManyDialog
from .entry import shown
from .outage import counted
from .taking_back import UNDOES, LastAction
from .undoing import Asking, Changes, key_of, named

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..models.undoing import By, Place
    from ..views import DataRecordForm, RecordList
    from .messages import ShowStatus

Chosen = Sequence[tuple[Mapping[str, Any], "Place"]]
_TITLE = "Correct Many"
_FIELDS = (F.TECHNICIAN, F.SEED_SAMPLE, F.DATE)


def correct_many(form: DataRecordForm, records: RecordList, show_status: ShowStatus, changes: Changes) -> None:
    """Ask how to correct the chosen rows of the list, show a preview, then correct all of them or none."""
    rows = records.chosen
    if changes.may_begin() and not rows:
        show_status("Choose records in the list first: Shift or Ctrl with the arrows, Ctrl+A for all")
    elif rows:
        from ..models.undoing import place

        _ask_for(form, records, show_status, changes, [place(row) for row in rows])


def _ask_for(
    form: DataRecordForm, records: RecordList, show_status: ShowStatus, changes: Changes, places: Sequence[Place]
) -> None:
    """Look up the records at these places, and ask how to correct them."""
    if not changes.may_begin():
        return

    def ask(found: Chosen) -> None:
        if not found:
            show_status("None of these records is there any more")
            return

        def preview(values: Mapping[str, Any]) -> list[tuple[str, str]]:
            return [(named(key_of(record)), _becomes(record, values)) for record, _ in found]

        def act(values: Mapping[str, Any], reason: str) -> None:
            wanted = {name: value for name, value in values.items() if value is not None}
            _correct(changes, asking, records, [each for _, each in found], wanted, reason)

        about = sorted(tuple(each.key.values()) for each in places)  # in whatever order the list shows them
        asking = Asking(_TITLE, about, lambda: _ask_for(form, records, show_status, changes, places))
        message = f"Correct {counted(len(found))}: all of them, or none."
        detail = "What stays empty stays as it is."
        asked = [Asked(F.TECHNICIAN, "", form.choices.get(F.TECHNICIAN)), Asked(F.SEED_SAMPLE), Asked(F.DATE)]
        changes.ask(asking, message, detail, "Correct", act, asked, ManyDialog, preview=preview)

    changes.look_up("these records", lambda model: model.look_up_records(places), ask, _TITLE)


def _becomes(record: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    changes = [
        f"{each.name} {shown(each, record[each.name])} → {shown(each, values[each.name])}"
        for each in (fields.field(name) for name in _FIELDS)
        if values.get(each.name) is not None and values[each.name] != record[each.name]
    ]
    return ", ".join(changes) or "stays as it is"


def _correct(
    changes: Changes,
    asking: Asking,
    records: RecordList,
    places: Sequence[Place],
    wanted: Mapping[str, Any],
    reason: str,
) -> None:
    def change(model: SQLModel, by: By) -> list[Place]:
        return model.correct_records(places, wanted, reason, by=by)

    def done(became: Sequence[Place]) -> None:
        records.choose_none()
        result = f"{counted(len(became))} {'is' if len(became) == 1 else 'are'} corrected. {UNDOES}"
        changes.changed(result)
        changes.remember(LastAction(
            f"the correction of {counted(len(became))}",
            lambda model, by: model.take_back_records(became, by=by),
            lambda _result: changes.changed(f"{counted(len(became))}: as before the correction"),
        ))  # fmt: skip

    changes.do(asking, change, done)
