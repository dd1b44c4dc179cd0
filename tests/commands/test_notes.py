"""Notes to the next shift on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.commands.conftest import DAY, Outcome

Line = Callable[..., Outcome]


def test_notes_are_written_listed_done_and_opened_again(line: Line, one_record: None) -> None:
    assert line("notes").output == line("notes", "list", "--all").output == "There are no such notes.\n"
    assert json.loads(line("notes", "list", "--json").output) == []
    added = line("notes", "add", "a", "The door\nsticks.\x1b[2J\u202e")
    assert (added.code, added.errors) == (0, "")
    assert added.output.startswith("1  lab A: The door sticks. [2J - ")
    second = line("notes", "add", "A", "Lamp flickers.", "--plot", 3).output
    assert second.startswith("2  lab A, plot 3: Lamp flickers.")
    check = line("notes", "add", "B", "18 to 20 missing", "--date", DAY, "--time", "08:00")
    assert check.output.startswith(f"3  check {DAY} 8:00, lab B: 18 to 20 missing - ")
    assert line("notes", "list", "--lab", "B").output == check.output
    assert line("notes", "done", 2).output.startswith(second.strip())
    assert line("notes", "done", 2).reason.startswith("Note 2 (lab A, plot 3) is done already, by ")
    assert line("notes").output == added.output + check.output
    listed = json.loads(line("notes", "--all", "--json").output)
    assert json.loads(line("notes", "--all", "--json", "list").output) == listed
    assert [(each["id"], each["lab"], each["plot"], each["date"], each["time"]) for each in listed] == [
        (1, "A", None, None, None), (3, "B", None, str(DAY), "8:00"), (2, "A", 3, None, None)
    ]  # fmt: skip
    assert listed[0]["words"] == "The door\nsticks.\x1b[2J\u202e"
    assert [each["done"] is None for each in listed] == [each["done_by"] is None for each in listed] == [
        True, True, False
    ]  # fmt: skip
    assert line("notes", "reopen", 2).code == 0
    assert line("notes").output.count("\n") == 3
    assert line("notes", "add", "A", " ").reason == "Words are required. Nothing was changed."
    assert line("notes", "add", "Z", "x").reason == "There is no lab 'Z'. Nothing was changed."
    assert line("notes", "add", "A", "x", "--date", DAY).reason == "A check has a date and a time. Nothing was changed."
    assert line("notes", "add", "A", "x", "--date", DAY, "--time", "9:00").reason.startswith("--time: ")
    assert line("notes", "done", 9).reason == "There is no note 9. Nothing was changed."
    assert line("db", "verify").code == 0
