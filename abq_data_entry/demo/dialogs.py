"""Pictures of the dialogs and of the windows beside the form, each opened by its command and closed again."""

import datetime
import tkinter as tk
from collections.abc import Callable

from ..constants import FieldNames as F
from ..models import SQLModel
from ..models.undoing import By
from ..views.dialogs import Dialog
from . import DemoFailed
from .environment import EVENING, LAB, TECHNICIAN
from .stage import Photographer, Stage

PLOT, GONE, THEIRS, OURS = 1, 20, "21.50", "22.50"
_REASON, _COLLEAGUE = "misread", "P Taylor"

# Menu, command, name of the picture, and what it shows; those of a record are for the one in the form.
_OF_A_RECORD = (
    ("Go", "Record History", "history", "Every change of a record: when, who, from what to what, and why."),
    ("Edit", "Withdraw Record…", "withdraw", "A record is withdrawn, with a reason."),
    ("Edit", "Move Record…", "move", "A record gets another date, time, lab or plot."),
    ("Edit", "Move Check…", "move-check", "All records of a check get another date, time or lab."),
)
_OTHERS = (
    ("Tools", "Deliveries", "deliveries", "What was sent when, in which version, and what waits."),
    ("Tools", "Waiting Records", "waiting", "What waits on this computer while the database is away."),
    ("Tools", "Check Connections…", "connections", "The connections, step by step."),
    ("Tools", "Technicians, Labs and Plots", "administration", "New technicians, labs, plots and seed samples."),
    ("Go", "Go to Plot…", "plot", "A plot by its number."),
    ("Help", "Keyboard Shortcuts", "keys", "All keys."),
    ("Help", "About ABQ Data Entry", "about", "Versions and folders, to be copied for the help desk."),
)


class Dialogs:
    """Opens each, has it photographed, and closes it."""

    def __init__(self, stage: Stage, photographer: Photographer, endpoint: dict[str, str]) -> None:
        self._stage, self._window = stage, stage.window
        self._take = photographer.take
        self._endpoint = endpoint

    def show_all(self, today: datetime.date) -> None:
        """Show all of them; the records of the day stay as they are."""
        yesterday = today - datetime.timedelta(days=1)
        self._open_record(yesterday)
        for menu, command, name, text in _OF_A_RECORD:
            self._show(lambda menu=menu, command=command: self._stage.choose(menu, command), name, text)  # type: ignore[misc]
        self._show_many()
        self._show_withdrawn(yesterday)
        for menu, command, name, text in _OTHERS:
            self._show(lambda menu=menu, command=command: self._stage.choose(menu, command), name, text)  # type: ignore[misc]
        self._show_conflict(yesterday)

    def _open_record(self, date: datetime.date) -> None:
        inputs = self._window.form.inputs
        self._window.navigation.open_record((date.isoformat(), EVENING, LAB, PLOT))
        self._stage.wait_until(
            lambda: inputs[F.DATE].text == date.isoformat() and inputs[F.TEMPERATURE].text, "The record in the form"
        )
        self._idle()

    def _show_many(self) -> None:
        """Choose all rows of the list, and show how to correct them."""
        self._stage.choose("Go", "Record List")
        self._idle()
        mac = self._window.tk.call("tk", "windowingsystem") == "aqua"
        focused = self._window.focus_get()
        if focused is None:
            raise DemoFailed("The record list can't get the keyboard's focus.")
        focused.event_generate("<Command-a>" if mac else "<Control-a>")
        self._stage.wait_until(lambda: len(self._window.record_list.chosen) > 1, "The choice of all rows")
        self._show(
            lambda: self._stage.choose("Edit", "Correct Many…"), "correct-many",
            "Many records get another technician, seed sample or date, all or none.",
        )  # fmt: skip
        self._stage.choose("Go", "Record Form")

    def _show_withdrawn(self, date: datetime.date) -> None:
        """Withdraw a record for the picture, and bring it back afterwards."""
        place, by = (date.isoformat(), EVENING, LAB, GONE), By(TECHNICIAN)
        model = SQLModel.at(self._endpoint)
        try:
            model.withdraw_record(place, "typed twice", by=by)
            self._show(
                lambda: self._stage.choose("Edit", "Withdrawn Records"), "withdrawn",
                "What was withdrawn, and comes back from here.",
            )  # fmt: skip
            model.bring_back_record(place, "it was right", by=by)
        finally:
            model.close()

    def _show_conflict(self, date: datetime.date) -> None:
        """A colleague corrects the record that is open here, and both versions are shown side by side."""
        key = (date.isoformat(), EVENING, LAB, PLOT)
        model = SQLModel.at(self._endpoint)
        try:
            before = model.get_record(*key)
            temperature = self._window.form.inputs[F.TEMPERATURE]
            temperature.fill(OURS)
            temperature.editor.event_generate("<<Edited>>")
            self._window.form.reason.fill(_REASON)
            model.save_record({**before, F.TEMPERATURE: THEIRS}, reason=_REASON, author=_COLLEAGUE)
            self._show(
                lambda: self._stage.choose("File", "Save Record"), "conflict",
                "Somebody else changed the same field meanwhile: both versions, field by field.",
            )  # fmt: skip
            model.save_record(before, reason="as it was")
        finally:
            model.close()
        self._stage.choose("File", "Discard Draft")

    def _show(self, open_it: Callable[[], object], name: str, text: str) -> None:
        open_it()
        self._stage.wait_until(self._on_screen, f"The window of {name!r}")
        self._idle()
        for opened in self._on_screen():
            self._take(f"dialog-{name}", text, opened)
            if isinstance(opened, Dialog):
                opened.close()
            else:
                opened.destroy()
        self._stage.wait_until(lambda: not self._on_screen(), f"The end of {name!r}")

    def _on_screen(self) -> list[tk.Toplevel]:
        children = self._window.winfo_children()
        return [each for each in children if isinstance(each, tk.Toplevel) and each.winfo_viewable()]

    def _idle(self) -> None:
        self._stage.wait_until(lambda: not self._window.jobs.busy, "The end of what goes on in the background")
