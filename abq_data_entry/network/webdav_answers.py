"""What a WebDAV server answers: statuses in words, and what it says of files (RFC 4918, sections 9.1 and 11)."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from xml.etree.ElementTree import Element

import requests

from . import rest_answers
from .failures import UserFacingError, http_status_in_words, with_what_was_said

LARGEST_ANSWER = 4 * 1024 * 1024
_DAV = "{DAV:}"
_TRANSIENT = (408, 423, 425, 429, 507)


class DavRefused(UserFacingError, requests.HTTPError):
    """The server answered, but not with success; `status` says how."""

    def __init__(self, status: int, sentence: str, retry_after: str = "", is_login: bool = False) -> None:
        super().__init__(sentence)
        self.status = status
        self.transient = status in _TRANSIENT or (status >= 500 and status != 501)
        self.login_refused = is_login
        self.retry_after = retry_after


class Entry(NamedTuple):
    """What the server says of a file or folder: bytes, whether it is a folder, seconds since 1970; None: not told."""

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
    told = with_what_was_said(sentence, conceal(said))
    return DavRefused(status, told, response.headers.get("Retry-After", ""), status == 401)


def read(response: requests.Response) -> bytes:
    """Return the answer, as it is on the wire, and one byte too much of one that is too large."""
    page: bytes = response.raw.read(LARGEST_ANSWER + 1, decode_content=False)
    return page


def entries(page: bytes, host: str, errors: str = "strict") -> dict[str, Entry]:
    """Return what an answer to PROPFIND says, by the path of each thing, decoded and without a `/` at its end.

    `errors`: what becomes of bytes in a path that aren't UTF-8; with "strict" such a thing is left out.

    Raises `DavRefused` for what isn't one, is too large, or declares entities.
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
