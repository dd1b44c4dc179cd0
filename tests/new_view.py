"""Run by test_new_view.py with a copy of the package that has one view for QA more: faults of each lab and day."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel, schema
from abq_data_entry.postgres.connections import cursor_at
from tests.models.records import faulty, record

DAY, NEXT = datetime.date(2026, 11, 21), datetime.date(2026, 11, 22)


def main(folder: Path) -> None:
    """Save records, read the view as QA does, and verify; whatever fails raises."""
    server = postgres.start(folder / "data")
    try:
        server.create_database("abq")
        endpoint = server.endpoint("abq")
        schema.prepare(endpoint)
        model = SQLModel.at(endpoint)
        for plot, day, fault in ((1, DAY, False), (2, DAY, True), (1, NEXT, False), (3, DAY, True)):
            model.save_record((faulty if fault else record)(Plot=plot, Date=day))
        model.withdraw_record((DAY, "8:00", "A", 3), "typed twice")
        assert model.verify_audit().breaks == ()
        _read(endpoint)
        with cursor_at(endpoint) as cursor:
            cursor.execute("CREATE SCHEMA abq_qa CREATE VIEW faults_by_day AS SELECT 1 AS records")
            cursor.execute("ALTER DATABASE abq SET search_path = abq_qa, public")
        assert any("faults_by_day" in each for each in model.verify_audit().findings), model.verify_audit()
        model.close()
    finally:
        server.stop()


def _read(endpoint: dict[str, str]) -> None:
    with cursor_at(endpoint) as cursor:
        cursor.execute("SET ROLE abq_qa")
        cursor.execute("SELECT * FROM faults_by_day")
        assert [each.name for each in cursor.description or ()] == ["date", "lab", "records", "faults"]
        assert cursor.fetchall() == [(DAY, "A", 2, 1), (NEXT, "A", 1, 0)]
        cursor.execute("SELECT * FROM faults_by_day(%s, %s)", (NEXT, NEXT))
        assert cursor.fetchall() == [(NEXT, "A", 1, 0)]
        cursor.execute(
            "SELECT count(*) FROM pg_attribute WHERE attrelid = 'faults_by_day'::regclass AND attnum > 0"
            " AND col_description(attrelid, attnum) IS NULL"
        )
        assert cursor.fetchall() == [(0,)], "a column without a comment"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
