"""The name of an extract."""

from __future__ import annotations

import datetime

from abq_data_entry import outbox


def test_the_name_of_an_extract() -> None:
    assert outbox.extract_name(datetime.date(2026, 1, 2)) == "abq_data_record_2026-01-02.csv"
