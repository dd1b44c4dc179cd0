"""Requests to a bucket: signed (AWS Signature Version 4), and what is refused told in words.

The package minio signs; the rest is ours, so that a hostile server is bounded as any other. Sources: the Amazon S3 API
reference ("Error responses", "Authenticating requests"), and what MinIO answers.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import urllib.parse
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import requests

from .failures import InvalidInput, http_status_in_words, with_what_was_said
from .rest_answers import RestError

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
"""Codes with which a store refuses whatever is asked: a file would be sent for nothing."""
_MAY_PASS = ("SlowDown", "RequestTimeout", "OperationAborted", "InternalError", "ServiceUnavailable", "BadDigest",
             "XAmzContentSHA256Mismatch", "IncompleteBody", "XMinioStorageFull")  # fmt: skip


class Answer(NamedTuple):
    """What came: status, headers, and the beginning of the body."""

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

    Raises `InvalidInput`, and `Refused` for keys that can't be any.
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
    """Return the texts in an answer in XML, by their names without a namespace; none of what can't be one.

    What declares a document type isn't read: entities could be many.
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
    if answer.status == 404 and not code:  # of what is no store, perhaps
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
    told = with_what_was_said(sentence, conceal(" ".join(filter(None, (code, said.get("Message", ""))))))
    return Refused(told, answer.status, code, answer.headers.get("Retry-After", ""))


def _skew(answer: Answer, said: Mapping[str, str]) -> str:
    """Say how far this computer's clock is from the server's; a sentence."""
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
    """Read a time of XML or of HTTP; None if it is none."""
    try:
        is_iso = re.match(r"\d{4}-", text)
        found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) if is_iso else parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=datetime.timezone.utc)


def read(response: requests.Response) -> bytes:
    """Return the answer, one byte more than the most where it is longer."""
    found: bytes = response.raw.read(LARGEST_ANSWER + 1, decode_content=True)
    return found


def _host_of(parts: urllib.parse.SplitResult) -> str:
    """The header `Host` as it is signed: without the port that goes without saying."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in (None, {"http": 80, "https": 443}[parts.scheme]) else f"{host}:{parts.port}"


