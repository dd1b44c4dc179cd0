"""The saved record that is being corrected, as it was when it was opened."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import fields
from .record_inputs import Record, RecordKey


class OpenedRecord(NamedTuple):
    """``texts`` by field name as the database had them; ``version`` is the record's, where it is known.

    ``changed_by`` is who saved another version of it since, empty while nobody has. ``known_at`` is when this computer
    learned of it, where that is a copy from before the database went away; else it is empty. ``gone`` says who withdrew
    or moved it since.
    """

    key: RecordKey
    texts: Mapping[str, str]
    version: int | None = None
    changed_by: str = ""
    known_at: str = ""
    gone: str = ""

    def values(self) -> Record:
        """The typed values; ``None`` where an old row holds what isn't valid any more."""
        return {each.name: _value(each, self.texts.get(each.name, "")) for each in fields.FIELDS}

    def draft(self) -> dict[str, Any]:
        """The entries of a draft, plain enough for a file."""
        key = [self.key[0].isoformat(), *self.key[1:]]
        return {"opened": key, "baseline": dict(self.texts), "version": self.version, "known_at": self.known_at}


def opened_in(draft: Mapping[str, Any]) -> OpenedRecord | None:
    """What :meth:`OpenedRecord.draft` gave; ``None`` for a new record, and for a key that makes no sense."""
    try:
        date, time, lab, plot = draft["opened"]
        key = datetime.date.fromisoformat(date), str(time), str(lab), int(plot)
    except (KeyError, TypeError, ValueError):
        return None
    version = draft.get("version")
    known_version = version if isinstance(version, int) else None
    baseline, known_at = dict(draft.get("baseline") or {}), str(draft.get("known_at") or "")
    return OpenedRecord(key, baseline, known_version, known_at=known_at)


def _value(each: fields.Field, text: str) -> object:
    try:
        return fields.parse(each, text)
    except ValueError:
        return None
