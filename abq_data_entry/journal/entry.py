"""One record that waits: what is to be saved, by whom, and over what. Pure; no file work."""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from abq_data_entry import fields
from abq_data_entry.constants import FieldTypes

if TYPE_CHECKING:
    from abq_data_entry.models.saving import Write

Record = Mapping[str, Any]
_NEWER = "this version of ABQ Data Entry doesn't know that. Install the newer version on this computer."

WAITING, UNDECIDED = "waiting", "undecided"
"""An entry waits for the database, or for somebody's decision; what is settled is no entry any more."""


@dataclass(frozen=True)
class Entry:
    """A record on its way into the database `database`.

    `base` and `version` are what stood there when the record was opened (an update), as far as that was known;
    `author` saves it, at `workstation`; `reason`: why it was corrected; `whole_check`: the technician is that of the
    whole check; `cause`: why it couldn't be saved at once; `remark`: why somebody has to decide; `unknown`: texts of
    fields that a newer version of the application wrote and this one doesn't know.

    `record` and `base` are `fields.Record`s. Where a value breaks today's limits, which may be tighter than those it
    was typed under, it is a plain mapping in which that value is its text.
    """

    identifier: str
    database: str
    record: Record
    write: Write
    author: str
    workstation: str
    moment: datetime.datetime
    base: Record | None = None
    version: int | None = None
    reason: str = ""
    whole_check: bool = False
    cause: str = ""
    state: str = WAITING
    remark: str = ""
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[Any, ...]:
        """Date, time, lab and plot."""
        return tuple(self.record[name] for name in fields.RECORD_KEY)

    @property
    def title(self) -> str:
        """Which record it is, for people."""
        date, time, lab, plot = self.key
        return f"{date} {time}, lab {lab}, plot {plot}"


def new_entry(
    database: str,
    record: Mapping[str, object],
    write: Write,
    *,
    author: str = "",
    base: Mapping[str, object] | None = None,
    version: int | None = None,
    reason: str = "",
    whole_check: bool = False,
    cause: str = "",
    identifier: str = "",
) -> Entry:
    """Return an entry of this moment and this computer; raises `fields.FieldErrors` for a record with errors.

    `record` and `base` hold texts or typed values; `identifier` (32 hexadecimal digits) is that of the save which may
    have been done already.
    """
    import platform

    return Entry(
        identifier=identifier or uuid.uuid4().hex,
        database=database,
        record=fields.parse_record(record),
        write=write,
        author=author,
        workstation=platform.node(),
        moment=datetime.datetime.now(datetime.timezone.utc),
        base=base if base is None or isinstance(base, fields.Record) else from_texts(as_texts(base)),
        version=version,
        reason=reason,
        whole_check=whole_check,
        cause=cause,
    )


def to_content(entry: Entry) -> dict[str, object]:
    """Return what stands on disk of an entry: texts, numbers and yes or no; decimals as they were typed."""
    return {
        "id": entry.identifier,
        "database": entry.database,
        "record": {**entry.unknown, **as_texts(entry.record)},
        "write": entry.write,
        "author": entry.author,
        "workstation": entry.workstation,
        "moment": entry.moment.isoformat(),
        "base": None if entry.base is None else as_texts(entry.base),
        "version": entry.version,
        "reason": entry.reason,
        "whole check": entry.whole_check,
        "cause": entry.cause,
    }


def from_content(content: Mapping[str, Any]) -> Entry:
    """Return the entry that `to_content` described, also one of an earlier or a later version with other fields.

    Fields that weren't there yet are empty. Raises `ValueError`, `KeyError` or `TypeError` for what is no entry.
    """
    moment = datetime.datetime.fromisoformat(content["moment"])
    texts = {name: content[name] for name in ("database", "author", "workstation", "reason", "cause")}
    if not all(isinstance(text, str) for text in texts.values()) or moment.tzinfo is None:
        raise ValueError("a text, or a moment with its zone, is expected")
    if content["write"] not in ("insert", "update") or not re.fullmatch("[0-9a-f]{32}", content["id"]):
        raise ValueError("neither an insert nor an update, or no identifier")
    if content["version"] is not None and type(content["version"]) is not int:
        raise ValueError("a number is expected")
    record = from_texts(content["record"])
    if not has_key(record):
        raise ValueError("no date, time, lab or plot")
    unknown = {name: text for name, text in content["record"].items() if name not in fields.CSV_HEADER}
    return Entry(
        identifier=content["id"],
        record=record,
        write=content["write"],
        moment=moment,
        base=None if content["base"] is None else from_texts(content["base"]),
        version=content["version"],
        whole_check=content["whole check"] is True,
        state=UNDECIDED if unknown else WAITING,
        remark=f"{', '.join(sorted(unknown))}: {_NEWER}" if unknown else "",
        unknown=unknown,
        **texts,
    )


def has_key(record: Mapping[str, object]) -> bool:
    """Tell whether date, time, lab and plot are values, and not texts that mean none."""
    date, time, lab, plot = (record.get(name) for name in fields.RECORD_KEY)
    return isinstance(date, datetime.date) and bool(time) and bool(lab) and isinstance(plot, int)


def as_texts(record: Mapping[str, object]) -> dict[str, str]:
    """Return the texts of a record's values, exact, by field name."""
    return {each.name: fields.format_value(each, record.get(each.name)) for each in fields.FIELDS}


def from_texts(texts: Mapping[str, str]) -> Record:
    """Return the record of those texts, a `fields.Record`; a value that breaks today's limits stays a text in a plain
    mapping, a missing one is empty.

    Raises `ValueError` where it isn't texts by the names of fields.
    """
    if not all(isinstance(each, str) for pair in texts.items() for each in pair):
        raise ValueError("not the fields of a record")
    try:
        return fields.parse_record({name: text for name, text in texts.items() if name in fields.CSV_HEADER})
    except fields.FieldErrors:
        return {each.name: _value(each, texts.get(each.name, "")) for each in fields.FIELDS}


def _value(field: fields.Field, text: str) -> object:
    if not text and field.type is not FieldTypes.BOOLEAN:
        return None
    try:
        return fields.parse(field, text)
    except ValueError:
        return text
