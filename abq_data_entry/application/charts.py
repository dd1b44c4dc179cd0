"""Opens the window of charts, and runs its commands: draw (in the background), save, copy, open a point's record."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import folders
from ..charts import FORMATS, LIGHT_LOOK, ChartChoice, ChartsMissing, chart
from ..fields.dates import DateReader
from ..jobs import ANY
from ..views.charts import ChartCallbacks, ChartRequest, ChartsWindow
from ..views.side_window import brought_up

if TYPE_CHECKING:
    import tkinter as tk

    from ..charts.drawing import Drawing
    from ..charts.page import Key
    from ..jobs import Job, Jobs
    from ..models import SQLModel
    from .connection import Connection
    from .messages import Messages
    from .state import State

log = logging.getLogger(__name__)
WORKER = "charts"
_FILES = [("PNG picture", "*.png"), ("SVG drawing", "*.svg"), ("PDF document", "*.pdf")]
Rows = list[dict[str, Any]]


class ChartPlace(NamedTuple):
    """What the charts need from the form: its lab (empty: none), its date reader, and what opens a record in it."""

    lab: str
    reader: DateReader
    open_record: Callable[[tuple[Any, ...]], object]


def show_charts(
    parent: tk.Tk, state: State, jobs: Jobs, connection: Connection, messages: Messages, place: ChartPlace
) -> ChartsWindow:
    """Show the window of charts, or bring the open one to the front."""
    shown = brought_up(parent, ChartsWindow)
    if shown is not None:
        shown.picture.focus_set()
        return shown
    return Charts(parent, state, jobs, connection, messages, place).window


class Charts:
    """One window of charts and its rows; a new request cancels the one before."""

    def __init__(
        self, parent: tk.Tk, state: State, jobs: Jobs, connection: Connection, messages: Messages, place: ChartPlace
    ) -> None:
        self._state, self._jobs, self._connection, self._messages = state, jobs, connection, messages
        self._open_record = place.open_record
        self._job: Job | None = None
        self._known: tuple[ChartChoice, Rows] | None = None
        callbacks = ChartCallbacks(self.draw, self.cancel, messages.command(self.open_records), self.save, self.copy)
        self.window = ChartsWindow(parent, callbacks, place.reader, place.lab)
        if state.reachable is not None:
            connection.ask(lambda model: model.choices(), self._show_choices, _log_failure)

    def _show_choices(self, choices: Any) -> None:
        if self.window.winfo_exists():
            self.window.show_labs(choices.all_labs)

    def draw(self, request: ChartRequest) -> None:
        """Read what isn't in memory yet, and draw the chart, on a worker thread."""
        from ..models import QueryCancelled

        self.cancel()
        model, known = self._state.reachable, None if request.again else self._known
        rows = known[1] if known is not None and known[0] == request.choice else None
        if rows is None and model is None:
            self.window.show_problem("Charts can be drawn when the database is there. F5 tries again")
            return

        def done(found: tuple[Rows, Drawing]) -> None:
            if job is self._job:
                self._job, self._known = None, (request.choice, found[0])
                self.window.show_drawing(found[1])

        def failed(error: BaseException) -> None:
            if job is not self._job:
                return
            self._job = None
            if isinstance(error, QueryCancelled):  # the previous request was cancelled so late that it hit this one
                self.draw(request)
            else:
                self._failed(error)

        def work(job: Job) -> tuple[Rows, Drawing]:
            return self._connection.retry_after_restart(lambda: _draw(model, request, rows, job))

        job = self._jobs.submit(WORKER, work, done=done, failed=failed, with_job=True)
        self._job = job

    def cancel(self) -> None:
        """Cancel what is being read."""
        job, self._job = self._job, None
        if job is not None and not job.finished:
            job.cancel.set()
            # On a worker thread, because a cancellation opens its own connection.
            self._jobs.submit(ANY, _end_query, self._state.model, job, failed=_log_failure)

    def open_records(self, key: Key) -> None:
        """Open the record of a point in the form; if there are several, the first one, for a sensor the latest."""
        if self._state.reachable is None:
            self.window.show_status("Records can be opened when the database is there")
            return

        def done(found: tuple[Any, ...] | None) -> None:
            if found is None:
                self.window.show_status("That record isn't there: it is missing, or was withdrawn")
            elif self._messages.typed_since():
                words = "You typed on before the record was found: it isn't opened. Enter here opens it"
                self.window.show_status(words)
            else:
                self._open_record(found)
                self.window.go_behind()

        def failed(error: BaseException) -> None:
            log.info("the record of a point couldn't be looked up: %s", type(error).__name__)
            self.window.show_status(f"The record couldn't be opened: {error}")

        self._connection.ask(lambda model: model.find_record(*key), done, failed)

    def save(self, request: ChartRequest) -> None:
        """Ask for a file, and write the chart to it, with light colours as on paper."""
        from tkinter import filedialog

        rows = self._rows_of(request)
        if rows is None:
            return
        chosen = self._messages.ask_file(
            lambda: filedialog.asksaveasfilename(
                parent=self.window,
                title=f"Save {chart(request.choice.name).title}",
                initialfile=f"{request.choice.name}.png",
                defaultextension=".png",
                filetypes=_FILES,
            )
        )

        def show_result(text: str) -> None:
            self._messages.show_in(self.window, "Save Chart", text)

        if chosen:
            self._jobs.submit(
                WORKER, _write, Path(chosen), request, rows,
                done=lambda _: show_result(f"Saved as {chosen}"),
                failed=lambda error: show_result(f"The chart couldn't be saved: {_why(error)}"),
            )  # fmt: skip

    def copy(self, request: ChartRequest) -> None:
        """Copy the values as a table to the clipboard; on X11, the picture too."""
        rows = self._rows_of(request)
        if rows is not None:
            self._jobs.submit(
                WORKER, _clipboard_content, request, rows, done=self._put_on_clipboard, failed=self._failed
            )

    def _rows_of(self, request: ChartRequest) -> Rows | None:
        if self._known is None or self._known[0] != request.choice:
            self.window.show_status("There is no chart yet")
            return None
        return self._known[1]

    def _put_on_clipboard(self, copied: tuple[str, bytes]) -> None:
        window = self.window
        if not window.winfo_exists():
            return
        window.clipboard_clear()
        window.clipboard_append(copied[0])
        if str(window.tk.call("tk", "windowingsystem")) == "x11":
            window.clipboard_append(copied[1].decode("latin-1"), type="image/png", format="STRING")
            window.show_status("Copied: a picture for documents, a table for spreadsheets")
        else:
            window.show_status("Its values are copied as a table; Save stores the picture")

    def _failed(self, error: BaseException) -> None:
        if not isinstance(error, ChartsMissing):
            log.warning("a chart couldn't be drawn", exc_info=error)
        self.window.show_problem(f"{error} F5 tries again")


def _draw(model: SQLModel | None, request: ChartRequest, rows: Rows | None, job: Job) -> tuple[Rows, Drawing]:
    from ..charts.drawing import to_picture

    if job.cancel.is_set():
        raise InterruptedError("another chart was chosen")
    if rows is None:
        assert model is not None
        rows = model.chart_rows(request.choice)
    if job.cancel.is_set():
        raise InterruptedError("another chart was chosen")
    return rows, to_picture(rows, request.choice, request.look, request.size, request.limits)


def _write(path: Path, request: ChartRequest, rows: Rows) -> None:
    file_format = path.suffix[1:].lower() or "png"
    if file_format not in FORMATS:
        raise ValueError("its name must end in .png, .svg or .pdf")
    drawn = _file(file_format, request, rows)
    with folders.replacement(path) as file:
        file.write_bytes(drawn)


def _why(error: BaseException) -> str:
    return f"{error.strerror or error}." if isinstance(error, OSError) else str(error)


def _clipboard_content(request: ChartRequest, rows: Rows) -> tuple[str, bytes]:
    names = list(rows[0]) if rows else []
    table = ["\t".join("" if row[name] is None else str(row[name]) for name in names) for row in rows]
    return "\n".join(["\t".join(names), *table]) + "\n", _file("png", request, rows)


def _file(file_format: str, request: ChartRequest, rows: Rows) -> bytes:
    from ..charts.drawing import to_file

    look = LIGHT_LOOK._replace(family=request.look.family, points=request.look.points)
    width, height = (round(each * 96 / request.look.dots) for each in request.size)
    return to_file(rows, request.choice, file_format, look, (width, height), request.limits)


def _end_query(model: SQLModel | None, job: Job) -> None:
    if model is not None and job.thread is not None:
        model.cancel_query(job.thread)


def _log_failure(error: BaseException) -> None:
    log.info("a request of the charts failed: %s", type(error).__name__)
