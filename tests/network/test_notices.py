"""Feeds over real HTTP: asked for only if they have changed, and what may go wrong on the way."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.models import SettingsModel
from abq_data_entry.network import Cancelled, InvalidInput
from abq_data_entry.network.notice_feed import Fetched, NoticesError
from abq_data_entry.network.notices import LARGEST, fetch_notices, problem, source_of
from abq_data_entry.network.probing import FAILED, Options
from abq_data_entry.workflows.check_connections import check_connections, checks
from tests.network.certificates import authority
from tests.network.faults import Connection, http, serving
from tests.network.news_server import NewsServer, article
from tests.network.notice_servers import atom, entry, feed_server

pytestmark = pytest.mark.needs("network")
FEED = atom(entry("urn:1", "One", "<p>Text</p>", link="one"), entry("urn:2", "Two"))


def settings(url: str, **others: object) -> dict[str, object]:
    known = {name: each["value"] for name, each in SettingsModel.variables.items()}
    return {**known, "notices_url": url, **others}


def fetched(url: str, state: object = None, login: tuple[str, str] | None = None, **others: object) -> Fetched:
    return fetch_notices(settings(url, **others), state if isinstance(state, dict) else {}, login, timeout=10)


def test_a_feed_is_fetched_only_where_it_has_changed(tmp_path: Path) -> None:
    made = authority("Company", tmp_path)
    with feed_server(made.issue("127.0.0.1"), body=FEED, login=("lab", "gelb: 7")) as server:
        with pytest.raises(NoticesError, match="certificate"):
            fetched(server.url)
        private: dict[str, Any] = {"abq_ca_file": str(made.file)}
        with pytest.raises(NoticesError, match="wants another login"):
            fetched(server.url, **private)
        first = fetched(server.url, None, ("lab", "gelb: 7"), **private)
        assert first.notices is not None and [each.title for each in first.notices] == ["One", "Two"]
        assert first.notices[0].link == server.url.replace("notices.xml", "one")
        assert sorted(first.state) == ["etag", "modified"]
        again = fetched(server.url, first.state, ("lab", "gelb: 7"), **private)
        assert again == Fetched(None, first.state)
        server.body = atom(entry("urn:3", "Three"))
        changed = fetched(server.url, first.state, ("lab", "gelb: 7"), **private)
        assert changed.notices is not None and [each.mark for each in changed.notices] == ["urn:3"]
        assert server.statuses == [401, 200, 304, 200]
        asked = server.requests[-1][1]
        assert asked["user-agent"].startswith("abq-data-entry/") and asked["if-none-match"] == first.state["etag"]
        # What somebody wrote into the database can't add headers.
        for evil in ('"x"\r\nX-Evil: 1', "\u00fc", "x" * 5000, 7):
            fetched(server.url, {"etag": evil, "modified": evil}, ("lab", "gelb: 7"), **private)
            assert not {"if-none-match", "if-modified-since", "x-evil"} & set(server.requests[-1][1])


@pytest.mark.parametrize(
    ("status", "headers", "told", "minutes"),
    [
        (410, {}, "was given up \\(410\\)", 1440), (404, {}, "no feed at this address", None),
        (503, {"Retry-After": "600"}, "503", 10),
        (429, {"Retry-After": "99999999"}, "429", 1440), (500, {}, "500", None),
        (302, {"Location": "ftp://127.0.0.1/x"}, "redirected", None), (304, {}, "redirected", None),
        (301, {"Location": "http://example.invalid/"}, "isn't encrypted", None),
    ],
)  # fmt: skip
def test_what_a_server_may_say_instead(status: int, headers: dict[str, str], told: str, minutes: int | None) -> None:
    with feed_server(status=status, headers=headers) as server, pytest.raises(NoticesError, match=told) as caught:
        fetched(server.url)
    until = caught.value.until
    if minutes is None:
        assert until is None
    else:
        left = (until or datetime.datetime.min) - datetime.datetime.now(datetime.timezone.utc)
        assert abs(left.total_seconds() / 60 - minutes) < 1


def packed(body: bytes) -> bytes:
    return http("200 OK", gzip.compress(body, 1), "Content-Encoding: gzip")


ANSWERS: list[tuple[bytes | Callable[[], bytes], str]] = [  # what takes a while is made where it is sent
    (b"", "cut"), (b"garbage\r\n\r\n", "HTTP"), (http("200 OK", FEED)[:-40], "cut before the whole feed"),
    (http("200 OK", b"x" * (LARGEST + 1)), "too large"), (packed(b" " * (LARGEST + 1)), "too large"),
    (lambda: packed(b"x" * 50_000_000), "too large"), (packed(FEED)[:-20], "cut before"),
    (http("200 OK", b"no gzip", "Content-Encoding: gzip"), "damaged"),
    (http("200 OK", FEED, "Content-Encoding: br"), "compression"),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500, "HTTP|large"), (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 99999, "large"),
    (http("200 OK", FEED[:200] + b"</x>"), "damaged"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "told"), ANSWERS, ids=range(len(ANSWERS)))
def test_hostile_answers(answer: bytes | Callable[[], bytes], told: str) -> None:
    sent = answer() if callable(answer) else answer

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(sent)

    with serving(script) as port, pytest.raises(NoticesError, match=told):
        fetched(f"http://127.0.0.1:{port}/")


def test_silence_and_endless_drops_end_in_time_and_cancel_ends_both() -> None:
    def drip(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.drip(FEED * 100, 0.02)

    for script in (drip, Connection.stall):
        with serving(script) as port:
            values = settings(f"http://localhost:{port}/")
            with pytest.raises(NoticesError, match="in time"):
                fetch_notices(values, {}, timeout=0.4)
            cancel = threading.Event()
            threading.Timer(0.2, cancel.set).start()
            with pytest.raises(Cancelled):
                fetch_notices(values, {}, timeout=20, cancel=cancel)


def test_which_addresses_can_be_used() -> None:
    for url, told in (
        ("", "must begin"), ("ftp://e.org/x", "must begin"), ("https:///x", "must begin"),
        ("https://[::1", "must begin"),
        ("https://u:p@e.org/", "holds a login"), ("http://e.org/", "of their own"),
        ("https://e.org/\x1b", "must begin"),
    ):  # fmt: skip
        assert told in problem(settings(url))
        with pytest.raises(InvalidInput):
            fetched(url)
    assert problem(settings("http://e.org/x", notices_security="none")) == ""
    assert problem(settings("http://localhost/x")) == problem(settings("https://e.org/x?k=1")) == ""
    # The name in the database holds no secret of the address.
    assert source_of(settings("https://e.org/x")) == "https://e.org/x"
    assert source_of(settings("https://e.org/x?key=s3cret")).startswith("https://e.org/x?")
    assert "s3cret" not in source_of(settings("https://e.org/x?key=s3cret"))
    assert source_of(settings("https://e.org/x?key=a")) != source_of(settings("https://e.org/x?key=b"))


def test_check_looks_at_a_feed_and_at_a_newsgroup(tmp_path: Path) -> None:
    made = authority("Company", tmp_path)
    certificate = made.issue("127.0.0.1")

    def steps(url: str, **others: object) -> dict[str, tuple[str, str]]:
        values = settings(url, abq_ca_file=str(made.file), **others)
        assert "notices" in checks(values) and "notices" not in checks(settings(""))
        found = check_connections(values, lambda: contextlib.nullcontext({}), Options(("notices",)), threading.Event())
        return {each.what: (each.verdict, each.text) for each in found}

    with feed_server(certificate, body=FEED) as server:
        found = steps(server.url)
        assert list(found) == ["Name", "Port", "TLS", "Answer", "Clock"]
        assert found["Answer"] == ("ok", "2 notices, the newest of 2026-11-20")
        assert "not asked" in steps(server.url, notices_username="lab")["Answer"][1]
        server.status = 404
        assert steps(server.url)["Answer"][0] == FAILED
    news = NewsServer(articles={1: article("1", "One", "x")}, certificate=certificate, implicit=True)
    with serving(news) as port:
        found = steps(f"nntps://127.0.0.1:{port}/company.notices")
        assert list(found) == ["Name", "Port", "TLS", "Answer"]
        assert found["Answer"] == ("ok", "1 notice, the newest of 2026-11-20")
    assert steps("ftp://127.0.0.1/")["Settings"][0] == FAILED
