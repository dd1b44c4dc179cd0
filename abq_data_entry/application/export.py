"""Small commands of the menus: save today's extract to a file, ask for a plot, show the settings file."""

from __future__ import annotations

import datetime
import logging
import subprocess
import sys
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog, ttk
from typing import TYPE_CHECKING

from .. import folders, outbox
from ..constants import SETTINGS_FILE
from ..views import Dialog
from ..views.dialogs import WHICH_DAY, DayDialog
from .extract_days import words

if TYPE_CHECKING:
    from ..models.records import ExtractDay
    from .window import Application

log = logging.getLogger(__name__)


def ask_and_export(application: Application) -> None:
    """Find out or ask of which day, ask where to, then write the extract there in the background."""
    if application.data_model is None:
        application.status.set("The database isn't open yet")
        return

    def found(days: datetime.date | list[ExtractDay] | None) -> None:
        if days is None:
            application.messages.warning(
                "No Records",
                "There are no records to export",
                "Neither the form's day nor one of the last seven has records that weren't sent.",
            )
        elif isinstance(days, datetime.date):
            export_day(application, days)
        else:
            told = [(each.date, words(each)) for each in days]

            def make() -> DayDialog:
                return DayDialog(application, "Export", "Export…", told, lambda date: export_day(application, date))

            application.messages.open("Export", WHICH_DAY, "", "Choose…", make, lambda: None)

    application.extract_days.find("", found, lambda error: _failed(application, error, None))


def export_day(application: Application, date: datetime.date) -> None:
    """Ask where to, then write the extract of that day there in the background."""
    model = application.data_model
    assert model is not None
    chosen = application.messages.outside(
        lambda: filedialog.asksaveasfilename(
            parent=application,
            title=f"Export the Extract of {date}",
            initialfile=outbox.extract_name(date),
            defaultextension=".csv",
            filetypes=[("CSV", "*.csv"), ("All files", "*")],
        )
    )
    if not chosen:
        return

    def done(rows: int) -> None:
        if rows:
            application.status.set(f"{rows} record{'s' * (rows != 1)} exported to {chosen}")
        else:
            application.messages.warning(
                "No Records", "There are no records to export", f"{date} has none."
            )

    application.jobs.submit(
        "records",
        model.export_records,
        Path(chosen),
        date,
        done=done,
        failed=lambda error: _failed(application, error, date),
    )


def _failed(application: Application, error: BaseException, date: datetime.date | None) -> None:
    def again() -> None:
        if date is None:
            ask_and_export(application)
        else:
            export_day(application, date)

    application.messages.failure("Export", "The extract couldn't be written.", str(error), again)


class PlotDialog(Dialog):
    """Asks for a plot's number."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._number = tk.StringVar(application)
        super().__init__(application, "Go to Plot", "Go to plot", "", (("Go", self._go), ("Cancel", None)))

    def make_body(self, body: ttk.Frame) -> None:
        """One entry."""
        self._entry = ttk.Entry(body, textvariable=self._number, width=6, font="TkTextFont")
        self._entry.grid(row=2, column=0, sticky="w", pady=(12, 0))
        self._entry.bind("<Return>", lambda _event: self.buttons[0].invoke())

    def first_focus(self) -> tk.Misc:
        """The entry."""
        return self._entry

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Close it; after Go with the number that was typed."""
        self._text = self._number.get().strip()
        super().close(action)

    def destroy(self) -> None:
        """Close it without an action."""
        self.__dict__.pop("_number", None)  # on this thread: the garbage collector could come by on another one
        super().destroy()

    def _go(self) -> None:
        text = self._text
        if text.isascii() and text.isdecimal() and len(text) <= 2:
            self._application.navigation.go_to_plot(int(text))
        else:
            self._application.status.set(f"{text or 'Nothing'} isn't the number of a plot")


def ask_plot(application: Application) -> None:
    """Ask for a plot's number and go there."""
    application.messages.open(
        "Go to Plot", "Go to plot", "", "Go to Plot…", lambda: PlotDialog(application), lambda: None
    )


def show_settings_file(application: Application) -> None:
    """Open the folder with the settings file, written with the present values where it is missing."""
    path = folders.config_folder() / SETTINGS_FILE
    opener = {"darwin": "open", "win32": "explorer"}.get(sys.platform, "xdg-open")

    def open_folder() -> None:
        if not path.exists():
            application.settings_model.save()
        subprocess.Popen([opener, str(path.parent)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    application.status.set(f"Settings file: {path}")
    application.jobs.submit(
        "files", open_folder, failed=lambda error: application.status.set(f"Settings file: {path} ({error})")
    )
