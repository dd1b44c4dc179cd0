"""The window of deliveries: which ones wait, run, have arrived or failed, their receipts, and commands for them."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tkinter import ttk

from ..widgets.paged_list import RowMenu
from ..widgets.table import LiveList
from .side_window import Head, Receipt, SideWindow

REFRESH_MS = 1000
_COLUMNS = (("Day", 11), ("Version", 8), ("To", 11), ("State", 14), ("Since", 17), ("What next", 45))
_BUTTONS = ("Try Again", "Cancel Delivery", "Has Arrived", "What Is There", "Show File")
_CANNOT = {
    "Try Again": "Only what waits, has failed or may have arrived can be tried again",
    "Cancel Delivery": "Only what isn't finished can be cancelled",
    "Show File": "The file of this delivery isn't on this computer any more",
    "Has Arrived": "Only a delivery in the state unknown can be marked as arrived",
    "What Is There": "This destination has no folder to look into",
}
_EMPTY = "Nothing was delivered from this computer yet. Uploads of the Tools menu are listed here."
_ALL_DONE = "Everything has arrived, or was cancelled. Without “Unfinished only” it is listed too."


@dataclass(frozen=True)
class DeliveryRow:
    """One row: its cells, the receipt to show below the list, and which commands are possible."""

    identifier: str
    cells: tuple[str, ...]
    receipt: str
    may_retry: bool = False
    may_cancel: bool = False
    has_file: bool = False
    outdated: bool = False
    """The delivery has arrived, but records of its day have been changed since."""
    may_have_arrived: bool = False
    """It isn't known whether the delivery has arrived, because the server's answer was lost."""
    has_folder: bool = False
    """The destination has a folder that can be listed."""


@dataclass(frozen=True)
class DeliveryCallbacks:
    """Callbacks: `fetch(show)` calls `show(rows)`, or `show(None)` if they can't be fetched; most of the others
    take an identifier.
    """

    fetch: Callable[[Callable[[Sequence[DeliveryRow] | None], object]], object]
    retry: Callable[[str], object]
    cancel: Callable[[str], object]
    show_file: Callable[[str], object]
    forget_logins: Callable[[], object]
    arrived: Callable[[str], object]
    what_is_there: Callable[[str], object]
    look_for_answers: Callable[[], object] | None = None
    """None if no mailbox is set."""


class DeliveriesWindow(SideWindow):
    """The window, which stays open beside the form, and refreshes itself each second."""

    def __init__(self, parent: tk.Misc, callbacks: DeliveryCallbacks) -> None:
        super().__init__(parent, "Deliveries")
        self._callbacks = callbacks
        self._rows: dict[str, DeliveryRow] = {}
        self._fetching = False
        self.unfinished_only = tk.BooleanVar(self, False)
        mac = str(self.tk.call("tk", "windowingsystem")) == "aqua"
        control = "Command" if mac else "Control"
        self._keys = {
            "Try Again": ("<Return>", "Enter"),
            "Cancel Delivery": ("<Delete>", "Delete"),
            "Show File": (f"<{control}-o>", "Cmd+O" if mac else "Ctrl+O"),
            "Has Arrived": ("<Alt-a>", "Alt+A"),
            "What Is There": ("<Alt-w>", "Alt+W"),
            "Copy Receipt": ("<<Copy>>", "Cmd+C" if mac else "Ctrl+C"),
        }
        self.room.columnconfigure(0, weight=1)
        self.share_room(1, 2)
        head = Head(self.room, "Unfinished only", self.unfinished_only, self._filter)
        head.grid(row=0, column=0, sticky="ew", pady=(0, 8))
        self.count_label = head.count
        self.live_list = LiveList(self.room, _COLUMNS, spare=("Since", "Version"))
        self.live_list.grid(row=1, column=0, sticky="nsew")
        self.tree = self.live_list.tree
        self.receipt = Receipt(self.room)
        self.receipt.grid(row=2, column=0, sticky="nsew", pady=(12, 0))
        self.buttons = self._make_buttons()
        self._bind_keys()
        self.show(self.tree)
        self.minsize(self.buttons["Close"].winfo_reqwidth() + 48, 320)
        self.repeat(REFRESH_MS, self.refresh)

    def refresh(self) -> None:
        """Fetch the rows again, unless an earlier request hasn't been answered yet."""
        if not self._fetching:
            self._fetching = True
            self._callbacks.fetch(self.show_rows)

    def show_rows(self, rows: Sequence[DeliveryRow] | None) -> None:
        """Show these rows, or keep the old ones (None); the chosen one stays chosen."""
        self._fetching = False
        if rows is None or not self.winfo_exists():
            return
        self._rows = {row.identifier: row for row in rows}
        self._filter()

    def destroy(self) -> None:
        """Close the window; the form gets the focus back."""
        # Deleted here, because the garbage collector might delete a variable on a worker thread, which mustn't call Tk.
        self.__dict__.pop("unfinished_only", None)
        super().destroy()

    # -- building ---------------------------------------------------------------------------------------

    def _make_buttons(self) -> dict[str, ttk.Button]:
        self.place_status(3)
        calls: dict[str, Callable[[], object]] = {
            text: lambda text=text: self.run_command(text)  # type: ignore[misc]
            for text in _BUTTONS
        }
        if self._callbacks.look_for_answers is not None:
            calls["Look for Answers"] = self._callbacks.look_for_answers
        calls |= {"Forget Logins": self._callbacks.forget_logins, "Close": self.leave}
        made = self.add_buttons(4, calls)
        for text in ("Has Arrived", "What Is There"):
            made[text].configure(underline=text.lower().index(self._keys[text][1][-1].lower()))
        if look := made.get("Look for Answers"):
            look.configure(underline=0)
            self.bind("<Alt-l>", lambda _event: look.invoke())
        return made

    def _bind_keys(self) -> None:
        self.bind("<F5>", lambda _event: self.refresh())
        self.tree.bind("<<TreeviewSelect>>", lambda _event: self._show_chosen())
        self.live_list.on_enter(lambda: self.run_command("Try Again"))
        for text, (sequence, shown) in self._keys.items():
            if shown == "Enter":
                continue
            whole = self if sequence.startswith("<Alt") else self.tree  # Alt with an underlined letter works everywhere
            whole.bind(sequence, lambda _event, text=text: self.run_command(text))  # type: ignore[misc]
        RowMenu(
            self.tree,
            self.live_list.choose,
            [(text, lambda text=text: self.run_command(text)) for text in self._keys],  # type: ignore[misc]
            {text: shown for text, (_sequence, shown) in self._keys.items()},
            self._can,
        )

    # -- choices ----------------------------------------------------------------------------------------

    def _filter(self) -> None:
        everything = not self.unfinished_only.get()
        shown = [each for each in self._rows.values() if everything or each.may_cancel or each.outdated]
        self.live_list.show({each.identifier: each.cells for each in shown})
        unfinished = sum(each.may_cancel for each in self._rows.values())
        total = len(self._rows)
        noun = "delivery" if total == 1 else "deliveries"
        outdated = sum(each.outdated for each in self._rows.values())
        also = f", {outdated:,} outdated" if outdated else ""
        self.count_label.configure(text=f"{total:,} {noun}, {unfinished:,} unfinished{also}" if total else "")
        self._show_chosen()

    def _chosen(self) -> DeliveryRow | None:
        chosen = self.live_list.chosen
        return None if chosen is None else self._rows.get(chosen)

    def _can(self, text: str) -> bool:
        row = self._chosen()
        if row is None:
            return False
        answers = {
            "Try Again": row.may_retry, "Cancel Delivery": row.may_cancel, "Show File": row.has_file,
            "Has Arrived": row.may_have_arrived, "What Is There": row.has_folder,
        }  # fmt: skip
        return answers.get(text, True)

    def run_command(self, text: str) -> str:
        row = self._chosen()
        if row is None:
            self.show_status("No delivery is chosen")
        elif not self._can(text):
            self.show_status(_CANNOT[text])
        else:
            self.show_status("")
            if text == "Copy Receipt":
                self.clipboard_clear()
                self.clipboard_append(row.receipt)
                self.show_status(f"The receipt is copied: {row.receipt.splitlines()[0]}")
            else:
                calls = self._callbacks
                call = {
                    "Try Again": calls.retry, "Cancel Delivery": calls.cancel, "Show File": calls.show_file,
                    "Has Arrived": calls.arrived, "What Is There": calls.what_is_there,
                }[text]  # fmt: skip
                call(row.identifier)
                self.refresh()
        return "break"

    def _show_chosen(self) -> None:
        row = self._chosen()
        self.receipt.show(row.receipt if row else _ALL_DONE if self._rows else _EMPTY)
        # The same command under another name, for a delivery that has arrived but is outdated.
        again = "Send Again" if row is not None and row.outdated else "Try Again"
        self.buttons["Try Again"].configure(text=again)
        for text in _BUTTONS:
            self.buttons[text].state(["!disabled" if self._can(text) else "disabled"])
