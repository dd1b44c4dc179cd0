"""The window of deliveries: what waits, runs, arrived or failed, with its receipt; and what can be done about it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tkinter import ttk
from tkinter.font import nametofont

REFRESH_MS = 1000
_COLUMNS = (("Day", 11), ("Version", 8), ("To", 6), ("State", 18), ("Since", 17), ("What next", 46))

_EMPTY = "Nothing was delivered from this computer yet. Uploads of the Tools menu stand here."


@dataclass(frozen=True)
class DeliveryRow:
    """One line: its cells, the receipt below the list, and what can be done."""

    identifier: str
    cells: tuple[str, ...]
    receipt: str
    may_retry: bool = False
    may_cancel: bool = False
    has_file: bool = False


@dataclass(frozen=True)
class DeliveryCallbacks:
    """What goes up: `fetch(shown)` gets the rows and calls `shown(rows)`; others take an identifier."""

    fetch: Callable[[Callable[[Sequence[DeliveryRow]], object]], object]
    retry: Callable[[str], object]
    cancel: Callable[[str], object]
    show_file: Callable[[str], object]
    forget_logins: Callable[[], object]


class DeliveriesWindow(tk.Toplevel):
    """Stays open beside the form, and looks once a second what has changed."""

    def __init__(self, parent: tk.Misc, callbacks: DeliveryCallbacks) -> None:
        super().__init__(parent)
        self.withdraw()
        self.title("Deliveries")
        self._callbacks = callbacks
        self._rows: dict[str, DeliveryRow] = {}
        self._timer = ""
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        room = ttk.Frame(self, padding=16)
        room.grid(row=0, column=0, sticky="nsew")
        room.columnconfigure(0, weight=1)
        room.rowconfigure(0, weight=1)
        self.tree = self._make_list(room)
        self._receipt = self._make_receipt(room)
        self._buttons = self._make_buttons(room)
        for key in ("<Escape>", "<Control-w>", "<Command-w>"):
            self.bind(key, lambda _event: self.destroy())
        self.bind("<F5>", lambda _event: self.refresh())
        self.transient(parent.winfo_toplevel())
        self.deiconify()
        self.tree.focus_set()
        self._look_again()

    def refresh(self) -> None:
        """Look now what has changed."""
        self._callbacks.fetch(self.show_rows)

    def show_rows(self, rows: Sequence[DeliveryRow]) -> None:
        """Show these lines; the chosen one stays chosen."""
        if not self.winfo_exists():
            return
        self._rows = {row.identifier: row for row in rows}
        chosen = self._chosen()
        present = self.tree.get_children()
        for gone in set(present) - set(self._rows):
            self.tree.delete(gone)
        for position, row in enumerate(rows):
            if row.identifier in present:
                self.tree.item(row.identifier, values=row.cells)
            else:
                self.tree.insert("", position, iid=row.identifier, values=row.cells)
        if chosen is None and rows:
            self.tree.selection_set(rows[0].identifier)
            self.tree.focus(rows[0].identifier)
        self._show_chosen()

    def destroy(self) -> None:
        """Close it; the form has the keyboard again."""
        if self._timer:
            self.after_cancel(self._timer)
            self._timer = ""
        super().destroy()

    def _look_again(self) -> None:
        self.refresh()
        self._timer = self.after(REFRESH_MS, self._look_again)

    def _make_list(self, room: ttk.Frame) -> ttk.Treeview:
        names = [name for name, _ in _COLUMNS]
        tree = ttk.Treeview(room, columns=names, show="headings", selectmode="browse", height=10)
        width = nametofont("TkDefaultFont", self).measure("0")
        for name, characters in _COLUMNS:
            tree.heading(name, text=name, anchor="w")
            tree.column(name, width=characters * width, stretch=name == "What next", anchor="w")
        bar = ttk.Scrollbar(room, orient="vertical", command=tree.yview)
        tree.configure(yscrollcommand=bar.set)
        tree.grid(row=0, column=0, sticky="nsew")
        bar.grid(row=0, column=1, sticky="ns")
        tree.bind("<<TreeviewSelect>>", lambda _event: self._show_chosen())
        return tree

    def _make_receipt(self, room: ttk.Frame) -> tk.Text:
        text = tk.Text(room, height=9, width=80, wrap="word", relief="flat", borderwidth=0, font="TkDefaultFont")
        text.configure(highlightthickness=0, state="disabled", takefocus=0)
        text.grid(row=1, column=0, columnspan=2, sticky="ew", pady=(12, 0))
        return text

    def _make_buttons(self, room: ttk.Frame) -> dict[str, ttk.Button]:
        bar = ttk.Frame(room)
        bar.grid(row=2, column=0, columnspan=2, sticky="ew", pady=(16, 0))
        bar.columnconfigure(1, weight=1)
        calls = {
            "Try Again": self._callbacks.retry,
            "Cancel Delivery": self._callbacks.cancel,
            "Show File": self._callbacks.show_file,
        }
        made = {
            text: ttk.Button(bar, text=text, command=lambda call=call: self._call(call))  # type: ignore[misc]
            for text, call in calls.items()
        }
        made["Close"] = ttk.Button(bar, text="Close", command=self.destroy)
        for column, button in enumerate(made.values(), 2):
            button.grid(row=0, column=column, padx=(8, 0))
        made["Forget Logins"] = ttk.Button(bar, text="Forget Logins", command=self._callbacks.forget_logins)
        made["Forget Logins"].grid(row=0, column=0)
        for button in made.values():
            button.bind("<Return>", lambda event: event.widget.invoke())
        return made

    def _call(self, callback: Callable[[str], object]) -> None:
        chosen = self._chosen()
        if chosen is not None:
            callback(chosen)
            self.refresh()

    def _chosen(self) -> str | None:
        chosen = self.tree.selection()
        return str(chosen[0]) if chosen and chosen[0] in self._rows else None

    def _show_chosen(self) -> None:
        chosen = self._chosen()
        row = None if chosen is None else self._rows[chosen]
        text = row.receipt if row else _EMPTY
        style = ttk.Style(self)  # the theme may have changed since: a text doesn't follow by itself
        colours = style.lookup("TFrame", "background"), style.lookup("TLabel", "foreground")
        self._receipt.configure(background=colours[0], foreground=colours[1])
        if self._receipt.get("1.0", "end-1c") != text:
            self._receipt.configure(state="normal")
            self._receipt.replace("1.0", "end", text)
            self._receipt.configure(state="disabled")
        allowed = {
            "Try Again": bool(row and row.may_retry),
            "Cancel Delivery": bool(row and row.may_cancel),
            "Show File": bool(row and row.has_file),
        }
        for name, can in allowed.items():
            self._buttons[name].state(["!disabled" if can else "disabled"])
