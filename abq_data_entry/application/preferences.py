"""The settings as Tk variables, what this computer says of dates, and the offer of an entry in its menu of programs."""

from __future__ import annotations

import functools
import logging
import sys
import tkinter as tk
from typing import TYPE_CHECKING, Any

from .. import folders, themes
from ..constants import APPLICATION_NAME, SETTINGS_FILE
from ..fields.dates import writes_month_first
from ..stored_destination import STORED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ..jobs import Jobs
    from ..models import SettingsModel
    from ..stored_destination import StoredDestination
    from ..themes.desktop import DesktopPreference
    from .messages import Messages, ShowStatus

log = logging.getLogger(__name__)

SAVING = "Saving Settings"  # the subject of what is said when it fails
LOOK = ("theme", "font size", "density", "font family")
TYPING = ("sound", "implied decimals", "auto advance")
IN_WINDOW = (*LOOK, *TYPING, "autofill date", "autofill sheet data", "window geometry")
_VARIABLES: dict[str, type[tk.Variable]] = {"bool": tk.BooleanVar, "int": tk.IntVar, "str": tk.StringVar}


class Settings:
    """``variables`` are the Tk variables of the settings file's names, to which views and menus bind; ``model`` reads
    and writes the file."""

    def __init__(self, window: tk.Misc, model: SettingsModel) -> None:
        self.model = model
        self.variables: dict[str, tk.Variable] = {
            name: _VARIABLES[str(each["type"])](window, each["value"]) for name, each in model.variables.items()
        }
        self.stored: dict[str, StoredDestination] | None = None
        """The destinations of the database, as of the last look."""

    def values(self) -> dict[str, Any]:
        """Return the present settings for a worker thread, with the destinations of the database by key."""
        known = {} if self.stored is None else {STORED: self.stored}
        return {**{name: variable.get() for name, variable in self.variables.items()}, **known}

    @property
    def is_own_database(self) -> bool:
        """Whether the settings name the embedded database."""
        return not self.variables["db_host"].get()


def apply_look(
    window: tk.Tk, variables: Mapping[str, tk.Variable], desktop_is_dark: bool = False
) -> themes.Look:
    """Apply theme, font size and density to the window."""
    theme, size, density, family = (variables[name].get() for name in LOOK)
    return themes.apply(window, str(theme), int(size), str(density), desktop_is_dark, str(family))


class Preferences:
    """Saves what the Options menu changes. ``show_look()`` applies a changed look; ``suit_screen()`` resizes the window
    of the first start when the screen has a finer resolution than was known."""

    def __init__(
        self,
        window: tk.Tk,
        settings: Settings,
        jobs: Jobs,
        messages: Messages,
        show_look: Callable[[], object],
        suit_screen: Callable[[], object],
    ) -> None:
        self._window, self._settings, self._jobs, self._messages = window, settings, jobs, messages
        self._show_look, self._suit_screen = show_look, suit_screen
        self.desktop_is_dark = False
        for name in IN_WINDOW:
            settings.variables[name].trace_add("write", lambda *_, name=name: self._changed(name))

    def apply_look(self) -> themes.Look:
        """Apply theme, font size and density to the window."""
        return apply_look(self._window, self._settings.variables, self.desktop_is_dark)

    def ask_desktop(self) -> None:
        """Ask the desktop in the background whether it is dark, and how fine its screen is; then follow it."""
        self._jobs.submit("files", _desktop_preference, done=self.follow_desktop)

    def follow_desktop(self, preference: DesktopPreference) -> None:
        """Follow the desktop's choice of dark or light, and the resolution of its screen."""
        scaling = float(self._window.tk.call("tk", "scaling"))
        # Tk 9 knows the resolution from the desktop, so its scaling must not be changed here.
        told = None if themes.TK_9 else preference.dpi
        finer = told is not None and abs(told / 72 - scaling) > scaling * 0.1
        if finer and told is not None:
            self._window.tk.call("tk", "scaling", told / 72)
        if finer or preference.dark != self.desktop_is_dark:
            self.desktop_is_dark = preference.dark
            self._show_look()
        if finer:
            self._suit_screen()

    def show_file(self, show_status: ShowStatus) -> None:
        """Open the folder of the settings file; a missing file is written with the present values."""
        path = folders.config_folder() / SETTINGS_FILE

        def open_folder() -> None:
            import subprocess

            if not path.exists():
                self._settings.model.save()
            opener = {"darwin": "open", "win32": "explorer"}.get(sys.platform, "xdg-open")
            subprocess.Popen([opener, str(path.parent)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        show_status(f"Settings file: {path}")
        self._jobs.submit("files", open_folder, failed=lambda error: show_status(f"Settings file: {path} ({error})"))

    def _changed(self, name: str) -> None:
        self._settings.model.set(name, self._settings.variables[name].get())
        self._jobs.submit("files", self._settings.model.save, failed=self._save_failed)
        if name in LOOK:
            self._show_look()

    def _save_failed(self, error: BaseException) -> None:
        log.warning("the settings couldn't be saved", exc_info=error)
        self._messages.note(SAVING, "The settings couldn't be saved.", str(error))


def _desktop_preference() -> DesktopPreference:
    from ..themes.desktop import desktop_preference  # on the worker thread, so that its imports don't delay the window

    return desktop_preference()


_SAMPLE = (2026, 11, 26, 12, 0, 0, 3, 330, 0)


@functools.cache
def month_first() -> bool:
    """Return whether dates with slashes have the month first here; determined once. False without a locale."""
    import locale  # only for the first date with a slash, so that it doesn't slow the start
    import time

    before = locale.setlocale(locale.LC_TIME)
    try:
        name = locale.setlocale(locale.LC_TIME, "")
        return name.split(".")[0] not in ("C", "POSIX") and writes_month_first(time.strftime("%x", _SAMPLE))
    except locale.Error:  # one that isn't installed
        return False
    finally:
        locale.setlocale(locale.LC_TIME, before)


_FILE = "desktop-entry-offered"
_TITLE = "Menu of Programs"


class DesktopEntry:
    """Offers an entry in the application menu, in the message bar. On the Tk thread."""

    def __init__(self, jobs: Jobs, messages: Messages, show_status: ShowStatus) -> None:
        self._jobs, self._messages, self._show_status = jobs, messages, show_status

    def offer(self) -> None:
        """Offer the entry to a user who has none and was never asked; not with other folders than the usual ones,
        because the entry would open those."""
        if folders.are_usual():
            self._jobs.submit("files", _to_be_offered, done=self._offer, failed=_not_offered)

    def _offer(self, to_be_offered: bool) -> None:
        if not to_be_offered:
            return
        self._messages.choice(
            _TITLE,
            f"Add {APPLICATION_NAME} to this computer's application menu?",
            "You can start it there with a click, like other programs. This is for you only. You are asked once.",
            (("Put It There", self._make), ("No, Thanks", None)),
        )

    def _make(self) -> None:
        self._jobs.submit("files", _made, done=self._show_made, failed=self._show_failure)

    def _show_made(self, _paths: list[Path]) -> None:
        self._show_status(f"{APPLICATION_NAME} is in the application menu")

    def _show_failure(self, error: BaseException) -> None:
        log.error("no entry in the application menu", exc_info=error)
        self._messages.failure(_TITLE, "The entry could not be made", str(error), retry=self._make)


def _to_be_offered() -> bool:
    """Return whether to offer it, and note that it was offered."""
    from .. import shortcuts

    mark = folders.data_folder(create=True) / _FILE
    if mark.exists() or shortcuts.is_installed():
        return False
    mark.touch(mode=0o600)
    return True


def _not_offered(error: BaseException) -> None:
    log.warning("whether the entry in the application menu was offered can't be noted: %s", error)


def _made() -> list[Path]:
    from .. import shortcuts

    return shortcuts.install()
