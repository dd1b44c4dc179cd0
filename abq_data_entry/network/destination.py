"""What every kind of destination says of itself: all that the rest of the application knows of a protocol.

And which ways there are to log in, and what may be set of them; `rest` does it. A destination of the database is one of
the kinds, with settings that stand in a row and not on this workstation.
"""

from __future__ import annotations

import abc
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..constants import EXTRACT_NAME
from ..setting import Setting
from ..stored_destination import STORED, StoredDestination

if TYPE_CHECKING:
    import datetime

    from ..stored_destination import StoredDestination
    from .probing import Context, Steps
    from .remote_files import RemoteFiles
    from .uploads import Uploads

METHODS = ("cookie", "token", "api-key", "basic", "oauth2")
NONE = "none"
"""Where nobody logs in; a REST service and a BrAPI server always want one."""

WITHOUT_ADDRESS = ("api-key", "basic", NONE)
"""Those that ask nothing before the first file."""

KEY_HEADER = "X-API-Key"
"""Where an API key goes if nobody says otherwise."""

_OURS = frozenset({
    "accept-encoding", "connection", "content-digest", "content-encoding", "content-length", "content-type", "cookie",
    "expect", "host", "idempotency-key", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


def header_problem(name: str) -> str | None:
    """Return why this can't be the header of an API key, as the end of a sentence; None if it can (empty: the usual)"""
    if name and (not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name) or name.lower() in _OURS):
        return f"must be the name of a header of its own, as {KEY_HEADER}"
    return None


def scope_problem(scope: str) -> str | None:
    """Return why a token can't be asked for with this, as the end of a sentence; None if it can (empty: nothing is)."""
    # RFC 6749, 3.3
    if scope and (len(scope) > 1000 or not re.fullmatch(r"[!#-\[\]-~]+( [!#-\[\]-~]+)*", scope)):
        return 'must be words with one blank between them, without " and \\'
    return None


class How(NamedTuple):
    """How somebody logs in: one of `METHODS`; the header of an API key, what OAuth2 is asked to allow, where given."""

    method: str = "cookie"
    header: str = ""
    scope: str = ""


Settings = Mapping[str, object]

NOBODY = "nobody logs in"
"""The place of a login where the settings say that there is none."""


class Place(NamedTuple):
    """Where something goes: the kind of destination, and its address for people and comparing, without secrets."""

    kind: str
    address: str


class Trust(NamedTuple):
    """The host that somebody is to trust, and the settings by which it is trusted."""

    host: str
    settings: Settings


class Destination(abc.ABC):
    """One kind of destination. It has no state, and imports what it sends with when that is first needed.

    `kind`: its name on the command line, in the database and in the outbox; `name`: the same for people; `title`: as
    the login and a success call it; `service`: what stands there; `order`: its place among the others.
    """

    kind: str
    name: str
    title: str
    service: str
    order: int
    key = ""
    mac_key = ""
    settings: tuple[Setting, ...] = ()
    modules: tuple[str, ...] = ()
    """What is to be loaded of `network` before somebody waits for it."""
    keeps_parts = True
    """Whether a part of a file may stay there for the next attempt (`uploads.Part`)."""
    repeatable = True
    """Whether the same file may come twice and is there once; else `progress` is told of all of it before its end is
    sent, and what has no answer then is never sent again by itself."""
    needs_login = True
    """Whether somebody logs in there; without, user name and password are empty."""
    stored_kinds: tuple[str, ...] = ()
    """What the table `destinations` calls it; one kind may be several there, as encrypted and not."""
    address_setting = ""
    """The setting that says where it is: while it is empty, this destination isn't set up. Without one it always is."""

    @property
    def success(self) -> str:
        """What is said when `{file}` has arrived."""
        return f"{{file}} successfully uploaded to {self.title}"

    @abc.abstractmethod
    def address(self, settings: Settings) -> str:
        """Where it leads by these settings, without anything secret."""

    @abc.abstractmethod
    def login_place(self, settings: Settings) -> str:
        """Where a login goes by these settings: it isn't meant for any other place. `NOBODY`: there is none."""

    @abc.abstractmethod
    def uploads(self, settings: Settings, username: str, password: str) -> Uploads:
        """What sends files there with this login; nothing else keeps the password. Raises `InvalidInput`."""

    has_files = False
    """Whether it keeps files in a folder that can be looked at (`remote_files`)."""

    def remote_files(self, settings: Settings, username: str, password: str) -> RemoteFiles[Any]:
        """Its folder in view, with this login. Raises `InvalidInput`; `NotImplementedError` without `has_files`."""
        raise NotImplementedError

    @abc.abstractmethod
    def probe(self, context: Context) -> Steps[None]:
        """Look step by step whether it can be reached; with a login, and what it stores, only if that is wanted."""

    def settings_of(self, row: StoredDestination) -> dict[str, object]:
        """Its settings as they would be in the settings file, of a destination of the database."""
        raise NotImplementedError

    def own(self, settings: Settings) -> Settings:
        """The settings by which it sends; those of a destination of the database stand in its row."""
        return settings

    def username(self, settings: Settings) -> str:
        """Who logs in there by these settings; empty: whoever knows a login."""
        return ""

    def file_name(self, settings: Settings, date: datetime.date) -> str:
        """What the file of a day is called in the outbox and in `deliveries`."""
        return EXTRACT_NAME.format(date=date)

    def place(self, settings: Settings) -> Place:
        """Where it leads by these settings."""
        return Place(self.kind, self.address(settings))

    def is_set_up(self, settings: Settings) -> bool:
        """Whether it can be offered: nobody is asked to send anything where there is nothing."""
        return not self.address_setting or bool(settings.get(self.address_setting))

    def is_removed(self, settings: Settings) -> bool:
        """Whether it stood in the database and was removed; False where that isn't known."""
        return False

    def problem(self, settings: Settings) -> str:
        """Why its own settings can't be used, as a sentence; empty if they can."""
        if not self.is_set_up(settings):
            return f"The setting {self.address_setting!r} is empty: it says where the {self.service} is."
        # Most are as they are by default, which is always right.
        chosen = (each for each in self.settings if each.check and settings[each.name] != each.default)
        refusals = ((each.name, each.refusal(settings[each.name])) for each in chosen)
        return next((f"The setting {name!r} {why}." for name, why in refusals if why), "")

    def remark(self, settings: Settings) -> str:
        """What to know of the way there while it is used; empty if there is nothing."""
        return ""

    def trust(self, settings: Settings, fingerprint: str) -> Trust | None:
        """What it takes to trust a server's unknown key; None where the settings say already which key it must be."""
        return None


def chosen(settings: Settings, **names: str) -> dict[str, Any]:
    """The options of `uploads`: those whose setting isn't empty, for the protocol knows what the others should be.

    And `timeout`, the seconds of silence after which a delivery has failed.
    """
    found = {option: settings[name] for option, name in names.items() if settings.get(name)}
    return {"timeout": float(str(settings["network_timeout"])), **found}


_JUMP = r"(?:ssh://)?(?:(?P<user>[^@/:\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/:\[\]\s]+)(?::(?P<port>\d{1,5}))?/?"


class Jump(NamedTuple):
    """The host on the way, and who logs in there; no user: who logs in at the host behind it."""

    host: str
    port: int = 22
    user: str = ""


def jump_of(text: str) -> Jump | None:
    """Return the jump host that `user@host:port` names; None for an empty text. Raises `ValueError`."""
    if not text:
        return None
    found = re.fullmatch(_JUMP, text)  # compiled only where there is one: each start imports this
    if found is None or not 0 < int(found["port"] or 22) < 65536:
        raise ValueError("no jump host")
    return Jump(found["host"].strip("[]"), int(found["port"] or 22), found["user"] or "")


def jump_problem(text: str) -> str | None:
    """Return why this can't be a jump host, as the end of a sentence; None if it can (empty: there is none)."""
    try:
        jump_of(text)
    except ValueError:
        return "must be a host to go through, as user@host:port"
    return None


class Stored(Destination):
    """What sends as `base` does, by the row of that key (`sftp:archive`) in the settings' `destinations`."""

    key = mac_key = ""

    def __init__(self, base: Destination, key: str) -> None:
        self.base = base
        self.kind = key
        self.name = self.title = key.partition(":")[2]
        self.service = f"{base.service} of {self.name}"
        self.order = base.order
        self.modules = base.modules
        self.keeps_parts = base.keeps_parts
        self.repeatable = base.repeatable
        self.needs_login = base.needs_login
        self.has_files = base.has_files

    def row(self, settings: Settings) -> StoredDestination | None:
        """Its row; None where the database has none, or wasn't asked."""
        found = settings.get(STORED)
        row = found.get(self.kind) if isinstance(found, dict) else None
        return row if isinstance(row, StoredDestination) else None

    def own(self, settings: Settings) -> Settings:
        row = self.row(settings)
        if row is None:  # a problem says so before anything is sent
            return settings
        trusted = settings.get(f"{STORED} trusted {self.kind}", "")
        return {**settings, **self.base.settings_of(row), "abq_sftp_host_key": trusted, **_of_all(row)}

    def username(self, settings: Settings) -> str:
        row = self.row(settings)
        return "" if row is None else row.username

    def file_name(self, settings: Settings, date: datetime.date) -> str:
        row = self.row(settings)
        return super().file_name(settings, date) if row is None else row.name_of_day(date)

    def is_set_up(self, settings: Settings) -> bool:
        return self.row(settings) is not None

    def is_removed(self, settings: Settings) -> bool:
        return isinstance(settings.get(STORED), dict) and self.row(settings) is None

    def problem(self, settings: Settings) -> str:
        kind = self.kind.partition(":")[0]
        if self.is_removed(settings):
            return f"The destination {self.name} of the kind {kind} was removed from the database."
        if self.row(settings) is None:
            return f"The database wasn't asked where the destination {self.name} of the kind {kind} is."
        found = self.base.problem(self.own(settings))
        return found and f"The destination {self.name} of the database can't be used from here. {found}"

    def address(self, settings: Settings) -> str:
        return "" if self.row(settings) is None else self.base.address(self.own(settings))

    def login_place(self, settings: Settings) -> str:
        # What was remembered for another place must never go there.
        return "nowhere" if self.row(settings) is None else self.base.login_place(self.own(settings))

    def uploads(self, settings: Settings, username: str, password: str) -> Uploads:
        return self.base.uploads(self.own(settings), username, password)

    def remote_files(self, settings: Settings, username: str, password: str) -> RemoteFiles[Any]:
        return self.base.remote_files(self.own(settings), username, password)

    def probe(self, context: Context) -> Steps[None]:
        import dataclasses  # costs a start some milliseconds

        wanted = context.wanted
        # The base asks for the login of its kind; here it is the one of this destination, and so are the steps.
        asked = dataclasses.replace(wanted, login=lambda _kind: wanted.login(self.kind))
        for step in self.base.probe(dataclasses.replace(context, settings=self.own(context.settings), wanted=asked)):
            yield dataclasses.replace(step, destination=f"{self.name}: {step.destination}", kind=self.kind)

    def remark(self, settings: Settings) -> str:
        return self.base.remark(self.own(settings))

    def trust(self, settings: Settings, fingerprint: str) -> Trust | None:
        found = self.base.trust(self.own(settings), fingerprint)
        return found and Trust(found.host, {**settings, f"{STORED} trusted {self.kind}": fingerprint})


def _of_all(row: StoredDestination) -> dict[str, object]:
    """What isn't a matter of the protocol."""
    is_extract = row.contents == "records"
    return {
        "abq_upload_name": row.file_name,
        "abq_sha256_companion": row.checksum,
        **({} if is_extract else {"abq_send_report": False, "abq_audit_companion": False}),
    }
