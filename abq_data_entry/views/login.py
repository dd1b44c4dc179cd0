"""Ask for a user name and a password."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import NamedTuple

from .dialogs import Dialog, line_width


class Remember(NamedTuple):
    """The box about the keyring: whether it is ticked, or why there is nothing to tick."""

    ticked: bool = False
    why_not: str = ""


class LoginDialog(Dialog):
    """``result`` is ``(username, password)``, or ``None`` after Cancel.

    With ``on_result`` the dialog returns at once and calls ``on_result(result)`` when it is closed; without,
    it waits until then. ``error`` is why an earlier try failed; ``username`` fills the first entry. With
    ``remember`` there is a box about the keyring, and ``remembers`` tells whether it is ticked; with ``without``
    a button to work without the database, which calls it instead.
    """

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        error: str = "",
        username: str = "",
        on_result: Callable[[tuple[str, str] | None], object] | None = None,
        remember: Remember | None = None,
        without: Callable[[], object] | None = None,
    ) -> None:
        self.result: tuple[str, str] | None = None
        self._error = error
        self._username = tk.StringVar(parent, username)
        self._password = tk.StringVar(parent)
        self._on_result = on_result
        self._remember = remember
        self._box = tk.BooleanVar(parent, remember is not None and remember.ticked and not remember.why_not)
        self.remembers = False
        self._without = without
        work = (("Work Without the Database", self._gone_on),) if without is not None else ()
        buttons = (("Log In", self._logged_in), *work, ("Cancel", self._cancelled))
        super().__init__(parent, title, title, "", buttons)
        if on_result is None:
            self.wait_window()

    def make_body(self, body: ttk.Frame) -> None:
        """Two labelled entries, and the reason of the last failure above them."""
        if self._error:
            reason = ttk.Label(body, text=f"✗ {self._error}", style="Error.TLabel", justify="left")
            reason.configure(wraplength=line_width(self))
            reason.grid(row=2, column=0, sticky="w", pady=(8, 0))
        grid = ttk.Frame(body)
        grid.grid(row=3, column=0, sticky="ew", pady=(16, 0))
        grid.columnconfigure(1, weight=1)
        ttk.Label(grid, text="User name").grid(row=0, column=0, sticky="w", padx=(0, 16), pady=4)
        self._user_entry = ttk.Entry(grid, textvariable=self._username, width=30, font="TkTextFont")
        self._user_entry.grid(row=0, column=1, sticky="ew", pady=4)
        ttk.Label(grid, text="Password").grid(row=1, column=0, sticky="w", padx=(0, 16), pady=4)
        self._password_entry = ttk.Entry(grid, textvariable=self._password, show="•", width=30, font="TkTextFont")
        self._password_entry.grid(row=1, column=1, sticky="ew", pady=4)
        if self._remember is not None:
            self._add_box(grid, self._remember.why_not)
        self._user_entry.bind("<Return>", lambda _event: self._password_entry.focus_set())
        self._password_entry.bind("<Return>", lambda _event: self._buttons[0].invoke())

    def _add_box(self, grid: ttk.Frame, why_not: str) -> None:
        box = ttk.Checkbutton(grid, text="Remember in the keyring of this computer", variable=self._box)
        box.grid(row=2, column=1, sticky="w", pady=(8, 0))
        box.bind("<Return>", lambda _event: self._buttons[0].invoke())
        if why_not:
            box.state(["disabled"])
            note = ttk.Label(grid, text=why_not, style="Note.TLabel", justify="left")
            note.configure(wraplength=line_width(self) * 2 // 3)
            note.grid(row=3, column=1, sticky="w", pady=(4, 0))

    def first_focus(self) -> tk.Misc:
        """The first entry that is empty."""
        return self._password_entry if self._username.get() else self._user_entry

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Close it; after Log In with what was typed."""
        if action == self._logged_in:
            self.result = (self._username.get(), self._password.get())
        super().close(action)

    def _logged_in(self) -> None:
        self._finish()

    def _cancelled(self) -> None:
        self._finish()

    def _gone_on(self) -> None:
        self._on_result = None
        self._finish()
        if self._without is not None:
            self._without()

    def destroy(self) -> None:
        """Close it; nothing of what was typed is kept."""
        self._forget()
        super().destroy()

    def _finish(self) -> None:
        if self._on_result is not None:
            self._on_result(self.result)

    def _forget(self) -> None:
        if "_password" not in self.__dict__:
            return
        # The variable would keep the password as long as the interpreter lives. And all variables end here: were
        # they left to the garbage collector, a worker thread could be the one that calls Tk for it.
        self._password.set("")
        self.remembers = self._box.get()
        del self._password, self._username, self._box
