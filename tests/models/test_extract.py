"""The extract: the file that QA and the corporation get."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

import pytest

from abq_data_entry import fields
from abq_data_entry.models import CSVModel, DatabaseError, SQLModel
from abq_data_entry.models.extract import ExtractDay, SentExtract
from tests.models.records import DATE, faulty, record
from tests.models.test_deliveries import row

HEADER = (
    "Date,Time,Technician,Lab,Plot,Seed sample,Humidity,Light,Temperature,Equipment Fault,Plants,Blossoms,Fruit,"
    "Min Height,Max Height,Median Height,Notes"
)


def test_a_day_to_the_byte(model: SQLModel, tmp_path: Path) -> None:
    model.save_record(record(Time="20:00", Notes='says "dry",\nß'))
    model.save_record(faulty(Time="8:00", Plot="20"))
    model.save_record(record(Time="12:00", Lab="B", Plot="2"))
    model.save_record(record(Date="2026-11-21"))
    path = tmp_path / "abq_data_record_2026-11-20.csv"
    assert model.export_records(path, DATE) == 3
    assert path.read_bytes().decode("utf-8") == (
        f"{HEADER}\r\n"
        "2026-11-20,8:00,J Simms,A,20,AXM479,,,,true,9,21,3,1.67,8.70,2.73,\r\n"
        "2026-11-20,12:00,J Simms,B,2,AXM479,24.09,1.03,22.01,false,9,21,3,1.67,8.70,2.73,\r\n"
        '2026-11-20,20:00,J Simms,A,3,AXM479,24.09,1.03,22.01,false,9,21,3,1.67,8.70,2.73,"says ""dry"",\nß"\r\n'
    )
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_day_went_out_once_every_destination_in_use_has_it() -> None:
    out = SentExtract(datetime.datetime(2026, 11, 20, 20, tzinfo=datetime.timezone.utc))
    assert ExtractDay(DATE, 3, {"rest": out, "ftp": out}, ("rest", "ftp")).went_out()
    assert not ExtractDay(DATE, 3, {"rest": out}, ("rest", "ftp")).went_out()
    assert not ExtractDay(DATE, 3, {}, ()).went_out()


def test_it_says_what_the_view_says(model: SQLModel, tmp_path: Path) -> None:
    for plot in range(1, 15):
        make = faulty if plot % 5 == 0 else record
        model.save_record(make(Plot=plot, Date=DATE - datetime.timedelta(plot % 3), Fruit=plot, Notes="x" * plot))
    assert model.export_records(tmp_path / "all.csv", datetime.date(1, 1, 1), datetime.date(9999, 12, 31)) == 14
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    rows = model.query('SELECT * FROM data_record_view ORDER BY "Date", "Time"::time, "Lab", "Plot"') or []
    assert written == [{name: fields.format_value(fields.field(name), row[name]) for name in row} for row in rows]


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "''@x", '=HYPERLINK("http://x","y")']
HARMLESS = ["1=1", " =1", "a\n=1", "'quoted'", "'", "''", "", "0", "Ω", "~", "Aa", "!x", "10 %"]


@pytest.mark.parametrize("text", FORMULAS + HARMLESS)
def test_no_text_is_run_as_a_formula(model: SQLModel, tmp_path: Path, text: str) -> None:
    seed = f"{text.strip()}______"[:6].replace(" ", "_")
    seed = "".join(each if each.isprintable() else "_" for each in seed)
    name = " ".join(text.split()) or "Nameless"
    if name.isdecimal():  # a number isn't a name
        name += "!"
    model.add_technician(7, name)
    model.save_record(record(Notes=text, Seed_sample=seed, Technician=name))
    assert model.export_records(tmp_path / "x.csv", DATE) == 1
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    notes = (model.get_all_records(True)[0]["Notes"]) or ""
    assert row["Notes"] == (f"'{notes}" if text in FORMULAS else notes)
    for column, typed in (("Seed sample", seed), ("Technician", name)):
        assert row[column] == (f"'{typed}" if typed.lstrip("'")[:1] in tuple("=+-@") else typed)
    assert row["Humidity"] == "24.09"
    assert CSVModel("x.csv", tmp_path).get_record(0) == model.get_all_records(True)[0]


def test_an_empty_note_and_none_are_the_same_cell(model: SQLModel, tmp_path: Path) -> None:
    for plot in (1, 2):
        model.save_record(record(Plot=plot))
    for plot, note in ((1, ""), (2, None)):
        values = {"note": note, "plot": plot}
        model.query(query="UPDATE plot_checks SET notes = %(note)s WHERE plot = %(plot)s", parameters=values)
    assert model.export_records(tmp_path / "x.csv", DATE) == 2
    first, second = (tmp_path / "x.csv").read_bytes().splitlines()[1:]
    assert first.endswith(b",2.73,") and second == first.replace(b",A,1,", b",A,2,")


def test_many_technicians_are_found_too(model: SQLModel, tmp_path: Path) -> None:
    for number in range(100):
        model.add_technician(number, f"{'=' if number % 2 else ''}Technician {number}")
    for plot in range(1, 21):
        model.save_record(record(Plot=plot, Technician=f"{'=' if plot % 2 else ''}Technician {plot}"))
    model.export_records(tmp_path / "x.csv", DATE)
    lines = (tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [line.split(",")[2] for line in lines] == [
        f"{chr(39) + '=' if plot % 2 else ''}Technician {plot}" for plot in range(1, 21)
    ]


def test_without_records_there_is_no_file_and_an_old_one_stays(model: SQLModel, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    assert model.export_records(path, DATE) == 0
    assert list(tmp_path.iterdir()) == []
    path.write_text("old")
    assert model.export_records(path, DATE) == 0
    assert path.read_text() == "old"


def test_a_failure_leaves_nothing_and_the_old_file_stays(model: SQLModel, tmp_path: Path) -> None:
    model.save_record(record())
    path = tmp_path / "x.csv"
    path.write_text("old")
    model.query("ALTER TABLE plot_checks RENAME COLUMN notes TO remarks")
    with pytest.raises(DatabaseError):
        model.export_records(path, DATE)
    assert [each.name for each in tmp_path.iterdir()] == ["x.csv"] and path.read_text() == "old"
    model.query("ALTER TABLE plot_checks RENAME COLUMN remarks TO notes")
    with pytest.raises(OSError):
        model.export_records(tmp_path / "missing" / "x.csv", DATE)
    assert model.export_records(path, DATE) == 1


def test_what_went_out_of_each_day(model: SQLModel, tmp_path: Path) -> None:
    day_before, now = DATE - datetime.timedelta(1), datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    assert model.extract_days([DATE]) == [ExtractDay(DATE)] and model.outdated_deliveries() == []
    for plot in (3, 4):
        model.save_record(record(Plot=plot))
    sent = row(created=now, state="delivered", delivered=now, attempts=1)
    later = row(created=now, version=2)
    other = row(created=now, destination="ftp", date=day_before, file_name="other.csv", state="failed", version=5)
    long_ago = row(created=now - datetime.timedelta(40), destination="sftp:old", file_name="old.csv", date=day_before)
    model.record_deliveries([sent, other, long_ago])
    out = SentExtract(now, False, 1)
    assert model.extract_days([DATE, day_before, DATE]) == [
        ExtractDay(day_before, 0, {"sftp:old": SentExtract(waits=True)}, ("ftp", "rest")),
        ExtractDay(DATE, 2, {"rest": out}, ("ftp", "rest")),
    ]
    model.record_deliveries([later])
    assert model.extract_days([DATE])[0].sent == {"rest": SentExtract(now, False, 1, waits=True)}
    model.record_deliveries([{**later, "state": "delivered", "delivered": now, "attempts": 1, "revision": 2}])
    assert model.extract_days([DATE])[0].sent == {"rest": SentExtract(now, False, 2)}
    assert model.outdated_deliveries() == []
    model.save_record(record(Fruit="9"))
    (found,) = model.outdated_deliveries()
    assert (found.identifier, found.date, found.destination) == (later["id"], DATE, "rest")
    assert model.extract_days([DATE])[0].sent == {"rest": SentExtract(now, True, 2)}


def test_a_database_without_technicians_has_no_records(model: SQLModel, tmp_path: Path) -> None:
    model.query("DELETE FROM lab_techs")
    path = tmp_path / "a.csv"
    assert model.export_records(path, DATE) == 0 and not path.exists()
