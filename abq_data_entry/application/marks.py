"""What QA asks and says of values: beside the fields of the form, and in a window of its own."""

from __future__ import annotations

import datetime
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import fields
from ..constants import FieldNames as F
from ..counting import counted
from ..views.record_inputs import WHOLE_RECORD
from ..views.side_window import brought_up
from .messages import reason_of
from .sending import Sending, SendingActions

if TYPE_CHECKING:
    import tkinter as tk

    from ..models import SQLModel
    from ..models.marks import Mark, MarkEvent
    from ..models.undoing import By
    from ..views import DataRecordForm
    from ..views.action_list import ActionRow
    from ..views.marks import QuestionsWindow
    from .connection import Connection
    from .messages import Messages, Say
    from .state import State
    from .undoing import Key

log = logging.getLogger(__name__)

_TITLE = "Questions from QA"
_MARK_TITLE = "Mark Value"
_SIGNS = {"queried": "? QA: ", "accepted": "✓ QA accepts: ", "excluded": "! QA excludes: "}
_STATES = {"queried": "Asked about", "accepted": "Accepted", "excluded": "Excluded from QA's views"}
_ROW_STATES = {"queried": "question", "accepted": "accepted", "excluded": "excluded"}
_NOW = "Go ‣ Questions from QA lists them"
_AWAY = "The database is away: questions can be answered when it is back."


class MarkActions(NamedTuple):
    """``open_record(row)`` opens a record, ``show_form()`` brings the form to the front; ``attended()``: the saved
    record that has the attention; ``by()``: who asks; ``may_mark()``, ``may_answer()``: whether the login may;
    ``means_away(error)``: whether the database is away; ``said()``: what the status line says."""

    open_record: Callable[[Mapping[str, Any]], object]
    show_form: Callable[[], object]
    attended: Callable[[], Key | None]
    by: Callable[[], By]
    may_mark: Callable[[], bool]
    may_answer: Callable[[], bool]
    means_away: Callable[[BaseException], bool]
    said: Callable[[], str]


class Questions:
    """Knows the marks that aren't closed, as of the last look; looks again when told that some changed. On the Tk
    thread."""

    def __init__(
        self,
        window: tk.Misc,
        form: DataRecordForm,
        state: State,
        connection: Connection,
        messages: Messages,
        say: Say,
        actions: MarkActions,
    ) -> None:
        self._window, self._form, self._state, self._connection = window, form, state, connection
        self._messages, self._say, self._actions = messages, say, actions
        self._marks: Sequence[Mark] | None = None
        self._known_at = self._announced = ""
        self._looking = self._again = False
        self._listed: Mapping[str, Mark] = {}
        # By title and mark or record.
        self._sending = Sending(
            state, connection, messages, SendingActions(actions.by, actions.means_away, self._tell, self.look)
        )

    @property
    def waiting(self) -> int:
        """How many questions wait for an answer, as far as is known."""
        return sum(each.waits for each in self._marks or ())

    def look(self) -> None:
        """Look up what QA says now; the form and the open window show it."""
        if self._looking:
            self._again = True
        elif self._state.reachable is not None:
            self._looking, self._again = True, False
            self._connection.ask(lambda model: model.get_marks(), self._found, self._not_found)

    def show(self) -> QuestionsWindow:
        """Open the window, or bring it to the front."""
        from ..views.action_list import RowCallbacks
        from ..views.marks import QuestionsWindow

        shown = brought_up(self._window, QuestionsWindow)
        if shown is not None:
            shown.tree.focus_set()
            return shown
        command = self._messages.command
        callbacks = RowCallbacks(self._list, command(self._act))
        return QuestionsWindow(self._window, callbacks, self._show_history)

    def mark(self) -> None:
        """Ask what QA says of the record that has the attention, and of which of its values."""
        key = self._actions.attended()
        if not self._may_begin("Values can be marked"):
            return
        if key is None:
            self._say("Choose a saved record first: a row of the list, or a plot")
        else:
            self._mark(key)

    def _mark(self, key: Key) -> None:
        from ..models.marks import MARKABLE, plain
        from ..models.marks import WHOLE_RECORD as RECORD
        from ..views.marks import MarkDialog

        focused = self._form.focused
        at = focused.name if focused is not None and self._form.opened == key and focused.name in MARKABLE else ""
        marks = {RECORD: "The whole record", **{plain(name): name for name in MARKABLE}}
        present = [_line(each) for each in self._marks or () if each.key == key]
        detail = "\n".join(present) or "The record stays as it is. Lab staff sees what you say beside the value."

        unsent = _MARK_TITLE, key
        first = self._sending.unsent.get(unsent, (plain(at) if at else RECORD, next(iter(_STATES)), ""))

        def act(field: str, state: str, words: str) -> None:
            self._sending.unsent[unsent] = field, state, words
            self._sending.change(
                unsent,
                lambda model, by: model.mark_value(key, field, state, words, by=by),
                f"{marks[field]} of {named(key)} is marked",
                lambda: self._mark(key),
            )

        message = f"What does QA say of the record of {named(key)}?"
        self._messages.open(
            _MARK_TITLE, message, "", "Open…",
            lambda: MarkDialog(self._window, message, detail, marks, _STATES, act, first),
            lambda: None,
        )  # fmt: skip

    # -- what was found -----------------------------------------------------------------------------------

    def _found(self, marks: Sequence[Mark]) -> None:
        before = self.waiting if self._marks is not None else 0
        self._looking, self._marks = False, marks
        self._known_at = f"{datetime.datetime.now():%H:%M}"
        said: dict[Any, dict[str, str]] = defaultdict(dict)
        for each in reversed(marks):  # a query goes over what else is said there
            if not each.gone:
                said[each.key][each.field_name or WHOLE_RECORD] = _beside(each)
        self._form.marked.know(said)
        self._announce(self.waiting > before)
        shown = self._shown()
        if shown is not None:
            shown.refresh()
        if self._again:
            self.look()

    def _announce(self, is_more: bool) -> None:
        """Say that there are more questions; what was said of them doesn't stay once it isn't true any more."""
        sentence = f"QA has {counted(self.waiting, 'question')}: {_NOW}" if self.waiting else ""
        is_old = self._announced and self._actions.said() == self._announced != sentence
        if (is_more and self._actions.may_answer()) or is_old:
            self._announced = sentence
            self._say(sentence)

    def _not_found(self, error: BaseException) -> None:
        self._looking = False
        log.warning("what QA asks couldn't be looked up", exc_info=error)

    def _shown(self) -> QuestionsWindow | None:
        from ..views.marks import QuestionsWindow

        return next((each for each in self._window.winfo_children() if isinstance(each, QuestionsWindow)), None)

    def _list(self, everything: bool) -> None:
        """Show the window what it asks for; while the database is away what is known of it."""
        if self._state.reachable is None:
            self._list_known(everything)
            return

        def fetched(marks: Sequence[Mark]) -> None:
            self._show_rows(marks)

        def failed(error: BaseException) -> None:
            log.warning("marks couldn't be looked up", exc_info=error)
            window = self._shown()
            if self._actions.means_away(error):
                self._list_known(everything)
            elif window is not None:
                window.show_problem(f"What QA asks couldn't be looked up.\n{reason_of(error)}\n\nF5 tries again.")

        states, statuses = (None, None) if everything else (("queried",), ("open", "answered", "corrected"))
        self._connection.ask(lambda model: model.get_marks(states, statuses), fetched, failed)

    def _list_known(self, everything: bool) -> None:
        window = self._shown()
        if window is None:
            return
        if self._marks is None:
            window.show_problem("What QA asks isn't known while the database is away. F5 tries again.")
            return
        known = [each for each in self._marks if everything or each.state == "queried"]
        self._show_rows(known, f"{_AWAY} This was known at {self._known_at}.")

    def _show_rows(self, marks: Sequence[Mark], remark: str = "") -> None:
        window = self._shown()
        if window is None:
            return
        self._listed = {str(each.id): each for each in marks}
        waiting = sum(each.waits for each in marks)
        count = f"{len(marks):,} listed, {waiting:,} to be answered" if marks else ""
        window.show_rows([self._row(each, away=bool(remark)) for each in marks], count, remark)

    def _row(self, mark: Mark, away: bool) -> ActionRow:
        from ..views.action_list import ActionRow
        from ..views.marks import ANSWER, CLOSE, OPEN, REOPEN

        answers = not away and self._actions.may_answer() and mark.state == "queried" and mark.status != "closed"
        marks = not away and self._actions.may_mark()
        allowed = {
            OPEN: not mark.gone,
            ANSWER: answers,
            CLOSE: marks and mark.status != "closed",
            REOPEN: marks and mark.status != "open" and not mark.gone,
        }
        state = _ROW_STATES[mark.state] if mark.status == "open" else mark.status
        words = " ".join(mark.words.split())
        cells = (named(mark.key), mark.field_name or "Whole record", mark.value, state, mark.technician, words)
        return ActionRow(str(mark.id), cells, _told(mark), frozenset(name for name, may in allowed.items() if may))

    def _show_history(self, identifier: str) -> None:
        if self._state.reachable is None:
            return

        def fetched(events: Sequence[MarkEvent]) -> None:
            window = self._shown()
            if window is not None:
                window.show_history(identifier, "\n".join(each.words for each in events))

        self._connection.ask(lambda model: model.get_mark_history(int(identifier)), fetched, self._not_found)

    # -- what is done about them ----------------------------------------------------------------------------

    def _act(self, button: str, identifier: str) -> None:
        from ..views.marks import ANSWER, CLOSE, OPEN, REOPEN

        mark = self._listed.get(identifier)
        if mark is None:
            return
        if button == OPEN:
            self._open(mark)
        elif not self._may_begin("Questions can be answered"):
            return
        elif button == ANSWER:
            self._ask(
                mark, "Answer QA", "Answer", "Answer",
                lambda model, words, by: model.answer_mark(mark.id, words, by=by), "is answered",
            )  # fmt: skip
        elif button == CLOSE:
            self._ask(
                mark, "Close Mark", "Close Mark", "Words (may be empty)",
                lambda model, words, by: model.close_mark(mark.id, words, by=by), "is closed", needed=False,
            )  # fmt: skip
        elif button == REOPEN:
            self._ask(
                mark, "Reopen Mark", "Reopen", "What QA asks or says",
                lambda model, words, by: model.reopen_mark(mark.id, words, by=by), "is open again",
            )  # fmt: skip

    def _open(self, mark: Mark) -> None:
        form, window = self._form, self._shown()
        form.field_to_correct = (mark.key, mark.field_name)
        if form.opened != mark.key:
            self._actions.open_record(dict(zip(fields.RECORD_KEY, mark.key, strict=True)))
        if form.opened == mark.key:  # it was open already, or half typed: else the form goes to the field as it opens
            form.field_to_correct = (mark.key, mark.field_name)
            self._actions.show_form()
            form.focus_correction()
        if window is not None:
            window.give_way()

    def _ask(
        self,
        mark: Mark,
        title: str,
        action: str,
        label: str,
        change: Callable[[SQLModel, str, By], object],
        told: str,
        needed: bool = True,
    ) -> None:
        from ..views.marks import WordsDialog

        what = mark.field_name or "Whole record"
        message = f"{title}: {what} of {named(mark.key)}"

        unsent = title, mark.id

        def act(words: str) -> None:
            self._sending.unsent[unsent] = (words,)
            self._sending.change(
                unsent,
                lambda model, by: change(model, words, by),
                f"{what} of {named(mark.key)} {told}",
                lambda: self._ask(mark, title, action, label, change, told, needed),
            )

        (words,) = self._sending.unsent.get(unsent, ("",))
        self._messages.open(
            title, message, "", "Open…",
            lambda: WordsDialog(self._window, title, message, _told(mark), action, act, label, needed, words),
            lambda: None,
        )  # fmt: skip

    def _may_begin(self, what: str) -> bool:
        if self._state.reachable is None:
            self._tell(f"{what} when the database is back")
        return self._state.reachable is not None

    def _tell(self, text: str) -> None:
        self._say(text)
        window = self._shown()
        if window is not None:
            window.say(text)


def named(key: Key) -> str:
    """Which record it is, for people."""
    from .undoing import named as name_of  # no start pays for that import

    return name_of(key)


def _beside(mark: Mark) -> str:
    """What stands beside the field: a sign, the words, and what became of a question."""
    words = " ".join(mark.words.split())
    status = "" if mark.status == "open" else f" ({mark.status})"
    return f"{_SIGNS[mark.state]}{words}{status}"


def _line(mark: Mark) -> str:
    """The mark in one line, for the dialog that makes another."""
    return f"{mark.field_name or 'Whole record'}: {_beside(mark)}"


def _told(mark: Mark) -> str:
    """What is asked or said, by whom, and what was answered."""
    name = mark.field_name
    value = f", {_shown_value(name, mark.value)}" if mark.value else ""
    became = f" (now {_shown_value(name, mark.present) or 'empty'})"
    now = became if mark.present != mark.value and not mark.gone else ""
    lines = [
        f"{named(mark.key)}: {name or 'whole record'}{value}{now}."
        + (" The record was withdrawn." if mark.gone else ""),
        f"{mark.marked.astimezone():%Y-%m-%d %H:%M} {mark.marked_by}: {mark.words}",
    ]
    if mark.answered is not None:
        lines.append(f"{mark.answered.astimezone():%Y-%m-%d %H:%M} {mark.answered_by}: {mark.answer}")
    return "\n".join(lines)


def _shown_value(name: str, text: str) -> str:
    if name == F.EQUIPMENT_FAULT:
        return {"true": "yes", "false": "no"}.get(text, text)
    unit = fields.field(name).unit if name else ""
    return f"{text} {unit}" if text and unit else text
