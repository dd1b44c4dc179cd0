"""The extract of a day: its name here and at its destination, what a delivery needs to make it, what can be wrong.

Where the audit stood when it was made goes with it, so that nobody can alter the past unseen. Whoever receives
extracts keeps the heads: the chains of the database must still hold them later (`db verify --head`).
"""

from __future__ import annotations

import datetime
import logging
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..constants import EXTRACT_NAME
from ..models.errors import RightsMissing
from ..remote_names import name_at_destination


class OutboxError(Exception):
    """What was asked of the outbox can't be done; nothing was changed."""


class UnknownDelivery(OutboxError):
    """There is no such delivery, or more than one."""


class SettingsUnusable(OutboxError):
    """A setting makes no sense, so that nothing can be sent by it; what waits goes on when it is put right."""


class Busy(OutboxError):
    """Another process, or another window, is at this delivery at the moment."""


_LAB = "Lab"  # the column


class NoRecords(Exception):
    """There is nothing to deliver for that day."""


class Records(Protocol):
    """What a delivery needs of the database."""

    def export_records(self, path: Path, first_date: datetime.date) -> int: ...


def extract_name(date: datetime.date) -> str:
    """The name of a day's extract: ``abq_data_record_2026-11-21.csv``."""
    return EXTRACT_NAME.format(date=date)


def name_to_send_as(path: Path, date: datetime.date, pattern: str) -> str:
    """Return what an extract is called at its destination; raises `OutboxError` if the pattern gives no usable name."""
    try:
        return name_at_destination(pattern, date, _labs_in(path) if "{lab}" in pattern else ())
    except ValueError as error:
        refused = str(error)
    raise OutboxError(refused)


def _labs_in(path: Path) -> set[str]:
    """Return the labs of which an extract has records. Raises `OSError`."""
    import csv  # only names with {lab} need it, and the start doesn't wait for it

    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row[_LAB] for row in csv.DictReader(file) if row.get(_LAB)}


log = logging.getLogger(__name__)

_MOST_EXPORTS = 3


class Audit(Protocol):
    """What is needed of the database."""

    def audit_heads(self, date: datetime.date | None = None) -> str: ...


def head_of(audit: Audit, date: datetime.date) -> str:
    """Return where the audit stands for a day; '' to somebody who may not read it."""
    try:
        return audit.audit_heads(date)
    except RightsMissing as error:
        log.warning("the delivery goes without the audit's head: %s", error.detail)
        return ""  # records may be delivered by somebody who may not see who changed them


def companion(path: Path) -> Path:
    """The small file that goes with an extract: ``abq_data_record_2026-11-21.csv.audit``."""
    return path.with_name(f"{path.name}.audit")


def checksum_file(path: Path, name: str) -> Path:
    """Write beside the file what `sha256sum --check` reads there, where it is called `name`; return its path."""
    import hashlib  # costs a start some milliseconds

    beside = path.with_name(f"{path.name}.sha256")
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1024 * 1024):
            digest.update(block)
    beside.write_text(f"{digest.hexdigest()}  {name}\n", encoding="utf-8", newline="\n")
    return beside


def report_of(path: Path) -> Path:
    """The day's report that goes with an extract where that is set: ``abq_data_record_2026-11-21.report.html``."""
    return path.with_name(f"{path.name.removesuffix('.csv')}.report.html")


def companions(name: str) -> tuple[str, ...]:
    """What may go along with a file of that name: its digest, where the audit stood, the day's report."""
    path = Path(name)
    return f"{name}.sha256", companion(path).name, report_of(path).name


def report_identifier(identifier: str) -> str:
    """What the report of a delivery is known by: the same in all attempts, and other than what its extract is."""
    return f"{identifier}-report"


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

    If somebody saves meanwhile, both are made again, so that they belong together; in the busiest laboratory the head
    may in the end be of the moment before.
    """
    head = audit_head(date) if audit_head is not None else ""
    for _ in range(_MOST_EXPORTS):
        before, count = head, records.export_records(path, date)
        head = audit_head(date) if audit_head is not None else ""
        if head == before:  # nobody saved while the records were read
            break
    return count, _printable(before)


def _printable(head: str) -> str:
    """The same in the characters that a header of HTTP may have (RFC 9110, 5.5); a lab may be named by any letter."""
    return "".join(letter if " " <= letter <= "~" else urllib.parse.quote(letter) for letter in head)
