"""A server of breeding data with BrAPI 2.1, such as Breedbase; Field Book and GridScore send to such servers, too."""

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
    from ..brapi import BrapiUploads
    from ..probing import Context, Steps


class Brapi(Destination):
    """The values of the day's extract as observations, as `brapi` sends them."""

    kind, name, title, service, order = "brapi", "BrAPI", "BrAPI", "BrAPI server", 5
    settings = (
        Setting("abq_brapi_url", ""),
        Setting("abq_brapi_trial", ""),
        Setting("abq_brapi_auth_url", ""),
        Setting("abq_brapi_auth_method", "token", choices=METHODS[1:]),
        Setting("abq_brapi_auth_header", "", check=header_problem),
        Setting("abq_brapi_auth_scope", "", check=scope_problem),
    )
    keeps_parts = False
    address_setting = "abq_brapi_url"
    stored_kinds = ("brapi",)

    def settings_of(self, row: StoredDestination) -> dict[str, object]:
        return {
            "abq_brapi_url": row.address,
            "abq_brapi_trial": row.folder,
            "abq_brapi_auth_url": row.login_address,
            "abq_brapi_auth_method": row.login_method or "token",
            "abq_brapi_auth_header": row.login_header,
            "abq_brapi_auth_scope": row.login_scope,
            **_ONLY_RECORDS,
        }

    def own(self, settings: Settings) -> Settings:
        return {**settings, **_ONLY_RECORDS}

    def address(self, settings: Settings) -> str:
        from .rest import without_secrets

        trial = str(settings["abq_brapi_trial"])
        return without_secrets(str(settings["abq_brapi_url"])) + (f" ({trial})" if trial else "")

    def login_place(self, settings: Settings) -> str:
        from .rest import without_secrets

        return " ".join(dict.fromkeys(without_secrets(url) for url in _urls(settings)))

    def problem(self, settings: Settings) -> str:
        if found := super().problem(settings):
            return found
        from ..rest import encryption_problem
        from ..webdav import url_problem

        why = url_problem(str(settings["abq_brapi_url"]))
        if why:
            return f"The setting 'abq_brapi_url' {why}."
        return encryption_problem(login_method(settings, "abq_brapi_auth"), _urls(settings))

    def uploads(self, settings: Settings, username: str, password: str) -> BrapiUploads:
        from ..brapi import BrapiUploads

        login, *_ = _urls(settings)
        return BrapiUploads(
            str(settings["abq_brapi_url"]).rstrip("/"),
            login,
            username,
            password,
            login_method=login_method(settings, "abq_brapi_auth"),
            trial=str(settings["abq_brapi_trial"]),
            **chosen(settings, ca_file="abq_ca_file", proxy="network_proxy"),
        )

    def probe(self, context: Context) -> Steps[None]:
        from ..brapi import probe

        return probe(self.kind, self.problem(context.settings), self.uploads, context)


# BrAPI has no place for files beside the extract.
_ONLY_RECORDS = {"abq_send_report": False, "abq_audit_companion": False, "abq_sha256_companion": False}


def _urls(settings: Settings) -> tuple[str, ...]:
    """Return the URL of the login and of the API."""
    address = str(settings["abq_brapi_url"]).rstrip("/")
    if settings["abq_brapi_auth_method"] in WITHOUT_ADDRESS:
        return (address,)
    return str(settings["abq_brapi_auth_url"]) or f"{address}/token", address


DESTINATION = Brapi()
