"""Saving a record: what is there afterwards, and what isn't when it fails."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest

from abq_data_entry.models import RecordExists, RecordInvalid, RecordMissing, SQLModel
from abq_data_entry.models.undoing import By
from tests.models.records import DATE, faulty, record, typed


def counted(model: SQLModel, table: str) -> object:
    rows = model.query(f"SELECT count(*) FROM {table}")
    assert rows
    return rows[0]["count"]


def test_a_record_comes_back_as_it_was_typed(model: SQLModel) -> None:
    model.save_record(record(Notes="dry\n\n", Humidity="24,09"))
    assert model.last_write == "insert"
    found = model.get_record("2026-11-20", "8:00", "A", "3")
    assert found == typed(record(Notes="dry"))
    assert found["Humidity"] == Decimal("24.09") and str(found["Temperature"]) == "22.01"
    assert model.get_record(DATE, datetime.time(8), "A", 3) == found
    assert [model.get_record(DATE, "12:00", "A", 3), model.get_record("", "x", "A", 3)] == [{}, {}]


def test_opening_and_saving_changes_nothing(model: SQLModel) -> None:
    model.save_record(faulty(Notes=" indented\nline"))
    for _ in range(3):
        model.save_record(model.get_record(DATE, "8:00", "A", 3))
    assert model.last_write == "update"
    assert model.get_record(DATE, "8:00", "A", 3) == typed(faulty(Notes=" indented\nline"))
    assert counted(model, "plot_checks") == 1


@pytest.mark.parametrize(
    "notes", ["'; DROP TABLE plot_checks; --", "100 % %s %(x)s", "\\", "😀\u0301", "=1+1", "\ttab"]
)
def test_notes_hold_any_text(model: SQLModel, notes: str) -> None:
    model.save_record(record(Notes=notes))
    found = model.get_record(DATE, "8:00", "A", 3)["Notes"]
    assert found == notes


def test_all_records_are_todays_in_the_order_of_time(model: SQLModel) -> None:
    today = datetime.date.today()
    for date in (today, DATE):
        for time in ("20:00", "8:00", "12:00"):
            model.save_record(record(Date=date, Time=time))
    assert [row["Time"] for row in model.get_all_records()] == ["8:00", "12:00", "20:00"]
    assert len(model.get_all_records(all_dates=True)) == (3 if today == DATE else 6)


def test_why_a_record_is_gone_is_reported(model: SQLModel) -> None:
    key, by = (DATE, "8:00", "A", 3), By("P Taylor")

    def told() -> str:
        with pytest.raises(RecordMissing, match="can't be corrected") as caught:
            model.save_record(record(), write="update")
        words = str(caught.value).partition(": ")[2]
        assert words == (model.get_departure(*key) or "It is no longer in the database.")
        return words

    assert told() == "It is no longer in the database."
    model.save_record(record())
    assert model.get_departure(*key) == ""
    model.withdraw_record(key, "typed twice", by=by)
    assert told() == "P Taylor withdrew it (typed twice)."
    model.bring_back_record(key, "after all")
    model.move_record(key, (DATE, "12:00", "B", 4), "wrong lab", by=by)
    assert told() == "P Taylor moved it to 2026-11-20 12:00, lab B, plot 4 (wrong lab)."
    model.save_record(record())
    model.query("DELETE FROM plot_checks WHERE lab_id = 'A'")
    assert told().endswith(" withdrew it.")
    assert [model.get_departure("x", "8:00", "A", 3), model.get_departure(DATE, "8:00", "A", 4)] == ["", ""]


def test_a_rule_that_only_this_database_has_is_named(model: SQLModel) -> None:
    model.query("ALTER TABLE plot_checks ADD CONSTRAINT our_own_rule CHECK (plants <> 7)")
    with pytest.raises(RecordInvalid) as told:
        model.save_record(record(Plants=7))
    assert told.value.errors == {"Plot": "The database refused this record by its rule 'our own rule'."}
    assert "our_own_rule" in told.value.detail and counted(model, "plot_checks") == 0


def test_a_limit_that_is_narrower_in_this_database_is_named_at_its_field(model: SQLModel) -> None:
    model.query("ALTER TABLE plot_checks DROP CONSTRAINT plants_within_limits")
    model.query("ALTER TABLE plot_checks ADD CONSTRAINT plants_within_limits CHECK (plants < 7)")
    with pytest.raises(RecordInvalid) as caught:
        model.save_record(record(Plants=7))
    assert caught.value.errors == {"Plants": "The database refused this record by its rule 'plants within limits'."}


def test_an_existing_record_is_not_inserted_again(model: SQLModel) -> None:
    model.save_record(record(), write="insert")
    with pytest.raises(RecordExists, match="2026-11-20 8:00, lab A, plot 3") as caught:
        model.save_record(record(Fruit="4"), write="insert")
    assert caught.value.key == {"Date": DATE, "Time": "8:00", "Lab": "A", "Plot": 3}
    assert model.get_record(DATE, "8:00", "A", 3) == typed(record())


def test_a_vanished_record_is_not_updated(model: SQLModel) -> None:
    with pytest.raises(RecordMissing, match="no longer"):
        model.save_record(record(), write="update")
    assert [counted(model, "lab_checks"), counted(model, "plot_checks")] == [0, 0]
    model.save_record(record())
    model.save_record(record(Fruit="4"), write="update")
    assert (model.last_write, model.get_record(DATE, "8:00", "A", 3)["Fruit"]) == ("update", 4)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("Technician", "Nobody", "Technician Nobody is not known."),
        ("Lab", "Z", "Lab Z is not known."),
        ("Humidity", "0.49", "0.49 is below 0.5 g/m³"),
        ("Max_Height", "1", "is below Min Height"),
        ("Humidity", "", "Humidity is required."),
    ],
)
def test_an_invalid_record_leaves_nothing(model: SQLModel, name: str, value: str, sentence: str) -> None:
    with pytest.raises(RecordInvalid) as caught:
        model.save_record(record(**{name: value}))
    assert list(caught.value.errors) == [name.replace("_", " ")]
    assert sentence in str(caught.value)
    assert [counted(model, "lab_checks"), counted(model, "plot_checks")] == [0, 0]


def test_an_unknown_plot_takes_its_check_along(model: SQLModel) -> None:
    model.query("DELETE FROM plots WHERE lab_id = 'A' AND plot = 3")
    with pytest.raises(RecordInvalid, match="Lab A has no plot 3"):
        model.save_record(record())
    assert counted(model, "lab_checks") == 0


def test_a_constraint_of_the_database_alone_is_named(model: SQLModel) -> None:
    model.query("ALTER TABLE plot_checks ADD CONSTRAINT \"fruit_by_plants\" CHECK (fruit <= plants)")
    with pytest.raises(RecordInvalid, match="fruit by plants") as refused:
        model.save_record(record(Fruit="10"))
    assert "violates check constraint" in refused.value.detail
    assert counted(model, "lab_checks") == 0


@pytest.mark.parametrize("write", ["insert", None])
def test_of_many_at_once_one_inserts(model: SQLModel, write: object) -> None:
    workstations = 6
    barrier = Barrier(workstations)

    def save(number: int) -> object:
        own = SQLModel.at(model._connections.endpoint)
        own.connect()
        barrier.wait(30)
        try:
            own.save_record(record(Fruit=number), write=write)  # type: ignore[arg-type]
            return own.last_write
        except RecordExists:
            return "exists"
        finally:
            own.close()

    with ThreadPoolExecutor(workstations) as pool:
        outcomes = sorted(map(str, pool.map(save, range(workstations))))
    others = ["exists"] * 5 if write == "insert" else ["update"] * 5
    assert outcomes == sorted(["insert", *others])
    assert counted(model, "plot_checks") == 1


def test_a_check_of_20_plots_by_two_workstations_at_once_is_whole(model: SQLModel) -> None:
    def save(plot: int) -> None:
        model.save_record(record(Plot=plot, Technician="J Simms" if plot % 2 else "P Taylor"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save, range(1, 21)))
    recorded = model.get_check(DATE, "8:00", "A").recorded
    assert recorded == {plot: "J Simms" if plot % 2 else "P Taylor" for plot in range(1, 21)}


class TestTechnician:
    def technicians(self, model: SQLModel) -> tuple[str | None, dict[int, str]]:
        progress = model.get_check(DATE, "8:00", "A")
        return progress.technician, dict(progress.recorded)

    def test_another_one_is_noted_for_that_plot_only(self, model: SQLModel) -> None:
        model.save_record(record(Plot=1))
        model.save_record(record(Plot=2))
        model.save_record(record(Plot=2, Technician="P Taylor"))
        assert self.technicians(model) == ("J Simms", {1: "J Simms", 2: "P Taylor"})
        assert model.get_record(DATE, "8:00", "A", 1)["Technician"] == "J Simms"

    def test_the_only_plot_takes_the_check_along(self, model: SQLModel) -> None:
        model.save_record(record(Plot=1))
        model.save_record(record(Plot=1, Technician="P Taylor"))
        assert self.technicians(model) == ("P Taylor", {1: "P Taylor"})
        assert model.get_lab_check(DATE, "8:00", "A")["lab_tech"] == "P Taylor"

    def test_a_begun_check_without_plots_becomes_theirs(self, model: SQLModel) -> None:
        model.set_check_technician(DATE, "8:00", "A", "Q Murphy")
        assert self.technicians(model) == ("Q Murphy", {})
        model.save_record(record(Plot=1))
        assert self.technicians(model) == ("J Simms", {1: "J Simms"})

    def test_the_whole_check_changes_on_purpose(self, model: SQLModel) -> None:
        model.save_record(record(Plot=1))
        model.save_record(record(Plot=2, Technician="P Taylor"))
        model.set_check_technician(DATE, "8:00", "A", "L Taniff")
        assert self.technicians(model) == ("L Taniff", {1: "L Taniff", 2: "L Taniff"})
        with pytest.raises(RecordInvalid, match="Nobody is not known"):
            model.set_check_technician(DATE, "8:00", "A", "Nobody")

    def test_a_script_that_knows_only_the_first_tables_still_works(self, model: SQLModel) -> None:
        model.query(
            "INSERT INTO lab_checks VALUES ('2026-11-20', '8:00', 'A', 4291);"
            "INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, humidity, light, temperature,"
            " equipment_fault, blossoms, plants, fruit, max_height, min_height, median_height, notes)"
            " VALUES ('2026-11-20', '8:00', 'A', 1, 'AXM477', 1, 1, 10, false, 1, 1, 1, 3, 1, 2, NULL)"
        )
        model.save_record(record(Plot=2, Technician="P Taylor"))
        assert self.technicians(model) == ("J Simms", {1: "J Simms", 2: "P Taylor"})
        model.query("UPDATE lab_checks SET lab_tech_id = 4478")
        assert self.technicians(model) == ("Q Murphy", {1: "Q Murphy", 2: "P Taylor"})


def test_previous_readings_are_the_latest_before_that_check(model: SQLModel) -> None:
    for date, time, plot, fruit in (
        ("2026-11-18", "20:00", 1, 1),
        ("2026-11-19", "8:00", 1, 2),
        ("2026-11-19", "12:00", 1, 3),
        ("2026-11-18", "8:00", 2, 4),
        ("2026-11-20", "8:00", 2, 5),
    ):
        model.save_record(record(Date=date, Time=time, Plot=plot, Fruit=fruit))
    model.save_record(record(Date="2026-11-19", Lab="B", Plot=3))
    previous = model.get_previous_readings("2026-11-19", "12:00", "A")
    assert {plot: row["Fruit"] for plot, row in previous.items()} == {1: 2, 2: 4}
    assert previous[1]["Time"] == "8:00" and set(previous[1]) == set(record())


def test_lists_and_seed_samples(model: SQLModel) -> None:
    choices = model.choices()
    assert choices.technicians == ("J Simms", "L Taniff", "P Taylor", "Q Murphy")
    assert choices.labs == ("A", "B", "C", "D", "E")
    assert choices.plots["E"] == tuple(range(1, 21))
    assert [choices.seed_samples["A", plot] for plot in (1, 4, 5)] == ["AXM477", "AXM480", "AXM477"]
    assert model.get_current_seed_sample("A", 3) == "AXM479"
    model.query("UPDATE plots SET current_seed_sample = NULL WHERE plot = 3")
    assert [model.get_current_seed_sample("A", "3"), model.get_current_seed_sample("Z", 3)] == ["", ""]
