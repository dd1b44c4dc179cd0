"""Exports from a real database: each view, each format, and what goes wrong on the way."""

from __future__ import annotations

import csv
import datetime
import json
import threading
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import filelock
import openpyxl
import pytest

from abq_data_entry import fields, postgres
from abq_data_entry.constants import FieldTypes
from abq_data_entry.exporting.texts import text_of
from abq_data_entry.models import SQLModel
from abq_data_entry.models.errors import DatabaseError
from abq_data_entry.models.extract import FORMULA
from abq_data_entry.workflows.export_view import (
    FORMATS,
    CsvStyle,
    ExportCancelled,
    UnknownView,
    ViewQuery,
    export_view,
    usual_name,
)
from tests.commands.test_waits_announced import table_locked
from tests.fixtures.disks import small_disk
from tests.qa.data import FIRST

DAY = datetime.timedelta(days=1)
VIEWS = (
    *("records", "plot_readings", "outside_weather", "check_means", "completeness", "copied_records", "changes"),
    *("digit_preference", "growth", "weather_correlation", "control_chart", "reading_outliers", "sensor_drift"),
    *("entry_log", "climate_by_check", "weather_holes", "local_weather", "withdrawn_records"),
)


class Watched:
    """Notes how far an export is; cancels it after so many rows."""

    def __init__(self, rows: int | None = None) -> None:
        self.cancel, self.told, self._rows = threading.Event(), [(-1, -1)], rows

    def report(self, done: int, total: int) -> None:
        """So much of it is done."""
        self.told.append((done, total))
        if self._rows is not None and done >= self._rows:
            self.cancel.set()


def read_csv(path: Path, **how: Any) -> list[dict[str, str]]:
    """The rows of a CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, **how))


def problems(package: Path) -> list[list[Any]]:
    """What frictionless finds: (row, column, kind of error)."""
    import frictionless  # takes a third of a second, which every worker would spend

    return frictionless.validate(str(package)).flatten(["rowNumber", "fieldName", "type"])


def test_each_view_in_each_format(month: SQLModel, tmp_path: Path) -> None:
    assert set(VIEWS) <= set(month.view_names())
    arrow = pytest.importorskip("pyarrow.parquet", reason="pyarrow isn't installed: no wheel for this Python")
    for view in month.view_names():
        counts = {}
        for form in FORMATS:
            folder = tmp_path / form
            folder.mkdir(exist_ok=True)
            path = folder / usual_name(ViewQuery(view), form)
            counts[form] = export_view(month, ViewQuery(view), form, path, Watched()).rows
        texts = read_csv(tmp_path / "csv" / f"abq_{view}.csv")
        sheet = openpyxl.load_workbook(tmp_path / "xlsx" / f"abq_{view}.xlsx", read_only=True).worksheets[0]
        table = arrow.read_table(tmp_path / "parquet" / f"abq_{view}.parquet")
        assert {*counts.values(), len(texts), sheet.max_row - 1, table.num_rows} == {len(texts)}, view
        assert all(each.name == each.name.lower() for each in table.schema) or view in ("records", "withdrawn_records")
    assert not problems(tmp_path / "datapackage/datapackage.json")
    described = json.loads((tmp_path / "datapackage/datapackage.json").read_text(encoding="utf-8"))
    assert len(described["resources"]) == len(month.view_names())
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".csv", ".xlsx", ".parquet", ".json"}


def test_the_records_are_the_same_in_each_format(month: SQLModel, tmp_path: Path) -> None:
    wanted = ViewQuery("records", FIRST, FIRST + DAY, "A")
    paths = {form: tmp_path / form / usual_name(wanted, form) for form in FORMATS}
    for form, path in paths.items():
        path.parent.mkdir()
        export_view(month, wanted, form, path, Watched())
    stored = month.query(
        'SELECT * FROM data_record_view WHERE "Date" BETWEEN %s AND %s AND "Lab" = \'A\''
        ' ORDER BY "Date", "Time"::time, "Plot"',
        (FIRST, FIRST + DAY),
    )
    assert stored and list(stored[0]) == list(fields.CSV_HEADER)
    texts = [{name: text_of(value) for name, value in row.items()} for row in stored]
    assert read_csv(paths["datapackage"]) == texts
    neutral = [{name: f"'{text}" if _dangerous(name, text) else text for name, text in row.items()} for row in texts]
    assert read_csv(paths["csv"]) == neutral and neutral != texts
    arrow = pytest.importorskip("pyarrow.parquet", reason="pyarrow isn't installed: no wheel for this Python")
    table = arrow.read_table(paths["parquet"])
    assert str(table.schema.field("Humidity").type) == "double"
    assert table.schema.field("Min Height").metadata[b"term"] == b"TO:0000207"
    for row, found in zip(stored, table.to_pylist(), strict=True):
        numbers = {name: float(each) for name, each in row.items() if isinstance(each, Decimal)}
        assert found == {**row, **numbers, "Time": datetime.time(int(str(row["Time"]).split(":")[0]))}


def _dangerous(name: str, text: str) -> bool:
    return fields.field(name).type is FieldTypes.LONG_TEXT and FORMULA.match(text) is not None


def test_a_csv_for_excel_of_those_who_write_commas(month: SQLModel, tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    style = CsvStyle(bom=True, semicolon=True, decimal_comma=True)
    export_view(month, ViewQuery("records", FIRST, FIRST), "csv", path, Watched(), style)
    assert path.read_bytes().startswith("\ufeffDate;Time;".encode()) and b"\r\n" in path.read_bytes()
    with path.open(encoding="utf-8-sig", newline="") as file:
        found = [row["Humidity"] for row in csv.DictReader(file, delimiter=";")]
    rows = month.query('SELECT "Humidity" FROM data_record_view WHERE "Date" = %s', (FIRST,)) or []
    assert sorted(found) == sorted(text_of(each["Humidity"]).replace(".", ",") for each in rows)
    export_view(month, ViewQuery("growth"), "datapackage", path, Watched(), style)
    assert not problems(tmp_path / "datapackage.json")


def test_frictionless_finds_planted_errors(month: SQLModel, tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    export_view(month, ViewQuery("records", FIRST, FIRST, "A"), "datapackage", path, Watched())
    assert not problems(tmp_path / "datapackage.json")
    rows = read_csv(path)
    planted: list[Mapping[str, str]] = [
        {"Humidity": "52.01"}, {"Plot": "0"}, {"Seed sample": "AXM47"}, {"Date": "01.03.2026"}, {"Fruit": "3.5"},
        {"Equipment Fault": "yes"}, {"Technician": ""},
    ]  # fmt: skip
    for row, wrong in zip(rows, planted, strict=False):
        row.update(wrong)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, fields.CSV_HEADER)
        lines.writeheader()
        lines.writerows([*rows, rows[-1]])  # a record twice
    found = {(row, name) for row, name, _ in problems(tmp_path / "datapackage.json")}
    assert found == {(number, next(iter(wrong))) for number, wrong in enumerate(planted, 2)} | {(len(rows) + 2, None)}


def test_days_and_labs_are_chosen(month: SQLModel, tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    for view in VIEWS:
        export_view(month, ViewQuery(view, FIRST + DAY, FIRST + 2 * DAY), "csv", path, Watched())
        days = {row.get("date") or row.get("Date") for row in read_csv(path)} - {None, ""}
        assert days <= {str(FIRST + DAY), str(FIRST + 2 * DAY)}, view
    export_view(month, ViewQuery("completeness", None, FIRST, "B"), "csv", path, Watched())
    found = read_csv(path)
    assert {row["lab"] for row in found} == {"B"} and {row["date"] for row in found} == {str(FIRST)}
    with pytest.raises(DatabaseError, match="has no labs: leave --lab out"):
        export_view(month, ViewQuery("local_weather", lab="A"), "csv", path, Watched())
    with pytest.raises(UnknownView, match=r"There is no view 'audit_heads'.*records, plot_readings"):
        export_view(month, ViewQuery("audit_heads"), "csv", path, Watched())


def test_progress_and_cancelling(month: SQLModel, tmp_path: Path) -> None:
    path = tmp_path / "kept.csv"
    path.write_text("kept", encoding="utf-8")
    watched = Watched()
    rows = export_view(month, ViewQuery("records"), "xlsx", tmp_path / "all.xlsx", watched).rows
    assert watched.told[1] == (0, rows) and watched.told[-1] == (rows, rows) and len(watched.told) > 2
    for form in FORMATS:
        with pytest.raises(ExportCancelled):
            export_view(month, ViewQuery("records"), form, path, Watched(rows=1))
    assert path.read_text(encoding="utf-8") == "kept"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["all.xlsx", "kept.csv"]


def test_a_statement_that_runs_is_cancelled(
    month: SQLModel, server: postgres.EmbeddedServer, tmp_path: Path
) -> None:
    watched = Watched()
    with table_locked(server.endpoint("abq_exporting"), "local_weather"):
        timer = threading.Timer(0.5, watched.cancel.set)
        timer.start()
        with pytest.raises(ExportCancelled):
            export_view(month, ViewQuery("local_weather"), "csv", tmp_path / "never.csv", watched)
        timer.join()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_export_left_goes_with_the_next(month: SQLModel, tmp_path: Path) -> None:
    """Of another one that still runs nothing is touched."""
    killed, running, foreign = (tmp_path / f".all.csv.{name}.part" for name in ("killed", "running", "foreign"))
    for each in (killed, running, foreign):
        each.mkdir()
        (each / "rows").write_text("half of it", encoding="utf-8")
    (killed / "in-use").touch()
    with filelock.FileLock(running / "in-use"):
        export_view(month, ViewQuery("growth"), "csv", tmp_path / "all.csv", Watched())
        assert {path.name for path in tmp_path.iterdir()} == {"all.csv", running.name, foreign.name}


def test_a_full_disk_is_an_error_and_leaves_nothing(month: SQLModel, tmp_path: Path) -> None:
    with small_disk(tmp_path, "16k"):
        (tmp_path / "rest").write_bytes(b"x" * 8192)
        for form in FORMATS:
            with pytest.raises(OSError, match="No space left"):
                export_view(month, ViewQuery("records"), form, tmp_path / f"full{FORMATS[form]}", Watched())
        assert [each.name for each in tmp_path.iterdir()] == ["rest"]


def test_the_comments_of_the_database_tell_units_and_terms_of_the_fields(month: SQLModel) -> None:
    from abq_data_entry.models.view_rows import ViewRows

    def columns(found: ViewRows) -> dict[str, tuple[str, str]]:
        return {each.name: (each.unit, each.term) for each in found.columns}

    told = month.read_view(ViewQuery("records"), columns)
    assert told == {each.name: (each.ucum, each.term) for each in fields.FIELDS}
    lower = month.read_view(ViewQuery("plot_readings"), columns)
    of_fields = {each.column: (each.ucum, each.term) for each in fields.FIELDS if each.column in lower}
    assert of_fields == {name: lower[name] for name in of_fields}
    rows = month.query(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'plot_checks' AND"
        " col_description('plot_checks'::regclass, ordinal_position) LIKE '%%UCUM: %%'"
    )
    assert {row["column_name"] for row in rows or []} == {each.column for each in fields.FIELDS if each.ucum}
    assert {each.ucum for each in fields.FIELDS if each.unit or each.type is FieldTypes.INTEGER} == {
        "g/m3", "klx", "Cel", "cm", "1"
    }  # fmt: skip
    assert Decimal("52.0") == fields.field("Humidity").maximum
