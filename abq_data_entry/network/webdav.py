"""Store files in a folder of a WebDAV server: PUT under a temporary name, confirm, then MOVE (RFC 4918, RFC 9110).

And list and change that folder: PROPFIND, GET with ranges (RFC 9110, 14), DELETE, MKCOL.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from xml.etree.ElementTree import Element

import requests
import urllib3

from abq_data_entry.remote_names import folders_in

from . import encryption, rest_answers
from .failures import (
    Cancelled,
    InvalidInput,
    TimedOut,
    UserFacingError,
    causes,
    http_status_in_words,
    with_server_message,
)
from .folder_store import ORPHANED, PART, part_of
from .guard import Guard
from .probing import MADE_LATER, TEST_CONTENT, Context, Inspection, Result, Steps, new_test_name
from .remote_files import AlreadyThere, Cancel, CannotResume, FilesRefused, RemoteFiles, Where, not_done
from .remote_files_names import FILE, FOLDER, Listing, RemoteEntry, listing, local_time, shown
from .rest import GuardedAdapter, GuardedSession, encrypted_there, proxies, with_the_certificate
from .rest_answers import RestConnectionError
from .uploads import BLOCK, SourceFile, Uploads, tidy
from .web import HttpLogin, address_parts, probe_with_login, proxy_for

if TYPE_CHECKING:
    from .destination import Settings

LARGEST_ANSWER = 4 * 1024 * 1024
_DAV = "{DAV:}"
_TRANSIENT = (408, 423, 425, 429, 507)


class DavRefused(UserFacingError, requests.HTTPError):
    """The server responded with `status`, which isn't a success."""

    def __init__(self, status: int, sentence: str, retry_after: str = "", is_login: bool = False) -> None:
        super().__init__(sentence)
        self.status = status
        self.transient = status in _TRANSIENT or (status >= 500 and status != 501)
        self.login_refused = is_login
        self.retry_after = retry_after


class Entry(NamedTuple):
    """The properties of a file or folder: bytes, whether it is a collection, seconds since 1970; None: unknown."""

    size: int | None
    is_folder: bool
    modified: float | None


def refusal(response: requests.Response, page: bytes, host: str, conceal: Callable[[str], str]) -> DavRefused:
    """Return a status in words for people, with what the server said."""
    status, server = response.status_code, f"The WebDAV server {host}"
    sentence = {
        403: f"{server} refused the file: this user has no right to write there (403). Ask its administrator.",
        404: f"{server} has no such folder (404). Check the settings abq_webdav_url and abq_webdav_folder.",
        409: f"{server} has no such folder (409). Check the settings abq_webdav_url and abq_webdav_folder.",
        405: f"{server} takes no files at this address (405). Check the setting abq_webdav_url.",
        412: f"{server} wouldn't replace what it has under that name (412). Ask its administrator.",
        423: f"{server} has locked the file: somebody has it open (423). It is tried again.",
        501: f"{server} doesn't know a command that is needed (501). Check the setting abq_webdav_url.",
        507: f"{server} has no space left (507). Tell its administrator.",
    }.get(status) or http_status_in_words(status, host)
    said = rest_answers.reason(page[: 64 * 1024].decode("utf-8", "replace"))
    told = with_server_message(sentence, conceal(said))
    return DavRefused(status, told, response.headers.get("Retry-After", ""), status == 401)


def read(response: requests.Response) -> bytes:
    """Return the answer, as it is on the wire, or if it is too long, one byte more than the limit."""
    page: bytes = response.raw.read(LARGEST_ANSWER + 1, decode_content=False)
    return page


def entries(page: bytes, host: str, errors: str = "strict") -> dict[str, Entry]:
    """Parse a response to PROPFIND; return the entries by path, which is decoded and has no `/` at its end.

    `errors`: the error handler for bytes in a path that aren't UTF-8; with "strict" such an entry is left out.

    Raises `DavRefused` if it isn't such a response, is too large, or declares entities.
    """
    from defusedxml.ElementTree import fromstring

    root: Element | None = None
    if len(page) <= LARGEST_ANSWER:
        try:
            root = fromstring(page, forbid_dtd=True)
        except (SyntaxError, ValueError, LookupError):  # ParseError, and what defusedxml refuses
            root = None
    if root is None or root.tag != f"{_DAV}multistatus":
        raise DavRefused(
            207, f"What the server {host} answered isn't understood as WebDAV. Check the setting abq_webdav_url."
        )
    found: dict[str, Entry] = {}
    for each in root.findall(f"{_DAV}response"):
        path = path_of(each.findtext(f"{_DAV}href") or "", errors)
        if path is not None and path not in found:
            found[path] = _entry(each)
    return found


def path_of(href: str, errors: str = "strict") -> str | None:
    """Return the path of an address, decoded; None if it has none."""
    try:
        return urllib.parse.unquote(urllib.parse.urlsplit(href.strip()).path, errors=errors).rstrip("/")
    except ValueError:
        return None


def seconds_of(text: str | None) -> float | None:
    """Return a date of HTTP in seconds since 1970; None if it is none."""
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _entry(response: Element) -> Entry:
    size: int | None = None
    modified, is_folder = None, False
    for part in response.findall(f"{_DAV}propstat"):
        if " 200" not in (part.findtext(f"{_DAV}status") or " 200"):
            continue
        told = (part.findtext(f"{_DAV}prop/{_DAV}getcontentlength") or "").strip()
        size = int(told) if told.isascii() and told.isdigit() and len(told) < 19 else size
        modified = seconds_of(part.findtext(f"{_DAV}prop/{_DAV}getlastmodified")) or modified
        is_folder = is_folder or part.find(f"{_DAV}prop/{_DAV}resourcetype/{_DAV}collection") is not None
    return Entry(size, is_folder, modified)


_READ_BACK = 1024 * 1024  # bytes; a day's extract has some 40 KB
_MOST_REMOVED = 20  # old parts in one go
_NO_SUCH_METHOD = (405, 501)
_NOT_THERE = (404, 409)
ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
PROPERTIES = (
    b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>'
    b"<getcontentlength/><getlastmodified/><resourcetype/></prop></propfind>"
)


class Body:
    """A file as the body of a PUT: iterable with a length, so that it is sent as it is, with Content-Length."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self.complete = False
        self.sha256 = ""

    def __len__(self) -> int:
        return self._source.size

    def __iter__(self) -> Iterator[memoryview]:
        digest, self.complete = hashlib.sha256(), False
        self._source.rewind()
        for block in self._source.blocks(BLOCK):
            digest.update(block)
            yield block
        self.sha256, self.complete = digest.hexdigest(), True


class DavFolder:
    """One folder of the server, over one session. `guard` is that of the file which is being sent."""

    def __init__(
        self, url: str, folder: str, login: HttpLogin, conceal: Callable[[str], str], ca_file: str, proxy: str
    ) -> None:
        self.url = url.rstrip("/") + "/"
        self.login = login
        self._folder = folder.strip("/")
        self._conceal, self._proxy = conceal, proxy
        self._verify: bool | str = ca_file or True
        self._adapter = GuardedAdapter()
        self._session = GuardedSession(self._adapter)
        self.used = False

    @property
    def guard(self) -> Guard:
        """The guard of the file that is being sent."""
        return self._adapter.guard

    def continue_under(self, guard: Guard) -> None:
        """Let a guard watch what is open and what is opened."""
        self._adapter.continue_under(guard)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()
        self.used = False

    @property
    def host(self) -> str:
        """The server's name."""
        return urllib.parse.urlsplit(self.url).hostname or ""

    def address(self, name: str = "") -> str:
        """Return the address of a file in the folder; without a name that of the folder."""
        folder = urllib.parse.quote(f"{self._folder}/" if self._folder else "")
        return f"{self.url}{folder}{urllib.parse.quote(name, safe='')}"

    def enter(self, *, make: bool = True) -> bool:
        """Log in and find the folder; return whether it had to be made. Raises `DavRefused`."""
        status, _, page = self._ask("PROPFIND", self.url, data=PROPERTIES, headers={"Depth": "0"}, may_redirect=True,
                                    accepted=_NO_SUCH_METHOD)  # fmt: skip
        tells = status not in _NO_SUCH_METHOD
        if tells:
            entries(page, self.host)  # a page that isn't of WebDAV
        if not self._folder or not (tells or make):
            return False
        if tells:
            status, _, page = self._ask("PROPFIND", self.address(), data=PROPERTIES, headers={"Depth": "0"},
                                        accepted=_NOT_THERE if make else ())  # fmt: skip
            if status not in _NOT_THERE:
                entries(page, self.host)
                return False
        for each in folders_in(self._folder):
            # 405: it is there already (RFC 4918, 9.3.1)
            self._ask("MKCOL", f"{self.url}{urllib.parse.quote(each)}/", accepted=(405,))
        return tells

    def put(self, name: str, content: Body | bytes) -> None:
        """Store something; whether it is complete has to be confirmed."""
        self._ask("PUT", self.address(name), data=content, headers={"Content-Type": "application/octet-stream"})
        if isinstance(content, Body) and not content.complete:
            raise RestConnectionError("The server answered before it had the whole file. Try again.")

    def move(self, name: str, target: str) -> bool:
        """Rename a file, replacing what has that name; return False if the server doesn't do that."""
        places = (self.address(target), urllib.parse.urlsplit(self.address(target)).path)
        for place, accepted in zip(places, ((400, 502, *_NO_SUCH_METHOD), _NO_SUCH_METHOD), strict=True):
            headers = {"Destination": place, "Overwrite": "T"}
            status, _, _ = self._ask("MOVE", self.address(name), headers=headers, accepted=accepted)
            if status not in (400, 502):  # a server behind a proxy may not know itself by the address that we use
                break
        return status not in _NO_SUCH_METHOD

    def remove(self, name: str) -> None:
        """Remove a file; a missing one is no error."""
        self._ask("DELETE", self.address(name), accepted=(404,))

    def look(self, name: str) -> Entry | None:
        """Return what the server says of a file; None if it isn't there."""
        status, headers, page = self._ask("PROPFIND", self.address(name), data=PROPERTIES, headers={"Depth": "0"},
                                          accepted=(301, 404, *_NO_SUCH_METHOD))  # fmt: skip
        if status == 404:
            return None
        if status == 301:  # Apache redirects a folder to the address that ends with a /
            if path_of(headers.get("Location", "")) != path_of(self.address(name)):
                raise DavRefused(status, http_status_in_words(status, self.host))
            return Entry(None, True, None)
        if status not in _NO_SUCH_METHOD:
            return entries(page, self.host).get(path_of(self.address(name)) or "", Entry(None, False, None))
        status, headers, _ = self._ask("HEAD", self.address(name), accepted=(404,))
        told = headers.get("Content-Length", "")
        return None if status == 404 else Entry(int(told) if told.isdigit() else None, False, None)

    def sha256(self, name: str) -> str:
        """Return the digest of a small file there; "" if the server doesn't let us read it."""
        status, _, page = self._ask("GET", self.address(name), accepted=range(300, 500))
        return hashlib.sha256(page).hexdigest() if status == 200 else ""

    def old_parts(self) -> list[str]:
        """Return the names of orphaned parts in the folder: old ones, by the server's own clock."""
        status, headers, page = self._ask("PROPFIND", self.address(), data=PROPERTIES, headers={"Depth": "1"},
                                          accepted=range(400, 600))  # fmt: skip
        now, folder = seconds_of(headers.get("Date")), path_of(self.address())
        if status != 207 or now is None:
            return []
        found = []
        for path, entry in entries(page, self.host).items():
            within, _, name = path.rpartition("/")
            is_old = entry.modified is not None and now - entry.modified > ORPHANED
            if within == folder and PART.fullmatch(name) and is_old and not entry.is_folder:
                found.append(name)
        return found[:_MOST_REMOVED]

    def _ask(
        self, method: str, url: str, *, accepted: Iterable[int] = (), may_redirect: bool = False, **content: Any
    ) -> tuple[int, Any, bytes]:
        """Return status, headers and body of the answer; raises `DavRefused` unless it is a success or accepted."""
        was_new = not self.used
        try:
            response, page = self._request(method, url, **content)
        except requests.ConnectionError as error:
            is_cut = any(isinstance(link, ConnectionError) for link in causes(error))
            if was_new or not is_cut or self.guard.verdict():
                raise
            self._session.close()  # the server has closed what it had kept open
            response, page = self._request(method, url, **content)
        if response.status_code == 401 and self.login.answer(response.headers.get("WWW-Authenticate", "")):
            # There was no login yet, or the server's challenge has expired.
            response, page = self._request(method, url, **content)
        if may_redirect and (there := rest_answers.next_address(response, url)):
            self.url = there.rstrip("/") + "/"
            return self._ask(method, self.url, accepted=accepted, **content)
        self.used = True
        if 200 <= response.status_code < 300 or response.status_code in accepted:
            return response.status_code, response.headers, page
        raise refusal(response, page, self.host, self._conceal)

    def _request(self, method: str, url: str, headers: dict[str, str] | None = None, **content: Any) -> Any:
        self.guard.progressed()
        parts = urllib.parse.urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = {**(headers or {}), **self.login.header(method, target)}
        with self._session.request(
            method, url, headers=sent, verify=self._verify, proxies=proxies(url, self._proxy),
            allow_redirects=False, stream=True, **content,
        ) as response:  # fmt: skip
            return response, read(response)


class WebDavUploads(Uploads):
    """One login for many files. `url`: an existing collection; `folder`: below it, created if it is missing."""

    def __init__(
        self, url: str, folder: str, username: str, password: str, *, timeout: float, ca_file: str = "", proxy: str = ""
    ) -> None:
        """Doesn't connect yet. Raises `InvalidInput`."""
        super().__init__(timeout)
        if problem := url_problem(url):
            raise InvalidInput(f"The setting 'abq_webdav_url' {problem}. Nothing was sent.")
        proxy_for(url, proxy)  # raises `InvalidInput` if it can't be used
        if ca_file:
            encryption.verified_context(ca_file)  # raises it as well
        self._username, self._password, self._proxy = username, password, proxy
        self._more = {"ca_file": os.fspath(ca_file), "proxy": proxy}
        self._place = url, folder
        self.folder = self._new_folder()
        self._entered = self._cleaned = False

    def close(self) -> None:
        self.folder.close()
        self._entered = False

    def run(self, work: Callable[[DavFolder], object], cancel: threading.Event | None = None) -> None:
        """Do something in the folder under a guard of its own; raises what `upload` raises."""
        with Guard(cancel, self._timeout) as guard:
            failure = self._outcome(lambda: work(self.folder), guard)
        if failure is not None:
            raise failure

    def _new_folder(self) -> DavFolder:
        return DavFolder(*self._place, HttpLogin(self._username, self._password), self._conceal, **self._more)

    def _attempt(
        self, source: SourceFile, identifier: str | None, cancel: threading.Event | None
    ) -> BaseException | None:
        part = part_of(source.name, identifier)
        with Guard(cancel, self._timeout) as guard:
            try:
                failure: BaseException | None = self._outcome(lambda: self._deliver(source, part), guard)
            except BaseException as error:  # of the progress callback, or Ctrl-C
                failure = error
        if failure is None:
            return None
        self.close()
        if isinstance(failure, DavRefused) and failure.login_refused:
            self._refusal = failure
        elif not isinstance(failure, TimedOut | InvalidInput):
            tidy(lambda guard: self._clear(part, guard), cancel)
        return failure

    def _clear(self, part: str, guard: Guard) -> None:
        folder = self._new_folder()
        with contextlib.closing(folder):
            folder.continue_under(guard)
            folder.enter(make=False)
            folder.remove(part)

    def _deliver(self, source: SourceFile, part: str) -> None:
        folder, name = self.folder, source.name
        if not self._entered:
            folder.enter()
            self._entered = True
        old = folder.look(name)
        if old is not None and old.is_folder:  # a MOVE would remove it with everything in it
            raise DavRefused(409, f"{name} is a folder on the WebDAV server, so nothing was put there. Rename it.")
        body = Body(source)
        folder.put(part, body)
        self._confirm(part, source, body)
        if not self._move_part(part, source, body):
            folder.remove(part)
            folder.put(name, body)
        self._confirm(name, source, body)
        if not self._cleaned:
            self._cleaned = True
            with contextlib.suppress(DavRefused):  # the file is stored: old parts may stay
                for each in folder.old_parts():
                    folder.remove(each)

    def _move_part(self, part: str, source: SourceFile, body: Body) -> bool:
        try:
            return self.folder.move(part, source.name)
        except DavRefused as error:
            if error.status not in _NOT_THERE:
                raise
            told = error
        if self.folder.look(part) is not None:
            raise told
        self._confirm(source.name, source, body)  # it was moved, but the first answer was lost
        return True

    def _confirm(self, name: str, source: SourceFile, body: Body) -> None:
        found = self.folder.look(name)
        has = "nothing" if found is None else "an unknown part" if found.size is None else f"{found.size} bytes"
        if found is None or found.size != source.size:
            raise RestConnectionError(
                f"The WebDAV server says that it has {has} of the {source.size} bytes of {source.name}. Send it again."
            )
        if source.size <= _READ_BACK and self.folder.sha256(name) not in ("", body.sha256):
            raise RestConnectionError(
                f"What the WebDAV server has of {source.name} differs from what was sent, though its size is right. "
                "Send it again."
            )

    def _outcome(self, work: Callable[[], object], guard: Guard) -> Exception | None:
        """Do the work under the guard; return the failure in words, without its origin."""
        try:
            self.folder.continue_under(guard)
            work()
            return None
        except Cancelled:
            return Cancelled()
        except ERRORS as error:
            return self.in_words(error, guard)

    def in_words(self, error: Exception, guard: Guard) -> Exception:
        """Return a failure in words, without its origin; the guard's own reason goes before it."""
        url = self.folder.url
        verdict = guard.verdict()
        if verdict is not None:
            return verdict
        if isinstance(error, DavRefused | RestConnectionError | InvalidInput):
            return error.with_traceback(None)
        failure = with_the_certificate(error, guard, (url, url), self._proxy)
        told = rest_answers.sanitized(failure)
        return encrypted_there(error, guard, (url, url), self._proxy) or told

    def _conceal(self, said: str) -> str:
        return rest_answers.concealed(said, [self._password])


def url_problem(url: str) -> str | None:
    """Return why this can't be the address of a WebDAV server, as the end of a sentence; None if it can."""
    parts = address_parts(url)
    if parts is None or re.search(r"\s", url):
        return "must be an address that begins with https:// (or http://) and a host's name"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user name or a password"
    return "must not hold ? or #" if parts.query or parts.fragment else None


def probe(
    kind: str, problem: str, uploads: Callable[[Settings, str, str], WebDavUploads], context: Context
) -> Steps[None]:
    """Check the server. `problem`: why a setting can't be used; `uploads(settings, user, password)`: what sends."""

    def look(inspection: Inspection, sender: WebDavUploads, username: str) -> Steps[None]:
        yield from inspection.step("Login", lambda: _enter(context, sender, username))
        if context.wanted.write:
            yield from inspection.step("Write test", lambda: _store(context, sender))

    url = str(context.settings["abq_webdav_url"])
    return probe_with_login("WebDAV server", url, kind, problem, uploads, context, look)


def _enter(context: Context, sender: WebDavUploads, username: str) -> Result[None]:
    made: list[bool] = []
    missing = ""
    try:
        sender.run(lambda folder: made.append(folder.enter(make=context.wanted.write)), context.cancel)
    except DavRefused as error:
        if error.status not in (404, 409) or not context.settings["abq_webdav_folder"] or context.wanted.write:
            raise
        missing = MADE_LATER
    how = sender.folder.login.scheme
    text = f"{username} is logged in ({how})" if how else "the server required no login"
    return Result(None, f"{text}{'; the folder was made' if made == [True] else ''}", missing)


def _store(context: Context, sender: WebDavUploads) -> Result[None]:
    name = new_test_name()

    def work(folder: DavFolder) -> None:
        folder.put(name, TEST_CONTENT)
        found = folder.look(name)
        folder.remove(name)
        if found is None or found.size != len(TEST_CONTENT):
            raise InvalidInput("The server accepted a file but doesn't have it. Tell its administrator.")

    sender.run(work, context.cancel)
    return Result(None, f"{name} was stored and removed again")


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

    def list_folder(self, where: Where) -> Listing:
        """Return what lies in a folder."""
        status, _, page = self._ask("PROPFIND", self.below(where), data=PROPERTIES, headers={"Depth": "1"})
        if status != 207:
            raise DavRefused(status, f"The server {self.host} doesn't list its folders ({status}).")
        if len(page) > LARGEST_ANSWER:
            raise FilesRefused("The folder has too many entries to list: the server's answer doesn't end.")
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
                raise CannotResume
            if response.status_code not in (200, 206):
                raise DavRefused(response.status_code, f"it answered {response.status_code}")
            while block := response.raw.read(_BLOCK, decode_content=False):
                yield block

    def rename_entry(self, where: Where, entry: RemoteEntry, name: str) -> None:
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

    def remove_entry(self, where: Where, name: str, is_folder: bool) -> None:
        """Remove something."""
        self._ask("DELETE", self.below(where, name, is_folder))

    def make_folder(self, where: Where, name: str) -> None:
        """Make a folder."""
        self._ask("MKCOL", self.below(where, name, True))


class BrowsedUploads(WebDavUploads):
    """Uploads to a `BrowsedFolder`."""

    def open_folder(self) -> BrowsedFolder:
        """Return the folder, over a session of its own."""
        login = HttpLogin(self._username, self._password)
        return BrowsedFolder(*self._place, login, self._conceal, **self._more)

    def _new_folder(self) -> DavFolder:
        return self.open_folder()


class DavFiles(RemoteFiles[BrowsedFolder]):
    """By WebDAV, with the login and the options of deliveries. `uploads_into(folder)` returns the uploads to it."""

    errors = ERRORS

    def __init__(self, uploads_into: Callable[[str], BrowsedUploads], folder: str, timeout: float) -> None:
        super().__init__(timeout)
        self._uploads_into, self._folder = uploads_into, folder
        self._uploads = uploads_into(folder)

    @property
    def place(self) -> str:
        return f"webdav {self._uploads.folder.address()}"

    def close(self) -> None:
        self._uploads.close()
        super().close()

    def _log_in(self, guard: Guard) -> BrowsedFolder:
        folder = self._uploads.open_folder()
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
        what = shown(where[-1]) if where else "the folder"
        return self._refusals_as(f"list {what}", lambda: session.list_folder(where))

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
        with self._uploads_into("/".join([*filter(None, [self._folder.strip("/")]), *where])) as uploads:
            uploads.send(source, cancel)

    def _rename(self, session: BrowsedFolder, guard: Guard, where: Where, entry: RemoteEntry, name: str) -> None:
        self._refusals_as(f"rename {entry.shown}", lambda: session.rename_entry(where, entry, name))

    def _remove(self, session: BrowsedFolder, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        self._refusals_as(f"delete {entry.shown}", lambda: session.remove_entry(where, entry.name, False))

    def _make(self, session: BrowsedFolder, guard: Guard, where: Where, name: str) -> None:
        self._refusals_as(f"make the folder {shown(name)}", lambda: session.make_folder(where, name))

    def _remove_folder(self, session: BrowsedFolder, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        self._refusals_as(f"remove the folder {entry.shown}", lambda: session.remove_entry(where, entry.name, True))

    @staticmethod
    def _refusals_as(what: str, work: Callable[[], Answer]) -> Answer:
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
    return not_done(what, why)


def _begins_at(response: requests.Response, begin: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {begin}-")
