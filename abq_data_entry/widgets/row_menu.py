"""The menu beside a row of a list: on a right click, the menu key and Shift+F10."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from typing import Literal

from ..themes import TK_9

_KEYS = {"win32": "<App>", "x11": "<Menu>"}
# The right button is the second one to Tk 8.6 on macOS, and the third one to Tk 9.
_BUTTONS = {"aqua": ("<Button-3>" if TK_9 else "<Button-2>", "<Control-Button-1>")}


class RowMenu:
    """Offers ``commands``, pairs of a text and what it calls, for the row of ``tree`` that is selected.

    ``select(row)`` is called with the row below the mouse before the menu comes up. ``keys`` are shown beside the texts
    they belong to; a command whose text ``allowed`` says no to is grey.
    """

    def __init__(
        self,
        tree: ttk.Treeview,
        select: Callable[[str], object],
        commands: Sequence[tuple[str, Callable[[], object]]],
        keys: Mapping[str, str] | None = None,
        allowed: Callable[[str], bool] = lambda text: True,
    ) -> None:
        self._tree, self._select, self._commands = tree, select, commands
        self._keys, self._allowed = keys or {}, allowed
        self._menu: tk.Menu | None = None
        system = str(tree.tk.call("tk", "windowingsystem"))
        for button in _BUTTONS.get(system, ("<Button-3>",)):
            tree.bind(button, self._clicked)
        for key in filter(None, (_KEYS.get(system), "<Shift-F10>")):
            tree.bind(key, lambda _event: self._post_at_selection())

    def _clicked(self, event: tk.Event) -> str:
        row = self._tree.identify_row(event.y)
        if row and self._tree.identify_region(event.x, event.y) == "cell":
            self._tree.focus_set()
            self._select(row)
            self._post(event.x_root, event.y_root)
        return "break"

    def _post_at_selection(self) -> str:
        selected = self._tree.selection()
        box = self._tree.bbox(selected[0]) if selected else ""
        if box:
            x, y, _width, height = box
            self._post(self._tree.winfo_rootx() + x + 24, self._tree.winfo_rooty() + y + height)
        return "break"

    def _post(self, x: int, y: int) -> None:
        # Made each time: a menu keeps the colours it was made with.
        if self._menu is not None:
            self._menu.destroy()
        self._menu = tk.Menu(self._tree, tearoff=False)
        for text, command in self._commands:
            state: Literal["normal", "disabled"] = "normal" if self._allowed(text) else "disabled"
            self._menu.add_command(label=text, command=command, accelerator=self._keys.get(text, ""), state=state)
        self._menu.tk_popup(x, y)
