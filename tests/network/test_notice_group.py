"""Notices of a newsgroup, from a small real news server: what is new, encrypted, and nothing beyond its bounds."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from abq_data_entry.network import Cancelled, InvalidInput
from abq_data_entry.network.notice_feed import Fetched, NoticesError
from abq_data_entry.network.notices import fetch_notices, problem
from tests.network.certificates import authority
from tests.network.faults import Connection, serving
from tests.network.news_server import NewsServer, article
from tests.network.test_notices import settings

pytestmark = pytest.mark.needs("network")
MULTIPART = (
    "--x\nContent-Type: text/html\n\n<p>as html</p>\n--x\nContent-Type: text/plain; charset=utf-8\n"
    "Content-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe\n.a dot\n--x--\n"
)
HTML = ("MIME-Version: 1.0", "Content-Type: text/html", "Archived-At: <https://news.example.org/2>")


def fetched(
    port: int, state: Mapping[str, object] | None = None, login: tuple[str, str] | None = None,
    scheme: str = "nntp", group: str = "company.notices", timeout: float = 10, **others: object,
) -> Fetched:  # fmt: skip
    values = settings(f"{scheme}://127.0.0.1:{port}/{group}", **others)
    return fetch_notices(values, state or {}, login, timeout=timeout)


def test_what_is_new_in_a_group() -> None:
    mixed = "Content-Type: multipart/mixed; boundary=x"
    server = NewsServer(articles={
        3: article("1", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", MULTIPART, "MIME-Version: 1.0", mixed),
        4: article("2", "Lamps", "<p>At <b>noon</b></p>", *HTML),
        6: article("3", "cancel", "x", "Control: cancel <1@example.org>"),
        7: b"no header at all",
        8: article("4", "wörtlich \x1b[2J\u202e", "a\x1b]0;x\x07b\n" + "w" * 5000, date="never"),
    })  # fmt: skip
    with serving(server) as port:
        first = fetched(port)
        assert first.notices is not None and not first.complete and first.state == {"last": 8}
        evil, lamps, greetings = first.notices
        assert (greetings.mark, greetings.title, greetings.words) == ("<1@example.org>", "Grüße", "Grüße\n.a dot")
        assert greetings.published == datetime.datetime(2026, 11, 20, 8, 0, tzinfo=datetime.timezone.utc)
        assert (lamps.title, lamps.words, lamps.link) == ("Lamps", "At noon", "https://news.example.org/2")
        assert evil.title == "wörtlich [2J" and "\x1b" not in evil.words and evil.published is None
        assert fetched(port, first.state) == Fetched(None, {"last": 8}, complete=False)
        server.articles[9] = article("5", "New", "x")
        server.commands.clear()
        again = fetched(port, first.state)
        assert again.notices is not None and [each.title for each in again.notices] == ["New"]
        assert [each for each in server.commands if each.startswith("ARTICLE")] == ["ARTICLE 9"]
        # The numbers began anew, or somebody wrote nonsense into the database.
        for state in ({"last": 10**9}, {"last": "x"}):
            restarted = fetched(port, state).notices
            assert restarted is not None and len(restarted) == 4
        server.articles = {each: article(str(each), f"No. {each}", "x") for each in range(1, 400)}
        many = fetched(port).notices
        assert many is not None and [many[0].title, many[-1].title, len(many)] == ["No. 399", "No. 350", 50]
        server.articles = {}
        assert fetched(port) == Fetched(None, {"last": 0}, complete=False)
        with pytest.raises(NoticesError, match="has no newsgroup company"):
            fetched(port, group="company.other")


def test_encryption_and_login(tmp_path: Path) -> None:
    made = authority("Company", tmp_path)
    certificate = made.issue("127.0.0.1")
    for scheme, implicit in (("nntps", True), ("nntp", False)):
        server = NewsServer(
            articles={1: article("1", "One", "x")}, certificate=certificate, implicit=implicit, login=("lab", "gelb: 7")
        )
        with serving(server) as port:
            with pytest.raises(NoticesError, match="can't be trusted"):
                fetched(port, None, ("lab", "gelb: 7"), scheme)
            assert not [each for each in server.commands if "AUTHINFO" in each]
            with pytest.raises(NoticesError, match="another login"):
                fetched(port, None, None, scheme, abq_ca_file=str(made.file))
            with pytest.raises(NoticesError, match="another login"):
                fetched(port, None, ("lab", "wrong"), scheme, abq_ca_file=str(made.file))
            found = fetched(port, None, ("lab", "gelb: 7"), scheme, abq_ca_file=str(made.file))
            assert found.notices is not None and [each.title for each in found.notices] == ["One"]
            with pytest.raises(InvalidInput):
                fetched(port, None, ("lab\r\nQUIT", "x"), scheme, abq_ca_file=str(made.file))


ENDLESS = b"x" * 60000 + b"\r\n"


def without_end(connection: Connection) -> None:
    connection.send(b"220 1 <x>\r\n")
    while not connection.ended.is_set():
        connection.send(ENDLESS * 20)


@pytest.mark.parametrize(
    ("command", "reply", "told"),
    [
        ("GROUP", b"211 1 1 99999999999999999999 g\r\n", None), ("GROUP", b"211 x y z g\r\n", "doesn't speak NNTP"),
        ("GROUP", b"211 5\r\n", None), ("GROUP", b"211 9 -5 -1 g\r\n", None),
        ("GROUP", b"\xff\xfe\r\n", "doesn't speak NNTP"),
        ("GROUP", b"400 \x1b[31mclosing\r\n", "at the moment \\(400\\)"), ("GROUP", b"502 no\r\n", "another login"),
        ("GROUP", b"483 no\r\n", "encrypted connection"), ("GROUP", b"x" * 70000 + b"\r\n", "far more"),
        ("CAPABILITIES", b"101 x\r\n\r\n.\r\n", "doesn't speak NNTP"),
        ("CAPABILITIES", ENDLESS, "doesn't speak|far more"),
        ("CAPABILITIES", b"101 x\r\n" + ENDLESS * 300, "far more"), ("ARTICLE", b"220\r\n.\r\n", "doesn't speak NNTP"),
        ("ARTICLE", without_end, "far more"), ("ARTICLE", Connection.reset, "cut"), ("GROUP", Connection.reset, "cut"),
        ("ARTICLE", Connection.stall, "in time"), ("CAPABILITIES", Connection.stall, "in time"),
    ],
)  # fmt: skip
def test_hostile_servers(command: str, reply: object, told: str | None) -> None:
    server = NewsServer(articles={1: article("1", "One", "x")}, replies={command: reply})  # type: ignore[dict-item]
    with serving(server) as port:
        if told is None:  # whatever the numbers say, no more is asked than the newest
            fetched(port)
            assert len([each for each in server.commands if each.startswith("ARTICLE")]) <= 50
            return
        with pytest.raises(NoticesError, match=told) as caught:
            fetched(port, timeout=0.5 if told == "in time" else 10)
    assert "\x1b" not in str(caught.value)


def test_cancel_and_addresses() -> None:
    with serving(NewsServer(replies={"GROUP": Connection.stall})) as port:
        cancel = threading.Event()
        threading.Timer(0.2, cancel.set).start()
        with pytest.raises(Cancelled):
            fetch_notices(settings(f"nntp://127.0.0.1:{port}/a.b"), {}, timeout=20, cancel=cancel)
    assert problem(settings("nntps://news.example.org/company.notices")) == ""
    assert problem(settings("nntp://news.example.org/company.notices")) == ""  # by STARTTLS
    for url in ("nntps://news.example.org/", "nntps://news.example.org", "nntps://e.org/a/b", "nntps://e.org/a%0d%0ab"):
        assert "must name a newsgroup" in problem(settings(url))
