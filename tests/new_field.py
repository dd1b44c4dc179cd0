"""Run by test_new_field.py with a copy of the package that has one field more: soil moisture, from form to extract."""

from __future__ import annotations

import datetime
import json
import sqlite3
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.journal import Journal, new_entry
from abq_data_entry.models import CSVModel, SQLModel
from tests.fixtures.window import Window, window_of_a_script

NAME = "Soil Moisture"


def main(older_extract: Path, folder: Path) -> None:
    """Go through all that a field is used for; whatever fails raises."""
    assert fields.CSV_HEADER[-1] == NAME and fields.FOCUS_ORDER.index(NAME) == 1 + fields.FOCUS_ORDER.index(
        F.EQUIPMENT_FAULT
    )
    older = CSVModel(older_extract).get_all_records()
    assert [each.get(NAME) for each in older] == [None] and fields.check_record(older[0]) == {}
    with window_of_a_script() as window:
        _type_it(window)
        _look_for_it(window, folder)
    _keep_it(folder)


def _type_it(window: Window) -> None:
    window.begin_check()
    window.fill_readings()
    form = window.app.form
    form.inputs[F.EQUIPMENT_FAULT].focus_set()
    window.app.update()
    window.press("Tab")
    assert window.focus == NAME
    window.type("31.55")
    assert window.error(NAME) == "two decimals; one is kept"
    window.press("ctrl+a")
    window.type("131")
    assert window.error(NAME) == "131 is above 100 %: 13.1?"
    window.press("ctrl+a")
    window.type("31.5\n")
    assert (window.error(NAME), window.focus) == ("", F.PLANTS)
    window.app.callbacks["help_for_field"]()
    window.save()
    window.fill(Time="12:00", Plot="1")
    note = form.inputs[NAME].line_below.label
    window.until(lambda: str(note.cget("text")) == "was 31.5", "the previous reading")
    form.inputs[F.TEMPERATURE].focus_set()
    window.app.update()
    window.fill_readings()
    window.app.form.inputs[F.TEMPERATURE].focus_set()
    window.press("Return")
    assert window.focus == F.PLANTS  # Enter goes to required fields only
    window.save()  # without it


def _look_for_it(window: Window, folder: Path) -> None:
    window.settle()
    model, today = window.app.data_model, window.app.shared.today()
    assert model is not None
    saved = model.get_record(today, "8:00", "A", 1)
    assert saved[NAME] == Decimal("31.5") and model.get_record(today, "12:00", "A", 1)[NAME] is None
    model.save_record({**saved, NAME: "30"}, "update", reason="Measured again")
    newest = model.get_history(today, "8:00", "A", 1)[-1]
    assert dict(newest.fields) == {NAME: ("31.5", "30.0")}, newest
    key = (today, "8:00", "A", 1)
    model.withdraw_record(key, "Typing error")
    model.bring_back_record(key, "It was right")
    assert model.get_record(*key)[NAME] == Decimal("30.0")
    assert model.verify_audit().breaks == ()
    viewed = model.query(f'SELECT "{NAME}" FROM data_record_view ORDER BY "Date", "Time"::time')
    assert [row[NAME] for row in viewed or ()] == [Decimal("30.0"), None]
    for column in (f'data_record_view."{NAME}"', "plot_checks.soil_moisture"):
        assert _comment(model, column).endswith("UCUM: %.")
    window.app.browsing.restart()
    window.app.record_list.sort_by(NAME)
    records = window.app.record_list
    window.until(
        lambda: [row[NAME] for row in records.page.rows] == [Decimal("30.0"), None], "both rows, the empty one last"
    )
    assert model.export_records(folder / "extract.csv", today) == 2
    lines = (folder / "extract.csv").read_text("utf-8").splitlines()
    assert lines[0].endswith(f",Notes,{NAME}") and lines[1].endswith(",,30.0") and lines[2].endswith(",,")
    read = CSVModel(folder / "extract.csv").get_all_records()
    assert [each[NAME] for each in read] == [Decimal("30.0"), None]


def _comment(model: SQLModel, column: str) -> str:
    """What the database says of a column."""
    table, _, name = column.partition(".")
    values = {"table": table, "name": name.strip('"')}
    statement = "SELECT col_description(attrelid, attnum) AS said FROM pg_attribute"
    rows = model.query(f"{statement} WHERE attrelid = %(table)s::regclass AND attname = %(name)s", values) or []
    return str(rows[0]["said"])


def _keep_it(folder: Path) -> None:
    journal = Journal(folder / "journal")
    texts = dict.fromkeys(fields.CSV_HEADER, "5") | {F.DATE: datetime.date.today().isoformat(), F.TIME: "8:00"}
    texts |= {F.TECHNICIAN: "J Simms", F.LAB: "A", F.SEED_SAMPLE: "AXM477", F.EQUIPMENT_FAULT: "no"}
    journal.keep(new_entry("this computer/abq", texts, "insert"))
    assert journal.entries()[0].record[NAME] == Decimal("5.0")
    with closing(sqlite3.connect(journal.path)) as connection:
        (text,) = connection.execute("SELECT content FROM waiting").fetchone()
    assert json.loads(text)["record"][NAME] == "5.0"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
