"""Files for a bucket: looked for, PUT with their digests, and confirmed by what the store says that it has.

An object is there whole or not at all, so there is no temporary name. What is asked and answered stands in
`s3_requests`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import urllib.parse
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import requests

from .destination import NONE, How
from .failures import InvalidInput
from .guard import Guard
from .rest import RestUploads
from .rest_answers import RestConnectionError, RestError, RestIncomplete, concealed
from .s3_requests import HOPELESS, NO_CONTENT, Answer, Refused, members, other_region, read, refusal, region_of, signed
from .uploads import BLOCK, SourceFile
from .webdav import Body

_LARGEST = 5 * 1024**3  # bytes of one PUT
_META = "x-amz-meta-sha256"
_UNTOLD = (400, 403, 405, 501)
"""Statuses of HEAD, whose answer has no words, nor the right region: the answer to GET has them."""
_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")


class Digests:
    """SHA-256 and MD5 of all that is sent: the one signs it, the other is what stores without it compare."""

    def __init__(self, blocks: Iterable[bytes | memoryview] = (), check: Callable[[], object] = lambda: None) -> None:
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        for block in blocks:
            check()
            sha256.update(block)
            md5.update(block)
        self.sha256, self.md5 = sha256.hexdigest(), md5.hexdigest()
        self.content_md5 = base64.b64encode(md5.digest()).decode()


class S3Uploads(RestUploads):
    """One key for many files. `url`: of the bucket, as https://minio.example:9000/bucket or https://bucket.s3.…"""

    def __init__(self, url: str, folder: str, username: str, password: str, **options: Any) -> None:
        super().__init__(url, url, "", "", how=How(NONE), **options)
        parts = urllib.parse.urlsplit(url)
        path = urllib.parse.quote(urllib.parse.unquote(parts.path.strip("/")))
        self._bucket_url = f"{parts.scheme}://{parts.netloc}/{path}".rstrip("/")
        self._folder = folder.strip("/")
        self._keys = username.strip(), password  # blanks come of copying
        self._region = region_of(url)
        self._asked = False  # the connection may be one that was kept open
        self._is_there = False  # the bucket

    @property
    def bucket(self) -> str:
        """The bucket, as a sentence calls it."""
        parts = urllib.parse.urlsplit(self._bucket_url)
        return f"bucket {urllib.parse.unquote(parts.path).strip('/') or parts.hostname}"

    def ask(
        self, method: str, name: str | None = None, *, query: str = "", accepted: Iterable[int] = (),
        headers: dict[str, str] | None = None, data: Any = None, sha256: str = NO_CONTENT,
    ) -> Answer:  # fmt: skip
        """Return the answer about an object, or without a name about the bucket.

        Raises `Refused` unless it is a success or accepted, and what `requests` raises.
        """
        url = self._bucket_url + ("/" if name is None else f"/{self._key(name)}") + (f"?{query}" if query else "")
        send = partial(self._answer, method, url, headers or {}, data, sha256)
        try:
            found = send()
        except requests.ConnectionError as error:
            if not self._asked or not self._was_cut(error):
                raise
            self._session.close()  # of the request before; each may be repeated
            found = send()
        if found.status >= 300 and (region := other_region(found, self._region)):
            self._region = region
            found = send()
        self._asked = True
        if 200 <= found.status < 300 or found.status in accepted:
            return found
        raise self._refused(found)

    def put(self, name: str, data: Body | bytes, digests: Digests) -> str:
        """Store something; return the tag that the store gives it. Raises `Refused`."""
        headers = {"Content-MD5": digests.content_md5, _META: digests.sha256,
                   "Content-Type": "application/octet-stream"}  # fmt: skip
        answer = self.ask("PUT", name, headers=headers, data=data, sha256=digests.sha256)
        if isinstance(data, Body) and not data.complete:
            raise RestConnectionError("The server answered before it had the whole file. Try again.")
        return answer.headers.get("ETag", "").strip('"').lower()

    def has(self, name: str, size: int, digests: Digests) -> bool | None:
        """Whether the store says that it has this content under that name; None where it tells us nothing.

        Raises `Refused` where it refuses whatever is asked, so that no file is sent to learn that.
        """
        answer = self.ask("HEAD", name, accepted=(404, *_UNTOLD))
        is_told = answer.status == 404 or "Content-Length" in answer.headers  # proxies take it from HEAD's answer
        if answer.status in _UNTOLD or not is_told or (answer.status == 404 and not self._is_there):
            answer = self._told_in_words(name)
        if answer.status == 404 or 200 <= answer.status < 300:
            self._is_there = True
            if answer.status != 404 and not _size_of(answer):
                return None
            return _is_that(answer, size, digests)
        return None

    def _told_in_words(self, name: str) -> Answer:
        """Ask for one byte: a refusal of GET has a body, which names the reason and the right region."""
        answer = self.ask("GET", name, headers={"Range": "bytes=0-0"}, accepted=(404, 416, *_UNTOLD))
        if answer.status >= 400:
            refused = self._refused(answer)
            if refused.transient or members(answer.page).get("Code") in HOPELESS:
                raise refused
        return answer

    def _deliver(self, source: SourceFile, guard: Guard, key: str) -> None:
        if source.size > _LARGEST:
            raise InvalidInput(f"{source.name} is too large for S3 ({source.size:,} bytes). Nothing was sent.")

        def check() -> None:
            guard.check()
            guard.progressed()

        digests = Digests(source.content(BLOCK), check)
        if self.has(source.name, source.size, digests):  # the answer to an earlier attempt was lost
            source.report(source.size)
            return
        tag = self.put(source.name, Body(source), digests)
        there = self.has(source.name, source.size, digests)
        if there is None and tag != digests.md5:
            raise RestError(
                f"{source.name} was taken by the S3 store, but nothing says that it has it whole: this access key has "
                "no right to ask (s3:GetObject), or the store doesn't tell. Ask its administrator."
            )
        if there is False:
            raise RestIncomplete(
                f"The S3 store says that it has something else under {source.name} than what was sent. Send it again."
            )

    def _answer(self, method: str, url: str, headers: dict[str, str], data: Any, sha256: str) -> Answer:
        own = signed(method, url, self._region, self._keys, headers, sha256)
        response, page = self._request(partial(self._session.request, method), url, read, headers=own, data=data)
        return Answer(response.status_code, response.headers, page)

    def _refused(self, answer: Answer) -> Refused:
        refused = refusal(answer, self._bucket_url, self.bucket, self._conceal)
        if refused.login_refused:
            self._refusal = refused
        return refused

    def _key(self, name: str) -> str:
        return urllib.parse.quote(f"{self._folder}/{name}" if self._folder else name, safe="/~")

    def _conceal(self, said: str) -> str:
        return concealed(said, [self._keys[1]])


def _size_of(answer: Answer) -> str:
    """What HEAD says of the size of an object, or GET of one byte of it; empty where it isn't told."""
    ranged = _TOTAL.fullmatch(answer.headers.get("Content-Range", ""))
    if ranged or answer.status == 206:
        return ranged[1] if ranged else ""
    return answer.headers.get("Content-Length", "")


def _is_that(answer: Answer, size: int, digests: Digests) -> bool:
    """Whether it is said of this content."""
    if answer.status == 404 or _size_of(answer) != str(size):
        return False
    kept = answer.headers.get(_META, "").strip().lower()
    return kept == digests.sha256 if kept else answer.headers.get("ETag", "").strip('"').lower() == digests.md5
