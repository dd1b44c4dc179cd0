"""Names at a destination, from settings: the folder, and the name of a day's extract in it. Without I/O."""

from __future__ import annotations

import datetime
import re
import urllib.parse
from collections.abc import Iterable

EXTRACT_PATTERN = "abq_data_record_{date}.csv"
"""The default name of an extract at its destination."""

LONGEST_NAME = 200
"""Bytes, less than file systems allow, so that the suffixes of temporary files and companions fit."""

_LONGEST_PATTERN = 120
_LONGEST_FOLDER, _LONGEST_PART = 1000, 255  # bytes
_KNOWN = ("date", "lab")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_USABLE = re.compile(r"\w(?:[\w .,()+=@%-]*[\w)+=@%-])?")
_EXAMPLE = datetime.date(2026, 11, 21)


def name_problem(pattern: str) -> str | None:
    """Return why a pattern for names of extracts is invalid, as the end of a sentence; None if it is valid.

    It may contain `{date}` (2026-11-21) and `{lab}` (the labs with records, `A` or `A-B`). It has to be the name of a
    file, without a folder and without characters that have a special meaning at a server or in a file system.
    """
    if not pattern.strip():
        return "must not be empty"
    unknown = [each for each in _PLACEHOLDER.findall(pattern) if each not in _KNOWN]
    if unknown:
        return f"knows {{date}} and {{lab}}, not {{{_shown(unknown[0])}}}"
    if set(_PLACEHOLDER.sub("", pattern)) & set("{}"):
        return "has a brace that belongs to no {date} or {lab}"
    if "/" in pattern or "\\" in pattern:
        return "must be the name of a file, without / and \\ (the folder is abq_ftp_folder)"
    if ".." in pattern:
        return "must not hold two dots in a row"
    if len(pattern.encode("utf-8", "surrogatepass")) > _LONGEST_PATTERN:
        return f"is too long: at most {_LONGEST_PATTERN} bytes"
    if not is_usable_name(_filled(pattern, _EXAMPLE, ["A"])):
        return (
            "must consist of letters, digits, blanks and .,()+=@%_- only, begin with a letter or a digit, and not end "
            "with a blank, a dot or a comma"
        )
    return None


def folder_problem(folder: str) -> str | None:
    """Return why this isn't a valid folder at a destination, as the end of a sentence; None if it is ('': none)."""
    if "\\" in folder:
        return "must have / between folders, not \\"
    if "{" in folder or "}" in folder:
        return "must be the same for all days and labs: {date} and {lab} belong in abq_upload_name"
    if not folder.isprintable() or folder != folder.strip():
        return "must not begin or end with a blank, or contain line breaks or other control characters"
    parts = folder.split("/")
    if any(each in (".", "..") for each in parts):
        return "must name folders, not . or .."
    if any(each.startswith(("-", "~")) or each != each.strip() for each in parts):
        return "has a folder whose name begins with - or ~, or begins or ends with a blank"
    if len(folder.encode()) > _LONGEST_FOLDER or any(len(each.encode()) > _LONGEST_PART for each in parts):
        return f"is too long: a folder's name has at most {_LONGEST_PART} bytes, all of it {_LONGEST_FOLDER}"
    return None


def name_at_destination(pattern: str, date: datetime.date, labs: Iterable[str]) -> str:
    """Return the name of a day's extract; raises `ValueError`, with the reason, if it is invalid."""
    problem = name_problem(pattern)
    name = "" if problem else _filled(pattern, date, labs)
    if problem is None and not is_usable_name(name):
        problem = f"is too long with these labs ({len(name.encode())} bytes, at most {LONGEST_NAME})"
    if problem is not None:
        raise ValueError(f"The setting 'abq_upload_name' {problem}.")
    return name


def is_usable_name(name: str) -> bool:
    """Return whether a file may have that name at a destination."""
    return bool(_USABLE.fullmatch(name)) and ".." not in name and len(name.encode()) <= LONGEST_NAME


def folders_in(folder: str) -> list[str]:
    """Return the folder and its parents, outermost first: `a`, `a/b`; or `/a`, `/a/b`."""
    parts = [each for each in folder.split("/") if each]
    root = "/" if folder.startswith("/") else ""
    return [root + "/".join(parts[: count + 1]) for count in range(len(parts))]


def _filled(pattern: str, date: datetime.date, labs: Iterable[str]) -> str:
    quoted = [urllib.parse.quote(each, safe="") for each in sorted(labs)]
    return pattern.replace("{date}", f"{date:%Y-%m-%d}").replace("{lab}", "-".join(quoted))


def _shown(text: str) -> str:
    clean = "".join(each if each.isprintable() else "?" for each in text)
    return clean if len(clean) <= 40 else f"{clean[:39]}…"
