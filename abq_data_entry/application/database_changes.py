"""The open database is brought to a newer version, or replaced by a backup: the window notices, and says so."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..constants import SCHEMA_VERSION
from ..widgets.message import Message

if TYPE_CHECKING:
    from ..models import SQLModel
    from .window import Application

log = logging.getLogger(__name__)

_OUTDATED, _REPLACED = "newer tables", "restored"
UPDATE = "This window must be updated: the database was brought to a newer version."


class DatabaseChanges:
    """Compares what each new connection found with what was found before. On the Tk thread."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._database = 0
        self._expected = False
        self.outdated = False
        """Whether the tables are newer than this program: what is saved waits in the journal."""

    def expect_another(self, expected: bool = True) -> None:
        """This window itself puts a backup in the place of the database, so there is nothing to tell."""
        self._expected = expected

    def ask(self, model: SQLModel) -> None:
        """Somebody may have brought the tables to another version: look."""
        self._app.jobs.submit("records", model.look_at_version, failed=_unknown)

    def look(self, model: SQLModel) -> None:
        """Take note of what the latest connection found."""
        found = model.opened
        self._show_version(found.version)
        before = self._database
        if found.database and found.database != before:
            self._database = found.database
            if before:
                self._show_replaced()

    def forget(self) -> None:
        """Another database is open now."""
        self._database = 0

    def _show_version(self, version: int) -> None:
        outdated = version > SCHEMA_VERSION
        if outdated == self.outdated or not version:
            return
        self.outdated = outdated
        bar = self._app.status_bar.messages
        if not outdated:
            bar.settle(_OUTDATED)
            self._app.waiting.replay_now()
            return
        log.error("the tables are of version %s, this program knows %s", version, SCHEMA_VERSION)
        detail = (
            "Close it, and install the newer version of ABQ Data Entry. What is saved here until then waits on this"
            " computer; the newer version saves it."
        )
        bar.tell(Message(_OUTDATED, UPDATE, detail, lasting=True))

    def _show_replaced(self) -> None:
        expected, self._expected = self._expected, False
        if expected:
            return
        log.warning("the database was replaced by another one of its name")
        self._app.refresh()
        detail = (
            "What was recorded after that backup isn't in the database any more. Compare what is shown now with your"
            " sheets before you go on."
        )
        message = "The database was replaced by a backup while this window was open."
        self._app.status_bar.messages.tell(Message(_REPLACED, message, detail, (("Understood", None),)))


def _unknown(error: BaseException) -> None:
    log.info("the version of the tables couldn't be asked: %s", type(error).__name__)
