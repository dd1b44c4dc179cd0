"""Enter before the check is known, and keys before the plot is this window's: both wait, and then go on."""

from __future__ import annotations

from collections.abc import Callable

from ..constants import FieldNames as F
from .form_content import FormContent
from .record_inputs import CHECK_FIELDS
from .type_ahead import TypeAhead


class Awaiting:
    """Holds Enter in the head of the form until the database has told which plot comes next.

    ``advance(name)`` is Enter in a field; ``fills_itself()``: whether the plot fills itself at all.
    """

    def __init__(
        self,
        content: FormContent,
        ahead: Callable[[], TypeAhead],
        advance: Callable[[str], object],
        fills_itself: Callable[[], bool],
    ) -> None:
        self._content, self._ahead = content, ahead
        self._advance, self._fills_itself = advance, fills_itself
        self._field = ""
        self.claims = False
        """Whether the plot is being claimed, so that keys wait."""

    @property
    def is_waiting(self) -> bool:
        """Whether Enter waits somewhere."""
        return bool(self._field)

    @property
    def is_looked_up(self) -> bool:
        """Whether the database is still to tell which plot comes next."""
        content = self._content
        unknown = content.check_key is not None and not content.check.known and not content.check.problem
        return unknown and content.opened is None and self._fills_itself()

    def holds(self, name: str) -> bool:
        """Enter in an empty Technician, which may fill itself in a moment: how many Enters it takes to the first value
        doesn't depend on how fast the database is."""
        if name != F.TECHNICIAN or self._content.inputs[name].text or not self.is_looked_up:
            return False
        self.wait_at(name)
        return True

    def wait_at(self, name: str) -> None:
        """Enter was pressed there: on from that field once the check is known."""
        self._field = name
        self._ahead().wait(None)

    def claim(self) -> None:
        """The plot is being claimed: a key belongs to a plot that is this window's."""
        self.claims = True
        self._ahead().wait(self._content.key)

    def claim_answered(self) -> None:
        """Whose the plot is, is known: on with what was typed meanwhile."""
        if self.claims:
            self.claims = False
            self._ahead().arrived()

    def go_on(self) -> None:
        """The check is known, or can't be: on from where Enter waited, with what was typed meanwhile."""
        if not self._field or self.is_looked_up:
            return
        name, self._field = self._field, ""
        self._advance(name)
        if self._field:
            return
        focused = self._content.focused
        if self._content.inputs[name].error or focused is None or focused.name in (*CHECK_FIELDS, F.PLOT):
            self._ahead().refused()  # it was typed for a reading
        else:
            self._ahead().arrived()

    def end(self) -> None:
        """Somebody clicks: what is typed next is for where that leads."""
        if self._field:
            self._field = ""
            self._ahead().refused()

    def check_lists(self) -> str:
        """The lists are here: what was typed before them is completed, or marked; returns the first that is wrong."""
        content, focused, wrong = self._content, self._content.focused, ""
        for name in (F.LAB, F.TECHNICIAN, F.PLOT):
            each = content.inputs[name]
            is_being_typed = each is focused and not self._field
            unknown = content.inputs.choices.get(name) is None
            if not each.text or is_being_typed or content.opened is not None or unknown:
                continue
            if not each.check():
                wrong = wrong or name
        return wrong

    def stop_at(self, wrong: str) -> None:
        """A field that is wrong holds what was typed after it."""
        if wrong and self._field:
            self._field = ""
            self._content.inputs[wrong].focus_set()
            self._ahead().refused()
