"""The window of charts, by keys: another chart, a point, its record; zoom, save, copy; what is wrong or slow."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tkinter import filedialog

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.charts.drawing import Drawing
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.views.charts import ChartsWindow
from tests.commands.test_waits_announced import table_locked
from tests.fixtures.window import Window
from tests.qa.data import FIRST, fill, make_records, make_weather

pytest.importorskip("matplotlib", reason="matplotlib isn't installed: no wheel for this Python")

DAYS = 10


@pytest.fixture
def planted(database: dict[str, str]) -> None:
    until = FIRST + datetime.timedelta(days=DAYS)
    records = [each for each in make_records(1) if each.date < until]
    weather = [each for each in make_weather(1) if each.moment.date() <= until]
    fill(database, records, weather)


@pytest.fixture
def charts(planted: None, window: Window) -> Iterator[ChartsWindow]:
    window.settle()
    window.press("ctrl+shift+g")
    window.until(lambda: opened(window), "the window")
    found = opened(window)[0]
    found.first.set_text("")
    found.variables["lab"].set("A")
    found.draw()
    window.until(lambda: found.picture.drawing, "the first chart")
    window.settle()
    yield found
    if found.winfo_exists():
        found.destroy()


def opened(window: Window) -> list[ChartsWindow]:
    return [each for each in window.app.winfo_children() if isinstance(each, ChartsWindow)]


def is_above(charts: ChartsWindow) -> bool:
    """Whether the chart covers the form."""
    return bool(charts.tk.getboolean(charts.tk.call("wm", "stackorder", charts, "isabove", ".")))


def drawing(charts: ChartsWindow) -> Drawing:
    assert charts.picture.drawing is not None
    return charts.picture.drawing


def choose(window: Window, charts: ChartsWindow, title: str) -> Drawing:
    """Choose another chart in the list, and wait for it."""
    before = drawing(charts)
    charts.variables["chart"].set(title)
    charts.boxes["chart"].event_generate("<<ComboboxSelected>>")
    window.until(lambda: charts.picture.drawing is not before, title)
    window.settle()
    return drawing(charts)


def test_a_trip_by_keys(window: Window, charts: ChartsWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "than outside on average" in drawing(charts).title
    whole = choose(window, charts, "Growth")
    assert not charts.boxes["field"].winfo_ismapped() and charts.boxes["plot"].winfo_ismapped()
    charts.picture.focus_force()
    window.press("Right", "Right", "Right")
    point = charts.picture.point
    assert point == whole.points[2] and charts.status_label.cget("text") == point.words
    window.press("plus")
    window.until(lambda: drawing(charts) is not whole, "the part")
    left, right = drawing(charts).panels[0].limits[:2]
    assert right - left < 0.7 * (whole.panels[0].limits[1] - whole.panels[0].limits[0])
    assert charts.picture.point is not None and charts.picture.point.key == point.key  # it stays chosen
    window.press("0")
    window.until(lambda: drawing(charts).panels[0].limits == whole.panels[0].limits, "all of it")
    window.press("ctrl+c")
    window.until(lambda: "Copied" in charts.status_label.cget("text"), "the copy")
    assert charts.clipboard_get().startswith("lab\tplot\tseed_sample\tdate\theight")
    assert charts.selection_get(selection="CLIPBOARD", type="image/png").encode("latin-1").startswith(b"\x89PNG")
    target = tmp_path / "growth.svg"
    monkeypatch.setattr(filedialog, "asksaveasfilename", lambda **_options: str(target))
    window.press("ctrl+s")
    window.until(target.exists, "the file")
    window.until(lambda: "Saved" in charts.status_label.cget("text"), "the file to be whole")
    assert "</svg>" in target.read_text(encoding="utf-8")
    monkeypatch.setattr(filedialog, "asksaveasfilename", lambda **_options: str(tmp_path / "none" / "growth.png"))
    window.press("ctrl+s")
    window.until(lambda: "couldn't be saved: No such file or directory." in charts.status_label.cget("text"), "why not")
    window.press("Return")  # the record of the point
    date, _, lab, plot = point.key or (None, None, "", None)
    window.until(lambda: window.text(F.PLOT) == str(plot) and window.text(F.DATE) == str(date), "the record")
    assert window.text(F.LAB) == lab
    charts.picture.focus_force()
    window.press("Escape")
    window.until(lambda: not opened(window), "the window to close")


def test_a_click_opens_and_a_date_is_marked(window: Window, charts: ChartsWindow) -> None:
    shown = choose(window, charts, "Two fields and the weather")
    assert charts.boxes["across"].winfo_ismapped() and len(shown.points) > 300
    point = shown.points[len(shown.points) // 2]
    charts.picture.event_generate("<Button-1>", x=round(point.x), y=round(point.y))
    charts.picture.event_generate("<ButtonRelease-1>", x=round(point.x), y=round(point.y))
    window.until(lambda: charts.picture.point is not None, "the point")
    chosen = charts.picture.point
    assert chosen is not None and chosen.key is not None
    window.until(lambda: window.text(F.PLOT) == str(chosen.key[3] if chosen.key else ""), "the record")
    window.until(lambda: not is_above(charts), "the form before the chart")
    assert opened(window) == [charts]
    window.app.callbacks["show_charts"]()
    window.until(lambda: is_above(charts), "the chart again")
    charts.first.edit_text("2026-13-45")
    charts.draw()
    assert charts.status_label.cget("text").startswith("This isn't a date")
    charts.first.edit_text("")
    charts.draw()
    window.settle()


def test_a_record_found_late_takes_no_keys(window: Window, charts: ChartsWindow, database: dict[str, str]) -> None:
    window.app.focus_force()
    window.begin_check()
    plot = window.text(F.PLOT)
    charts.picture.focus_force()
    with table_locked(database, "plot_checks"):
        window.press("Right", "Return")
        form = window.app.form
        window.app.focus_force()
        form.inputs[F.HUMIDITY].focus_set()
        window.until(lambda: window.focus == F.HUMIDITY, "the form again")
        window.type("24.09\n1.0")
    window.until(lambda: charts.status_label.cget("text").startswith("You typed on"), "why it isn't opened")
    window.type("3\n")
    assert form.opened is None and window.text(F.PLOT) == plot
    assert (window.text(F.HUMIDITY), window.text(F.LIGHT)) == ("24.09", "1.03")
    charts.picture.focus_force()
    window.press("Return")
    window.until(lambda: form.opened is not None, "the record")
    window.settle()


def test_the_window_lives_while_the_database_is_slow(
    window: Window, charts: ChartsWindow, database: dict[str, str]
) -> None:
    with closing(psycopg2.connect(make_dsn(**database))) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE local_weather IN ACCESS EXCLUSIVE MODE")
        charts.draw(again=True)
        with closing(psycopg2.connect(make_dsn(**database))) as second, second.cursor() as watching:
            second.autocommit = True

            def waits() -> bool:  # other jobs of the window may wait for the table too
                watching.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                 " AND state = 'active' AND query LIKE '%FROM climate_by_check(%'"
                                 " AND pid <> pg_backend_pid()")  # fmt: skip
                return bool(watching.fetchone() != (0,))

            window.until(waits, "the chart to wait for the table")
            assert not charts.buttons["Cancel"].instate(["disabled"])
            charts.buttons["Cancel"].invoke()
            assert charts.status_label.cget("text").startswith("Cancelled")
            window.until(lambda: not waits(), "the query to end")  # though the table is still locked
    charts.draw(again=True)
    before = drawing(charts)
    window.until(lambda: drawing(charts) is not before, "the chart")
