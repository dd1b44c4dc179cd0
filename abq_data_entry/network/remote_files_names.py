"""Names in a folder at a destination: which can be used, how they are shown, and what a file is called here. Pure.

A name that isn't UTF-8 is kept byte for byte (`surrogateescape`), and sent back so; it is shown as Latin-1.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterable
from typing import NamedTuple

FILE, FOLDER, LINK, OTHER, UNKNOWN = "file", "folder", "link", "other", "unknown"

MOST_ENTRIES = 10_000
"""Of one folder; a server could go on for ever."""

_LONGEST_NAME = 255  # bytes, as in nearly all file systems
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # devices of Windows


class RemoteEntry(NamedTuple):
    """One thing in a folder. `size`: bytes, None: not told; `when` it was changed, and its `rights` in words.

    `when` is local time where the server tells its own zone; else it is what the server's own clock says.
    """

    name: str
    kind: str
    size: int | None = None
    when: str = ""
    rights: str = ""
    version: str = ""
    """When it was changed, as exactly as the server tells: two changes may come in one minute."""

    @property
    def shown(self) -> str:
        """The name for people."""
        return shown(self.name)


class Listing(NamedTuple):
    """What lies in a folder, folders first. `remark`: what isn't listed, and why; `rights`: those to the folder."""

    entries: tuple[RemoteEntry, ...]
    remark: str = ""
    rights: str = ""
    complete: bool = True

    def find(self, typed: str) -> RemoteEntry | None:
        """Return what has that name, as it is or as it is shown; None if nothing has, or several are shown so."""
        for each in self.entries:
            if each.name == typed:
                return each
        found = [each for each in self.entries if each.shown == typed]
        return found[0] if len(found) == 1 else None


def listing(found: Iterable[RemoteEntry], *, complete: bool = True, rights: str = "") -> Listing:
    """Return entries as a listing: names that can't be used, and what is too much, are left out and told."""
    usable: dict[str, RemoteEntry] = {}
    unusable = 0
    for each in found:
        if len(usable) >= MOST_ENTRIES:
            complete = False
            break
        if each.name in (".", ".."):
            continue
        if name_problem(each.name):
            unusable += 1
        else:
            usable.setdefault(each.name, each)
    remarks = []
    if not complete:
        remarks.append(f"There is more: only the first {len(usable):,} are listed.")
    if unusable:
        names = "One name" if unusable == 1 else f"{unusable:,} names"
        remarks.append(f"{names} can't be used here (a separator, a line break and the like), and not listed.")
    ordered = sorted(usable.values(), key=lambda each: (each.kind != FOLDER, each.shown.casefold(), each.name))
    return Listing(tuple(ordered), " ".join(remarks), rights, complete)


def name_problem(name: str) -> str:
    """Return why this can't be the name of one thing in a folder, as the end of a sentence; empty if it can."""
    if name in ("", ".", ".."):
        return "is no name"
    if "/" in name or "\\" in name:
        return "must be the name of one file or folder, without / and \\"
    if any(ord(each) < 32 or 127 <= ord(each) < 160 for each in name):
        return "must not hold line breaks and the like"
    if len(name.encode("utf-8", "surrogateescape" if _is_escaped(name) else "surrogatepass")) > _LONGEST_NAME:
        return f"is too long: at most {_LONGEST_NAME} bytes"
    return ""


def shown(name: str) -> str:
    """Return a name for people: bytes that aren't UTF-8 as Latin-1; what isn't printable as a question mark."""
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError:
            if _is_escaped(name):
                name = name.encode("utf-8", "surrogateescape").decode("latin-1")
    return "".join(each if each.isprintable() else "?" for each in name)


def local_name(name: str) -> str:
    """Return what a file of that name is called on this computer, whatever a server calls it."""
    text = re.sub(r'[/\\<>:"|?*\0]' if os.name == "nt" else r"[/\\\0]", "_", shown(name))
    if os.name == "nt":
        text = text.rstrip(". ") or "_"
        text = f"_{text}" if _RESERVED.fullmatch(text) else text
    return "_" if text in ("", ".", "..") else text


def _is_escaped(name: str) -> bool:
    """Whether all in it that isn't text are bytes that were kept."""
    return not any("\ud800" <= each <= "\udfff" and not "\udc80" <= each <= "\udcff" for each in name)


# -- rights in words ------------------------------------------------------------------------------------

_OF_A_FILE = {"r": "read", "w": "replace", "f": "rename", "d": "delete"}
_OF_A_FOLDER = {
    "e": "enter", "l": "list", "c": "put files there", "m": "make folders there", "p": "delete in it", "f": "rename",
    "d": "delete",
}  # fmt: skip


def rights_of_facts(perm: str, kind: str) -> str:
    """Return the fact `perm` of a server (RFC 3659, 7.5.5) in words: what this user may do, and what not."""
    known = _OF_A_FOLDER if kind == FOLDER else _OF_A_FILE
    letters = perm.lower()
    may = [word for letter, word in known.items() if letter in letters]
    may_not = [word for letter, word in known.items() if letter not in letters]
    told = [f"you may {_list(may)}" if may else "", f"you may not {_list(may_not, 'or')}" if may_not else ""]
    return "; ".join(each for each in told if each)


def rights_of_mode(mode: int, kind: str) -> str:
    """Return the bits of a Unix mode in words; which of the three this user is, the server doesn't tell."""
    bits = ((4, "list"), (2, "change"), (1, "enter")) if kind == FOLDER else ((4, "read"), (2, "change"))
    told = []
    for shift, who in ((6, "its owner may"), (3, "its group"), (0, "others")):
        may = [word for bit, word in bits if mode >> shift & bit]
        told.append(f"{who} {_list(may) if may else 'nothing'}")
    return ", ".join(told)


def _list(words: list[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def local_time(seconds: float) -> str:
    """Return a moment in seconds since 1970 by the clock on the wall; empty if it can't be."""
    try:
        return f"{datetime.datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return ""
