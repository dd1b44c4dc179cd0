"""The settings as Tk variables: what the Options menu changes takes effect at once and is written down."""

from __future__ import annotations

import logging
import tkinter as tk
from typing import TYPE_CHECKING

from .. import themes

if TYPE_CHECKING:
    from ..models import SettingsModel
    from ..themes.desktop import DesktopPreference
    from .window import Application

log = logging.getLogger(__name__)
SAVING = "Saving Settings"  # the subject of what is said when it fails
LOOK = ("theme", "font size", "density", "font family")
TYPING = ("sound", "implied decimals", "auto advance")
IN_WINDOW = (*LOOK, *TYPING, "autofill date", "autofill sheet data", "window geometry")
_VARIABLES: dict[str, type[tk.Variable]] = {"bool": tk.BooleanVar, "int": tk.IntVar, "str": tk.StringVar}


class Preferences:
    """Holds the variables of the settings file's names; ``variables`` is what views and menus bind to."""

    def __init__(self, application: Application, model: SettingsModel) -> None:
        self._app = application
        self._model = model
        self.desktop_is_dark = False
        self.variables: dict[str, tk.Variable] = {
            name: _VARIABLES[str(each["type"])](application, each["value"]) for name, each in model.variables.items()
        }
        for name in IN_WINDOW:
            self.variables[name].trace_add("write", lambda *_, name=name: self._changed(name))

    def apply_look(self) -> themes.Look:
        """Apply theme, font size and density to the window."""
        theme, size, density, family = (self.variables[name].get() for name in LOOK)
        return themes.apply(self._app, str(theme), int(size), str(density), self.desktop_is_dark, str(family))

    def ask_desktop(self) -> None:
        """Ask the desktop in the background whether it is dark, and how fine its screen is; then follow it."""
        self._app.jobs.submit("files", _desktop_preference, done=self._desktop_answered)

    def _desktop_answered(self, preference: DesktopPreference) -> None:
        scaling = float(self._app.tk.call("tk", "scaling"))
        # Tk 9 has asked the desktop itself, in more ways than we do: it isn't set right, or wrong, once more.
        told = None if themes.TK_9 else preference.dpi
        finer = told is not None and abs(told / 72 - scaling) > scaling * 0.1
        if finer and told is not None:
            self._app.tk.call("tk", "scaling", told / 72)
        if finer or preference.dark != self.desktop_is_dark:
            self.desktop_is_dark = preference.dark
            self._app.show_look()
        if finer:
            self._app.suit_look()

    def _changed(self, name: str) -> None:
        self._model.set(name, self.variables[name].get())
        self._app.jobs.submit("files", self._model.save, failed=self._save_failed)
        if name in LOOK:
            self._app.show_look()

    def _save_failed(self, error: BaseException) -> None:
        log.warning("the settings couldn't be saved", exc_info=error)
        self._app.messages.note(SAVING, "The settings couldn't be saved.", str(error))


def _desktop_preference() -> DesktopPreference:
    from ..themes.desktop import desktop_preference  # on the worker: its imports would keep the window waiting

    return desktop_preference()
