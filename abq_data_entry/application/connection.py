"""Come to a working database: our own embedded server, or the configured one after a login."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ..views import LoginDialog

if TYPE_CHECKING:
    from ..models import DatabaseDamaged, SQLModel
    from .window import Application

log = logging.getLogger(__name__)
LOGIN = "Log in to the database"
STARTING_MS = 4000  # so long the database on this computer may take to open before that is told
PATIENCE = 3.0  # seconds that a server is waited for which takes no connection yet, before the window goes on without
_KEPT = "What you save is kept on this computer until it does"
Result = TypeVar("Result")


class NoAnswer(Exception):
    """The database took a request and never answered it."""


class Connection:
    """Connects in the background and says in the status bar how it goes.

    ``connected(model, choices)`` is called on the Tk thread once the database answers.
    """

    def __init__(self, application: Application, connected: Callable[[SQLModel, Any], object]) -> None:
        self._app = application
        self._connected = connected
        self._server: Any = None
        self._starting = threading.Lock()
        self._login: tuple[str, str] | None = None
        self._timer = ""
        self._person = ""  # of the last login, also of one that was refused
        self._values: Mapping[str, str] = {}

    @property
    def login(self) -> tuple[str, str] | None:
        """The login at the configured server, if somebody is logged in."""
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
        """The name of the database that the settings lead to, as the journal knows it."""
        from ..journal import database_name

        return database_name(self._settings())

    @property
    def may_attempt(self) -> bool:
        """Whether there is all that a connection needs: a configured server needs a login."""
        return not self._settings()["db_host"] or self._login is not None

    def attempt(self) -> tuple[SQLModel, Any]:
        """Look whether the database is back; returns what ``connected`` takes. Runs on a worker thread."""
        model = self._app.data_model
        if model is not None:
            return model, self.lasting(model.choices)
        settings = self._values
        if settings["db_host"]:
            assert self._login is not None
            return _open_configured(settings, *self._login, patience=0.0)
        return self._open_embedded(settings["db_name"])

    def connect(self) -> None:
        """Start or attach to the embedded server; where ``db_host`` is set, ask for a login first."""
        settings = self._values = self._settings()
        self._app.shared.opening = True
        if settings["db_host"]:
            refused = self._app.reconnecting.error if self._app.reconnecting.refused else None
            self._ask(settings, str(refused or ""), self._person)
        else:
            self._app.status.set("Opening the database…")
            self._timer = self._app.after(STARTING_MS, self._say_starting)
            self._app.jobs.submit(
                "database", self._open_embedded, settings["db_name"], done=self._opened, failed=self._embedded_failed
            )

    def end(self) -> None:
        """The window closes."""
        if self._timer:
            self._app.after_cancel(self._timer)
            self._timer = ""

    def _say_starting(self) -> None:
        """It recovers from a crash, or is made: meanwhile the form works with the last known copy."""
        self._timer = ""
        told = "The database on this computer is just starting, after a crash perhaps, and takes nobody in yet"
        self._app.reconnecting.lost(NoAnswer(f"{told}."), by_itself=False)  # it is being opened all the time
        self._app.status.set(f"{told}. {_KEPT}")
        self._app.record_list.page.show_message(f"{told}.")
        self._app.offline.show_choices()

    def lasting(self, work: Callable[[], Result]) -> Result:
        """Run ``work`` on a worker thread; where our own server has gone, start it again and run it once more.

        A configured server comes back by itself: its connections are opened anew with the next use.
        """
        from ..models import DatabaseDamaged, ServerUnreachable

        try:
            return work()
        except DatabaseDamaged as error:
            raise self._with_way_back(error) from error
        except ServerUnreachable:
            if self._server is None:
                raise
            log.warning("the embedded server has gone; it is started again")
            with self._starting:
                self._server.ensure_running()
            return work()

    def endpoint(self) -> dict[str, str]:
        """Where the database is that is open, with the login that was asked for. Runs on a worker thread."""
        from .. import postgres

        if self._server is not None:
            embedded: dict[str, str] = self._server.endpoint(self._values["db_name"])
            return embedded
        user, password = self._login or ("", "")
        return {**postgres.configured(self._values), "user": user, "password": password}

    def _with_way_back(self, error: DatabaseDamaged) -> DatabaseDamaged:
        from .. import folders, postgres

        if self._server is None:
            return error
        backups = postgres.backups_of(self._values, folders.data_folder())
        return type(error)(f"{error} {postgres.way_back(backups)}", error.detail)

    def close(self) -> None:
        """Leave the database; the last one out stops the embedded server. Runs on a worker thread."""
        if self._app.data_model is not None:
            self._app.data_model.close()
        if self._server is not None:
            self._server.stop_if_unused()

    def _open_embedded(self, database: str) -> tuple[SQLModel, Any]:
        from .. import folders, postgres

        self._server = server = postgres.start(folders.data_folder())
        endpoint = server.endpoint(database)
        backups = postgres.backups_of(self._values, folders.data_folder())
        return open_database(endpoint, lambda: server.create_database(database), backups.before_migration(endpoint))

    def _settings(self) -> dict[str, str]:
        return {name: str(variable.get()) for name, variable in self._app.settings.items()}

    def _opened(self, result: tuple[SQLModel, Any]) -> None:
        self.end()
        self._app.shared.opening = False
        self._connected(*result)

    def _embedded_failed(self, error: BaseException) -> None:
        log.error("the embedded database couldn't be opened", exc_info=error)
        self.end()
        self._app.shared.opening = False
        self._app.status.set("The database couldn't be opened. What you save is kept on this computer until it is")
        self._app.connection_lost(f"The database on this computer couldn't be opened.\n{error}", self.connect)
        self._app.reconnecting.lost(error, by_itself=False)
        self._app.offline.show_choices()
        from .. import postgres

        if isinstance(error, postgres.Damaged):
            self._app.tools.damage.tell(error)

    def _ask(
        self,
        settings: Mapping[str, str],
        error: str = "",
        username: str = "",
        without: Callable[[], object] | None = None,
    ) -> None:
        self._app.status.set(LOGIN)
        title = f"Log in to the database {settings['db_name']} on {settings['db_host']}"

        def answered(result: tuple[str, str] | None) -> None:
            self._log_in(settings, result)

        self._app.messages.open(
            LOGIN,
            title,
            error,
            "Log In…",
            lambda: LoginDialog(self._app, title, error, username, answered, without=without),
            lambda: answered(None),
        )

    def _log_in(self, settings: Mapping[str, str], result: tuple[str, str] | None) -> None:
        if result is None:
            self._app.shared.opening = False
            self._app.checks.refresh()
            self._app.status.set("Not logged in: records can't be saved")
            self._app.connection_lost("Not logged in", self.connect)
            return
        self._use(result)
        username, password = result
        if username != self._person:
            self._app.form.forget_person()
        self._person = username
        self._app.status.set("Logging in…")
        self._app.jobs.submit(
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

        if isinstance(error, ServerNotReady):  # time heals it
            self._work_without(error, login, str(error))
            return
        log.warning("login failed: %s", type(error).__name__)
        self._use(None)
        unreachable = isinstance(error, ServerUnreachable)
        without = (lambda: self._work_without(error, login)) if unreachable else None
        self._ask(settings, str(error), login[0], without)

    def _use(self, login: tuple[str, str] | None) -> None:
        self._login = login
        self._app.shared.username = login[0] if login is not None else ""

    def _work_without(self, error: BaseException, login: tuple[str, str], told: str = "") -> None:
        """Go on with the last known copy; the login is kept in memory for when the server answers."""
        self._use(login)
        self._app.shared.opening = False
        self._app.status.set(f"{told} {_KEPT}" if told else
            "Working without the database: what you save is kept on this computer until it is back")
        retry = self._app.messages.command(self._app.retry_database)
        self._app.record_list.show_problem(told or "The database is away: no records to list.", retry)
        self._app.reconnecting.lost(error)
        self._app.offline.show_choices()
        self._app.checks.refresh()


def _open_configured(
    settings: Mapping[str, str], username: str, password: str, patience: float = PATIENCE
) -> tuple[SQLModel, Any]:
    from .. import postgres

    login = {"user": username, "password": password}
    model, choices = open_database({**postgres.configured(settings), **login}, patience=patience)
    reading = postgres.reading(settings)
    if reading:
        model.read_history_at({**reading, **login})
    notifying = postgres.notifying(settings)
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

    ``create()`` makes the database where it may be missing: the embedded server's first start. On a server that
    isn't ours nobody makes tables by logging in, perhaps into the wrong database: `SchemaMissing` says how to.
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
