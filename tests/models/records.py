"""Records that tests save."""

from __future__ import annotations

import datetime

from abq_data_entry import fields

Record = dict[str, object]

DATE = datetime.date(2026, 11, 20)
_TEXTS = "2026-11-20|8:00|J Simms|A|3|AXM479|24.09|1.03|22.01|no|9|21|3|1.67|8.70|2.73|"

EVERY_PLOT = """
    INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, equipment_fault, plants, blossoms, fruit,
        min_height, median_height, max_height)
    SELECT date, time, lab_id, plot, 'AXM477', true, 1, 1, 1, 1, 2, 3 FROM lab_checks JOIN plots USING (lab_id)
"""
"""A record for each plot of the checks that the condition put behind it chooses."""


def record(**changes: object) -> Record:
    """A valid record as texts; changes by field name, with _ for a blank. A field of later versions is empty."""
    texts: Record = dict.fromkeys(fields.CSV_HEADER, "")
    texts |= zip(fields.CSV_HEADER, _TEXTS.split("|"), strict=False)
    return texts | {name.replace("_", " "): value for name, value in changes.items()}


def faulty(**changes: object) -> Record:
    """A valid record with an equipment fault."""
    return record(Humidity="", Light="", Temperature="", Equipment_Fault="yes", **changes)


def typed(saved: Record) -> Record:
    """The record as the database gives it back."""
    return dict(fields.parse_record(saved))
