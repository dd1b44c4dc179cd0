"""Two versions of one record brought together, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from tests.models.records import record

BASE = fields.parse_record(record())


def changed(**values: object) -> dict[str, object]:
    names = {each.name.replace(" ", "_"): each.name for each in fields.FIELDS}
    return {**BASE, **{names[name]: value for name, value in values.items()}}


def with_theirs(found: fields.Merge, theirs: dict[str, object], names: Sequence[str]) -> dict[str, object]:
    """The merged record with theirs in these fields."""
    return {**found.merged, **{name: theirs[name] for name in names}}


def test_what_one_side_changed_comes_together() -> None:
    mine, theirs = changed(Plants=1, Notes="mine"), changed(Humidity=Decimal("25.00"))
    found = fields.merge(BASE, mine, theirs)
    assert found.conflicts == ()
    assert found.taken == (F.HUMIDITY,)
    assert found.merged == changed(Plants=1, Notes="mine", Humidity=Decimal("25.00"))


def test_what_both_changed_alike_is_no_conflict() -> None:
    both = changed(Plants=1)
    assert fields.merge(BASE, both, dict(both)) == (both, (), ())


def test_what_both_changed_differently_is_to_be_chosen() -> None:
    mine, theirs = changed(Plants=1, Fruit=5), changed(Plants=2, Blossoms=8)
    found = fields.merge(BASE, mine, theirs)
    assert found.conflicts == (F.PLANTS,)
    assert found.merged == changed(Plants=1, Fruit=5, Blossoms=8)
    assert with_theirs(found, theirs, [F.PLANTS]) == changed(Plants=2, Fruit=5, Blossoms=8)


def test_two_new_records_differ_wherever_they_differ() -> None:
    found = fields.merge(None, changed(Plants=1), changed(Plants=2, Notes="theirs"))
    assert found.conflicts == (F.PLANTS, F.NOTES)


def test_a_fault_goes_with_its_readings() -> None:
    fault = {F.EQUIPMENT_FAULT: True, F.HUMIDITY: None, F.LIGHT: None, F.TEMPERATURE: None}
    mine, theirs = {**BASE, **fault}, changed(Humidity=Decimal("25.00"))
    found = fields.merge(BASE, mine, theirs)
    assert found.conflicts == (F.HUMIDITY, F.LIGHT, F.TEMPERATURE, F.EQUIPMENT_FAULT)
    assert fields.check_across(with_theirs(found, theirs, found.conflicts)) == {}
    assert fields.merge(BASE, mine, changed(Notes="x")).conflicts == ()


def test_heights_that_do_not_fit_each_other_are_to_be_chosen() -> None:
    mine = changed(Min_Height=Decimal("2.70"))
    theirs = changed(Median_Height=Decimal("1.70"))
    found = fields.merge(BASE, mine, theirs)
    assert set(found.conflicts) == {F.MIN_HEIGHT, F.MEDIAN_HEIGHT}
    assert found.merged == mine


TEXT = st.sampled_from([1, 2, 3])


@given(st.dictionaries(st.sampled_from(["Plants", "Blossoms", "Fruit"]), TEXT),
       st.dictionaries(st.sampled_from(["Plants", "Blossoms", "Fruit"]), TEXT))
def test_nothing_of_anybody_is_lost(own: dict[str, object], other: dict[str, object]) -> None:
    mine, theirs = changed(**own), changed(**other)
    found = fields.merge(BASE, mine, theirs)
    for name in fields.CSV_HEADER:
        if name in found.conflicts:
            assert mine[name] != theirs[name] and BASE[name] not in (mine[name], theirs[name])
        else:
            assert found.merged[name] == (theirs[name] if mine[name] == BASE[name] else mine[name])


@pytest.mark.parametrize("side", ["mine", "theirs"])
def test_one_side_that_changed_nothing_gives_way(side: str) -> None:
    other = changed(Plants=1, Notes="x", Min_Height=Decimal("1.00"))
    pair = (dict(BASE), other) if side == "mine" else (other, dict(BASE))
    found = fields.merge(BASE, *pair)
    assert found.merged == other
    assert found.conflicts == ()


def test_what_was_taken_is_to_be_chosen_where_the_heights_would_not_be_in_order() -> None:
    base = changed(Min_Height=Decimal(1), Max_Height=Decimal(10), Median_Height=Decimal(5))
    mine, theirs = {**base, F.MIN_HEIGHT: Decimal(4)}, {**base, F.MAX_HEIGHT: Decimal(3), F.MEDIAN_HEIGHT: Decimal(2)}
    found = fields.merge(base, mine, theirs)
    assert found == (mine, (F.MIN_HEIGHT, F.MAX_HEIGHT, F.MEDIAN_HEIGHT), ())
    in_order = fields.merge(base, {**base, F.MIN_HEIGHT: Decimal(2)}, {**base, F.MAX_HEIGHT: Decimal(9)})
    assert in_order.conflicts == () and in_order.taken == (F.MAX_HEIGHT,)
    # Where both have changed one of them, all that differ are to be chosen.
    chosen = fields.merge(base, {**base, F.MIN_HEIGHT: Decimal(4)}, {**theirs, F.MIN_HEIGHT: Decimal(2)})
    assert chosen.conflicts == (F.MIN_HEIGHT, F.MAX_HEIGHT, F.MEDIAN_HEIGHT) and chosen.taken == ()


def test_readings_are_chosen_together() -> None:
    mine, theirs = changed(Humidity=Decimal(2)), changed(Humidity=Decimal(3), Temperature=Decimal(5))
    found = fields.merge(BASE, mine, theirs)
    assert found == (mine, (F.HUMIDITY, F.TEMPERATURE), ())
