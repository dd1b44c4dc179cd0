"""The REST service: the way to it, what both of its addresses answer; a login and a tiny file only if wanted."""

from __future__ import annotations

import tempfile
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

from ..network.failures import InvalidInput, http_status_in_words
from . import names, tiny_file, web
from .steps import Finding, Inspection, Steps, Terms

if TYPE_CHECKING:
    from ..network import RestUploads

_BUSY = (407, 408, 425, 429)
_NOT_FOR_READERS = (404, 405, 410, 501)


def rest(terms: Terms) -> Steps[None]:
    """Check the service."""
    addresses = {"login": str(terms.settings["abq_auth_url"]), "upload": str(terms.settings["abq_upload_url"])}
    inspection = Inspection(f"REST service {web.place_of(addresses['upload'])}".strip(), terms)
    yield from names.usable(inspection, "abq_upload_name")
    options = terms.chosen(ca_file="abq_ca_file", client_certificate="abq_client_certificate", proxy="network_proxy")
    seen: set[tuple[str, str]] = set()
    for url in addresses.values():
        origin = url.partition("://")[0], web.place_of(url)
        if origin not in seen:
            seen.add(origin)
            yield from web.way(inspection, url, options)
    with _uploads(terms, "", "", options) as uploads:
        for name, url in addresses.items():
            yield from inspection.step("Answer", lambda name=name, url=url: _answer(terms, uploads, name, url))  # type: ignore[misc]
    login = yield from inspection.login("rest")
    if login is None:
        return
    with _uploads(terms, *login, options) as uploads:
        yield from inspection.step("Login", lambda: _log_in(terms, uploads, login[0]))
        if terms.wanted.write:
            yield from inspection.step("Write test", lambda: _store(terms, uploads))


def _uploads(terms: Terms, username: str, password: str, options: dict[str, str]) -> RestUploads:
    from ..network import RestUploads

    upload_url, auth_url = str(terms.settings["abq_upload_url"]), str(terms.settings["abq_auth_url"])
    return RestUploads(upload_url, auth_url, username, password, timeout=terms.wanted.wait, **options)


def _answer(terms: Terms, uploads: RestUploads, name: str, url: str) -> Finding[None]:
    status, is_login_page = uploads.look(url, terms.cancel)
    if status in _BUSY or (status >= 500 and status != 501):
        raise InvalidInput(http_status_in_words(status, urllib.parse.urlsplit(url).hostname or ""))
    what, advice = f"the {name} address answers ({status})", ""
    if 300 <= status < 400:
        what += " and sends readers on to another address"
        advice = "Nothing is sent on to another host. If the login is refused, set the final address."
    elif status in _NOT_FOR_READERS:
        what += "; it has nothing for readers, and needn't"
    elif is_login_page and name == "upload":
        what += " with a login page"
        advice = "If the service has no such page, something on the way shows it: open the address in a browser."
    return Finding(None, what, advice)


def _log_in(terms: Terms, uploads: RestUploads, username: str) -> Finding[None]:
    uploads.log_in(terms.cancel)
    return Finding(None, f"{username} is logged in")


def _store(terms: Terms, uploads: RestUploads) -> Finding[None]:
    with tempfile.TemporaryDirectory(prefix="abq-") as folder:
        path = Path(folder) / tiny_file.new_name()
        path.write_bytes(tiny_file.CONTENT)
        uploads.upload(path, cancel=terms.cancel)
    advice = "It stays there, for the service has no command to remove a file: its administrator may."
    return Finding(None, f"{path.name} was taken", advice)
