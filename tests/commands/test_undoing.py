"""Records withdrawn, brought back, moved, corrected and taken back on the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from abq_data_entry.models import SQLModel
from tests.commands.conftest import DAY, Outcome
from tests.models.records import record

Line = Callable[..., Outcome]
KEY = (DAY, "8:00", "A", 3)


def test_withdraw_list_and_bring_back(line: Line, one_record: None, stored: SQLModel) -> None:
    done = line("db", "withdraw", *KEY, "--reason", "typed twice")
    assert (done.code, done.errors) == (0, "")
    assert done.output == f"The record of {DAY} 8:00, lab A, plot 3 is withdrawn. `db bring-back` brings it back.\n"
    assert stored.get_record(*KEY) == {}
    listed = line("db", "withdrawn").output
    assert f"{DAY} 8:00, lab A, plot 3" in listed and listed.endswith(": typed twice\n")
    assert line("db", "withdrawn", "--lab", "B").output == "No record is withdrawn.\n"
    assert line("db", "withdraw", *KEY, "--reason", "again").reason.startswith("There is no record of ")
    back = line("db", "bring-back", *KEY, "--reason", "was right", "--entry", listed.split()[0])
    assert back.output == f"The record of {DAY} 8:00, lab A, plot 3 is back.\n"
    assert stored.get_record(*KEY)["Plants"] == 9
    assert line("db", "withdrawn").output == "No record is withdrawn.\n"
    assert line("db", "verify").code == 0


def test_move_a_record_and_a_check(line: Line, one_record: None, stored: SQLModel) -> None:
    done = line("db", "move-record", *KEY, "--to-lab", "B", "--to-plot", "7", "--reason", "wrong lab")
    assert done.output == f"The record of {DAY} 8:00, lab A, plot 3 is that of {DAY} 8:00, lab B, plot 7 now.\n"
    done = line("db", "move-check", DAY, "8:00", "B", "--to-time", "20:00", "--reason", "wrong time")
    assert done.output == f"The check of {DAY} 8:00, lab B is that of {DAY} 20:00, lab B now; its records: 1.\n"
    assert stored.get_record(DAY, "20:00", "B", 7)["Plants"] == 9
    stored.save_record(record())
    taken = line("db", "move-record", *KEY, "--to-time", "20:00", "--to-lab", "B", "--to-plot", 7, "--reason", "x")
    assert taken.reason == f"There is a record of {DAY} 20:00, lab B, plot 7 already. Nothing was changed."
    assert "stands there already" in line("db", "move-record", *KEY, "--reason", "x").reason


@pytest.mark.parametrize("word", ["withdraw", "bring-back", "move-record", "move-check", "correct"])
def test_a_reason_is_asked_for(line: Line, one_record: None, stored: SQLModel, word: str) -> None:
    places = {"move-check": KEY[:3], "correct": (DAY, "--technician", "Q Murphy")}.get(word, KEY)
    assert line("db", word, *places).code == 2
    if word != "bring-back":
        to = ("--to-time", "20:00") if word.startswith("move") else ()
        assert line("db", word, *places, *to, "--reason", " ").reason == "A reason is required. Nothing was changed."
    assert len(stored.get_history(*KEY)) == 1


def test_many_at_once_are_shown_first_and_taken_back(line: Line, stored: SQLModel) -> None:
    for plot in range(1, 23 - 2):
        stored.save_record(record(Plot=plot))
    stored.save_record(record(Plot=1, Lab="B"))
    words = ("db", "correct", DAY, "--lab", "A", "--plots", "2,4-6", "--technician", "Q Murphy", "--reason", "badge")
    shown = line(*words, "--preview")
    assert shown.output.splitlines()[0] == f"{DAY} 8:00, lab A, plot 2: Technician J Simms -> Q Murphy"
    assert len(shown.output.splitlines()) == 4
    assert len(stored.get_history(DAY, "8:00", "A", 2)) == 1
    assert line(*words).output.endswith("4 records are corrected. `db take-back` undoes that.\n")
    recorded = stored.get_check(DAY, "8:00", "A").recorded
    assert [plot for plot, name in recorded.items() if name == "Q Murphy"] == [2, 4, 5, 6]
    done = line("db", "take-back", DAY, "8:00", "A", "2,4-6")
    assert done.output == "The last change of 4 records is taken back.\n"
    assert set(stored.get_check(DAY, "8:00", "A").recorded.values()) == {"J Simms"}
    assert line("db", "take-back", DAY, "8:00", "B", "1,7").reason.startswith("There is no record of plot 7.")
    assert line("db", "correct", DAY, "--lab", "C", "--technician", "Q Murphy", "--reason", "x").reason.startswith(
        "There are no such records")
    assert line("db", "correct", DAY, "--reason", "x").reason.startswith("Say what to change")
    assert line("db", "take-back", DAY, "8:00", "A", "8-3").code == 2


def test_whose_own_a_login_is(line: Line, stored: SQLModel, database: dict[str, str]) -> None:
    login = database["user"]
    said = "SELECT changed_by({}, {}) AS who"
    assert stored.query(said.format(f"'{login}'", "'J Simms'")) == [{"who": f"J Simms (login {login})"}]
    tied = line("db", "grant", login, "--technician", "J Simms")
    assert tied.output == f"The login {login} belongs to J Simms from now on\n"
    assert stored.query(said.format(f"'{login}'", "'J Simms'")) == [{"who": "J Simms"}]
    assert stored.query(said.format(f"'{login}'", "'P Taylor'")) == [{"who": f"P Taylor (login {login})"}]
    assert stored.query(said.format(f"'{login}'", "NULL")) == [{"who": login}]
    assert line("db", "grant", login, "--technician", "Nobody").reason.startswith("Technician Nobody is not known.")
    assert line("db", "grant", "nobody", "--technician", "J Simms").reason.startswith("There is no login nobody on")
    assert line("db", "grant", login).code == 2
    assert line("db", "verify").code == 0
    assert line("db", "grant", login, "--technician", "").output == f"The login {login} belongs to nobody from now on\n"
    assert stored.query("SELECT FROM technician_logins") == []
