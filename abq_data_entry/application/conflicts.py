"""Two versions of one record: what comes together by itself, and what somebody has to choose."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .. import fields
from ..constants import FieldTypes
from ..views.conflict import ConflictDialog, ConflictText
from ..views.conflict_row import Difference, Side
from .saving import place

if TYPE_CHECKING:
    from ..models import VersionedRecord
    from .window import Application

Record = Mapping[str, Any]


class Conflict:
    """``mine`` was to be saved over ``base`` (``None``: as a new record), but the database has ``theirs``."""

    def __init__(self, mine: Record, base: Record | None, theirs: VersionedRecord) -> None:
        self.mine, self.base, self.theirs = dict(mine), None if base is None else dict(base), theirs
        merged = fields.merge(self.base, self.mine, theirs.record)
        self._merged = dict(merged.merged)
        self.to_choose = self._find_choices(set(merged.conflicts))

    @property
    def by(self) -> str:
        """Who saved the other version."""
        return self.theirs.changed_by or "Somebody else"

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
        what = "recorded" if self.base is None else "changed"
        doing = "entering" if self.base is None else "correcting"
        taken = [f"{name} {shown(name, self._merged.get(name)) or 'empty'}" for name in self.taken_over]
        return ConflictText(
            f"{place(self.mine)} was {what} while you were {doing} it.",
            f"{self.by} saved it {when}. Choose for each field which value is right.",
            f"{self.by}, {when.removeprefix('at ')}",
            f"Only {self.by} changed: {', '.join(taken)}. That is kept." if taken and self.base is not None else "",
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
    save: Callable[[dict[str, Any], str], object],
    cancel: Callable[[], object],
) -> None:
    """Save what comes together by itself; where somebody has to choose, ask first.

    ``save(record, said)``: the record that both sides give, to be saved over ``theirs``, and what was merged, in words.
    """
    said = ""
    if conflict.taken_over:
        said = f"together with {conflict.by}'s {', '.join(conflict.taken_over)}"
    if not conflict.to_choose:
        save(conflict.result(), said)
        return
    words = conflict.words()
    application.messages.open(
        f"Conflict, {place(conflict.mine)}",
        words.message,
        words.detail,
        "Choose…",
        lambda: ConflictDialog(
            application,
            words,
            conflict.differences(),
            conflict.errors,
            lambda choices: save(conflict.result(choices), said),
            cancel,
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


def moment(at: datetime.datetime | None) -> str:
    """When it was, by the clock on this desk: "at 10:42", with the day if that isn't today."""
    if at is None:
        return "meanwhile"
    local = at.astimezone() if at.tzinfo is not None else at
    today = local.date() == datetime.datetime.now().astimezone().date()
    return f"at {local:%H:%M}" if today else f"on {local:%Y-%m-%d} at {local:%H:%M}"
