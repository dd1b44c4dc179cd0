"""What FTP servers answer when they are asked for a folder: MLSD, LIST as Unix and Windows have it, NLST. Pure.

Sources: RFC 3659, section 7 (MLSD); RFC 959, 4.1.3 (LIST, NLST), which leaves the form of LIST to the server.
"""

from __future__ import annotations

import calendar
import datetime
import re
import stat
from collections.abc import Iterable, Iterator

from .remote_files_names import (
    FILE,
    FOLDER,
    LINK,
    OTHER,
    UNKNOWN,
    RemoteEntry,
    local_time,
    rights_of_facts,
    rights_of_mode,
)

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
    """Yield what MLSD lists; the folder itself has the name `.`, so that its rights can be had."""
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
