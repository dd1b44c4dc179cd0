"""What waits is saved in order and once, into its own database; what others changed is left for a decision."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace

import pytest

from abq_data_entry import postgres
from abq_data_entry.journal import Journal, JournalBusy, new_entry
from abq_data_entry.models import ServerUnreachable, SQLModel
from abq_data_entry.workflows.replay import replay
from tests.journal.entries import DATABASE, corrected, inserted
from tests.models.records import DATE, record, typed
from tests.models.test_connections import unix_only
from tests.models.wire import When, proxied
from tests.qa.data import ask


def plots(model: SQLModel) -> list[object]:
    return [each["Plot"] for each in model.get_all_records(all_dates=True)]


def test_what_waits_is_saved_in_order(journal: Journal, model: SQLModel) -> None:
    model.save_record(record(Plot="9"))
    entries = [inserted(2), inserted(1), corrected(2, record(Plot="2"), Fruit="5"), corrected(9, record(Plot="9"))]
    for entry in entries:
        journal.keep(entry)
    steps: list[tuple[int, int]] = []
    done = replay(journal, DATABASE, model, lambda *step: steps.append(step))
    assert [each.identifier for each in done.saved] == [each.identifier for each in entries]
    assert steps == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert plots(model) == [1, 2, 9] and model.get_record(DATE, "8:00", "A", 2)["Fruit"] == 5
    assert journal.entries() == [] and replay(journal, DATABASE, model).saved == ()


def test_the_moment_when_it_was_kept_goes_along(journal: Journal, model: SQLModel, database: dict[str, str]) -> None:
    model.save_record(record(Plot="1"), "insert")
    hour = datetime.timedelta(hours=1)
    now = datetime.datetime.now(datetime.timezone.utc)
    before, ahead = replace(inserted(2), moment=now - hour), replace(inserted(3), moment=now + hour)
    for entry in (before, ahead):
        journal.keep(entry)
    assert len(replay(journal, DATABASE, model).saved) == 2
    rows = ask(
        database,
        "SELECT e.*, extract(epoch FROM entered - typed) AS waited, extract(epoch FROM typed - due) / 60 AS late"
        " FROM entry_log AS e JOIN plot_readings USING (date, time, lab, plot) ORDER BY plot",
    )
    # A clock that is ahead types nothing after it was here.
    assert [(row["plot"], row["offline"]) for row in rows] == [(1, False), (2, True), (3, True)]
    assert rows[0]["waited"] == rows[2]["waited"] == 0 and rows[1]["typed"] == before.moment
    assert 3600 <= rows[1]["waited"] < 3700
    assert all(abs(row["minutes_late"] - float(row["late"])) < 1e-6 for row in rows)
    assert model.verify_audit().breaks == ()


def test_a_record_that_arrived_before_the_crash_is_found(journal: Journal, model: SQLModel) -> None:
    journal.keep(inserted(1))
    model.save_record(record(Plot="1"), "insert")
    assert replay(journal, DATABASE, model).undecided == ()
    assert plots(model) == [1] and journal.entries() == []


def test_a_record_that_arrived_and_was_changed_by_somebody_else_since_is_left_alone(
    journal: Journal, model: SQLModel
) -> None:
    entry = inserted(1)
    journal.keep(entry)
    model.save_record(entry.record, "insert", entry=entry.identifier)
    model.save_record(record(Plot="1", Fruit="8"), "update", expected_version=1, author="P Taylor")
    done = replay(journal, DATABASE, model)
    assert (len(done.saved), done.undecided) == (1, ())
    found = model.get_versioned_record(DATE, "8:00", "A", 1)
    assert (found.record["Fruit"], found.version) == (8, 2)


def test_what_somebody_else_changed_elsewhere_in_the_record_comes_together(journal: Journal, model: SQLModel) -> None:
    model.save_record(record(Plot="1"))
    journal.keep(corrected(1, record(Plot="1"), Fruit="4"))
    model.save_record(record(Plot="1", Plants="7"), "update", expected_version=1, author="P Taylor")
    assert len(replay(journal, DATABASE, model).saved) == 1
    found = model.get_versioned_record(DATE, "8:00", "A", 1)
    assert (found.record["Fruit"], found.record["Plants"], found.version) == (4, 7, 3)


def test_a_value_beyond_limits_that_were_tightened_waits_for_a_decision(journal: Journal, model: SQLModel) -> None:
    entry = inserted(1)
    journal.keep(replace(entry, record={**entry.record, "Plants": "25"}))
    journal.keep(inserted(2))
    done = replay(journal, DATABASE, model)
    assert [each.record["Plot"] for each in done.saved] == [2]
    (left,) = journal.entries()
    assert (left.record["Plants"], left.remark) == ("25", "Plants: 25 is above 20")


def test_what_both_changed_needs_a_decision(journal: Journal, model: SQLModel) -> None:
    model.save_record(record(Plot="1"))
    base = record(Plot="1")
    entry = new_entry(DATABASE, base | {"Fruit": "4"}, "update", base=base, version=1)
    journal.keep(entry)
    model.save_record(record(Plot="1", Fruit="8"), "update", expected_version=1, author="P Taylor")
    assert len(replay(journal, DATABASE, model).undecided) == 1
    assert journal.entries()[0].remark == "P Taylor changed this record meanwhile: Fruit differs."
    assert model.get_record(DATE, "8:00", "A", 1)["Fruit"] == 8


def test_who_saved_it_where_and_why_stands_in_the_history(journal: Journal, model: SQLModel) -> None:
    model.save_record(record(Plot="1"))
    base = record(Plot="1")
    entry = new_entry(DATABASE, base | {"Fruit": "4"}, "update", base=base, author="jsimms", reason="Counted again")
    journal.keep(entry)
    replay(journal, DATABASE, model)
    change = model.get_history(DATE, "8:00", "A", 1)[-1]
    assert (change.who, change.workstation, change.reason) == ("jsimms", entry.workstation, "Counted again")


def test_the_whole_check_changes_its_technician(journal: Journal, model: SQLModel) -> None:
    model.save_record(record(Plot="1"))
    journal.keep(new_entry(DATABASE, record(Plot="2", Technician="P Taylor"), "insert", whole_check=True))
    replay(journal, DATABASE, model)
    assert model.get_check(DATE, "8:00", "A").recorded == {1: "P Taylor", 2: "P Taylor"}


def test_another_database_gets_nothing(journal: Journal, model: SQLModel) -> None:
    journal.keep(inserted(1))
    assert replay(journal, "db1:5432/abq", model).saved == ()
    assert plots(model) == [] and len(journal.entries()) == 1


def test_what_somebody_else_recorded_meanwhile_needs_a_decision(journal: Journal, model: SQLModel) -> None:
    model.save_record(record(Plot="1", Fruit="8"))
    for entry in (inserted(1), inserted(2), corrected(1, record(Plot="1"), Fruit="4")):
        journal.keep(entry)
    done = replay(journal, DATABASE, model)
    assert [each.record["Plot"] for each in done.saved] == [2]
    first, second = journal.entries()
    assert "recorded this plot" in first.remark and "earlier record" in second.remark
    assert model.get_record(DATE, "8:00", "A", 1)["Fruit"] == 8
    assert replay(journal, DATABASE, model).undecided == ()  # it isn't asked again and again


def test_a_record_that_was_removed_needs_a_decision(journal: Journal, model: SQLModel) -> None:
    journal.keep(corrected(1, record(Plot="1"), Fruit="4"))
    replay(journal, DATABASE, model)
    assert "no longer in the database" in journal.entries()[0].remark


def test_what_the_database_refuses_needs_a_decision(journal: Journal, model: SQLModel) -> None:
    journal.keep(inserted(1, Technician="Nobody N"))
    journal.keep(inserted(2))
    assert [each.record["Plot"] for each in replay(journal, DATABASE, model).saved] == [2]
    assert "Nobody N is not known" in journal.entries()[0].remark


def test_it_stops_where_the_database_goes_away_and_goes_on_later(
    journal: Journal, server: postgres.EmbeddedServer, model: SQLModel
) -> None:
    for plot in (1, 2, 3):
        journal.keep(inserted(plot))

    def progress(done: int, total: int) -> None:
        if done == 1:
            server.stop()

    try:
        done = replay(journal, DATABASE, model, progress)
    finally:
        server.ensure_running()
    assert isinstance(done.problem, ServerUnreachable)
    assert (len(done.saved), len(done.waiting)) == (1, 2)
    assert len(replay(journal, DATABASE, model).saved) == 2
    assert plots(model) == [1, 2, 3]


@unix_only
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_without_an_answer_leaves_one_record(
    journal: Journal, database: dict[str, str], model: SQLModel, when: When
) -> None:
    with proxied(database) as (proxy, endpoint):
        cut = SQLModel.at(endpoint)
        cut.connect()
        for plot in (1, 2):
            journal.keep(inserted(plot))
        proxy.cut = when
        assert len(replay(journal, DATABASE, cut).saved) == 2
        assert proxy.has_cut and plots(model) == [1, 2]
        cut.close()


def test_two_windows_do_not_replay_at_once(journal: Journal, model: SQLModel) -> None:
    journal.keep(inserted(1))
    caught: list[Callable[[], object]] = []

    def progress(done: int, total: int) -> None:
        with pytest.raises(JournalBusy):
            replay(Journal(journal.folder), DATABASE, model)
        caught.append(progress)  # type: ignore[arg-type]

    replay(journal, DATABASE, model, progress)
    assert len(caught) == 1 and plots(model) == [1]


def test_typed_values_are_kept_exactly(journal: Journal, model: SQLModel) -> None:
    entry = inserted(1, Humidity="0.50", Notes=" zwei\nZeilen ")
    journal.keep(entry)
    replay(journal, DATABASE, model)
    assert model.get_record(DATE, "8:00", "A", 1) == typed(record(Plot="1", Humidity="0.50", Notes=" zwei\nZeilen "))
