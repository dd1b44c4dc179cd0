"""The folder of a WebDAV server in view: PROPFIND, GET, PUT, MOVE, DELETE, MKCOL (RFC 4918), ranges (RFC 9110, 14)."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterator
from typing import TypeVar

import requests
import urllib3

from .failures import InvalidInput, causes
from .guard import Guard
from .http_login import HttpLogin
from .remote_files import Cancel, CantGoOn, RemoteFiles, Where
from .remote_files_failures import AlreadyThere, FilesRefused, refusal
from .remote_files_names import FILE, FOLDER, Listing, RemoteEntry, listing, local_time, shown
from .rest import proxies
from .uploads import SourceFile
from .webdav import ERRORS, PROPERTIES, DavFolder, WebDavUploads
from .webdav_answers import LARGEST_ANSWER, DavRefused, entries, path_of

_BLOCK = 64 * 1024
Answer = TypeVar("Answer")
_KEPT = "surrogateescape"


class BrowsedFolder(DavFolder):
    """The chosen folder and those below it. A place is a path below the chosen folder; names keep their bytes."""

    def below(self, where: Where, name: str = "", is_folder: bool = False) -> str:
        """Return the address of a folder, or of what is in it."""
        parts = "".join(f"{urllib.parse.quote(each, safe='', errors=_KEPT)}/" for each in where)
        end = urllib.parse.quote(name, safe="", errors=_KEPT) + "/" * (is_folder and bool(name))
        return f"{self.address()}{parts}{end}"

    def address(self, name: str = "") -> str:
        folder = urllib.parse.quote(f"{self._folder}/" if self._folder else "", errors=_KEPT)
        return f"{self.url}{folder}{urllib.parse.quote(name, safe='', errors=_KEPT)}"

    def listed(self, where: Where) -> Listing:
        """Return what lies in a folder."""
        status, _, page = self._ask("PROPFIND", self.below(where), data=PROPERTIES, headers={"Depth": "1"})
        if status != 207:
            raise DavRefused(status, f"The server {self.host} doesn't list its folders ({status}).")
        if len(page) > LARGEST_ANSWER:
            raise FilesRefused("The folder holds too much to be listed: what the server said of it doesn't end.")
        within = path_of(self.below(where), _KEPT)
        found = []
        for path, entry in entries(page, self.host, _KEPT).items():
            folder, _, name = path.rpartition("/")
            if folder == within and path != within:
                when = "" if entry.modified is None else local_time(entry.modified)
                size = None if entry.is_folder else entry.size
                kind = FOLDER if entry.is_folder else FILE
                found.append(RemoteEntry(name, kind, size, when, version=str(entry.modified or "")))
        return listing(found)

    def content(self, where: Where, entry: RemoteEntry, begin: int) -> Iterator[bytes]:
        """Yield the content of a file from there on."""
        url = self.below(where, entry.name)
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={begin}-"} if begin else {})}
        parts = urllib.parse.urlsplit(url)
        sent = {**headers, **self.login.header("GET", parts.path)}
        with self._session.request(
            "GET", url, headers=sent, verify=self._verify, proxies=proxies(url, self._proxy), allow_redirects=False,
            stream=True,
        ) as response:  # fmt: skip
            if begin and (response.status_code != 206 or not _begins_at(response, begin)):
                raise CantGoOn
            if response.status_code not in (200, 206):
                raise DavRefused(response.status_code, f"it answered {response.status_code}")
            while block := response.raw.read(_BLOCK, decode_content=False):
                yield block

    def moved(self, where: Where, entry: RemoteEntry, name: str) -> None:
        """Give something another name, unless something has it."""
        is_folder = entry.kind == FOLDER
        target = self.below(where, name, is_folder)
        before = self.below(where, entry.name, is_folder)
        for place in (target, urllib.parse.urlsplit(target).path):
            headers = {"Destination": place, "Overwrite": "F"}
            status, _, _ = self._ask("MOVE", before, headers=headers, accepted=(400, 412, 502))
            if status == 412:
                raise AlreadyThere(f"{shown(name)} is there already, and wasn't replaced.")
            if status not in (400, 502):  # a server behind a proxy may not know itself by our address
                return
        raise DavRefused(status, f"it answered {status}")

    def removed(self, where: Where, name: str, is_folder: bool) -> None:
        """Remove something."""
        self._ask("DELETE", self.below(where, name, is_folder))

    def made(self, where: Where, name: str) -> None:
        """Make a folder."""
        self._ask("MKCOL", self.below(where, name, True))


class BrowsedUploads(WebDavUploads):
    """Uploads over such a folder."""

    def browsed(self) -> BrowsedFolder:
        """The folder, over a session of its own."""
        login = HttpLogin(self._username, self._password)
        return BrowsedFolder(*self._place, login, self._conceal, **self._more)

    def _new_folder(self) -> DavFolder:
        return self.browsed()


class DavFiles(RemoteFiles[BrowsedFolder]):
    """By WebDAV, with the login and the options of deliveries. `made(folder)`: uploads into that folder."""

    errors = ERRORS

    def __init__(self, made: Callable[[str], BrowsedUploads], folder: str, timeout: float) -> None:
        super().__init__(timeout)
        self._made, self._folder = made, folder
        self._uploads = made(folder)

    @property
    def place(self) -> str:
        return f"webdav {self._uploads.folder.address()}"

    def close(self) -> None:
        self._uploads.close()
        super().close()

    def _log_in(self, guard: Guard) -> BrowsedFolder:
        folder = self._uploads.browsed()
        folder.continue_under(guard)
        try:
            folder.enter(make=False)
        except DavRefused as error:
            if error.status == 404:
                raise FilesRefused(f"The WebDAV server {folder.host} has no folder {self._folder} (404).") from None
            raise
        return folder

    def _continue(self, session: BrowsedFolder, guard: Guard) -> None:
        session.continue_under(guard)

    def _end(self, session: BrowsedFolder, politely: bool) -> None:
        session.close()

    def _in_words(self, error: Exception, guard: Guard) -> Exception:
        return self._uploads.in_words(error, guard)

    def _is_break(self, error: Exception) -> bool:
        cut = ConnectionError | urllib3.exceptions.ProtocolError
        return not isinstance(error, InvalidInput | DavRefused) and any(isinstance(each, cut) for each in causes(error))

    def _list(self, session: BrowsedFolder, guard: Guard, where: Where) -> Listing:
        return self._told(f"list {shown(where[-1]) if where else 'the folder'}", lambda: session.listed(where))

    def _fetch(
        self, session: BrowsedFolder, guard: Guard, where: Where, entry: RemoteEntry, begin: int
    ) -> Iterator[bytes]:
        try:
            yield from session.content(where, entry, begin)
        except DavRefused as error:
            told = _refusal(f"give {entry.shown}", error)
        else:
            return
        raise told

    def _store(self, where: Where, source: SourceFile, cancel: Cancel) -> None:
        with self._made("/".join([*filter(None, [self._folder.strip("/")]), *where])) as uploads:
            uploads.send(source, cancel)

    def _rename(self, session: BrowsedFolder, guard: Guard, where: Where, entry: RemoteEntry, name: str) -> None:
        self._told(f"rename {entry.shown}", lambda: session.moved(where, entry, name))

    def _remove(self, session: BrowsedFolder, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        self._told(f"delete {entry.shown}", lambda: session.removed(where, entry.name, False))

    def _make(self, session: BrowsedFolder, guard: Guard, where: Where, name: str) -> None:
        self._told(f"make the folder {shown(name)}", lambda: session.made(where, name))

    def _remove_folder(self, session: BrowsedFolder, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        self._told(f"remove the folder {entry.shown}", lambda: session.removed(where, entry.name, True))

    @staticmethod
    def _told(what: str, work: Callable[[], Answer]) -> Answer:
        try:
            return work()
        except DavRefused as error:
            if error.login_refused or error.status == 207:
                raise
            told = _refusal(what, error)
        raise told


def _refusal(what: str, error: DavRefused) -> FilesRefused:
    why = {
        403: "this user has no right to do that",
        404: "there is nothing of that name",
        405: "it doesn't allow that here",
        409: "the folder that it should be in isn't there",
        423: "somebody has it open, and it is locked",
        507: "it has no space left",
    }.get(error.status, f"it answered {error.status}")
    return refusal(what, why)


def _begins_at(response: requests.Response, begin: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {begin}-")
