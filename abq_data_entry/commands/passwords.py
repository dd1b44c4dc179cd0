"""Where passwords come from; never from the command line, which other users of the machine can read."""

import os
import sys

from .outcome import NotDone, waiting_for_an_answer

NO_LOGIN = ("", "")
DELIVERY_VARIABLE = "ABQ_PASSWORD"
DATABASE_VARIABLE = "ABQ_DB_PASSWORD"


class Secrets:
    """The passwords from the environment; empty if there was none. Not shown by `repr`."""

    def __init__(self, delivery: str = "", database: str = "") -> None:
        self._delivery, self._database = delivery, database

    @property
    def delivery(self) -> str:
        """The password for deliveries. Raises NotDone if it isn't valid text."""
        return _readable(self._delivery, f"in {DELIVERY_VARIABLE}")

    @property
    def database(self) -> str:
        """The password for the database. Raises NotDone if it isn't valid text."""
        return _readable(self._database, f"in {DATABASE_VARIABLE}")


class _OwnedByAnotherUser(NotDone):
    """A file of secrets belongs to another user; at a terminal, the user is then asked for the password."""


def take_secrets() -> Secrets:
    """Remove the passwords from the environment, so that child processes don't inherit them, and return them."""
    return Secrets(os.environ.pop(DELIVERY_VARIABLE, ""), os.environ.pop(DATABASE_VARIABLE, ""))


def login_for(
    destination: str, username: str, from_stdin: bool, secrets: Secrets, place: str = ""
) -> tuple[str, str]:
    """Return user name and password for a delivery to this place; both empty if no login is needed.

    The password comes from the first line of standard input (`from_stdin`), else from ABQ_PASSWORD, else from the
    keyring, else from a file of secrets, else it is asked for. Raises NotDone if nobody can be asked.
    """
    if not needs_login(destination, place):
        return NO_LOGIN
    # A login given for this call takes precedence over a stored one.
    if from_stdin:
        return username or _asked_user(destination, from_stdin), password_from_stdin()
    if secrets.delivery:
        return username or _asked_user(destination, from_stdin), secrets.delivery
    try:
        known = login_kept(destination, username, place)
    except _OwnedByAnotherUser as error:
        if not can_ask():
            raise
        print(error, file=sys.stderr)
        known = None
    if known is not None:
        return known
    user = username or _asked_user(destination, from_stdin)
    return user, _asked_password(destination, user)


def login_kept(destination: str, username: str, place: str) -> tuple[str, str] | None:
    """Return the login stored in the keyring, else in a file of secrets; None if neither has it.

    Raises NotDone for a file that can't be used, such as one that others may read or that is of another user.
    """
    return login_kept_as(destination, username, place) if needs_login(destination, place) else NO_LOGIN


def login_kept_as(key: str, username: str, place: str) -> tuple[str, str] | None:
    """As `login_kept`, by the key of the login, such as `alarms:` and the name of a receiver."""
    from ..secret_files import SecretOfAnother, SecretUnusable
    from ..stored_logins import find_login

    try:
        return find_login(key, username, place)
    except SecretOfAnother as error:
        raise _OwnedByAnotherUser(str(error)) from None
    except SecretUnusable as error:
        raise NotDone(str(error)) from None


def needs_login(kind: str, place: str) -> bool:
    """Return whether that place of a destination needs a login."""
    from ..network.destination import NOBODY
    from ..network.destinations import destination

    return destination(kind).needs_login and place != NOBODY


def ask(prompt: str) -> str:
    """Ask at the terminal; the question goes to standard error, because standard output may be a file.

    Raises NotDone if standard input has ended.
    """
    print(prompt, end="", file=sys.stderr, flush=True)
    with waiting_for_an_answer():
        line = sys.stdin.readline()
    if not line:
        raise NotDone("Nothing was entered.")
    return line.strip()


def ask_secretly(prompt: str) -> str:
    """Ask at the terminal without showing what is typed. Raises NotDone for no input, or for bytes that aren't text."""
    from getpass import getpass

    try:
        with waiting_for_an_answer():
            return _readable(getpass(prompt), "that was entered")
    except EOFError:
        raise NotDone("No password was entered.") from None
    except UnicodeDecodeError:
        raise _unreadable("that was entered") from None


def can_ask() -> bool:
    """Return whether standard input is a terminal."""
    # On Windows, a program without a console has no standard input.
    return sys.stdin is not None and sys.stdin.isatty()


def password_from_stdin() -> str:
    """Return the first line of standard input. Raises NotDone if it is empty, or isn't valid text."""
    source = "on standard input"
    try:
        with waiting_for_an_answer():
            password = sys.stdin.readline().rstrip("\r\n") if sys.stdin is not None else ""
    except UnicodeDecodeError:
        raise _unreadable(source) from None
    password = _readable(password.removeprefix("\ufeff"), source)  # editors on Windows put this mark before the text
    if not password:
        raise NotDone("No password came on standard input: its first line must be the password.")
    return password


def _readable(password: str, source: str) -> str:
    """Return the password. Raises NotDone if it has undecodable bytes, which can't be sent."""
    if any("\ud800" <= each <= "\udfff" for each in password):
        raise _unreadable(source)
    return password


def _unreadable(source: str) -> NotDone:
    return NotDone(
        f"The password {source} isn't text in the encoding of this system, usually UTF-8: save it in that encoding, or "
        "type it again."
    )


def _asked_user(destination: str, from_stdin: bool) -> str:
    user = ask(f"User name for {destination}: ") if can_ask() and not from_stdin else ""
    if not user:
        raise NotDone(f"The delivery by {destination} needs a user name: give it with --username.")
    return user


def _asked_password(destination: str, user: str) -> str:
    from ..keyring_store import service_name

    password = ask_secretly(f"Password of {user} for {destination}: ") if can_ask() else ""
    if not password:
        raise NotDone(
            f"The delivery by {destination} needs the password of {user}: give it on standard input with "
            f"--password-stdin, in {DELIVERY_VARIABLE}, or keep it in the keyring as {service_name(destination)}."
        )
    return password
