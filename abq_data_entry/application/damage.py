"""A damaged embedded database: told, and brought back from a backup if somebody wants that."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..workflows.back_up import Restored, restore_beside
from .backup import Backups, Begin

if TYPE_CHECKING:
    from ..jobs import Jobs
    from ..postgres import KeptBackups
    from .messages import Messages

log = logging.getLogger(__name__)


class Damage:
    """The way back from damage. Nothing happens by itself."""

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

    def tell(self, error: BaseException) -> None:
        """The embedded database is damaged: offer the newest backup, or another one. Nothing happens by itself."""
        kept = self._backups.kept()
        self._jobs.submit(
            "files",
            kept.newest,
            done=lambda newest: self._offer_backup(error, kept, newest),
            failed=lambda _reason: self._offer_backup(error, kept, None),  # the folder of backups has gone as well
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
