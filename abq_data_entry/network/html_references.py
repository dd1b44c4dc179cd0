"""References to characters in HTML, such as &#8364;, before the standard library reads them."""

from __future__ import annotations

import re

_LONG = re.compile(r"&#[0-9]{20,};?")


def sound_references(text: str) -> str:
    """Return HTML whose references `html.unescape` can read: of a number of thousands of digits Python makes no int, so
    one such reference would make all of a page or feed unreadable. They mean no character: HTML shows U+FFFD for them.
    """
    return _LONG.sub("\N{REPLACEMENT CHARACTER}", text)
