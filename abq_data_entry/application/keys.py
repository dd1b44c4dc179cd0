"""All keys of the window, and what Tk's own keys of text fields are on a desktop of today."""

from __future__ import annotations

import tkinter as tk
from typing import TYPE_CHECKING

from ..mainmenu import bind_keys
from .font_keys import bind_font_keys
from .latin_keys import LatinKeys
from .number_pad import NumberPad
from .plot_keys import PlotKeys

if TYPE_CHECKING:
    from .window import Application

_NOT_EMACS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # Tk on X11 has the keys of Emacs for these.
    ("<<Paste>>", ("<Control-Key-y>", "<Control-Lock-Key-Y>")),
    ("<<LineStart>>", ("<Control-Key-a>", "<Control-Lock-Key-A>")),
    ("<<Cut>>", ("<Control-Key-w>", "<Control-Lock-Key-W>")),
    # Q lies where Hebrew keyboards have /.
    ("<<SelectAll>>", ("<Control-Key-slash>",)),
)
_USUAL: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("<<Redo>>", ("<Control-Key-y>", "<Control-Lock-Key-Y>", "<Control-Shift-Key-Z>")),
    ("<<SelectAll>>", ("<Control-Key-a>", "<Control-Lock-Key-A>")),
)


def bind_all_keys(application: Application) -> None:
    """Bind the keys of commands, plots, fonts and of the number pad, on every keyboard layout."""
    mac = application.tk.call("tk", "windowingsystem") == "aqua"
    bind_keys(application, application.callbacks, mac)
    if not mac:
        for event, keys in _NOT_EMACS:
            application.event_delete(event, *keys)
        for event, keys in _USUAL:
            application.event_add(event, *keys)
    LatinKeys(application)
    modifier = "Command" if mac else "Control"
    go_to_plot = application.messages.command(application.navigation.go_to_plot)
    PlotKeys(application, go_to_plot, modifier, application.callbacks["usual_text"])
    bind_font_keys(application, application.callbacks)
    editors = [each.editor for each in application.form.inputs.values() if not isinstance(each.editor, tk.Text)]
    NumberPad(application, editors, application.callbacks)
