"""Connects to the database (the embedded server, or the configured one after a login), and closes idle connections."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..jobs import ANY
from ..views import LoginDialog

if TYPE_CHECKING:
    import tkinter as tk

    from ..jobs import Job, Jobs
    from ..models import DatabaseDamaged, SQLModel
    from ..postgres import EmbeddedServer
    from .messages import Messages, ShowStatus
    from .preferences import Settings
    from .state import State

log = logging.getLogger(__name__)

LOGIN = "Log in to the database"
STARTING_MS = 4000  # how long the database on this computer may take to open before the window says so
PATIENCE = 3.0  # seconds to wait for a server that isn't ready, before the window works without it
_KEPT = "What you save is kept on this computer until it does"
Result = TypeVar("Result")


class NoAnswer(Exception):
    """The database accepted a request and never answered."""


class ConnectionCallbacks(NamedTuple):
    """Callbacks about the connection to the database.

    ``connected(model, choices)``: it is open. ``away(error, by_itself)``: it can't be reached; with ``by_itself``, it
    is tried again in the background, else only on request. ``not_open(text, retry)``: no database is open, for the
    reason in ``text``. ``show_in_list(text, retry)`` shows in place of the records why there are none.
    ``refresh_check()`` fetches the form's check again. ``somebody_else()``: another person logs in. ``damaged(error)``:
    the embedded database is damaged. ``retry()`` tries to connect at once.
    """

    connected: Callable[[SQLModel, Any], object]
    away: Callable[[BaseException, bool], object]
    not_open: Callable[[str, Callable[[], object]], object]
    show_in_list: Callable[[str, Callable[[], object] | None], object]
    refresh_check: Callable[[], object]
    somebody_else: Callable[[], object]
    damaged: Callable[[BaseException], object]
    retry: Callable[[], object]


class Connection:
    """Connects in the background, and shows its progress in the status line.

    On the Tk thread, except where a method says otherwise.
    """

    def __init__(
        self,
        window: tk.Misc,
        state: State,
        jobs: Jobs,
        messages: Messages,
        show_status: ShowStatus,
        settings: Settings,
        callbacks: ConnectionCallbacks,
    ) -> None:
        self._window, self._state, self._jobs, self._messages = window, state, jobs, messages
        self._show_status = show_status
        self._settings, self._callbacks = settings, callbacks
        self._server: EmbeddedServer | None = None
        self._starting = threading.Lock()
        self._login: tuple[str, str] | None = None
        self._timer = ""
        self._person = ""  # user name of the last login, also if it was refused
        self._values: Mapping[str, str] = {}

    @property
    def login(self) -> tuple[str, str] | None:
        """The login at the configured server; ``None`` if nobody is logged in."""
        return self._login

    @contextmanager
    def own_server(self, database: str) -> Iterator[dict[str, str]]:
        """Where our own database is, with its server running; one that runs only for this ends with the block.

        On a worker thread. Raises `PostgresError`.
        """
        from .. import folders, postgres

        server = self._server or postgres.start(folders.data_folder())
        try:
            yield server.endpoint(database)
        finally:
            if server is not self._server:
                server.stop_if_unused()

    @property
    def database(self) -> str:
        """The name by which the journal knows the database of the settings."""
        from ..journal import database_name

        return database_name(self._texts())

    @property
    def may_attempt(self) -> bool:
        """Whether a connection can be tried: a configured server needs a login."""
        return not self._texts()["db_host"] or self._login is not None

    def attempt(self) -> tuple[SQLModel, Any]:
        """Try to connect; return the arguments of ``connected``. Runs on a worker thread."""
        model = self._state.model
        if model is not None:
            return model, self.retry_after_restart(model.choices)
        settings = self._values
        if settings["db_host"]:
            assert self._login is not None
            return _open_configured(settings, *self._login, patience=0.0)
        return self._open_embedded(settings["db_name"])

    def connect(self) -> None:
        """Start or attach to the embedded server; if ``db_host`` is set, ask for a login to that server."""
        settings = self._values = self._texts()
        self._state.opening = True
        if settings["db_host"]:
            refused = str(self._state.away_error) if self._state.login_refused else ""
            self._ask_login(settings, refused, self._person)
        else:
            self._show_status("Opening the database…")
            self._timer = self._window.after(STARTING_MS, self._show_starting)
            self._jobs.submit(
                "database", self._open_embedded, settings["db_name"], done=self._opened, failed=self._embedded_failed
            )

    def end(self) -> None:
        """Stop: the window closes."""
        if self._timer:
            self._window.after_cancel(self._timer)
            self._timer = ""

    def _show_starting(self) -> None:
        """Show that the embedded database takes long to start; meanwhile the form works with the last known copy."""
        self._timer = ""
        reason = "The database on this computer is just starting, perhaps after a crash, and accepts no connections yet"
        self._callbacks.away(NoAnswer(f"{reason}."), False)  # it is already being opened
        self._show_status(f"{reason}. {_KEPT}")
        self._callbacks.show_in_list(f"{reason}.", None)

    def retry_after_restart(self, work: Callable[[], Result]) -> Result:
        """Run ``work``; if the embedded server has gone, start it and run ``work`` again. Runs on a worker thread.

        A configured server needs no restart: the next use opens its connections again.
        """
        from ..models.errors import DatabaseDamaged, ServerUnreachable

        try:
            return work()
        except DatabaseDamaged as error:
            raise self._with_recovery_advice(error) from error
        except ServerUnreachable:
            if self._server is None:
                raise
            log.warning("the embedded server has gone; it is started again")
            with self._starting:
                self._server.ensure_running()
            return work()

    def ask(
        self,
        work: Callable[[SQLModel], Result],
        done: Callable[[Result], object],
        failed: Callable[[BaseException], object],
        worker: str = "records",
    ) -> Job:
        """Run ``work(model)`` in the background, and call ``done(result)`` or ``failed(error)`` on the Tk thread."""
        model = self._state.model
        assert model is not None
        return self._jobs.submit(worker, self.retry_after_restart, partial(work, model), done=done, failed=failed)

    def endpoint(self) -> dict[str, str]:
        """Return where the open database is, with the login. Runs on a worker thread."""
        from .. import postgres

        if self._server is not None:
            embedded: dict[str, str] = self._server.endpoint(self._values["db_name"])
            return embedded
        user, password = self._login or ("", "")
        return {**postgres.server_endpoint(self._values), "user": user, "password": password}

    def _with_recovery_advice(self, error: DatabaseDamaged) -> DatabaseDamaged:
        from .. import folders, postgres

        if self._server is None:
            return error
        backups = postgres.backups_of(self._values, folders.data_folder())
        return type(error)(f"{error} {postgres.recovery_advice(backups)}", error.detail)

    def close(self) -> None:
        """Close the database; the last process to leave stops the embedded server. Runs on a worker thread."""
        if self._state.model is not None:
            self._state.model.close()
        if self._server is not None:
            self._server.stop_if_unused()

    def release_server(self) -> EmbeddedServer | None:
        """Return the embedded server, which the window then no longer stops when it closes."""
        server, self._server = self._server, None
        return server

    def _open_embedded(self, database: str) -> tuple[SQLModel, Any]:
        from .. import folders, postgres

        self._server = server = postgres.start(folders.data_folder())
        endpoint = server.endpoint(database)
        backups = postgres.backups_of(self._values, folders.data_folder())
        return open_database(endpoint, lambda: server.create_database(database), backups.before_migration(endpoint))

    def _texts(self) -> dict[str, str]:
        return {name: str(value) for name, value in self._settings.values().items()}

    def _opened(self, result: tuple[SQLModel, Any]) -> None:
        self.end()
        self._state.opening = False
        log.info("the database is open", extra={"login": self._state.username})
        self._callbacks.connected(*result)

    def _embedded_failed(self, error: BaseException) -> None:
        log.error("the embedded database couldn't be opened", exc_info=error)
        self.end()
        self._state.opening = False
        self._show_status("The database couldn't be opened. What you save is kept on this computer until it is")
        self._callbacks.not_open(f"The database on this computer couldn't be opened.\n{error}", self.connect)
        self._callbacks.away(error, False)
        from .. import postgres

        if isinstance(error, postgres.Damaged):
            self._callbacks.damaged(error)

    def _ask_login(
        self,
        settings: Mapping[str, str],
        error: str = "",
        username: str = "",
        without: Callable[[], object] | None = None,
    ) -> None:
        self._show_status(LOGIN)
        title = f"Log in to the database {settings['db_name']} on {settings['db_host']}"

        def answered(result: tuple[str, str] | None) -> None:
            self._log_in(settings, result)

        self._messages.open(
            LOGIN,
            title,
            error,
            "Log In…",
            lambda: LoginDialog(self._window, title, error, username, answered, without=without),
            lambda: answered(None),
        )

    def _log_in(self, settings: Mapping[str, str], result: tuple[str, str] | None) -> None:
        if result is None:
            self._state.opening = False
            self._callbacks.refresh_check()
            self._show_status("Not logged in: records can't be saved")
            self._callbacks.not_open("Not logged in", self.connect)
            return
        self._set_login(result)
        username, password = result
        if username != self._person:
            self._callbacks.somebody_else()
        self._person = username
        self._show_status("Logging in…")
        self._jobs.submit(
            "database",
            _open_configured,
            settings,
            username,
            password,
            done=self._opened,
            failed=lambda error: self._login_failed(settings, error, (username, password)),
        )

    def _login_failed(self, settings: Mapping[str, str], error: BaseException, login: tuple[str, str]) -> None:
        from ..models import ServerNotReady, ServerUnreachable

        if isinstance(error, ServerNotReady):  # temporary: it will be ready later
            self._work_without(error, login, str(error))
            return
        log.warning("login failed: %s", type(error).__name__)
        self._set_login(None)
        unreachable = isinstance(error, ServerUnreachable)
        without = (lambda: self._work_without(error, login)) if unreachable else None
        self._ask_login(settings, str(error), login[0], without)

    def _set_login(self, login: tuple[str, str] | None) -> None:
        self._login = login
        self._state.username = login[0] if login is not None else ""

    def _work_without(self, error: BaseException, login: tuple[str, str], reason: str = "") -> None:
        """Work with the last known copy; the login is kept in memory until the server answers."""
        self._set_login(login)
        self._state.opening = False
        self._show_status(f"{reason} {_KEPT}" if reason else
            "Working without the database: what you save is kept on this computer until it is back")
        self._callbacks.show_in_list(reason or "The database is away: no records to list.", self._callbacks.retry)
        self._callbacks.away(error, True)
        self._callbacks.refresh_check()


def _open_configured(
    settings: Mapping[str, str], username: str, password: str, patience: float = PATIENCE
) -> tuple[SQLModel, Any]:
    from .. import postgres

    login = {"user": username, "password": password}
    model, choices = open_database({**postgres.server_endpoint(settings), **login}, patience=patience)
    reading = postgres.read_endpoint(settings)
    if reading:
        model.read_history_at({**reading, **login})
    notifying = postgres.notify_endpoint(settings)
    if notifying:
        model.listen_at({**notifying, **login})
    return model, choices


def open_database(
    endpoint: Mapping[str, str],
    create: Callable[[], object] | None = None,
    before_migration: Callable[[int], object] | None = None,
    patience: float | None = None,
) -> tuple[SQLModel, Any]:
    """Connect to ``endpoint``, bring its schema up to date, and read the lists.

    ``create()`` creates the database if it may be missing, at the first start of the embedded server. On any other
    server, a login never creates tables, perhaps in the wrong database: `SchemaMissing` says how to.
    ``patience``: see `SQLModel.at`.
    """
    from ..models import SQLModel, schema

    if create is not None:
        create()
    model = SQLModel.at(endpoint, patience)
    if create is None and not model.query("SELECT 1 WHERE to_regclass('plot_checks') IS NOT NULL"):
        model.connect()
    schema.prepare(endpoint, before_migration)
    return model, model.choices()


IDLE_SECONDS = 180.0
LOOK_MS = 60_000


class IdleConnections:
    """Closes idle connections once a minute; each is opened again when it is needed. On the Tk thread.

    Connections to the embedded server stay open, because it stops when nobody is connected.
    """

    def __init__(self, window: tk.Misc, state: State, jobs: Jobs, settings: Settings) -> None:
        self._window, self._state, self._jobs, self._settings = window, state, jobs, settings
        self._timer = window.after(LOOK_MS, self.look)

    def end(self) -> None:
        """Stop: the window closes."""
        self._window.after_cancel(self._timer)

    def look(self) -> None:
        """Close connections that weren't used for long, and look again later."""
        self._timer = self._window.after(LOOK_MS, self.look)
        model = self._state.reachable
        if model is not None and not self._settings.is_own_database:
            self._jobs.submit(ANY, model.close_idle, IDLE_SECONDS, done=_closed_idle, failed=_idle_not_closed)


def _closed_idle(number: int) -> None:
    if number:
        log.info("closed %d connections that were not used", number)


def _idle_not_closed(error: BaseException) -> None:
    log.info("idle connections couldn't be closed: %s", type(error).__name__)
