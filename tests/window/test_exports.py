"""File ‣ Export…, by keys: which view, which days, which lab, as what and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog

import openpyxl
import pytest

from abq_data_entry.models import SQLModel
from abq_data_entry.views.export_dialog import ExportDialog
from abq_data_entry.widgets.status_bar import RunningLine
from tests.commands.test_waits_announced import table_locked
from tests.fixtures.window import Window
from tests.models.records import DATE, record


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """What the system's dialog for a file answers."""

    def answer(path: Path) -> None:
        monkeypatch.setattr(filedialog, "asksaveasfilename", lambda **_options: str(path))

    return answer


def opened(window: Window) -> ExportDialog:
    """The dialog, which takes keys."""
    window.app.callbacks["export_view"]()
    assert window.app.status.get() == "Looking up what can be exported…"
    window.until(lambda: window.dialogs, "the dialog")
    dialog = window.dialog()
    assert isinstance(dialog, ExportDialog)
    window.until(lambda: dialog.takes_keys, "the dialog to take keys")
    window.until(lambda: dialog.focus_displayof() == dialog.boxes["View"], "the focus")
    return dialog


def test_it_fits_a_small_screen_with_large_letters(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExportDialog, "winfo_screenwidth", lambda _dialog: 800)
    window.app.settings["font size"].set(20)
    window.settle()
    dialog = opened(window)
    assert dialog.winfo_reqwidth() <= 800
    window.answer("Cancel")
    window.settle()


def test_a_view_is_exported_by_keys(
    window: Window, stored: SQLModel, database: dict[str, str], tmp_path: Path, choose: Callable[[Path], None]
) -> None:
    file = tmp_path / "some.xlsx"
    choose(file)
    for plot in (1, 2, 3):
        stored.save_record(record(Plot=plot))
    dialog = opened(window)
    window.press("Tab")
    window.type("2026-99-01")
    window.press("Tab")
    window.type(f"{DATE}")
    window.press("Return")
    window.until(lambda: "no month 99" in dialog.notes["From"].cget("text"), "what is wrong with the day")
    assert dialog.notes["From"].cget("text").startswith("✗")
    window.until(lambda: dialog.focus_displayof() == dialog.boxes["From"], "the focus on it")
    window.type(f"{DATE}")
    window.press("Tab", "Tab")
    window.type("A")
    window.until(lambda: dialog.boxes["Lab"].get() == "A", "the lab")
    window.press("Return")
    window.until(lambda: file.exists() and "Export" not in window.app.commands.running, "the export")
    window.until(lambda: window.app.status.get() == f"3 rows of records exported to {file}", "the status")
    rows = list(openpyxl.load_workbook(file)["records"].iter_rows(values_only=True))
    assert [row[4] for row in rows] == ["Plot", 1, 2, 3]
    # Cancelled, it leaves nothing.
    never = tmp_path / "never.csv"
    choose(never)
    dialog = opened(window)
    with table_locked(database, "plot_checks"):
        window.press("Return")
        lines = window.app.status_bar.jobs.winfo_children
        window.until(lines, "the export")
        (line,) = (each for each in lines() if isinstance(each, RunningLine))
        line.button.invoke()
        window.until(lambda: "Export" not in window.app.commands.running, "its end")
    assert sorted(tmp_path.glob("*.xlsx")) == [file] and not never.exists()
    assert "cancelled" in window.app.status.get()
