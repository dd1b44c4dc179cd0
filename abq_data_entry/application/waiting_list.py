"""Opens the window of what waits on this computer, and does what is asked there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import fields
from ..constants import FieldNames as F
from ..views.record_windows import WaitingCallbacks, WaitingRow, WaitingWindow
from ..views.side_window import brought_up

if TYPE_CHECKING:
    from ..journal import Entry
    from .window import Application

REFRESH_MS = 1000
_STATES = {"waiting": "waiting", "undecided": "needs a decision"}


def show_waiting(application: Application) -> WaitingWindow:
    """Show the window of what waits, or bring the one that is open to the front."""
    shown = brought_up(application, WaitingWindow)
    if shown is not None:
        shown.tree.focus_set()
        return shown
    waiting = application.waiting

    def entry_of(identifier: str) -> Entry | None:
        return next((each for each in waiting.entries if each.identifier == identifier), None)

    def open_entry(identifier: str) -> None:
        entry = entry_of(identifier)
        if entry is not None:
            application.navigation.leave_form(lambda: opened(entry))

    def opened(entry: Entry) -> None:
        if application.deciding.open(entry):
            window.destroy()  # it lies over the form
            application.lift()

    def discard(identifier: str) -> None:
        entry = entry_of(identifier)
        if entry is not None:
            application.deciding.discard(entry)

    command = application.messages.command
    window = WaitingWindow(
        application, WaitingCallbacks(command(open_entry), command(discard), command(application.retry_database))
    )

    def refresh() -> None:
        others = [_row(each, f"Waits for the database {each.database}.") for each in waiting.foreign]
        window.show_rows([*(_row(each) for each in waiting.entries), *others], waiting.line or "Nothing waits.")

    window.repeat(REFRESH_MS, refresh)
    return window


def _row(entry: Entry, remark: str = "") -> WaitingRow:
    why = remark or entry.remark or entry.cause
    cells = (
        entry.title,
        str(entry.record[F.TECHNICIAN]),
        f"{entry.moment.astimezone():%Y-%m-%d %H:%M}",
        _STATES[entry.state],
        " ".join(why.split()),
    )
    values = ", ".join(
        f"{each.name} {fields.format_value(each, entry.record[each.name])}"
        for each in fields.FIELDS[5:]
        if entry.record[each.name] not in (None, False)
    )
    detail = f"{'Correction' if entry.write == 'update' else 'New record'}: {values}.\n{why}"
    return WaitingRow(entry.identifier, cells, detail.strip(), not remark, not remark and entry.state == "undecided")

