"""The WebDAV server: the way to it; with a login its folder, and a tiny file stored and removed only if wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .failures import InvalidInput
from .probing import MADE_LATER, TEST_CONTENT, Context, Inspection, Result, Steps, new_test_name
from .web import probe_with_login
from .webdav_answers import DavRefused

if TYPE_CHECKING:
    from .destination import Settings
    from .webdav import DavFolder, WebDavUploads


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
    text = f"{username} is logged in ({how})" if how else "the server wanted no login"
    return Result(None, f"{text}{'; the folder was made' if made == [True] else ''}", missing)


def _store(context: Context, sender: WebDavUploads) -> Result[None]:
    name = new_test_name()

    def work(folder: DavFolder) -> None:
        folder.put(name, TEST_CONTENT)
        found = folder.look(name)
        folder.remove(name)
        if found is None or found.size != len(TEST_CONTENT):
            raise InvalidInput("The server took a file and doesn't have it. Tell its administrator.")

    sender.run(work, context.cancel)
    return Result(None, f"{name} was stored and removed again")
