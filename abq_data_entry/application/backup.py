"""Backups from the window: to a file and back, and an automatic one each day."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..jobs import ANY, Job, Jobs
from ..widgets.status_bar import BACKUP
from ..workflows.back_up import Restored, back_up, back_up_daily, kept_backups, restore

if TYPE_CHECKING:
    import tkinter as tk

    from ..postgres import KeptBackups
    from ..widgets import StatusBar
    from .messages import Messages, ShowStatus
    from .preferences import Settings
    from .state import State

log = logging.getLogger(__name__)

FIRST_LOOK_MS = 60_000  # later than the start, because the user wants to type then, without a busy disk
NEXT_LOOK_MS = 3_600_000
_FILES = (("Backups", "*.dump"), ("All files", "*"))
_UNCHANGED = "The database is as it was."

Begin = Callable[
    [str, Callable[[Job], Any], Callable[[Any], object], Callable[[BaseException], object]],
    None,
]


class BackupActions(NamedTuple):
    """What backups need from the window. `begin` and `may_begin` run commands in the background. `endpoint`, called on
    a worker thread, returns where the open database is. `expect_another(True)` is called before another one replaces
    it."""

    begin: Begin
    may_begin: Callable[[str], bool]
    endpoint: Callable[[], dict[str, str]]
    expect_another: Callable[[bool], object]
    refresh: Callable[[], object]


class Backups:
    """Backs up and restores the database for the menu; and each day by itself if it is the embedded one."""

    def __init__(
        self,
        window: tk.Misc,
        state: State,
        jobs: Jobs,
        messages: Messages,
        show_status: ShowStatus,
        settings: Settings,
        status_bar: StatusBar,
        actions: BackupActions,
    ) -> None:
        self._window, self._state, self._jobs, self._messages = window, state, jobs, messages
        self._show_status = show_status
        self._settings, self._status_bar, self._actions = settings, status_bar, actions
        self._begin, self._may_begin = actions.begin, actions.may_begin
        self._timer: str | None = None
        self._daily: Job | None = None

    # -- backing up to a file -----------------------------------------------------------------------------

    def ask_and_back_up(self) -> None:
        """Ask for a file, then write a verified backup to it."""
        if not self._may_begin("Backup"):
            return
        usual = self.kept().file_name(self._state.today())
        chosen = self.ask_file("asksaveasfilename", "Back Up Database", initialfile=usual)
        if chosen:
            self.back_up(Path(chosen))

    def back_up(self, file: Path) -> None:
        """Write a backup to the file; it is restored into a scratch database and compared before it gets its name."""
        values = self._settings.values()

        def work(job: Job) -> int:
            return back_up(self._actions.endpoint(), values, file, job).rows

        self._begin(
            "Backup",
            work,
            lambda rows: self._show_status(f"Backed up in {file}: {rows:,} rows, verified"),
            lambda error: self.failed("Back Up Database", "Nothing was backed up.", error, lambda: self.back_up(file)),
        )

    # -- restoring ----------------------------------------------------------------------------------------

    def ask_and_restore(self) -> None:
        """Ask for a backup and a confirmation, then restore it."""
        if not self._may_begin("Restore"):
            return
        chosen = self.ask_file("askopenfilename", "Restore Database")
        if chosen:
            self.confirm_restore(Path(chosen))

    def confirm_restore(self, file: Path) -> None:
        """Explain what a restore does, and restore after a confirmation."""
        from ..postgres.backup import moment_of

        self._messages.choice(
            "Restore Database",
            f"Replace the present database with the backup of {moment_of(file)}?",
            f"{file}\n\nEverybody who uses this database then sees it as it was in the backup. What was recorded since"
            f" is not in it. First a backup of the present state is made in {self.kept().folder}: restore that one to"
            " get back to it.",
            (("Restore", lambda: self.restore(file)), ("Cancel", None)),
            careful=True,
        )

    def restore(self, file: Path) -> None:
        """Back up the present state, then restore the backup."""
        values = self._settings.values()

        def work(job: Job) -> Restored:
            from .. import postgres

            halves = {"backup": postgres.SubMonitor(job, 0, 50), "restore": postgres.SubMonitor(job, 50, 100)}
            return restore(self._actions.endpoint(), values, file, lambda step: nullcontext(halves[step]))

        def not_restored(error: BaseException) -> None:
            self._actions.expect_another(False)
            self.failed("Restore Database", _UNCHANGED, error, lambda: self.restore(file))

        self._actions.expect_another(True)
        self._begin("Restore", work, lambda result: self._restored(file, *result), not_restored)

    def _restored(self, file: Path, before: Path | None, missing: list[str]) -> None:
        self._actions.refresh()
        self._show_status(f"The database is as it was in {file}" + (f"; before: {before}" if before else ""))
        if missing:
            roles = ", ".join(missing)
            self._messages.choice(
                "Restore Database",
                f"This server has no role {roles}.",
                "The privileges in the backup were left out. An administrator has to grant those of QA and others.",
                (("OK", None),),
            )

    # -- once a day ---------------------------------------------------------------------------------------

    def begin_daily(self) -> None:
        """Start daily backups of an embedded database, which is open now."""
        if self._timer is None and self._settings.is_own_database:
            self._timer = self._window.after(FIRST_LOOK_MS, self.make_daily)

    def end(self) -> None:
        """Stop when the window closes; the next window makes a backup that isn't complete."""
        if self._timer is not None:
            self._window.after_cancel(self._timer)

    def make_daily(self) -> None:
        """Make today's backup in the background unless there is one, and look again in an hour."""
        if self._timer is not None:
            self._window.after_cancel(self._timer)
        self._timer = self._window.after(NEXT_LOOK_MS, self.make_daily)  # first, so that a failure doesn't end it
        if self._daily is not None and not self._daily.finished:
            return
        values = self._settings.values()
        today = self._state.today()

        def work(job: Job) -> Path | None:
            return back_up_daily(lambda: nullcontext((self._actions.endpoint(), job)), values, today).made

        self._daily = self._jobs.submit(
            ANY, work, name="daily backup", done=self._daily_made, failed=self._daily_failed, with_job=True
        )

    def _daily_made(self, made: Path | None) -> None:
        self._status_bar.show_trouble("", subject=BACKUP)
        if made is not None:
            log.info("the daily backup is %s", made)

    def _daily_failed(self, error: BaseException) -> None:
        log.error("the daily backup failed", exc_info=error)
        self._status_bar.show_trouble(
            f"The daily backup was not made: {error}", (("Try Again", self.make_daily),), BACKUP
        )

    # -- for all of them ----------------------------------------------------------------------------------

    def failed(self, title: str, message: str, error: BaseException, retry: Callable[[], object]) -> None:
        """Report an error, and offer to try again."""
        self._show_status(message)
        self._messages.failure(title, message, str(error), retry)

    def kept(self) -> KeptBackups:
        """Return the automatic backups, by the present settings."""
        return kept_backups(self._settings.values())

    def ask_file(self, dialog: str, title: str, **options: str) -> str:
        """Ask for a file by a dialog of `tkinter.filedialog`; empty when none was chosen."""
        from tkinter import filedialog  # not at every start

        folder = self.kept().folder
        ask = getattr(filedialog, dialog)
        return str(
            self._messages.ask_file(
                lambda: ask(
                    parent=self._window,
                    title=title,
                    initialdir=folder if folder.is_dir() else Path.home(),
                    defaultextension=".dump",
                    filetypes=_FILES,
                    **options,
                )
            )
            or ""
        )
