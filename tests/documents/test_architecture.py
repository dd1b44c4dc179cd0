"""What docs/architecture.md says of decisions and formats: each has its points, and the formats are the real ones."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from abq_data_entry import fields
from abq_data_entry.journal import Journal, new_entry
from abq_data_entry.network.brapi_records import Known
from abq_data_entry.store.drafts import throwaway_file
from tests.models.records import record
from tests.test_documents import ADMINISTRATORS, ARCHITECTURE, ROOT, rows, text_of
from tests.test_imports import modules, packages_of

MEASUREMENTS = ROOT / "docs/measurements.md"
POINTS = ["Considered", "For", "Against", "Measured"]
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def decisions() -> dict[str, dict[str, str]]:
    """The points of each decision."""
    text = text_of(ARCHITECTURE).partition("\n## Decisions\n")[2].partition("\n## ")[0]
    found = {}
    for each in text.split("\n### ")[1:]:
        title, _, body = each.partition("\n")
        found[title] = {
            name: " ".join(point.split())
            for name, point in re.findall(r"^- \*\*(\w+):\*\*(.*?)(?=^- \*\*|\Z)", body, re.MULTILINE | re.DOTALL)
        }
    return found


@pytest.mark.parametrize("title", decisions())
def test_each_decision_has_its_points(title: str) -> None:
    points = decisions()[title]
    assert list(points) == POINTS
    assert all(len(point) > 20 for point in points.values())


@pytest.mark.parametrize("title", decisions())
def test_what_was_measured_stands_where_it_came_out_of_a_command(title: str) -> None:
    told = _NUMBER.findall(text_of(MEASUREMENTS) + text_of(ADMINISTRATORS).partition("benchmarks --only room")[2])
    assert set(_NUMBER.findall(decisions()[title]["Measured"])) <= set(told)


def test_the_tables_of_postgresql_are_those_of_the_schema() -> None:
    made = re.findall(r"CREATE TABLE(?: IF NOT EXISTS)? (\w+)", text_of(ROOT / "create_db.sql"))
    made += re.findall(r"CREATE UNLOGGED TABLE(?: IF NOT EXISTS)? (\w+)", text_of(ROOT / "create_db.sql"))
    section = text_of(ARCHITECTURE).partition("\n### PostgreSQL\n")[2].partition("\n### ")[0]
    assert sorted(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == sorted(set(made))


def test_the_tables_of_sqlite_are_those_that_are_made(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.keep(new_entry("this computer/abq", fields.parse_record(record()), "insert"))
    (tmp_path / "drafts").mkdir()
    with throwaway_file(tmp_path / "drafts").opened():
        pass
    Known("https://breedbase.example/brapi/v2", tmp_path / "brapi.sqlite").note({})
    told = {(row[0], row[1]): row[2] for row in rows(ARCHITECTURE) if row[0].endswith(".sqlite`") and len(row) == 4}
    found = {}
    for file in tmp_path.rglob("*.sqlite"):
        with closing(sqlite3.connect(file)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                columns = ", ".join(f"`{each[1]}`" for each in connection.execute(f"PRAGMA table_info({table})"))
                found[f"`{file.relative_to(tmp_path)}`", f"`{table}`"] = columns
    assert {key: columns for key, columns in found.items() if "sqlite_" not in key[1]} == told


def picture() -> list[set[str]]:
    """The rows of the picture of the packages, the highest first."""
    block = text_of(ARCHITECTURE).partition("\n### The picture\n")[2].split("```")[1]
    found = [set(re.findall(r"[a-z]\w+", row)) for row in re.split(r"^\+-.*$", block, flags=re.MULTILINE)]
    return [row for row in found[2:] if row]


def test_each_package_of_the_picture_imports_only_from_rows_below() -> None:
    rows_below = picture()
    drawn = set().union(*rows_below)
    wrong = set()
    for package, name, path in modules():
        others = packages_of(name, path) - {package, "__main__", "__init__"}
        row = next((number for number, row in enumerate(rows_below) if package in row), None)
        assert row is not None or package in ("__main__", "__init__"), f"{package}: run docs/draw_packages.py"
        allowed = drawn if row is None else set().union(*rows_below[row + 1 :])
        wrong |= {f"{name} imports {each}: run docs/draw_packages.py" for each in others - allowed}
    assert not wrong, "\n".join(sorted(wrong))
