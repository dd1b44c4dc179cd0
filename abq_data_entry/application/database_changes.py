"""The open database is brought to a newer version, or replaced by a backup: the window notices, and says so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..constants import SCHEMA_VERSION
from ..widgets.message_bar import Message

if TYPE_CHECKING:
    from ..jobs import Jobs
    from ..models import SQLModel
    from ..widgets.message_bar import MessageBar
    from .state import State

log = logging.getLogger(__name__)

_OUTDATED, _REPLACED = "newer tables", "restored"
UPDATE = "This window must be updated: the database was brought to a newer version."


class DatabaseChanges:
    """Compares what each new connection found with what was found before. On the Tk thread.

    ``refresh()`` looks up anew what is shown: another database has taken the place of the one that was open.
    """

    def __init__(self, state: State, jobs: Jobs, bar: MessageBar, refresh: Callable[[], object]) -> None:
        self._state, self._jobs, self._bar, self._refresh = state, jobs, bar, refresh
        self._database = 0
        self._expected = False

    def expect_another(self, expected: bool = True) -> None:
        """This window itself puts a backup in the place of the database, so there is nothing to tell."""
        self._expected = expected

    def ask(self, model: SQLModel) -> None:
        """Somebody may have brought the tables to another version: look."""
        self._jobs.submit("records", model.look_at_version, failed=_unknown)

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
        self._bar.tell(Message(_OUTDATED, UPDATE, detail, lasting=True))

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
        self._bar.tell(Message(_REPLACED, message, detail, (("Understood", None),)))


def _unknown(error: BaseException) -> None:
    log.info("the version of the tables couldn't be asked: %s", type(error).__name__)
