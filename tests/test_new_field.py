"""A new optional field works by its one description, and the lines of SQL that make its column."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_DESCRIPTION = '''
    Field(
        "Soil Moisture",
        FieldTypes.DECIMAL,
        "soil_moisture",
        "Moisture of the soil at the plot, in percent of its volume.",
        required=False,
        unit="%",
        minimum=Decimal(0),
        maximum=Decimal(100),
        places=1,
        group="Environment",
        label="Soil moisture",
    ),
)

CSV_HEADER'''
_COLUMN = """
ALTER TABLE plot_checks ADD COLUMN IF NOT EXISTS soil_moisture numeric(4, 1)
    CONSTRAINT soil_moisture_within_limits CHECK (soil_moisture BETWEEN 0 AND 100);
CREATE INDEX IF NOT EXISTS plot_checks_by_soil_moisture
    ON plot_checks (soil_moisture, date, lab_id, plot, lab_tech_id);
"""
_INDEX = "CREATE INDEX IF NOT EXISTS plot_checks_by_time "
_VIEWED = """            p.notes AS "Notes",
            p.soil_moisture AS "Soil Moisture"
"""
_RUN = "import runpy; runpy.run_module('tests.new_field', run_name='__main__')"
_OLDER = (
    "Date,Time,Technician,Lab,Plot,Seed sample,Humidity,Light,Temperature,Equipment Fault,Plants,Blossoms,Fruit,"
    "Min Height,Max Height,Median Height,Notes\r\n"
    "2026-11-20,8:00,J Simms,A,1,AXM477,24.09,1.03,22.01,false,9,21,3,1.67,8.70,2.73,\r\n"
)


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), "utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package with soil moisture in the table of fields and in create_db.sql."""
    shutil.copytree(ROOT / "abq_data_entry", tmp_path / "copy/abq_data_entry", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "create_db.sql", tmp_path / "copy")
    replaced(tmp_path / "copy/abq_data_entry/fields/table.py", ")\n\nCSV_HEADER", _DESCRIPTION.lstrip("\n"))
    sql = tmp_path / "copy/create_db.sql"
    replaced(sql, '            p.notes AS "Notes"\n', _VIEWED)
    replaced(sql, _INDEX, _COLUMN + _INDEX)
    return tmp_path / "copy"


def test_a_new_field_goes_from_the_form_to_the_extract(copy: Path, display: str, tmp_path: Path) -> None:
    (tmp_path / "older.csv").write_bytes(_OLDER.encode("utf-8"))
    own = tmp_path / "own"
    own.mkdir()
    # The copy comes first: the tests' own helpers then use its package.
    places = {"PYTHONPATH": os.pathsep.join((str(copy), str(ROOT))), "DISPLAY": display}
    folders = {"ABQ_DATA_DIR": str(own / "data"), "ABQ_CONFIG_DIR": str(own / "configuration")}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(tmp_path / "older.csv"), str(own)],
        cwd=tmp_path,
        env={**os.environ, **places, **folders},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
