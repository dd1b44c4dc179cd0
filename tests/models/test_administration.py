"""What an administrator adds, renames, retires and removes."""

from __future__ import annotations

import threading

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import DatabaseError, RecordInvalid, SQLModel
from tests.models.records import record


def test_a_technician(model: SQLModel) -> None:
    assert [model.add_technician(99, " A  New "), model.add_technician(99, "A New")] == [True, False]
    assert "A New" in model.choices().technicians
    with pytest.raises(DatabaseError, match="J Simms is 4291 already"):
        model.add_technician(4291, "Somebody")
    with pytest.raises(DatabaseError, match="A New is 99 already"):
        model.add_technician(100, "A New")
    for number, name in ((1, ""), (1, "x" * 513), (1, "a\x00b"), (40000, "x")):
        with pytest.raises(DatabaseError, match="must"):
            model.add_technician(number, name)


def test_a_lab_and_its_plots(model: SQLModel) -> None:
    assert [model.add_lab("F", 3), model.add_lab("F", 3), model.add_lab("F", 5)] == [True, False, True]
    assert model.choices().plots["F"] == (1, 2, 3, 4, 5)
    assert [model.add_plot("F", 20, "AXM999"), model.add_plot("F", 20)] == [True, False]
    assert model.get_current_seed_sample("F", 20) == "AXM999"
    for lab in ("FF", "", " ", "7", "-"):
        with pytest.raises(DatabaseError, match="must be one letter"):
            model.add_lab(lab)
    for lab in ("f", "a"):
        with pytest.raises(DatabaseError):
            model.add_lab(lab)
    for plots in (-1, 0, 21):
        with pytest.raises(DatabaseError, match="must have 1 to 20 plots"):
            model.add_lab("G", plots)
    with pytest.raises(DatabaseError):
        model.add_plot("F", 7, "AX")
    assert "G" not in model.choices().labs
    with pytest.raises(DatabaseError, match=r"Lab Z is not known\. Add the lab first"):
        model.add_plot("Z", 1)
    for plot in (0, 21):
        with pytest.raises(DatabaseError, match="from 1 to 20"):
            model.add_plot("F", plot)
    assert model.add_lab("G", 1) and model.choices().plots["G"] == (1,)
    assert model.add_lab("H") and model.choices().plots["H"] == tuple(range(1, 21))


def test_a_seed_sample(model: SQLModel) -> None:
    model.set_seed_sample("A", 3, "AXM500")
    model.set_seed_sample("A", 3, "AXM500")
    assert model.get_current_seed_sample("A", 3) == "AXM500"
    model.set_seed_sample("A", 3, None)
    assert model.get_current_seed_sample("A", 3) == ""
    with pytest.raises(DatabaseError, match="Lab Z has no plot 3"):
        model.set_seed_sample("Z", 3, "AXM500")
    with pytest.raises(DatabaseError, match="a seed sample has 6"):
        model.set_seed_sample("A", 3, "AX")


@pytest.mark.parametrize("name", ["4291", "12 34", "any", "ANY", "j simms", "J  SIMMS", "JSimms", " J Simms"])
def test_names_that_lists_could_not_tell_apart(model: SQLModel, name: str) -> None:
    for call in (lambda: model.add_technician(7000, name), lambda: model.rename_technician(4319, name)):
        with pytest.raises(DatabaseError, match=r"can't be called|is taken"):
            call()
    adding = "INSERT INTO lab_techs (id, name) VALUES (7000, %s)"
    renaming = "UPDATE lab_techs SET name = %s WHERE id = 4319"
    for statement in (adding, renaming):  # whoever asks: the server refuses it
        with pytest.raises(DatabaseError, match="one of its rules"):
            model.query(statement, (name,))
    assert model.choices().technicians == ("J Simms", "L Taniff", "P Taylor", "Q Murphy")


def test_who_has_the_name_already_is_named(model: SQLModel) -> None:
    for name, differs in (("J Simms", ""), ("j simms", ", and differs only by capitals or spaces")):
        with pytest.raises(DatabaseError) as told:
            model.add_technician(7000, name)
        assert str(told.value) == f"The name {name} is taken: J Simms is 4291 already{differs}."


@pytest.mark.parametrize("letter", ["7", "-", "a", "?"])
def test_the_server_refuses_what_is_no_lab(model: SQLModel, letter: str) -> None:
    with pytest.raises(DatabaseError, match="one of its rules"):
        model.query("INSERT INTO labs (id) VALUES (%s)", (letter,))


def test_two_such_names_at_once(model: SQLModel, database: dict[str, str]) -> None:
    refused: list[str] = []

    def add(number: int, name: str) -> None:
        other = SQLModel.at(database)
        try:
            other.query("INSERT INTO lab_techs (id, name) VALUES (%s, %s)", (number, name))
        except DatabaseError as error:
            refused.append(str(error))
        finally:
            other.close()

    names = ["M Curie", "m curie", "M  Curie", "MCurie"]
    threads = [threading.Thread(target=add, args=(7000 + place, name)) for place, name in enumerate(names)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(refused) == 3


def test_what_is_there_already_stays(model: SQLModel) -> None:
    """An older database may have such names and labs: they can be read, retired and renamed."""
    model.query("SET session_replication_role = replica")
    model.query("INSERT INTO lab_techs (id, name) VALUES (1, '123'), (2, 'j simms')")
    model.query("INSERT INTO labs (id) VALUES ('7')")
    model.query("SET session_replication_role = origin")
    assert {"123", "j simms"} <= set(model.choices().technicians) and "7" in model.choices().labs
    model.retire_technician(1)
    model.retire_lab("7")
    assert model.rename_technician(2, "Jo Simms") == "j simms"
    assert model.choices().retired_technicians == ("123",) and model.choices().retired_labs == ("7",)


def test_a_name_is_changed_in_old_records_too(model: SQLModel) -> None:
    model.save_record(record())
    assert [model.rename_technician(4291, " Jo  Simms "), model.rename_technician(4291, "Jo Simms")] == [
        "J Simms", "Jo Simms"
    ]  # fmt: skip
    assert [each[F.TECHNICIAN] for each in model.get_all_records(all_dates=True)] == ["Jo Simms"]
    with pytest.raises(DatabaseError, match="no technician 99"):
        model.rename_technician(99, "X")
    assert model.rename_technician(4291, "JO SIMMS") == "Jo Simms"


def test_what_is_retired_is_offered_no_more_and_stays_in_records(model: SQLModel) -> None:
    model.save_record(record())
    for _ in range(2):
        assert model.retire_technician(4291) == "J Simms"
        model.retire_plot("A", 3)
        model.retire_lab("B")
    found = model.choices()
    assert "J Simms" not in found.technicians and "J Simms" in found.all_technicians
    assert 3 not in found.plots["A"] and 3 in found.all_plots["A"]
    assert "B" not in found.labs and "B" not in found.plots and found.all_labs == ("A", "B", "C", "D", "E")
    assert found.all_plots["B"] == tuple(range(1, 21))
    saved = model.get_all_records(all_dates=True)
    assert [each[F.TECHNICIAN] for each in saved] == ["J Simms"]
    model.save_record({**saved[0], F.FRUIT: 9})  # an old record can be corrected
    model.retire_technician(4291, False)
    model.retire_plot("A", 3, False)
    model.retire_lab("B", False)
    assert model.choices() == SQLModel.choices(model) and model.choices().retired_technicians == ()
    assert model.choices().plots["B"] == tuple(range(1, 21)) and 3 in model.choices().plots["A"]


def test_only_what_was_never_used_is_removed(model: SQLModel) -> None:
    model.save_record(record())
    kept = record()
    for call in (lambda: model.remove_technician(4291), lambda: model.remove_lab(str(kept[F.LAB])),
                 lambda: model.remove_plot(str(kept[F.LAB]), int(str(kept[F.PLOT])))):
        with pytest.raises(DatabaseError, match=r"[Rr]etire"):
            call()
    assert len(model.get_all_records(all_dates=True)) == 1
    assert model.remove_technician(4478) == "Q Murphy"
    model.remove_lab("E")
    model.remove_plot("D", 20)
    found = model.choices()
    assert "Q Murphy" not in found.all_technicians and "E" not in found.all_labs and 20 not in found.plots["D"]
    for call in (lambda: model.remove_technician(4478), lambda: model.remove_lab("E"),
                 lambda: model.remove_plot("D", 20)):
        with pytest.raises(DatabaseError, match="no "):
            call()


def test_a_withdrawn_record_keeps_its_technician_lab_and_plot(model: SQLModel) -> None:
    taken = {**record(), F.LAB: "C", F.TECHNICIAN: "Q Murphy"}
    model.save_record(taken)
    model.query(
        "SELECT withdraw_record(%s, %s, %s, %s, 'typed twice')",
        (taken[F.DATE], taken[F.TIME], taken[F.LAB], taken[F.PLOT]),
    )
    assert not model.get_all_records(all_dates=True)
    for call in (lambda: model.remove_technician(4478), lambda: model.remove_lab("C"),
                 lambda: model.remove_plot("C", int(str(taken[F.PLOT])))):
        with pytest.raises(DatabaseError, match=r"[Rr]etire"):
            call()


def test_a_lab_keeps_a_plot(model: SQLModel) -> None:
    model.add_lab("F", 2)
    model.retire_plot("F", 1)
    for call in (lambda: model.retire_plot("F", 2), lambda: model.remove_plot("F", 2)):
        with pytest.raises(DatabaseError, match="last one of lab F"):
            call()
    model.remove_plot("F", 1)
    model.remove_lab("F")
    assert "F" not in model.choices().all_labs


def test_lists_are_taken_in_whole(model: SQLModel) -> None:
    """Without a number a technician gets the next free one; what is there already isn't new."""
    assert model.import_lists([(None, " A  New "), (None, "A New"), (4291, "J Simms"), (9000, "B New")], []) == 2
    highest = max(4291, 4319, 4478, 5607)
    rows = model.query("SELECT id, name FROM lab_techs WHERE name LIKE '%New' ORDER BY id")
    assert rows == [{"id": highest + 1, "name": "A New"}, {"id": 9000, "name": "B New"}]
    seeds: list[tuple[str, int, str | None]] = [("A", 1, "AXM777"), ("A", 1, "AXM777"), ("A", 2, None)]
    assert [model.import_lists([], seeds), model.import_lists([], seeds)] == [2, 0]
    assert [model.get_current_seed_sample("A", plot) for plot in (1, 2)] == ["AXM777", ""]
    for technicians, wrong in (([(1, "J Simms")], []), ([(None, "C New")], [("Z", 1, "AXM777")]), ([(4291, "X")], [])):
        with pytest.raises(DatabaseError):
            model.import_lists(technicians, wrong)
    assert "C New" not in model.choices().all_technicians
    model.query("UPDATE lab_techs SET id = -id")
    assert model.import_lists([(None, "C New")], []) == 1
    assert model.query("SELECT id FROM lab_techs WHERE name = 'C New'") == [{"id": 1}]


def test_the_last_number_and_the_longest_name(model: SQLModel) -> None:
    for number, name in ((32767, "x" * 512), (-32767, "y")):
        assert model.add_technician(number, name) and name in model.choices().technicians
    for number in (32768, -32768):
        with pytest.raises(DatabaseError, match="must be at most 32767"):
            model.add_technician(number, "z")
    for name, words in (("x" * 513, "1 to 512 printable"), ("", "1 to 512"), ("a\x07", "printable"), ("7", "a number")):
        with pytest.raises(DatabaseError, match=words):
            model.rename_technician(4291, name)
    assert model.add_lab("F", 1) and model.choices().plots["F"] == (1,)
    assert model.add_lab("G", 20) and model.choices().plots["G"] == tuple(range(1, 21))
    assert model.add_plot("F", 20) and model.choices().plots["F"] == (1, 20)
    for plot in (0, 21):
        with pytest.raises(DatabaseError, match="from 1 to 20"):
            model.add_plot("F", plot)


def test_refused_changes_of_lists_name_whom_or_what_they_are_about(model: SQLModel) -> None:
    for call, words in (
        (lambda: model.add_technician(4291, "X"), "Technician X can't be added as 4291: J Simms is 4291 already."),
        (lambda: model.add_technician(7, "Any"), "can't be called Any: lists use that for all"),
        (lambda: model.add_technician(7, "j simms"), "J Simms is 4291 already, and differs only by capitals or spaces"),
        (lambda: model.add_lab("a"), "Lab a can't be added: there is a lab A already."),
        (lambda: model.add_lab("FF"), "one letter, such as F"), (lambda: model.add_lab("F", 0), "1 to 20 plots"),
        (lambda: model.remove_technician(99), "no technician 99."), (lambda: model.retire_lab("Z"), "no lab Z."),
        (lambda: model.remove_lab("Z"), "There is no lab Z."), (lambda: model.retire_technician(99), "technician 99"),
        (lambda: model.retire_plot("A", 21), "Lab A has no plot 21."), (lambda: model.remove_plot("Z", 1), "no plot 1"),
        (lambda: model.add_plot("A", 1, "AX"), "a seed sample has 6"),
    ):  # fmt: skip
        with pytest.raises(DatabaseError, match=words):
            call()


def test_people_are_listed_by_name_and_a_lab_without_plots_too(model: SQLModel) -> None:
    model.add_technician(7, "a Last")
    model.add_technician(8, "Z First")
    model.add_lab("F", 1)
    model.query("DELETE FROM plots WHERE lab_id = 'F'")
    model.retire_technician(8)
    found = model.choices()
    assert found.technicians == ("a Last", "J Simms", "L Taniff", "P Taylor", "Q Murphy")
    assert found.retired_technicians == ("Z First",) and found.plots["F"] == ()
    model.retire_lab("F")
    assert model.choices().retired_labs == ("F",)


def test_retiring_once_more_keeps_the_moment(model: SQLModel) -> None:
    moments = "SELECT retired FROM lab_techs WHERE id = 4291"
    model.retire_technician(4291)
    before = model.query(moments)
    model.retire_technician(4291)
    assert model.query(moments) == before != [{"retired": None}]


def test_who_was_replaced_in_a_record_is_kept_for_its_history(model: SQLModel) -> None:
    model.save_record(record(Technician="Q Murphy"))
    model.set_check_technician(record()[F.DATE], record()[F.TIME], "A", "J Simms")
    model.save_record(record())
    with pytest.raises(DatabaseError, match="Q Murphy has recorded something, which stays with that name"):
        model.remove_technician(4478)
    assert "Q Murphy" in model.choices().technicians


def test_each_list_that_lacks_something_is_named(model: SQLModel) -> None:
    for changes, told in (
        ({"Technician": "X"}, {"Technician": "Technician X is not known. An administrator can add the name."}),
        ({"Lab": "Z"}, {"Lab": "Lab Z is not known. An administrator can add it."}),
        ({"Plot": 20}, {"Plot": "Lab A has no plot 20. An administrator can add it."}),
    ):
        if "Plot" in changes:
            model.remove_plot("A", 20)
        with pytest.raises(RecordInvalid) as caught:
            model.save_record(record(**changes))
        assert caught.value.errors == told
    model.retire_technician(4291)
    with pytest.raises(RecordInvalid) as caught:
        model.set_check_technician("2026-11-20", "8:00", "Z", "J Simms")
    assert list(caught.value.errors) == ["Lab"]


def test_the_time_zone_is_written_as_the_server_writes_it(model: SQLModel) -> None:
    before = model.time_zone()
    assert model.set_time_zone("america/denver") == before and model.time_zone() == "America/Denver"
    assert model.set_time_zone("Europe/Berlin") == "America/Denver" and model.time_zone() == "Europe/Berlin"
    with pytest.raises(DatabaseError, match="no time zone Denver"):
        model.set_time_zone("Denver")
    assert model.time_zone() == "Europe/Berlin"
