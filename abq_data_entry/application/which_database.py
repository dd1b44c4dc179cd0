"""Decides which database the window uses, without guessing; notices another, newer or damaged one in its place."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import folders
from ..constants import APPLICATION_NAME, SCHEMA_VERSION
from ..widgets.status_bar import Message
from ..workflows.back_up import Restored, restore_beside
from .backup import Backups, Begin
from .preferences import IN_WINDOW, SAVING

if TYPE_CHECKING:
    import tkinter as tk

    from ..jobs import Jobs
    from ..models import SQLModel
    from ..postgres import KeptBackups
    from ..widgets import StatusBar
    from ..widgets.status_bar import MessageBar
    from .messages import Messages
    from .preferences import Settings
    from .state import State

log = logging.getLogger(__name__)

_FILE = "last-database"
_KEY = "which database"
_LARGEST = 4096  # characters


class WhichDatabaseCallbacks(NamedTuple):
    """`database()` returns the name by which the journal knows the database of the settings; `refused(text, retry)` is
    called if none is opened, with the reason; `begin()` opens it, and is called once."""

    database: Callable[[], str]
    refused: Callable[[str, Callable[[], object]], object]
    begin: Callable[[], object]


class WhichDatabase:
    """Allows opening the database once it is certain which one is meant. On the Tk thread."""

    def __init__(
        self,
        window: tk.Tk,
        state: State,
        jobs: Jobs,
        settings: Settings,
        status_bar: StatusBar,
        settled: Callable[[str], object],
        callbacks: WhichDatabaseCallbacks,
    ) -> None:
        """`settled(subject)` removes the message about a subject."""
        self._window, self._state, self._jobs, self._settings = window, state, jobs, settings
        self._status_bar, self._settled, self._callbacks = status_bar, settled, callbacks
        self._begun = False

    @property
    def name(self) -> str:
        """The database of the settings, in words: `abq on db1.lab.example`."""
        settings = self._settings.variables
        hosts = [each.strip() for each in str(settings["db_host"].get()).split(",") if each.strip()]
        return f"{settings['db_name'].get()} on {' and '.join(hosts) if hosts else 'this computer'}"

    def look(self) -> None:
        """Open the database of the settings, if they are unambiguous and it is the same as last time."""
        if self._begun:
            return
        if self._settings.model.doubts:
            self._doubt()
        else:
            self._window.title(f"{APPLICATION_NAME}: {self.name}")
            self._jobs.submit("files", _last, done=self._compare, failed=lambda _error: self._compare(""))

    def is_settled(self) -> bool:
        """Return whether the database may be opened; if not, check again whether it may be."""
        if not self._begun:
            self.look()
        return self._begun

    def _doubt(self) -> None:
        text = "The settings don't say clearly which database is meant, so none was opened."
        details = "\n".join(self._settings.model.doubts)
        log.error("no database is opened: %s", details)
        details = f"{details}\nCorrect the file; it is left as it is."
        self._hold_back(text, details, (("Look Again", self._look_again),))

    def _look_again(self) -> None:
        model = self._settings.model
        model.load()
        for name, value in model.values().items():
            if name not in IN_WINDOW:
                self._settings.variables[name].set(value)
        if not model.doubts:
            self._settled(SAVING)  # settings changed in the meantime couldn't be saved; now they can
        self.look()

    def _compare(self, last: str) -> None:
        from ..journal import same_database

        present = self._callbacks.database()
        if self._begun:
            return
        if not last or same_database(last, present):
            self._open()
            return
        self._hold_back(
            f"This window would write to {self.name}, which isn't the database of last time.",
            f"Last time it was {last}. If this one is meant, go on; otherwise close the window and correct the"
            " setting db_host or db_name.",
            ((f"Write to {self.name}", self._open),),
        )

    def _hold_back(self, text: str, detail: str, actions: tuple[tuple[str, Callable[[], object]], ...]) -> None:
        self._state.read_only = text
        self._callbacks.refused(f"{text}\n{detail}", self.look)
        self._status_bar.messages.show_message(Message(_KEY, text, detail, actions, until_resolved=True))

    def _open(self) -> None:
        if self._begun:
            return
        self._begun = True
        self._status_bar.messages.settle(_KEY)
        self._status_bar.show_connection("")
        self._state.read_only = ""
        self._jobs.submit("files", _remember, self._callbacks.database(), failed=_not_remembered)
        self._callbacks.begin()


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


_OUTDATED, _REPLACED = "newer tables", "restored"
UPDATE = "This window must be updated: the database was brought to a newer version."


class DatabaseChanges:
    """Compares what each new connection found with what was found before. On the Tk thread.

    ``refresh()`` looks up again what is shown: another database has taken the place of the one that was open.
    """

    def __init__(self, state: State, jobs: Jobs, bar: MessageBar, refresh: Callable[[], object]) -> None:
        self._state, self._jobs, self._bar, self._refresh = state, jobs, bar, refresh
        self._database = 0
        self._expected = False

    def expect_another(self, expected: bool = True) -> None:
        """Don't report the next replacement, because this window itself restores a backup."""
        self._expected = expected

    def ask(self, model: SQLModel) -> None:
        """Ask for the version of the tables, because somebody may have changed it."""
        self._jobs.submit("records", model.read_schema_version, failed=_version_unknown)

    def look(self, model: SQLModel) -> None:
        """Compare with what the latest connection found."""
        found = model.server_facts
        self._show_version(found.version)
        before = self._database
        if found.database and found.database != before:
            self._database = found.database
            if before:
                self._show_replaced()

    def forget(self) -> None:
        """Forget what was found, because another database is open now."""
        self._database = 0

    def _show_version(self, version: int) -> None:
        outdated = version > SCHEMA_VERSION
        if outdated == self._state.outdated or not version:
            return
        self._state.outdated = outdated
        if not outdated:
            self._bar.settle(_OUTDATED)
            return
        log.error("the tables are of version %s, this program knows %s", version, SCHEMA_VERSION)
        detail = (
            "Close it, and install the newer version of ABQ Data Entry. What is saved here until then waits on this"
            " computer; the newer version saves it."
        )
        self._bar.show_message(Message(_OUTDATED, UPDATE, detail, until_resolved=True))

    def _show_replaced(self) -> None:
        expected, self._expected = self._expected, False
        if expected:
            return
        log.warning("the database was replaced by another one of its name")
        self._refresh()
        detail = (
            "What was recorded after that backup isn't in the database any more. Compare what is shown now with your"
            " sheets before you go on."
        )
        message = "The database was replaced by a backup while this window was open."
        self._bar.show_message(Message(_REPLACED, message, detail, (("Understood", None),)))


def _version_unknown(error: BaseException) -> None:
    log.info("the version of the tables couldn't be asked: %s", type(error).__name__)


class DamageRecovery:
    """Recovery of a damaged database; only after the user's confirmation."""

    def __init__(
        self,
        jobs: Jobs,
        messages: Messages,
        database: Callable[[], str],
        backups: Backups,
        begin: Begin,
        connect: Callable[[], object],
    ) -> None:
        """``database()``: the name of the database; ``connect()`` opens it."""
        self._jobs, self._messages, self._database = jobs, messages, database
        self._backups, self._begin, self._connect = backups, begin, connect

    def offer_restore(self, error: BaseException) -> None:
        """Offer to restore the newest backup, or another one, because the embedded database is damaged."""
        kept = self._backups.kept()
        self._jobs.submit(
            "files",
            kept.newest,
            done=lambda newest: self._offer_backup(error, kept, newest),
            failed=lambda _reason: self._offer_backup(error, kept, None),  # the folder of backups can't be read either
        )

    def _offer_backup(self, error: BaseException, kept: KeptBackups, newest: Path | None) -> None:
        from ..postgres.backup import moment_of

        found = f"There is no backup in {kept.folder}."
        offers: list[tuple[str, Callable[[], object] | None]] = []
        if newest is not None:
            found = f"The newest backup is of {moment_of(newest)}."
            offers.append(("Restore It", lambda: self.put_aside(newest)))
        offers += [("Another Backup…", self._ask_for_backup), ("Close", None)]

        self._messages.choice(
            "The Database Is Damaged",
            "The database on this computer is damaged.",
            f"{error}\n\n{found} A backup is restored into a new database. The damaged one is kept: somebody may"
            " recover more from it. What you save meanwhile waits on this computer.",
            offers,
        )

    def _ask_for_backup(self) -> None:
        chosen = self._backups.ask_file("askopenfilename", "Restore Database")
        if chosen:
            self.put_aside(Path(chosen))

    def put_aside(self, file: Path) -> None:
        """Keep the damaged database beside a new one, into which the backup goes; then open it."""
        values = {"db_name": self._database()}

        def done(restored: Restored) -> None:
            log.warning("the damaged database is kept in %s", restored.before)
            self._connect()

        self._begin(
            "Restore",
            lambda job: restore_beside(values, file, job),
            done,
            lambda error: self._not_restored(error, file),
        )

    def _not_restored(self, error: BaseException, file: Path) -> None:
        self._backups.failed("Restore Database", "Nothing was changed.", error, lambda: self.put_aside(file))
