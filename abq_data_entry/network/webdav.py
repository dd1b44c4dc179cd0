"""Files into a folder of a WebDAV server: PUT under a temporary name, confirmed, then MOVE (RFC 4918, RFC 9110).

What the server answers stands in `webdav_answers`, how somebody logs in in `http_login`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import requests
import urllib3

from abq_data_entry.remote_names import folders_in

from . import encryption, rest_answers
from .failures import Cancelled, InvalidInput, TimedOut, causes, http_status_in_words
from .folder_store import ORPHANED, PART, part_of
from .guard import Guard
from .http_login import HttpLogin
from .rest import GuardedAdapter, GuardedSession, encrypted_there, proxies, with_the_certificate
from .rest_answers import RestConnectionError
from .uploads import BLOCK, SourceFile, Uploads, tidy
from .web import address_parts, proxy_for
from .webdav_answers import DavRefused, Entry, entries, path_of, read, refusal, seconds_of

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
        """Return where a file of the folder is; without a name the folder."""
        folder = urllib.parse.quote(f"{self._folder}/" if self._folder else "")
        return f"{self.url}{folder}{urllib.parse.quote(name, safe='')}"

    def enter(self, *, make: bool = True) -> bool:
        """Log in and find the folder; return whether it had to be made. Raises `DavRefused`."""
        status, _, page = self._ask("PROPFIND", self.url, data=PROPERTIES, headers={"Depth": "0"}, may_redirect=True,
                                    accepted=_NO_SUCH_METHOD)  # fmt: skip
        tells = status not in _NO_SUCH_METHOD
        if tells:
            entries(page, self.host)  # a page of something else isn't one of WebDAV
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
        """Store something; it isn't known to be whole."""
        self._ask("PUT", self.address(name), data=content, headers={"Content-Type": "application/octet-stream"})
        if isinstance(content, Body) and not content.complete:
            raise RestConnectionError("The server answered before it had the whole file. Try again.")

    def move(self, name: str, target: str) -> bool:
        """Give a file another name, in place of what is there; False where the server doesn't do that."""
        places = (self.address(target), urllib.parse.urlsplit(self.address(target)).path)
        for place, accepted in zip(places, ((400, 502, *_NO_SUCH_METHOD), _NO_SUCH_METHOD), strict=True):
            headers = {"Destination": place, "Overwrite": "T"}
            status, _, _ = self._ask("MOVE", self.address(name), headers=headers, accepted=accepted)
            if status not in (400, 502):  # a server behind a proxy may not know itself by the address that we use
                break
        return status not in _NO_SUCH_METHOD

    def remove(self, name: str) -> None:
        """Remove a file; one that isn't there is removed."""
        self._ask("DELETE", self.address(name), accepted=(404,))

    def look(self, name: str) -> Entry | None:
        """Return what the server says of a file; None if it isn't there."""
        status, headers, page = self._ask("PROPFIND", self.address(name), data=PROPERTIES, headers={"Depth": "0"},
                                          accepted=(301, 404, *_NO_SUCH_METHOD))  # fmt: skip
        if status == 404:
            return None
        if status == 301:  # Apache's way to say that it is a folder, whose address ends with a /
            if path_of(headers.get("Location", "")) != path_of(self.address(name)):
                raise DavRefused(status, http_status_in_words(status, self.host))
            return Entry(None, True, None)
        if status not in _NO_SUCH_METHOD:
            return entries(page, self.host).get(path_of(self.address(name)) or "", Entry(None, False, None))
        status, headers, _ = self._ask("HEAD", self.address(name), accepted=(404,))
        told = headers.get("Content-Length", "")
        return None if status == 404 else Entry(int(told) if told.isdigit() else None, False, None)

    def sha256(self, name: str) -> str:
        """Return the digest of a small file there; "" where the server doesn't give it to us."""
        status, _, page = self._ask("GET", self.address(name), accepted=range(300, 500))
        return hashlib.sha256(page).hexdigest() if status == 200 else ""

    def old_parts(self) -> list[str]:
        """Return names of parts in the folder that nobody makes any more, by the server's own clock."""
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
            # Nobody has logged in yet, or what the server gave for that holds no longer.
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
    """One login for many files. `url`: an address that is there; `folder` below it, which is made if it is missing."""

    def __init__(
        self, url: str, folder: str, username: str, password: str, *, timeout: float, ca_file: str = "", proxy: str = ""
    ) -> None:
        """Connects to nothing yet. Raises `InvalidInput`."""
        super().__init__(timeout)
        if problem := url_problem(url):
            raise InvalidInput(f"The setting 'abq_webdav_url' {problem}. Nothing was sent.")
        proxy_for(url, proxy)  # or say why it can't be used
        if ca_file:
            encryption.verified_context(ca_file)  # the same
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
        if old is not None and old.is_folder:  # a MOVE would remove it with all that it holds
            raise DavRefused(409, f"{name} is a folder on the WebDAV server, so nothing was put there. Rename it.")
        body = Body(source)
        folder.put(part, body)
        self._confirm(part, source, body)
        if not self._moved(part, source, body):
            folder.remove(part)
            folder.put(name, body)
        self._confirm(name, source, body)
        if not self._cleaned:
            self._cleaned = True
            with contextlib.suppress(DavRefused):  # the file is there: what is old may stay
                for each in folder.old_parts():
                    folder.remove(each)

    def _moved(self, part: str, source: SourceFile, body: Body) -> bool:
        try:
            return self.folder.move(part, source.name)
        except DavRefused as error:
            if error.status not in _NOT_THERE:
                raise
            told = error
        if self.folder.look(part) is not None:
            raise told
        self._confirm(source.name, source, body)  # it was moved, and the first answer was lost
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
