"""The wheel and the touchpad: real ones, the events that this Tk sends, and what the other one hands over."""

from __future__ import annotations

import subprocess
import time
import tkinter as tk
from collections.abc import Callable, Iterator
from tkinter import ttk
from types import SimpleNamespace
from typing import Any

import pytest

from abq_data_entry.themes import TK_9
from abq_data_entry.widgets.scrolled import DOTS_A_LINE, NOTCH, Wheel, dots, ignore_wheel

old_tk = pytest.mark.skipif(TK_9, reason="Tk 9 sends no Button-4 and Button-5")


@pytest.fixture
def root(display: str) -> Iterator[tk.Tk]:
    made = tk.Tk()
    made.update()
    yield made
    made.destroy()


class Rolled:
    """A canvas with a wheel, and how far it went."""

    def __init__(self, root: tk.Tk, lines: int = 3) -> None:
        self.down: list[int] = []
        self.across: list[int] = []
        self.canvas = tk.Canvas(root)
        self.canvas.pack()
        root.update()
        self.wheel = Wheel(self.canvas, lambda _event, count: self.down.append(count), lines, across=self.across.append)

    def turn(self, sequence: str, **options: Any) -> None:
        self.canvas.event_generate(sequence, x=5, y=5, **options)
        self.canvas.update()


@old_tk
def test_buttons_of_x11_are_three_lines(root: tk.Tk) -> None:
    rolled = Rolled(root)
    rolled.turn("<Button-5>")
    rolled.turn("<Button-4>")
    assert rolled.down == [3, -3]


@pytest.mark.parametrize(("deltas", "expected"), [
    ([-NOTCH], [3]),
    ([NOTCH, NOTCH], [-3, -3]),
    ([-30] * 4, [1, 1, 1]),
    ([-30, 30, 40], [-1]),
    ([-5 * NOTCH], [15]),
])  # fmt: skip
def test_a_fine_wheel_goes_as_far_as_a_coarse_one(root: tk.Tk, deltas: list[int], expected: list[int]) -> None:
    rolled = Rolled(root)
    for delta in deltas:
        rolled.turn("<MouseWheel>", delta=delta)
    assert rolled.down == expected


def test_shift_goes_across(root: tk.Tk) -> None:
    rolled = Rolled(root)
    rolled.turn("<MouseWheel>", delta=-NOTCH, state=1)
    assert (rolled.down, rolled.across) == ([], [3 * DOTS_A_LINE])


def _touch(across: int, down: int) -> SimpleNamespace:
    return SimpleNamespace(delta=(across & 0xFFFF) << 16 | (down & 0xFFFF), state=0)


@pytest.mark.parametrize("moved", [(0, 0), (3, -7), (-3, 7), (-32768, 32767)])
def test_dots_of_a_touchpad_are_read_with_their_signs(moved: tuple[int, int]) -> None:
    event = _touch(*moved)
    assert dots(event.delta) == moved
    signed = event.delta - (1 << 32) if event.delta >= 1 << 31 else event.delta  # as a C int arrives in Python
    assert dots(signed) == moved


def test_two_fingers_go_by_lines_and_by_dots_across(root: tk.Tk) -> None:
    rolled = Rolled(root)
    for _ in range(DOTS_A_LINE):
        rolled.wheel.touched(_touch(2, -2))  # type: ignore[arg-type]
    assert sum(rolled.down) == 2
    assert rolled.across == [-2] * DOTS_A_LINE


@pytest.mark.skipif(not TK_9, reason="this Tk has no TouchpadScroll")
def test_the_event_of_tk_9_arrives(root: tk.Tk) -> None:
    rolled = Rolled(root)
    rolled.turn("<TouchpadScroll>", delta=_touch(0, -2 * DOTS_A_LINE).delta)
    assert rolled.down == [2]


@pytest.mark.skipif(not TK_9, reason="this Tk has no TouchpadScroll")
def test_dots_across_arrive_with_their_sign(root: tk.Tk) -> None:
    rolled = Rolled(root)
    for across in (-7, 5):
        rolled.turn("<TouchpadScroll>", delta=_touch(across, 0).delta)
    assert (rolled.down, rolled.across) == ([], [7, -5])


@pytest.mark.parametrize(("button", "expected"), [(4, -3), (5, 3)])
def test_a_real_wheel(root: tk.Tk, button: int, expected: int) -> None:
    """As the X server sends it: what Tk makes of that is the version's own."""
    rolled = Rolled(root)
    x, y = rolled.canvas.winfo_rootx() + 20, rolled.canvas.winfo_rooty() + 20
    entered = []
    rolled.canvas.bind("<Motion>", lambda _event: entered.append(True))
    subprocess.run(["xdotool", "mousemove", str(x), str(y), "mousemove_relative", "1", "1"], check=True)
    _until(root, lambda: entered)
    subprocess.run(["xdotool", "click", "--repeat", "2", "--delay", "1", str(button)], check=True)
    _until(root, lambda: len(rolled.down) == 2)
    assert rolled.down == [expected, expected]


def _until(root: tk.Tk, condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    root.after(10000, lambda: None)  # something to wake up for
    while not condition():
        assert time.monotonic() < end
        root.tk.dooneevent(0)


WHEELS = [f"<{held}MouseWheel>" for held in ("", "Shift-", "Control-", "Option-", "Shift-Option-")]


@pytest.mark.parametrize("sequence", [*WHEELS, "<Button-4>", "<Button-5>", "<Shift-Button-5>", "<TouchpadScroll>"])
def test_a_list_takes_no_wheel(root: tk.Tk, sequence: str) -> None:
    """Neither by Tk's own bindings of this version nor by those of another one."""
    turned: list[str] = []
    try:
        root.bind_class("TCombobox", sequence, lambda event: turned.append(sequence))
    except tk.TclError:
        pytest.skip(f"this Tk has no {sequence}")
    ignore_wheel(root, "TCombobox")
    box = ttk.Combobox(root, values=["one", "two", "three"])
    box.pack()
    box.current(1)
    root.update()
    for delta in (-NOTCH, NOTCH):
        options: dict[str, Any] = {} if "Button" in sequence else {"delta": delta}
        box.event_generate(sequence, x=5, y=5, **options)
        root.update()
    assert (turned, box.get()) == ([], "two")


def test_a_list_keeps_its_buttons(root: tk.Tk) -> None:
    ignore_wheel(root, "TCombobox")
    assert {"<Button-1>", "<Double-Button-1>", "<B1-Motion>"} <= set(root.bind_class("TCombobox"))
