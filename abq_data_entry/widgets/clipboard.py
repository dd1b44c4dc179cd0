"""The clipboard, read in the background, so that the window isn't blocked if the program that owns it hangs."""

from __future__ import annotations

import queue
import threading
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

TIMEOUT = 1.0  # seconds
# Seconds for which a paste blocks. Nearly every owner answers within them, so that keys typed next come after its text.
AT_ONCE = 0.03
_POLL_MS = 5
NO_ANSWER = "The program that holds the clipboard doesn't answer"

Then = Callable[[str, str], object]
_Found = tuple[str, str]


def read(widget: tk.Misc, then: Then, timeout: float = TIMEOUT, selection: str = "CLIPBOARD") -> None:
    """Call ``then(text, problem)`` on the Tk thread with the text of the clipboard, after ``timeout`` seconds at most.

    ``text`` is empty if there is none; ``problem`` says why it couldn't be read, else it is empty. Usually ``then`` is
    called before this function returns. If the owner of the clipboard is slow, it is called later, but not once
    ``widget`` is gone. A caller that inserts the text must check that the widget hasn't changed in the meantime.
    """
    if str(widget.tk.call("tk", "windowingsystem")) != "x11":
        then(*_ask_tk(widget, selection))
        return
    answers: queue.SimpleQueue[_Found | None] = queue.SimpleQueue()
    widget.winfo_pointerx()  # a round trip: afterwards the X server knows what was copied here a moment ago
    asking = (selection, timeout, widget.winfo_screen(), widget.winfo_id(), answers)
    threading.Thread(target=_ask_x, args=asking, name="clipboard", daemon=True).start()
    _wait(widget, then, selection, answers, AT_ONCE)


def replace_tk_paste(window: tk.Misc) -> None:
    """Make Tk's own paste (in every entry and text widget, by key or mouse) read the clipboard with :func:`read`.

    A late answer is inserted only if the widget hasn't changed since the paste, and the focus is there or where it was.
    """
    name = window.register(lambda path, selection: _selection_for_tk(window.nametowidget(path), selection))
    window.tk.eval(
        f"""
        catch {{::tk::GetSelection}}
        proc ::tk::GetSelection {{w {{sel PRIMARY}}}} {{
            lassign [{name} $w $sel] there text
            if {{$there}} {{return $text}}
            return -code error -errorcode {{TK SELECTION NONE}} "could not find default selection"
        }}
        """
    )


def _selection_for_tk(widget: tk.Misc, selection: str) -> tuple[bool, str]:
    """Return whether the selection has a text, and the text; one that comes later is inserted by itself."""
    answered: list[_Found] = []
    waiting, before, focus = False, _state(widget), str(widget.tk.call("focus"))

    def then(text: str, problem: str) -> None:
        if not waiting:
            answered.append((text, problem))
        # The menu that has chosen Paste may give the focus back only after the paste.
        elif text and _state(widget) == before and str(widget.tk.call("focus")) in (focus, str(widget)):
            _insert(widget, text)

    read(widget, then, selection=selection)
    waiting = True
    return bool(answered and answered[0][0]), answered[0][0] if answered else ""


def _state(widget: tk.Misc) -> object:
    """Return what must be unchanged for a late answer to be inserted: the text and the cursor in it."""
    text = widget.get("1.0", tk.END) if isinstance(widget, tk.Text) else widget.tk.call(widget, "get")
    return text, widget.tk.call(widget, "index", tk.INSERT)


def _insert(widget: tk.Misc, text: str) -> None:
    selected = widget.tag_ranges(tk.SEL) if isinstance(widget, tk.Text) else _selection_of(widget)
    if selected:
        widget.tk.call(widget, "delete", *selected)
    widget.tk.call(widget, "insert", tk.INSERT, text)
    # Tk's own paste scrolls to the cursor, too.
    if isinstance(widget, tk.Text):
        widget.see(tk.INSERT)
    else:
        widget.tk.call("ttk::entry::See" if isinstance(widget, ttk.Entry) else "tk::EntrySeeInsert", widget)


def _selection_of(entry: tk.Misc) -> tuple[str, ...]:
    present = entry.tk.getboolean(entry.tk.call(entry, "selection", "present"))
    return ("sel.first", "sel.last") if present else ()


def _wait(
    widget: tk.Misc, then: Then, selection: str, answers: queue.SimpleQueue[_Found | None], seconds: float
) -> None:
    try:
        found = answers.get(timeout=seconds) if seconds else answers.get_nowait()
    except queue.Empty:
        widget.after(_POLL_MS, _wait_if_there, widget, then, selection, answers)
        return
    then(*(found if found is not None else _ask_tk(widget, selection)))


def _wait_if_there(
    widget: tk.Misc, then: Then, selection: str, answers: queue.SimpleQueue[_Found | None]
) -> None:
    if widget.winfo_exists():
        _wait(widget, then, selection, answers, 0)


def _ask_x(
    selection: str, timeout: float, display: str, window: int, answers: queue.SimpleQueue[_Found | None]
) -> None:
    """Ask the X server, on a thread. The answer is ``None`` if Tk has to be asked: it owns the selection, or X can't be
    asked."""
    from .x_selection import NoAnswer, OwnedHere, Unavailable, text_of

    try:
        answers.put((text_of(selection, timeout, display, window), ""))
    except NoAnswer:
        answers.put(("", NO_ANSWER))
    except (OwnedHere, Unavailable):
        answers.put(None)


def _ask_tk(widget: tk.Misc, selection: str) -> _Found:
    try:
        return str(widget.selection_get(selection=selection)), ""
    except tk.TclError:  # it is empty, or holds no text
        return "", ""
