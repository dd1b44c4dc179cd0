"""One delivery: which file goes where, its attempts so far, and when it is tried again.

And the extract that it sends: its name here and at its destination, and the files that go with it. One of these has the
audit's head at the time of the export, so that nobody can alter the past unnoticed: the receivers keep the heads, and
the database's audit chains must still contain them later (`db verify --head`).
"""

from __future__ import annotations

import datetime
import json
import logging
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

from ..constants import EXTRACT_NAME
from ..models.errors import PrivilegeMissing
from ..network.destination import Place
from ..network.destinations import is_known
from ..remote_names import is_usable_name as is_usable_at_destination
from ..remote_names import name_at_destination

log = logging.getLogger(__name__)

_LAB = "Lab"  # the column
_MOST_EXPORTS = 3


class OutboxError(Exception):
    """The operation on the outbox failed; nothing was changed."""


class UnknownDelivery(OutboxError):
    """No delivery has that identifier, or several begin with it."""


class SettingsUnusable(OutboxError):
    """A setting is invalid, so nothing can be sent; deliveries wait until it is corrected."""


class Busy(OutboxError):
    """Another process, or another window, is working on this delivery at the moment."""


class NoRecords(Exception):
    """There is nothing to deliver for that day."""


class Records(Protocol):
    """The part of `SQLModel` that writes extracts."""

    def export_records(self, path: Path, first_date: datetime.date) -> int: ...


def extract_name(date: datetime.date) -> str:
    """Return the name of a day's extract: ``abq_data_record_2026-11-21.csv``."""
    return EXTRACT_NAME.format(date=date)


def name_to_send_as(path: Path, date: datetime.date, pattern: str) -> str:
    """Return the extract's name at its destination; raises `OutboxError` if the pattern gives no valid file name."""
    try:
        return name_at_destination(pattern, date, _labs_in(path) if "{lab}" in pattern else ())
    except ValueError as error:
        refused = str(error)
    raise OutboxError(refused)


def _labs_in(path: Path) -> set[str]:
    """Return the labs that an extract has records of. Raises `OSError`."""
    import csv  # not at the top: only names with {lab} need it

    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row[_LAB] for row in csv.DictReader(file) if row.get(_LAB)}


class Audit(Protocol):
    """The part of `SQLModel` that reads the audit's head."""

    def audit_heads(self, date: datetime.date | None = None) -> str: ...


def head_of(audit: Audit, date: datetime.date) -> str:
    """Return the audit's head for a day; '' if this login may not read it."""
    try:
        return audit.audit_heads(date)
    except PrivilegeMissing as error:
        log.warning("the delivery goes without the audit's head: %s", error.detail)
        return ""  # somebody who may not read the audit may still deliver records


def companion(path: Path) -> Path:
    """Return the small file that goes with an extract: ``abq_data_record_2026-11-21.csv.audit``."""
    return path.with_name(f"{path.name}.audit")


def checksum_file(path: Path, name: str) -> Path:
    """Write the checksum file for `sha256sum --check` beside the file, which is called `name` at its destination.

    Return its path.
    """
    import hashlib  # not at the top: it costs some milliseconds at the start

    beside = path.with_name(f"{path.name}.sha256")
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1024 * 1024):
            digest.update(block)
    beside.write_text(f"{digest.hexdigest()}  {name}\n", encoding="utf-8", newline="\n")
    return beside


def report_of(path: Path) -> Path:
    """Return the day's report that goes with an extract, if that is set: ``abq_data_record_2026-11-21.report.html``."""
    return path.with_name(f"{path.name.removesuffix('.csv')}.report.html")


def companions(name: str) -> tuple[str, ...]:
    """Return the files that may be sent with a file of that name: its checksum file, the audit's head, the day's
    report."""
    path = Path(name)
    return f"{name}.sha256", companion(path).name, report_of(path).name


def report_identifier(identifier: str) -> str:
    """Return the identifier of a delivery's report: the same in all attempts, and not that of its extract."""
    return f"{identifier}-report"


def head_in(path: Path) -> str:
    """Return the audit's head in the companion of the extract at this path, '' if it has none. Raises `OSError`."""
    try:
        return companion(path).read_text(encoding="ascii").removesuffix("\n")
    except FileNotFoundError:
        return ""


def export_with_head(
    records: Records, path: Path, date: datetime.date, audit_head: Callable[[datetime.date], str] | None
) -> tuple[int, str]:
    """Write the extract of a day; return the number of its records, and the audit's head at that time.

    If somebody saves meanwhile, both are made again, so that they belong together. After some attempts the head of just
    before the export is taken.
    """
    head = audit_head(date) if audit_head is not None else ""
    for _ in range(_MOST_EXPORTS):
        before, count = head, records.export_records(path, date)
        head = audit_head(date) if audit_head is not None else ""
        if head == before:  # nobody saved while the records were read
            break
    # Percent-encoded for an HTTP header field (RFC 9110, 5.5): the id of a lab may be any character.
    return count, "".join(letter if " " <= letter <= "~" else urllib.parse.quote(letter) for letter in before)


FORMAT = 5
"""The format in which deliveries are kept; newer versions of the application have higher numbers. Format 1 had no
`audit_head`, format 2 no `sent_as`, format 3 was a file instead of a row, format 4 had no `served`."""

_FORMAT_FOR_ALL = 4
"""A delivery without `served` is written in this format, which older versions can read. They must not read one with
`served`: they would send the mail again to receivers who have it."""
FORMATS_OF_ROWS = (_FORMAT_FOR_ALL, FORMAT)

WAITING, SENDING, DELIVERED, FAILED, CANCELLED = "waiting", "sending", "delivered", "failed", "cancelled"
UNKNOWN = "unknown"
"""It may have arrived, and sending it again would deliver it twice: so somebody has to decide."""

BROKEN_OFF = "Broken off: the application ended while it was sending."
PERHAPS_ARRIVED = (
    "Whether it arrived isn't known: the application ended before the server's last answer. Ask the receivers."
)
CANCELLED_LATE = "Cancelled when the whole file had been sent: it may have arrived."
CANCELLED_MIDWAY = "Cancelled while the server was storing it: the file there may be incomplete or missing."
STATES = (WAITING, SENDING, DELIVERED, FAILED, CANCELLED, UNKNOWN)
ENDED = (DELIVERED, CANCELLED)
"""The final states, in which the file is no longer needed."""
UNFINISHED = (WAITING, SENDING, FAILED, UNKNOWN)

_LARGEST, _LARGEST_COUNT = 2**63 - 1, 2**31 - 1  # the limits of bigint and integer in the table `deliveries`
_LONGEST_TEXT = 10_000
_YEARS = range(1970, 2200)  # a clock may be wrong; some systems have no local time for other years
_NAME = re.compile(r"[\w. -]{1,200}")
_HEAD = re.compile(r"[ -~]{1,8000}")  # fits into an HTTP header field


@dataclass(frozen=True)
class Attempt:
    """One attempt: its start, its duration in seconds (None: running, or interrupted), the bytes sent, its outcome."""

    started: datetime.datetime
    seconds: float | None = None
    sent: int = 0
    outcome: str = ""


@dataclass(frozen=True)
class Delivery:
    """A file to be delivered. Times are in UTC.

    `identifier`: 32 hexadecimal digits; `version` counts the deliveries of the same file to the same kind of
    destination; `since`: when the present round of attempts began; `planned`: when the next attempt is due (None: at
    once); `revision` counts the changes of this delivery, so that an older state never replaces a newer one;
    `audit_head`: the audit's head when the extract was made (`A 12 <hash>; B 7 <hash>`), empty without an audit;
    `sent_as`: the file's name at the destination, even if the settings change later; `served`: the receivers of a mail
    who already have it, while others don't.
    """

    identifier: str
    name: str
    date: datetime.date
    kind: str
    address: str
    username: str
    size: int
    sha256: str
    version: int
    created: datetime.datetime
    since: datetime.datetime
    changed: datetime.datetime
    state: str = WAITING
    planned: datetime.datetime | None = None
    failures: int = 0
    attempts: tuple[Attempt, ...] = ()
    reason: str = ""
    revision: int = 1
    audit_head: str = ""
    sent_as: str = ""
    served: tuple[str, ...] = ()

    @property
    def short_id(self) -> str:
        """The first 8 digits of the identifier, for people."""
        return self.identifier[:8]

    @property
    def file_key(self) -> str:
        """The key that all versions of a file to one kind of destination share."""
        return f"{self.kind}/{self.name}"

    @property
    def place(self) -> Place:
        """Where it goes."""
        return Place(self.kind, self.address)

    @property
    def delivered(self) -> datetime.datetime | None:
        """When it arrived, if it did."""
        return self.changed if self.state == DELIVERED else None

    @property
    def attempts_ended(self) -> tuple[Attempt, ...]:
        """The attempts, when the process of the last one is gone: that one is marked as interrupted."""
        *before, last = self.attempts or (None,)
        if last is None or last.outcome:
            return self.attempts
        return (*before, Attempt(last.started, None, last.sent, BROKEN_OFF))

    @property
    def may_have_arrived(self) -> bool:
        """Whether the interrupted attempt had sent the whole file, so that sending it again may deliver it twice."""
        *_before, last = self.attempts or (None,)
        return last is not None and not last.outcome and 0 < self.size <= last.sent

    @property
    def audit_chains(self) -> list[str]:
        """The audit's head, a text for each lab: its letter, the number of its last entry, and that entry's hash."""
        return self.audit_head.split("; ") if self.audit_head else []

    @property
    def open(self) -> bool:
        """Whether it waits or is being sent."""
        return self.state in (WAITING, SENDING)

    @property
    def next_step(self) -> str:
        """What happens next, or why nothing does, in words and in local time; empty once it is delivered."""
        if self.state != WAITING:
            return self.reason
        when = "Waits." if self.planned is None else f"Next attempt {self.planned.astimezone():%Y-%m-%d %H:%M}."
        return f"{when} {self.reason}".strip()


def to_text(delivery: Delivery) -> str:
    """Return the delivery as JSON, as it is kept. It begins with the identifier, the anchor for recovering rows."""
    parts = dict(vars(delivery))
    if not delivery.served:
        del parts["served"]
    form = FORMAT if delivery.served else _FORMAT_FOR_ALL
    return _JSON.encode({"id": delivery.identifier, "format": form, **parts})


def from_text(text: str) -> Delivery:
    """Return the delivery in a text of `to_text`; raises `ValueError` for anything else, also for a newer format."""
    content = json.loads(text)
    form = content.pop("format", None) if isinstance(content, dict) else None
    is_row = form in FORMATS_OF_ROWS
    if form not in range(1, FORMAT + 1) or (content.pop("id", "") != content.get("identifier")) == is_row:
        raise ValueError("not a delivery in a known format")
    # An earlier version had no audit, and gave the file the same name at its destination.
    if form == 1:
        content = {**content, "audit_head": ""}
    if form in (1, 2):
        content = {**content, "sent_as": content.get("name", "")}
    if form != FORMAT:
        content = {**content, "served": []}
    if set(content) != {each.name for each in fields(Delivery)} or not isinstance(content["attempts"], list):
        raise ValueError("not the parts of a delivery")
    for name in ("created", "since", "changed", "planned"):
        content[name] = _moment(content[name], optional=name == "planned")
    content["date"] = datetime.date.fromisoformat(_text(content["date"]))
    content["attempts"] = tuple(_attempt(each) for each in content["attempts"])
    content["served"] = _texts(content["served"])
    found = Delivery(**content)
    _check(found)
    return found


def storable(text: str) -> str:
    """Return a text that can be kept and read again: a server's words may have any characters, and any length."""
    clean = "".join("?" if each == "\0" or "\ud800" <= each <= "\udfff" else each for each in text[:_LONGEST_TEXT])
    return clean if len(text) <= _LONGEST_TEXT else f"{clean[:-1]}…"


def is_of_newer_version(text: str) -> bool:
    """Return whether a newer version wrote the text: its format or its kind of destination isn't known."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(content, dict):
        return False
    form, kind = content.get("format"), content.get("kind")
    is_elsewhere = isinstance(kind, str) and not is_known(kind)
    return isinstance(form, int) and (form > FORMAT or (form >= _FORMAT_FOR_ALL and is_elsewhere))


def is_usable_name(name: str) -> bool:
    """Return whether the delivery's file may have that name: one component of a path, and not hidden."""
    return bool(_NAME.fullmatch(name)) and not name.startswith(".") and name.strip() == name


def _check(delivery: Delivery) -> None:
    texts = ("identifier", "name", "kind", "address", "username", "sha256", "state", "reason", "audit_head", "sent_as")
    numbers = ("size", "version", "failures", "revision")
    if not all(isinstance(getattr(delivery, name), str) for name in texts):
        raise ValueError("a text is expected")
    if not all(_is_storable(getattr(delivery, name)) for name in texts):
        raise ValueError("a text that the database couldn't store")
    if not all(type(getattr(delivery, name)) is int and getattr(delivery, name) >= 0 for name in numbers):
        raise ValueError("a number is expected")
    if delivery.size > _LARGEST or max(delivery.version, delivery.failures, delivery.revision) > _LARGEST_COUNT:
        raise ValueError("a number out of range")  # the database would refuse it every time
    if delivery.version < 1 or not is_known(delivery.kind):
        raise ValueError("no version, or an unknown kind of destination")
    if not re.fullmatch(r"[0-9a-f]{32}", delivery.identifier) or not re.fullmatch(r"[0-9a-f]{64}", delivery.sha256):
        raise ValueError("not an identifier, or not a digest")
    if delivery.state not in STATES or not is_usable_name(delivery.name):
        raise ValueError("an unknown state, or a name that can't be used")
    if not is_usable_at_destination(delivery.sent_as) and delivery.sent_as != delivery.name:
        raise ValueError("a name that can't be used at the destination")
    if delivery.audit_head and not _HEAD.fullmatch(delivery.audit_head):
        raise ValueError("not the head of an audit")


def _attempt(content: Mapping[str, Any]) -> Attempt:
    if not isinstance(content, dict) or set(content) != {"started", "seconds", "sent", "outcome"}:
        raise ValueError("not an attempt")
    seconds, sent = content["seconds"], content["sent"]
    if (seconds is not None and type(seconds) not in (int, float)) or type(sent) is not int:
        raise ValueError("a number is expected")
    started = _moment(content["started"])
    assert started is not None
    return Attempt(started, seconds, sent, _text(content["outcome"]))


def _moment(value: object, optional: bool = False) -> datetime.datetime | None:
    if value is None and optional:
        return None
    moment = datetime.datetime.fromisoformat(_text(value))
    if moment.tzinfo is None or moment.year not in _YEARS:
        raise ValueError("a time without its zone, or out of range")
    return moment


def _is_storable(text: str) -> bool:
    """Return whether the database could store the text: one that it refuses would keep others from being recorded."""
    return "\0" not in text and len(text) <= _LONGEST_TEXT and not any("\ud800" <= each <= "\udfff" for each in text)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and _is_storable(each) for each in value):
        raise ValueError("a list of texts is expected")
    return tuple(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is expected")
    return value


def _form_on_disk(value: object) -> object:
    if isinstance(value, Attempt):
        return vars(value)
    assert isinstance(value, datetime.date)  # or a `datetime`
    return value.isoformat()


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_form_on_disk)
