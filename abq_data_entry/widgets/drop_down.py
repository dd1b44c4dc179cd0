"""The list that a combobox opens: as wide as its longest entry, where the box itself is narrower."""

from __future__ import annotations

from tkinter import ttk

from .note_line import measure_in

_BESIDE = 32  # border, padding and a scrollbar, on a screen of 96 dots an inch
_USUAL_SCALING = 96 / 72


def widen_list(box: ttk.Combobox) -> None:
    """To be called by the ``postcommand`` of ``box``, after it has set the values: the list opens as wide as the
    longest of them needs, within the screen."""
    entries = [str(each) for each in box.cget("values")]
    measure = measure_in("TkTextFont", box)
    dots = max(1.0, float(box.tk.call("tk", "scaling")) / _USUAL_SCALING)
    screen = box.winfo_screenwidth()
    wanted = min(max(map(measure, entries), default=0) + round(_BESIDE * dots), screen)
    more = max(0, wanted - box.winfo_width())
    left = min(0, screen - box.winfo_rootx() - box.winfo_width() - more)
    style, offset = ttk.Style(box), (left, 0, more, 0)
    name = str(box.cget("style")) or "TCombobox"
    known = tuple(int(str(each)) for each in box.tk.splitlist(style.lookup(name, "postoffset") or (0, 0, 0, 0)))
    if known != offset:  # one list is open at a time, so that all boxes of a style can share it
        style.configure(name, postoffset=offset)
