"""Where Enter leads to from each field: on to the next required one, to the plot, or to a save."""

from __future__ import annotations

from collections.abc import Callable

from ..constants import FieldNames as F
from .awaiting import Awaiting
from .date_asking import DateAsking
from .form_content import FormContent
from .person import Person
from .record_inputs import CHECK_FIELDS, HEIGHTS

SAVING = (F.MEDIAN_HEIGHT, F.NOTES)
"""The fields in which Enter saves."""


class Advancing:
    """Enter in the field of a name. ``show_draft()`` shows what is half typed of a plot, and whether there is any;
    ``held()``: a field keeps the focus; ``sound()`` tells of something that is wrong."""

    def __init__(
        self,
        content: FormContent,
        awaiting: Awaiting,
        dates: DateAsking,
        person: Person,
        show_draft: Callable[[], bool],
        submit: Callable[[], object],
        held: Callable[[], object],
        sound: Callable[[], object],
    ) -> None:
        self._content, self._awaiting, self._dates, self._person = content, awaiting, dates, person
        self._show_draft, self._submit, self._held, self._sound = show_draft, submit, held, sound

    def advance(self, name: str) -> None:
        """Go on to the next required field, from the last one to a save.

        A field that is wrong or empty keeps the focus, so that what is typed next replaces it and gets nowhere else.
        """
        content, inputs = self._content, self._content.inputs
        if self._awaiting.holds(name) or self.holds(name):
            return
        if name == F.DATE and self._dates.holds(entered=True):
            return
        if name == F.TECHNICIAN and not content.corrects:
            self._person.confirm()
            if self._person.go_back():
                return
        if name == F.PLOT and self._show_draft():
            self.focus_first_empty()
            return
        following = None if name in SAVING else inputs.after(name)
        if name in CHECK_FIELDS and following not in CHECK_FIELDS and self._awaiting.is_looked_up:
            self._awaiting.wait_at(name)
        elif following is None:
            self._submit()
        else:
            # What is typed of the plot already, as where a draft came back, isn't typed over.
            goes_on = content.opened is None and content.changed and following not in (*CHECK_FIELDS, F.PLOT)
            begins = name in (*CHECK_FIELDS, F.PLOT)
            inputs[inputs.first_empty() if goes_on and begins else following].focus_set()

    def holds(self, name: str) -> bool:
        """Whether the field keeps the focus: it is wrong, or required and empty. Its text is selected then."""
        each = self._content.inputs[name]
        each.check()
        if name in HEIGHTS:
            self._content.inputs.check_across()
        if not each.error:
            return False
        each.focus_set()
        self._held()
        self._sound()
        return True

    def focus_first_empty(self) -> None:
        """Put the focus on the first required field that is empty."""
        self._person.take_typed_name()
        self._content.inputs[self._content.inputs.first_empty()].focus_set()
