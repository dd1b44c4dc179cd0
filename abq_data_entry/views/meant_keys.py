"""Keys for a dialog that was asked for in a list, typed before it takes the keyboard: they were meant for its text."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from .typed_keys import TypedKey

_SHIFT = 1


def give_to(dialog: tk.Toplevel, box: tk.Text, confirm: Callable[[], object], source: tk.Misc) -> None:
    """Until ``dialog`` is closed, write what is typed in ``source``, where the focus was, into ``box``.

    Enter is ``confirm``, Shift-Enter breaks the line. Keys that neither write nor erase stay with ``source``.
    """
    tag = f"MeantFor{dialog}"
    windowing_system = str(dialog.tk.call("tk", "windowingsystem"))

    def typed(event: tk.Event) -> str | None:
        key = TypedKey.of(event, windowing_system)
        if key.is_enter and not key.state & _SHIFT:
            confirm()
        elif key.keysym == "BackSpace" and not key.command:
            box.delete("insert-1c")
        elif key.text or key.is_enter:
            box.insert("insert", key.text or "\n")
        else:
            return None
        return "break"

    def closed(event: tk.Event) -> None:
        if event.widget is dialog and source.winfo_exists():
            source.bindtags(tuple(each for each in source.bindtags() if each != tag))
            source.unbind_class(tag, "<Key>")

    source.bind_class(tag, "<Key>", typed)
    source.bindtags((tag, *source.bindtags()))
    dialog.bind("<Destroy>", closed, add=True)
