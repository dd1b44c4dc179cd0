"""The long text: Tab leaves it, Enter is the form's, Shift-Enter breaks the line."""

from __future__ import annotations

import tkinter as tk

from .. import fields
from ..themes import LIGHT, Look


class FieldNotes(tk.Text):
    """A text of several lines. Its value never ends in a line break, however often it is saved."""

    def __init__(self, parent: tk.Misc, field: fields.Field, height: int = 2) -> None:
        self.field = field
        self._palette = LIGHT
        self._wrong = False
        super().__init__(parent, height=height, width=20, wrap="word", undo=True, maxundo=0, autoseparators=True)
        self.configure(relief="flat", borderwidth=0, highlightthickness=1, font="TkTextFont")
        self.bind("<<Modified>>", self._modified)
        self.bind("<Tab>", lambda _event: self._leave(self.tk_focusNext()))
        for back in ("<Shift-Tab>", "<<PrevWindow>>"):
            self.bind(back, lambda _event: self._leave(self.tk_focusPrev()))
        self.bind("<Shift-Return>", self._break_line)
        self._was_left = True
        self.bind("<FocusIn>", lambda _event: self._entered(), add=True)
        self.bind("<<Left>>", lambda _event: self._note_left(True), add=True)
        self.bind("<Button-1>", lambda _event: self._note_left(False), add=True)
        self.bind("<<Paste>>", lambda _event: self.after_idle(self.see, tk.INSERT), add=True)

    @property
    def text(self) -> str:
        """The notes without blanks and line breaks at their end."""
        return self.get("1.0", "end-1c").rstrip()

    def set_text(self, text: str) -> None:
        """Fill the notes by the program: not a step to undo."""
        state = str(self.cget("state"))
        self.configure(state="normal")
        self.replace("1.0", "end-1c", text)
        self.edit_reset()
        self.configure(state=state)  # type: ignore[call-overload]

    def edit_text(self, text: str) -> None:
        """Replace the notes for the user: a step to undo."""
        self.edit_separator()
        self.replace("1.0", "end-1c", text)
        self.edit_separator()

    def mark(self) -> str:
        """What is wrong with the text, in words."""
        return fields.mark(self.field, self.text)

    def show_wrong(self, wrong: bool) -> None:
        """Tint the text that has an error."""
        self._wrong = wrong
        self._colour()

    def settle(self) -> None:
        """Nothing to bring into form."""

    def set_enabled(self, enabled: bool) -> None:
        """Let the user write here, or not."""
        self.configure(state="normal" if enabled else "disabled")
        self._colour()

    def show_look(self, look: Look) -> None:
        """Colour the text like the entries beside it."""
        p = self._palette = look.palette
        self.configure(insertbackground=p.text, padx=look.unit, pady=look.unit)
        self._colour()
        self.configure(highlightbackground=p.border, highlightcolor=p.accent, highlightthickness=1)
        self.configure(selectbackground=p.selection, selectforeground=p.on_selection)

    def _colour(self) -> None:
        p, enabled = self._palette, str(self.cget("state")) == "normal"
        field = p.field_wrong if self._wrong else p.field
        self.configure(background=field if enabled else p.field_disabled, foreground=p.text if enabled else p.muted)

    def _modified(self, _event: object) -> None:
        if self.edit_modified():
            self.edit_modified(False)
            self.event_generate("<<Edited>>")

    def _leave(self, widget: tk.Misc | None) -> str:
        if widget is not None:
            widget.focus_set()
        return "break"

    def _note_left(self, left: bool) -> None:
        self._was_left = left

    def _entered(self) -> None:
        # A menu or another window had the focus meanwhile: the cursor stays where it was. A click has its own place.
        if self._was_left:
            self.mark_set(tk.INSERT, "end-1c")
        self._was_left = False

    def _break_line(self, _event: object) -> str:
        self.insert(tk.INSERT, "\n")
        self.see(tk.INSERT)
        return "break"
