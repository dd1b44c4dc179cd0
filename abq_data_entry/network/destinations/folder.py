"""A shared folder: a mounted network share, or a folder that another program synchronises."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...setting import Setting
from ..destination import Destination, Settings, chosen

if TYPE_CHECKING:
    from ...stored_destination import StoredDestination
    from ..probing import Context, Steps
    from ..remote_files import RemoteFiles
    from ..uploads import Uploads


def path_problem(path: str) -> str | None:
    """Return why this isn't a valid folder, as the end of a sentence; None if it is ('': none)."""
    if not path:
        return None
    if not path.isprintable() or path != path.strip():
        return "must not begin or end with a blank, or contain line breaks or other control characters"
    if not Path(path).is_absolute():
        return r"must be the whole path of a folder: from / on, in Windows from the drive or \\server on"
    if ".." in path.replace("\\", "/").split("/"):
        return "must name folders, not .."
    return None


class Folder(Destination):
    """A file is copied under a temporary name and renamed (`folder_store`). There is no login."""

    kind, name, title, service, order = "folder", "file share", "the file share", "shared folder", 3
    settings = (
        Setting("abq_folder_path", "", check=path_problem),
        Setting("abq_folder_mount", "", check=path_problem),
    )
    keeps_parts = False
    has_files = True
    needs_login = False
    address_setting = "abq_folder_path"
    stored_kinds = ("folder",)

    def settings_of(self, row: StoredDestination) -> dict[str, object]:
        return {"abq_folder_path": row.address, "abq_folder_mount": ""}

    def address(self, settings: Settings) -> str:
        return str(settings["abq_folder_path"])

    def problem(self, settings: Settings) -> str:
        found = super().problem(settings)
        path, mount = (Path(str(settings[each.name])) for each in self.settings)
        if found or not settings["abq_folder_mount"] or path.is_relative_to(mount):
            return found
        return "The setting 'abq_folder_path' must lie in the folder that 'abq_folder_mount' names."

    def login_place(self, settings: Settings) -> str:
        return f"folder:{settings['abq_folder_path']}"

    def uploads(self, settings: Settings, username: str, password: str) -> Uploads:
        from ..folder_store import FolderUploads

        return FolderUploads(
            str(settings["abq_folder_path"]), str(settings["abq_folder_mount"]), **chosen(settings)
        )

    def remote_files(self, settings: Settings, username: str, password: str) -> RemoteFiles[Any]:
        from ..folder_store import FolderFiles, FolderUploads

        options, mount = chosen(settings), str(settings["abq_folder_mount"])
        folder = str(settings["abq_folder_path"])
        return FolderFiles(lambda place: FolderUploads(place, mount, **options), folder, options["timeout"])

    def probe(self, context: Context) -> Steps[None]:
        from ..folder_store import probe

        return probe(self.kind, self.problem(context.settings), context)


DESTINATION = Folder()
