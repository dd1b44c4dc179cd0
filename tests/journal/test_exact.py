"""A record that waits in the journal is exactly the one that was typed."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.journal import Journal, new_entry
from abq_data_entry.journal.file import from_content, to_content


def hundredths(least: int, most: int) -> st.SearchStrategy[str]:
    """Texts of decimals as people type them: `24.09`, `24,1`, `.5`, `008`."""
    spelled = st.sampled_from(["{:.2f}", "{:f}", "0{:.2f}"])
    number = st.integers(least, most).map(lambda each: Decimal(each) / 100)
    return st.tuples(number, spelled, st.booleans()).map(
        lambda each: each[1].format(each[0]).replace(".", "," if each[2] else ".")
    )


@st.composite
def records(draw: st.DrawFn) -> dict[str, str]:
    """Texts of all fields that are a valid record."""
    fault = draw(st.booleans())
    low, middle, high = sorted(draw(st.lists(st.integers(0, 100_000), min_size=3, max_size=3)))
    texts = {
        F.DATE: draw(st.dates()).isoformat(),
        F.TIME: draw(st.sampled_from(["8:00", "08:00", "12:00", "16:00", "20:00"])),
        F.TECHNICIAN: draw(st.sampled_from(["J Simms", "Zoë Ångström", "Q Murphy"])),
        F.LAB: draw(st.sampled_from("ABCDE")),
        F.PLOT: str(draw(st.integers(1, 20))),
        F.SEED_SAMPLE: draw(st.text("ABCXYZ0123456789", min_size=6, max_size=6)),
        F.HUMIDITY: "" if fault else draw(hundredths(50, 5_200)),
        F.LIGHT: "" if fault else draw(hundredths(0, 10_000)),
        F.TEMPERATURE: "" if fault else draw(hundredths(400, 4_000)),
        F.EQUIPMENT_FAULT: "true" if fault else "false",
        F.PLANTS: str(draw(st.integers(0, 20))),
        F.BLOSSOMS: str(draw(st.integers(0, 1_000))),
        F.FRUIT: str(draw(st.integers(0, 1_000))),
        F.MIN_HEIGHT: draw(hundredths(low, low)),
        F.MAX_HEIGHT: draw(hundredths(high, high)),
        F.MEDIAN_HEIGHT: draw(hundredths(middle, middle)),
    }
    texts[F.NOTES] = draw(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t")))
    return texts


@given(records())
def test_an_entry_holds_the_values_that_were_typed(texts: dict[str, str]) -> None:
    record = fields.parse_record(texts)
    entry = new_entry("db:5432/abq", record, "insert")
    read = from_content(json.loads(json.dumps(to_content(entry))))
    assert entry.record == record and read.record == record
    assert all(type(read.record[name]) is type(record[name]) for name in record)


@given(texts=records())
def test_so_does_the_file(tmp_path_factory: pytest.TempPathFactory, texts: dict[str, str]) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal"))
    record = fields.parse_record(texts)
    journal.keep(new_entry("db:5432/abq", record, "insert"))
    (kept,) = Journal(journal.folder).entries()
    assert kept.record == record
