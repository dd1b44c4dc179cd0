"""Opens the window of withdrawn records, and brings back what is asked there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..views.record_windows import WithdrawnRow, WithdrawnWindow
from ..views.side_window import brought_up
from . import undoing
from .messages import reason_of

if TYPE_CHECKING:
    from ..models import Withdrawn
    from .window import Application

_AT_MOST = 500


def show_withdrawn(application: Application) -> WithdrawnWindow | None:
    """Show the window of withdrawn records, or bring the one that is open to the front."""
    shown = brought_up(application, WithdrawnWindow)
    if shown is not None:
        shown.tree.focus_set()
        return shown
    found: dict[str, Withdrawn] = {}

    def fetch(show: Callable[[Sequence[WithdrawnRow]], object], problem: Callable[[str], object]) -> None:
        model = application.data_model
        if model is None or application.reconnecting.away:
            problem("Withdrawn records can't be looked up while the database is away. F5 tries again.")
            return

        def fetched(records: Sequence[Withdrawn]) -> None:
            found.clear()
            found.update({f"{each.record['Lab']} {each.entry}": each for each in records})
            show([_row(identifier, each) for identifier, each in found.items()])

        application.jobs.submit(
            "records",
            lambda: application.connection.lasting(lambda: model.get_withdrawn(limit=_AT_MOST)),
            done=fetched,
            failed=lambda error: problem(f"Withdrawn records couldn't be looked up.\n{reason_of(error)}"),
        )

    def bring_back(identifier: str) -> None:
        gone = found.get(identifier)
        if gone is not None:
            undoing.bring_back(application, gone, window.refresh)

    window = WithdrawnWindow(
        application,
        fetch,
        application.messages.command(
            lambda identifier: application.permissions.run("withdraw_record", bring_back, identifier)
        ),
    )
    return window


def _row(identifier: str, gone: Withdrawn) -> WithdrawnRow:
    key = undoing.named(undoing.key_of(gone.record))
    when = f"{gone.moment.astimezone():%Y-%m-%d %H:%M}"
    where = f" on {gone.workstation}" if gone.workstation else ""
    detail = f"{key}: {undoing.readings(gone.record)}.\nWithdrawn {when} by {gone.who}{where}: {gone.reason or '-'}"
    return WithdrawnRow(identifier, (key, str(gone.record["Technician"]), when, gone.who, gone.reason), detail)
