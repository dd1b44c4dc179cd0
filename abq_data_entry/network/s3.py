"""Store files in a bucket: HEAD, PUT with digests, and confirm by the object's metadata.

An S3 PUT is atomic, so there is no temporary name. The package minio signs requests (AWS Signature Version 4); the rest
is ours, so that responses of a hostile server are bounded like any others. Sources: the Amazon S3 API reference ("Error
responses", "Authenticating requests"), and what MinIO answers.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import requests

from .destination import NONE, LoginMethod
from .failures import InvalidInput, http_status_in_words, with_server_message
from .guard import Guard
from .probing import TEST_CONTENT, Context, Inspection, Result, Steps, new_test_name
from .rest import RestUploads
from .rest_answers import RestConnectionError, RestError, RestIncomplete, concealed
from .uploads import BLOCK, SourceFile
from .web import probe_with_login
from .webdav import Body

if TYPE_CHECKING:
    from .destination import Settings

LARGEST_ANSWER = 64 * 1024
NO_CONTENT = hashlib.sha256(b"").hexdigest()
USUAL_REGION = "us-east-1"
MISSING = (
    "S3 needs the package minio, which isn't installed: it comes with the extra, abq-data-entry[s3]. Install it with:"
    " python3 -m pip install minio (in a checkout: .venv/bin/python -m pip install minio)."
)
NO_BUCKET = "The address ends with the name of the bucket; a folder in it is given by itself."
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_OF_AMAZON = re.compile(r"(?:^|\.)s3[.-]([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$")
_WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AccountProblem")
HOPELESS = (*_WRONG_KEY, "RequestTimeTooSkewed", "RequestExpired", "NoSuchBucket", "InvalidBucketName",
            "AllAccessDisabled", "AuthorizationHeaderMalformed")  # fmt: skip
"""Codes by which a store refuses every request: a file would be sent for nothing."""
_MAY_PASS = ("SlowDown", "RequestTimeout", "OperationAborted", "InternalError", "ServiceUnavailable", "BadDigest",
             "XAmzContentSHA256Mismatch", "IncompleteBody", "XMinioStorageFull")  # fmt: skip


class Answer(NamedTuple):
    """A response: status, headers, and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    page: bytes


class Refused(RestError):
    """The store answered, but not with success; `status` and `code` are its own."""

    def __init__(self, sentence: str, status: int, code: str, retry_after: str = "") -> None:
        super().__init__(sentence)
        self.status, self.code, self.retry_after = status, code, retry_after
        self.transient = code in _MAY_PASS or status in (408, 425, 429) or (status >= 500 and status != 501)
        self.login_refused = code in _WRONG_KEY or status == 401


def signed(
    method: str, url: str, region: str, keys: tuple[str, str], headers: Mapping[str, str], digest: str
) -> dict[str, str]:
    """Return the headers with a signature. `digest`: SHA-256 of the body, in hexadecimal.

    Raises `InvalidInput`, and `Refused` for invalid keys.
    """
    try:
        from minio.credentials.credentials import Credentials
        from minio.signer import sign_v4_s3
    except ImportError:
        raise InvalidInput(MISSING) from None
    if not re.fullmatch(r"[ -~]+", keys[0]) or not keys[1]:
        why = "The access key is empty or has letters that none has, or the secret key is empty. Nothing was sent."
        raise Refused(why, 401, "")
    parts, now = urllib.parse.urlsplit(url), datetime.datetime.now(datetime.timezone.utc)
    own = {
        **headers,
        "Host": _host_of(parts),
        "x-amz-content-sha256": digest,
        "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
    }
    made = sign_v4_s3(
        method=method, url=parts, region=region, headers={**own}, credentials=Credentials(*keys),
        content_sha256=digest, date=now,
    )  # fmt: skip
    return {name: str(value) for name, value in made.items()}


def region_of(url: str) -> str:
    """Return the region that the address of a bucket names, as those of Amazon do; else the usual one."""
    found = _OF_AMAZON.search(urllib.parse.urlsplit(url).hostname or "")
    return found[1] if found else USUAL_REGION


def other_region(answer: Answer, region: str) -> str:
    """Return the region that a refusal says the bucket is in; "" if it says none, or the one that was tried."""
    named = answer.headers.get("x-amz-bucket-region", "") or members(answer.page).get("Region", "")
    return named if _REGION.fullmatch(named) and named != region else ""


def members(page: bytes) -> dict[str, str]:
    """Return the texts in an XML answer, by their names without a namespace; empty if it isn't valid XML.

    A document type declaration is refused, because its entities could expand without limit.
    """
    from defusedxml.ElementTree import fromstring

    if len(page) > LARGEST_ANSWER:
        return {}
    try:
        root = fromstring(page, forbid_dtd=True)
    except (SyntaxError, ValueError, LookupError):  # ParseError, and what defusedxml refuses
        return {}
    return {each.tag.rpartition("}")[2]: (each.text or "").strip() for each in root.iter()}


def refusal(answer: Answer, url: str, bucket: str, conceal: Callable[[str], str]) -> Refused:
    """Return a refusal in words for people, with what the server said. `bucket`: what it is called in a sentence."""
    said, host = members(answer.page), urllib.parse.urlsplit(url).hostname or ""
    code, server = said.get("Code", ""), f"The S3 store {host}"
    if answer.status == 404 and not code:  # perhaps it isn't a store
        code = "NoSuchBucket"
    sentence = {
        "NoSuchKey": f"{server} has no {bucket}. {NO_BUCKET}",
        "NoSuchBucket": f"{server} has no {bucket}, and none is made from here. Check the address.",
        "AccessDenied": f"{server} refused it: this access key has no right to do that in {bucket}. "
        "Ask its administrator.",
        "AllAccessDisabled": f"{server} refuses everything in {bucket}. Ask its administrator.",
        "RequestTimeTooSkewed": f"{server} refused it because of the clock. {_skew(answer, said)}",
        "RequestExpired": f"{server} refused it because of the clock. {_skew(answer, said)}",
        "EntityTooLarge": f"{server} refused the file because it is too large.",
        "QuotaExceeded": f"{server} has no more room for {bucket}. Tell its administrator.",
        "XMinioStorageFull": f"{server} has no space left. Tell its administrator.",
        "SlowDown": f"{server} is busy. Try again in a few minutes.",
        **dict.fromkeys(_WRONG_KEY, f"{server} refused the access key or the secret key ({code})."),
    }.get(code)
    if sentence is None and answer.status in (401, 403):
        sentence = f"{server} refused it ({answer.status}). Check the access key and its rights."
    sentence = sentence or http_status_in_words(answer.status, host)
    told = with_server_message(sentence, conceal(" ".join(filter(None, (code, said.get("Message", ""))))))
    return Refused(told, answer.status, code, answer.headers.get("Retry-After", ""))


def _skew(answer: Answer, said: Mapping[str, str]) -> str:
    """Return a sentence on how far this computer's clock is from the server's."""
    here = datetime.datetime.now(datetime.timezone.utc)
    there = _moment(said.get("ServerTime", "")) or _moment(answer.headers.get("Date", ""))
    if there is None:
        return "Set the clock of this computer."
    minutes = round((here - there).total_seconds() / 60)
    if abs(minutes) < 1:
        return "The clocks agree now: try again."
    way = "ahead of" if minutes > 0 else "behind"
    return f"The clock of this computer is {abs(minutes):,} minutes {way} the server's: set it."


def _moment(text: str) -> datetime.datetime | None:
    """Parse a time as in XML or in HTTP; None if it isn't one."""
    try:
        is_iso = re.match(r"\d{4}-", text)
        found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) if is_iso else parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=datetime.timezone.utc)


def read(response: requests.Response) -> bytes:
    """Return the answer, or if it is too long, one byte more than the limit."""
    found: bytes = response.raw.read(LARGEST_ANSWER + 1, decode_content=True)
    return found


def _host_of(parts: urllib.parse.SplitResult) -> str:
    """Return the header `Host` as it is signed: without the default port."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in (None, {"http": 80, "https": 443}[parts.scheme]) else f"{host}:{parts.port}"


_LARGEST = 5 * 1024**3  # bytes of one PUT
_META = "x-amz-meta-sha256"
_UNEXPLAINED = (400, 403, 405, 501)
"""Statuses of HEAD, whose answer has no body with the reason and the right region: GET has one."""
_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")


class Digests:
    """SHA-256 and MD5 of the content: the first is signed, and stores that don't check that compare the second."""

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
        super().__init__(url, url, "", "", login_method=LoginMethod(NONE), **options)
        parts = urllib.parse.urlsplit(url)
        path = urllib.parse.quote(urllib.parse.unquote(parts.path.strip("/")))
        self._bucket_url = f"{parts.scheme}://{parts.netloc}/{path}".rstrip("/")
        self._folder = folder.strip("/")
        self._keys = username.strip(), password  # blanks come from copying
        self._region = region_of(url)
        self._asked = False  # whether anything was asked, so that the connection may be one that was kept open
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
            self._session.close()  # the connection of the request before; each may be repeated
            found = send()
        if found.status >= 300 and (region := other_region(found, self._region)):
            self._region = region
            found = send()
        self._asked = True
        if 200 <= found.status < 300 or found.status in accepted:
            return found
        raise self._refusal_of(found)

    def put(self, name: str, data: Body | bytes, digests: Digests) -> str:
        """Store something; return the tag that the store gives it. Raises `Refused`."""
        headers = {"Content-MD5": digests.content_md5, _META: digests.sha256,
                   "Content-Type": "application/octet-stream"}  # fmt: skip
        answer = self.ask("PUT", name, headers=headers, data=data, sha256=digests.sha256)
        if isinstance(data, Body) and not data.complete:
            raise RestConnectionError("The server answered before it had the whole file. Try again.")
        return answer.headers.get("ETag", "").strip('"').lower()

    def has(self, name: str, size: int, digests: Digests) -> bool | None:
        """Return whether the store says that it has this content under that name; None if it doesn't say.

        Raises `Refused` if it refuses every request, so that no file is sent for nothing.
        """
        answer = self.ask("HEAD", name, accepted=(404, *_UNEXPLAINED))
        is_known = answer.status == 404 or "Content-Length" in answer.headers  # proxies remove it from HEAD's
        if answer.status in _UNEXPLAINED or not is_known or (answer.status == 404 and not self._is_there):
            answer = self._get_one_byte(name)
        if answer.status == 404 or 200 <= answer.status < 300:
            self._is_there = True
            if answer.status != 404 and not _size_of(answer):
                return None
            return _has_content(answer, size, digests)
        return None

    def _get_one_byte(self, name: str) -> Answer:
        """Ask for one byte: a refusal of GET has a body, which names the reason and the right region."""
        answer = self.ask("GET", name, headers={"Range": "bytes=0-0"}, accepted=(404, 416, *_UNEXPLAINED))
        if answer.status >= 400:
            refused = self._refusal_of(answer)
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
                "no right to ask (s3:GetObject), or the store doesn't say. Ask its administrator."
            )
        if there is False:
            raise RestIncomplete(
                f"The S3 store says that it has something else under {source.name} than what was sent. Send it again."
            )

    def _answer(self, method: str, url: str, headers: dict[str, str], data: Any, sha256: str) -> Answer:
        own = signed(method, url, self._region, self._keys, headers, sha256)
        response, page = self._request(partial(self._session.request, method), url, read, headers=own, data=data)
        return Answer(response.status_code, response.headers, page)

    def _refusal_of(self, answer: Answer) -> Refused:
        refused = refusal(answer, self._bucket_url, self.bucket, self._conceal)
        if refused.login_refused:
            self._refusal = refused
        return refused

    def _key(self, name: str) -> str:
        return urllib.parse.quote(f"{self._folder}/{name}" if self._folder else name, safe="/~")

    def _conceal(self, said: str) -> str:
        return concealed(said, [self._keys[1]])


def _size_of(answer: Answer) -> str:
    """Return the size of an object from the answer to HEAD, or to GET of one byte; empty if it isn't given."""
    ranged = _TOTAL.fullmatch(answer.headers.get("Content-Range", ""))
    if ranged or answer.status == 206:
        return ranged[1] if ranged else ""
    return answer.headers.get("Content-Length", "")


def _has_content(answer: Answer, size: int, digests: Digests) -> bool:
    """Return whether the answer is about this content."""
    if answer.status == 404 or _size_of(answer) != str(size):
        return False
    kept = answer.headers.get(_META, "").strip().lower()
    return kept == digests.sha256 if kept else answer.headers.get("ETag", "").strip('"').lower() == digests.md5


def probe(
    kind: str, problem: str, uploads: Callable[[Settings, str, str], S3Uploads], context: Context
) -> Steps[None]:
    """Check the store. `problem`: why a setting can't be used; `uploads(settings, key, secret)`: what sends."""

    def look(inspection: Inspection, sender: S3Uploads, username: str) -> Steps[None]:
        yield from inspection.step("Login", lambda: _enter(context, sender, username))
        if context.wanted.write:
            yield from inspection.step("Write test", lambda: _store(context, sender))

    return probe_with_login("S3 store", str(context.settings["abq_s3_url"]), kind, problem, uploads, context, look)


def _enter(context: Context, sender: S3Uploads, username: str) -> Result[None]:
    def ask() -> None:
        answer = sender.ask("GET", query="list-type=2&max-keys=1")
        if "ListBucketResult" not in members(answer.page):  # a list of buckets if the name is missing, or no S3 store
            raise InvalidInput(f"What answered isn't a bucket. {NO_BUCKET}")

    try:
        sender.run(ask, context.cancel)
    except Refused as error:
        if error.code != "AccessDenied":
            raise
        return Result(None, f"the access key {username} may not list the {sender.bucket}", "--write tries to store.")
    return Result(None, f"the access key {username} is good for the {sender.bucket}")


def _store(context: Context, sender: S3Uploads) -> Result[None]:

    name = new_test_name()
    removed: list[bool] = []

    def work() -> None:
        digests = Digests([TEST_CONTENT])
        sender.put(name, TEST_CONTENT, digests)
        found = sender.has(name, len(TEST_CONTENT), digests)
        removed.append(sender.ask("DELETE", name, accepted=(403,)).status != 403)
        if found is False:
            raise InvalidInput("The store accepted a file but doesn't have it. Tell its administrator.")

    sender.run(work, context.cancel)
    if removed == [True]:
        return Result(None, f"{name} was stored and removed again")
    return Result(None, f"{name} was stored", "It stays there: this access key has no right to remove it.")
