"""Every field: what can be typed, what it means, and what is refused with which sentence."""

from __future__ import annotations

import datetime
import re
import time
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from abq_data_entry import fields
from abq_data_entry.constants import CHECK_TIMES, FieldNames, FieldTypes

CHOICES: dict[str, tuple[str, ...] | tuple[int, ...]] = {
    FieldNames.TECHNICIAN: ("J Simms", "P Taylor", "Q Murphy", "L Taniff", "José Ångström"),
    FieldNames.LAB: ("A", "B", "C", "D", "E"),
    FieldNames.PLOT: tuple(range(1, 21)),
}
TYPED = [each for each in fields.FIELDS if each.type is not FieldTypes.LONG_TEXT]
DECIMALS = [each for each in fields.FIELDS if each.type is FieldTypes.DECIMAL]
NUMBERS = [each for each in fields.FIELDS if each.type in (FieldTypes.DECIMAL, FieldTypes.INTEGER)]
TEXTS = "2026-11-21|8:00|J Simms|A|3|AXM479|24,09|1.03|+22.01|no|9|21|3|1.67|8.7|2.73|"
RECORD: dict[str, object] = dict.fromkeys(fields.CSV_HEADER, "")
RECORD |= zip(fields.CSV_HEADER, TEXTS.split("|"), strict=False)  # a field of later versions is empty


def choices_of(field: fields.Field) -> fields.Choices | None:
    return CHOICES.get(field.name)


def is_valid(field: fields.Field, text: str) -> bool:
    try:
        fields.parse(field, text, choices_of(field))
    except ValueError:
        return False
    return True


def values_of(field: fields.Field) -> st.SearchStrategy[object]:
    """All valid values of a field."""
    if field.minimum is not None and field.maximum is not None:
        if field.type is FieldTypes.DECIMAL:
            return st.decimals(field.minimum, field.maximum, places=field.places)
        return st.integers(int(field.minimum), int(field.maximum))
    plain = st.characters(min_codepoint=33, max_codepoint=0x2FF).filter(
        lambda character: character.isprintable() and not character.isspace()
    )
    return {
        FieldTypes.DATE: st.dates(),
        FieldTypes.TIME: st.sampled_from(CHECK_TIMES),
        FieldTypes.LIST: st.sampled_from(CHOICES.get(field.name, ("none",))),
        FieldTypes.STRING: st.text(plain, min_size=6, max_size=6),
        FieldTypes.BOOLEAN: st.booleans(),
    }[field.type]


fields_and_values = st.sampled_from(TYPED).flatmap(lambda field: st.tuples(st.just(field), values_of(field)))
typed_text = st.text(alphabet="0123456789.,:+-/ AXMJjsimtyn\t", max_size=12) | st.text(max_size=6)


def test_the_fields_stand_in_the_order_of_the_csv() -> None:
    assert ",".join(fields.CSV_HEADER) == (
        "Date,Time,Technician,Lab,Plot,Seed sample,Humidity,Light,Temperature,Equipment Fault,Plants,Blossoms,Fruit,"
        "Min Height,Max Height,Median Height,Notes"
    )
    assert len(fields.REQUIRED_ORDER) == 15
    assert set(fields.FOCUS_ORDER) == set(fields.CSV_HEADER)


def test_the_limits_are_those_that_were_agreed() -> None:
    limits = {each.name: fields.limits(each) for each in fields.FIELDS if fields.limits(each)}
    assert limits == {
        "Plot": "1 to 20", "Humidity": "0.5 to 52.0 g/m³", "Light": "0 to 100 klx", "Temperature": "4 to 40 °C",
        "Plants": "0 to 20", "Blossoms": "0 to 1000", "Fruit": "0 to 1000", "Min Height": "0 to 1000 cm",
        "Max Height": "0 to 1000 cm", "Median Height": "0 to 1000 cm",
    }  # fmt: skip
    assert fields.limits(fields.field("Notes")) == ""
    assert {each.name for each in fields.FIELDS if each.nullable} == {"Humidity", "Light", "Temperature", "Notes"}


def test_every_field_says_what_it_is_for() -> None:
    assert all(each.help.endswith(".") for each in fields.FIELDS)
    assert {each.unit for each in NUMBERS} == {"g/m³", "klx", "°C", "cm", ""}


@given(fields_and_values)
def test_what_is_shown_is_read_back_as_the_same_value(case: tuple[fields.Field, object]) -> None:
    field, value = case
    assert fields.parse(field, fields.format_value(field, value), choices_of(field)) == value


@given(fields_and_values, st.sampled_from(["", " ", "\t", "\n"]))
def test_each_beginning_of_a_valid_text_can_be_typed(case: tuple[fields.Field, object], blank: str) -> None:
    field, value = case
    text = blank + fields.format_value(field, value) + blank
    for end in range(len(text) + 1):
        assert fields.could_become_valid(field, text[:end], choices_of(field)), text[:end]


@given(st.sampled_from(TYPED), typed_text, typed_text)
@example(fields.field("Humidity"), "0.4", "9")
@example(fields.field("Temperature"), "3.", "99")
@example(fields.field("Technician"), "J  ", "Simms")
@example(fields.field("Seed sample"), "AXM ", "47")
@example(fields.field("Date"), "2026-11-2 ", "1")
def test_what_is_marked_at_once_could_never_become_valid(field: fields.Field, text: str, more: str) -> None:
    if text.strip() and not fields.could_become_valid(field, text, choices_of(field)):
        assert fields.typing_error(field, text, choices_of(field))
        assert not is_valid(field, text)
        assert not is_valid(field, text + more)


@given(st.sampled_from(NUMBERS), st.text(alphabet="0123456789.,+-", max_size=7))
def test_a_number_that_is_let_through_can_be_finished(field: fields.Field, text: str) -> None:
    """The mark is exact: where there is none there is a way to go on, found here by trying digits."""
    reachable = any(is_valid(field, text + more) for more in _continuations(field, text))
    assert fields.could_become_valid(field, text) == (reachable or not text.strip())


def _continuations(field: fields.Field, text: str) -> list[str]:
    digits = [str(number) for number in range(100)]
    zeros = ["0" * count + end for count in range(1, 4) for end in ("", "1", "5", "9")]
    decimals = ["." + digit for digit in ("0", "5", "9", "01", "50", "99")] if field.places else []
    return ["", *digits, *zeros, *decimals, *(digit + decimal for digit in digits[:10] for decimal in decimals)]


@given(st.sampled_from(fields.FIELDS), st.text())
def test_any_text_at_all_is_a_value_or_a_sentence(field: fields.Field, text: str) -> None:
    try:
        fields.parse(field, text, choices_of(field))
    except ValueError as error:
        assert str(error) and len(str(error)) < 200


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.name)
def test_a_limit_itself_is_valid_and_the_next_step_is_not(field: fields.Field) -> None:
    assert field.minimum is not None and field.maximum is not None
    step = Decimal(1).scaleb(-field.places)
    for limit, outside in ((field.minimum, -step), (field.maximum, step)):
        assert fields.parse(field, fields.format_value(field, limit)) == limit
        assert not is_valid(field, str(limit + outside))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("Humidity", "24,09", Decimal("24.09")),
        ("Humidity", "+24.1", Decimal("24.10")),
        ("Humidity", " 24.09\n", Decimal("24.09")),
        ("Humidity", ".5", Decimal("0.50")),
        ("Light", "100.", Decimal("100.00")),
        ("Plants", "+7", 7),
        ("Plot", "12", 12),
        ("Date", "20261121", datetime.date(2026, 11, 21)),
        ("Date", "2026/2/3", datetime.date(2026, 2, 3)),
        ("Date", "2024-02-29", datetime.date(2024, 2, 29)),
        ("Time", "8", "8:00"),
        ("Time", "8:0", "8:00"),
        ("Time", "2", "20:00"),
        ("Technician", "Murphy", "Q Murphy"),
        ("Technician", "q", "Q Murphy"),
        ("Technician", "tay", "P Taylor"),
        ("Time", "08:00", "8:00"),
        ("Time", "08:00:00", "8:00"),
        ("Time", "1200", "12:00"),
        ("Technician", "j simms", "J Simms"),
        ("Technician", "JOSE\u0301 A\u030angstro\u0308m", "José Ångström"),
        ("Lab", "a", "A"),
        ("Equipment Fault", "Y", True),
        ("Equipment Fault", "", False),
        ("Notes", "dry\r\nsoil\n\n", "dry\nsoil"),
        ("Notes", "a\ud83d\ude00", "a😀"),
        ("Notes", " \n", None),
    ],
)
def test_it_means(name: str, text: str, value: object) -> None:
    field = fields.field(name)
    found = fields.parse(field, text, choices_of(field))
    assert found == value and type(found) is type(value)
    assert str(found) == str(value)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("Humidity", "0.49", "0.49 is below 0.5 g/m³"),
        ("Humidity", "99.9", "99.9 is above 52.0 g/m³"),
        ("Humidity", "60.00", "60.00 is above 52.0 g/m³"),
        ("Humidity", "52.01", "52.01 is above 52.0 g/m³"),
        ("Humidity", "2409", "2409 is above 52.0 g/m³: 24.09?"),
        ("Humidity", "24.095", "three decimals; two are kept"),
        ("Humidity", "24.0900000000000", "13 decimals; two are kept"),
        ("Humidity", "1e1", "`e` isn't part of a number"),
        ("Humidity", "24;09", "`;` isn't part of a number: 24.09?"),
        ("Light", "1:03", "`:` isn't part of a number: 1.03?"),
        ("Light", "103", "103 is above 100 klx: 1.03?"),
        ("Light", "-0", "-0 has a minus sign: 0 to 100 klx"),
        ("Temperature", "2201", "2201 is above 40 °C: 22.01?"),
        ("Humidity", "24 .09", "a space isn't part of a number"),
        ("Plants", "9\tplants", "a tab isn't part of a number"),
        ("Humidity", "24\u200b.09", "an invisible character isn't part of a number"),
        ("Temperature", "\u20115", "`\u2011` (non-breaking hyphen) isn't part of a number"),
        ("Humidity", "NaN", "`N` isn't part of a number"),
        ("Humidity", "٢٤", "`٢` isn't part of a number"),
        ("Humidity", "1.2.3", "1.2.3 isn't a number"),
        ("Humidity", "-1", "-1 is below 0.5 g/m³"),
        ("Humidity", "1" * 21, "11111111111111111111… is too long for a number"),
        ("Humidity", "", "Humidity is required."),
        ("Plants", "1.0", "1.0 isn't a whole number"),
        ("Blossoms", "1,000", "1,000 isn't a whole number: 1000?"),
        ("Plants", "²", "`²` isn't part of a number"),
        ("Plants", "21", "21 is above 20"),
        ("Date", "2026-02-29", "2026-02-29: February 2026 has 28 days"),
        ("Date", "21.11.", "21.11.: the year is missing"),
        ("Date", "\uff12\uff10\uff12\uff161121", "`\uff12` isn't part of a date"),
        ("Time", "9:00", "9:00 isn't one of 8:00, 12:00, 16:00 or 20:00"),
        ("Time", "1", "1 could be 12:00 or 16:00"),
        ("Technician", "Nobody", "Nobody isn't one of J Simms, P Taylor, Q Murphy, L Taniff or José Ångström"),
        ("Technician", "Kelly", "Kelly isn't one of J Simms, P Taylor, Q Murphy, L Taniff or José Ångström"),
        ("Technician", "Bob Quinn", "Bob Quinn isn't one of J Simms, P Taylor, Q Murphy, L Taniff or José Ångström"),
        ("Technician", "ta", "ta could be P Taylor or L Taniff"),
        ("Lab", "lab B", "lab B isn't one of A, B, C, D or E"),
        ("Plot", "25", "25 isn't one of 1 to 20"),
        ("Seed sample", "AXM47", "5 characters; a seed sample has 6"),
        ("Seed sample", "AX 477", "a space isn't part of a seed sample"),
        ("Seed sample", "AX\x07477", "a character that can't be printed isn't part of a seed sample"),
        ("Equipment Fault", "perhaps", "perhaps isn't yes or no"),
    ],
)
def test_it_is_refused_with_a_sentence(name: str, text: str, sentence: str) -> None:
    field = fields.field(name)
    with pytest.raises(ValueError) as caught:
        fields.parse(field, text, choices_of(field))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("Humidity", "-", False),
        ("Humidity", "+", True),
        ("Humidity", "6", True),
        ("Humidity", "60", False),
        ("Humidity", "0.4", False),
        ("Humidity", "1.234", False),
        ("Humidity", "1.2.", False),
        ("Humidity", "1,", True),
        ("Humidity", "٢", False),
        ("Temperature", "3", True),
        ("Temperature", "3.", False),
        ("Plants", "21", False),
        ("Plants", "2.", False),
        ("Date", "2026-13", False),
        ("Date", "2026-02-3", True),
        ("Date", "2026-02-30", False),
        ("Date", "202611", True),
        ("Date", "20261131", False),
        ("Date", "2026-11/", False),
        ("Time", "1", True),
        ("Time", "13", False),
        ("Technician", "q m", True),
        ("Technician", "x", False),
        ("Technician", "j" + " " * 1000, False),
        ("Plot", "1", True),
        ("Plot", "21", False),
        ("Seed sample", "AXM4777", False),
        ("Equipment Fault", "ye", True),
        ("Date", "26.1", True),
        ("Date", "26.13", False),
        ("Notes", "a", True),
        ("Notes", "a\x00", False),
        ("Equipment Fault", "q", False),
    ],
)
def test_typing_on_could_make_it_valid(name: str, text: str, allowed: bool) -> None:
    field = fields.field(name)
    assert fields.could_become_valid(field, text, choices_of(field)) is allowed
    assert not (allowed and fields.typing_error(field, text, choices_of(field)))


@pytest.mark.parametrize(
    ("name", "text", "choice"),
    [
        ("Time", "8", "8:00"),
        ("Time", "0", "8:00"),
        ("Time", "1", None),
        ("Time", "2", "20:00"),
        ("Technician", "j", None),
        ("Technician", "j ", None),
        ("Technician", "q", "Q Murphy"),
        ("Plot", "1", "1"),
        ("Plot", "3", "3"),
        ("Plot", "20", "20"),
        ("Lab", "c", "C"),
        ("Humidity", "1", None),
        ("Time", "", None),
    ],
)
def test_a_unique_beginning_is_completed(name: str, text: str, choice: str | None) -> None:
    field = fields.field(name)
    assert fields.complete(field, text, choices_of(field)) == choice


def test_before_the_lists_are_there_a_plot_is_one_that_any_lab_may_have() -> None:
    plot = fields.field(FieldNames.PLOT)
    assert [fields.complete(plot, text) for text in ("0", "20", "21")] == [None, "20", None]


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        ("Humidity", "24;09", "24.09"),
        ("Humidity", "2409", "24.09"),
        ("Plants", "x", None),
        ("Notes", "24;09", None),
    ],
)
def test_what_was_probably_meant_is_offered(name: str, text: str, meant: str | None) -> None:
    assert fields.likely(fields.field(name), text) == meant


def test_names_that_differ_in_case_only_are_distinguished_by_case() -> None:
    technician = fields.field("Technician")
    assert fields.parse(technician, "ann", ("Ann", "ann")) == "ann"
    with pytest.raises(ValueError, match="ANN could be Ann or ann"):
        fields.parse(technician, "ANN", ("Ann", "ann"))


@pytest.mark.parametrize("text", ["a\x00b", "a\nb\ud800"])
def test_notes_that_cant_be_kept_are_refused_with_the_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"line [12] holds a character that can't be stored"):
        fields.parse(fields.field("Notes"), text)


def test_notes_that_are_too_long_are_marked_not_cut() -> None:
    notes = fields.field("Notes")
    assert notes.length is not None
    assert fields.typing_error(notes, "n" * notes.length) == ""
    assert fields.typing_error(notes, "n" * (notes.length + 1)) == "100,001 characters; at most 100,000 are kept"


@pytest.mark.parametrize(
    ("text", "reason"), [("N" * 513, "513 characters; at most 512 fit"), ("J\tSimms", "can't be printed")]
)
def test_a_name_is_checked_where_no_list_is_known(text: str, reason: str) -> None:
    technician = fields.field(FieldNames.TECHNICIAN)
    assert fields.parse(technician, "J Simms") == "J Simms"
    with pytest.raises(ValueError, match=reason):
        fields.parse(technician, text)


@pytest.mark.parametrize(
    ("name", "clipboard", "text"),
    [
        ("Humidity", "24,09 g/m³", "24,09"),
        ("Humidity", " 24.09g/m3\n", "24.09"),
        ("Humidity", "24,09 °C", "24,09 °C"),
        ("Temperature", "22.01\u00a0℃", "22.01"),
        ("Light", "1.03 lx", "1.03 lx"),
        ("Blossoms", "1 000", "1000"),
        ("Blossoms", "1\u202f000", "1000"),
        ("Blossoms", "1'000", "1000"),
        ("Blossoms", "1,000", "1,000"),
        ("Blossoms", "10 00", "10 00"),
        ("Max Height", "1,000.00", "1000.00"),
        ("Max Height", "1.000,5 cm", "1000,5"),
        ("Seed sample", "\tAXM477 ", "AXM477"),
        ("Notes", " 1\t2 ", " 1\t2 "),
    ],
)
def test_a_paste_loses_blanks_grouping_and_its_own_unit_only(name: str, clipboard: str, text: str) -> None:
    assert fields.pasted(fields.field(name), clipboard) == text


_SPELLED = re.compile(r"([+-]?)0*([0-9]*)(?:[.,]([0-9]*?)0*)?")


def _number(text: str) -> tuple[str, str, str] | None:
    """The number that a text spells, worked out without the code under test: sign, whole part, decimals."""
    found = _SPELLED.fullmatch(text)
    if not found or not any(digit in text for digit in "0123456789"):
        return None
    sign, whole, decimals = found.groups()
    return ("-" if sign == "-" else "", whole or "0", decimals or "")


@given(st.sampled_from(NUMBERS), st.text(alphabet="0123456789.,;:+-eE g/m³°C '\t", max_size=9))
@example(fields.field("Humidity"), "99.9")
@example(fields.field("Humidity"), "24;09")
@example(fields.field("Blossoms"), "2.1")
def test_a_number_is_the_one_that_was_typed_or_none(field: fields.Field, text: str) -> None:
    try:
        value = fields.parse(field, text)
    except ValueError:
        return
    assert _number(format(Decimal(str(value)), "f")) == _number(text.strip())


@given(st.sampled_from(NUMBERS), st.text(alphabet="0123456789., '\u00a0g/m³°Ckl\t\n", max_size=12))
def test_a_pasted_number_has_the_digits_of_the_clipboard(field: fields.Field, clipboard: str) -> None:
    kept = fields.pasted(field, clipboard)
    assert [each for each in kept if each.isdecimal()] == [
        each for each in clipboard.removesuffix("\n").strip().removesuffix(field.unit or "\0") if each.isdecimal()
    ]
    assert kept == clipboard.strip() or is_number_like(kept)


def is_number_like(text: str) -> bool:
    return bool(text) and all(each in "0123456789.,+-'/°³ \u00a0gmClk\t\n" for each in text)


names = st.lists(
    st.text(alphabet="abAB-' é", min_size=1, max_size=8).map(str.strip).filter(bool),
    min_size=1,
    max_size=6,
    unique=True,
)


@given(names, st.text(alphabet="abAB-' é", max_size=8))
@example(["J Simms", "P Taylor", "Q Murphy", "L Taniff"], "Murphy")
def test_a_list_completes_only_what_begins_exactly_one_entry_or_word(entries: list[str], text: str) -> None:
    technician, choices = fields.field("Technician"), tuple(entries)
    typed = " ".join(text.casefold().split())
    same = {each for each in entries if " ".join(each.casefold().split()) == typed}
    starts = {
        each
        for each in entries
        for position in range(len(each))
        if (position == 0 or (each[position - 1] in " -'" and each[position] not in " -'"))
        and " ".join(each[position:].casefold().split()).startswith(typed)
    }
    try:
        found = fields.parse(technician, text, choices)
    except ValueError:
        assert not typed or len(same or starts) != 1
        return
    assert found in (same or starts) and (found == text.strip() or len(same or starts) == 1)


@given(st.text(alphabet="0123456789", min_size=1, max_size=6), st.sampled_from(DECIMALS))
def test_implied_decimals_are_hundredths(digits: str, field: fields.Field) -> None:
    shown = fields.with_implied_point(field, digits)
    assert Decimal(shown) * 100 == int(digits)
    reachable = any(
        is_valid(field, fields.with_implied_point(field, digits + more))
        for more in ["", *(f"{number:0{width}}" for width in (1, 2, 3) for number in range(10**width))]
    )
    assert fields.could_become_implied(field, digits) == reachable


@pytest.mark.parametrize("field", fields.FIELDS, ids=lambda field: field.name)
def test_huge_texts_are_answered_at_once(field: fields.Field) -> None:
    begin = time.thread_time()
    for text in ("9" * 1_000_000, " " * 1_000_000, "a" * 1_000_000 + "\n"):
        fields.could_become_valid(field, text, choices_of(field))
        is_valid(field, text)
        fields.complete(field, text, choices_of(field))
        fields.typing_error(field, text, choices_of(field))
        fields.likely(field, text)
        fields.pasted(field, text)
    assert time.thread_time() - begin < 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (Decimal("22"), "22.00"),
        (Decimal("1E+1"), "10.00"),
        (Decimal("24.0900"), "24.09"),
        (24.1, "24.10"),
        (Decimal("24.095"), "24.095"),
    ],
)
def test_decimals_are_shown_without_exponent(value: object, text: str) -> None:
    assert fields.format_value(fields.field("Humidity"), value) == text


def test_a_record_of_texts_and_one_of_values_mean_the_same() -> None:
    values = fields.parse_record(RECORD)
    assert values["Temperature"] == Decimal("22.01") and values["Plot"] == 3 and values["Notes"] is None
    assert fields.parse_record(values) == values and hash(fields.parse_record(values)) == hash(values)
    assert fields.parse_record({**values, "Time": datetime.time(8)}) == values
    assert list(values) == list(fields.CSV_HEADER)


def test_all_errors_of_a_record_are_found() -> None:
    assert fields.check_record(RECORD) == {}
    assert set(fields.check_record({})) == set(fields.REQUIRED_ORDER)
    assert fields.check_record({**RECORD, "Humidty": "3"}) == {"Humidty": "no field of a record"}
    assert list(fields.check_record({**RECORD, "Lab": "F"}, CHOICES)) == ["Lab"]


def test_a_fault_and_empty_readings_belong_together() -> None:
    empty = dict.fromkeys(fields.READINGS, "")
    assert fields.check_record({**RECORD, **empty, "Equipment Fault": True}) == {}
    assert fields.parse_record({**RECORD, **empty, "Equipment Fault": "y"})["Humidity"] is None
    assert set(fields.check_record({**RECORD, **empty})) == set(fields.READINGS)
    assert set(fields.check_record({**RECORD, "Equipment Fault": True})) == set(fields.READINGS)


@pytest.mark.parametrize(
    ("low", "high", "median", "wrong"),
    [
        ("1", "2", "1", None),
        ("2", "2", "2", None),
        ("1", "2", "2", None),
        ("2.01", "2", "2", "Max Height"),
        ("1", "2", "0.99", "Median Height"),
        ("1", "2", "2.01", "Median Height"),
    ],
)
def test_the_median_lies_between_the_smallest_and_the_tallest(
    low: str, high: str, median: str, wrong: str | None
) -> None:
    heights = {"Min Height": low, "Max Height": high, "Median Height": median}
    assert list(fields.check_record({**RECORD, **heights})) == ([wrong] if wrong else [])


def test_what_is_missing_is_not_compared() -> None:
    assert fields.check_across({"Max Height": Decimal(1)}) == {}
    assert fields.check_across({"Max Height": Decimal(1), "Median Height": Decimal(2), "Min Height": None}) == {
        "Median Height": "2 cm is above Max Height (1 cm)"
    }


def test_a_copied_part_of_a_sheet_is_cut_at_its_tabs() -> None:
    assert fields.cells("1\t2\r\n\t4\n\n") == [["1", "2"], ["", "4"]]


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        (("a",), "a"), (("1", "2"), "1 or 2"), (("1", "2", "3"), "1 to 3"), (("1", "3", "4"), "1, 3 or 4"),
        (tuple("abcdef"), "a, b, c, d, e or f"), (tuple("abcdefg"), "a, b, c, d, e, f or …"),
    ],
)  # fmt: skip
def test_an_error_lists_the_first_six_choices(names: tuple[str, ...], listed: str) -> None:
    with pytest.raises(ValueError) as told:
        fields.parse(fields.field("Technician"), "x" * 40, names)
    assert str(told.value) == f"{'x' * 40} isn't one of {listed}"
    with pytest.raises(ValueError, match=f"^{'x' * 40}… isn't"):
        fields.parse(fields.field("Technician"), "x" * 41, names)


def test_a_list_is_compared_up_to_a_thousand_characters() -> None:
    technician = fields.field("Technician")
    for length, found in ((1000, True), (1001, False)):
        assert fields.could_become_valid(technician, "X" * length, ("x" * length,)) is found
        assert (fields.complete(technician, "X" * length, ("x" * length,)) is not None) is found
    assert fields.parse(technician, "x" * 1001, ("x" * 1001,)) == "x" * 1001


def test_where_no_list_is_known_the_length_of_the_column_decides() -> None:
    technician = fields.field("Technician")
    assert fields.parse(technician, "x" * 512) == "x" * 512 and fields.could_become_valid(technician, "x" * 512)
    assert not fields.could_become_valid(technician, "x" * 513) and not fields.could_become_valid(technician, "a\0")
    for text, words in (("x" * 513, "513 characters; at most 512 fit"), ("a\0b", "can't be printed")):
        with pytest.raises(ValueError, match=words):
            fields.parse(technician, text)
    with pytest.raises(ValueError, match="Technician: there is none to choose"):
        fields.parse(technician, "x", ())


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("Time", datetime.time(8), "8:00"), ("Time", datetime.time(12, 5, 9), "12:05:09"),
        ("Time", datetime.time(0, 0, 0, 1), "0:00:00"), ("Date", datetime.date(2026, 1, 2), "2026-01-02"),
        ("Equipment Fault", True, "true"), ("Equipment Fault", False, "false"), ("Plants", 3, "3"), ("Notes", "x", "x"),
    ],
)  # fmt: skip
def test_each_kind_of_value_has_one_text(name: str, value: object, text: str) -> None:
    assert fields.format_value(fields.field(name), value) == text


@pytest.mark.parametrize(
    ("name", "text", "whole"),
    [("Date", "2", None), ("Plants", "2", None), ("Time", "", None), ("Time", "1", None), ("Time", "2", "20:00"),
     ("Equipment Fault", "t", None)],
)  # fmt: skip
def test_what_is_no_list_is_not_completed(name: str, text: str, whole: str | None) -> None:
    assert fields.complete(fields.field(name), text) == whole


def test_a_mark_says_what_is_wrong_only_where_typing_on_cant_help() -> None:
    plants = fields.field("Plants")
    assert [fields.typing_error(plants, text) for text in ("", "  ", "2", "21")] == ["", "", "", "21 is above 20"]
    assert [fields.could_become_valid(plants, text) for text in (" 2", "2 ", "2 1", "x ")] == [True, True, False, False]
    fault = fields.field("Equipment Fault")
    assert [fields.parse(fault, text) for text in ("", "TRUE", "y", "False", "0")] == [False, True, True, False, False]
    with pytest.raises(ValueError, match=f"^{'x' * 20} isn't yes or no"):
        fields.parse(fault, "x" * 30)


def test_a_line_of_notes_that_cant_be_kept_is_counted() -> None:
    notes = fields.field("Notes")
    for text, line in (
        ("\0", 1), ("\n\0", 2), ("a\n\0", 2), ("a\r\nb\rc\0", 3), ("😀\n\ud83d", 2), ("a\nb\nc\nd\n\ud83d", 5)
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"^line {line} holds"):
            fields.parse(notes, text)
    assert fields.parse(notes, "\ud83d\ude00\n\n") == "😀" and fields.parse(notes, " \n") is None
    assert fields.parse(notes, "x" * 100_000) == "x" * 100_000
    with pytest.raises(ValueError, match="100,001 characters; at most 100,000 are kept"):
        fields.parse(notes, "x" * 100_001)


def test_a_record_is_a_value() -> None:
    found = fields.parse_record(RECORD)
    assert found.key == (datetime.date(2026, 11, 21), "8:00", "A", 3) and found == dict(found)
    assert fields.parse_record(found) is found and fields.parse_record(found, CHOICES) is not found
    assert repr(found) == f"Record({dict(found)!r})"
    with pytest.raises(AttributeError, match="never changes"):
        found.key = ()
    assert {hash(found), hash(fields.parse_record({**RECORD, "Fruit": "4"}))} != {hash(found)}


def test_each_error_is_listed_with_its_field() -> None:
    with pytest.raises(fields.FieldErrors) as told:
        fields.parse_record({**RECORD, "Plants": "21", "Lab": ""})
    assert str(told.value) == "Lab is required.; Plants: 21 is above 20"
    assert told.value.errors == {"Lab": "Lab is required.", "Plants": "21 is above 20"}


@pytest.mark.parametrize(
    ("heights", "errors"),
    [
        (("3", "2", "1"), {"Max Height": "2 cm is below Min Height (3 cm)"}),
        (("3", "9", "2"), {"Median Height": "2 cm is below Min Height (3 cm)"}),
        (("3", "9", "9.5"), {"Median Height": "9.5 cm is above Max Height (9 cm)"}),
        (("3", "3", "3"), {}),
        (
            ("x", "3", "9"),
            {"Min Height": "`x` isn't part of a number", "Median Height": "9 cm is above Max Height (3 cm)"},
        ),
    ],
)
def test_the_height_to_change_is_named(heights: tuple[str, ...], errors: dict[str, str]) -> None:
    names = ("Min Height", "Max Height", "Median Height")
    assert fields.check_record({**RECORD, **dict(zip(names, heights, strict=True))}) == errors


def test_a_reading_beside_a_fault_is_an_error_in_each_field() -> None:
    told = fields.check_record({**RECORD, "Equipment Fault": True, "Light": ""})
    assert told == dict.fromkeys(("Humidity", "Temperature"), "a reading, although Equipment Fault is set")
    assert fields.check_record({**RECORD, "Equipment Fault": "perhaps", "Light": ""}) == {
        "Light": "Light is required.", "Equipment Fault": "perhaps isn't yes or no"
    }  # fmt: skip
