"""The company's REST service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...setting import Setting
from ..destination import (
    METHODS,
    WITHOUT_ADDRESS,
    Destination,
    Settings,
    chosen,
    header_problem,
    login_method,
    scope_problem,
)

if TYPE_CHECKING:
    from ...stored_destination import StoredDestination
    from ..probing import Context, Steps
    from ..rest import RestUploads


class Rest(Destination):
    """A login, by default with a form, and a PUT (`rest`)."""

    kind, name, title, service, order = "rest", "REST", "REST API", "REST service", 1
    key, mac_key = "Control-Shift-R", "Command-Shift-R"
    settings = (
        Setting("abq_auth_url", "http://localhost:8000/auth"),
        Setting("abq_upload_url", "http://localhost:8000/upload"),
        Setting("abq_client_certificate", ""),
        Setting("abq_auth_method", "cookie", choices=METHODS),
        Setting("abq_auth_header", "", check=header_problem),
        Setting("abq_auth_scope", "", check=scope_problem),
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
            "abq_auth_method": row.login_method or "cookie",
            "abq_auth_header": row.login_header,
            "abq_auth_scope": row.login_scope,
        }

    def address(self, settings: Settings) -> str:
        return without_secrets(str(settings["abq_upload_url"]))

    def login_place(self, settings: Settings) -> str:
        addresses = (without_secrets(url) for url in _urls(settings))
        return " ".join(dict.fromkeys(addresses))

    def problem(self, settings: Settings) -> str:
        if (found := super().problem(settings)) or settings["abq_auth_method"] == "cookie":
            return found
        from ..rest import encryption_problem

        return encryption_problem(login_method(settings, "abq_auth"), _urls(settings))

    def uploads(self, settings: Settings, username: str, password: str) -> RestUploads:
        from ..rest import RestUploads

        return RestUploads(
            str(settings["abq_upload_url"]),
            str(settings["abq_auth_url"]),
            username,
            password,
            login_method=login_method(settings, "abq_auth"),
            **chosen(
                settings, ca_file="abq_ca_file", client_certificate="abq_client_certificate", proxy="network_proxy"
            ),
        )

    def probe(self, context: Context) -> Steps[None]:
        from ..rest_probe import probe

        return probe(self.kind, self.problem(context.settings), self.uploads, context)


def _urls(settings: Settings) -> tuple[str, ...]:
    """Return the URLs of the login and of the upload."""
    login = () if settings["abq_auth_method"] in WITHOUT_ADDRESS else (str(settings["abq_auth_url"]),)
    return *login, str(settings["abq_upload_url"])


def without_secrets(url: str) -> str:
    """Return the URL without user, password, query and fragment; anything else as it is."""
    import urllib.parse  # not at the top: it costs some milliseconds at the start

    try:
        parts = urllib.parse.urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        place = host if parts.port is None else f"{host}:{parts.port}"
    except ValueError:
        return "an address that isn't valid"
    return urllib.parse.urlunsplit((parts.scheme, place, parts.path, "", ""))


DESTINATION = Rest()
