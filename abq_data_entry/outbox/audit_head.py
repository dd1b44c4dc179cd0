"""Where the audit stood when an extract was made: it goes with the extract, so that nobody can alter the past unseen.

Whoever receives extracts keeps the heads: the chains of the database must still hold them later (`db verify --head`).
"""

from __future__ import annotations

import datetime
import logging
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..models.errors import RightsMissing
from .extract import Records

log = logging.getLogger(__name__)

_MOST_EXPORTS = 3


class Audit(Protocol):
    """What is needed of the database."""

    def audit_heads(self, date: datetime.date | None = None) -> str: ...


def heads_in(audit: Audit) -> Callable[[datetime.date], str]:
    """Return what tells where the audit stands for a day; nothing to somebody who may not read it."""

    def head(date: datetime.date) -> str:
        try:
            return audit.audit_heads(date)
        except RightsMissing as error:
            log.warning("the delivery goes without the audit's head: %s", error.detail)
            return ""

    return head


def companion(path: Path) -> Path:
    """The small file that goes with an extract: ``abq_data_record_2026-11-21.csv.audit``."""
    return path.with_name(companion_name(path.name))


def companion_name(name: str) -> str:
    """What the small file is called that goes with an extract of that name."""
    return f"{name}.audit"


def head_in(path: Path) -> str:
    """Return the audit's head that goes with the extract at this path, empty if none does. Raises `OSError`."""
    try:
        return companion(path).read_text(encoding="ascii").removesuffix("\n")
    except FileNotFoundError:
        return ""


def export_with_head(
    records: Records, path: Path, date: datetime.date, audit_head: Callable[[datetime.date], str] | None
) -> tuple[int, str]:
    """Write the extract of a day; return the number of its records, and where the audit stood when it was made.

    If somebody saves meanwhile, both are made anew, so that they belong together; in the busiest laboratory the head
    may in the end be of the moment before.
    """
    head = audit_head(date) if audit_head is not None else ""
    for _ in range(_MOST_EXPORTS):
        before, count = head, records.export_records(path, date)
        head = audit_head(date) if audit_head is not None else ""
        if head == before:
            break
    return count, _printable(before)


def _printable(head: str) -> str:
    """The same in the characters that a header of HTTP may have (RFC 9110, 5.5); a lab may be named by any letter."""
    return "".join(letter if " " <= letter <= "~" else urllib.parse.quote(letter) for letter in head)
