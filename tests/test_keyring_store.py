"""The keyring: what is remembered comes back, and whatever a keyring does wrong becomes a reason in words."""

from __future__ import annotations

import functools
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keyring
import keyring.errors
import pytest

from abq_data_entry import keyring_store
from tests.pace import patience

PLACE = "https://abq.example/upload"
LOGIN = ("quentin", "Mess in a Bottle")
Passwords = dict[tuple[str, str], str]


def test_what_is_remembered_comes_back_and_is_forgotten(known_passwords: Passwords) -> None:
    assert keyring_store.available() == ""
    assert keyring_store.get("rest", "quentin", PLACE) is None
    keyring_store.remember("rest", LOGIN, PLACE)
    assert known_passwords["abq-data-entry:rest", "quentin"] == LOGIN[1]
    for username in ("quentin", ""):
        assert keyring_store.get("rest", username, PLACE) == LOGIN
    assert keyring_store.get("ftp", "quentin", PLACE) is None
    assert keyring_store.get("rest", "somebody else", PLACE) is None
    assert keyring_store.forget("rest", "quentin") is True
    assert known_passwords == {}
    assert keyring_store.forget("rest", "quentin") is False and keyring_store.forget("rest") is False


def test_a_login_is_not_for_another_place(known_passwords: Passwords) -> None:
    keyring_store.remember("ftp", LOGIN, "ftp.example:21")
    assert keyring_store.get("ftp", "quentin", "elsewhere.example:21") is None
    assert keyring_store.get("ftp", "quentin", "ftp.example:21") == LOGIN


def test_what_was_put_in_by_hand_is_for_any_place(known_passwords: Passwords) -> None:
    keyring.set_password(keyring_store.service_name("rest"), *LOGIN)
    assert keyring_store.get("rest", "", PLACE) == LOGIN
    assert keyring_store.forget("rest") is True and known_passwords == {}


USES: dict[str, Callable[[], object]] = {
    "get": lambda: keyring_store.get("rest", "quentin", PLACE, 0.2),
    "get whoever": lambda: keyring_store.get("rest", patience=0.2),
    "remember": lambda: keyring_store.remember("rest", LOGIN, PLACE, 0.2),
    "forget": lambda: keyring_store.forget("rest", "quentin", 0.2),
}


@pytest.fixture(params=list(USES))
def use(request: pytest.FixtureRequest) -> Callable[[], object]:
    """Something that asks the keyring; waits at most 0.2 seconds for it."""
    return USES[request.param]


def reason_of(use: Callable[[], object]) -> str:
    with pytest.raises(keyring_store.KeyringFailed) as caught:
        use()
    assert caught.value.__cause__ is None  # what the keyring raised may hold anything
    return str(caught.value)


def test_no_keyring(use: Callable[[], object]) -> None:
    assert reason_of(use) == keyring_store.available() == keyring_store.NONE_HERE


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (keyring.errors.KeyringLocked("Failed to unlock the collection!"), "is locked"),
        (keyring.errors.InitError("Failed to create the collection"), "InitError"),
        (OSError("D-Bus broke"), "OSError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (keyring.errors.NoKeyringError(), "has no keyring"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_keyring_that_fails_is_explained_in_words(
    use: Callable[[], object], broken_keyring: Callable[[BaseException], None], error: BaseException, words: str
) -> None:
    broken_keyring(error)
    assert words in reason_of(use)


def test_a_keyring_that_never_answers_costs_no_more_than_its_time(
    use: Callable[[], object], silent_keyring: None
) -> None:
    begun = time.monotonic()
    assert reason_of(use) == keyring_store.SLOW
    assert time.monotonic() - begun < patience(5)


def test_a_keyring_that_keeps_nothing_is_found_out(known_passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(keyring.get_keyring()), "get_password", lambda *_: None)
    with pytest.raises(keyring_store.KeyringFailed, match="doesn't have it"):
        keyring_store.remember("rest", LOGIN, PLACE)


def test_the_password_is_in_no_log(
    broken_keyring: Callable[[BaseException], None], known_passwords: Passwords, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        keyring_store.remember("rest", LOGIN, PLACE)
        broken_keyring(OSError(LOGIN[1]))
        with pytest.raises(keyring_store.KeyringFailed) as caught:
            keyring_store.remember("rest", LOGIN, PLACE)
    assert LOGIN[1] not in caplog.text + str(caught.value)


def test_a_machine_as_it_is_has_an_answer() -> None:
    """Whatever keyring this machine has or hasn't: in a process that chooses by itself."""
    code = "from abq_data_entry import keyring_store; print(repr(keyring_store.available()))"
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("''", repr(keyring_store.NONE_HERE))


@pytest.mark.skipif(sys.platform != "linux", reason="a session bus is Linux's")
def test_the_session_of_this_user_is_found_from_cron(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = functools.partial(os.environ.get, "DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    keyring_store.available()
    assert not named()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "bus"))
        keyring_store.available()
        assert named() == f"unix:path={tmp_path}/bus"
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/somewhere/else")
        keyring_store.available()
        assert named() == "unix:path=/somewhere/else"
