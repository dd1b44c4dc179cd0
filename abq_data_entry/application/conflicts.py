"""Two versions of one record: what comes together by itself, and what somebody has to choose."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .. import fields
from ..constants import FieldNames as F
from ..constants import FieldTypes
from ..views.conflict import ConflictDialog, ConflictText, Difference, Side
from .entry import place

if TYPE_CHECKING:
    from ..models import VersionedRecord
    from .window import Application

Record = Mapping[str, Any]


class Conflict:
    """``mine`` was to be saved over ``base`` (``None``: as a new record), but the database has ``theirs``.

    ``me`` is who wants to save it; ``waited`` since when it waited on this computer, if it did.
    """

    def __init__(
        self,
        mine: Record,
        base: Record | None,
        theirs: VersionedRecord,
        me: str = "",
        waited: datetime.datetime | None = None,
    ) -> None:
        self.mine, self.base, self.theirs = dict(mine), None if base is None else dict(base), theirs
        self._same_person = bool(me) and me == theirs.changed_by
        self._waited = waited
        merged = fields.merge(self.base, self.mine, theirs.record)
        self._merged = dict(merged.merged)
        self.to_choose = self._find_choices(set(merged.conflicts))

    @property
    def by(self) -> str:
        """Who saved the other version."""
        return "You" if self._same_person else self.theirs.changed_by or "Somebody else"

    @property
    def _named(self) -> str:
        """The same within a sentence."""
        return self.by[0].lower() + self.by[1:] if self._same_person or not self.theirs.changed_by else self.by

    @property
    def merged_words(self) -> str:
        """What came together by itself, for the status line; empty where nothing did."""
        if not self.taken_over:
            return ""
        whose = "what you saved elsewhere" if self._same_person else f"{self.by}'s"
        return f"together with {whose}{':' if self._same_person else ''} {', '.join(self.taken_over)}"

    def result(self, choices: Mapping[str, Side] | None = None) -> dict[str, Any]:
        """The record that the choices give, on top of what came together by itself."""
        sides: dict[Side, Record] = {"mine": self.mine, "theirs": self.theirs.record}
        return {**self._merged, **{name: sides[side][name] for name, side in (choices or {}).items()}}

    def errors(self, choices: Mapping[str, Side]) -> dict[str, str]:
        """What is wrong with the record that the choices give, by field name."""
        return fields.check_record(self.result(choices))

    @property
    def taken_over(self) -> tuple[str, ...]:
        """The fields that only the other side changed."""
        names = (name for name in fields.FOCUS_ORDER if name not in self.to_choose)
        return tuple(name for name in names if self.mine.get(name) != self._merged.get(name))

    def differences(self) -> list[Difference]:
        """What is to be chosen, as texts."""
        return [
            Difference(
                name,
                None if self.base is None else shown(name, self.base.get(name)),
                shown(name, self.mine.get(name)),
                shown(name, self.theirs.record.get(name)),
                fields.field(name).type is FieldTypes.LONG_TEXT,
            )
            for name in self.to_choose
        ]

    def words(self) -> ConflictText:
        """What the dialog says."""
        when = moment(self.theirs.changed_at)
        happened = "is recorded already" if self.base is None else "has changed since it was opened here"
        elsewhere = " in another window or on another computer" if self._same_person else ""
        waited = f"What was typed here waited for the database, {since(self._waited)}. " if self._waited else ""
        taken = [f"{name} {shown(name, self._merged.get(name)) or 'empty'}" for name in self.taken_over]
        merged = f"Changed only in what was saved: {', '.join(taken)}. That is kept."
        return ConflictText(
            f"{place(self.mine)} {happened}.",
            f"{waited}{self.by} saved it {when}{elsewhere}. Choose for each field which value is right.",
            f"Saved by {self._named}, {when.removeprefix('at ')}",
            merged if taken and self.base is not None else "",
        )

    def _find_choices(self, names: set[str]) -> tuple[str, ...]:
        wrong = set(fields.check_record(self._merged))
        # Where one of them is to be chosen, all that differ are.
        for group in fields.TOGETHER:
            differing = {name for name in group if self.mine.get(name) != self.theirs.record.get(name)}
            if differing & names or wrong & set(group):
                names |= differing
        return tuple(name for name in fields.FOCUS_ORDER if name in names)


def resolve(
    application: Application,
    conflict: Conflict,
    save: Callable[[dict[str, Any], str, ConflictDialog | None], object],
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
    said = conflict.merged_words
    if not conflict.to_choose:
        save(conflict.result(), said, None)
        return
    words = conflict.words()
    application.status.set(f"Not saved yet: {words.message}")
    application.form.type_ahead.undecided()

    def wrong(choices: Mapping[str, Side]) -> dict[str, str]:
        """What the database would refuse is told before."""
        errors, record = conflict.errors(choices), conflict.result(choices)
        technicians = application.form.choices.get(F.TECHNICIAN)
        if technicians and record[F.TECHNICIAN] not in technicians:
            errors.setdefault(F.TECHNICIAN, f"{record[F.TECHNICIAN]} isn't in the list of technicians any more")
        return errors

    application.messages.open(
        f"Conflict, {place(conflict.mine)}",
        words.message,
        words.detail,
        "Choose…",
        lambda: ConflictDialog(
            application,
            words,
            conflict.differences(),
            wrong,
            lambda dialog, choices: save(conflict.result(choices), said, dialog),
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
