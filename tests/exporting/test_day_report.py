"""The report of a day, on a database with records, weather, a correction and a question."""

from __future__ import annotations

import datetime
import re
from html.parser import HTMLParser
from pathlib import Path

from abq_data_entry.exporting.web_page import Picture, Section, page
from abq_data_entry.models import SQLModel
from abq_data_entry.workflows.day_report import write_report
from tests.qa.data import FIRST

NOW = datetime.datetime(2026, 3, 1, 21, 5)
EVIL = "<script>alert('1')</script> & \"quoted\""


class Seen(HTMLParser):
    """The tags of a page, its headings, and its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag, and what it would load."""
        self.tags.append(tag)
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.texts.append(data)


def seen(text: str) -> Seen:
    """What a browser finds in it."""
    found = Seen()
    found.feed(text)
    return found


def test_every_text_is_escaped_and_nothing_is_loaded() -> None:
    rows: list[list[object]] = [[EVIL, 1.5, None]]
    names = [EVIL, "number", "none"]
    section = Section(EVIL, [EVIL], names, rows, EVIL, [Picture(b"<svg/>", EVIL)], EVIL)
    found = seen(page(EVIL, EVIL, [section]))
    assert "script" not in found.tags and found.texts.count(EVIL) >= 7
    assert all(each.startswith("data:image/svg+xml;base64,") for each in found.addresses) and found.addresses


def test_a_moment_stays_on_one_line_and_a_long_word_breaks() -> None:
    rows: list[list[object]] = [["2026-11-21 08:00", 1.5, "x" * 40, "two\nlines", None]]
    rows.append(["2026-11-21 12:00", None, "ب", "1.5", None])
    text = page("", "", [Section("", (), ["moment", "value", "words", "notes", "none"], rows)])
    assert '<th scope="col">moment</th><th scope="col" class="number">value</th><th scope="col">words</th>' in text
    assert '<td class="short" dir="auto">2026-11-21 08:00</td><td class="number short">1.5</td>' in text
    assert f'<td class="long" dir="auto">{"x" * 40}</td><td dir="auto">two\nlines</td>' in text


def test_the_report_of_a_day(month: SQLModel, tmp_path: Path) -> None:
    (record,) = month.query("SELECT * FROM plot_readings WHERE date = %s AND lab = 'A' LIMIT 1", (FIRST,)) or []
    key = [record["date"], f"{record['time']:%H:%M}", record["lab"], record["plot"]]
    mark = month.mark_value(key, "notes", "queried", EVIL)
    target = tmp_path / "report.html"
    done = write_report(month, FIRST, target, NOW)
    assert done.problems == []
    text = target.read_text(encoding="utf-8")
    found = seen(text)
    headings = re.findall("<h2>(.*?)</h2>", text)
    assert headings == [
        "Completeness", "Questions from QA", "Readings that stand out", "Sensors that drift", "Control charts",
        "Weather", "Corrections", "Audit",
    ]  # fmt: skip
    assert "script" not in found.tags and EVIL in found.texts
    assert all(each.startswith("data:") for each in found.addresses) and len(found.addresses) == 6  # two labs
    sums = "SELECT sum(expected) AS e, sum(recorded) AS r FROM completeness(%s, %s)"
    checks = month.query(sums, (FIRST, FIRST)) or []
    assert f"{checks[0]['r']} of {checks[0]['e']} records" in text
    assert month.audit_heads(FIRST) in found.texts
    assert "13–20" in text  # the plots that nobody recorded
    assert {"temperature (°C)", "rel hum (%)", "humidity (g/m³)", "pressure (hPa)"} <= set(found.texts)
    assert "-0.0<" not in text
    assert "Nothing was corrected, moved or withdrawn on this day" in text  # the notes were written later
    month.close_mark(mark)
    ((made, number),) = [tuple(each.values()) for each in month.query(
        "SELECT date, count(*) FROM (SELECT (moment AT TIME ZONE (SELECT time_zone FROM lab_settings))::date AS date"
        " FROM changes) AS made GROUP BY date ORDER BY date LIMIT 1"
    ) or []]  # fmt: skip
    assert isinstance(made, datetime.date)
    write_report(month, made, target, NOW, with_charts=False)
    assert f"{number} changes made on this day, of records of any day" in target.read_text(encoding="utf-8")
    today = NOW.date() + datetime.timedelta(days=3650)
    write_report(month, today, target, NOW, with_charts=False)
    assert "No check of this day was due yet" in target.read_text(encoding="utf-8")


def test_a_part_that_cannot_be_made_says_so(month: SQLModel, tmp_path: Path) -> None:
    month.query("ALTER VIEW outside_weather RENAME TO moved_away")
    try:
        done = write_report(month, FIRST, tmp_path / "report.html", NOW, with_charts=False)
    finally:
        month.query("ALTER VIEW moved_away RENAME TO outside_weather")
    assert len(done.problems) == 1 and done.problems[0].startswith("Weather: ")
    assert "This part couldn&#x27;t be made" in (tmp_path / "report.html").read_text(encoding="utf-8")
