"""QA's marks on values: the list of questions, and the dialogs that ask, answer, close and reopen them."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from tkinter import ttk
from typing import Any

from ..widgets.field_input import ERROR_MARK
from .action_list import ActionList, ActionRow, ListTexts, RowAction, RowCallbacks
from .dialogs import TypingDialog, letters_in, line_width
from .typed_keys import give_to

LONGEST = 2000
_BESIDE = 12  # letters for the label and the gaps
_COLUMNS = (("Record", 26), ("Field", 14), ("Value", 9), ("State", 11), ("Technician", 12), ("Words", 40))
_TEXTS = ListTexts(
    "All marks",
    "Looking up what QA asks…",
    "QA asks nothing at the moment. “All marks” lists what is accepted, excluded or closed too.",
    "QA has marked nothing.",
)
OPEN, ANSWER, CLOSE, REOPEN = "Open Record", "Answer…", "Close Mark…", "Reopen…"
_ACTIONS = (
    RowAction(OPEN, "", "The record of this mark was withdrawn"),
    RowAction(ANSWER, "a", "Only a question that isn't closed can be answered, by those who enter records"),
    RowAction(CLOSE, "c", "Only QA closes a mark, and only once"),
    RowAction(REOPEN, "r", "Only QA reopens a mark, once it was answered, corrected or closed"),
)


class QuestionsWindow(ActionList):
    """The list of marks; :meth:`show_rows` updates it. ``history(identifier)`` fetches the history of a mark."""

    def __init__(self, parent: tk.Misc, callbacks: RowCallbacks, history: Callable[[str], object]) -> None:
        self._look_up_history = history
        self._history = ("", "")
        super().__init__(parent, "Questions from QA", _COLUMNS, ("Technician", "Value"), _ACTIONS, _TEXTS, callbacks)

    def show_rows(self, rows: Sequence[ActionRow], count: str, remark: str = "") -> None:
        """Show these rows, their number in words (``count``), and a remark such as how old they are."""
        self._history = ("", "")
        super().show_rows(rows, count, remark)

    def show_history(self, identifier: str, text: str) -> None:
        """Show the history of that mark below the list."""
        if self.winfo_exists():
            self._history = (identifier, text)
            self.show_chosen()

    def row_chosen(self) -> None:
        """Fetch the history of the chosen mark."""
        super().row_chosen()
        chosen = self.chosen_row
        if chosen is not None and chosen.identifier != self._history[0]:
            self._look_up_history(chosen.identifier)

    def detail_of(self, row: ActionRow) -> str:
        """Return the mark's history, which includes question and answer, once it is fetched; else the row's text."""
        history = self._history[1] if self._history[0] == row.identifier else ""
        return f"{row.detail.splitlines()[0]}\n{history}" if history else row.detail


class TextDialog(TypingDialog):
    """Asks for a text, which is ``words`` at first. Enter calls ``act(words)``, Shift-Enter breaks the line."""

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        message: str,
        detail: str,
        action: str,
        act: Callable[..., object],
        label: str,
        needed: bool = True,
        words: str = "",
    ) -> None:
        self._act, self._label, self._needed = act, label, needed
        super().__init__(parent, title, message, detail, ((action, self._confirmed), ("Cancel", None)))
        self.box.insert("1.0", words)
        self.box.edit_reset()  # the first text isn't an undo step
        source = self._return_focus
        # Not if the dialog was opened again after a refusal, nor over the form, which keeps the keys typed there.
        if not words and source is not None and source.winfo_toplevel() is not self._parent:
            give_to(self.box, source, self.buttons[0].invoke, self.buttons[-1].invoke)

    @property
    def words(self) -> str:
        """The text without spaces around it."""
        return self.box.get("1.0", "end-1c").strip()

    def make_body(self, body: ttk.Frame) -> None:
        """Add a label and a text box, and below it a line for the error."""
        grid = ttk.Frame(body)
        grid.grid(row=2, column=0, sticky="ew", pady=(16, 0))
        grid.columnconfigure(1, weight=1)
        self.add_choices(grid)
        ttk.Label(grid, text=self._label).grid(row=8, column=0, sticky="nw", padx=(0, 12), pady=(4, 0))
        style = ttk.Style(self)
        self.box = tk.Text(grid, height=3, width=letters_in(self, 40, _BESIDE), wrap="word", font="TkTextFont")
        self.box.configure(relief="flat", borderwidth=0, highlightthickness=1, undo=True, padx=4, pady=4)
        colours = {
            "background": style.lookup("TEntry", "fieldbackground"),
            "foreground": style.lookup("TEntry", "foreground"),
            "insertbackground": style.lookup("TEntry", "foreground"),
            "highlightbackground": style.lookup("TEntry", "bordercolor"),
            "highlightcolor": style.lookup("TEntry", "bordercolor", ["focus"]),
        }
        # A native theme doesn't define all of them; for those, the text widget keeps its defaults.
        self.box.configure(**{option: colour for option, colour in colours.items() if colour})
        self.box.grid(row=8, column=1, sticky="ew", pady=(4, 0))
        self.note = ttk.Label(grid, style="Error.TLabel", wraplength=line_width(self), justify="left")
        self.note.grid(row=9, column=1, sticky="w")
        self.note.grid_remove()
        for key in ("<Return>", "<KP_Enter>"):
            self.box.bind(key, lambda _event: self._entered())
        self.box.bind("<Shift-Return>", lambda _event: None)  # leaves the line break to Tk's own binding
        self.box.bind("<Tab>", lambda _event: self._leave(self.box.tk_focusNext()))
        for back in ("<Shift-Tab>", "<<PrevWindow>>"):
            self.box.bind(back, lambda _event: self._leave(self.box.tk_focusPrev()))
        self.box.bind("<<Modified>>", lambda _event: self._edited())

    def add_choices(self, grid: ttk.Frame) -> None:
        """For subclasses: add what comes above the text, in rows 0 to 7."""

    def first_focus(self) -> tk.Misc:
        """Return the text box."""
        return self.box

    def problem(self) -> str:
        """Return what is wrong with the text; empty if it is valid."""
        length = len(self.words)
        if self._needed and not length:
            return "Words are required."
        return f"{length} characters; at most {LONGEST} are kept." if length > LONGEST else ""

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Close the dialog, unless the text isn't valid."""
        if action == self._confirmed:
            problem = self.problem()
            if problem:
                self.note.configure(text=f"{ERROR_MARK}{problem}")
                self.note.grid()
                self.box.focus_set()
                return
            super().close(partial(self._act, *self.typed))  # read before the widgets are destroyed
            return
        super().close(action)

    @property
    def typed(self) -> tuple[Any, ...]:
        """The current text, as the arguments of ``act``."""
        return (self.words,)

    def _entered(self) -> str:
        self.buttons[0].invoke()
        return "break"

    def _leave(self, widget: tk.Misc | None) -> str:
        if widget is not None:
            widget.focus_set()
        return "break"

    def _edited(self) -> None:
        if self.box.edit_modified():
            self.note.grid_remove()
            self.box.edit_modified(False)

    def _confirmed(self) -> None:
        """Identifies the button of the action; :meth:`close` does its work."""


class ChoicesDialog(TextDialog):
    """Asks for a text, and above it for a choice from each list; calls ``act(*keys, words)``.

    A list is given by its label, its texts by key, and the key of the first choice.
    """

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        message: str,
        detail: str,
        action: str,
        act: Callable[..., object],
        lists: Sequence[tuple[str, Mapping[Any, str], Any]],
        words: str = "",
    ) -> None:
        self._lists = lists
        self.boxes: dict[str, ttk.Combobox] = {}
        super().__init__(parent, title, message, detail, action, act, "Words", words=words)

    def add_choices(self, grid: ttk.Frame) -> None:
        """Add the lists."""
        for row, (label, texts, first) in enumerate(self._lists):
            ttk.Label(grid, text=label).grid(row=row, column=0, sticky="w", padx=(0, 12), pady=(4, 0))
            box = ttk.Combobox(grid, values=list(texts.values()), state="readonly", font="TkTextFont")
            box.configure(width=letters_in(self, 36, _BESIDE))
            box.set(texts.get(first) or next(iter(texts.values())))  # an older version may have offered others
            box.grid(row=row, column=1, sticky="w", pady=(4, 0))
            self.boxes[label] = box

    @property
    def typed(self) -> tuple[Any, ...]:
        """The current choices and the text, as the arguments of ``act``."""
        keys = (list(texts)[self.boxes[label].current()] for label, texts, _first in self._lists)
        return (*keys, self.words)


class MarkDialog(ChoicesDialog):
    """Asks for a field, a state and a text; calls ``act(field, state, words)`` with keys of ``marks`` and ``states``.

    Both have texts by key; ``first`` has the first choices and text, in the order of ``act``.
    """

    def __init__(
        self,
        parent: tk.Misc,
        message: str,
        detail: str,
        marks: Mapping[str, str],
        states: Mapping[str, str],
        act: Callable[[str, str, str], object],
        first: Sequence[str],
    ) -> None:
        lists = (("What", marks, first[0]), ("Is", states, first[1]))
        super().__init__(parent, "Mark Value", message, detail, "Mark", act, lists, first[2])
