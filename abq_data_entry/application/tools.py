"""The Tools menu: fetch the weather, and send a day's extract to a destination, in the background."""

from __future__ import annotations

import datetime
import importlib
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import outbox
from ..jobs import ANY, Job
from ..network.destinations import DESTINATIONS, destination
from ..widgets.focus import focused_widget
from ..workflows.fetch_weather import fetch, store
from .deliveries import Deliveries, NotDelivered
from .logins import Login

if TYPE_CHECKING:
    import tkinter as tk

    from ..jobs import Jobs
    from ..models.extract import ExtractDay
    from ..views import DataRecordForm
    from ..widgets import StatusBar
    from ..widgets.status_bar import RunningLine
    from .extract_days import ExtractDays
    from .messages import Messages, ShowStatus
    from .preferences import Settings
    from .state import State

log = logging.getLogger(__name__)
WEATHER = "Update Weather Data"
LINE_MS = 500  # a shorter command gets no line, because that would flash and move the row of days


class BackgroundCommands:
    """Runs commands in the background, each name once at a time; the status bar shows them, with Cancel.

    ``ended()`` is called after each.
    """

    def __init__(
        self,
        form: DataRecordForm,
        status_bar: StatusBar,
        state: State,
        jobs: Jobs,
        show_status: ShowStatus,
        ended: Callable[[], object],
    ) -> None:
        self._form, self._status_bar, self._state = form, status_bar, state
        self._jobs, self._show_status, self._ended = jobs, show_status, ended
        self._running: set[str] = set()

    @property
    def running(self) -> tuple[str, ...]:
        """Return the names of the running commands."""
        return tuple(sorted(self._running))

    def may_begin(self, name: str) -> bool:
        """Return whether a command may begin now; if not, the status says why."""
        if self._state.model is None:
            self._show_status("The database isn't open yet")
            return False
        if name in self._running:
            self._show_status(f"{name} is running already")
            return False
        return True

    def begin(
        self,
        name: str,
        work: Callable[[Job], Any],
        done: Callable[[Any], object],
        failed: Callable[[BaseException], object],
        remark: str = "",
        in_rows: bool = False,
    ) -> None:
        """Do ``work(job)`` on the worker of that name; then call ``done(result)`` or ``failed(error)``, unless it was
        cancelled. ``remark``: shown in the status line while it runs. ``in_rows``: it reports rows, not bytes."""
        self._running.add(name)
        self._show_status(f"{name}: running{f', {remark}' if remark else ''}…")
        line: RunningLine | None = None

        def show() -> None:
            nonlocal line
            line = self._status_bar.add_job(name, job.cancel.set)
            job.progress = line.show_rows if in_rows else line.show_progress  # the next poll shows how far it is

        def end() -> None:
            self._running.discard(name)
            self._ended()
            if line is None:
                return
            had_focus = str(focused_widget(self._form) or "").startswith(f"{line}.")
            self._status_bar.remove_job(line)
            if had_focus:  # after Cancel by key, the focus returns to the form
                self._form.focus_first_empty()

        def succeeded(result: Any) -> None:
            end()
            done(result)

        def ended_badly(error: BaseException) -> None:
            end()
            if job.cancel.is_set():
                self._show_status(f"{name}: {_cancelled(error)}")
                return
            log.warning("%s failed: %s", name, type(error).__name__)
            failed(error)

        # On its own worker, whose thread keeps its connection to the database for the next time.
        job = self._jobs.submit(
            name, work, name=name, done=succeeded, failed=ended_badly, with_job=True, tidies=True
        )
        job.timers.append(self._form.winfo_toplevel().after(LINE_MS, show))


class Tools:
    """Fetches the weather and sends extracts."""

    def __init__(
        self,
        window: tk.Misc,
        state: State,
        settings: Settings,
        jobs: Jobs,
        messages: Messages,
        show_status: ShowStatus,
        commands: BackgroundCommands,
        deliveries: Deliveries,
        extract_days: ExtractDays,
    ) -> None:
        self._window, self._state, self._settings = window, state, settings
        self._jobs, self._messages, self._show_status = jobs, messages, show_status
        self._commands, self._deliveries, self._extract_days = commands, deliveries, extract_days
        self._asking: set[str] = set()

    def load_ahead(self, then: Callable[[], object]) -> None:
        """Import what the commands need in advance, because importing it with a command would block the window; then
        call ``then()``."""

        def failed(error: BaseException) -> None:
            log.error("what the commands need can't be loaded", exc_info=error)
            then()

        self._jobs.submit(ANY, load_network, done=lambda _nothing: then(), failed=failed)

    # -- the weather ------------------------------------------------------------------------------------

    def update_weather_data(self) -> None:
        """Fetch the station's current observation and store it."""
        if not self._commands.may_begin("Weather"):
            return
        values, model = self._settings.values(), self._state.model
        assert model is not None

        def work(job: Job) -> str:
            recorded = store(model, fetch(values, job.cancel))
            return f"{recorded.text} ({'; '.join(recorded.warnings)})" if recorded.warnings else recorded.text

        self._commands.begin(
            "Weather",
            work,
            self._weather_recorded,
            lambda error: self._weather_failed(error, str(values["weather_station"])),
        )

    def _weather_recorded(self, said: str) -> None:
        self._messages.settled(WEATHER)
        self._show_status(said)

    def _weather_failed(self, error: BaseException, station: str) -> None:
        self._show_status("Problem retrieving weather data")
        self._messages.failure(
            WEATHER,
            "Problem retrieving weather data",
            f"Station {station}: {_reason(error)}",
            retry=self.update_weather_data,
        )

    # -- the extract ------------------------------------------------------------------------------------

    def upload(self, kind: str, date: datetime.date | None = None) -> None:
        """Send a day's extract to the destination of that kind; of which day, see :func:`extract_days.which_day`."""
        if kind in self._asking or not self._commands.may_begin(destination(kind).name):
            return
        self._asking.add(kind)

        def found(days: datetime.date | list[ExtractDay] | None) -> None:
            if days is None:
                self._asking.discard(kind)
                self._no_records()
            elif isinstance(days, datetime.date):
                self._log_in(kind, days)
            else:
                self._ask_day(kind, days)

        def failed(reason: BaseException) -> None:
            self._asking.discard(kind)
            self._upload_failed(kind, reason)

        if date is not None:
            self._log_in(kind, date)
        else:
            self._extract_days.find(kind, found, failed)

    def _ask_day(self, kind: str, days: list[ExtractDay]) -> None:
        from ..views.dialogs import WHICH_DAY, DayDialog
        from .extract_days import words

        def given_up() -> None:
            self._asking.discard(kind)
            self._show_status("Nothing was sent")

        title, choices = f"Upload by {destination(kind).name}", [(each.date, words(each, kind)) for each in days]

        def make() -> DayDialog:
            return DayDialog(self._window, title, "Send", choices, lambda date: self._log_in(kind, date), given_up)

        self._messages.open(title, WHICH_DAY, "", "Choose…", make, given_up)

    def _log_in(self, kind: str, date: datetime.date) -> None:
        values = self._settings.values()

        def answered(login: Login | None) -> None:
            self._asking.discard(kind)
            if login is None:
                self._show_status("Nothing was sent")
            elif self._commands.may_begin(destination(kind).name):
                failed = partial(self._upload_failed, kind, date=date)
                self._deliveries.upload(kind, date, values, login, failed)

        self._deliveries.logins.obtain(kind, values, "", answered)

    def _upload_failed(self, kind: str, error: BaseException, date: datetime.date | None = None) -> None:
        from ..network.failures import with_sentence

        if isinstance(error, outbox.NoRecords):
            self._no_records()
            return
        name, reason = destination(kind).name, _reason(error)
        if isinstance(error, NotDelivered):
            if self._deliveries.report_uncertain(kind, error.outcome):
                self._show_status(f"Not everybody may have the extract by {name}: Tools ‣ Deliveries says who has it")
                return
            reason = with_sentence(reason, error.outcome.next_attempt)
        self._show_status(f"The extract was not sent by {name}")
        self._messages.failure(
            f"Upload by {name}",
            f"The extract couldn't be sent by {name}. Your records are safe in the database.",
            reason,
            retry=(lambda: self.upload(kind, date)) if date is not None else None,
        )

    def _no_records(self) -> None:
        self._show_status("There are no records to upload")
        self._messages.warning(
            "No Records",
            "There are no records to upload",
            "Neither the form's day nor one of the last seven has records that weren't sent."
            " Nothing was asked or sent.",
        )


def _cancelled(error: BaseException) -> str:
    """Return what is known after Cancel; a cancel after the last byte of the file may have come too late."""
    from ..outbox.delivery import CANCELLED_LATE, CANCELLED_MIDWAY

    reason = error.outcome.delivery.reason if isinstance(error, NotDelivered) else ""
    if reason in (CANCELLED_LATE, CANCELLED_MIDWAY):
        return reason[0].lower() + reason[1:].removesuffix(".")
    return "cancelled, nothing was stored or sent"


def _reason(error: BaseException) -> str:
    from .. import models, network

    known = isinstance(error, models.DatabaseError | outbox.OutboxError | NotDelivered)
    return str(error) if known else network.describe_failure(error)


def load_network() -> None:
    """Import what weather and destinations need, except what is seldom used."""
    for name in ("weather", *(module for each in DESTINATIONS for module in each.modules)):
        importlib.import_module(f"..network.{name}", __package__)
    importlib.import_module("..outbox.sending", __package__)
