"""Notes to the next shift: the line in the head of the form, the handover page, and the dialog that writes one."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..constants import FieldNames as F
from ..counting import counted
from .side_list import SideList, WindowContext

if TYPE_CHECKING:

    from ..models import SQLModel
    from ..models.marks import Note, Subject
    from ..views import DataRecordForm
    from ..views.action_list import ActionRow
    from ..views.notes import HandoverWindow

_TITLE = "Write Note"
_WHAT = "Notes can be written and done"


class NoteActions(NamedTuple):
    """``go_to_check(date, time, lab)`` and ``go_to_plot(plot)`` show them in the form; ``may_write()``: whether the
    login may write notes."""

    go_to_check: Callable[[datetime.date, str, str], object]
    go_to_plot: Callable[[int], object]
    may_write: Callable[[], bool]


class Handover(SideList["Note", "HandoverWindow"]):
    """The open notes, as of the last look."""

    subject = "the notes"
    away = "The database is away: notes can be written, and done, when it is back."
    unknown = "The notes aren't known while the database is away. F5 tries again."

    def __init__(self, context: WindowContext, form: DataRecordForm, actions: NoteActions) -> None:
        super().__init__(context)
        self._form, self._actions = form, actions
        # Notes marked as done in the open window stay listed, so that this can be undone.
        self._finished: set[int] = set()
        form.check_panel.notes_wanted = self._messages.command(self.show)
        form.check_panel.show_notes = self._show_status

    def write(self) -> None:
        """Open the dialog for a note about a lab, or about the plot or check in the form."""
        from ..views.notes import NoteDialog

        subjects = self._subjects()
        if not self._may_begin(_WHAT):
            return
        if not subjects:
            self._show_status("There is no lab yet to write a note to")
            return
        dialog_key = _TITLE, ""

        def act(subject: Subject, said: str) -> None:
            self._sending.keep(dialog_key, *_texts(subject, said))
            self._sending.change(
                dialog_key,
                lambda model, by: model.write_note(subject, said, by=by),
                f"The note to {subject.named} is written",
                self.write,
            )

        message = "What should the next shift know?"

        def make(typed: tuple[str, ...]) -> NoteDialog:
            first = _subject(*typed[:-1]) if typed else next(iter(subjects))
            subjects.setdefault(first, _named(first))  # the form may be elsewhere by now
            return NoteDialog(self._window, message, subjects, act, first, typed[-1] if typed else "")

        self._sending.open(dialog_key, message, make, 5, _texts)

    def _subjects(self) -> dict[Subject, str]:
        """Return what a note can be about, with its name: the form's lab, plot and check, and the other labs."""
        from ..models.marks import Subject

        form = self._form
        lab, key, plot = form.inputs.value(F.LAB), form.check_key, form.plot
        found = []
        if isinstance(lab, str):
            found.append(Subject(lab))
            found += [Subject(lab, plot)] if plot is not None else []
        if key is not None:
            found.append(Subject(key[2], None, key[0], key[1]))
        found += [Subject(str(each)) for each in form.inputs.choices.get(F.LAB) or () if each != lab]
        return {each: _named(each) for each in found}

    # -- what was found -----------------------------------------------------------------------------------

    def _window_class(self) -> type[HandoverWindow]:
        from ..views.notes import HandoverWindow

        return HandoverWindow

    def _new_window(self) -> HandoverWindow:
        from ..views.action_list import RowCallbacks

        self._finished = set()
        command = self._messages.command
        callbacks = RowCallbacks(self._list, command(self._act))
        return self._window_class()(self._window, callbacks, command(self.write))

    def _fetch(self, model: SQLModel) -> Sequence[Note]:
        return model.get_notes()

    def _know(self, found: Sequence[Note], before: Sequence[Note] | None) -> None:
        lines: dict[tuple[object, ...], list[str]] = defaultdict(list)
        for each in found:
            lines[_place(each.subject)].append(each.line)
        self._form.show_notes(lines)
        if before is None and found:
            self._show_status(f"{counted(len(found), 'open note')}: Go ‣ Handover lists them")

    def _list(self, everything: bool) -> None:
        def fetched(notes: Sequence[Note]) -> None:
            self._show_rows([each for each in notes if each.done is None or everything or each.id in self._finished])

        done = everything or bool(self._finished)
        self._look_up(lambda model: model.get_notes(done=done), fetched, everything)

    def _show_rows(self, items: Sequence[Note], remark: str = "") -> None:
        shown = self._shown()
        if shown is None:
            return
        lab = self._form.inputs.value(F.LAB)
        ordered = sorted(items, key=lambda each: (each.done is not None, each.lab != lab))  # the form's lab first
        self._listed = {str(each.id): each for each in ordered}
        waiting = sum(each.done is None for each in items)
        rows = [self._row(each, away=bool(remark)) for each in ordered]
        shown.show_rows(rows, f"{len(items):,} listed, {waiting:,} open" if items else "", remark)

    def _row(self, note: Note, away: bool) -> ActionRow:
        from ..views.action_list import ActionRow
        from ..views.notes import DONE, NOT_DONE, OPEN

        may, done = not away and self._actions.may_write(), note.done is not None
        key = self._form.check_key
        here = note.plot is not None and key is not None and key[2] == note.lab
        allowed = {OPEN: note.date is not None or here, DONE: may and not done, NOT_DONE: may and done}
        since = f"{note.written.astimezone():%Y-%m-%d %H:%M}"
        cells = (note.subject.named, "done" if done else "open", note.written_by, since, note.line)
        lines = [f"{since} {note.written_by}, to {note.subject.named}:", note.words]
        if note.done is not None:
            lines.append(f"{note.done.astimezone():%Y-%m-%d %H:%M} done by {note.done_by}")
        named = frozenset(name for name, is_allowed in allowed.items() if is_allowed)
        return ActionRow(str(note.id), cells, "\n".join(lines), named)

    # -- what is done about them ----------------------------------------------------------------------------

    def _act(self, button: str, identifier: str) -> None:
        from ..views.notes import OPEN

        note = self._listed.get(identifier)
        if note is None:
            return
        if button == OPEN:
            self._open(note)
        elif self._may_begin(_WHAT):
            self._set_done(note, note.done is None)

    def _set_done(self, note: Note, done: bool) -> None:
        self._finished.add(note.id)
        told = "done; Alt+N undoes that" if done else "open again"
        self._sending.change(
            ("Note", note.id),
            lambda model, by: model.finish_note(note.id, by=by) if done else model.reopen_note(note.id, by=by),
            f"The note to {note.subject.named} is {told}",
            None,
        )

    def _open(self, note: Note) -> None:
        if note.date is not None and note.time is not None:
            self._actions.go_to_check(note.date, note.time, note.lab)
        elif note.plot is not None:
            self._actions.go_to_plot(note.plot)


def _named(subject: Subject) -> str:
    return subject.named[0].upper() + subject.named[1:]


def _texts(subject: Subject, said: str) -> tuple[str, ...]:
    """Return subject and words as texts that can be kept."""
    return (*("" if each is None else str(each) for each in subject), said)


def _subject(lab: str, plot: str, date: str, time: str) -> Subject:
    from ..models.marks import Subject

    day = datetime.date.fromisoformat(date) if date else None
    return Subject(lab, int(plot) if plot else None, day, time or None)


def _place(subject: Subject) -> tuple[object, ...]:
    """Return the key of a subject in the form: see `views.noted_places`."""
    if subject.date is not None:
        return subject.date, subject.time, subject.lab
    return (subject.lab,) if subject.plot is None else (subject.lab, subject.plot)
