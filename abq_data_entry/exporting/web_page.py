"""A page of HTML in one file: headings, sentences, tables and pictures. No scripts, nothing from elsewhere.

Every text is escaped, and the page itself forbids a browser to load or run anything.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, NamedTuple

from abq_data_entry.exporting.texts import text_of

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1a211e; --muted: #53605a; --line: #d5dcd8; --head: #eef2f0; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #1d2125; --text: #e7ecea; --muted: #a4afaa; --line: #353c40; --head: #272d31; } }
body { background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 68rem; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; break-after: avoid; }
p { margin: .4rem 0; } .muted { color: var(--muted); } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top;
  white-space: pre-wrap; overflow-wrap: anywhere; }
th { background: var(--head); padding-left: .3rem; } td { padding-left: .3rem; }
td.number { text-align: right; }
tr, figure { break-inside: avoid; } thead { display: table-header-group; }
figure { background: #fff; border: 1px solid var(--line); display: inline-block; margin: .5rem .5rem .5rem 0; }
figure img { display: block; max-width: 100%; } figcaption { color: #53605a; padding: .2rem .6rem; }
.hash { font-family: ui-monospace, monospace; font-size: .85rem; overflow-wrap: anywhere; }
@media print { body { font-size: 10pt; margin: 0; max-width: none; padding: 0; } .scroll { overflow: visible; }
  :root { --ground: #fff; --text: #000; --muted: #444; --line: #bbb; --head: #eee; } @page { margin: 15mm; } }
"""


class Picture(NamedTuple):
    """An SVG, and what it shows, in words."""

    svg: bytes
    words: str


class Section(NamedTuple):
    """A heading, sentences, a table (names and rows), what stands below it, and pictures."""

    title: str
    sentences: Sequence[str] = ()
    names: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    below: str = ""
    pictures: Sequence[Picture] = ()
    code: str = ""


def page(title: str, subtitle: str, sections: Iterable[Section]) -> str:
    """Return the whole page."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:;'
        " style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<p class="muted">{escape(subtitle)}</p>\n',
        *(_section(each) for each in sections),
        "</body>\n</html>\n",
    ]
    return "".join(parts)


def _section(section: Section) -> str:
    parts = [f"<section>\n<h2>{escape(section.title)}</h2>\n"]
    parts += [f"<p>{escape(each)}</p>\n" for each in section.sentences]
    if section.rows:
        parts.append(_table(section.names, section.rows))
    if section.below:
        parts.append(f'<p class="muted">{escape(section.below)}</p>\n')
    if section.code:
        parts.append(f'<p class="hash">{escape(section.code)}</p>\n')
    parts += [_figure(each) for each in section.pictures]
    return "".join([*parts, "</section>\n"])


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in names)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table></div>\n'


def _cell(value: Any) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    opening = '<td class="number">' if is_number else "<td>"
    return f"{opening}{escape(text_of(value))}</td>"


def _figure(picture: Picture) -> str:
    # As an image: scripts in an SVG don't run there, and the ids of several don't get mixed up.
    coded = base64.b64encode(picture.svg).decode("ascii")
    words = escape(picture.words)
    image = f'<img alt="{words}" src="data:image/svg+xml;base64,{coded}">'
    return f"<figure>{image}<figcaption>{words}</figcaption></figure>\n"
