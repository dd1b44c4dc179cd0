"""What QA asks and what lab staff answers, on the command line."""

from __future__ import annotations

from collections.abc import Callable

from abq_data_entry.models import SQLModel
from tests.commands.conftest import DAY, Outcome
from tests.models.records import record

Line = Callable[..., Outcome]
PLACE = (DAY, "8:00", "A", 3)


def test_a_query_is_asked_answered_closed_and_reopened(line: Line, one_record: None, stored: SQLModel) -> None:
    assert line("marks").output == line("marks", "list", "--all").output == "There are no such marks.\n"
    added = line("marks", "add", *PLACE, "Humidity", "queried", "Twice its neighbours?")
    assert (added.code, added.errors) == (0, "")
    assert added.output.startswith(f"1  {DAY} 8:00, lab A, plot 3, humidity 24.09: queried, open - ")
    assert added.output.endswith(": Twice its neighbours?\n")
    assert line("marks").output == added.output
    assert line("marks", "reopen", "1", "Again?").reason == (
        f"Mark 1 (humidity of {DAY} 8:00, lab A, plot 3) is open already. Nothing was changed."
    )
    assert line("marks", "answer", "1", " ").reason == "Words are required. Nothing was changed."
    assert line("marks", "answer", "1", "The door was open.").output.endswith(": The door was open.\n")
    stored.save_record({**record(Humidity="20.5"), "Date": DAY}, "update")
    assert "humidity 24.09 (now 20.50): queried, corrected" in line("marks").output
    assert line("marks", "close", "1").code == 0
    assert line("marks").output == "There are no such marks.\n"
    assert "queried, closed" in line("marks", "list", "--all", "--lab", "A", "--state", "queried").output
    assert line("marks", "--all", "--lab", "B", "list").output == "There are no such marks.\n"
    assert line("marks", "reopen", "1", "Still?").code == 0
    shown = line("marks", "show", "1").output.splitlines()
    assert [each.split()[2] for each in shown[1:]] == ["marked", "answered", "corrected", "closed", "reopened"]
    assert shown[3].endswith(": 20.50, was 24.09")
    excluded = line("marks", "add", *PLACE, "record", "excluded", "Wrong plot.").output
    assert "plot 3, record: excluded, open" in excluded
    assert stored.query("SELECT FROM plot_readings") == []
    assert line("marks", "close", "9").reason == "There is no mark 9. Nothing was changed."
    assert "too large" in line("marks", "close", "9" * 20).reason
    stored.mark_value(PLACE, "plants", "queried", "Red?\x1b[31m\nYes")
    assert ": Red? [31m Yes\n" in line("marks").output
    assert line("marks", "show", "3").output.splitlines()[1].endswith(": Red? [31m Yes")
    refused = line("marks", "add", *PLACE, "plants", "queried", "Again?").reason
    assert refused.endswith(": Red? [31m Yes Nothing was changed.")
    assert line("marks", "add", *PLACE, "humidity", "wrong", "x").code == 2
    assert line("db", "verify").code == 0
