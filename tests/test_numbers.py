"""Numbers at their limits: the longest text, the last digit that may follow, what is offered and what is shown."""

from __future__ import annotations

from decimal import Decimal

import pytest

from abq_data_entry import fields
from abq_data_entry.constants import FieldTypes
from abq_data_entry.fields import numbers

HUMIDITY, LIGHT, PLANTS, BLOSSOMS = (fields.field(name) for name in ("Humidity", "Light", "Plants", "Blossoms"))
NARROW = fields.Field("X", FieldTypes.DECIMAL, "x", "", minimum=Decimal("4.5"), maximum=Decimal("4.6"), places=2)
FREE = fields.Field("X", FieldTypes.DECIMAL, "x", "", places=1)


def test_a_number_has_20_characters_at_most() -> None:
    assert fields.could_become_valid(LIGHT, "0" * 20) and not fields.could_become_valid(LIGHT, "0" * 21)
    assert fields.parse(LIGHT, "0" * 20) == 0
    with pytest.raises(ValueError, match=f"{'0' * 20}… is too long for a number"):
        fields.parse(LIGHT, "0" * 21)
    assert fields.likely(HUMIDITY, f"{'0' * 18};5") == f"{'0' * 18}.5"
    assert fields.likely(HUMIDITY, f"{'0' * 19};5") is None


def test_what_is_missing_must_still_fit() -> None:
    tens = fields.Field("X", FieldTypes.INTEGER, "x", "", minimum=Decimal(40), maximum=Decimal(45))
    assert fields.could_become_valid(tens, f"{'0' * 18}4") and not fields.could_become_valid(tens, f"{'0' * 19}4")


@pytest.mark.parametrize(
    ("digits", "may"),
    [("4", True), ("3", False), ("5", False), ("44", False), ("45", True), ("46", True), ("47", False), ("450", True),
     ("449", False), ("460", True), ("461", False), ("", True), (f"{'0' * 18}45", False), (f"{'0' * 17}45", True)],
)  # fmt: skip
def test_the_point_moves_with_each_digit(digits: str, may: bool) -> None:
    assert numbers.could_become_implied(NARROW, digits) is may


@pytest.mark.parametrize(
    ("text", "may"),
    [("4", True), ("4.", True), ("4.4", False), ("4.5", True), ("4.6", True), ("4.7", False), ("5", False),
     ("4.60", True), ("4.61", False), ("4.49", False), ("-4", False), ("+4", True), ("4.500", False)],
)  # fmt: skip
def test_more_digits_lead_to_the_limits(text: str, may: bool) -> None:
    assert numbers.could_become_number(NARROW, text, None) is may


def test_a_field_without_limits_takes_either_sign() -> None:
    assert fields.parse(FREE, "-1.5") == Decimal("-1.5") and fields.could_become_valid(FREE, "-1.5")
    assert fields.limits(FREE) == "" and fields.limits(PLANTS) == "0 to 20"
    with pytest.raises(ValueError, match="two decimals; one is kept"):
        fields.parse(FREE, "1.25")


@pytest.mark.parametrize(("decimals", "words"), [(3, "three"), (10, "ten"), (11, "11")])
def test_decimals_are_counted_in_words_up_to_ten(decimals: int, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words} decimals; two are kept$"):
        fields.parse(HUMIDITY, f"1.{'0' * decimals}")


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        ("Humidity", "600", "6.00"), ("Humidity", "60", None), ("Light", "-0;0", None), ("Light", "0;0", "0.0"),
        ("Humidity", "24;095", None), ("Blossoms", "1.000", "1000"), ("Blossoms", "1,001", None),
        ("Blossoms", "1,00", None), ("Plants", "2;0", None), ("Humidity", "٢٤٠٩", None), ("Humidity", ";", None),
        ("Humidity", " 24·09 ", "24.09"),
    ],
)  # fmt: skip
def test_what_is_offered_is_valid(name: str, text: str, meant: str | None) -> None:
    assert fields.likely(fields.field(name), text) == meant


@pytest.mark.parametrize(
    ("value", "text"),
    [("NaN", "NaN"), ("Infinity", "Infinity"), ("1E+21", "1E+21"), ("1E+20", f"1{'0' * 20}.00"), ("1E-21", "1E-21"),
     ("0.001", "0.001"), ("-2", "-2.00")],
)  # fmt: skip
def test_a_value_that_no_field_takes_is_shown_all_the_same(value: str, text: str) -> None:
    assert fields.format_value(HUMIDITY, Decimal(value)) == text


@pytest.mark.parametrize(("value", "text"), [("52.00", "52 g/m³"), ("0.50", "0.5 g/m³"), ("1E+1", "10 g/m³")])
def test_a_sentence_says_a_number_with_its_unit(value: str, text: str) -> None:
    assert numbers.with_unit(HUMIDITY, Decimal(value)) == text
    assert numbers.with_unit(PLANTS, Decimal(7)) == "7"


def test_a_book_that_is_pasted_stays_as_it_is() -> None:
    number = f"111{' 000' * 14}."  # 60 characters
    assert fields.pasted(HUMIDITY, f" {number} ") == f"111{'000' * 14}."
    assert fields.pasted(HUMIDITY, f"{number}5") == f"{number}5"
    assert fields.pasted(HUMIDITY, "g/m³") == "g/m³" and fields.pasted(HUMIDITY, "7g/m3") == "7"
