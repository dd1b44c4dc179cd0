"""Each chart on planted data: what its points say is what its view answers; and pictures of little and of no data."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="matplotlib isn't installed: no wheel for this Python")

from abq_data_entry.charts import CHARTS, ChartChoice, ChartLook, completeness
from abq_data_entry.charts.drawing import Drawing, DrawnPoint, to_file, to_picture
from abq_data_entry.charts.page import DAY, LATEST, Page
from abq_data_entry.models import DatabaseError, SQLModel
from abq_data_entry.workflows.draw_chart import chart_file
from tests.qa.data import FIRST, Data

LAST = FIRST + datetime.timedelta(days=99)
MONTH = FIRST + datetime.timedelta(days=29)
SIZE = (1000, 600)
LOOK = ChartLook()


@pytest.fixture(scope="module")
def model(data: Data) -> Iterator[SQLModel]:
    opened = SQLModel.at(data.endpoint)
    yield opened
    opened.close()


def drawn(model: SQLModel, choice: ChartChoice, **more: Any) -> Drawing:
    return to_picture(model.chart_rows(choice), choice, LOOK, SIZE, **more)


def height(drawing: Drawing, point: DrawnPoint, panel: int = 0) -> float:
    """The value at which a point lies, by the edges of its panel."""
    box = drawing.panels[panel]
    low, high = box.limits[2:]
    return low + (box.bottom - point.y) / (box.bottom - box.top) * (high - low)


def test_control_chart_shows_the_view(data: Data, model: SQLModel) -> None:
    drawing = drawn(model, ChartChoice("control", "A", first=FIRST, last=LAST, field="humidity"))
    rows = data.rows("SELECT * FROM control_chart(%s, %s) WHERE lab = 'A' AND field = 'humidity' ORDER BY moment",
                     [FIRST, LAST])  # fmt: skip
    assert len(drawing.points) == len(rows) > 300
    for point, row in zip(drawing.points, rows, strict=True):
        assert height(drawing, point) == pytest.approx(row["value"], abs=0.01)
        assert f"{row['value']:+.2f} g/m³" in point.words
        assert re.findall(r"(\d): ", point.words.partition("g/m³")[2]) == [str(rule) for rule in row["rules"]]
        assert point.key is not None and point.key[0] == row["date"]
    beyond, violated = sum(1 in row["rules"] for row in rows), sum(bool(row["rules"]) for row in rows)
    assert f"at {beyond} of {len(rows)} checks, and violated a rule at {violated}" in drawing.title


def test_climate_shows_the_view_and_days_where_checks_are_too_many(data: Data, model: SQLModel) -> None:
    drawing = drawn(model, ChartChoice("climate", "B", first=FIRST, last=MONTH))
    rows = data.rows("SELECT * FROM climate_by_check(%s, %s) WHERE lab = 'B' AND temperature_mean IS NOT NULL"
                     " ORDER BY due", [FIRST, MONTH])  # fmt: skip
    warm = [each for each in drawing.points if "temperature" in each.words]
    means = [row["temperature_mean"] for row in rows]
    assert [height(drawing, each) for each in warm] == pytest.approx(means, abs=0.05)
    assert [each.key[:2] for each in warm if each.key] == [(row["date"], row["time"]) for row in rows]
    differences = [row["temperature_difference"] for row in rows if row["temperature_difference"] is not None]
    assert f"{abs(sum(differences) / len(differences)):.1f} °C" in drawing.title
    by_day = [each for each in drawn(model, ChartChoice("climate", "B")).points if "temperature" in each.words]
    assert 50 < len(by_day) <= 100 and all(each.key and each.key[1] is None for each in by_day)


@pytest.mark.parametrize(("days", "by_day"), [(62, False), (63, True)])
def test_climate_shows_checks_for_two_months_at_most(model: SQLModel, days: int, by_day: bool) -> None:
    last = FIRST + datetime.timedelta(days=days - 1)
    keys = [each.key for each in drawn(model, ChartChoice("climate", "B", first=FIRST, last=last)).points if each.key]
    assert keys and all((time is None) == by_day for _date, time, *_place in keys)


def test_growth_shows_each_day_of_each_plot(data: Data, model: SQLModel) -> None:
    drawing = drawn(model, ChartChoice("growth", "A", 3))
    rows = data.rows("SELECT * FROM growth WHERE lab = 'A'")
    expected = {(row["date"], None, "A", row["plot"]): float(row["height"]) for row in rows}
    left = [each for each in drawing.points if each.x <= drawing.panels[0].right]
    assert {each.key: height(drawing, each) for each in left} == pytest.approx(expected, abs=0.2)


def test_completeness_counts_as_the_view(data: Data, model: SQLModel) -> None:
    drawing = drawn(model, ChartChoice("completeness", "A", first=FIRST, last=LAST))
    rows = data.rows("SELECT * FROM completeness(%s, %s) WHERE lab = 'A'", [FIRST, LAST])
    for point in drawing.points:
        assert point.key is not None
        of_day = [row for row in rows if row["date"] == point.key[0]]
        recorded, expected = sum(row["recorded"] for row in of_day), sum(row["expected"] for row in of_day)
        assert f"{recorded} of {expected} records" in point.words
    assert len(drawing.points) == len({row["date"] for row in rows})


def test_completeness_shows_days_when_nothing_was_recorded(data: Data, model: SQLModel) -> None:
    after = ChartChoice("completeness", "A", first=LAST + 2 * DAY, last=LAST + 4 * DAY)
    assert [each.words.partition(": ")[2][:16] for each in drawn(model, after).points] == ["0 of 80 records,"] * 3


def test_each_calendar_names_its_own_months(data: Data) -> None:
    """Over more than a year the calendar goes on below, and the months there aren't those above."""
    from matplotlib.figure import Figure

    page = Page(Figure((1200 / 96, 700 / 96), 96), ChartChoice("completeness"), LOOK)
    nothing = {"recorded": 0, "expected": 1, "missing": 0}
    completeness.draw(page, [{"date": datetime.date(2025, 10, 5) + number * DAY, **nothing} for number in range(400)])
    above, below = ([each.get_text() for each in axes.get_xticklabels()] for axes in page.panels)
    assert above[0] == "Oct\n2025" and "Jan\n2026" in above
    assert below[0].endswith("\n2026") and below[-1] == "Nov"


@pytest.mark.parametrize("name", ["drift", "correlation"])
def test_statistics_are_those_of_the_view(data: Data, model: SQLModel, name: str) -> None:
    drawing = drawn(model, ChartChoice(name, "A", field="temperature"))
    view, column = {"drift": ("sensor_drift", "tau"), "correlation": ("weather_correlation", "r")}[name]
    rows = data.rows(f"SELECT * FROM {view} WHERE lab = 'A' AND field = 'temperature' AND {column} IS NOT NULL")
    said = [each.words for each in drawing.points]
    for row in rows:
        words = f"tau {row['tau']:.2f}" if name == "drift" else f"r with it {row['r']:.3f}"
        place = f"plot {row['plot']}:" if name == "drift" else f"lag {row['lag_hours']} h:"
        assert any(words in each and place in each for each in said), (row, said)


def test_scatter_draws_a_part_by_chance(data: Data, model: SQLModel) -> None:
    choice = ChartChoice("scatter", across="light", up="median_height")
    drawing = drawn(model, choice)
    rows = {
        (row["date"], row["time"], row["lab"], row["plot"]): row
        for row in data.rows("SELECT * FROM plot_readings WHERE light IS NOT NULL")
    }
    assert 1500 < len(drawing.points) <= 4500 < len(rows)
    for point in drawing.points:
        assert point.key is not None
        assert height(drawing, point) == pytest.approx(float(rows[point.key]["median_height"]), abs=0.2)
    shown = {each.key[1:] for each in drawing.points if each.key}
    assert shown == {key[1:] for key in rows}  # no time or plot is left out


def test_limits_show_a_part(model: SQLModel) -> None:
    choice = ChartChoice("growth", "A")
    box = drawn(model, choice).panels[0].limits
    middle = (box[0] + box[1]) / 2
    part = drawn(model, choice, limits={0: (box[0], middle, 0.0, 20.0)})
    assert part.panels[0].limits == pytest.approx((box[0], middle, 0.0, 20.0))


def test_a_file_of_each_kind(model: SQLModel) -> None:
    choice = ChartChoice("control")
    assert chart_file(model, choice, "png").startswith(b"\x89PNG")
    assert chart_file(model, choice, "pdf").startswith(b"%PDF")
    assert chart_file(model, choice, "svg").startswith(b"<?xml")


@pytest.mark.parametrize("name", [each.name for each in CHARTS])
def test_little_and_nothing(model: SQLModel, name: str) -> None:
    """No data, one check, NULLs alone; in a small dark picture with large letters."""
    look = ChartLook.dark()._replace(points=20)
    long_ago = datetime.date(1990, 1, 1)
    nobody = ChartChoice(name, "A", first=long_ago, last=long_ago)
    empty = to_picture(model.chart_rows(nobody), nobody, look, (640, 300))
    with pytest.raises(DatabaseError, match="'Z'"):
        model.chart_rows(nobody._replace(lab="Z"))
    assert re.match(r"There are (no|fewer)|No check|No sensor", empty.title) and not empty.points
    day = ChartChoice(name, "A", first=FIRST, last=FIRST)
    rows = model.chart_rows(day)[:1]
    one = to_picture(rows, day, look, (640, 300))
    assert one.title and (one.width, one.height) == (640, 300)
    there = ("across", "up")  # a scatter has no others
    unknown = [
        {key: None if isinstance(value, float) and key not in there else value for key, value in row.items()}
        for row in rows
    ]
    assert to_file(unknown, day, "png", look)


def test_a_label_fits_its_panel(data: Data) -> None:
    """Broken, and smaller, where the letters are large; as it is where there is room."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    for points, lines in ((9, 1), (20, 3)):
        figure = Figure((800 / 96, 420 / 96), 96, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        page = Page(figure, ChartChoice("climate"), LOOK._replace(points=points))
        for axes in page.add_panels(2):
            axes.set_ylabel("Outside temperature (°C)")
        page.title = "Climate of lab A"
        page.finish()
        canvas.draw()
        for axes in page.panels:
            panel, label = axes.get_window_extent(), axes.yaxis.label.get_window_extent()
            assert axes.get_ylabel().count("\n") == lines - 1
            assert label.height < panel.height * 1.4


def test_the_record_behind_a_point_is_found(data: Data, model: SQLModel) -> None:
    """What is left open matches all; the first of the day, and of a sensor the latest."""
    eight, noon = datetime.time(8), datetime.time(12)
    first = data.rows('SELECT "Date", "Time", "Lab", "Plot" FROM data_record_view WHERE "Date" = %s'
                      ' ORDER BY "Time"::time, "Lab", "Plot"', [MONTH])  # fmt: skip

    def of(**parts: object) -> tuple[object, ...]:
        return tuple(next(row for row in first if all(row[name] == value for name, value in parts.items())).values())

    assert model.find_record(MONTH, None, "", None) == of()
    assert model.find_record(MONTH, noon, "", None) == of(Time="12:00")
    assert model.find_record(MONTH, eight, "B", None) == of(Time="8:00", Lab="B")
    lab, plot = first[-1]["Lab"], first[-1]["Plot"]
    assert model.find_record(MONTH, None, lab, plot) == of(Lab=lab, Plot=plot)
    statement = 'SELECT max("Date") AS day FROM data_record_view WHERE "Lab" = %s AND "Plot" = %s'
    (latest,) = data.rows(statement, [lab, plot])
    found = model.find_record(LATEST, None, lab, plot)
    assert found is not None and (found[0], *found[2:]) == (latest["day"], lab, plot)
    assert model.find_record(FIRST - datetime.timedelta(days=999), None, "", None) is None
