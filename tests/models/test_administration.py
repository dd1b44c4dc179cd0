"""What an administrator adds; everything can be repeated."""

from __future__ import annotations

import pytest

from abq_data_entry.models import DatabaseError, SQLModel


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
    for call in (lambda: model.add_lab("FF"), lambda: model.add_lab(" "), lambda: model.add_lab("G", 21),
                 lambda: model.add_plot("F", 21), lambda: model.add_plot("Z", 1), lambda: model.add_plot("F", 7, "AX")):
        with pytest.raises(DatabaseError):
            call()
    assert "G" not in model.choices().labs


def test_a_seed_sample(model: SQLModel) -> None:
    model.set_seed_sample("A", 3, "AXM500")
    model.set_seed_sample("A", 3, "AXM500")
    assert model.get_current_seed_sample("A", 3) == "AXM500"
    model.set_seed_sample("A", 3, None)
    assert model.get_current_seed_sample("A", 3) == ""
    with pytest.raises(DatabaseError, match="Lab Z has no plot 3"):
        model.set_seed_sample("Z", 3, "AXM500")
    with pytest.raises(DatabaseError, match="exactly 6 characters"):
        model.set_seed_sample("A", 3, "AX")
