"""The REST service: the way to it, what both of its addresses answer; a login and a tiny file only if wanted."""

from __future__ import annotations

import tempfile
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

from . import probing
from .destination import WITHOUT_ADDRESS
from .failures import InvalidInput, http_status_in_words
from .probing import TEST_CONTENT, Context, Inspection, Result, Steps, new_test_name, usable
from .web import place_of, way

if TYPE_CHECKING:
    from collections.abc import Callable

    from .destination import Settings
    from .rest import RestUploads

_BUSY = (407, 408, 425, 429)
_NOT_FOR_READERS = (404, 405, 410, 501)


def probe(
    kind: str, problem: str, uploads: Callable[[Settings, str, str], RestUploads], context: Context
) -> Steps[None]:
    """Check the service. `problem`: why a setting can't be used; `uploads(settings, user, password)`: what sends."""
    addresses = {"login": str(context.settings["abq_auth_url"]), "upload": str(context.settings["abq_upload_url"])}
    if context.settings["abq_auth_method"] in WITHOUT_ADDRESS:
        del addresses["login"]
    inspection = Inspection(f"REST service {place_of(addresses['upload'])}".strip(), context, kind)
    yield from usable(inspection, problem)
    options = context.chosen(ca_file="abq_ca_file", client_certificate="abq_client_certificate", proxy="network_proxy")
    seen: set[object] = set()
    for url in addresses.values():
        origin = url.partition("://")[0], place_of(url)
        if origin not in seen:  # usually both addresses are of one server
            seen.add(origin)
            yield from way(inspection, url, options)
    settings = {**context.settings, "network_timeout": context.wanted.wait}
    with uploads(settings, "", "") as sender:  # no login is needed to see whether something answers
        seen.clear()
        for name, url in addresses.items():
            clock = probing.Clock()
            yield from inspection.step("Answer", lambda n=name, u=url, c=clock: _answer(context, sender, n, u, c))  # type: ignore[misc]
            if place_of(url) not in seen:
                yield from clock.steps(inspection, probing.CERTIFICATES)
            seen.add(place_of(url))
    login = yield from inspection.login(kind)
    if login is None:
        return
    with uploads(settings, *login) as sender:
        yield from inspection.step("Login", lambda: _log_in(context, sender, login[0]))
        if context.wanted.write:
            yield from inspection.step("Write test", lambda: _store(context, sender))


def _answer(context: Context, uploads: RestUploads, name: str, url: str, clock: probing.Clock) -> Result[None]:
    status, is_login_page = uploads.look(url, context.cancel, clock.read_headers)
    if status in _BUSY or (status >= 500 and status != 501):
        raise InvalidInput(http_status_in_words(status, urllib.parse.urlsplit(url).hostname or ""))
    what, advice = f"the {name} address answers ({status})", ""
    if 300 <= status < 400:
        what += " and redirects readers to another address"
        advice = "Nothing is sent on to another host. If the login is refused, set the final address."
    elif status in _NOT_FOR_READERS:
        what += "; it has nothing for readers, and needn't"
    elif is_login_page and name == "upload":
        what += " with a login page"
        advice = "If the service has no such page, something on the way shows it: open the address in a browser."
    return Result(None, what, advice)


def _log_in(context: Context, uploads: RestUploads, username: str) -> Result[None]:
    status = uploads.log_in(context.cancel)
    if not status:
        return Result(None, f"{username} is logged in")
    advice = "" if 200 <= status < 300 else "--write shows whether it is accepted with a file, too."
    return Result(None, f"the service didn't refuse the login of {username} ({status})", advice)


def _store(context: Context, uploads: RestUploads) -> Result[None]:
    with tempfile.TemporaryDirectory(prefix="abq-") as folder:
        path = Path(folder) / new_test_name()
        path.write_bytes(TEST_CONTENT)
        uploads.upload(path, cancel=context.cancel)
    advice = "It stays there, for the service has no command to remove a file: its administrator may."
    return Result(None, f"{path.name} was taken", advice)
