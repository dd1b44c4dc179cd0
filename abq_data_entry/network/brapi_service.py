"""A BrAPI server as a client sees it: logged in, page by page, each answer bounded, each refusal in words.

Sources: BrAPI 2.1 (brapi.org): metadata with pagination and status, result with data; `Authorization: Bearer`.
"""

from __future__ import annotations

import contextlib
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import requests

from . import rest_answers
from .failures import UserFacingError, on_one_line
from .rest import RestUploads
from .rest_answers import RestError, RestStatusError, told_in

PAGE = 1000
"""How many things are asked for at once; a server may give fewer."""

_LARGEST = 16 * 1024 * 1024
_MOST_PAGES = 2000
_TRIES = 3  # of what a server couldn't do just then

Thing = dict[str, Any]


class BrapiRefused(UserFacingError, requests.RequestException):
    """The server didn't take all of it; the text says how much, and why."""


class BrapiService(RestUploads):
    """Questions to one server over one login. `ask`, `things` and the like run under a guard (`_outcome`).

    `was_told`: whether the last refusal said why, as BrAPI does.
    """

    was_told = False

    def ask(self, method: str, path: str, body: object = None, **query: str) -> Thing:
        """Return the answer, an object in JSON. Raises `RestStatusError` where it is no success, after a new login.

        What only reads is asked again if the server couldn't answer.
        """
        for tries in range(_TRIES if method != "POST" else 1):
            try:
                return self._answered(method, path, body, query)
            except RestStatusError as error:
                status = error.response.status_code if error.response is not None else 0
                if status < 500 or error.retry_after or tries == _TRIES - 1 or method == "POST":
                    raise
        raise AssertionError

    def things(self, path: str, **query: str) -> Iterator[Thing]:
        """Yield all that the server has there, page by page. Raises `RestError` where it gives the same again."""
        before: list[Any] = []
        for page in range(_MOST_PAGES):
            answer = self.ask("GET", path, **query, page=str(page), pageSize=str(PAGE))
            found, pages = data_of(answer), _pages(answer)
            result = answer.get("result")
            if not isinstance(result, dict) or not isinstance(result.get("data"), list | None):
                raise self._no_brapi(path)  # nothing is there only where it says so
            if page and found and found == before:
                if pages is None:
                    return  # it knows no pages, and gave all at once
                raise RestError(f"The server {self._host} gives the same page of {path} again and again.")
            before = found
            yield from found
            if not found or (pages is not None and page + 1 >= pages):  # a page may hold fewer than were asked for
                return
        raise RestError(f"The server {self._host} has too many {path} to be looked through.")

    def _answered(self, method: str, path: str, body: object, query: Mapping[str, str]) -> Thing:
        was_logged_in = self._log_in()
        try:
            response, page = self._sent(method, path, body, query)
        except requests.ConnectionError as error:
            if method == "POST" or not self._was_cut(error):
                raise
            self._session.close()  # the server has closed what it had kept open
            response, page = self._sent(method, path, body, query)
        if response.status_code == 401 and self._login.has_address and was_logged_in:
            self._logged_in = False
            self._log_in()
            response, page = self._sent(method, path, body, query)
        answer = _json(page) if len(page) <= _LARGEST else None
        is_page = not isinstance(answer, dict) and rest_answers.is_login_page(page[:_LARGEST])
        if not 200 <= response.status_code < 300 or is_page:
            self._check_answer(response, page)
        if len(page) > _LARGEST:
            raise RestError(f"The server {self._host} answers with more than {_LARGEST >> 20} MiB to {path}.")
        if not isinstance(answer, dict):
            raise self._no_brapi(path)
        return answer

    def said_in(self, answer: Thing) -> str:
        """Return what an answer says went wrong, on one line, without what was told in confidence; '' if nothing."""
        return on_one_line(self._conceal(" ".join(told_in(answer))))

    def _no_brapi(self, path: str) -> RestError:
        return RestError(f"What the server {self._host} answers to {path} isn't BrAPI. Check the address.")

    def _check_answer(self, response: requests.Response, page: bytes) -> None:
        said = " ".join(told_in(_json(page)))
        self.was_told = bool(said)
        # BrAPI says why within metadata.status: that goes where other services say it.
        page = json.dumps({"message": said}).encode() if said else page
        try:
            rest_answers.check(
                response, page, "The server {host} answered with a login page. Check the address.", "", self._conceal
            )
        except RestStatusError as error:
            if response.status_code == 401:
                self._refusal = rest_answers.sanitized(error)
            raise

    def _sent(
        self, method: str, path: str, body: object, query: Mapping[str, str]
    ) -> tuple[requests.Response, bytes]:
        url = f"{self._urls[1].rstrip('/')}/{path}"
        content: dict[str, Any] = {} if body is None else {"json": body}
        if query:
            url = f"{url}?{urllib.parse.urlencode(query)}"
        headers = {"Accept": "application/json", **self._login.headers}
        return self._request(partial(self._session.request, method), url, _read, headers=headers, **content)

    @property
    def _host(self) -> str:
        return urllib.parse.urlsplit(self._urls[1]).hostname or ""


def _read(response: requests.Response) -> bytes:
    """Return the answer, one byte more than the most where it is longer."""
    found: bytes = response.raw.read(_LARGEST + 1, decode_content=True)
    return found


def data_of(answer: Thing) -> list[Thing]:
    """Return the things in an answer; what isn't one is left out."""
    result = answer.get("result")
    data = result.get("data") if isinstance(result, dict) else None
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []


def number_of(thing: Thing, name: str) -> str:
    """Return an identifier as text, whatever it came as; '' if there is none that can be used."""
    found = thing.get(name)
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text if 0 < len(text) <= 200 and text.isprintable() else ""


def may_be_done(error: RestStatusError) -> bool:
    """Whether what was asked may have been done all the same: the server failed, and doesn't want to be left alone."""
    return error.response is not None and error.response.status_code >= 500 and not error.retry_after


def _json(page: bytes) -> object:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(page[:_LARGEST])
    return None


def _pages(answer: Thing) -> int | None:
    metadata = answer.get("metadata")
    pagination = metadata.get("pagination") if isinstance(metadata, dict) else None
    pages = pagination.get("totalPages") if isinstance(pagination, dict) else None
    return pages if isinstance(pages, int) and not isinstance(pages, bool) and pages > 0 else None
