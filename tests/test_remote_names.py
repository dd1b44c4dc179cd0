"""Names at a destination: what a setting may say, what an extract is called, and which folders lie in each other."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abq_data_entry import remote_names
from abq_data_entry.remote_names import EXTRACT_PATTERN, folder_problem, folders_in, name_at_destination, name_problem

DAY = datetime.date(2026, 11, 21)


@pytest.mark.parametrize(
    ("pattern", "labs", "name"),
    [
        (EXTRACT_PATTERN, ["A"], "abq_data_record_2026-11-21.csv"),
        ("{lab}_{date}.csv", ["A"], "A_2026-11-21.csv"),
        ("{date} ({lab}).csv", ["C", "A"], "2026-11-21 (A-C).csv"),
        ("Größe {date}.csv", [], "Größe 2026-11-21.csv"),
        ("lab {lab}.csv", ["/", ".", "é"], "lab .-%2F-%C3%A9.csv"),
        ("{date}{date}", [], "2026-11-212026-11-21"),
        ("latest.csv", [], "latest.csv"),
    ],
)
def test_what_an_extract_is_called(pattern: str, labs: list[str], name: str) -> None:
    assert name_problem(pattern) is None
    assert name_at_destination(pattern, DAY, labs) == name


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("sub/{date}.csv", "without /"),
        ("/{date}.csv", "without /"),
        ("C:\\{date}.csv", "without /"),
        ("C:{date}.csv", "letters, digits"),
        ("../{date}.csv", "without /"),
        ("..", "two dots"),
        ("{date}..csv", "two dots"),
        (".", "letters, digits"),
        (".{date}", "letters, digits"),
        ("-{date}.csv", "letters, digits"),
        ("~{date}.csv", "letters, digits"),
        (" {date}.csv", "letters, digits"),
        ("{date}.csv ", "letters, digits"),
        ("{date}.", "letters, digits"),
        ('{date}".csv', "letters, digits"),
        ("{date}\r\nDELE x", "letters, digits"),
        ("{date}\0", "letters, digits"),
        ("{date}\udcff", "letters, digits"),
        ("{plot}.csv", "not {plot}"),
        ("{date:%Y}.csv", "not {date:%Y}"),
        ("{}.csv", "not {}"),
        ("{DATE}.csv", "not {DATE}"),
        ("{date.csv", "brace"),
        ("date}.csv", "brace"),
        ("{{date}}.csv", "brace"),
        ("x" * 121, "too long"),
        ("é" * 61 + "{date}", "too long"),
    ],
)
def test_what_no_extract_is_called(pattern: str, words: str) -> None:
    assert words in (name_problem(pattern) or "")
    with pytest.raises(ValueError, match="abq_upload_name"):
        name_at_destination(pattern, DAY, ["A"])


def test_too_many_labs_for_a_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="too long with these labs"):
        name_at_destination("{lab}{lab}{lab}.csv", DAY, [chr(65 + number) for number in range(40)])


@given(st.text(max_size=130), st.lists(st.characters(blacklist_categories=["Cs"]), max_size=5))
def test_a_name_is_one_part_of_a_path_whatever_is_set(pattern: str, labs: list[str]) -> None:
    try:
        name = name_at_destination(pattern, DAY, labs)
    except ValueError:
        return
    assert name.isprintable() and len(name.encode()) <= remote_names.LONGEST_NAME
    assert not set(name) & set('/\\"<>:|?*{}') and ".." not in name and name[0] not in ".-~ "


@pytest.mark.parametrize("folder", ["", "incoming", "incoming/lab a", "/srv/incoming/", "/", "größe/x", "a//b"])
def test_folders_that_can_be_asked_for(folder: str) -> None:
    assert folder_problem(folder) is None


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("../incoming", ".."),
        ("a/../b", ".."),
        ("./a", ".."),
        ("a\\b", "not \\"),
        ("a\r\nDELE x", "line breaks"),
        ("a\0", "line breaks"),
        ("a\udcff", "line breaks"),
        (" a", "blank"),
        ("a / b", "blank"),
        ("-rf", "begins with -"),
        ("~root", "begins with -"),
        ("incoming/{date}", "abq_upload_name"),
        ("x" * 256, "too long"),
        ("é" * 128, "too long"),
        ("/".join(["x" * 200] * 6), "too long"),
    ],
)
def test_folders_that_are_refused(folder: str, words: str) -> None:
    assert words in (folder_problem(folder) or "")


@pytest.mark.parametrize(
    ("folder", "folders"),
    [("", []), ("/", []), ("a", ["a"]), ("a/b//c/", ["a", "a/b", "a/b/c"]), ("/a/b", ["/a", "/a/b"])],
)
def test_folders_lie_in_each_other(folder: str, folders: list[str]) -> None:
    assert folders_in(folder) == folders
