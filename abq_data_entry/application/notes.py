"""Notes to the next shift: the line in the head of the form, the handover page, the dialog that writes one."""

from __future__ import annotations

import datetime
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..constants import FieldNames as F
from ..counting import counted
from ..views.side_window import brought_up
from .messages import reason_of
from .sending import Sending, SendingActions

if TYPE_CHECKING:
    import tkinter as tk

    from ..models.notes import Note, Subject
    from ..models.undoing import By
    from ..views import DataRecordForm
    from ..views.action_list import ActionRow
    from ..views.notes import HandoverWindow
    from .connection import Connection
    from .messages import Messages, Say
    from .state import State

log = logging.getLogger(__name__)

_TITLE = "Write Note"
_AWAY = "The database is away: notes can be written, and done, when it is back."


class NoteActions(NamedTuple):
    """``go_to_check(date, time, lab)`` and ``go_to_plot(plot)`` lead the form there; ``by()``: who asks;
    ``may_write()``: whether the login may; ``means_away(error)``: whether the database is away."""

    go_to_check: Callable[[datetime.date, str, str], object]
    go_to_plot: Callable[[int], object]
    by: Callable[[], By]
    may_write: Callable[[], bool]
    means_away: Callable[[BaseException], bool]


class Handover:
    """Knows the open notes, as of the last look; looks again when told that some changed. On the Tk thread."""

    def __init__(
        self,
        window: tk.Misc,
        form: DataRecordForm,
        state: State,
        connection: Connection,
        messages: Messages,
        say: Say,
        actions: NoteActions,
    ) -> None:
        self._window, self._form, self._state, self._connection = window, form, state, connection
        self._messages, self._say, self._actions = messages, say, actions
        self.open_notes: Sequence[Note] | None = None
        """None until they were looked up."""
        self._known_at = ""
        self._looking = self._again = False
        self._listed: dict[str, Note] = {}
        # Those that were done in the open window stay in it: so that can be undone.
        self._finished: set[int] = set()
        self._sending = Sending(
            state, connection, messages, SendingActions(actions.by, actions.means_away, self._tell, self.look)
        )
        form.check_panel.notes_wanted, form.check_panel.tell_notes = messages.command(self.show), say

    def look(self) -> None:
        """Look up which notes are open; the form and the open window show them."""
        if self._looking:
            self._again = True
        elif self._state.reachable is not None:
            self._looking, self._again = True, False
            self._connection.ask(lambda model: model.get_notes(), self._found, self._not_found)

    def show(self) -> HandoverWindow:
        """Open the page, or bring it to the front."""
        from ..views.action_list import RowCallbacks
        from ..views.notes import HandoverWindow

        shown = brought_up(self._window, HandoverWindow)
        if shown is not None:
            shown.tree.focus_set()
            return shown
        self._finished = set()
        command = self._messages.command
        return HandoverWindow(self._window, RowCallbacks(self._list, command(self._act)), command(self.write))

    def write(self) -> None:
        """Ask what the note says, and to what it is: a lab, or the plot or the check of the form."""
        from ..views.notes import NoteDialog

        subjects = self._subjects()
        if not self._may_begin():
            return
        if not subjects:
            self._say("There is no lab yet to write a note to")
            return
        unsent = _TITLE, ""
        to, words = self._sending.unsent.get(unsent, ("", ""))
        first = next((each for each, text in subjects.items() if text == to), next(iter(subjects)))

        def act(subject: Subject, said: str) -> None:
            self._sending.unsent[unsent] = subjects[subject], said
            self._sending.change(
                unsent,
                lambda model, by: model.write_note(subject, said, by=by),
                f"The note to {subject.named} is written",
                self.write,
            )

        message = "What should the next shift know?"
        self._messages.open(
            _TITLE, message, "", "Open…",
            lambda: NoteDialog(self._window, message, subjects, act, first, words),
            lambda: None,
        )  # fmt: skip

    def _subjects(self) -> dict[Subject, str]:
        """What a note can be to from here, with its name: the lab of the form, its plot, its check, the other labs."""
        from ..models.notes import Subject

        form = self._form
        lab, key, plot = form.inputs.value(F.LAB), form.check_key, form.plot
        found = []
        if isinstance(lab, str):
            found.append(Subject(lab))
            found += [Subject(lab, plot)] if plot is not None else []
        if key is not None:
            found.append(Subject(key[2], None, key[0], key[1]))
        found += [Subject(str(each)) for each in form.inputs.choices.get(F.LAB) or () if each != lab]
        return {each: each.named[0].upper() + each.named[1:] for each in found}

    # -- what was found -----------------------------------------------------------------------------------

    def _found(self, notes: Sequence[Note]) -> None:
        before = self.open_notes
        self._looking, self.open_notes = False, notes
        self._known_at = f"{datetime.datetime.now():%H:%M}"
        lines: dict[tuple[object, ...], list[str]] = defaultdict(list)
        for each in notes:
            lines[_place(each.subject)].append(each.line)
        self._form.show_notes(lines)
        if before is None and notes:
            self._say(f"{counted(len(notes), 'open note')} to labs, plots and checks: Go ‣ Handover lists them")
        shown = self._shown()
        if shown is not None:
            shown.refresh()
        if self._again:
            self.look()

    def _not_found(self, error: BaseException) -> None:
        self._looking = False
        log.warning("open notes couldn't be looked up", exc_info=error)

    def _shown(self) -> HandoverWindow | None:
        from ..views.notes import HandoverWindow

        return next((each for each in self._window.winfo_children() if isinstance(each, HandoverWindow)), None)

    def _list(self, everything: bool) -> None:
        """Show the page what it asks for; while the database is away what is known of it."""
        if self._state.reachable is None:
            self._list_known()
            return

        def fetched(notes: Sequence[Note]) -> None:
            self._show_rows([each for each in notes if each.done is None or everything or each.id in self._finished])

        def failed(error: BaseException) -> None:
            log.warning("notes couldn't be looked up", exc_info=error)
            shown = self._shown()
            if self._actions.means_away(error):
                self._list_known()
            elif shown is not None:
                shown.show_problem(f"The notes couldn't be looked up.\n{reason_of(error)}\n\nF5 tries again.")

        done = everything or bool(self._finished)
        self._connection.ask(lambda model: model.get_notes(done=done), fetched, failed)

    def _list_known(self) -> None:
        shown = self._shown()
        if shown is None:
            return
        if self.open_notes is None:
            shown.show_problem("The notes aren't known while the database is away. F5 tries again.")
        else:
            self._show_rows(self.open_notes, f"{_AWAY} This was known at {self._known_at}.")

    def _show_rows(self, notes: Sequence[Note], remark: str = "") -> None:
        shown = self._shown()
        if shown is None:
            return
        lab = self._form.inputs.value(F.LAB)
        ordered = sorted(notes, key=lambda each: (each.done is not None, each.lab != lab))  # the form's lab first
        self._listed = {str(each.id): each for each in ordered}
        waiting = sum(each.done is None for each in notes)
        rows = [self._row(each, away=bool(remark)) for each in ordered]
        shown.show_rows(rows, f"{len(notes):,} listed, {waiting:,} open" if notes else "", remark)

    def _row(self, note: Note, away: bool) -> ActionRow:
        from ..views.action_list import ActionRow
        from ..views.notes import DONE, NOT_DONE, OPEN

        may, done = not away and self._actions.may_write(), note.done is not None
        key = self._form.check_key
        here = note.plot is not None and key is not None and key[2] == note.lab
        allowed = {OPEN: note.date is not None or here, DONE: may and not done, NOT_DONE: may and done}
        since = f"{note.written.astimezone():%Y-%m-%d %H:%M}"
        cells = (note.subject.named, "done" if done else "open", note.line, note.written_by, since)
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
        elif self._may_begin():
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

    def _may_begin(self) -> bool:
        if self._state.reachable is None:
            self._tell("Notes can be written and done when the database is back")
        return self._state.reachable is not None

    def _tell(self, text: str) -> None:
        self._say(text)
        shown = self._shown()
        if shown is not None:
            shown.say(text)


def _place(subject: Subject) -> tuple[object, ...]:
    """What the form calls it: see `views.noted_places`."""
    if subject.date is not None:
        return subject.date, subject.time, subject.lab
    return (subject.lab,) if subject.plot is None else (subject.lab, subject.plot)
