"""A program that holds the clipboard and hangs: the window goes on, and gives up after a second."""

from __future__ import annotations

import sys
import threading
import time
import tkinter as tk
from collections.abc import Callable, Iterator

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.widgets import clipboard
from tests.fixtures.clipboard import Owner
from tests.fixtures.cluster import wait_until
from tests.fixtures.window import Window
from tests.pace import patience

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="selections of X")
Owners = Callable[[str], Owner]


@pytest.fixture
def root(display: str) -> Iterator[tk.Tk]:
    """A bare window, in which Tk's own pastes have been taught."""
    root = tk.Tk()
    clipboard.replace_tk_paste(root)
    root.deiconify()
    root.wait_visibility()
    yield root
    root.destroy()


def until(root: tk.Tk, condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Run the window until ``condition()`` holds."""
    end = time.monotonic() + seconds
    root.after(100, lambda: None)
    while not condition():
        assert time.monotonic() < end
        root.after(20, lambda: None)
        root.tk.dooneevent(0)


def asked(root: tk.Tk, **options: object) -> tuple[tuple[str, str], float]:
    """What was read, and how long that took in seconds."""
    got: list[tuple[str, str]] = []
    begin = time.monotonic()
    clipboard.read(root, lambda text, problem: got.append((text, problem)), **options)  # type: ignore[arg-type]
    assert time.monotonic() - begin < patience(0.2)  # the window goes on
    until(root, lambda: got)
    return got[0], time.monotonic() - begin


@pytest.mark.parametrize("text", ["24,09 g/m³", "24.09\t1.03\n22,01 → \U0001f33f", "x" * 3_000_000])
def test_what_another_program_holds(root: tk.Tk, clipboard_owner: Owners, text: str) -> None:
    clipboard_owner(text)
    for selection in ("CLIPBOARD", "PRIMARY"):
        (found, problem), _took = asked(root, timeout=8.0, selection=selection)
        assert found == text and not problem


def test_nobody_holds_it(root: tk.Tk, clipboard_owner: Owners) -> None:
    clipboard_owner("gone").end()
    assert asked(root)[0] == ("", "")


def test_our_own(root: tk.Tk) -> None:
    root.clipboard_clear()
    root.clipboard_append("24.09")
    assert asked(root)[0] == ("24.09", "")


def test_a_stopped_owner(root: tk.Tk, clipboard_owner: Owners) -> None:
    owner = clipboard_owner("24.09")
    owner.stop()
    (text, problem), took = asked(root)
    assert (text, problem) == ("", clipboard.NO_ANSWER)
    assert took < patience(2.0)
    owner.go_on()
    # It first answers the one that has stopped waiting, and may refuse the next one over that.
    answers = iter(lambda: asked(root)[0], None)
    assert next((each for each, _ in zip(answers, range(20), strict=False) if each[0]), None) == ("24.09", "")


def test_the_window_works_meanwhile(root: tk.Tk, clipboard_owner: Owners) -> None:
    clipboard_owner("24.09").stop()
    pauses, last, got = [0.0], [time.monotonic()], []

    def tick() -> None:
        pauses.append(time.monotonic() - last[0])
        last[0] = time.monotonic()
        root.after(5, tick)

    tick()
    for _ in range(5):
        clipboard.read(root, lambda *found: got.append(found))
    until(root, lambda: len(got) == 5)
    assert max(pauses) < patience(5 * clipboard.AT_ONCE + 0.3)


def test_a_widget_that_is_gone_hears_nothing(root: tk.Tk, clipboard_owner: Owners) -> None:
    clipboard_owner("24.09").stop()
    frame, got = tk.Frame(root), []
    clipboard.read(frame, lambda *found: got.append(found), timeout=0.2)
    frame.destroy()
    until(root, lambda: not any(each.name == "clipboard" for each in threading.enumerate()))
    root.update()
    assert not got


@pytest.mark.parametrize("kind", ["Entry", "Text", "ttk.Entry"])
def test_tks_own_pastes(root: tk.Tk, clipboard_owner: Owners, kind: str) -> None:
    from tkinter import ttk

    widget = ttk.Entry(root) if kind == "ttk.Entry" else getattr(tk, kind)(root)
    widget.pack()
    widget.focus_force()
    root.update()

    def text() -> str:
        return widget.get("1.0", "end-1c") if isinstance(widget, tk.Text) else widget.get()

    owner = clipboard_owner("24.09")
    widget.insert(tk.INSERT, "a ")
    widget.event_generate("<<Paste>>")
    wait_until(lambda: root.update() or text() == "a 24.09", "what is pasted")  # type: ignore[func-returns-value]
    # A stopped owner: nothing comes, and nothing waits.
    owner.stop()
    begin = time.monotonic()
    widget.event_generate("<<Paste>>")
    assert time.monotonic() - begin < patience(0.2)
    assert text() == "a 24.09"
    # It goes on in time: the answer is inserted late, where nothing has changed meanwhile.
    owner.go_on()
    until(root, lambda: text() == "a 24.0924.09")
    owner.stop()
    widget.event_generate("<<Paste>>")
    widget.insert(tk.INSERT, "!")
    owner.go_on()
    until(root, lambda: not any(each.name == "clipboard" for each in threading.enumerate()))
    root.update()
    assert text() == "a 24.0924.09!"
    # A menu gives the focus back while the owner is asked; whoever has gone on to another field has no use for it.
    other = tk.Entry(root)
    other.pack()
    for focused, pasted in ((widget, "a 24.0924.09!24.09"), (other, "a 24.0924.09!24.09")):
        other.focus_force()
        root.update()
        owner.stop()
        if focused is other:
            widget.focus_force()
            root.update()
        widget.event_generate("<<Paste>>")
        focused.focus_force()
        root.update()
        owner.go_on()
        until(root, lambda: not any(each.name == "clipboard" for each in threading.enumerate()))
        heard: list[bool] = []
        root.after(20, heard.append, True)  # after the timer that looks for the answer
        until(root, lambda heard=heard: heard)  # type: ignore[misc]
        assert text() == pasted


@pytest.mark.parametrize("kind", ["Entry", "Text", "ttk.Entry"])
def test_the_end_of_what_comes_late_is_in_sight(root: tk.Tk, clipboard_owner: Owners, kind: str) -> None:
    from tkinter import ttk

    widget = ttk.Entry(root) if kind == "ttk.Entry" else getattr(tk, kind)(root)
    widget.configure(width=20)
    widget.pack()
    widget.focus_force()
    owner = clipboard_owner("\n".join(f"line {number} of a long text" for number in range(60)))
    root.update()
    owner.stop()
    widget.event_generate("<<Paste>>")
    owner.go_on()
    until(root, lambda: widget.index(tk.INSERT) not in (0, "1.0"))
    root.update()
    assert widget.bbox(tk.INSERT) if isinstance(widget, tk.Text) else widget.xview()[1] == 1.0


@pytest.mark.parametrize("name", [F.HUMIDITY, F.NOTES])
def test_a_stopped_owner_does_not_stop_the_window(window: Window, clipboard_owner: Owners, name: str) -> None:
    window.begin_check()
    owner = clipboard_owner("11.11")
    owner.stop()
    field = window.app.form.inputs[name]
    field.focus_set()
    window.until(lambda: window.focus == name, "the focus")
    begin = time.monotonic()
    window.press("ctrl+v")
    window.type("24.09")
    window.until(lambda: field.text == "24.09", "the keys that were typed after it")
    assert time.monotonic() - begin < patience(3.0)  # Tk alone takes ten seconds
    owner.go_on()
    window.until(lambda: not any(each.name == "clipboard" for each in threading.enumerate()), "the end of the asking")
    window.settle()
    assert field.text == "24.09"  # a late answer isn't put into what was typed meanwhile
