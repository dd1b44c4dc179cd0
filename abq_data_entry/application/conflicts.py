"""Two versions of one record: what the dialog asks, and what comes of the answer."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from .. import fields
from ..constants import FieldNames as F
from ..constants import FieldTypes
from ..views import DataRecordForm
from ..views.conflict import ConflictDialog, ConflictText, Difference, Side
from ..workflows.save_record import Conflict
from .messages import Messages, place

log = logging.getLogger(__name__)
Record = Mapping[str, Any]


class Question:
    """A conflict as it is put to people. ``me`` is who wants to save the record; ``waited`` since when it waited on
    this computer, if it did."""

    def __init__(self, conflict: Conflict, me: str = "", waited: datetime.datetime | None = None) -> None:
        self.conflict = conflict
        self.mine, self.theirs, self.to_choose = conflict.mine, conflict.theirs, conflict.to_choose
        self._same_person = bool(me) and me == conflict.theirs.changed_by
        self._waited = waited

    @property
    def by(self) -> str:
        """Who saved the other version."""
        return "You" if self._same_person else self.theirs.changed_by or "Somebody else"

    @property
    def merged_words(self) -> str:
        """What came together by itself, for the status line; empty where nothing did."""
        if not self.conflict.taken_over:
            return ""
        whose = "what you saved elsewhere:" if self._same_person else f"{self.by}'s"
        return f"together with {whose} {', '.join(self.conflict.taken_over)}"

    def differences(self) -> list[Difference]:
        """What is to be chosen, as texts."""
        base = self.conflict.base
        return [
            Difference(
                name,
                None if base is None else shown(name, base.get(name)),
                shown(name, self.mine.get(name)),
                shown(name, self.theirs.record.get(name)),
                fields.field(name).type is FieldTypes.LONG_TEXT,
            )
            for name in self.to_choose
        ]

    def words(self) -> ConflictText:
        """What the dialog says."""
        when, base, merged = moment(self.theirs.changed_at), self.conflict.base, self.conflict.merged
        happened = "is recorded already" if base is None else "has changed since it was opened here"
        elsewhere = " in another window or on another computer" if self._same_person else ""
        waited = f"What was typed here waited for the database, {since(self._waited)}. " if self._waited else ""
        taken = [f"{name} {shown(name, merged.get(name)) or 'empty'}" for name in self.conflict.taken_over]
        # Within a sentence a name stays as it is.
        named = self.by if not self._same_person and self.theirs.changed_by else self.by[0].lower() + self.by[1:]
        return ConflictText(
            f"{place(self.mine)} {happened}.",
            f"{waited}{self.by} saved it {when}{elsewhere}. Choose for each field which value is right.",
            f"Saved by {named}, {when.removeprefix('at ')}",
            f"Changed only in what was saved: {', '.join(taken)}. That is kept." if taken and base is not None else "",
        )


def resolve(
    form: DataRecordForm,
    messages: Messages,
    say: Callable[[str], object],
    question: Question,
    save: Callable[[Record, str, ConflictDialog | None], object],
    cancel: Callable[[], object],
    former: ConflictDialog | None = None,
) -> None:
    """Save what comes together by itself; where somebody has to choose, ask first.

    ``save(record, said, dialog)``: the record that both sides give, to be saved over ``theirs``, what was merged, in
    words, and the dialog that is still open, if there is one. ``former`` is the dialog of an attempt before this one,
    which is closed; what was chosen there stays chosen where it can.
    """
    chosen = former.chosen if former is not None else {}
    if former is not None:
        former.close()
    conflict, said = question.conflict, question.merged_words
    if not conflict.to_choose:
        save(conflict.merged, said, None)
        return
    words = question.words()
    say(f"Not saved yet: {words.message}")
    form.type_ahead.undecided()

    def wrong(choices: Mapping[str, Side]) -> dict[str, str]:
        """What the database would refuse is told before."""
        record, errors = conflict.chosen(choices)
        technicians = form.choices.get(F.TECHNICIAN)
        if technicians and record[F.TECHNICIAN] not in technicians:
            errors.setdefault(F.TECHNICIAN, f"{record[F.TECHNICIAN]} isn't in the list of technicians any more")
        return errors

    messages.open(
        f"Conflict, {place(question.mine)}",
        words.message,
        words.detail,
        "Choose…",
        lambda: ConflictDialog(
            form.winfo_toplevel(),
            words,
            question.differences(),
            wrong,
            lambda dialog, choices: save(conflict.chosen(choices)[0], said, dialog),
            cancel,
            chosen,
        ),
        cancel,
    )


def shown(name: str, value: object) -> str:
    """A value as people read it, with its unit; empty where there is none."""
    field = fields.field(name)
    if field.type is FieldTypes.BOOLEAN:
        return "yes" if value else "no"
    text = fields.format_value(field, value)
    return f"{text} {field.unit}" if field.unit and isinstance(value, Decimal) else text


def since(at: datetime.datetime | None) -> str:
    """From when on it was, by the clock on this desk: "since 10:42"."""
    return f"since {moment(at).removeprefix('at ').removeprefix('on ')}"


def moment(at: datetime.datetime | None) -> str:
    """When it was, by the clock on this desk: "at 10:42", with the day if that isn't today."""
    if at is None:
        return "meanwhile"
    local = at.astimezone() if at.tzinfo is not None else at
    today = local.date() == datetime.datetime.now().astimezone().date()
    return f"at {local:%H:%M}" if today else f"on {local:%Y-%m-%d} at {local:%H:%M}"
