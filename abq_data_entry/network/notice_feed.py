"""Parse feeds of notices: Atom 1.0 (RFC 4287) and 0.3, RSS 2.0 and its predecessors, RSS 1.0 (RDF).

Feeds are untrusted: document type declarations are refused, numbers and lengths bounded, and HTML becomes text.
"""

from __future__ import annotations

import codecs
import datetime
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin
from xml.etree.ElementTree import ParseError

from .failures import UserFacingError
from .notice_text import LONGEST_LINK, from_elements, from_html, is_markup, line, paragraphs, web_address

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_NOTICES = 100
"""How many notices are taken from a source: the newest."""

_MOST_ENTRIES = 2000  # of a feed, that are looked at
_LONGEST_MARK = 200
_ATOMS = ("{http://www.w3.org/2005/Atom}", "{http://purl.org/atom/ns#}")
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC, _CONTENT = "{http://purl.org/dc/elements/1.1/}", "{http://purl.org/rss/1.0/modules/content/}"
_XML = "{http://www.w3.org/XML/1998/namespace}"
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)(?:-(\d\d))?(?:[Tt ](\d\d):(\d\d)(?::(\d\d))?(?:[.,]\d+)?\s*(Z|z|[+-]\d\d:?\d\d)?)?"
)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._-]{1,40})""", re.IGNORECASE)
_ENCODINGS = ("utf-8", "utf-16", "iso8859", "cp", "koi8", "shift", "euc", "gb", "big5", "mac", "ascii", "latin")


class NoticesError(UserFacingError, Exception):
    """The notices couldn't be fetched; the text says why. `until`: the server wants no request before that time."""

    def __init__(self, message: str, until: datetime.datetime | None = None) -> None:
        super().__init__(message)
        self.until = until


class Notice(NamedTuple):
    """A notice of a source. `mark`: its permanent identifier; `words`: plain text; `link`: the URL of its page, or '';
    `published`: None if the source has no date."""

    mark: str
    title: str
    words: str
    link: str
    published: datetime.datetime | None


class Fetched(NamedTuple):
    """A source's response: its notices, newest first (None: not modified); the `state` for the next request;
    `complete`: whether these are all current notices (a newsgroup has only the new ones)."""

    notices: Sequence[Notice] | None
    state: Mapping[str, object]
    complete: bool = True


def read_feed(body: bytes, content_type: str, address: str) -> list[Notice]:
    """Return the newest notices of a feed fetched from this URL, newest first.

    Raises `NoticesError` if it isn't a feed.
    """
    root = _parsed(body, content_type)
    entries = _entries(root, address)
    if entries is None:
        raise NoticesError(
            f"What came is {_kind(body, content_type)}, not a feed (Atom or RSS). Check the setting notices_url."
        )
    found: dict[str, Notice] = {}
    for number, notice in enumerate(entries):
        if number >= _MOST_ENTRIES:
            break
        if notice is not None:
            found.setdefault(notice.mark, notice)
    never = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
    newest = sorted(found.values(), key=lambda each: each.published or never, reverse=True)
    return newest[:MOST_NOTICES]


def mark_of(said: str, *others: str) -> str:
    """Return the identifier of a notice: its own id, or if it has none a digest of its content."""
    said = " ".join(said.split())
    if said and len(said) <= _LONGEST_MARK and said.isprintable():
        return said
    text = said or "\n".join(others)
    return f"sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}" if text.strip() else ""


def read_moment(text: str) -> datetime.datetime | None:
    """Parse a date of Atom (RFC 3339) or RSS (RFC 822); None if it is invalid."""
    text = " ".join(text.split())[:100]
    try:
        found = _of_rfc3339(text) or parsedate_to_datetime(text)
        found = found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)
        moment = found.astimezone(datetime.timezone.utc)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if 1970 <= moment.year <= 9000 else None


def _of_rfc3339(text: str) -> datetime.datetime | None:
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(each or 0) for each in found.groups()[:6])
    zone = (found[7] or "Z").upper().replace(":", "")
    moment = datetime.datetime(year, month, day or 1, hour, minute, min(second, 59), tzinfo=datetime.timezone.utc)
    if zone == "Z":
        return moment
    ahead = datetime.timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
    return moment - ahead if zone[0] == "+" else moment + ahead


# -- the entries


def _entries(root: Element, address: str) -> Iterator[Notice | None] | None:
    """Return the notices of the feed, with None for an empty entry; or None if it isn't a feed."""
    for atom in _ATOMS:
        if root.tag == f"{atom}feed":
            base = _joined(address, root)
            return (_of_atom(each, atom, base) for each in root.iterfind(f"{atom}entry"))
    if root.tag == "rss":
        return (_of_rss(each, "", address) for each in root.iterfind("channel/item"))
    if root.tag == f"{_RDF}RDF":
        return (
            _of_rss(each, each.tag.removesuffix("item"), address)
            for each in root
            if isinstance(each.tag, str) and each.tag.endswith("}item")
        )
    return None


def _of_atom(entry: Element, atom: str, base: str) -> Notice | None:
    base = _joined(base, entry)
    title = entry.find(f"{atom}title")
    words = next((each for name in ("content", "summary") if (each := _atom_text(entry, atom, name, base))), "")
    links = [each for each in entry.iterfind(f"{atom}link") if each.get("rel", "alternate") == "alternate"]
    link = next((each for found in links if (each := web_address(found.get("href", ""), _joined(base, found)))), "")
    moments = (read_moment(_text(entry, f"{atom}{each}")) for each in ("updated", "modified", "published", "issued"))
    return _notice(
        _text(entry, f"{atom}id"),
        "" if title is None else _construct(title, base),
        words,
        link,
        next((each for each in moments if each is not None), None),
    )


def _atom_text(entry: Element, atom: str, name: str, base: str) -> str:
    found = entry.find(f"{atom}{name}")
    return "" if found is None else _construct(found, base)


def _construct(element: Element, base: str) -> str:
    """Return a text construct as plain text (RFC 4287, 3.1 and 4.1.3.3)."""
    base, kind = _joined(base, element), element.get("type", "text").lower()
    if kind in ("xhtml", "application/xhtml+xml") or len(element):
        return from_elements(element, base)
    text = element.text or ""
    if kind in ("html", "text/html"):
        return from_html(text, base)
    return text if kind == "text" or kind.startswith("text/") else ""


def _of_rss(item: Element, space: str, address: str) -> Notice | None:
    guid = item.find(f"{space}guid")
    mark = "" if guid is None else (guid.text or "")
    link = web_address(_text(item, f"{space}link"), address) if _text(item, f"{space}link") else ""
    if not link and guid is not None and guid.get("isPermaLink", "true").lower() == "true":
        link = web_address(mark)
    words = next(
        (each for name in (f"{_CONTENT}encoded", f"{space}description") if (each := _text(item, name))), ""
    )
    moments = (read_moment(_text(item, each)) for each in (f"{space}pubDate", f"{_DC}date"))
    base = link or address
    return _notice(
        mark or item.get(f"{_RDF}about", ""),
        _either(_text(item, f"{space}title"), base),
        _either(words, base),
        link,
        next((each for each in moments if each is not None), None),
    )


def _either(text: str, base: str) -> str:
    """Return a text of RSS, which doesn't say whether it is HTML."""
    return from_html(text, base) if is_markup(text) else text


def _notice(
    mark: str, title: str, words: str, link: str, published: datetime.datetime | None
) -> Notice | None:
    words = paragraphs(words)
    title = line(title) or line(words, 80) or line(link, 80)
    mark = mark_of(mark, link, title)
    return Notice(mark, title, words, link, published) if mark and title else None


def _text(parent: Element, name: str) -> str:
    found = parent.find(name)
    return "" if found is None else "".join([found.text or "", *(each.tail or "" for each in found)]).strip()


def _joined(base: str, element: Element) -> str:
    said = element.get(f"{_XML}base", "")
    if not said or len(said) > LONGEST_LINK:  # each link of a feed is joined to it
        return base
    try:
        joined = urljoin(base, said)
    except ValueError:
        return base
    return joined if len(joined) <= LONGEST_LINK else base


# -- the document


def _parsed(body: bytes, content_type: str) -> Element:
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    if not body.strip():
        raise NoticesError("The answer of the feed is empty. Try again later.")
    try:
        found: Element = fromstring(_without_type(body))
    except DefusedXmlException:
        raise NoticesError("The feed defines entities of its own, which is refused. Tell its administrator.") from None
    except (ParseError, ValueError, LookupError):
        text = _decoded(body, content_type)
    else:
        return found
    try:
        found = fromstring(text)
    except (DefusedXmlException, ParseError, ValueError, LookupError) as error:
        kind = _kind(body, content_type)
        where = f" (line {error.position[0]})" if isinstance(error, ParseError) else ""
        what = f"is {kind}, not a feed" if kind else f"can't be read as a feed: its XML is damaged{where}"
        raise NoticesError(f"What came {what}. Check the setting notices_url.") from None
    return found


def _without_type(body: bytes) -> bytes:
    """Return the document without a bare <!DOCTYPE rss>, as feeds of 1999 have it: its entities would be refused."""
    return re.sub(rb"<!DOCTYPE\s+rss\b[^\[\]<>]{0,400}>", b"", body[:2000], count=1) + body[2000:]


def _decoded(body: bytes, content_type: str) -> str:
    """Return the text in the encoding that the document or the server names, where the XML parser doesn't know it."""
    declared = _DECLARED.search(body[:400])
    named = _CHARSET.search(content_type)
    for name in (declared and declared[1].decode(), named and named[1]):
        try:
            codec = codecs.lookup(name).name if name else ""
            if codec.startswith(_ENCODINGS):
                return body.decode(codec)
        except (LookupError, UnicodeDecodeError):
            continue
    return ""


def _kind(body: bytes, content_type: str) -> str:
    from .weather_documents import kind_of

    kind = kind_of(body, content_type)
    return "" if kind == "something else" and body.lstrip()[:1] == b"<" else kind
