"""What QA asks and says about values: beside the fields of the form, and in a window."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import fields
from ..constants import FieldNames as F
from ..counting import counted, one_line
from ..views.form_content import WHOLE_RECORD
from .side_list import SideList, WindowContext

if TYPE_CHECKING:

    from ..models import SQLModel
    from ..models.marks import Mark, MarkEvent
    from ..models.undoing import By
    from ..views import DataRecordForm
    from ..views.action_list import ActionRow
    from ..views.marks import QuestionsWindow
    from .undoing import Key

_MARK_TITLE = "Mark Value"
_SIGNS = {"queried": "? QA: ", "accepted": "✓ QA accepts: ", "excluded": "! QA excludes: "}
_STATES = {"queried": "Asked about", "accepted": "Accepted", "excluded": "Excluded from QA's views"}
_ROW_STATES = {"queried": "question", "accepted": "accepted", "excluded": "excluded"}
_NOW = "Go ‣ Questions from QA lists them"


class MarkActions(NamedTuple):
    """``open_record(row)`` opens a record, ``show_form()`` brings the form to the front; ``attended()`` returns the key
    of the selected saved record; ``may_mark()``, ``may_answer()``: whether the login may; ``status_text()`` returns the
    text of the status line."""

    open_record: Callable[[Mapping[str, Any]], object]
    show_form: Callable[[], object]
    attended: Callable[[], Key | None]
    may_mark: Callable[[], bool]
    may_answer: Callable[[], bool]
    status_text: Callable[[], str]


class Questions(SideList["Mark", "QuestionsWindow"]):
    """The marks that aren't closed, as of the last look."""

    subject = "what QA asks"
    away = "The database is away: questions can be answered when it is back."
    unknown = "What QA asks isn't known while the database is away. F5 tries again."

    def __init__(self, context: WindowContext, form: DataRecordForm, actions: MarkActions) -> None:
        super().__init__(context)
        self._form, self._actions = form, actions
        self._announced = ""

    @property
    def waiting(self) -> int:
        """The number of questions that wait for an answer, as of the last look."""
        return _waiting(self._known or ())

    def mark(self) -> None:
        """Open the dialog in which QA marks a value of the selected record."""
        key = self._actions.attended()
        if not self._may_begin("Values can be marked"):
            return
        if key is None:
            self._show_status("Choose a saved record first: a row of the list, or a plot")
        else:
            self._mark(key)

    def _mark(self, key: Key) -> None:
        from ..models.marks import MARKABLE, plain
        from ..models.marks import WHOLE_RECORD as RECORD
        from ..views.marks import MarkDialog

        focused = self._form.focused
        at = focused.name if focused is not None and self._form.opened == key and focused.name in MARKABLE else ""
        marks = {RECORD: "The whole record", **{plain(name): name for name in MARKABLE}}
        present = [_line(each) for each in self._known or () if each.key == key]
        detail = "\n".join(present) or "The record stays as it is. Lab staff see what you say below the value."

        dialog_key, first = (_MARK_TITLE, key), (plain(at) if at else RECORD, next(iter(_STATES)), "")

        def act(field: str, state: str, words: str) -> None:
            self._sending.keep(dialog_key, field, state, words)
            self._sending.change(
                dialog_key,
                lambda model, by: model.mark_value(key, field, state, words, by=by),
                f"{marks[field]} of {named(key)} is marked",
                lambda: self._mark(key),
            )

        message = f"What does QA say about the record of {named(key)}?"
        self._sending.open(
            dialog_key, message,
            lambda typed: MarkDialog(self._window, message, detail, marks, _STATES, act, typed or first), len(first),
        )  # fmt: skip

    # -- what was found -----------------------------------------------------------------------------------

    def _window_class(self) -> type[QuestionsWindow]:
        from ..views.marks import QuestionsWindow

        return QuestionsWindow

    def _new_window(self) -> QuestionsWindow:
        from ..views.action_list import RowCallbacks

        callbacks = RowCallbacks(self._list, self._messages.command(self._act))
        return self._window_class()(self._window, callbacks, self._show_history)

    def _fetch(self, model: SQLModel) -> Sequence[Mark]:
        return model.get_marks()

    def _know(self, found: Sequence[Mark], before: Sequence[Mark] | None) -> None:
        said: dict[Any, dict[str, str]] = defaultdict(dict)
        for each in reversed(found):  # a question replaces another mark of the same value
            if not each.gone:
                said[each.key][each.field_name or WHOLE_RECORD] = _beside(each)
        self._form.marked.show_remarks(said)
        self._announce(self.waiting > _waiting(before or ()))

    def _announce(self, is_more: bool) -> None:
        """Announce new questions; clear the message when it is no longer true."""
        sentence = f"QA has {counted(self.waiting, 'question')}: {_NOW}" if self.waiting else ""
        is_old = self._announced and self._actions.status_text() == self._announced != sentence
        if (is_more and self._actions.may_answer()) or is_old:
            self._announced = sentence
            self._show_status(sentence)

    def _list(self, everything: bool) -> None:
        states, statuses = (None, None) if everything else (("queried",), ("open", "answered", "corrected"))
        self._look_up(lambda model: model.get_marks(states, statuses), self._show_rows, everything)

    def _of_known(self, known: Sequence[Mark], everything: bool) -> Sequence[Mark]:
        return [each for each in known if everything or each.state == "queried"]

    def _show_rows(self, items: Sequence[Mark], remark: str = "") -> None:
        window = self._shown()
        if window is None:
            return
        self._listed = {str(each.id): each for each in items}
        count = f"{len(items):,} listed, {_waiting(items):,} to be answered" if items else ""
        window.show_rows([self._row(each, away=bool(remark)) for each in items], count, remark)

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
        words = one_line(mark.words)
        cells = (named(mark.key), mark.field_name or "Whole record", mark.value, state, mark.technician, words)
        return ActionRow(str(mark.id), cells, _exchange(mark), frozenset(name for name, may in allowed.items() if may))

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
        if form.opened == mark.key:  # already, or half typed; else it goes to the field when it opens
            form.field_to_correct = (mark.key, mark.field_name)
            self._actions.show_form()
            form.focus_correction()
        if window is not None:
            window.go_behind()

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
        from ..views.marks import TextDialog

        what = mark.field_name or "Whole record"
        message = f"{title}: {what} of {named(mark.key)}"

        dialog_key = title, mark.id

        def act(words: str) -> None:
            self._sending.keep(dialog_key, words)
            self._sending.change(
                dialog_key,
                lambda model, by: change(model, words, by),
                f"{what} of {named(mark.key)} {told}",
                lambda: self._ask(mark, title, action, label, change, told, needed),
            )

        self._sending.open(
            dialog_key, message,
            lambda typed: TextDialog(self._window, title, message, _exchange(mark), action, act, label, needed, *typed),
        )  # fmt: skip


def _waiting(marks: Sequence[Mark]) -> int:
    return sum(each.waits for each in marks)


def named(key: Key) -> str:
    """Return the record's name in words."""
    from .undoing import named as name_of  # imported here, so that it doesn't slow the start

    return name_of(key)


def _beside(mark: Mark) -> str:
    """Return the text beside the field: a symbol, what QA says, and what became of a question."""
    words = one_line(mark.words)
    status = "" if mark.status == "open" else f" ({mark.status})"
    return f"{_SIGNS[mark.state]}{words}{status}"


def _line(mark: Mark) -> str:
    """Return the mark in one line, for the dialog that adds another one."""
    return f"{mark.field_name or 'Whole record'}: {_beside(mark)}"


def _exchange(mark: Mark) -> str:
    """Return what is asked or said, by whom, and the answer."""
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
