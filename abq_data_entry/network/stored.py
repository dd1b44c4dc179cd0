"""A destination of the database: one of the kinds, with settings that stand in a row and not on this workstation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..stored_destination import STORED, StoredDestination
from .destination import Destination, Settings, Trust

if TYPE_CHECKING:
    import datetime

    from .probing import Context, Steps
    from .remote_files import RemoteFiles
    from .uploads import Uploads


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
