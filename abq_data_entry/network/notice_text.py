"""Untrusted texts as plain text: HTML by the standard library's parser, without control characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from .failures import without_long_references

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LONGEST_TITLE, LONGEST_TEXT, LONGEST_LINK = 300, 20_000, 2000
"""Characters."""
LARGEST_HTML = 100_000
"""How many characters of HTML are read: with more, hostile HTML would keep the parser busy far longer."""
_MOST_ELEMENTS = 100_000  # of XHTML that are read, for the same reason

_BLOCKS = frozenset((
    *("address", "article", "aside", "blockquote", "caption", "center", "details", "dl", "fieldset"),
    *("figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "nav"),
    *("ol", "p", "pre", "section", "summary", "table", "ul"),
))  # fmt: skip
_LINES = frozenset(("br", "div", "dd", "dt", "li", "tr", "option"))
_UNSEEN = frozenset((
    *("head", "iframe", "math", "noframes", "noscript", "object", "script", "select", "style", "svg", "template"),
    *("textarea", "title"),
))  # fmt: skip
_CELLS = frozenset(("td", "th"))
_JOINERS = "\u200c\u200d"  # some scripts need them between letters
_MARKUP = re.compile(
    r"</?[a-zA-Z][a-zA-Z0-9]*\b[^<>]{0,2000}>|<!--|&(#\d{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,32}\d{0,2});"
)
_TAG = re.compile(
    r"""<(?:(/?)([a-zA-Z][a-zA-Z0-9]{0,31})(?:((?:[\s/](?:[^<>"']|"[^"<]{0,2000}"|'[^'<]{0,2000}')*)?)|([^<>]{0,2000}))>"""
    r"""|([!?][^<>]{0,2000}>)|)"""
)
_ATTRIBUTE = re.compile(r"""(?<![a-zA-Z-])([a-zA-Z-]+)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""")
_KNOWN = _BLOCKS | _LINES | _UNSEEN | _CELLS | {"a", "img"}


def plain(text: str) -> str:
    """Return a text without control characters, direction marks, invisible characters and lone surrogates. Line breaks
    are kept."""
    kept = []
    for each in text.replace("\r\n", "\n").replace("\r", "\n"):
        kind = unicodedata.category(each)
        if each == "\n" or kind in ("Zl", "Zp"):
            kept.append("\n")
        elif kind in ("Cc", "Zs"):
            kept.append(" ")
        elif each in _JOINERS or kind not in ("Cf", "Cs", "Cn"):
            kept.append(each)
    return "".join(kept)


def line(text: str, longest: int = LONGEST_TITLE) -> str:
    """Return a text in one line of at most so many characters."""
    return _cut(" ".join(plain(text).split()), longest)


def paragraphs(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return a plain text with its lines, without blanks at their ends and with one empty line in a row at most."""
    lines = [each.rstrip() for each in plain(text[: 4 * longest]).split("\n")]
    return _cut(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n"), longest)


def is_markup(text: str) -> bool:
    """Return whether a text that may be either looks like HTML; a "<" before a number doesn't."""
    return _MARKUP.search(text[:LARGEST_HTML]) is not None


def from_html(html: str, base: str = "") -> str:
    """Return HTML as plain text: blocks and table rows on their own lines, links followed by their URLs.

    `base`: the URL that links are relative to.
    """
    reader = _Reader(base)
    reader.feed(_clean_html(without_long_references(html[:LARGEST_HTML])))
    reader.close()
    return reader.text


def from_elements(root: Element, base: str = "") -> str:
    """Return what XHTML says, like `from_html`: the content of an element that was parsed already."""
    reader = _Reader(base)
    waiting: list[tuple[Element, bool]] = [(root, False)]
    left = _MOST_ELEMENTS
    while waiting and left > 0:  # not by recursion: strangers choose the depth
        left -= 1
        element, ends = waiting.pop()
        tag = str(element.tag).rpartition("}")[2].lower()
        if ends:
            reader.handle_endtag(tag)
            reader.handle_data("" if element is root else element.tail or "")
            continue
        reader.handle_starttag(tag, list(element.attrib.items()))
        reader.handle_data(element.text or "")
        waiting += [(element, True), *((each, False) for each in reversed(element))]
    return reader.text


def web_address(link: str, base: str = "") -> str:
    """Return a link as an address of http: or https: that somebody may open; empty if it is none."""
    if len(link) > 2 * LONGEST_LINK:
        return ""
    try:
        address = urljoin(base, "".join(link.split()))
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    return address if usable and not parts.username and len(address) <= LONGEST_LINK and address.isprintable() else ""


def _clean_html(html: str) -> str:
    """Return HTML without comments, declarations and tags that mean nothing here; each "<" that is left begins a tag.

    The standard parser searches again and again for the end of an unclosed tag: 100 KB of those took it two minutes.
    """
    pieces, place = [], 0
    while (begin := html.find("<!--", place)) >= 0:
        pieces.append(html[place:begin])
        end = html.find("-->", begin + 4)
        place = len(html) if end < 0 else end + 3
    pieces.append(html[place:])
    return _TAG.sub(_known_tag, "".join(pieces))


def _known_tag(found: re.Match[str]) -> str:
    slash, name, rest = found[1], (found[2] or "").lower(), (found[3] or found[4] or "")[:4000]
    if not name:
        return "" if found[5] else "&lt;"
    if name not in _KNOWN:
        return ""
    wanted = "" if slash else {"a": "href", "img": "alt"}.get(name, "")
    value = next((each[2] for each in _ATTRIBUTE.finditer(rest) if each[1].lower() == wanted), "") if wanted else ""
    value = value[1:-1] if value[:1] in ("'", '"') else value
    return f"<{slash}{name}" + (f' {wanted}="{value.replace(chr(34), "&quot;")}"' if value else "") + ">"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


class _Reader(HTMLParser):
    """Collects the text. Tags that aren't closed, or closed twice, do no harm."""

    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self._base = base
        self._pieces: list[str] = []
        self._unseen: list[str] = []
        self._preformatted = 0
        self._link: tuple[str, int] | None = None

    @property
    def text(self) -> str:
        """All of it so far."""
        return paragraphs(re.sub(r"(?<!\n)\n (?! )|^ (?! )", "\n", "".join(self._pieces)))

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        if self._unseen:
            if tag in _UNSEEN:
                self._unseen.append(tag)
            return
        attributes = dict(attrs)
        if tag in _UNSEEN:
            self._unseen.append(tag)
        elif tag == "a":
            # HTML has no links within links: the outer one has ended. So no text is processed twice.
            href = attributes.get("href") or ""
            self._link = (web_address(href, self._base) if href.strip() else "", len(self._pieces))
        elif tag == "img":
            self._add(f" {attributes.get('alt') or ''} ")
        elif tag in _CELLS:
            if self._pieces and not self._pieces[-1].endswith("\n"):
                self._pieces.append("  ")
        else:
            self._begin(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            if tag in self._unseen:
                del self._unseen[len(self._unseen) - 1 - self._unseen[::-1].index(tag) :]
        elif tag == "a":
            self._end_link()
        elif tag in _BLOCKS:
            self._preformatted -= tag == "pre" and self._preformatted > 0
            self._pieces.append("\n\n")
        elif tag in _LINES and tag != "br":
            self._end_line()

    def handle_startendtag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        if tag not in _UNSEEN:
            self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._add(data)

    def _begin(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._preformatted += tag == "pre"
            self._pieces.append("\n\n")
        elif tag == "br":
            self._pieces.append("\n")
        elif tag in _LINES:
            self._end_line()
        if tag == "li":
            self._pieces.append("• ")

    def _end_line(self) -> None:
        if self._pieces and not self._pieces[-1].endswith("\n"):
            self._pieces.append("\n")

    def _add(self, data: str) -> None:
        # In HTML a line break in the text is a blank, unless a tag says otherwise.
        data = data if self._preformatted else re.sub(r"[ \t\r\n\f]+", " ", data)
        if data and not (data == " " and self._pieces and self._pieces[-1].endswith("\n")):
            self._pieces.append(data)

    def _end_link(self) -> None:
        if self._link is None:
            return
        (address, begin), self._link = self._link, None
        said = " ".join("".join(self._pieces[begin:]).split())
        if address and said.rstrip("/") not in (address, address.rstrip("/")):
            self._pieces.append(f" ({address})")
