"""What the form reports, and whom it asks."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .record_inputs import Record, RecordKey


class FormCallbacks(NamedTuple):
    """What the form reports. ``save(record, opened)``: ``opened`` is the key of the record that was opened
    and is to be updated, ``None`` for a new one. ``find_draft(key)`` gives what is half typed of that plot,
    ``keep_draft(draft)`` keeps such a one when another check is chosen, where the plot has no other;
    ``is_other_draft(key, corrects)`` tells whether it has one besides what the form holds. ``confirmed()``: somebody
    has said who sits here; it returns whether the plot is being claimed now, until
    :meth:`DataRecordForm.claim_answered`."""

    check_chosen: Callable[[datetime.date, str, str], object]
    save: Callable[[Record, RecordKey | None], object]
    go_to_plot: Callable[[int], object]
    open_recorded: Callable[[RecordKey], object]
    edited: Callable[[], object]
    confirmed: Callable[[], bool]
    next_check: Callable[[], object]
    discard: Callable[[], object]
    find_draft: Callable[[RecordKey], Mapping[str, Any] | None]
    keep_draft: Callable[[Mapping[str, Any]], bool]
    is_other_draft: Callable[[RecordKey, bool], bool]
