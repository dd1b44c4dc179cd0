"""File ‣ Export…: asks for the rows and the file, then writes them in the background. On the Tk thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..counting import counted
from ..views.export_dialog import ChosenExport, ExportDialog

if TYPE_CHECKING:
    import tkinter as tk

    from ..jobs import Job
    from ..models import SQLModel
    from ..workflows.export_view import Exported
    from .connection import Connection
    from .messages import Messages, ShowStatus
    from .state import State
    from .tools import BackgroundCommands

TITLE = "Export"
_EXCEL = "csv for Excel"
FORMS = {
    "xlsx": "Workbook (XLSX), for Excel and LibreOffice",
    "csv": "CSV",
    _EXCEL: "CSV for Excel: semicolons, decimal commas",
    "parquet": "Parquet, for Python, R and DuckDB",
    "datapackage": "Data package: CSV with its description",
}
"""The formats, each with its description."""

_FAILED = "Nothing was exported."


class Exports:
    """Exports a view in the background; the status bar shows its progress, with Cancel."""

    def __init__(
        self,
        window: tk.Misc,
        state: State,
        connection: Connection,
        messages: Messages,
        show_status: ShowStatus,
        commands: BackgroundCommands,
    ) -> None:
        self._window, self._state, self._connection = window, state, connection
        self._messages, self._show_status, self._commands = messages, show_status, commands

    def ask(self) -> None:
        """Ask the database for the views, then the user what to export."""
        if not self._commands.may_begin(TITLE):
            return

        def look(model: SQLModel) -> tuple[list[str], list[str]]:
            choices = model.choices()
            return model.view_names(), sorted((*choices.labs, *choices.retired_labs))

        self._show_status("Looking up what can be exported…")
        self._connection.ask(look, self._open, lambda error: self._report_failure(error, self.ask))

    def _open(self, found: tuple[list[str], list[str]]) -> None:
        views, labs = found
        self._show_status("")

        def make() -> ExportDialog:
            return ExportDialog(self._window, views, labs, FORMS, self._state.today(), self._choose_place)

        self._messages.open(TITLE, "What is to be exported?", "", "Choose…", make, lambda: None)

    def _choose_place(self, chosen: ChosenExport) -> None:
        from tkinter import filedialog  # imported here, so that it doesn't slow the start

        from ..workflows.export_view import FORMATS, ViewQuery, usual_name

        wanted = ViewQuery(*chosen[:4])
        form = "csv" if chosen.form == _EXCEL else chosen.form
        ending = FORMATS[form]
        place = self._messages.ask_file(
            lambda: filedialog.asksaveasfilename(
                parent=self._window,
                title=f"Export {wanted.view}",
                initialfile=usual_name(wanted, form),
                defaultextension=ending,
                filetypes=[(FORMS[chosen.form].partition(",")[0], f"*{ending}"), ("All files", "*")],
            )
        )
        if place:
            self.export(chosen, Path(place))

    def export(self, chosen: ChosenExport, place: Path) -> None:
        """Write the chosen rows to that file."""
        from ..workflows.export_view import CsvStyle, ViewQuery, export_view

        model = self._state.model
        if model is None or not self._commands.may_begin(TITLE):
            return
        wanted, is_excel = ViewQuery(*chosen[:4]), chosen.form == _EXCEL
        style = CsvStyle(is_excel, is_excel, is_excel)

        def work(job: Job, model: SQLModel = model) -> Exported:
            form = "csv" if is_excel else chosen.form
            return self._connection.retry_after_restart(lambda: export_view(model, wanted, form, place, job, style))

        def done(result: Exported) -> None:
            rows = f"{counted(result.rows, 'row')} of {wanted.view} exported to {result.file}"
            self._show_status(" ".join([rows, *result.remarks]))

        self._commands.begin(
            TITLE, work, done,
            lambda error: self._report_failure(error, lambda: self.export(chosen, place)), in_rows=True,
        )

    def _report_failure(self, error: BaseException, again: Callable[[], object]) -> None:
        self._show_status(_FAILED)
        reason = f"The file can't be written: {error.strerror or error}." if isinstance(error, OSError) else str(error)
        self._messages.failure(TITLE, _FAILED, reason, again)
