"""An HTML page in one file: headings, sentences, tables and pictures, without scripts or external resources.

Every text is escaped, and a Content-Security-Policy keeps the browser from loading or running anything.
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
th, td { border-bottom: 1px solid var(--line); padding: .25rem .5rem .25rem .3rem; text-align: start;
  vertical-align: top; white-space: pre-wrap; }
th { background: var(--head); vertical-align: bottom; white-space: normal; }
th.number, td.number { text-align: right; } td.short { white-space: nowrap; }
td.long { min-width: 10rem; overflow-wrap: anywhere; }
tr, figure { break-inside: avoid; } thead { display: table-header-group; }
figure { background: #fff; border: 1px solid var(--line); display: inline-block; margin: .5rem .5rem .5rem 0; }
figure img { display: block; max-width: 100%; } figcaption { color: #53605a; padding: .2rem .6rem; }
.hash { font-family: ui-monospace, monospace; font-size: .85rem; overflow-wrap: anywhere; }
@media print { body { font-size: 10pt; margin: 0; max-width: none; padding: 0; } .scroll { overflow: visible; }
  table { font-size: 8pt; } td.long { min-width: 6rem; } figcaption { color: #444; }
  :root { --ground: #fff; --text: #000; --muted: #444; --line: #bbb; --head: #eee; } @page { margin: 15mm; } }
"""


_SHORT = 16
"""The length of a time, `2026-11-21 08:00`: shorter texts aren't wrapped."""
_LONG_WORD = 16


class Picture(NamedTuple):
    """An SVG and its description."""

    svg: bytes
    words: str


class Section(NamedTuple):
    """A heading, sentences, a table (names and rows), a line below it, and pictures."""

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
    columns = zip(*rows, strict=True)
    head = "".join(
        f'<th scope="col"{_kind(values)}>{escape(name)}</th>' for name, values in zip(names, columns, strict=True)
    )
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table></div>\n'


def _kind(values: Sequence[Any]) -> str:
    """Return the CSS class of a column: numbers and their heading are right-aligned."""
    present = [each for each in values if each is not None]
    return ' class="number"' if present and all(map(_is_number, present)) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if _is_number(value):
        return f'<td class="number short">{escape(text_of(value))}</td>'
    text = text_of(value)
    if len(text) <= _SHORT and "\n" not in text:
        return f'<td class="short" dir="auto">{escape(text)}</td>'
    is_long = max(map(len, text.split()), default=0) > _LONG_WORD or len(text) > 2 * _SHORT
    kind = ' class="long"' if is_long else ""
    return f'<td{kind} dir="auto">{escape(text)}</td>'


def _figure(picture: Picture) -> str:
    # As an image: scripts in an SVG don't run there, and the ids of several don't get mixed up.
    coded = base64.b64encode(picture.svg).decode("ascii")
    words = escape(picture.words)
    image = f'<img alt="{words}" src="data:image/svg+xml;base64,{coded}">'
    return f"<figure>{image}<figcaption>{words}</figcaption></figure>\n"
