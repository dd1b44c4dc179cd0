"""Feeds as companies have them: Atom and all kinds of RSS, dates, ids, HTML as text, and what may come instead."""

from __future__ import annotations

import datetime
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abq_data_entry.network.notice_feed import MOST_NOTICES, Notice, NoticesError, mark_of, read_feed, read_moment
from abq_data_entry.network.notice_text import (
    LONGEST_TEXT,
    LONGEST_TITLE,
    from_html,
    line,
    paragraphs,
    plain,
    web_address,
)
from tests.network.notice_servers import atom, entry

HERE = "https://intranet.example.org/feeds/notices.xml"
DAY = datetime.datetime(2026, 11, 20, 8, 0, tzinfo=datetime.timezone.utc)


def read(body: str | bytes, kind: str = "application/xml") -> list[Notice]:
    return read_feed(body.encode() if isinstance(body, str) else body, kind, HERE)


def test_atom() -> None:
    feed = atom(
        entry("urn:1", "Older &amp; wiser", "<p>One<br/>two</p>", link="/1"),
        "<entry><id>urn:2</id><title type='html'>&lt;b&gt;Bold&lt;/b&gt; 4 &amp;lt; 5</title>"
        "<published>2026-11-20T09:00:00+01:00</published><updated>2026-11-21T09:30:00.5+01:00</updated>"
        "<link rel='self' href='/self'/><link href='two'/><content type='xhtml' xml:base='/deep/'>"
        "<div xmlns='http://www.w3.org/1999/xhtml'><p>A <em>link</em> to <a href='x?a=1'>it</a></p><ul><li>a</li>\n"
        "<li>b</li></ul><script>no()</script></div></content></entry>",
        "<entry><id>urn:3</id><title>a &lt;b&gt; c</title><summary>4 &lt; 5 &amp;amp; 6</summary></entry>",
        base="https://www.example.org/base/",
    )
    found = {each.mark: each for each in read(feed)}
    assert found["urn:1"] == Notice(
        "urn:1", "Older & wiser", "One\ntwo", "https://www.example.org/1", DAY
    )  # fmt: skip
    assert found["urn:2"].title == "Bold 4 < 5"
    assert found["urn:2"].link == "https://www.example.org/base/two"
    assert found["urn:2"].published == datetime.datetime(2026, 11, 21, 8, 30, tzinfo=datetime.timezone.utc)
    assert found["urn:2"].words == "A link to it (https://www.example.org/deep/x?a=1)\n\n• a\n• b"
    # Of the type text: nothing in it is HTML.
    assert found["urn:3"] == Notice("urn:3", "a <b> c", "4 < 5 &amp; 6", "", None)
    assert [each.mark for each in read(feed)] == ["urn:2", "urn:1", "urn:3"]


RSS = """<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://x.org/rss.dtd">
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel><title>News</title><item><title>One &amp;amp; all</title><link>/one</link><guid isPermaLink="false">7</guid>
<pubDate>Fri, 20 Nov 2026 09:00:00 +0100</pubDate><description>short</description>
<content:encoded><![CDATA[<p>Long</p>]]></content:encoded></item>
<item><title>4 &lt; 5 klx, lamps at 8&amp;9</title><guid>https://example.org/two</guid><dc:date>2026-11-20</dc:date></item>
<item><description>&lt;b&gt;Only&lt;/b&gt; a text</description></item><item><title> </title></item></channel></rss>"""


def test_rss() -> None:
    one, two, three = read(RSS)
    assert one == Notice("7", "One & all", "Long", "https://intranet.example.org/one", DAY)
    assert (two.mark, two.title, two.link) == (
        "https://example.org/two", "4 < 5 klx, lamps at 8&9", "https://example.org/two"
    )  # fmt: skip
    assert two.published == DAY.replace(hour=0)
    assert (three.title, three.published, three.mark[:7]) == ("Only a text", None, "sha256:")
    rdf = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"/><item rdf:about="https://e.org/9">'
        "<title>Nine</title><link>https://e.org/9</link><dc:date>2026-11-20T08:00Z</dc:date></item></rdf:RDF>"
    )
    assert read(rdf) == [Notice("https://e.org/9", "Nine", "", "https://e.org/9", DAY)]


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-11-20T08:00:00Z", 8), ("2026-11-20t08:00:00.123456789z", 8), ("2026-11-20 10:00:00+0200", 8),
        ("20 Nov 2026 08:00 GMT", 8), ("Fri, 20 Nov 26 03:00:00 EST", 8), ("Fri, 20 Nov 2026 08:00:00", 8),
        ("2026-11-20", 0), ("2026-11-20T08:00:60Z", 8),
        ("", None), ("yesterday", None), ("2026-13-45", None), ("0001-01-01T00:00:00+23:00", None),
        ("9999-12-31T23:59:59-12:00", None), ("1066-10-14T08:00:00Z", None), ("9" * 5000, None),
        ("Fri, 20 Nov 2026 08:00:00 +9999999999", None), ("2026-11-20T08:00:00+99:99", None),
    ],
)  # fmt: skip
def test_dates(text: str, hour: int | None) -> None:
    found = read_moment(text)
    if hour is None:
        assert found is None or found.year in range(1970, 9001)  # some of them mean a day all the same
    else:
        assert found is not None and found.replace(second=0, microsecond=0) == DAY.replace(hour=hour)


def test_notices_without_an_id_have_one_all_the_same() -> None:
    assert mark_of(" urn:1\n", "x") == "urn:1"
    assert mark_of("", "https://e.org", "Title") == mark_of("", "https://e.org", "Title") != mark_of("", "", "Title")
    assert mark_of("x" * 5000).startswith("sha256:")
    assert mark_of("a\u202eb").startswith("sha256:")
    twice = read(atom(entry("urn:1", "First"), entry("urn:1", "Second")))
    assert [each.title for each in twice] == ["First"]


def test_html_becomes_text() -> None:
    html = (
        "<h1>Pump &amp; lamps</h1><p>Off   on\nMonday<br>8&nbsp;to&nbsp;9 &#8364;5</p><style>p {}</style><!-- no -->"
        "<table><tr><th>Lab<th>Time</tr><tr><td>A<td>8:00</tr></table><pre>a\n  b</pre>"
        "<p>See <a href='/x'>the plan</a>, <a href='https://e.org'>https://e.org</a>, "
        "<a href='javascript:alert(1)'>js</a>"
        "<img src=x alt='a plan'></p><script>alert('<p>')</script>5 < 6 & 7<p title='a > b'>end</p>"
    )
    assert from_html(html, HERE) == (
        "Pump & lamps\n\nOff on Monday\n8 to 9 €5\n\nLab  Time\nA  8:00\n\na\n  b\n\n"
        "See the plan (https://intranet.example.org/x), https://e.org, js a plan\n\n5 < 6 & 7\n\nend"
    )


def test_nothing_steers_a_screen() -> None:
    evil = "a\x1b[31mred\x07\u202egnp.exe\u200b\u2066x\u2069\x00\x9b1m\ufeff\ud800"
    evil += " e\u0301 \U0001f600 \u0646\u200c\u0627"
    assert plain(evil) == "a [31mred gnp.exex  1m e\u0301 \U0001f600 \u0646\u200c\u0627"
    assert line("a\nb\u2028c\t d") == "a b c d"
    assert paragraphs("a \r\n\r\n\r\n\r\nb\u2029c") == "a\n\nb\nc"
    assert from_html("&#27;[2J&#x202e;x&#0;") == " [2Jx\ufffd".strip()
    endless = f"&#{'9' * 5000};"  # of which Python makes no number
    assert from_html(f"<p>a{endless}b <a href='{endless}'>c</a>") == "a\ufffdb c (https://x/\ufffd)".partition(" (")[0]
    assert len(line("x" * 9999)) == LONGEST_TITLE and len(paragraphs("x\n" * 99999)) == LONGEST_TEXT


@given(st.text(st.characters(codec=None)))
def test_any_text_is_fit_to_be_shown(text: str) -> None:
    for found in (plain(text), from_html(text), line(text)):
        assert all(each == "\n" or each.isprintable() or each in "\u200c\u200d" or ord(each) > 0x7f for each in found)
        found.encode()


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("x/y", "https://intranet.example.org/feeds/x/y"), ("//e.org/a", "https://e.org/a"),
        ("HTTP://E.org", "HTTP://E.org"),
        ("java\nscript:alert(1)", ""), ("file:///etc/passwd", ""),
        ("data:text/html,x", ""), ("https://a:b@e.org/", ""),
        ("https://e.org:99999/", ""), ("http://[::1", ""), ("https://e.org/" + "x" * 5000, ""),
        ("https://e.org/\u202e", ""),
    ],
)  # fmt: skip
def test_only_web_addresses_are_links(link: str, address: str) -> None:
    assert web_address(link, HERE) == address


@pytest.mark.parametrize(
    "html",
    [
        "<a " * 60000, "<!--" * 50000, "<p a='>" * 30000, "<a b='>' " * 30000, "<" + "a" * 200000,
        "<a " + "x" * 200000 + ">",
        "<div>" * 50000, "<script>" * 9000 + "</script" * 9000, "&#" * 90000, "<?" * 90000, "<a href=x>b" * 20000,
    ],
)  # fmt: skip
def test_no_html_takes_long(html: str) -> None:
    begin = time.process_time()
    assert len(from_html(html)) <= LONGEST_TEXT
    assert time.process_time() - begin < 5  # the parser alone would take minutes


def test_no_xhtml_takes_long() -> None:
    for tag, count in (("a", 200000), ("a href='x'", 100000), ("li", 200000)):
        deep = f"<{tag}>" * count + "x" + f"</{tag.split()[0]}>" * count
        begin = time.process_time()
        feed = atom(f"<entry><id>1</id><title>One</title><content type='xhtml'>{deep}</content></entry>")
        assert [each.title for each in read(feed)] == ["One"]
        assert time.process_time() - begin < 5  # links within links took hours
    links = "<entry><id>1</id><title>One</title>" + "<link href='a:b'/>" * 20000 + "</entry>"
    begin = time.process_time()
    assert len(read(atom(links, base=f"https://e.org/{'a/' * 100000}"))) == 1
    assert time.process_time() - begin < 5  # a long base for each of them: more than a minute
    no_links = "<entry><id>1</id><content type='xhtml'><p>a <a name='b'>b</a> <a href=' '>c</a></p></content></entry>"
    assert read(atom(no_links))[0].words == "a b c"


def test_feeds_are_bounded() -> None:
    entries = (entry(f"urn:{each}", "x", updated=f"{2000 + each % 26}-01-01T00:00:00Z") for each in range(3000))
    many = read(atom(*entries))
    assert len(many) == MOST_NOTICES
    assert {each.published.year for each in many if each.published} == {2025, 2024}
    deep = "<div xmlns='http://www.w3.org/1999/xhtml'>" + "<b>" * 20000 + "x" + "</b>" * 20000 + "</div>"
    (one,) = read(atom(f"<entry><id>1</id><title>Deep</title><content type='xhtml'>{deep}</content></entry>"))
    assert one.words == "x"


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (b" ", "", "is empty"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "text/html", "a web page, not a feed"),
        (b'{"items": []}', "application/json", "JSON, not a feed"),
        (b"<feed><entry>", "text/xml", "its XML is damaged"),
        (b"<other/>", "text/xml", "not a feed"),
        (b"\xff\xfe\x00\xd8", "text/xml", "not a feed|damaged"),
        (
            b'<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><rss><channel><item><title>&b;</title></item>'
            b"</channel></rss>", "text/xml", "defines entities of its own",
        ),
        (
            b'<!DOCTYPE rss [<!ENTITY f SYSTEM "file:///etc/passwd">]><rss><channel><item><title>&f;</title></item>'
            b"</channel></rss>", "text/xml", "defines entities of its own",
        ),
    ],
)  # fmt: skip
def test_what_may_come_instead(body: bytes, kind: str, told: str) -> None:
    with pytest.raises(NoticesError, match=told):
        read(body, kind)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<?xml version='1.0' encoding='shift_jis'?><rss><channel><item><title>日本</title></item></channel></rss>"
         .encode("shift_jis"), "text/xml"),
        ("<rss><channel><item><title>Grüße</title></item></channel></rss>".encode("latin-1"),
         "text/xml; charset=ISO-8859-1"),
        ("<?xml version='1.0'?><rss><channel><item><title>Grüße</title></item></channel></rss>".encode("utf-16"), ""),
        ("\ufeff<rss><channel><item><title>Grüße</title></item></channel></rss>".encode(), "text/xml; charset=latin-1"),
    ],
)  # fmt: skip
def test_encodings(body: bytes, kind: str) -> None:
    assert read(body, kind)[0].title in ("日本", "Grüße")
