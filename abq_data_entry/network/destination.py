"""The interface of a destination: everything that the rest of the application knows about a protocol.

And the login methods of HTTP services, which `rest` implements. A destination of the database has one of the kinds,
with settings in a row of a table instead of this workstation's file.
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
"""Protocols without a login; a REST service and a BrAPI server always need one."""

WITHOUT_ADDRESS = ("api-key", "basic", NONE)
"""Logins that need no request before the first file."""

KEY_HEADER = "X-API-Key"
"""The header for an API key, unless another one is set."""

_OURS = frozenset({
    "accept-encoding", "connection", "content-digest", "content-encoding", "content-length", "content-type", "cookie",
    "expect", "host", "idempotency-key", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


def header_problem(name: str) -> str | None:
    """Return why this isn't a valid header field for an API key, as the end of a sentence; None if it is ('': none)."""
    if name and (not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name) or name.lower() in _OURS):
        return f"must be the name of a header of its own, as {KEY_HEADER}"
    return None


def scope_problem(scope: str) -> str | None:
    """Return why this isn't a valid OAuth2 scope, as the end of a sentence; None if it is ('': no scope)."""
    # RFC 6749, 3.3
    if scope and (len(scope) > 1000 or not re.fullmatch(r"[!#-\[\]-~]+( [!#-\[\]-~]+)*", scope)):
        return 'must be words with one blank between them, without " and \\'
    return None


class LoginMethod(NamedTuple):
    """A login method, one of `METHODS`, with the header field for an API key and the scope for OAuth2 ('': default)."""

    method: str = "cookie"
    header: str = ""
    scope: str = ""


Settings = Mapping[str, object]

NOBODY = "nobody logs in"
"""The login place if the settings say that there is no login."""


class Place(NamedTuple):
    """The kind of a destination and its address, without secrets, for display and comparison."""

    kind: str
    address: str


class Trust(NamedTuple):
    """A host with an unknown key, and settings with which that key is trusted."""

    host: str
    settings: Settings


class Destination(abc.ABC):
    """One kind of destination. It is stateless, and imports the module that sends at its first use.

    `kind`: its name on the command line, in the database and in the outbox; `name`: the same for people; `title`: its
    name in login dialogs and success messages; `service`: what kind of server it is; `order`: its position in lists.
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
    """The modules of `network` to import in the background, before somebody waits for them."""
    keeps_parts = True
    """Whether a partial file may be left there and continued by the next attempt (`uploads.Part`)."""
    repeatable = True
    """Whether sending is idempotent. If not, `progress` reports the whole file before its end is sent, and a file
    without a final response is never sent again automatically."""
    needs_login = True
    """Whether there is a login; if not, user name and password are empty."""
    stored_kinds: tuple[str, ...] = ()
    """Its kinds in the table `destinations`; there may be several, such as `ftp` and `ftps`."""
    address_setting = ""
    """The setting with its address: while that is empty, the destination isn't set up. '': it always is set up."""

    @property
    def success(self) -> str:
        """The message when `{file}` has arrived."""
        return f"{{file}} successfully uploaded to {self.title}"

    @abc.abstractmethod
    def address(self, settings: Settings) -> str:
        """Its address by these settings, without secrets."""

    @abc.abstractmethod
    def login_place(self, settings: Settings) -> str:
        """Return the place to which a login is sent by these settings, and nowhere else. `NOBODY`: there is no
        login."""

    @abc.abstractmethod
    def uploads(self, settings: Settings, username: str, password: str) -> Uploads:
        """Return the sender for files with this login; nothing else keeps the password. Raises `InvalidInput`."""

    has_files = False
    """Whether it has a folder that can be listed (`remote_files`)."""

    def remote_files(self, settings: Settings, username: str, password: str) -> RemoteFiles[Any]:
        """Return its folder, with this login. Raises `InvalidInput`; `NotImplementedError` without `has_files`."""
        raise NotImplementedError

    @abc.abstractmethod
    def probe(self, context: Context) -> Steps[None]:
        """Check step by step whether it can be reached; log in and store a test file only if that is wanted."""

    def settings_of(self, row: StoredDestination) -> dict[str, object]:
        """Return the settings of a destination of the database, under the names of the settings file."""
        raise NotImplementedError

    def own(self, settings: Settings) -> Settings:
        """Return the settings with which it sends; for a destination of the database, those of its row."""
        return settings

    def username(self, settings: Settings) -> str:
        """Return the user name by these settings; '': whoever has a login."""
        return ""

    def file_name(self, settings: Settings, date: datetime.date) -> str:
        """Return the name of a day's file in the outbox and in `deliveries`."""
        return EXTRACT_NAME.format(date=date)

    def place(self, settings: Settings) -> Place:
        """Its kind and address by these settings."""
        return Place(self.kind, self.address(settings))

    def is_set_up(self, settings: Settings) -> bool:
        """Return whether it is set up, so that it can be offered."""
        return not self.address_setting or bool(settings.get(self.address_setting))

    def is_removed(self, settings: Settings) -> bool:
        """Return whether it was in the database and has been removed; False if that isn't known."""
        return False

    def problem(self, settings: Settings) -> str:
        """Why its settings are invalid, as a sentence; '' if they are valid."""
        if not self.is_set_up(settings):
            return f"The setting {self.address_setting!r} is empty: it says where the {self.service} is."
        # Only changed ones: the defaults are valid.
        chosen = (each for each in self.settings if each.check and settings[each.name] != each.default)
        refusals = ((each.name, each.refusal(settings[each.name])) for each in chosen)
        return next((f"The setting {name!r} {why}." for name, why in refusals if why), "")

    def remark(self, settings: Settings) -> str:
        """Return a remark about the connection while it is used, such as that it isn't encrypted; '' if there is
        none."""
        return ""

    def trust(self, settings: Settings, fingerprint: str) -> Trust | None:
        """Return how to trust a server's unknown host key; None if the settings already name the key that it must
        have."""
        return None


def login_method(settings: Settings, prefix: str) -> LoginMethod:
    """Return the login method of the settings `PREFIX_method`, `PREFIX_header` and `PREFIX_scope`."""
    return LoginMethod(*(str(settings[f"{prefix}_{name}"]) for name in ("method", "header", "scope")))


def chosen(settings: Settings, **names: str) -> dict[str, Any]:
    """Return keyword arguments from settings, except empty ones, for which the protocol has defaults.

    And `timeout`: the seconds without data after which a delivery fails.
    """
    found = {option: settings[name] for option, name in names.items() if settings.get(name)}
    return {"timeout": float(str(settings["network_timeout"])), **found}


_JUMP = r"(?:ssh://)?(?:(?P<user>[^@/:\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/:\[\]\s]+)(?::(?P<port>\d{1,5}))?/?"


class Jump(NamedTuple):
    """A jump host and the user there; '': the same user as at the target host."""

    host: str
    port: int = 22
    user: str = ""


def jump_of(text: str) -> Jump | None:
    """Return the jump host in `user@host:port`; None for ''. Raises `ValueError`."""
    if not text:
        return None
    found = re.fullmatch(_JUMP, text)  # not compiled at import, which each start would pay for
    if found is None or not 0 < int(found["port"] or 22) < 65536:
        raise ValueError("no jump host")
    return Jump(found["host"].strip("[]"), int(found["port"] or 22), found["user"] or "")


def jump_problem(text: str) -> str | None:
    """Return why this isn't a valid jump host, as the end of a sentence; None if it is ('': no jump host)."""
    try:
        jump_of(text)
    except ValueError:
        return "must be a host to go through, as user@host:port"
    return None


class Stored(Destination):
    """A destination of the database: as `base`, but with the settings of the row with that key (`sftp:archive`)."""

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
        """Its row; None if the database has none, or its destinations weren't read."""
        found = settings.get(STORED)
        row = found.get(self.kind) if isinstance(found, dict) else None
        return row if isinstance(row, StoredDestination) else None

    def own(self, settings: Settings) -> Settings:
        row = self.row(settings)
        if row is None:  # `problem` reports that before anything is sent
            return settings
        trusted = settings.get(f"{STORED} trusted {self.kind}", "")
        return {**settings, **self.base.settings_of(row), "abq_sftp_host_key": trusted, **_common_settings(row)}

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
        # Without its row the address isn't known: then no stored login may be used.
        return "nowhere" if self.row(settings) is None else self.base.login_place(self.own(settings))

    def uploads(self, settings: Settings, username: str, password: str) -> Uploads:
        return self.base.uploads(self.own(settings), username, password)

    def remote_files(self, settings: Settings, username: str, password: str) -> RemoteFiles[Any]:
        return self.base.remote_files(self.own(settings), username, password)

    def probe(self, context: Context) -> Steps[None]:
        import dataclasses  # not at the top: it would make each start some milliseconds slower

        wanted = context.wanted
        # The base asks for the login of its own kind; replace that by this destination's, also in the steps.
        asked = dataclasses.replace(wanted, login=lambda _kind: wanted.login(self.kind))
        for step in self.base.probe(dataclasses.replace(context, settings=self.own(context.settings), wanted=asked)):
            yield dataclasses.replace(step, destination=f"{self.name}: {step.destination}", kind=self.kind)

    def remark(self, settings: Settings) -> str:
        return self.base.remark(self.own(settings))

    def trust(self, settings: Settings, fingerprint: str) -> Trust | None:
        found = self.base.trust(self.own(settings), fingerprint)
        return found and Trust(found.host, {**settings, f"{STORED} trusted {self.kind}": fingerprint})


def _common_settings(row: StoredDestination) -> dict[str, object]:
    """Return the settings of a row that don't depend on the protocol."""
    is_extract = row.contents == "records"
    return {
        "abq_upload_name": row.file_name,
        "abq_sha256_companion": row.checksum,
        **({} if is_extract else {"abq_send_report": False, "abq_audit_companion": False}),
    }
