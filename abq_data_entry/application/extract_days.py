"""Of which days the extract went out: known for the last days, and which of them a command means."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..constants import FieldNames as F
from ..network.destinations import DESTINATIONS, name_of
from ..widgets.status_bar import ShownDay
from ..workflows.deliver_day import last_days

if TYPE_CHECKING:
    from ..models.records import ExtractDay
    from .window import Application

log = logging.getLogger(__name__)

SOON_MS = 700  # what comes within that time is looked up once
AGAIN_MS = 60_000  # other workstations send too, and nobody tells


class ExtractDays:
    """Looks the last days up and shows them. On the Tk thread."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._timer = ""
        self._soon = False
        self._looking = False
        self.days: tuple[ExtractDay, ...] = ()
        """As they were when they were looked up last, the earliest first."""

    def begin(self) -> None:
        """The database is open: look now, and from now on."""
        app = self._app

        def export(date: datetime.date) -> object:
            from .export import export_day

            return app.waiting.agree(lambda: export_day(app, date), date)

        self._app.status_bar.extracts.offer(
            (
                *((f"Upload to {to.name}", app.callbacks[f"upload_to_corporate_{to.kind}"]) for to in DESTINATIONS),
                ("Export", export),
            )
        )
        self.look_soon()

    def look_soon(self) -> None:
        """Something of these days may have changed."""
        if not self._soon:  # what comes all the time doesn't put it off for ever
            self._soon = True
            self._plan(SOON_MS)

    def end(self) -> None:
        """The window closes."""
        if self._timer:
            self._app.after_cancel(self._timer)
            self._timer = ""

    @property
    def of_form(self) -> datetime.date:
        """The day of the check in the form; today, where it has none."""
        date = self._app.form.inputs.value(F.DATE)
        return date if isinstance(date, datetime.date) else self._app.shared.today()

    def find(
        self,
        kind: str,
        found: Callable[[datetime.date | list[ExtractDay] | None], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        """Find out which day's extract is meant: see :func:`which_day`. ``kind``: rest or ftp; empty: no matter."""
        model, own, today = self._app.data_model, self.of_form, self._app.shared.today()
        if model is None:
            return
        dates = (*last_days(today), own)
        self._app.jobs.submit(
            "records",
            lambda: model.extract_days(dates),
            done=lambda days: found(which_day(days, own, kind)),
            failed=failed,
        )

    def _plan(self, pause_ms: int) -> None:
        if self._timer:
            self._app.after_cancel(self._timer)
        self._timer = self._app.after(pause_ms, self._look)

    def _look(self) -> None:
        self._timer = ""
        self._soon = False
        self._plan(AGAIN_MS)
        model = self._app.data_model
        if model is None or self._app.reconnecting.away:
            return
        if self._looking:
            self.look_soon()
            return
        self._looking = True
        dates = last_days(self._app.shared.today())
        self._app.jobs.submit("records", lambda: model.extract_days(dates), done=self._show, failed=self._failed)

    def _show(self, days: Sequence[ExtractDay]) -> None:
        self._looking = False
        self.days = tuple(days)
        today = self._app.shared.today()
        self._app.status_bar.extracts.show([shown(each, today) for each in days if each.records])

    def _failed(self, error: BaseException) -> None:
        self._looking = False
        log.info("what went out of the last days couldn't be looked up: %s", type(error).__name__)


def which_day(
    days: Sequence[ExtractDay], own: datetime.date, kind: str
) -> datetime.date | list[ExtractDay] | None:
    """Return which day's extract a command means, or between which days to ask, or None if there is nothing to send.

    The day of the form, ``own``, if it has records that destination ``kind`` doesn't have as they are now. Else the
    days that have such records are asked between, with the own one again if it has any. Without such a day it is the
    own one once more.
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
    """What is to be said of a day where it is chosen: its records, and whether they went out."""
    count = "1 record" if day.records == 1 else f"{day.records:,} records"
    told = [f"{name_of(each)}: {_state(day, each)}" for each in ((kind,) if kind else day.destinations)]
    return f"{count}. {'; '.join(told) or 'Not sent'}"


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
    """A day as the row of the last days shows it: the worst of what its destinations have."""
    states = {each: _state(day, each) for each in day.destinations}
    out = [each for each in states if day.is_out(each)]
    if states and len(out) == len(states):
        state = min(states.values())
        state = state if len(set(states.values())) == 1 else "sent"
        return ShownDay(day.date, state.split(",")[0], True, day.date == today, words(day))
    told = [text for each, text in states.items() if each not in out]
    worst = "not sent" if not told or "not sent" in told else "changed since" if "changed" in "".join(told) else "waits"
    return ShownDay(day.date, worst, False, day.date == today, words(day))
