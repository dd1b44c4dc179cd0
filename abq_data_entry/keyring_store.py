"""The system's keyring, for logins that users have chosen to remember.

Every failure of a keyring (none, locked, broken, or not answering) becomes `KeyringFailed`, whose text is the reason.
Calls may take up to `PATIENCE` seconds, because a keyring may ask for its own password: make them on a worker thread.
The package `keyring` is imported at its first use.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .constants import APPLICATION_ID

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds to wait until the user has unlocked the keyring."""

NONE_HERE = "This computer has no keyring."
LOCKED = "The keyring of this computer is locked. Unlock it, and try again."
SLOW = "The keyring of this computer doesn't answer. Maybe it asks for its own password in another window."

KEPT_NOTHING = "The keyring of this computer took the password, but doesn't have it."

Login = tuple[str, str]
Found = TypeVar("Found")


class KeyringFailed(Exception):
    """The keyring can't be used; the text is the reason in words."""


def service_name(kind: str) -> str:
    """Return the service name in the keyring for the password of a destination such as `rest`."""
    return f"{APPLICATION_ID}:{kind}"


def available(patience: float | None = None) -> str:
    """Return why this computer can't remember a password, '' if it can. Nothing is unlocked or read."""
    try:
        _in_time(lambda _: None, patience)
    except KeyringFailed as error:
        return str(error)
    return ""


def get(kind: str, username: str = "", place: str = "", patience: float | None = None) -> Login | None:
    """Return user name and password for a destination such as `rest`, None if there are none; raises `KeyringFailed`.

    Without `username`, the keyring's own entry names the user. A login that was remembered for another place isn't
    returned, because it isn't meant for this server. One that was added by hand is for any place.
    """

    def ask(backend: KeyringBackend) -> Login | None:
        user = username or _named_user(backend, kind)
        if not user:
            return None
        meant_for = backend.get_password(_place_name(kind), user) if place else ""
        if meant_for and meant_for != place:
            return None
        password = backend.get_password(service_name(kind), user)
        return (user, password) if password else None

    return _in_time(ask, patience)


def remember(kind: str, login: Login, place: str, patience: float | None = None) -> None:
    """Keep a login that was accepted at this place; raises `KeyringFailed`."""
    username, password = login

    def ask(backend: KeyringBackend) -> None:
        backend.set_password(_place_name(kind), username, place)
        backend.set_password(service_name(kind), username, password)
        if backend.get_password(service_name(kind), username) != password:
            raise KeyringFailed(KEPT_NOTHING)

    _in_time(ask, patience)
    log.info("the keyring remembers a login for %s", kind)


def forget(kind: str, username: str = "", patience: float | None = None) -> bool:
    """Remove the login of `username`, or of the user that the keyring names; return whether there was one.

    Raises `KeyringFailed`.
    """

    def ask(backend: KeyringBackend) -> bool:
        user = username or _named_user(backend, kind)
        names = (service_name(kind), _place_name(kind)) if user else ()
        there = [name for name in names if backend.get_password(name, user) is not None]
        for name in there:
            backend.delete_password(name, user)
        return bool(there)

    return bool(_in_time(ask, patience))


def _named_user(backend: KeyringBackend, kind: str) -> str:
    found = backend.get_credential(service_name(kind), None)
    return (found.username or "") if found else ""


def _place_name(kind: str) -> str:
    """Return the service name in the keyring for the place that a user's login is for."""
    return f"{service_name(kind)}:place"


def _in_time(ask: Callable[[KeyringBackend], Found], patience: float | None) -> Found:
    """Call `ask` on a thread of its own, and wait for it at most `patience` seconds."""
    answers: queue.SimpleQueue[tuple[list[Found], str]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(([ask(_backend())], ""))
        except KeyringFailed as error:
            answers.put(([], str(error)))
        except BaseException as error:  # a keyring backend may raise anything
            log.info("the keyring failed: %s", type(error).__name__)
            answers.put(([], _reason(error)))

    threading.Thread(target=run, name="keyring", daemon=True).start()
    try:
        found, reason = answers.get(timeout=PATIENCE if patience is None else patience)
    except queue.Empty:
        raise KeyringFailed(SLOW) from None
    if not found:
        raise KeyringFailed(reason)
    return found[0]


def _backend() -> KeyringBackend:
    """Return the keyring backend; raises `KeyringFailed` if there is none, or one that stores nothing."""
    _name_session_bus()
    try:
        import keyring
    except ImportError:
        raise KeyringFailed(NONE_HERE) from None
    from keyring.backends import fail, null

    backend = keyring.get_keyring()
    if isinstance(backend, fail.Keyring | null.Keyring):
        raise KeyringFailed(NONE_HERE)
    return backend


def _name_session_bus() -> None:
    """Set the D-Bus address of the user's session, which cron doesn't, to the socket that systemd creates."""
    if sys.platform != "linux" or os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return
    bus = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / "bus"
    with suppress(OSError):
        if bus.is_socket():
            os.environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"


def _reason(error: BaseException) -> str:
    from keyring import errors

    if isinstance(error, errors.KeyringLocked):
        return LOCKED
    if isinstance(error, errors.NoKeyringError):
        return NONE_HERE
    return f"The keyring of this computer can't be used ({type(error).__name__})."
