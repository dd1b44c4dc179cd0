"""The login dialog, and the way to a database server that the settings name (TCP, SCRAM)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import schema
from abq_data_entry.views import LoginDialog
from tests.fixtures.window import Window

pytestmark = pytest.mark.takes(3)

PASSWORD = "Mess'in a\\Bottle 7"


# -- the dialog -----------------------------------------------------------------------------------------


def test_the_result_is_what_was_typed(window: Window) -> None:
    results: list[object] = []
    dialog = LoginDialog(window.app, "Login to a Test", on_result=results.append)
    assert dialog.title() == "Login to a Test"
    window.dialog()
    window.until(lambda: window.app.focus_get() is dialog.user_entry, "the focus")
    window.type("quentin\nsec ret\n")
    assert results == [("quentin", "sec ret")] and dialog.result == ("quentin", "sec ret")
    assert not window.dialogs


def test_the_result_of_cancel_is_none(window: Window) -> None:
    for way in ("Escape", "Cancel", "close"):
        results: list[object] = []
        dialog = LoginDialog(window.app, "Login", username="quentin", on_result=results.append)
        window.dialog()
        entry = dialog.password_entry
        window.until(lambda entry=entry: window.app.focus_get() is entry, "the focus")  # type: ignore[misc]
        window.type("secret")
        if way == "Escape":
            window.press("Escape")
        elif way == "Cancel":
            window.answer("Cancel")
        else:
            window.app.tk.call(*window.app.tk.splitlist(dialog.protocol("WM_DELETE_WINDOW")))
        assert results == [None] and dialog.result is None, way


def test_without_a_callback_it_waits_for_the_answer(window: Window) -> None:
    def answer() -> None:
        dialogs = window.dialogs
        if not dialogs or not dialogs[-1].winfo_viewable():
            window.app.after(20, answer)
            return
        dialog = dialogs[-1]
        assert isinstance(dialog, LoginDialog)
        dialog.username.set("quentin")
        dialog.password.set("secret")
        dialog.buttons[0].invoke()

    window.app.after(20, answer)
    assert LoginDialog(window.app, "Login").result == ("quentin", "secret")


def test_the_password_is_hidden_and_the_reason_shown(window: Window) -> None:
    dialog = LoginDialog(window.app, "Login", "The password is wrong.", "quentin", on_result=lambda _: None)
    window.dialog()
    assert str(dialog.password_entry.cget("show")) == "•"
    texts = [str(each.cget("text")) for each in dialog.body.winfo_children() if each.winfo_class() == "TLabel"]
    assert "✗ The password is wrong." in texts
    window.press("Escape")


# -- a server of one's own ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tcp_server() -> Iterator[dict[str, str]]:
    """The endpoint (as its administrator) of a server on loopback that wants passwords."""
    folder = Path(tempfile.mkdtemp(prefix="abq-tcp-"))
    try:
        running = postgres.start(folder / "data", over_tcp=True)
        try:
            for name in ("ready", "bare"):
                running.create_database(name)
            schema.prepare(running.endpoint("ready"))
            endpoint = running.endpoint("ready")
            run(
                endpoint,
                f"CREATE ROLE technician LOGIN PASSWORD {quoted(PASSWORD)};"
                f"CREATE ROLE guest LOGIN PASSWORD {quoted(PASSWORD)};"
                "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO technician",
            )
            yield endpoint
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder)


def quoted(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def run(endpoint: dict[str, str], statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(make_dsn(**endpoint))) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
        connection.commit()
        return rows


@pytest.fixture
def log_in(
    tcp_server: dict[str, str], settings: dict[str, Any], open_window: Callable[[], Window]
) -> Callable[..., Window]:
    """Opens a window on a database of that server; the login dialog waits."""

    def open_on(database: str = "ready", port: str = "") -> Window:
        settings.update(db_host="127.0.0.1", db_port=port or str(tcp_server["port"]), db_name=database)
        window = open_window()
        window.dialog()
        return window

    return open_on


def type_login(window: Window, username: str, password: str) -> None:
    """Type both with real keys; a user name that stands there already is kept."""
    dialog = window.dialog()
    assert isinstance(dialog, LoginDialog)
    if not dialog.username.get():
        window.until(lambda: window.app.focus_get() is dialog.user_entry, "the focus")
        window.type(f"{username}\n")
    window.until(lambda: window.app.focus_get() is dialog.password_entry, "the password's turn")
    window.type(f"{password}\n")
    window.until(lambda: not dialog.winfo_exists(), "the end of the dialog")


def reason(window: Window) -> str:
    """Why the login dialog asks again."""
    window.until(lambda: window.dialogs and getattr(window.dialogs[-1], "error", ""), "the reason")
    return str(window.dialogs[-1].error)  # type: ignore[attr-defined]


def test_the_login_loops_with_the_reason_until_it_works(
    log_in: Callable[..., Window], tcp_server: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    window = log_in()
    assert "Log in to the database ready on 127.0.0.1" in window.dialog().title()
    type_login(window, "technician", "wrong-Pass-1")
    assert reason(window) == "The user name or the password is wrong."
    type_login(window, "technician", PASSWORD)
    window.until_open()
    window.until(lambda: window.focus == F.TIME, "the keyboard to be back on the form")
    window.begin_check()
    window.fill_readings()
    window.save()
    assert not window.dialogs
    assert run(tcp_server, "SELECT plot FROM plot_checks WHERE time = '8:00' AND lab_id = 'A'") == [(1,)]
    assert "wrong-Pass-1" not in caplog.text and PASSWORD not in caplog.text


def test_a_warning_about_settings_stands_in_the_bar_beside_the_login(
    log_in: Callable[..., Window], settings: dict[str, Any]
) -> None:
    settings["no such setting"] = 1
    window = log_in()
    assert "no such setting" in window.message("Some settings couldn't be used.").detail
    type_login(window, "technician", PASSWORD)
    window.until_open()
    window.until(lambda: window.focus == F.TIME, "the keyboard to be back on the form")


def test_cancelling_the_login_leaves_a_way_back(log_in: Callable[..., Window]) -> None:
    window = log_in()
    window.press("Escape")
    window.until(lambda: not window.dialogs, "the end of the dialog")
    page = window.app.record_list.page
    assert "Not logged in" in str(page.message_text.cget("text"))
    # What is typed meanwhile stays, and nothing pretends to be saved.
    window.fill(Notes="typed without a database")
    page.message_button.invoke()
    type_login(window, "technician", PASSWORD)
    window.until_open()
    assert window.text(F.NOTES) == "typed without a database"


def test_a_server_that_is_not_there_is_reported(log_in: Callable[..., Window]) -> None:
    window = log_in(port="1")
    type_login(window, "technician", PASSWORD)
    assert "No database answers there" in reason(window)


def test_a_role_without_privileges_is_shown_what_an_administrator_has_to_run(
    log_in: Callable[..., Window], tcp_server: dict[str, str]
) -> None:
    window = log_in()
    type_login(window, "guest", PASSWORD)
    text = reason(window)
    assert 'GRANT abq_technician TO "guest"; (to enter records; abq_qa reads them)' in text
    run(tcp_server, 'GRANT abq_qa TO "guest"')
    type_login(window, "guest", PASSWORD)
    window.until_open()
    # A guest may look: the form says so, and is closed.
    window.settle()
    assert window.app.form.inputs.read_only
    assert "may read records" in str(window.app.form.plot_panel.remark.cget("text"))


@pytest.mark.parametrize(("name", "words"), [("bare", "create_db.sql"), ("nowhere", "createdb nowhere")])
def test_without_tables_or_database_what_to_run_is_shown(
    log_in: Callable[..., Window], name: str, words: str
) -> None:
    window = log_in(name)
    type_login(window, "technician", PASSWORD)
    assert words in reason(window)


def test_nobody_makes_tables_by_logging_in(log_in: Callable[..., Window], tcp_server: dict[str, str]) -> None:
    run(tcp_server, f"CREATE ROLE owner LOGIN SUPERUSER PASSWORD {quoted(PASSWORD)}")
    window = log_in("bare")
    type_login(window, "owner", PASSWORD)
    assert "create_db.sql" in reason(window)
    bare = {**tcp_server, "dbname": "bare"}
    assert run(bare, "SELECT to_regclass('plot_checks')") == [(None,)]


def test_the_window_reconnects_to_the_server_by_itself(
    log_in: Callable[..., Window], tcp_server: dict[str, str]
) -> None:
    window = log_in()
    type_login(window, "technician", PASSWORD)
    window.until_open()
    run(tcp_server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'technician'")
    window.begin_check("16:00", "C")
    window.fill_readings()
    window.save()
    assert not window.dialogs and window.app.form.check.recorded
