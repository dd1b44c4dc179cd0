"""One save: what it merges by itself, what somebody has to decide, and what it does after a lost answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.journal import Journal
from abq_data_entry.models import RecordInvalid, RecordMissing, SQLModel
from abq_data_entry.workflows.save_record import Conflict, Save, Saved, keep, merge_versions, save_record
from tests.models.records import DATE, record

BASE = fields.parse_record(record(Plot="1"))
KEY = (DATE, "8:00", "A", 1)


def corrected(**changes: object) -> Save:
    """A correction of the record as it was first saved."""
    return Save(fields.parse_record(record(Plot="1", **changes)), "update", BASE, 1, "J Simms", "Counted again")


@pytest.fixture
def changed(model: SQLModel) -> SQLModel:
    """P Taylor has corrected the plants of the record since it was opened."""
    model.save_record(BASE)
    model.save_record({**BASE, F.PLANTS: 7}, "update", expected_version=1, author="P Taylor")
    return model


def test_a_new_record_is_saved_with_its_version(model: SQLModel) -> None:
    assert save_record(model, Save(BASE, author="J Simms")) == Saved(BASE, 1)
    assert model.get_record(*KEY) == BASE


def test_what_another_changed_elsewhere_comes_together(changed: SQLModel) -> None:
    done = save_record(changed, corrected(Fruit="4"))
    assert isinstance(done, Saved) and done.version == 3
    assert (done.record[F.FRUIT], done.record[F.PLANTS]) == (4, 7)
    assert done.merged is not None and done.merged.taken_over == (F.PLANTS,)
    assert done.merged.theirs.changed_by == "P Taylor"


def test_what_both_changed_is_a_conflict_and_nothing_is_saved(changed: SQLModel) -> None:
    found = save_record(changed, corrected(Plants="8", Fruit="4"))
    assert isinstance(found, Conflict)
    assert found.to_choose == (F.PLANTS,) and "P Taylor changed the record" in found.reason
    assert changed.get_record(*KEY)[F.FRUIT] == 3


@pytest.mark.parametrize(("side", "plants"), [("mine", 8), ("theirs", 7)])
def test_what_was_chosen_is_saved_over_theirs(changed: SQLModel, side: str, plants: int) -> None:
    save = corrected(Plants="8", Fruit="4")
    found = save_record(changed, save)
    assert isinstance(found, Conflict)
    chosen, wrong = found.chosen({}, {F.PLANTS: "mine" if side == "mine" else "theirs"})
    assert not wrong
    assert isinstance(save_record(changed, save.over(found.theirs, chosen)), Saved)
    stored = changed.get_record(*KEY)
    assert (stored[F.PLANTS], stored[F.FRUIT]) == (plants, 4)


def test_a_choice_that_breaks_the_order_of_the_heights_is_wrong(model: SQLModel) -> None:
    save = corrected(Min_Height="2.50")  # median 2.73
    model.save_record(BASE)
    model.save_record({**BASE, F.MEDIAN_HEIGHT: "2.00"}, "update", expected_version=1)
    found = save_record(model, save)
    assert isinstance(found, Conflict) and set(found.to_choose) == {F.MIN_HEIGHT, F.MEDIAN_HEIGHT}
    _, wrong = found.chosen({}, {F.MIN_HEIGHT: "mine", F.MEDIAN_HEIGHT: "theirs"})
    assert list(wrong) == [F.MEDIAN_HEIGHT]


def test_a_save_whose_answer_was_lost_finds_its_own_record(model: SQLModel) -> None:
    save = Save(BASE)
    assert save_record(model, save) == Saved(BASE, 1)
    assert save_record(model, save) == Saved(BASE, None), "the same save, once more"
    assert save_record(model, Save(BASE)) == Saved(BASE, 1), "the same record by another save"
    assert model.get_versioned_record(*KEY).version == 1


def test_a_correction_that_knows_no_version_is_merged_too(changed: SQLModel) -> None:
    done = save_record(changed, replace(corrected(Fruit="4"), version=None))
    assert isinstance(done, Saved) and (done.record[F.FRUIT], done.record[F.PLANTS]) == (4, 7)


@pytest.mark.parametrize("version", [1, None])
def test_a_correction_of_a_record_that_is_gone_is_refused(model: SQLModel, version: int | None) -> None:
    with pytest.raises(RecordMissing):
        save_record(model, replace(corrected(Fruit="4"), version=version))


def test_texts_are_checked_before_they_are_saved(model: SQLModel) -> None:
    with pytest.raises(RecordInvalid, match="25 is above 20"):
        save_record(model, Save({**BASE, F.PLANTS: "25"}))


def test_the_whole_check_and_the_next_plot_go_with_it(model: SQLModel) -> None:
    model.save_record(record(Plot="2"))
    model.enter_check(*KEY[:3], 1, "P Taylor")
    whole = Save(fields.parse_record(record(Plot="1", Technician="P Taylor")), whole_check=True, plots_after=(2, 3))
    done = save_record(model, whole)
    assert isinstance(done, Saved) and (done.claimed, done.remark) == (3, "")
    assert set(model.get_check(*KEY[:3]).recorded.values()) == {"P Taylor"}


def test_a_check_that_somebody_else_took_over_stays_as_it_is(model: SQLModel) -> None:
    model.save_record(record(Plot="2"))
    version = model.get_check(*KEY[:3]).version
    model.set_check_technician(*KEY[:3], "Q Murphy")
    mine = fields.parse_record(record(Plot="1", Technician="P Taylor"))
    done = save_record(model, Save(mine, whole_check=True, check_version=version))
    assert isinstance(done, Saved) and "Q Murphy now does this check" in done.remark
    assert model.get_check(*KEY[:3]).technician == "Q Murphy"


def test_what_is_kept_is_the_same_save(tmp_path: Path) -> None:
    save = corrected(Fruit="4")
    journal = Journal(tmp_path / "journal")
    keep(journal, "this computer/abq", save, "The server is away.")
    (entry,) = journal.entries()
    assert (entry.identifier, entry.record, entry.base, entry.version) == (save.identifier, save.record, BASE, 1)
    assert (entry.write, entry.author, entry.reason) == ("update", "J Simms", save.reason)
    assert entry.cause == "The server is away."
    assert isinstance(entry.record, fields.Record), "which nobody has to parse again"


def test_a_fault_and_its_readings_are_chosen_together() -> None:
    from abq_data_entry.models import VersionedRecord

    mine = fields.parse_record(record(Plot="1", Humidity="25"))
    fault = fields.parse_record(record(Plot="1", Humidity="", Light="", Temperature="", Equipment_Fault="yes"))
    found = merge_versions(mine, BASE, VersionedRecord(dict(fault), 2))
    assert set(found.to_choose) == {F.EQUIPMENT_FAULT, F.HUMIDITY, F.LIGHT, F.TEMPERATURE}
