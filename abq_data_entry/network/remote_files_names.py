"""Names in a folder at a destination: which can be used, how they are shown, what they are called here; lists of FTP.

A name that isn't UTF-8 is kept byte for byte (`surrogateescape`), and sent back so; it is shown as Latin-1. No I/O.
Sources: RFC 3659, section 7 (MLSD); RFC 959, 4.1.3 (LIST, NLST), which leaves the form of LIST to the server.
"""

from __future__ import annotations

import calendar
import datetime
import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

FILE, FOLDER, LINK, OTHER, UNKNOWN = "file", "folder", "link", "other", "unknown"

MOST_ENTRIES = 10_000
"""The most entries of one folder; a server could send them for ever."""

_LONGEST_NAME = 255  # bytes, as in nearly all file systems
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # devices of Windows


class RemoteEntry(NamedTuple):
    """One thing in a folder. `size`: bytes, None if not reported; `when` it was changed, and its `rights` in words.

    `when` is local time if the server reports its time zone; else it is the time of the server's own clock.
    """

    name: str
    kind: str
    size: int | None = None
    when: str = ""
    rights: str = ""
    version: str = ""
    """When it was changed, as exactly as the server reports it: there may be two changes in one minute."""

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
    """Return entries as a listing: unusable names and too many entries are left out, and the remark says so."""
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
        return "must not contain line breaks or other control characters"
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
    """Return whether everything in it that isn't text is an escaped byte."""
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
    """Return the bits of a Unix mode in words; the server doesn't report which of the three this user is."""
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


_MOMENT = re.compile(r"(\d{14})(?:\.\d+)?")
_UNIX = re.compile(
    r"(?P<kind>[-bcdlpsD])(?P<mode>[-rwxsStTlL]{9}).*?(?<=\s)(?P<size>\d+)\s+"
    r"(?P<when>[^\W\d]{3,6}\.?\s+\d{1,2}\s+(?:\d{1,2}:\d{2}|\d{4})"
    r"|\d{1,2}\.?\s+[^\W\d]{3,6}\.?\s+(?:\d{1,2}:\d{2}|\d{4})|\d{4}-\d{2}-\d{2}(?:\s+\d{2}:\d{2})?)"
    r"\s(?P<name>.+)"
)
_WINDOWS = re.compile(
    r"(?P<month>\d{1,2})-(?P<day>\d{1,2})-(?P<year>\d{2}|\d{4})\s+(?P<hour>\d{1,2}):(?P<minute>\d{2})\s?(?P<half>[AP]M)?"
    r"(?:\s+<(?P<kind>[A-Z]+)>\s{1,10}|\s+(?P<size>[\d,.]+)\s)(?P<name>\S.*)",
    re.IGNORECASE,
)
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_KINDS = {"-": FILE, "d": FOLDER, "l": LINK}
_LARGEST = 18  # digits of a size
_LONGEST = 1000  # characters of a line: a name has at most 255


def of_facts(lines: Iterable[str]) -> Iterator[RemoteEntry]:
    """Yield what MLSD lists; the folder itself has the name `.`, so that its rights are known."""
    for line in lines:
        told, blank, name = line.partition(" ")
        if not blank:
            continue
        facts = {key.lower(): value for key, _, value in (each.partition("=") for each in told.split(";"))}
        kind = facts.get("type", "").lower()
        if kind == "pdir":
            continue
        of = FOLDER if kind in ("dir", "cdir") else FILE if kind == "file" else LINK if ".unix=s" in kind else OTHER
        rights = rights_of_facts(facts["perm"], of) if facts.get("perm") else _mode(facts.get("unix.mode", ""), of)
        found = _MOMENT.fullmatch(facts.get("modify", ""))
        size = _size(facts.get("size", "")) if of == FILE else None
        when = _utc(found[1]) if found else ""
        yield RemoteEntry("." if kind == "cdir" else name, of, size, when, rights, facts.get("modify", ""))


def of_lines(lines: Iterable[str], today: datetime.date) -> tuple[list[RemoteEntry], int]:
    """Return what LIST lists, and how many lines weren't understood. `today`: for dates without a year."""
    found: list[RemoteEntry] = []
    strange = 0
    for line in lines:
        if not line.strip() or re.fullmatch(r"total \d+", line.strip(), re.IGNORECASE):
            continue
        entry = _unix(line, today) or _windows(line)
        if entry is None:
            strange += 1
        else:
            found.append(entry)
    return found, strange


def of_names(lines: Iterable[str]) -> Iterator[RemoteEntry]:
    """Yield what NLST lists: names and nothing else."""
    for line in lines:
        name = line.removeprefix("./")
        if name:
            yield RemoteEntry(name, UNKNOWN)


def _unix(line: str, today: datetime.date) -> RemoteEntry | None:
    found = _UNIX.fullmatch(line) if len(line) <= _LONGEST else None
    if found is None:
        return None
    kind, name = _KINDS.get(found["kind"], OTHER), found["name"]
    if kind == LINK:
        name = name.partition(" -> ")[0]
    rights = "" if kind == LINK else rights_of_mode(_bits(found["mode"]), kind)
    size = _size(found["size"]) if kind == FILE else None
    return RemoteEntry(name, kind, size, _when(found["when"], today), rights)


def _windows(line: str) -> RemoteEntry | None:
    found = _WINDOWS.fullmatch(line) if len(line) <= _LONGEST else None
    if found is None:
        return None
    year, hour = int(found["year"]), int(found["hour"])
    if year < 100:
        year += 2000 if year < 70 else 1900
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].upper() == "PM" else 0)
    try:
        moment = datetime.datetime(year, int(found["month"]), int(found["day"]), hour, int(found["minute"]))
        when = f"{moment:%Y-%m-%d %H:%M}"
    except ValueError:
        when = ""
    kind = FILE if found["kind"] is None else FOLDER if found["kind"].upper() == "DIR" else LINK
    return RemoteEntry(found["name"], kind, _size(re.sub("[,.]", "", found["size"] or "")), when)


def _when(text: str, today: datetime.date) -> str:
    """Return the date of a line; one without a year is of the last twelve months (a day ahead: another time zone)."""
    parts = text.split()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", parts[0]):
        return " ".join(parts)
    name, day = (parts[0], parts[1]) if parts[1][0].isdigit() else (parts[1], parts[0])
    month = _month(name)
    if month is None:
        return ""
    number, last = int(day.rstrip(".")), parts[2]
    if ":" not in last:
        found = _date(int(last), month, number)
        return f"{found}" if found else ""
    for year in range(today.year + 1, today.year - 5, -1):  # the 29th of February is only in some
        found = _date(year, month, number)
        if found and found <= today + datetime.timedelta(days=1):
            return f"{found} {last:0>5}"
    return ""


def _month(name: str) -> int | None:
    text = name.rstrip(".").lower()
    return _ENGLISH.index(text) + 1 if text in _ENGLISH else _MONTHS.get(text)


def _date(year: int, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None


def _utc(digits: str) -> str:
    try:
        moment = datetime.datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=datetime.timezone.utc)
        return local_time(moment.timestamp())
    except ValueError:
        return ""


def _size(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LARGEST else None


def _mode(text: str, kind: str) -> str:
    return rights_of_mode(int(text, 8), kind) if re.fullmatch("[0-7]{3,6}", text) else ""


def _bits(text: str) -> int:
    bits = (stat.S_IRUSR, stat.S_IWUSR, stat.S_IXUSR, stat.S_IRGRP, stat.S_IWGRP, stat.S_IXGRP)
    bits = (*bits, stat.S_IROTH, stat.S_IWOTH, stat.S_IXOTH)  # type: ignore[assignment]
    return sum(bit for bit, letter in zip(bits, text, strict=True) if letter not in "-STlL")
