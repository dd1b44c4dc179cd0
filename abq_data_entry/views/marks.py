"""What QA says of values: the list of questions, and the dialogs that ask, answer, close and reopen."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from tkinter import ttk

from ..widgets.field_input import ERROR_MARK
from ..widgets.paged_list import RowMenu
from ..widgets.table import LiveList
from .dialogs import Dialog, line_width
from .side_window import Receipt, SideWindow

LONGEST = 2000
_COLUMNS = (("Record", 26), ("Field", 14), ("Value", 9), ("State", 11), ("Technician", 12), ("Words", 40))
_FETCHING = "Looking up what QA asks…"
_NOTHING_ASKED = "QA asks nothing at the moment. “All marks” lists what is accepted, excluded or closed too."
_NO_MARKS = "QA has marked nothing."
OPEN, ANSWER, CLOSE, REOPEN = "Open Record", "Answer…", "Close Mark…", "Reopen…"


@dataclass(frozen=True)
class MarkRow:
    """One line: its cells, what stands below the list, and what can be done with it (names of buttons)."""

    identifier: str
    cells: tuple[str, ...]
    detail: str
    allowed: frozenset[str]


@dataclass(frozen=True)
class MarkCallbacks:
    """What goes up: ``fetch(everything)`` has the rows looked up, ``act(button, identifier)`` does what a button says,
    ``history(identifier)`` has it looked up what became of a mark."""

    fetch: Callable[[bool], object]
    act: Callable[[str, str], object]
    history: Callable[[str], object]


class QuestionsWindow(SideWindow):
    """Stays open beside the form; :meth:`show_rows` brings it up to date."""

    def __init__(self, parent: tk.Misc, callbacks: MarkCallbacks) -> None:
        super().__init__(parent, "Questions from QA")
        self._callbacks = callbacks
        self._rows: dict[str, MarkRow] = {}
        self._message, self._remark = _FETCHING, ""
        self._history = ("", "")
        self.everything = tk.BooleanVar(self, False)
        room = self.room
        room.columnconfigure(0, weight=1)
        room.rowconfigure(1, weight=1)
        head = ttk.Frame(room)
        head.grid(row=0, column=0, sticky="ew", pady=(0, 8))
        head.columnconfigure(0, weight=1)
        box = ttk.Checkbutton(head, text="All marks", variable=self.everything, command=self.refresh)
        box.grid(row=0, column=0, sticky="w")
        self.count_label = ttk.Label(head, style="Note.TLabel")
        self.count_label.grid(row=0, column=1, sticky="e")
        self.live_list = LiveList(room, _COLUMNS, spare=("Technician", "Value"))
        self.live_list.grid(row=1, column=0, sticky="nsew")
        self.tree = self.live_list.tree
        self.detail = Receipt(room)
        self.detail.text.configure(height=5)
        self.detail.grid(row=2, column=0, sticky="nsew", pady=(12, 0))
        self.said = ttk.Label(room, style="Note.TLabel", justify="left")
        self.said.bind("<Configure>", lambda event: event.widget.configure(wraplength=event.width))
        self.said.grid(row=3, column=0, sticky="ew", pady=(8, 0))
        calls: dict[str, Callable[[], object]] = {
            text: lambda text=text: self.press(text) for text in (OPEN, ANSWER, CLOSE, REOPEN)  # type: ignore[misc]
        }
        self.buttons = self.add_buttons(4, {**calls, "Refresh": self.refresh, "Close": self.destroy})
        self._bind_keys()
        self.minsize(420, 300)
        self.show(self.tree)
        self.refresh()

    def refresh(self) -> None:
        """Look up again what QA says."""
        if self.winfo_exists():
            self._callbacks.fetch(bool(self.everything.get()))

    def show_rows(self, rows: Sequence[MarkRow], count: str, remark: str = "") -> None:
        """Show these lines, how many they are in words, and a remark such as how old they are."""
        if not self.winfo_exists():
            return
        self._message = _NO_MARKS if self.everything.get() else _NOTHING_ASKED
        self._rows = {row.identifier: row for row in rows}
        self._history, self._remark = ("", ""), remark
        self.live_list.show({row.identifier: row.cells for row in rows})
        self.count_label.configure(text=count)
        self.say(remark)
        self._chosen()

    def show_problem(self, text: str) -> None:
        """Nothing is known, and why."""
        if self.winfo_exists():
            self._message, self._rows = text, {}
            self.live_list.show({})
            self.count_label.configure(text="")
            self._show_chosen()

    def show_history(self, identifier: str, text: str) -> None:
        """What became of that mark, below it."""
        if self.winfo_exists():
            self._history = (identifier, text)
            self._show_chosen()

    def say(self, text: str) -> None:
        """Say what was done, or why it wasn't."""
        if self.winfo_exists():
            self.said.configure(text=text)

    def press(self, name: str) -> str:
        """Do what the button of that name does, unless it is closed."""
        row = self._rows.get(self.live_list.chosen or "")
        if row is not None and name in row.allowed:
            self._callbacks.act(name, row.identifier)
        elif row is not None:
            self.say(self._remark if name != OPEN and self._remark else _WHY_NOT[name])
        return "break"

    def destroy(self) -> None:
        """Close it; the form has the keyboard again."""
        # Left to the garbage collector, a worker thread could be the one that calls Tk for it.
        self.__dict__.pop("everything", None)
        super().destroy()

    def _bind_keys(self) -> None:
        self.bind("<F5>", lambda _event: self.refresh())
        self.tree.bind("<<TreeviewSelect>>", lambda _event: self._chosen())
        for key in ("<Return>", "<KP_Enter>", "<Double-Button-1>"):
            self.tree.bind(key, lambda _event: self.press(OPEN))
        for letter, name in (("a", ANSWER), ("c", CLOSE), ("r", REOPEN)):
            self.bind(f"<Alt-{letter}>", lambda _event, name=name: self.press(name))  # type: ignore[misc]
            self.buttons[name].configure(underline=0)  # the letter that the name begins with
        RowMenu(
            self.tree, self.live_list.choose,
            [(name, lambda name=name: self.press(name)) for name in (OPEN, ANSWER, CLOSE, REOPEN)],  # type: ignore[misc]
            {OPEN: "Enter", ANSWER: "Alt+A", CLOSE: "Alt+C", REOPEN: "Alt+R"},
            lambda name: name in self.allowed,
        )  # fmt: skip

    @property
    def allowed(self) -> frozenset[str]:
        """What can be done with the chosen line: names of buttons."""
        row = self._rows.get(self.live_list.chosen or "")
        return frozenset() if row is None else row.allowed

    def _chosen(self) -> None:
        self._show_chosen()
        if self.live_list.chosen in self._rows and self.live_list.chosen != self._history[0]:
            self._callbacks.history(str(self.live_list.chosen))

    def _show_chosen(self) -> None:
        row = self._rows.get(self.live_list.chosen or "")
        if row is None:
            self.detail.show("" if self._rows else self._message)
        else:
            history = self._history[1] if self._history[0] == row.identifier else ""
            # The history tells what was asked and answered too.
            self.detail.show(f"{row.detail.splitlines()[0]}\n{history}" if history else row.detail)
        for name in (OPEN, ANSWER, CLOSE, REOPEN):
            self.buttons[name].state(["!disabled" if name in self.allowed else "disabled"])


_WHY_NOT = {
    OPEN: "The record of this mark was withdrawn",
    ANSWER: "Only a query that isn't closed can be answered, by who enters records",
    CLOSE: "QA closes a mark, once",
    REOPEN: "QA reopens what was answered, corrected or closed",
}


class WordsDialog(Dialog):
    """Asks for words; Enter gives them to ``act(words)``, Shift-Enter breaks the line. ``words`` stand there at first.
    """

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        message: str,
        detail: str,
        action: str,
        act: Callable[[str], object],
        label: str,
        needed: bool = True,
        words: str = "",
    ) -> None:
        self._act, self._label, self._needed = act, label, needed
        super().__init__(parent, title, message, detail, ((action, self._confirmed), ("Cancel", None)))
        self.box.insert("1.0", words)

    @property
    def words(self) -> str:
        """What was typed, without blanks around it."""
        return self.box.get("1.0", "end-1c").strip()

    def make_body(self, body: ttk.Frame) -> None:
        """A label and a box of some lines, and below it what is wrong."""
        grid = ttk.Frame(body)
        grid.grid(row=2, column=0, sticky="ew", pady=(16, 0))
        grid.columnconfigure(1, weight=1)
        self.add_choices(grid)
        ttk.Label(grid, text=self._label).grid(row=8, column=0, sticky="nw", padx=(0, 12), pady=(4, 0))
        style = ttk.Style(self)
        self.box = tk.Text(grid, height=3, width=40, wrap="word", relief="flat", borderwidth=0, highlightthickness=1)
        self.box.configure(
            font="TkTextFont", undo=True, padx=4, pady=4,
            background=style.lookup("TEntry", "fieldbackground"), foreground=style.lookup("TEntry", "foreground"),
            insertbackground=style.lookup("TEntry", "foreground"),
            highlightbackground=style.lookup("TEntry", "bordercolor"),
            highlightcolor=style.lookup("TEntry", "bordercolor", ["focus"]),
        )  # fmt: skip
        self.box.grid(row=8, column=1, sticky="ew", pady=(4, 0))
        self.note = ttk.Label(grid, style="Error.TLabel", wraplength=line_width(self), justify="left")
        self.note.grid(row=9, column=1, sticky="w")
        self.note.grid_remove()
        for key in ("<Return>", "<KP_Enter>"):
            self.box.bind(key, lambda _event: self._entered())
        self.box.bind("<Shift-Return>", lambda _event: None)  # Tk's own: a line break
        self.box.bind("<Tab>", lambda _event: self._leave(self.box.tk_focusNext()))
        for back in ("<Shift-Tab>", "<<PrevWindow>>"):
            self.box.bind(back, lambda _event: self._leave(self.box.tk_focusPrev()))
        self.box.bind("<<Modified>>", lambda _event: self._edited())

    def add_choices(self, grid: ttk.Frame) -> None:
        """For subclasses: what stands above the words, in rows 0 to 7."""

    def first_focus(self) -> tk.Misc:
        """The words."""
        return self.box

    def problem(self) -> str:
        """What is wrong with what is typed; empty if nothing is."""
        length = len(self.words)
        if self._needed and not length:
            return "Words are required."
        return f"{length} characters; at most {LONGEST} are kept." if length > LONGEST else ""

    def close(self, action: Callable[[], object] | None = None) -> None:
        """What isn't right keeps the dialog open."""
        if action == self._confirmed:
            problem = self.problem()
            if problem:
                self.note.configure(text=f"{ERROR_MARK}{problem}")
                self.note.grid()
                self.box.focus_set()
                return
            call = self.call()  # what is typed, read before the dialog is gone
            super().close(call)
            return
        super().close(action)

    def call(self) -> Callable[[], object]:
        """What is done with what is typed now."""
        act, words = self._act, self.words
        return lambda: act(words)

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
        """Stands for the action among the buttons: see close."""


class MarkDialog(WordsDialog):
    """Asks which field, and what is said of it: ``act(field, state, words)`` by the keys of ``marks`` and ``states``.

    Both are texts by key; ``first`` is what stands there at first, in the order of ``act``.
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
        self._marks, self._first, self._states, self._mark = marks, first[:2], states, act
        self.boxes: dict[str, ttk.Combobox] = {}
        super().__init__(
            parent, "Mark Value", message, detail, "Mark", lambda _words: None, "Words", words=first[2]
        )

    def add_choices(self, grid: ttk.Frame) -> None:
        """Two lists."""
        field, state = self._first
        choices = (("What", self._marks, field), ("Is", self._states, state))
        for row, (label, texts, first) in enumerate(choices):
            ttk.Label(grid, text=label).grid(row=row, column=0, sticky="w", padx=(0, 12), pady=(4, 0))
            box = ttk.Combobox(grid, values=list(texts.values()), state="readonly", font="TkTextFont", width=36)
            box.set(texts[first])
            box.grid(row=row, column=1, sticky="w", pady=(4, 0))
            self.boxes[label] = box

    def call(self) -> Callable[[], object]:
        """What is done with what is chosen and typed now."""
        field = list(self._marks)[self.boxes["What"].current()]
        state = list(self._states)[self.boxes["Is"].current()]
        words, mark = self.words, self._mark
        return lambda: mark(field, state, words)
