"""A bucket of S3, or of a compatible store such as MinIO, Ceph or Garage. Needs the extra `s3`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remote_names import folder_problem
from ...setting import Setting
from ..destination import Destination, Settings, chosen

if TYPE_CHECKING:
    from ...stored_destination import StoredDestination
    from ..probing import Context, Steps
    from ..s3 import S3Uploads


class S3(Destination):
    """An object for each file (`s3`). The user name is the access key, the password the secret key."""

    kind, name, title, service, order = "s3", "S3", "S3", "S3 store", 7
    settings = (Setting("abq_s3_url", ""), Setting("abq_s3_folder", "", check=folder_problem))
    keeps_parts = False
    address_setting = "abq_s3_url"
    stored_kinds = ("s3",)

    def settings_of(self, row: StoredDestination) -> dict[str, object]:
        return {"abq_s3_url": row.address, "abq_s3_folder": row.folder}

    def address(self, settings: Settings) -> str:
        from .rest import without_secrets

        url, folder = without_secrets(str(settings["abq_s3_url"])), str(settings["abq_s3_folder"]).strip("/")
        return f"{url.rstrip('/')}/{folder}".rstrip("/")

    def login_place(self, settings: Settings) -> str:
        from .rest import without_secrets

        return f"s3 {without_secrets(str(settings['abq_s3_url']))}"

    def problem(self, settings: Settings) -> str:
        if found := super().problem(settings):
            return found
        import importlib.util

        from ..s3 import MISSING
        from ..webdav import url_problem

        if why := url_problem(str(settings["abq_s3_url"])):
            return f"The setting 'abq_s3_url' {why}."
        return "" if importlib.util.find_spec("minio") else MISSING

    def uploads(self, settings: Settings, username: str, password: str) -> S3Uploads:
        from ..s3 import S3Uploads

        return S3Uploads(
            str(settings["abq_s3_url"]),
            str(settings["abq_s3_folder"]),
            username,
            password,
            **chosen(settings, ca_file="abq_ca_file", proxy="network_proxy"),
        )

    def probe(self, context: Context) -> Steps[None]:
        from ..s3 import probe

        return probe(self.kind, self.problem(context.settings), self.uploads, context)

    def remark(self, settings: Settings) -> str:
        import urllib.parse

        from ..guard import is_loopback

        if super().problem(settings):
            return ""
        try:
            parts = urllib.parse.urlsplit(str(settings["abq_s3_url"]))
        except ValueError:  # `problem` reports it
            return ""
        return "not encrypted" if parts.scheme == "http" and not is_loopback(parts.hostname or "") else ""


DESTINATION = S3()
