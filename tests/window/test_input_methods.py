"""Dead keys: input methods are put off at the start, and then work in every field, the first one too."""

from __future__ import annotations

import subprocess
import time
import tkinter as tk
from collections.abc import Callable, Iterator

import pytest

from abq_data_entry.application.input_methods import put_off_input_methods, resume_input_methods
from abq_data_entry.constants import FieldNames as F
from tests.fixtures.window import Window

PATIENCE = 15.0


@pytest.fixture
def entries(display: str) -> Iterator[tuple[tk.Entry, tk.Entry]]:
    """Two entries of a window that was opened without input methods; the first one has the focus."""
    root = tk.Tk()
    if not put_off_input_methods(root):
        root.destroy()
        pytest.skip("this display has no input methods")
    made = tk.Entry(root), tk.Entry(root)
    for each in made:
        each.pack()
    made[0].focus_force()
    until(root, lambda: root.winfo_viewable() and root.focus_displayof() is made[0])
    yield made
    root.destroy()


def until(root: tk.Misc, condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        root.after(10, lambda: None)
        root.tk.dooneevent(0)
        assert time.monotonic() < end, "waited in vain"
    root.update()


def type_into(entry: tk.Entry, *keys: str) -> None:
    """Type keys, of which the last one is an ordinary letter, and wait for that."""
    process = subprocess.Popen(["xdotool", "key", "--delay", "20", *keys])
    until(entry, lambda: process.poll() is not None and entry.get().endswith(keys[-1]))


def test_each_entry_takes_dead_keys_once_they_are_resumed(entries: tuple[tk.Entry, tk.Entry]) -> None:
    first, second = entries
    came: list[object] = []
    first.bind("<FocusIn>", came.append)
    resume_input_methods(first.winfo_toplevel())  # type: ignore[arg-type]
    type_into(first, "dead_acute", "e", "a")
    assert first.get() == "éa" and came == []
    second.focus_set()
    type_into(second, "dead_acute", "e", "b")
    first.focus_set()
    type_into(first, "dead_acute", "o", "c")
    assert (second.get(), first.get(), len(came)) == ("éb", "éaóc", 1)


def test_without_them_a_dead_key_is_a_sign_of_its_own(entries: tuple[tk.Entry, tk.Entry]) -> None:
    """What the others rely on: that it makes a difference."""
    type_into(entries[0], "dead_acute", "e", "a")
    assert entries[0].get() == "´ea"


def test_the_window_takes_dead_keys(window: Window) -> None:
    window.app.form.inputs[F.NOTES].editor.focus_set()
    for _ in range(5):  # a keyboard without that key is given it while it is pressed, and a busy display is told late
        window.press("dead_acute", "e", "a")
        window.until(lambda: window.text(F.NOTES).endswith("a"), "the last key")
        if window.text(F.NOTES) != "ea":
            break
        window.fill(Notes="")
    assert window.text(F.NOTES) == "éa"
