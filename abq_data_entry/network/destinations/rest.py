"""The company's REST service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...setting import Setting
from ..destination import Destination, Settings, chosen

if TYPE_CHECKING:
    from ...stored_destination import StoredDestination
    from ..probing import Context, Steps
    from ..rest import RestUploads


class Rest(Destination):
    """A login by form and a PUT, as `rest` does it."""

    kind, name, title, service, order = "rest", "REST", "REST API", "REST service", 1
    key, mac_key = "Control-Shift-R", "Command-Shift-R"
    settings = (
        Setting("abq_auth_url", "http://localhost:8000/auth"),
        Setting("abq_upload_url", "http://localhost:8000/upload"),
        Setting("abq_client_certificate", ""),
    )
    modules = ("rest",)
    stored_kinds = ("rest",)
    keeps_parts = False
    success = "{file} successfully uploaded to REST API."

    def settings_of(self, row: StoredDestination) -> dict[str, object]:
        beside = f"{row.address.rpartition('/')[0]}/auth" if row.address.count("/") > 2 else f"{row.address}/auth"
        return {
            "abq_upload_url": row.address,
            "abq_auth_url": row.login_address or beside,
            "abq_client_certificate": "",
        }

    def address(self, settings: Settings) -> str:
        return without_secrets(str(settings["abq_upload_url"]))

    def login_place(self, settings: Settings) -> str:
        addresses = (without_secrets(str(settings[name])) for name in ("abq_auth_url", "abq_upload_url"))
        return " ".join(dict.fromkeys(addresses))

    def uploads(self, settings: Settings, username: str, password: str) -> RestUploads:
        from ..rest import RestUploads

        return RestUploads(
            str(settings["abq_upload_url"]),
            str(settings["abq_auth_url"]),
            username,
            password,
            **chosen(
                settings, ca_file="abq_ca_file", client_certificate="abq_client_certificate", proxy="network_proxy"
            ),
        )

    def probe(self, context: Context) -> Steps[None]:
        from ..rest_probe import probe

        return probe(self.kind, self.problem(context.settings), self.uploads, context)


def without_secrets(url: str) -> str:
    """Return the address without user, password, query and fragment; as it is if it is none."""
    import urllib.parse  # costs a start some milliseconds

    try:
        parts = urllib.parse.urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        place = host if parts.port is None else f"{host}:{parts.port}"
    except ValueError:
        return "an address that isn't valid"
    return urllib.parse.urlunsplit((parts.scheme, place, parts.path, "", ""))


DESTINATION = Rest()
