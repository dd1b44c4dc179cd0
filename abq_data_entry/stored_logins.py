"""Stored logins for unattended runs: in the system's keyring, else in a file of secrets."""

from __future__ import annotations

import logging

from . import keyring_store, secret_files

log = logging.getLogger(__name__)


class LoginMissing(Exception):
    """No login is stored, or its file is invalid; the text says what to do."""


def find_login(kind: str, username: str, place: str) -> tuple[str, str] | None:
    """Return a user's login for this kind of destination at this place, from the keyring, else from a file of secrets.

    None if neither has it. Raises `secret_files.SecretUnusable`."""
    try:
        if found := keyring_store.get(kind, username, place):
            return found
    except keyring_store.KeyringFailed as error:  # then a file may have it
        log.info("the keyring gave nothing: %s", error)
    return secret_files.login(kind, username)


def stored_login(kind: str, username: str, place: str) -> tuple[str, str]:
    """As `find_login`, but raises `LoginMissing` if there is no login."""
    try:
        found = find_login(kind, username, place)
    except secret_files.SecretUnusable as error:
        raise LoginMissing(str(error)) from None
    if found is None:
        raise LoginMissing(
            f"No password of {username} is kept: put it into the file of secrets {kind}, or into the keyring as "
            f"{keyring_store.service_name(kind)}."
        )
    return found
