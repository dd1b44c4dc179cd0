"""Which of the last days have been delivered, and which day's extract a command means."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import outbox
from ..constants import FieldNames as F
from ..network.destinations import name_of
from ..views.dialogs import WHICH_DAY, DayDialog
from ..widgets.status_bar import ExtractRow, ShownDay
from ..workflows.deliver_day import last_days

if TYPE_CHECKING:
    import tkinter as tk

    from ..jobs import Jobs
    from ..models.extract import ExtractDay
    from ..views import DataRecordForm
    from .messages import Messages, ShowStatus
    from .state import State

log = logging.getLogger(__name__)

SOON_MS = 700  # several changes within this time cause one look
AGAIN_MS = 60_000  # because nothing announces that other workstations have sent something


class ExtractDays:
    """Looks the last days up and shows them in ``shown``, the row in the status bar. On the Tk thread."""

    def __init__(self, form: DataRecordForm, shown: ExtractRow, state: State, jobs: Jobs) -> None:
        self._form, self._shown, self._state, self._jobs = form, shown, state, jobs
        self._timer = ""
        self._soon = False
        self._looking = False
        self.days: tuple[ExtractDay, ...] = ()
        """The days as last looked up, the earliest first."""
        self.changed: Callable[[], object] = lambda: None
        """Called when one of these days may have changed."""

    def look_soon(self) -> None:
        """Look again soon, because one of these days may have changed."""
        if not self._soon:  # not restarted, so that frequent changes can't postpone it for ever
            self._soon = True
            if self._timer:
                self._form.after_cancel(self._timer)
            self._timer = self._form.after(SOON_MS, self._look)

    def end(self) -> None:
        """Stop: the window closes."""
        if self._timer:
            self._form.after_cancel(self._timer)
            self._timer = ""

    @property
    def of_form(self) -> datetime.date:
        """Return the day of the check in the form, or today if it has none."""
        return self._form.date or self._typed() or self._state.today()

    def _typed(self) -> datetime.date | None:
        """Return the form's day; complete a short one ("25") first if its field wasn't left yet."""
        if self._form.date is None and self._form.inputs[F.DATE].text:
            self._form.inputs[F.DATE].check()
        return self._form.date

    def find(
        self,
        kind: str,
        found: Callable[[datetime.date | list[ExtractDay] | None], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        """Find out which day's extract is meant: see :func:`which_day`. ``kind``: the destination, empty: none."""
        model, today = self._state.model, self._state.today()
        if model is None:
            return
        own = self._form.date or self._typed()
        if own is None and not self._form.inputs[F.DATE].text:
            own = today
        dates = (*last_days(today), own or today)
        self._jobs.submit(
            "records",
            model.extract_days,
            dates,
            done=lambda days: found(which_day(days, own, kind)),
            failed=failed,
        )

    def _look(self) -> None:
        self._timer = self._form.after(AGAIN_MS, self._look)
        if self._soon:
            self._soon = False
            self.changed()
        model = self._state.reachable
        if model is None:
            return
        if self._looking:
            self.look_soon()
            return
        self._looking = True
        dates = last_days(self._state.today())
        self._jobs.submit("records", model.extract_days, dates, done=self._show, failed=self._failed)

    def _show(self, days: Sequence[ExtractDay]) -> None:
        self._looking = False
        self.days = tuple(days)
        today = self._state.today()
        self._shown.show([shown(each, today) for each in days if each.records])

    def _failed(self, error: BaseException) -> None:
        self._looking = False
        log.info("what went out of the last days couldn't be looked up: %s", type(error).__name__)


class Export:
    """Writes the extract of a day to a file. On the Tk thread."""

    def __init__(
        self, window: tk.Misc, state: State, jobs: Jobs, messages: Messages, show_status: ShowStatus, days: ExtractDays
    ) -> None:
        self._window, self._state, self._jobs = window, state, jobs
        self._messages, self._show_status, self._days = messages, show_status, days

    def ask_day(self) -> None:
        """Find out or ask for the day, ask for a file, then write the extract to it in the background."""
        if self._state.model is None:
            self._show_status("The database isn't open yet")
            return

        def found(days: datetime.date | list[ExtractDay] | None) -> None:
            if days is None:
                self._messages.warning(
                    "No Records",
                    "There are no records to export",
                    "Neither the form's day nor one of the last seven has records that weren't sent.",
                )
            elif isinstance(days, datetime.date):
                self.export(days)
            else:
                choices = [(each.date, words(each)) for each in days]

                def make() -> DayDialog:
                    return DayDialog(self._window, "Export", "Export…", choices, self.export)

                self._messages.open("Export", WHICH_DAY, "", "Choose…", make, lambda: None)

        self._days.find("", found, lambda error: self._failed(error, self.ask_day))

    def export(self, date: datetime.date) -> None:
        """Ask for a file, then write the extract of that day to it in the background."""
        from tkinter import filedialog  # not at every start

        model = self._state.model
        assert model is not None
        chosen = self._messages.ask_file(
            lambda: filedialog.asksaveasfilename(
                parent=self._window,
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
                self._show_status(f"{rows} record{'s' * (rows != 1)} exported to {chosen}")
            else:
                self._messages.warning("No Records", "There are no records to export", f"{date} has none.")

        self._jobs.submit(
            "records",
            model.export_records,
            Path(chosen),
            date,
            done=done,
            failed=lambda error: self._failed(error, lambda: self.export(date)),
        )

    def _failed(self, error: BaseException, again: Callable[[], object]) -> None:
        self._messages.failure("Export", "The extract couldn't be written.", str(error), again)


def which_day(
    days: Sequence[ExtractDay], own: datetime.date | None, kind: str
) -> datetime.date | list[ExtractDay] | None:
    """Return which day's extract a command means, or between which days to ask, or None if there is nothing to send.

    The day of the form (``own``), if it has records that destination ``kind`` doesn't have in their present state. Else
    all days with such records, and the form's day if it has any records, are offered. If there are none, it is the
    form's day again. ``own`` is None if the form has no valid date: then no day is taken without asking.
    """
    of_form = next((each for each in days if each.date == own), None)
    has_records = of_form is not None and of_form.records > 0
    if of_form is not None and has_records and not of_form.went_out(kind):
        return own
    others = [each for each in days if each.records and each.date != own and not each.went_out(kind)]
    if others:
        return sorted([*others, *([of_form] if of_form and has_records else [])], key=lambda each: each.date)[::-1]
    return own if has_records else None


def words(day: ExtractDay, kind: str = "") -> str:
    """Return the description of a day in a choice: its records, and whether they were sent."""
    count = "1 record" if day.records == 1 else f"{day.records:,} records"
    states = [f"{name_of(each)}: {_state(day, each)}" for each in ((kind,) if kind else day.destinations)]
    return f"{count}. {'; '.join(states) or 'Not sent'}"


def _state(day: ExtractDay, kind: str) -> str:
    sent = day.sent.get(kind)
    if sent is None or (sent.delivered is None and not sent.waits):
        return "not sent"
    if sent.delivered is None:
        return "waits to be sent"
    moment = sent.delivered.astimezone()
    when = f"{moment:%H:%M}" if moment.date() == day.date else f"{moment.day} {moment:%b %H:%M}"
    later = ", a newer version waits" if sent.waits else ""
    return f"sent {when}{', changed since' if sent.outdated else ''}{later}"


def shown(day: ExtractDay, today: datetime.date) -> ShownDay:
    """Return a day as the row of the last days shows it, with the worst state of its destinations."""
    states = {each: _state(day, each) for each in day.destinations}
    out = [each for each in states if day.went_out(each)]
    if states and len(out) == len(states):
        state = min(states.values())
        state = state if len(set(states.values())) == 1 else "sent"
        return ShownDay(day.date, state.split(",")[0], True, day.date == today, words(day))
    left = [text for each, text in states.items() if each not in out]
    worst = "not sent" if not left or "not sent" in left else "changed since" if "changed" in "".join(left) else "waits"
    return ShownDay(day.date, worst, False, day.date == today, words(day))
