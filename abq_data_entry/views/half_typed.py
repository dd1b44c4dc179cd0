"""Drafts: what is half typed stays with its plot, is shown there again, and goes along to no other check."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..constants import FieldNames as F
from .form_content import FormContent
from .opened_record import opened_in
from .reason import ReasonLine
from .record_inputs import CheckKey, RecordKey

_OF_CHECK = (F.DATE, F.TIME, F.LAB)


class HalfTyped:
    """What is half typed in the form, and of which plots drafts are kept elsewhere.

    ``find(key)`` gives the draft of a plot; ``keep(draft)`` keeps one when another check is chosen, unless the plot has
    another; ``is_other(key, corrects)`` tells whether it has. ``fill(texts)`` shows texts in the form, ``fill_seed()``
    what grows in the plot; ``person()`` is who sits here, and
    ``open_fields()`` opens fields that a record which couldn't be opened had closed.
    """

    def __init__(
        self,
        content: FormContent,
        reason: ReasonLine,
        find: Callable[[RecordKey], Mapping[str, Any] | None],
        keep: Callable[[Mapping[str, Any]], bool],
        is_other: Callable[[RecordKey, bool], bool],
        fill: Callable[[Mapping[str, str]], object],
        fill_seed: Callable[[], object],
        person: Callable[[], str],
        open_fields: Callable[[], object],
    ) -> None:
        self._content, self._reason = content, reason
        self._find, self._keep, self._is_other = find, keep, is_other
        self._fill, self._fill_seed, self._person = fill, fill_seed, person
        self._open_fields = open_fields
        self._kept: Collection[RecordKey] = ()
        self._last_check: CheckKey | None = None
        self._left: RecordKey | None = None  # the plot that was left half typed for another check

    def show(self, keys: Collection[RecordKey]) -> bool:
        """Of these plots drafts are kept; whether that has changed."""
        if set(keys) == set(self._kept):
            return False
        self._kept = frozenset(keys)
        return True

    def plots(self) -> frozenset[int]:
        """The plots of the check that have drafts."""
        return frozenset(plot for *check, plot in self._kept if tuple(check) == self._content.check.key)

    def draft(self) -> dict[str, Any] | None:
        """What is being typed, as plain texts for a file; ``None`` when nothing would be lost."""
        content = self._content
        if not content.changed:
            return None
        return {
            "texts": content.inputs.texts(),
            "reason": self._reason.text,
            "by_itself": [name for name, each in content.inputs.items() if each.filled_by_itself],
            "readings": content.inputs.readings_before_fault,
            **({"opened": None} if content.opened is None else content.opened.draft()),
        }

    def restore(self, draft: Mapping[str, Any]) -> None:
        """Show what :meth:`draft` gave."""
        self._open_fields()
        content, inputs = self._content, self._content.inputs
        content.opened = opened_in(draft)
        if content.opened is not None:
            _date, _time, lab, plot = content.opened.key
            inputs.of_record = {F.TECHNICIAN: content.opened.texts.get(F.TECHNICIAN), F.LAB: lab, F.PLOT: plot}
        self._fill({name: str(text) for name, text in draft["texts"].items()})
        for name in draft.get("by_itself") or ():
            if name in inputs:
                inputs[name].filled_by_itself = True
        inputs.readings_before_fault.update(draft.get("readings") or {})
        self._fill_seed()
        if content.opened is None and self._person():
            content.technician.fill(self._person(), by_itself=True)
        inputs.mark_wrong()
        self._reason.fill(str(draft.get("reason") or ""))

    def show_of_plot(self) -> bool:
        """Show what is half typed of the plot that was just chosen; whether there is such a thing."""
        content, key = self._content, self._content.key
        if key is None or content.opened is not None or content.changed or content.saving or key not in self._kept:
            return False
        draft = self._find(key)
        if draft is None:
            return False
        # Date, time and lab say the same already, and somebody may be typing there.
        texts = {name: text for name, text in draft["texts"].items() if name not in _OF_CHECK}
        by_itself = [name for name in draft.get("by_itself") or () if name in texts]
        self.restore({**draft, "texts": texts, "by_itself": by_itself})
        return True

    def leave_check(self) -> None:
        """Another check was chosen: what is half typed was read for the one before, and stays with its plot there."""
        content, before, key = self._content, self._last_check, self._content.check_key
        if key is None:
            return
        self._last_check = key
        if before is None or before == key or content.opened is not None or not content.changed:
            return
        draft, plot = self.draft(), content.plot
        if draft is None or plot is None:
            return
        draft["texts"] |= {F.DATE: before[0].isoformat(), F.TIME: before[1], F.LAB: before[2]}
        if self._keep(draft):
            self._left = (*before, plot)
            content.empty_plot()
        else:
            content.inputs[F.PLOT].fill("")  # it belongs to what is half typed there

    def note_check(self) -> None:
        """The form may be at another check now, whatever led there."""
        self._last_check = self._content.check_key or self._last_check

    def come_back(self) -> None:
        """Date, time and lab are again as they were when the half-typed plot was left: so is the plot, and all of it.
        """
        content, left = self._content, self._left
        if left is None or content.check_key != left[:3] or content.opened is not None or content.changed:
            return
        self._left = None
        if left in self._kept:
            content.inputs[F.PLOT].fill(str(left[3]), by_itself=True)
            self.show_of_plot()

    @property
    def objection(self) -> str:
        """In words, that something else is half typed of the plot that these values would be of; else empty."""
        content, key = self._content, self._content.key
        if key is None or not content.changed or not self._is_other(key, content.corrects):
            return ""
        return f"{key[3]} is half typed already"

    def next_plot(self) -> int | None:
        """The next plot after this one that is neither recorded nor half typed; a half-typed one if no other is left.
        """
        key, check = self._content.key, self._content.check
        half = [plot for *others, plot in self._kept if tuple(others) == check.key] + ([key[3]] if key else [])
        after = key[3] if key is not None else 0
        others = check._replace(recorded={**check.recorded, **dict.fromkeys(half, "")})
        return others.next_missing(after) or check.next_missing(after)
