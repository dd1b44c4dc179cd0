"""A shared folder in view: calls of the system are made on threads that can be left behind, as in `folder_store`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from .folder_store import BLOCK, FolderUploads, SharedFolder
from .guard import Guard
from .remote_files import Cancel, RemoteFiles, Where
from .remote_files_failures import FilesRefused
from .remote_files_names import (
    FILE,
    FOLDER,
    LINK,
    MOST_ENTRIES,
    OTHER,
    Listing,
    RemoteEntry,
    listing,
    local_time,
    rights_of_mode,
    shown,
)
from .uploads import SourceFile


class FolderFiles(RemoteFiles[SharedFolder]):
    """What lies in a folder that this computer sees as one of its own; nobody logs in."""

    errors = (OSError, ValueError)

    def __init__(self, made: Callable[[str], FolderUploads], folder: str, timeout: float) -> None:
        """`made(folder)`: what puts files into that folder. Looks at nothing yet."""
        super().__init__(timeout)
        self._made = made
        self._uploads = made(folder)

    @property
    def place(self) -> str:
        return self._uploads.folder

    def _log_in(self, guard: Guard) -> SharedFolder:
        share = self._uploads.share(guard)
        share.enter()
        return share

    def _continue(self, session: SharedFolder, guard: Guard) -> None:
        """There is no session: each call looks anew whether the share is there."""

    def _end(self, session: SharedFolder, politely: bool) -> None:
        """Nothing stays open."""

    def _ready(self, guard: Guard) -> SharedFolder:
        return self._log_in(guard)

    def _in_words(self, error: Exception, guard: Guard) -> Exception:
        return error

    def _is_break(self, error: Exception) -> bool:
        return False

    def _list(self, session: SharedFolder, guard: Guard, where: Where) -> Listing:
        folder = self._within(session, where)

        def work() -> tuple[list[RemoteEntry], bool]:
            found: list[RemoteEntry] = []
            with os.scandir(folder) as entries:
                for each in entries:
                    guard.progressed()
                    if len(found) > MOST_ENTRIES:
                        return found, False
                    found.append(_entry(each.name, each.stat(follow_symlinks=False)))
            return found, True

        found, complete = session.call(work)
        return listing(found, complete=complete, rights=session.call(lambda: _own_rights(folder)))

    def _fetch(
        self, session: SharedFolder, guard: Guard, where: Where, entry: RemoteEntry, begin: int
    ) -> Iterator[bytes]:
        path = self._within(session, where) / entry.name
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        number = session.call(lambda: os.open(path, flags))
        try:
            session.call(lambda: os.lseek(number, begin, os.SEEK_SET))
            while block := session.call(lambda: os.read(number, BLOCK)):
                yield block
        finally:
            os.close(number)

    def _store(self, where: Where, source: SourceFile, cancel: Cancel) -> None:
        folder = self._do(lambda session, guard: self._within(session, where), cancel)
        self._made(str(folder)).send(source, cancel)

    def _rename(self, session: SharedFolder, guard: Guard, where: Where, entry: RemoteEntry, name: str) -> None:
        folder = self._within(session, where)
        session.call(lambda: (folder / entry.name).rename(folder / name))

    def _remove(self, session: SharedFolder, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        folder = self._within(session, where)
        session.call(lambda: (folder / entry.name).unlink())

    def _make(self, session: SharedFolder, guard: Guard, where: Where, name: str) -> None:
        folder = self._within(session, where)
        session.call(lambda: (folder / name).mkdir())

    def _remove_folder(self, session: SharedFolder, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        folder = self._within(session, where)
        session.call(lambda: (folder / entry.name).rmdir())

    def _within(self, session: SharedFolder, where: Where) -> Path:
        """Return a folder below the chosen one; raises `FilesRefused` where a link leads out of it."""
        root = session.call(lambda: session.path.resolve(strict=True))
        path = session.call(lambda: root.joinpath(*where).resolve(strict=True))
        if not path.is_relative_to(root):
            raise FilesRefused(f"{shown(where[-1])} leads out of the folder of this destination, and wasn't entered.")
        return path


def _entry(name: str, status: os.stat_result) -> RemoteEntry:
    mode = status.st_mode
    kind = FOLDER if stat.S_ISDIR(mode) else LINK if stat.S_ISLNK(mode) else FILE if stat.S_ISREG(mode) else OTHER
    rights = "" if kind == LINK or os.name == "nt" else rights_of_mode(mode, kind)
    size = status.st_size if kind == FILE else None
    return RemoteEntry(name, kind, size, local_time(status.st_mtime), rights, str(status.st_mtime_ns))


def _own_rights(folder: Path) -> str:
    return "you may list and change" if os.access(folder, os.W_OK) else "you may list; you may not change"

