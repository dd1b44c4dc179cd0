"""Which database the window writes to: named in its title, never guessed; a change is asked about once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import folders
from ..constants import APPLICATION_NAME
from ..widgets.message_bar import Message

if TYPE_CHECKING:
    from .window import Application

log = logging.getLogger(__name__)

_FILE = "last-database"
_KEY = "which database"
_LARGEST = 4096  # characters


class WhichDatabase:
    """Lets the database be opened once it is sure which one is meant. On the Tk thread."""

    def __init__(self, application: Application, begin: Callable[[], object]) -> None:
        """`begin()` opens the database, and is called once."""
        self._app = application
        self._begin = begin
        self._begun = False

    @property
    def name(self) -> str:
        """The database that the settings lead to, for people: `abq on db1.lab.example`."""
        settings = self._app.settings
        hosts = [each.strip() for each in str(settings["db_host"].get()).split(",") if each.strip()]
        return f"{settings['db_name'].get()} on {' and '.join(hosts) if hosts else 'this computer'}"

    def look(self) -> None:
        """Open the database that the settings lead to, if they say so without doubt and it is the one of last time."""
        if self._begun:
            return
        if self._app.settings_model.doubts:
            self._doubt()
        else:
            self._app.title(f"{APPLICATION_NAME}: {self.name}")
            self._app.jobs.submit("files", _last, done=self._compare, failed=lambda _error: self._compare(""))

    def is_settled(self) -> bool:
        """Whether the database may be opened; where not, it is looked again whether it may be."""
        if not self._begun:
            self.look()
        return self._begun

    def _doubt(self) -> None:
        text = "The settings leave a doubt which database is meant, so none was opened."
        details = "\n".join(self._app.settings_model.doubts)
        log.error("no database is opened: %s", details)
        details = f"{details}\nPut the file right; it is left as it is."
        self._hold_back(text, details, (("Look Again", self._look_again),))

    def _look_again(self) -> None:
        from .preferences import IN_WINDOW, SAVING

        model = self._app.settings_model
        model.load()
        for name, value in model.values().items():
            if name not in IN_WINDOW:
                self._app.settings[name].set(value)
        if not model.doubts:
            self._app.messages.settled(SAVING)  # what was changed meanwhile couldn't be saved; now it can
        self.look()

    def _compare(self, last: str) -> None:
        from ..journal import same_database

        present = self._app.connection.database
        if self._begun:
            return
        if not last or same_database(last, present):
            self._open()
            return
        self._hold_back(
            f"This window would write to {self.name}, which isn't the database of last time.",
            f"Last time it was {last}. If that is meant, go on; else close the window and put the setting db_host or"
            " db_name right.",
            ((f"Write to {self.name}", self._open),),
        )

    def _hold_back(self, text: str, detail: str, actions: tuple[tuple[str, Callable[[], object]], ...]) -> None:
        self._app.shared.read_only = text
        self._app.connection_lost(f"{text}\n{detail}", self.look)
        self._app.status_bar.messages.tell(Message(_KEY, text, detail, actions, lasting=True))

    def _open(self) -> None:
        if self._begun:
            return
        self._begun = True
        self._app.status_bar.messages.settle(_KEY)
        self._app.status_bar.show_connection("")
        self._app.shared.read_only = ""
        self._app.jobs.submit("files", _remember, self._app.connection.database, failed=_not_remembered)
        self._begin()


def _last() -> str:
    try:
        with (folders.data_folder() / _FILE).open(encoding="utf-8") as file:
            return file.read(_LARGEST).strip()
    except FileNotFoundError:
        return ""


def _remember(database: str) -> None:
    if _last() != database:
        with folders.replacement(folders.data_folder(create=True) / _FILE) as file:
            file.write_text(f"{database}\n", encoding="utf-8")


def _not_remembered(error: BaseException) -> None:
    log.warning("which database was opened couldn't be noted: %s", error)
