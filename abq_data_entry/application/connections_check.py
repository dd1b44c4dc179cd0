"""Opens the window that checks the connections, asks for the logins that are needed, and runs the checks."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from ..jobs import ANY
from ..network.destinations import is_known, set_up, stored_in
from ..views.connections import ConnectionCallbacks, ConnectionLine, ConnectionsWindow
from ..views.side_window import brought_up

if TYPE_CHECKING:
    import tkinter as tk

    from ..jobs import Job, Jobs
    from ..network.probing import Step
    from .connection import Connection
    from .logins import Logins
    from .messages import Messages
    from .preferences import Settings

Login = tuple[str, str]


def show_connections(
    parent: tk.Tk, jobs: Jobs, messages: Messages, settings: Settings, connection: Connection, logins: Logins
) -> ConnectionsWindow:
    """Show the window, or bring the open one to the front."""
    shown = brought_up(parent, ConnectionsWindow)
    if shown is not None:
        shown.list.focus_set()
        return shown
    return ConnectionsCheck(parent, jobs, messages, settings, connection, logins).window


class ConnectionsCheck:
    """One window and its checks, one after the other."""

    def __init__(
        self, parent: tk.Tk, jobs: Jobs, messages: Messages, settings: Settings, connection: Connection, logins: Logins
    ) -> None:
        self._parent, self._jobs, self._settings = parent, jobs, settings
        self._connection, self._logins = connection, logins
        self._job: Job | None = None
        self._found: list[Step] = []
        self._shown = 0
        self._started = datetime.datetime.now().astimezone()
        self._round = 0  # counts the checks: a cancelled one shows nothing any more
        self._window: ConnectionsWindow | None = None
        self.window = self._window = ConnectionsWindow(
            parent, ConnectionCallbacks(messages.command(self._begin), self._cancel, self._copy)
        )

    def _begin(self, with_login: bool, with_write: bool) -> None:
        self._round += 1
        self._found, self._shown, self._job = [], 0, None
        self._started = datetime.datetime.now().astimezone()
        values, number = self._settings.values(), self._round
        if with_login:
            kinds = [*(each.kind for each in set_up(values)), *(each.key for each in stored_in(values))]
            self._obtain(values, kinds, {}, lambda logins: self._run(number, values, logins, with_write))
        else:
            self._parent.after_idle(self._run, number, values, None, with_write)

    def _obtain(
        self,
        values: Mapping[str, object],
        left: list[str],
        logins: dict[str, Login | None],
        then: Callable[[dict[str, Login | None]], object],
    ) -> None:
        """Get the logins one after the other; if a dialog is cancelled, that login isn't tried."""
        if not left:
            then(logins)
            return
        kind = left.pop(0)

        def answered(login: Login | None) -> None:
            logins[kind] = login
            self._obtain(values, left, logins, then)

        self._logins.obtain(kind, values, "", answered)

    def _run(
        self, number: int, values: Mapping[str, object], logins: dict[str, Login | None] | None, write: bool
    ) -> None:
        if number != self._round or self._window is None or not self._window.winfo_exists():
            return  # cancelled or closed in the meantime
        found, connection, database = self._found, self._connection, str(values["db_name"])
        known = None if logins is None else {**logins, "database": connection.login}

        def work(job: Job) -> None:
            from ..network.probing import LoginMissing, Options
            from ..workflows.check_connections import check_connections

            def login(kind: str) -> Login | None:
                if known is not None and kind == "database" and known[kind] is None:
                    raise LoginMissing("Nobody is logged in to the database here. Log in first: Go ‣ Refresh.")
                return None if known is None else known.get(kind)

            wanted = Options(login=login, write=write)
            for step in check_connections(values, partial(connection.own_server, database), wanted, job.cancel):
                found.append(step)
                job.report(len(found), 0)

        self._job = self._jobs.submit(
            ANY,
            work,
            name="Check Connections",
            progress=lambda *_: self._show(number, values, known),
            done=lambda _: self._ended(number, values, known),
            failed=lambda error: self._ended(number, values, known, error),
            with_job=True,
        )

    def _show(self, number: int, values: Mapping[str, object], logins: Mapping[str, Login | None] | None) -> None:
        from ..workflows.check_connections import time_of

        if number != self._round or self._window is None or not self._window.winfo_exists():
            return
        new = self._found[self._shown :]
        self._shown += len(new)
        lines = [
            ConnectionLine(each.destination, each.what, each.verdict, time_of(each), each.text, each.advice)
            for each in new
        ]
        self._window.show_lines(lines)
        if self._job is not None and not self._job.cancel.is_set():
            self._window.show_status(f"Checking…, {self._shown} steps so far")
        for each in new:
            login = (logins or {}).get(each.kind) if is_known(each.kind) else None
            if each.what == "Login" and each.verdict != "failed" and login is not None:
                self._logins.accepted(each.kind, values, login)

    def _ended(
        self,
        number: int,
        values: Mapping[str, object],
        logins: Mapping[str, Login | None] | None,
        error: BaseException | None = None,
    ) -> None:
        from ..network import Cancelled, describe_failure

        self._show(number, values, logins)
        if number != self._round or self._window is None or not self._window.winfo_exists():
            return
        failed = sum(each.verdict == "failed" for each in self._found)
        if isinstance(error, Cancelled):
            self._window.finish("Cancelled. What was found until then is shown above.", False)
        elif error is not None:
            self._window.finish(describe_failure(error), True)
        elif failed:
            steps = "One step failed" if failed == 1 else f"{failed} steps failed"
            self._window.finish(f"✗ {steps}: see there what to do. Copy copies everything for the help desk.", True)
        else:
            warned = any(each.verdict == "warning" for each in self._found)
            self._window.finish(f"✓ Everything can be reached.{' ⚠ There is a warning.' * warned}", False)

    def _cancel(self) -> None:
        if self._job is not None and not self._job.finished:
            self._job.cancel.set()
            return
        self._round += 1  # logins are still being asked for
        if self._window is not None and self._window.winfo_exists():
            self._window.finish("Cancelled.", False)

    def _copy(self) -> None:
        from ..workflows.check_connections import report

        self._parent.clipboard_clear()
        self._parent.clipboard_append(report(self._found, self._started))
        if self._window is not None:
            self._window.show_status("Copied, without passwords: you can send it to the help desk.")
