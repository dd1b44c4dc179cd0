"""BrAPI servers that answer what they shouldn't, or forget: no value is lost, none doubled, no secret told."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.models.settings import SETTINGS
from abq_data_entry.network.brapi_records import plot_of
from abq_data_entry.stored_destination import STORED, StoredDestination
from tests.fixtures.brapi_server import PASSWORD, TOKEN, USERNAME, BrapiServer, Thing, answer, brapi_server
from tests.network.test_brapi import DAY, FIELDS, Sender, checked, row

pytestmark = pytest.mark.needs("network")


@pytest.fixture
def sender(tmp_path: Path) -> Sender:
    return Sender(tmp_path)


@pytest.fixture
def server() -> Iterator[BrapiServer]:
    with brapi_server(most=4) as running:
        yield running


def test_a_change_refused_with_status_200_is_reported(server: BrapiServer, sender: Sender) -> None:
    sender.send(server, [row()])
    there = server.put
    server.put = lambda changed: (200, answer([], said=f"frozen for {TOKEN}\x1b[2J"))  # type: ignore[method-assign]
    told = str(sender.failed(server, [row(Plants="3")]))
    assert "1 of 10 values couldn't be sent" in told and "frozen" in told
    assert TOKEN not in told and "\x1b" not in told
    # One that says nothing and keeps the old value.
    server.put = lambda changed: (200, answer([]))  # type: ignore[method-assign]
    assert "1 of 10 values" in str(sender.failed(server, [row(Plants="3")]))
    server.put = there  # type: ignore[method-assign]
    sender.send(server, [row(Plants="3")])
    assert server.values()[f"{DAY} 8:00 A 1", "Plants"] == "3"


def test_what_a_server_says_of_a_post_holds_no_secret(server: BrapiServer, sender: Sender) -> None:
    server.partial = True
    server.refuses = lambda thing: f"not by {TOKEN}\x1b[2J\n" if thing["value"] == "24.09" else ""
    told = str(sender.failed(server, [row()]))
    assert "1 of 10 values" in told and TOKEN not in told and "\x1b" not in told


def test_what_a_restored_server_has_no_more_is_sent_again(server: BrapiServer, sender: Sender) -> None:
    sender.send(server, [row()])
    values = server.values()
    server.things["observations"].popitem()
    sender.send(server, [row()])
    assert server.values() == values
    server.things["observations"].clear()
    sender.send(server, [row()])
    assert server.values() == values and len(server.observations) == FIELDS - 1


def test_what_is_there_twice_is_changed_in_both(server: BrapiServer, sender: Sender) -> None:
    sender.send(server, [row()])
    first = server.observations[0]
    server.add("observations", dict(first))  # of two workstations at once
    assert first["observationVariableName"] == "Humidity"
    sender.send(server, [row(Humidity="31.25")])
    ours = [each["value"] for each in server.observations
            if each["observationVariableDbId"] == first["observationVariableDbId"]]  # fmt: skip
    assert ours == ["31.25", "31.25"]


@pytest.mark.parametrize("refuses", [False, True])
def test_what_two_workstations_make_at_once_is_the_same_for_both(
    server: BrapiServer, sender: Sender, refuses: bool
) -> None:
    there = server.post
    first: dict[str, str] = {}

    def post(path: str, new: list[Thing]) -> tuple[int, Thing]:
        if path != "observations" and path not in first:
            first[path] = server.add(path, new[0])  # the other one was faster
            if refuses:
                return 400, answer([], said="this name is taken")
        return there(path, new)

    server.post = post  # type: ignore[method-assign]
    sender.send(server, [row()])
    sender.send(server, [row(Plants="3")], kept=sender.folder / "another.sqlite")
    assert len(server.observations) == len(server.values()) == FIELDS - 1
    assert {each["studyDbId"] for each in server.observations} == {first["studies"]}
    assert {each["observationUnitDbId"] for each in server.observations} == {first["observationunits"]}


@pytest.mark.parametrize("pages", [None, "many", {}])
def test_pages_without_a_number_of_pages_are_read_to_the_end(
    server: BrapiServer, sender: Sender, pages: Any
) -> None:
    there = server.get

    def get(path: str, query: dict[str, str]) -> tuple[int, Thing]:
        status, found = there(path, query)
        if pages == {}:
            found["metadata"] = None
        else:
            found["metadata"]["pagination"] = pages and {"totalPages": pages}
        return status, found

    server.get = get  # type: ignore[method-assign]
    sender.send(server, [row(), row(plot=2)])
    sender.send(server, [row(), row(plot=2)], kept=sender.folder / "another.sqlite")
    assert len(server.observations) == 2 * (FIELDS - 1)


def test_an_answer_without_a_result_is_not_an_empty_one(server: BrapiServer, sender: Sender) -> None:
    sender.send(server, [row()])
    there = server.get
    server.get = lambda path, query: (  # type: ignore[method-assign]
        (200, {"metadata": {}, "result": None}) if path == "observations" else there(path, query)
    )
    assert "isn't BrAPI" in str(sender.failed(server, [row()], kept=sender.folder / "another.sqlite"))
    assert len(server.observations) == FIELDS - 1


def test_numbers_as_numbers_are_the_same_values(server: BrapiServer, sender: Sender) -> None:
    sender.send(server, [row()])
    for each in server.observations:
        with contextlib.suppress(ValueError):
            each["value"] = {"true": True, "false": False}.get(each["value"]) or float(each["value"])
    sender.send(server, [row()], kept=sender.folder / "another.sqlite")
    assert server.count("PUT", "observations") == 0 and len(server.observations) == FIELDS - 1


def test_the_time_zone_of_another_computer_doubles_nothing(server: BrapiServer, sender: Sender) -> None:
    sender.send(server, [row()])
    for each in server.observations:
        each["observationTimeStamp"] = "2026-11-20T22:00:00+00:00"
    sender.send(server, [row()], kept=sender.folder / "another.sqlite")
    assert len(server.observations) == FIELDS - 1


def test_a_note_with_a_form_is_no_login_page(server: BrapiServer, sender: Sender) -> None:
    rows = [row(notes="leaves <form a roof>")]
    sender.send(server, rows)
    sender.send(server, rows)
    assert server.values()[f"{DAY} 8:00 A 1", "Notes"] == "leaves <form a roof>"


def test_a_text_that_is_none_stops_nothing(server: BrapiServer, sender: Sender) -> None:
    sender.send(server, [row(notes="dry")])
    notes = next(each for each in server.observations if each["value"] == "dry")
    notes["value"] = "\ud800"
    server.add("observations", {**notes, "externalReferences": [
        {"referenceId": f"{DAY} \ud800 A 1", "referenceSource": "ABQ Data Entry"}]})  # fmt: skip
    sender.send(server, [row(notes="dry")])
    assert notes["value"] == "dry"


def test_damage_anywhere_in_the_file_is_put_aside(server: BrapiServer, sender: Sender) -> None:
    sender.send(server, [row()])
    path = sender.folder / "brapi.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE known SET content = '{broken'")
    sender.send(server, [row()])
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE known SET record = 'x'")
    sender.send(server, [row()])
    size = path.stat().st_size
    with path.open("r+b") as file:  # the table, not the file's head
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    sender.send(server, [row()])
    assert len(server.observations) == FIELDS - 1
    assert list(sender.folder.glob("damaged-*"))


def test_a_table_of_another_shape_is_put_aside(server: BrapiServer, sender: Sender) -> None:
    path = sender.folder / "brapi.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE known (x)")
    sender.send(server, [row()])
    sender.send(server, [row()])
    assert len(server.observations) == FIELDS - 1 and (sender.folder / "damaged-brapi.sqlite").exists()


@pytest.mark.parametrize("calls", [[{"service": 7, "methods": 7}, None, {"methods": [[], {}]}], 7])
def test_the_check_bears_any_list_of_calls(server: BrapiServer, calls: Any) -> None:
    server.info = {"serverName": {"a": [1]}, "calls": calls}
    stored = StoredDestination("breeding", "brapi", server.url, username=USERNAME)
    values = {**{each.name: each.default for each in SETTINGS}, STORED: {stored.key: stored}}
    steps = checked(stored.key, values, PASSWORD)
    assert [each.what for each in steps][-3:] == ["Login", "Server", "Write test"]
    assert "It doesn't say that it has GET /observations" in str(steps[-2])


def test_a_value_that_is_none_is_changed(server: BrapiServer, sender: Sender) -> None:
    sender.send(server, [row()])
    values = server.values()
    server.observations[0]["value"] = {"a": [1e999]}
    sender.send(server, [row()])
    assert server.values() == values


def test_a_plant_of_the_same_number_is_no_plot() -> None:
    unit = {"observationUnitName": "1", "observationUnitPosition": {"observationLevel": {"levelName": "plant"}}}
    assert plot_of(unit, "A") == ""
    assert plot_of({**unit, "observationUnitPosition": {"observationLevel": {"levelName": None}}}, "A") == "1"
    level = {"levelName": "plot", "levelCode": "9" * 5000}
    assert plot_of({"observationUnitPosition": {"observationLevel": level}}, "A") == ""
