"""Logins of deliveries and of the mailbox of answers: asked for once a session and place, kept in memory once they were
accepted, and in the system's keyring where somebody wants that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..jobs import ANY, Jobs
from ..network.destination import NOBODY
from ..network.destinations import KINDS, destination
from ..network.mail_addresses import MAILBOX, configured_mailbox
from ..views import LoginDialog, Remember

if TYPE_CHECKING:
    import tkinter as tk

    from ..outbox import Delivery
    from ..stored_destination import StoredDestination
    from .messages import Messages

Login = tuple[str, str]
NO_LOGIN: Login = ("", "")
Values = Mapping[str, object]


class Found(NamedTuple):
    """What a look for a stored login has found.

    ``login``: the login, if there is one; ``why_not``: why the keyring couldn't be asked; ``username``: who delivered
    there last; ``problem``: what is wrong with the file of secrets; ``of_file``: the login is from that file.
    """

    login: Login | None = None
    why_not: str = ""
    username: str = ""
    problem: str = ""
    of_file: bool = False


class Server(NamedTuple):
    """Where a login goes (`NOBODY`: none is wanted), who logs in there by the settings, and the title of the dialog."""

    place: str
    username: str
    title: str


def server_of(kind: str, values: Values) -> Server:
    """Return the server of a destination, or of the mailbox (`answers`), by these settings."""
    if kind == MAILBOX:
        address = configured_mailbox(values)
        place = NOBODY if address is None else address.place
        return Server(place, str(values["abq_answers_username"]), "Login to the Mailbox of Answers")
    to = destination(kind)
    place = to.login_place(values) if to.needs_login else NOBODY
    return Server(place, to.username(values), f"Login to ABQ Corporate {to.title}")


class Logins:
    """The logins of this session. On the Tk thread; only the keyring is asked on a worker thread, because somebody may
    have to unlock it.

    A *place* is where a login goes (`Destination.login_place`): if the settings lead to another, it is asked for again.
    """

    def __init__(self, window: tk.Misc, jobs: Jobs, messages: Messages) -> None:
        self._window, self._jobs, self._messages = window, jobs, messages
        self._accepted: dict[str, Login] = {}
        self._refused: dict[str, str] = {}
        self._usernames: dict[str, str] = {}
        self._to_remember: dict[str, Login] = {}
        self._keyring_silent = ""

    def obtain(self, kind: str, values: Values, username: str, then: Callable[[Login | None], object]) -> None:
        """Call `then` with the login for a destination by these settings: a known one, or what somebody enters.

        A login of somebody else than `username` doesn't count, unless that is empty. None: the dialog was cancelled.
        """
        server = server_of(kind, values)
        place, username = server.place, username or server.username
        if place == NOBODY:
            then(NO_LOGIN)
            return
        known = self._accepted.get(place)
        if known is not None and username in ("", known[0]):
            then(known)
            return

        def looked_up(found: Found) -> None:
            self._note_silence(found.why_not)
            if found.login is not None and place not in self._refused:
                then(found.login)
            else:
                self._ask(kind, server, username, found, then)

        user = username or self._usernames.get(place, "")
        self._jobs.submit(ANY, look_up, kind, user, place, self._keyring_silent, done=looked_up)

    def of_session(self, kind: str, values: Values, username: str = "") -> Login | None:
        """Return the login accepted there in this session, if it is this user's; anybody's if `username` is empty."""
        known = self._accepted.get(server_of(kind, values).place)
        return known if known is not None and username in ("", known[0]) else None

    @property
    def keyring_silent(self) -> str:
        """Why the keyring isn't asked again; empty if it is."""
        return self._keyring_silent

    def known(self, rows: Iterable[StoredDestination], values: Values) -> dict[str, Login | None]:
        """Return this session's logins for destinations of the database, by their key; None if it was refused.

        A destination whose login may be in the keyring or a file is left out.
        """
        found: dict[str, Login | None] = {}
        for row in rows:
            place, accepted = server_of(row.key, values).place, self.of_session(row.key, values, row.username)
            if place == NOBODY:
                found[row.key] = NO_LOGIN
            elif accepted is not None:
                found[row.key] = accepted
            elif place in self._refused:
                found[row.key] = None
        return found

    def accepted(self, kind: str, values: Values, login: Login) -> None:
        """Keep a login that the server has accepted; also in the keyring, if the user wants that."""
        place = server_of(kind, values).place
        self._accepted[place] = login
        self._refused.pop(place, None)
        if self._to_remember.pop(place, None) == login:
            self._jobs.submit(ANY, remember, kind, login, place, done=self._report)

    def refused(self, kind: str, values: Values, reason: str) -> None:
        """Forget a login that the server has refused; the next dialog shows the reason."""
        place = server_of(kind, values).place
        self._accepted.pop(place, None)
        self._to_remember.pop(place, None)
        self._refused[place] = reason

    def forget_all(self, done: Callable[[str], object]) -> None:
        """Forget all logins, in memory and in the keyring; `done` is called with a sentence about it."""
        usernames = {login[0] for login in self._accepted.values()} | set(self._usernames.values())
        for kept in (self._accepted, self._refused, self._usernames, self._to_remember):
            kept.clear()
        self._keyring_silent = ""
        self._jobs.submit(ANY, forget, usernames, done=done)

    def _ask(
        self, kind: str, server: Server, username: str, found: Found, then: Callable[[Login | None], object]
    ) -> None:
        place, title = server.place, server.title
        kept = None if found.of_file else found.login
        dialog: LoginDialog | None = None

        def answered(login: Login | None) -> None:
            if login is not None:
                self._usernames[place] = login[0]
                self._to_remember.pop(place, None)
                if dialog is not None and dialog.remembers:
                    self._to_remember[place] = login
                elif kept is not None:
                    self._jobs.submit(ANY, forget_one, kind, kept[0], done=self._report)
            then(login)

        user = username or self._usernames.get(place, "") or (found.login[0] if found.login else found.username)
        box, refused = Remember(kept is not None, found.why_not), self._refused.get(place, "") or found.problem

        def make() -> LoginDialog:
            nonlocal dialog
            dialog = LoginDialog(self._window, title, refused, user, answered, box)
            return dialog

        self._messages.open(title, title, refused, "Log In…", make, lambda: answered(None))

    def _note_silence(self, why_not: str) -> None:
        from ..keyring_store import SLOW

        if why_not == SLOW:  # once is enough to wait for it
            self._keyring_silent = why_not

    def _report(self, problem: str) -> None:
        if problem:
            self._messages.note("Keyring", problem)


# -- on worker threads ----------------------------------------------------------------------------------


def look_up(kind: str, username: str, place: str, silent: str = "") -> Found:
    """Return the login for this place that is kept, of this user or (empty) of whoever is named there.

    The keyring's, else that of a file of secrets. `silent`: why the keyring isn't asked.
    """
    from .. import keyring_store, secret_files

    if place == NOBODY:
        return Found(NO_LOGIN, silent)
    latest, why_not = username or _latest_user(kind), silent
    try:
        login = None if silent else keyring_store.get(kind, username, place)
        if login is None and latest != username and not silent:  # some keyrings can't tell whose login they have
            login = keyring_store.get(kind, latest, place)
        if login is not None:
            return Found(login, "", latest)
    except keyring_store.KeyringFailed as error:
        why_not = str(error)
    try:
        login = secret_files.login(kind, username)
    except secret_files.SecretUnusable as error:
        return Found(None, why_not, latest, str(error))
    return Found(login, why_not, latest, of_file=login is not None)


def known_logins(deliveries: Iterable[Delivery], values: Values) -> dict[str, Login]:
    """Return the logins in the keyring and in files of secrets for these deliveries, by the delivery's identifier."""
    found: dict[tuple[str, str], Login | None] = {}
    silent = ""
    for each in deliveries:
        key = (each.kind, each.username)
        if not destination(each.kind).needs_login:
            found[key] = NO_LOGIN
        elif key not in found:
            kept = look_up(*key, destination(each.kind).login_place(values), silent)
            found[key], silent = kept.login, kept.why_not  # a keyring that doesn't answer is waited for once
    logins = {each.identifier: found[each.kind, each.username] for each in deliveries}
    return {identifier: login for identifier, login in logins.items() if login is not None}


def remember(kind: str, login: Login, place: str) -> str:
    """Put a login into the keyring; return a message if that fails, else empty."""
    from .. import keyring_store

    try:
        keyring_store.remember(kind, login, place)
    except keyring_store.KeyringFailed as error:
        return f"The password isn't remembered. {error}"
    return ""


def forget_one(kind: str, username: str) -> str:
    """Remove a login from the keyring; return a message if that fails, else empty."""
    from .. import keyring_store

    try:
        keyring_store.forget(kind, username)
    except keyring_store.KeyringFailed as error:
        return f"The password is still in the keyring. {error}"
    return ""


def forget(usernames: Iterable[str]) -> str:
    """Remove the logins of these users, and of those the keyring names, from it; return a sentence about it."""
    from .. import keyring_store

    count = 0
    try:
        for kind in dict.fromkeys((*KINDS, MAILBOX, *_kinds_sent())):
            for username in {"", _latest_user(kind), *usernames}:
                count += keyring_store.forget(kind, username)
    except keyring_store.KeyringFailed as error:
        if str(error) != keyring_store.NONE_HERE:
            return f"The logins of this session are forgotten, those in the keyring aren't. {error}"
    kept = {0: "", 1: ", and one in the keyring"}.get(count, f", and {count} in the keyring")
    return f"The logins of this session are forgotten{kept}. You are asked at the next delivery"


def _kinds_sent() -> list[str]:
    """Return the kinds and destinations to which this computer has sent something, or will."""
    from ..workflows.deliver_day import open_outbox

    return [each.kind for each in open_outbox().deliveries()]


def _latest_user(kind: str) -> str:
    from ..workflows.deliver_day import open_outbox

    found: Sequence[Delivery] = [each for each in open_outbox().deliveries() if each.kind == kind]
    return found[-1].username if found else ""
