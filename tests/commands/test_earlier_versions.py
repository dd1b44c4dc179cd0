"""Databases of earlier versions of the application: backed up, then migrated without loss; and their backups too, each
into its own database, the oldest and the newest into another one as well.

`tests/models/schemas` holds `create_db.sql` as each of these versions had it; `tests/models/test_migration.py` migrates
all of them. Here are the first, the newest, and the first with roles, which a backup holds too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel, schema
from abq_data_entry.postgres.connections import cursor_at
from tests.commands.conftest import Outcome
from tests.fixtures.window import write_settings
from tests.models.records import record
from tests.models.test_schema import ORIGINAL

SCHEMAS = Path(__file__).resolve().parents[1] / "models/schemas"
_RECORDS = """
    INSERT INTO lab_checks VALUES ('2018-02-14', '8:00', 'A', 4291), ('2018-02-14', '12:00', 'B', 4319);
    INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, humidity, light, temperature, equipment_fault,
        blossoms, plants, fruit, max_height, min_height, median_height, notes)
    VALUES ('2018-02-14', '8:00', 'A', 1, 'AXM477', 24.09, 1.03, 22.01, false, 21, 9, 3, 8.70, 1.67, 2.73, 'größer'),
        ('2018-02-14', '12:00', 'B', 2, 'AXM478', NULL, NULL, NULL, true, 1, 2, 3, 5, 1, 3, NULL);
    INSERT INTO local_weather VALUES ('2018-02-14 14:53:00-05', 5, 50, 1015, 'Fair')
"""
_KEPT = (
    "SELECT date, time, lab_id, plot, seed_sample, humidity, light, temperature, plants, max_height, notes"
    " FROM plot_checks ORDER BY date, time, lab_id, plot",
    "SELECT id, name FROM lab_techs ORDER BY id",
    "SELECT datetime, temperature, conditions FROM local_weather",
)


def kept(endpoint: dict[str, str]) -> list[list[tuple[object, ...]]]:
    with cursor_at(endpoint) as cursor:
        found = []
        for question in _KEPT:
            cursor.execute(question)
            found.append(list(cursor.fetchall()))
        return found


@pytest.fixture(params=[0, 4, schema.VERSION - 1], ids=lambda version: f"version {version}")
def version(request: pytest.FixtureRequest) -> int:
    """A version before this one; 0 is the first schema, which kept none."""
    return int(request.param)


@pytest.fixture
def old(
    version: int, home: Path, empty_database: dict[str, str], line: Callable[..., Outcome]
) -> dict[str, str]:
    """A database as that version made it, with records, which the settings name."""
    write_settings(home, {"db_name": empty_database["dbname"], "backup_folder": str(home / "backups")})
    script = ORIGINAL if version == 0 else (SCHEMAS / f"version_{version}.sql").read_text("utf-8") + _RECORDS
    with cursor_at(empty_database) as cursor:
        cursor.execute(script)
    return empty_database


def test_backed_up_and_migrated(
    version: int, old: dict[str, str], home: Path, line: Callable[..., Outcome]
) -> None:
    before = kept(old)
    assert line("db", "init").code == 0
    assert kept(old) == before
    model = SQLModel.at(old)
    model.connect()
    technician = model.choices().technicians[0]
    model.save_record(record(Plot=1, Technician=technician))
    model.close()
    assert line("db", "verify").code == 0
    (backup,) = (home / "backups").glob(f"*-before-leaving-version-{version}-*.dump")
    # The way back: what the old version had, migrated again.
    assert line("db", "restore", "--no-backup", backup).code == 0
    assert kept(old) == before


@pytest.mark.parametrize("version", [0, schema.VERSION - 1], indirect=True, ids=lambda version: f"version {version}")
def test_a_backup_of_it_is_brought_back_into_another_database(
    old: dict[str, str], database: dict[str, str], home: Path, line: Callable[..., Outcome], tmp_path: Path
) -> None:
    postgres.dump(old, tmp_path / "old.dump", verify=True)
    write_settings(home, {"db_name": database["dbname"], "backup_folder": str(home / "backups")})
    assert line("db", "restore", tmp_path / "old.dump").code == 0
    assert kept(database) == kept(old)
    assert line("db", "verify").code == 0


def test_every_earlier_version_is_there() -> None:
    assert {path.name for path in SCHEMAS.iterdir()} == {f"version_{number}.sql" for number in range(1, schema.VERSION)}
