"""Keys that are typed before the form knows where it goes: into that plot, or into none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from abq_data_entry import fields
from abq_data_entry.application import connection
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from tests.fixtures.window import PATIENCE, Window
from tests.window.test_form import record, today


class Gate:
    """Holds up a function of the database until it is opened."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.opened, self.reached = threading.Event(), threading.Event()

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.reached.set()
        self.opened.wait(PATIENCE)
        return self._function(*arguments, **options)


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any, str], Gate]]:
    """Holds up a method of the database until the gate is opened; the end of the test opens all."""
    gates = []

    def hold_up(owner: Any, name: str) -> Gate:
        gate = Gate(getattr(owner, name))
        gates.append(gate)
        monkeypatch.setattr(owner, name, gate)
        return gate

    yield hold_up
    for gate in gates:
        gate.opened.set()


def typed(window: Window) -> list[float]:
    """What stands in the readings, as numbers."""
    return [float(window.text(name)) for name in fields.READINGS if window.text(name)]


def jump(window: Window, number: str) -> None:
    keys = [part for digit in number for part in ("key", digit)]
    window.xdotool("keydown", "ctrl", *keys, "keyup", "ctrl")


def wrong(window: Window) -> list[str]:
    return [name for name, each in window.app.form.inputs.items() if each.error]


def ahead(window: Window) -> str:
    return str(window.app.form.type_ahead.line.text)


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize(("begun", "keys"), [(True, "8\na\n\n24.09\n1.03\n22"), (False, "8\na\nj\n24.09\n1.03\n22")])
def test_the_enters_to_the_first_value_do_not_depend_on_the_database(
    window: Window, stored: SQLModel, hold: Callable[[Any, str], Gate], held: bool, begun: bool, keys: str
) -> None:
    if begun:
        stored.save_record(record(1, today(window)))
    gate = hold(window.app.data_model, "get_check")
    if not held:
        gate.opened.set()
    window.type(keys)
    gate.opened.set()
    window.until(lambda: window.text(F.TEMPERATURE) == "22", "the third reading")
    assert typed(window) == [24.09, 1.03, 22]
    assert (window.text(F.PLOT), window.app.form.person) == ("2" if begun else "1", "J Simms")
    assert wrong(window) == []


@pytest.mark.parametrize("name", ["Q", "Q Murphy"])
def test_what_is_typed_before_the_database_is_open(
    open_window: Callable[[], Window], hold: Callable[[Any, str], Gate], name: str
) -> None:
    gate = hold(connection, "open_database")
    window = open_window()
    window.until(gate.reached.is_set, "the database to be opened")
    window.type(f"8\na\n{name}\n24.09\n1")
    assert window.app.data_model is None and typed(window) == []
    gate.opened.set()
    window.until(lambda: window.text(F.LIGHT) == "1", "the readings")
    assert (window.text(F.LAB), window.text(F.TECHNICIAN), window.text(F.PLOT)) == ("A", "Q Murphy", "1")
    assert window.app.form.person == "Q Murphy" and wrong(window) == []


@pytest.mark.parametrize(("keys", "name"), [("8\nz\nq\n24.09\n1\n", F.LAB), ("8\na\nzz\n24.09\n1\n", F.TECHNICIAN)])
def test_what_does_not_fit_holds_what_follows(
    open_window: Callable[[], Window], hold: Callable[[Any, str], Gate], keys: str, name: str
) -> None:
    gate = hold(connection, "open_database")
    window = open_window()
    window.until(gate.reached.is_set, "the database to be opened")
    window.type(keys)
    gate.opened.set()
    window.until(lambda: window.error(name), "the mark")
    window.settle()
    assert wrong(window) == [name] and typed(window) == [] and window.text(F.PLOT) in ("", "1")
    assert "24.09" in ahead(window)


def test_keys_after_a_jump_go_into_that_plot_however_long_it_takes(
    window: Window, stored: SQLModel, hold: Callable[[Any, str], Gate]
) -> None:
    stored.save_record(record(1, today(window)))
    window.begin_check()
    gate = hold(window.app.data_model, "get_versioned_record")
    jump(window, "1")
    window.type("30\n2")
    assert window.text(F.PLOT) != "1" and typed(window) == []
    gate.opened.set()
    window.until(lambda: window.text(F.LIGHT) == "2", "what was typed")
    assert (window.text(F.PLOT), typed(window)) == ("1", [30, 2, 22.01])
    assert window.app.form.opened is not None and wrong(window) == []


def test_keys_after_a_jump_that_fails_get_into_no_plot(
    window: Window, stored: SQLModel, hold: Callable[[Any, str], Gate]
) -> None:
    stored.save_record(record(1, today(window)))
    window.begin_check()
    window.type("24")  # half typed: plot 2
    gate = hold(window.app.data_model, "get_versioned_record")
    jump(window, "1")
    window.type("30")
    stored.query("DELETE FROM plot_checks")
    gate.opened.set()
    window.until(lambda: window.app.form.shown_record.closed is not None, "the closed plot")
    window.type("30\n")
    assert (window.text(F.PLOT), typed(window), wrong(window)) == ("1", [], [])
    assert "30" in ahead(window)
    jump(window, "2")
    assert typed(window) == [24] and not window.app.form.inputs[F.HUMIDITY].is_disabled


def test_no_field_is_red_that_nobody_touched(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(4, today(window)))
    window.begin_check()
    for number in ("3", "7", "12", "4", "5"):
        jump(window, number)
        window.until(lambda number=number: window.text(F.PLOT) == number, f"plot {number}")  # type: ignore[misc]
        window.press("Tab", "Tab", "shift+Tab")
        window.settle()
        assert wrong(window) == []
    window.app.form.inputs[F.HUMIDITY].focus_set()
    window.type("24\n1\n22\n9\n1\n1\n1\n3\n2\n31\n")
    window.until(lambda: window.text(F.PLOT) == "6" and window.focus == F.LIGHT, "the next plot")
    assert wrong(window) == []
