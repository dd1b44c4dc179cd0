"""A folder of a WebDAV server: Apache, nginx, Nextcloud, SharePoint and others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...remote_names import folder_problem
from ...setting import Setting
from ..destination import Destination, Settings, chosen

if TYPE_CHECKING:
    from ...stored_destination import StoredDestination
    from ..probing import Context, Steps
    from ..remote_files import RemoteFiles
    from ..webdav import WebDavUploads


class WebDav(Destination):
    """A file is PUT under a temporary name and moved (`webdav`)."""

    kind, name, title, service, order = "webdav", "WebDAV", "WebDAV", "WebDAV server", 4
    settings = (Setting("abq_webdav_url", ""), Setting("abq_webdav_folder", "", check=folder_problem))
    keeps_parts = False
    has_files = True
    address_setting = "abq_webdav_url"
    stored_kinds = ("webdav",)

    def settings_of(self, row: StoredDestination) -> dict[str, object]:
        return {"abq_webdav_url": row.address, "abq_webdav_folder": row.folder}

    def address(self, settings: Settings) -> str:
        from .rest import without_secrets

        url, folder = without_secrets(str(settings["abq_webdav_url"])), str(settings["abq_webdav_folder"]).strip("/")
        return f"{url.rstrip('/')}/{folder}"

    def login_place(self, settings: Settings) -> str:
        from .rest import without_secrets

        return f"webdav {without_secrets(str(settings['abq_webdav_url']))}"

    def problem(self, settings: Settings) -> str:
        if found := super().problem(settings):
            return found
        from ..webdav import url_problem

        why = url_problem(str(settings["abq_webdav_url"]))
        return f"The setting 'abq_webdav_url' {why}." if why else ""

    def uploads(self, settings: Settings, username: str, password: str) -> WebDavUploads:
        from ..webdav import WebDavUploads

        return WebDavUploads(
            str(settings["abq_webdav_url"]),
            str(settings["abq_webdav_folder"]),
            username,
            password,
            **chosen(settings, ca_file="abq_ca_file", proxy="network_proxy"),
        )

    def remote_files(self, settings: Settings, username: str, password: str) -> RemoteFiles[Any]:
        from ..webdav import BrowsedUploads, DavFiles

        options = chosen(settings, ca_file="abq_ca_file", proxy="network_proxy")
        url, folder = str(settings["abq_webdav_url"]), str(settings["abq_webdav_folder"])
        return DavFiles(
            lambda place: BrowsedUploads(url, place, username, password, **options), folder, options["timeout"]
        )

    def probe(self, context: Context) -> Steps[None]:
        from ..webdav import probe

        return probe(self.kind, self.problem(context.settings), self.uploads, context)

    def remark(self, settings: Settings) -> str:
        import urllib.parse

        from ..guard import is_loopback

        if self.problem(settings):  # the URL may be invalid, such as that of a destination of the database
            return ""
        parts = urllib.parse.urlsplit(str(settings["abq_webdav_url"]))
        return "not encrypted" if parts.scheme == "http" and not is_loopback(parts.hostname or "") else ""


DESTINATION = WebDav()
