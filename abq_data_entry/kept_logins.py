"""Logins that are kept for what runs by itself: in the system's keyring, else in a file of secrets."""

from __future__ import annotations

import logging

from . import keyring_store, secret_files

log = logging.getLogger(__name__)


class NoneKept(Exception):
    """No login is kept, or its file can't be used; the text says what to do."""


def find_login(kind: str, username: str, place: str) -> tuple[str, str] | None:
    """Return the login of a user for this kind of server at this place: the keyring's, else that of a file of secrets;
    None if neither has it. Raises `secret_files.SecretUnusable`."""
    try:
        if found := keyring_store.get(kind, username, place):
            return found
    except keyring_store.KeyringFailed as error:  # then a file may have it
        log.info("the keyring gave nothing: %s", error)
    return secret_files.login(kind, username)


def kept_login(kind: str, username: str, place: str) -> tuple[str, str]:
    """Return the same login; raises `NoneKept` if there is none."""
    try:
        found = find_login(kind, username, place)
    except secret_files.SecretUnusable as error:
        raise NoneKept(str(error)) from None
    if found is None:
        raise NoneKept(
            f"No password of {username} is kept: put it into the file of secrets {kind}, or into the keyring as "
            f"{keyring_store.service_name(kind)}."
        )
    return found
