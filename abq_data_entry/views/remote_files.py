"""The window of remote files: the folder of a destination, and commands for it that work by keys alone."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from typing import NamedTuple

from ..widgets.paged_list import RowMenu
from ..widgets.table import LiveList
from .dialogs import Dialog
from .side_window import SideWindow

OPEN, FETCH, PUT, RENAME, DELETE = "Open", "Fetch…", "Put…", "Rename…", "Delete"
NEW_FOLDER, WHAT_IS_THERE, UP = "New Folder…", "What Is There", "Up"
_COLUMNS = (("Name", 34), ("Kind", 7), ("Size", 13), ("Changed", 16), ("Rights", 34), ("As sent", 11))
_LETTERS = {FETCH: "f", PUT: "p", RENAME: "r", DELETE: "d", NEW_FOLDER: "n", WHAT_IS_THERE: "w", UP: "u"}
_NEED_A_ROW = (OPEN, FETCH, RENAME, DELETE)


class FileLine(NamedTuple):
    """One row: its cells, the text below the list, and whether it is a folder."""

    identifier: str
    cells: tuple[str, ...]
    detail: str
    is_folder: bool


class FilesCallbacks(NamedTuple):
    """Callbacks: ``choose(key, compare)`` goes to a destination, and with ``compare`` compares it with what was sent.
    ``act(name, identifier)`` does an action on the chosen row ("" if there is none). ``cancel()`` cancels it."""

    choose: Callable[..., object]
    act: Callable[[str, str], object]
    cancel: Callable[[], object]


class RemoteFilesWindow(SideWindow):
    """The window, open beside the form. ``destinations`` has names by key; ``first`` is the key of the first one shown.
    """

    def __init__(
        self, parent: tk.Misc, destinations: Mapping[str, str], first: str, callbacks: FilesCallbacks
    ) -> None:
        super().__init__(parent, "Remote Files")
        self._callbacks, self._keys = callbacks, list(destinations)
        self._lines: dict[str, FileLine] = {}
        self._done = ""
        self.running = False
        room = self.room
        room.columnconfigure(0, weight=1)
        room.rowconfigure(1, weight=1)
        head = ttk.Frame(room)
        head.grid(row=0, column=0, sticky="ew", pady=(0, 8))
        head.columnconfigure(2, weight=1)
        ttk.Label(head, text="At").grid(row=0, column=0, padx=(0, 8))
        self.destination = ttk.Combobox(head, values=list(destinations.values()), state="readonly", width=18)
        self.destination.current(self._keys.index(first))
        self.destination.grid(row=0, column=1, padx=(0, 12))
        self.place = ttk.Label(head, style="Note.TLabel", anchor="w")
        self.place.grid(row=0, column=2, sticky="ew")
        self.live_list = LiveList(room, _COLUMNS, spare=("Rights", "Kind", "Changed"))
        self.live_list.grid(row=1, column=0, sticky="nsew")
        self.tree = self.live_list.tree
        self.place_status(2)
        names = (*_NEED_A_ROW[1:], PUT, NEW_FOLDER, UP, WHAT_IS_THERE)
        calls: dict[str, Callable[[], object]] = {each: self._presser(each) for each in names}
        self.buttons = self.add_buttons(
            3, {**calls, "Refresh": self._presser("Refresh"), "Cancel": callbacks.cancel, "Close": self.leave}
        )
        for button in self.buttons.values():
            button.configure(width=-7)  # as wide as its text: ten of the usual width don't fit in one line
        self._bind_keys()
        self.minsize(420, 300)
        self.show(self.tree)
        self.set_running(False)

    @property
    def chosen_line(self) -> FileLine | None:
        """The chosen row; ``None`` if there is none."""
        return self._lines.get(self.live_list.chosen or "")

    def show_lines(self, place: str, lines: Sequence[FileLine], status: str) -> None:
        """Show a folder and the result of the last action; the chosen row stays chosen if it is still there."""
        if not self.winfo_exists():
            return
        self._lines = {each.identifier: each for each in lines}
        self.place.configure(text=place)
        self.live_list.show({each.identifier: each.cells for each in lines})
        self.show_status(status)

    def compare(self, kind: str) -> str:
        """Compare a destination with what was sent; return why that isn't possible now, else an empty text."""
        if self.running:
            self.press(WHAT_IS_THERE)  # shows the same in this window
            return "Something is under way in the window of remote files: Esc cancels it there"
        if kind in self._keys:  # otherwise the destination is newer than this window
            self.destination.current(self._keys.index(kind))
        self.tree.focus_set()
        self._callbacks.choose(kind, True)
        return ""

    def show_status(self, text: str) -> None:
        """Show what was done, the progress, or why something wasn't done."""
        self._done = text
        if self.winfo_exists():
            self._describe()

    def set_running(self, running: bool) -> None:
        """Note whether an action is running, during which only Cancel and Close can be pressed."""
        if not self.winfo_exists():
            return
        self.running = running
        for text, button in self.buttons.items():
            can = text == "Close" or (text == "Cancel") == running
            button.state(["!disabled" if can else "disabled"])

    def press(self, name: str) -> str:
        """Do the action of a button or key, or show why it isn't possible now; return ``"break"``."""
        line = self.chosen_line
        if self.running:
            self.show_status("Something is under way: Esc cancels it.")
        elif name in _NEED_A_ROW and line is None:
            self.show_status("Choose a line first.")
        else:
            self._callbacks.act(name, line.identifier if line is not None else "")
        return "break"

    def _presser(self, name: str) -> Callable[[], str]:
        return lambda: self.press(name)

    def _double_clicked(self, event: tk.Event) -> str:
        if self.tree.identify_region(event.x, event.y) != "cell":
            return "break"  # on the headings or below the last row
        return self._opened()

    def _opened(self) -> str:
        line = self.chosen_line
        return self.press(OPEN if line is not None and line.is_folder else FETCH)

    def _escape(self) -> str:
        if self.running:
            self._callbacks.cancel()
        else:
            self.leave()
        return "break"

    def _bind_keys(self) -> None:
        self.bind("<Escape>", lambda _event: self._escape())
        self.bind("<F5>", lambda _event: self.press("Refresh"))
        for name, letter in _LETTERS.items():
            self.bind(f"<Alt-{letter}>", lambda _event, name=name: self.press(name))  # type: ignore[misc]
            self.buttons[name].configure(underline=0)  # the letter that the name begins with
        self.live_list.on_enter(self._opened)
        self.tree.bind("<Double-Button-1>", self._double_clicked)
        self.tree.bind("<Delete>", lambda _event: self.press(DELETE))
        self.tree.bind("<BackSpace>", lambda _event: self.press(UP))
        self.tree.bind("<<TreeviewSelect>>", lambda _event: self._describe())
        self.destination.bind(
            "<<ComboboxSelected>>", lambda _event: self._callbacks.choose(self._keys[self.destination.current()])
        )
        keys = {each: f"Alt+{_LETTERS[each].upper()}" for each in (FETCH, RENAME, DELETE)}
        RowMenu(
            self.tree, self.live_list.choose, [(each, self._presser(each)) for each in keys], keys,
            lambda _name: not self.running,
        )  # fmt: skip

    def _describe(self) -> None:
        """Show the detail of the chosen row below the last result, which a refresh of the list mustn't hide."""
        line = self.chosen_line
        detail = line.detail if line is not None and not self.running else ""
        super().show_status("\n".join(filter(None, (self._done, detail))))


class NameDialog(Dialog):
    """Asks for one name, and calls ``act(name)``."""

    def __init__(
        self, parent: tk.Misc, title: str, message: str, button: str, name: str, act: Callable[[str], object]
    ) -> None:
        self._typed_name, self._act = name, act
        super().__init__(parent, title, message, "", ((button, self._chosen), ("Cancel", None)))

    def make_body(self, body: ttk.Frame) -> None:
        """Add the entry."""
        self.entry = ttk.Entry(body, width=40)
        self.entry.insert(0, self._typed_name)
        self.entry.selection_range(0, "end")
        self.entry.grid(row=2, column=0, sticky="ew", pady=(12, 0))
        for key in ("<Return>", "<KP_Enter>"):
            self.entry.bind(key, lambda _event: self.buttons[0].invoke())

    def first_focus(self) -> tk.Misc:
        """Return the entry."""
        return self.entry

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Close the dialog; what was typed is kept, because the action is called after the entry is destroyed."""
        self._typed_name = self.entry.get()
        super().close(action)

    def _chosen(self) -> None:
        if self._typed_name.strip():
            self._act(self._typed_name)
