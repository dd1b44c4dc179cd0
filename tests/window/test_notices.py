"""Notices of the company: a line that takes no key, a list by keys alone, a feed that fails, a database away."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.application.notices import KEY
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.models.undoing import By
from abq_data_entry.network.notices import source_of
from abq_data_entry.views.notices import OPEN, NoticesWindow
from tests.fixtures.window import Window
from tests.network.notice_servers import atom, entry, feed_server
from tests.network.test_notices import settings as values_for


class Browser:
    """Takes the addresses that a browser would open."""

    def __init__(self, opened: list[str]) -> None:
        self._opened = opened

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self._opened.append(url)
        return True


def listed(window: Window) -> NoticesWindow:
    """The open list, with the keyboard."""
    found: list[NoticesWindow] = []

    def is_there() -> bool:
        found[:] = [each for each in window.app.winfo_children() if isinstance(each, NoticesWindow)]
        return bool(found) and window.app.focus_get() is found[0].tree

    window.until(is_there, "the list with the focus")
    return found[0]


def count(page: NoticesWindow) -> str:
    """How many there are, as the window says it."""
    return str(page.count_label.cget("text"))


def said(page: NoticesWindow) -> str:
    """What stands below the list."""
    return str(page.status_label.cget("text"))


@pytest.mark.needs("network")
def test_notices_are_fetched_read_and_opened_by_keys(
    open_window: Callable[..., Window], settings: dict[str, object], stored: SQLModel, database: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "_tryorder", ["test"])
    monkeypatch.setattr(webbrowser, "_browsers", {"test": [None, Browser(opened)]})
    soon = "2999-01-01T00:00:00Z"
    with feed_server() as server:
        server.body = atom(
            entry("urn:1", "The pump", "<p>Off on <b>Monday</b>.</p>", soon, "pump"),
            entry("urn:2", "An old one", "", "2001-01-01T00:00:00Z"),
        )
        settings["notices_url"] = server.url
        source = source_of(values_for(server.url))
        window = open_window()
        app, bar = window.app, window.app.status_bar.messages

        def board(name: str) -> list[str]:
            return [each.title for each in stored.notices.board(source, by=By(name)).unread]

        # Fetched by itself when the window stands. While it comes, keys go into the form.
        window.until(lambda: bar.text_of(KEY) == "A notice of the company", "the line")
        assert server.statuses == [200] and window.message("A notice").detail == "The pump" and not window.dialogs
        window.begin_check()
        app.form.inputs[F.NOTES].focus_set()
        window.type("calm")
        assert window.text(F.NOTES) == "calm"
        window.until(lambda: bar.text_of(KEY) == "A notice of the company", "the line for who is confirmed")

        window.press("ctrl+shift+i")
        page = listed(window)
        window.until(lambda: not bar.text_of(KEY), "the chosen one to count as read")
        window.until(lambda: board("J Simms") == [] and board("P Taylor") == ["The pump"], "the database to know")
        assert "The pump\n\nOff on Monday.\n\n" in page.detail.text.get("1.0", "end")
        window.until(lambda: count(page).startswith("1 listed, 0 unread, fetched"), "the number of them")
        assert opened == []  # nothing by itself
        window.press("alt+o")
        window.until(lambda: opened == [server.url.replace("notices.xml", "pump")], "the browser")

        # A new one, by hand; then the feed fails, and says why below the list.
        lamps = entry("urn:3", "Lamps", "<p>Tested at noon.</p>", soon)
        server.body = atom(lamps)
        window.press("alt+f")
        window.until(lambda: bar.text_of(KEY) == "A notice of the company", "its line")
        window.until(lambda: count(page).startswith("2 listed, 1 unread"), "it to be listed")
        with closing(psycopg2.connect(make_dsn(**database))) as holding, holding.cursor() as cursor:
            # Who keeps what was read in an open transaction doesn't keep what is new from being listed.
            cursor.execute("SELECT set_config('abq.application_user', 'J Simms', false)")
            cursor.execute("SELECT read_notices(array_agg(id)) FROM notices")
            window.press("alt+r")
            window.until(lambda: not bar.text_of(KEY), "the window to count it as read")
            server.body = atom(entry("urn:4", "Doors", "<p>Open.</p>", soon), lamps)
            window.press("alt+f")
            window.until(lambda: count(page).startswith("3 listed, 1 unread"), "the new one")
        window.press("alt+r")
        window.until(lambda: not bar.text_of(KEY) and board("J Simms") == [], "all to be read")
        window.press("Up")
        window.until(lambda: OPEN not in page.allowed, "the one without a page")
        window.press("alt+o")
        window.until(lambda: "no page" in said(page), "why it has none")
        server.status, server.headers = 503, {"Retry-After": "600"}
        window.press("alt+f")
        window.until(lambda: "(503)" in said(page), "why nothing came")
        window.until(lambda: board("P Taylor") == ["Doors", "Lamps", "The pump"], "what is known to stay")

        # The database is away: what was known stays listed, and nothing is asked.
        app.reconnecting.lost(ConnectionError("a cable"), by_itself=False)
        asked = len(server.requests)
        window.press("alt+f")
        window.until(lambda: "database is back" in said(page), "why nothing is fetched")
        app.reconnecting.retry_now()
        window.until(lambda: app.shared.reachable is not None, "the database again")
        window.settle()
        assert len(server.requests) == asked

        # No feed any more: what to set.
        app.settings["notices_url"].set("")
        window.press("F5")
        window.until(lambda: "notices_url" in page.detail.text.get("1.0", "end"), "what to set")
        window.press("Escape")
        window.until(lambda: not page.winfo_exists(), "it to close")

