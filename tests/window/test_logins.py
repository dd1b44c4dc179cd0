"""Logins of deliveries: asked for once, remembered where somebody wants that, forgotten when they were refused."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.errors
import pytest

from abq_data_entry import folders, keyring_store
from abq_data_entry.models import SQLModel
from abq_data_entry.network.destinations import destination
from abq_data_entry.outbox import Outbox, Place
from abq_data_entry.views import LoginDialog
from tests.fixtures.keyrings import KnownPasswords
from tests.fixtures.window import Window
from tests.network.faults import Connection, http, serving
from tests.window.test_deliveries import deliveries_window
from tests.window.test_form import record
from tests.window.test_tools import EXTRACT, REST_TITLE, TODAY, log_in, point_to, status

SENT = f"{EXTRACT} successfully uploaded to REST API."
PASSWORD = "Gr0undhog-Tuesday"
ENTRY = ("abq-data-entry:rest", "test")
Passwords = dict[tuple[str, str], str]


class Accounts:
    """A REST service that knows one password, which may be changed; counts logins and files."""

    def __init__(self) -> None:
        self.password = PASSWORD
        self.logins = 0
        self.files: list[bytes] = []
        self.status = "401 Unauthorized"

    def __call__(self, connection: Connection) -> None:
        while request := connection.request():
            if request.startswith(b"POST"):
                self.logins += 1
                if not request.endswith(f"password={self.password}".encode()):
                    connection.send(http(self.status))
                    continue
            else:
                self.files.append(request)
            connection.send(http("200 OK", b"", "Set-Cookie: token=1"))


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


@pytest.fixture
def addresses(accounts: Accounts) -> Iterator[dict[str, Any]]:
    """The settings that lead there."""
    with serving(accounts) as port:
        yield {name: f"http://127.0.0.1:{port}/{name}" for name in ("abq_auth_url", "abq_upload_url")}


@pytest.fixture
def ready(window: Window, stored: SQLModel, addresses: dict[str, Any]) -> Window:
    """A window with a record of today, that leads there."""
    stored.save_record(record(1, str(TODAY)))
    point_to(window, **addresses)
    return window


def upload(window: Window) -> None:
    window.app.status.set("")
    window.app.callbacks["upload_to_corporate_rest"]()


def sent(window: Window) -> None:
    window.until(lambda: status(window) == SENT, "the upload")
    assert not window.dialogs


def asked(window: Window) -> LoginDialog:
    window.until(lambda: window.dialogs and isinstance(window.dialogs[-1], LoginDialog), "the login dialog")
    dialog = window.dialog()
    assert isinstance(dialog, LoginDialog)
    return dialog


def box(dialog: LoginDialog) -> Any:
    """The box, found as a person finds it: by its words."""
    waiting: list[Any] = [dialog.body]
    while waiting:
        each = waiting.pop()
        if each.winfo_class() == "TCheckbutton":
            assert each.cget("text") == "Remember in the keyring of this computer"
            return each
        waiting += each.winfo_children()
    raise AssertionError("there is no box")


def failure(window: Window) -> str:
    window.until(lambda: window.dialogs and not isinstance(window.dialogs[-1], LoginDialog), "the failure")
    dialog = window.dialog()
    return f"{dialog.message}\n{dialog.detail}"


def test_a_login_that_was_accepted_is_asked_for_once(ready: Window, accounts: Accounts) -> None:
    upload(ready)
    log_in(ready, REST_TITLE, "test", PASSWORD)
    sent(ready)
    for _ in range(2):
        upload(ready)
        sent(ready)
    assert len(accounts.files) == 3


@pytest.mark.parametrize("answer", ["401 Unauthorized", "403 Forbidden"])
def test_a_refused_login_is_forgotten_and_asked_for_with_the_reason(
    ready: Window, accounts: Accounts, answer: str
) -> None:
    upload(ready)
    log_in(ready, REST_TITLE, "test", PASSWORD)
    sent(ready)
    accounts.password, accounts.status = "another", answer
    upload(ready)
    assert "refused the user name or the password" in failure(ready)
    ready.answer("Try Again")
    dialog = asked(ready)
    assert "refused the user name or the password" in dialog.error and dialog.username.get() == "test"
    log_in(ready, REST_TITLE, "test", "another")
    sent(ready)
    upload(ready)
    sent(ready)


def test_a_failure_that_has_nothing_to_do_with_it_keeps_the_login(
    ready: Window, accounts: Accounts, addresses: dict[str, Any]
) -> None:
    upload(ready)
    log_in(ready, REST_TITLE, "test", PASSWORD)
    sent(ready)
    accounts.password, accounts.status = "another", "413 Too Large"
    upload(ready)
    failure(ready)
    accounts.password = PASSWORD
    ready.answer("Try Again")
    sent(ready)


def test_a_changed_address_asks_again(ready: Window, accounts: Accounts, addresses: dict[str, Any]) -> None:
    upload(ready)
    log_in(ready, REST_TITLE, "test", PASSWORD)
    sent(ready)
    with serving(accounts) as port:
        point_to(ready, abq_auth_url=f"http://127.0.0.1:{port}/auth")
        upload(ready)
        asked(ready)
        ready.answer("Cancel")
        ready.until(lambda: status(ready) == "Nothing was sent", "the end")
    point_to(ready, **addresses)
    upload(ready)
    sent(ready)


# -- the keyring ----------------------------------------------------------------------------------------


def test_the_keyring_gets_it_once_it_was_accepted(
    ready: Window, accounts: Accounts, addresses: dict[str, Any], known_passwords: Passwords
) -> None:
    upload(ready)
    box(asked(ready)).invoke()
    log_in(ready, REST_TITLE, "test", "wrong")
    failure(ready)
    ready.settle()
    assert known_passwords == {}
    ready.answer("Try Again")
    box(asked(ready)).invoke()
    log_in(ready, REST_TITLE, "test", PASSWORD)
    sent(ready)
    ready.until(lambda: known_passwords.get(ENTRY) == PASSWORD, "the keyring")
    settings = {name: variable.get() for name, variable in ready.app.settings.items()}
    assert keyring_store.get("rest", "", destination("rest").login_place(settings)) == ("test", PASSWORD)


def test_what_the_keyring_has_is_not_asked_for(
    ready: Window, accounts: Accounts, known_passwords: Passwords
) -> None:
    known_passwords[ENTRY] = PASSWORD
    upload(ready)
    sent(ready)
    assert known_passwords == {ENTRY: PASSWORD}


def test_a_refused_one_of_the_keyring_is_replaced(
    ready: Window, accounts: Accounts, known_passwords: Passwords
) -> None:
    known_passwords[ENTRY] = "of last year"
    upload(ready)
    failure(ready)
    ready.answer("Try Again")
    dialog = asked(ready)
    assert dialog.remember_box.get() and dialog.username.get() == "test"
    log_in(ready, REST_TITLE, "test", PASSWORD)
    sent(ready)
    ready.until(lambda: known_passwords[ENTRY] == PASSWORD, "the keyring")


def test_unticking_forgets_what_was_remembered(ready: Window, accounts: Accounts, known_passwords: Passwords) -> None:
    known_passwords[ENTRY] = "of last year"
    upload(ready)
    failure(ready)
    ready.answer("Try Again")
    box(asked(ready)).invoke()
    log_in(ready, REST_TITLE, "test", PASSWORD)
    sent(ready)
    ready.until(lambda: not known_passwords, "the keyring")
    upload(ready)  # still in memory
    sent(ready)


def reason_at_the_box(dialog: LoginDialog) -> str:
    assert box(dialog).instate(["disabled"]) and not dialog.remember_box.get()
    beside = box(dialog).master.winfo_children()
    return " ".join(str(each.cget("text")) for each in beside if each.winfo_class() == "TLabel")


def test_a_file_of_secrets_is_read_where_the_keyring_has_nothing(ready: Window, accounts: Accounts) -> None:
    file = folders.config_folder() / "secrets/rest"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(PASSWORD, "utf-8")
    file.chmod(0o600)
    upload(ready)
    assert "has one line, the password, and no user name" in asked(ready).error
    ready.answer("Cancel")
    file.write_text(f"test\n{PASSWORD}\n", "utf-8")
    upload(ready)
    sent(ready)
    assert accounts.logins == 1


def test_without_a_keyring_the_box_says_so(ready: Window, accounts: Accounts) -> None:
    upload(ready)
    assert keyring_store.NONE_HERE in reason_at_the_box(asked(ready))
    log_in(ready, REST_TITLE, "test", PASSWORD)
    sent(ready)


def test_a_locked_keyring_is_reported(
    ready: Window, accounts: Accounts, broken_keyring: Callable[[BaseException], None]
) -> None:
    broken_keyring(keyring.errors.KeyringLocked("no"))
    upload(ready)
    assert keyring_store.LOCKED in reason_at_the_box(asked(ready))
    ready.answer("Cancel")


def test_a_keyring_that_never_answers_is_waited_for_once(
    ready: Window, accounts: Accounts, silent_keyring: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abq_data_entry.keyring_store.PATIENCE", 0.3)
    upload(ready)
    assert keyring_store.SLOW in reason_at_the_box(asked(ready))
    ready.answer("Cancel")
    monkeypatch.setattr("abq_data_entry.keyring_store.PATIENCE", 1000)
    upload(ready)
    assert keyring_store.SLOW in reason_at_the_box(asked(ready))
    ready.answer("Cancel")


def test_a_keyring_that_breaks_after_the_upload_is_reported(
    ready: Window, accounts: Accounts, known_passwords: Passwords, broken_keyring: Callable[[BaseException], None]
) -> None:
    keyring.set_keyring(KnownPasswords())
    upload(ready)
    box(asked(ready)).invoke()
    broken_keyring(OSError("gone"))
    log_in(ready, REST_TITLE, "test", PASSWORD)
    assert "OSError" in ready.message("The password isn't remembered.").text and len(accounts.files) == 1


def test_forget_logins_forgets_memory_and_keyring(
    ready: Window, accounts: Accounts, known_passwords: Passwords
) -> None:
    upload(ready)
    box(asked(ready)).invoke()
    log_in(ready, REST_TITLE, "test", PASSWORD)
    sent(ready)
    ready.until(lambda: ENTRY in known_passwords, "the keyring")
    known_passwords["something else", "test"] = "stays"
    deliveries_window(ready).buttons["Forget Logins"].invoke()
    ready.until(lambda: "forgotten" in status(ready), "the answer")
    assert status(ready) == (
        "The logins of this session are forgotten, and one in the keyring. You are asked at the next delivery"
    )
    assert known_passwords == {("something else", "test"): "stays"}
    upload(ready)
    asked(ready)
    ready.answer("Cancel")


def test_forgetting_ends_the_attempts_that_are_planned(ready: Window, accounts: Accounts) -> None:
    accounts.status = "503 Busy"
    upload(ready)
    log_in(ready, REST_TITLE, "test", "wrong")
    assert "tried again" in failure(ready)
    assert len(ready.app.deliveries._timers) == 1
    ready.answer("Close")
    ready.app.deliveries.forget_logins()
    assert not ready.app.deliveries._timers
    ready.until(lambda: "forgotten" in status(ready), "the answer")


def test_the_password_is_in_no_file_and_no_log(
    ready: Window, accounts: Accounts, known_passwords: Passwords, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    upload(ready)
    box(asked(ready)).invoke()
    log_in(ready, REST_TITLE, "test", PASSWORD)
    sent(ready)
    ready.until(lambda: ENTRY in known_passwords, "the keyring")
    assert PASSWORD not in caplog.text
    folders = (home, Path(os.environ["ABQ_DATA_DIR"]) / "outbox", Path(os.environ["ABQ_DATA_DIR"]) / "log")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert files and not any(PASSWORD.encode() in path.read_bytes() for path in files)


# -- at the start ---------------------------------------------------------------------------------------


def outbox() -> Outbox:
    return Outbox(Path(os.environ["ABQ_DATA_DIR"]) / "outbox")


def put_in(stored: SQLModel, addresses: dict[str, Any], username: str = "test", day: int = 0) -> None:
    """As a window left it that was closed before the attempt succeeded."""
    stored.save_record(record(1, str(TODAY)))
    outbox().add(stored, TODAY, Place("rest", addresses["abq_upload_url"]), username)


def test_what_the_keyring_has_a_login_for_goes_on_by_itself(
    open_window: Callable[[], Window], stored: SQLModel, settings: dict[str, Any], addresses: dict[str, Any],
    accounts: Accounts, known_passwords: Passwords,
) -> None:  # fmt: skip
    settings.update(addresses)
    put_in(stored, addresses)
    known_passwords[ENTRY] = PASSWORD
    window = open_window()
    sent(window)
    assert outbox().deliveries()[0].state == "delivered" and len(accounts.files) == 1


def test_what_the_keyring_has_no_login_for_is_offered(
    open_window: Callable[[], Window], stored: SQLModel, settings: dict[str, Any], addresses: dict[str, Any],
    accounts: Accounts, known_passwords: Passwords,
) -> None:  # fmt: skip
    settings.update(addresses)
    put_in(stored, addresses, "somebody else")
    known_passwords[ENTRY] = PASSWORD
    window = open_window()
    window.message("An extract waits to be delivered.")
    window.press_message("Later")
    assert not accounts.files


def test_a_planned_attempt_is_made_when_its_time_has_come(
    open_window: Callable[[], Window], stored: SQLModel, settings: dict[str, Any], addresses: dict[str, Any],
    accounts: Accounts, known_passwords: Passwords,
) -> None:  # fmt: skip
    settings.update(addresses)
    put_in(stored, addresses)
    (delivery,) = outbox().deliveries()
    now = outbox().clock()
    outbox().write(delivery, planned=now.replace(year=now.year + 1))
    known_passwords[ENTRY] = PASSWORD
    window = open_window()
    timers = window.app.deliveries._timers
    window.until(lambda: timers, "the plan")
    window.settle()
    assert not window.dialogs and not accounts.files


def test_a_keyring_that_never_answers_keeps_nothing_from_being_offered(
    open_window: Callable[[], Window], stored: SQLModel, settings: dict[str, Any], addresses: dict[str, Any],
    silent_keyring: None, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("abq_data_entry.keyring_store.PATIENCE", 0.3)
    settings.update(addresses)
    put_in(stored, addresses)
    window = open_window()
    window.message("An extract waits to be delivered.")
    window.press_message("Later")
