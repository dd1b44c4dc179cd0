"""Help: version and environment, to copy for the help desk; and the overview of keys."""

from __future__ import annotations

import datetime
import platform
import sys
import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING

from ..jobs import ANY
from ..mainmenu import keys_text
from ..version import version
from ..views import Dialog
from ..views.dialogs import line_width

if TYPE_CHECKING:
    from ..jobs import Jobs
    from ..models import SQLModel
    from .messages import Messages, ShowStatus


def environment_text(
    window: tk.Misc, model: SQLModel | None, is_own: bool, installed: tuple[int, int] | None = None
) -> str:
    """Return version and environment in lines of "name: value", without secrets and addresses of servers.

    `model`: the open database; `is_own`: it is the one on this computer; `installed`: the version of the PostgreSQL
    that such a one is started with.
    """
    from .. import folders

    return "\n".join(
        f"{name}: {value}"
        for name, value in (
            ("ABQ Data Entry", version()),
            ("Python", sys.version.split()[0]),
            ("Tcl/Tk", window.tk.call("info", "patchlevel")),
            ("System", f"{platform.system()} {platform.release()} {platform.machine()}"),
            ("Windowing system", window.tk.call("tk", "windowingsystem")),
            ("Screen", f"{window.winfo_screenwidth()}×{window.winfo_screenheight()}"),
            ("Database", "embedded" if is_own else "server"),
            ("PostgreSQL", _server_version(model, installed)),
            ("Settings", folders.config_folder()),
            ("Data", folders.data_folder()),
            ("Log", folders.log_folder()),
        )
    )


def _server_version(model: SQLModel | None, installed: tuple[int, int] | None) -> str:
    """Return the version and age of the server, as the latest connection reported them, without a query."""
    from ..postgres.programs import age_of

    said = model.server_facts.server if model is not None else ""
    if not said:
        return "not connected"
    age = age_of(said, datetime.date.today(), installed)
    return f"{age.text}. {age.hint}" if age.hint else age.text


def show_about(
    window: tk.Misc, jobs: Jobs, messages: Messages, show_status: ShowStatus, model: SQLModel | None, is_own: bool
) -> None:
    """Show the About dialog, after finding out with which PostgreSQL an embedded database would be started."""
    from ..postgres.programs import installed_version

    def show(installed: tuple[int, int] | None = None) -> None:
        text = environment_text(window, model, is_own, installed)

        def copy() -> None:
            window.clipboard_clear()
            window.clipboard_append(text)
            show_status("Version and environment copied")

        messages.choice(
            "About ABQ Data Entry",
            "ABQ Data Entry",
            f"Record a plant laboratory's readings: fast, right and never lost.\n\n{text}",
            (("Copy", copy), ("Close", None)),
        )

    if is_own:
        jobs.submit(ANY, installed_version, done=show, failed=lambda _error: show())
    else:
        show()


_AROUND = 128  # pixels for frames, gaps and the scrollbar


class KeysDialog(Dialog):
    """Shows all keys in two columns."""

    def make_body(self, body: ttk.Frame) -> None:
        """Add a row for each key."""
        room = tk.Canvas(body)
        grid = ttk.Frame(room)
        mac = self.tk.call("tk", "windowingsystem") == "aqua"
        keys = [ttk.Label(grid, text=key, style="Section.TLabel") for key, _text in keys_text(mac)]
        beside = self.winfo_screenwidth() - max(each.winfo_reqwidth() for each in keys) - _AROUND
        width = min(line_width(self) * 3 // 4, beside)
        for row, (label, (_key, text)) in enumerate(zip(keys, keys_text(mac), strict=True)):
            label.grid(row=row, column=0, sticky="w", padx=(0, 24))
            ttk.Label(grid, text=text, wraplength=width, justify="left").grid(row=row, column=1, sticky="w")
        self.place(room, grid, 12)
        for key, number, what in (("<Up>", -1, "units"), ("<Down>", 1, "units"), ("<Prior>", -1, "pages"),
                                  ("<Next>", 1, "pages")):  # fmt: skip
            self.bind(key, lambda _event, number=number, what=what: room.yview_scroll(number, what))  # type: ignore[misc]


def show_keys(window: tk.Misc, messages: Messages) -> None:
    """Show the overview of keys."""
    title = "Keyboard Shortcuts"
    messages.open(
        title, title, "", "Show", lambda: KeysDialog(window, title, title, "", (("Close", None),)), lambda: None
    )
