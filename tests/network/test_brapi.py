"""A day's extract by BrAPI at a real server, which answers as the specification, or as Breedbase."""

from __future__ import annotations

import contextlib
import csv
import datetime
import sqlite3
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.fields import CSV_HEADER, field
from abq_data_entry.models.settings import SETTINGS
from abq_data_entry.network import brapi_records, probing
from abq_data_entry.network.brapi import BrapiUploads
from abq_data_entry.network.brapi_records import NotAnExtract, plot_of, records_in, variable_of
from abq_data_entry.network.destination import LoginMethod
from abq_data_entry.network.destinations import destination
from abq_data_entry.network.failures import Cancelled
from abq_data_entry.network.guard import Guard
from abq_data_entry.network.probing import FAILED, Context, Options
from abq_data_entry.stored_destination import STORED, StoredDestination
from tests.fixtures.brapi_server import PASSWORD, USERNAME, BrapiServer, brapi_server
from tests.network.faults import Connection, serving

pytestmark = pytest.mark.needs("network")

DAY = "2026-11-21"
READINGS = ["24.09", "1.00", "22.5", "false", "4", "7", "0", "9.2", "28", "12.5"]
FIELDS = 11


def row(lab: str = "A", plot: int = 1, time: str = "8:00", notes: str = "", **changed: str) -> list[str]:
    """A record as the extract has it."""
    values = dict(zip(CSV_HEADER, [DAY, time, "J Simms", lab, str(plot), "AXM477", *READINGS, notes], strict=True))
    return list({**values, **{name.replace("_", " "): value for name, value in changed.items()}}.values())


def whole_day() -> list[list[str]]:
    return [
        row(lab, plot, time, "wilted, \"again\"\nund grün" if plot == 3 else "")
        for time in ("8:00", "12:00") for lab in "AB" for plot in range(1, 21)
    ]  # fmt: skip


class Sender:
    """Delivers extracts, each time as another process would: only what is on the disk is known."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, server: BrapiServer, rows: list[list[str]], password: str = PASSWORD, **options: Any) -> None:
        path = self.folder / f"abq_data_record_{DAY}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([CSV_HEADER, *rows])
        login = (server.url, f"{server.url}/token", USERNAME, password)
        kept = options.pop("kept", self.folder / "brapi.sqlite")
        with BrapiUploads(*login, login_method=LoginMethod("token"), timeout=20, kept=kept, **options) as uploads:
            uploads.upload(path)

    def failed(self, server: BrapiServer, rows: list[list[str]], **options: Any) -> Any:
        with pytest.raises(Exception) as caught:
            self.send(server, rows, **options)
        text = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
        assert PASSWORD not in text and "secret-token" not in text
        return caught.value


@pytest.fixture
def sender(tmp_path: Path) -> Sender:
    return Sender(tmp_path)


@pytest.fixture(params=[False, True], ids=["specification", "breedbase"])
def server(request: pytest.FixtureRequest) -> Iterator[BrapiServer]:
    with brapi_server(like_breedbase=request.param, most=150) as running:
        yield running


def test_a_cancel_while_the_login_is_not_answered_has_sent_nothing(tmp_path: Path) -> None:
    cancel, told = threading.Event(), list[tuple[int, int]]()

    def never_answers(connection: Connection) -> None:
        connection.request()
        cancel.set()
        connection.ended.wait()

    path = tmp_path / "abq_data_record.csv"
    path.write_text(",".join(CSV_HEADER) + "\n" + ",".join(row()) + "\n", encoding="utf-8")
    with serving(never_answers) as port:
        url = f"http://127.0.0.1:{port}"
        with (
            BrapiUploads(url, f"{url}/token", USERNAME, PASSWORD, login_method=LoginMethod("token"), timeout=20,
                         kept=tmp_path / "brapi.sqlite") as uploads,
            pytest.raises(Cancelled),
        ):  # fmt: skip
            uploads.upload(path, progress=lambda *sent: told.append(sent), cancel=cancel)
    assert not told
    with brapi_server() as running:
        login = (running.url, f"{running.url}/token", USERNAME, PASSWORD)
        with BrapiUploads(*login, login_method=LoginMethod("token"), kept=tmp_path / "brapi.sqlite") as uploads:
            uploads.upload(path, progress=lambda *sent: told.append(sent))
    assert told and set(told) == {(path.stat().st_size,) * 2}


def test_a_day_arrives_once_and_is_corrected_by_put(server: BrapiServer, sender: Sender) -> None:
    rows = whole_day()
    sender.send(server, rows)
    values = server.values()
    assert len(server.observations) == len(values) == 80 * (FIELDS - 1) + 4
    assert values[f"{DAY} 8:00 A 3", "Notes"] == 'wilted, "again"\nund grün'
    assert values[f"{DAY} 12:00 B 20", "Humidity"] == "24.09"
    assert {each["collector"] for each in server.observations} == {"J Simms"}
    assert [len(server.things[each]) for each in ("studies", "observationunits", "variables")] == [2, 40, FIELDS]
    moment = datetime.datetime.fromisoformat(server.observations[0]["observationTimeStamp"])
    assert moment == datetime.datetime(2026, 11, 21, 8).astimezone()

    before = len(server.requests)
    sender.send(server, rows)  # again: all of it is known
    assert {each for each in server.requests[before:] if each[0] != "GET"} == set()
    sender.send(server, rows, kept=sender.folder / "another.sqlite")  # from another workstation
    assert server.values() == values and len(server.observations) == len(values)
    assert server.count("PUT", "observations") == 0

    rows[0] = row("A", 1, "8:00", Humidity="25.5")
    rows[1] = row("A", 2, "8:00", Humidity="", Light="", Temperature="", Equipment_Fault="true")
    rows[2] = row("A", 3, "8:00", "wilted no more")
    del rows[5]  # withdrawn
    posted = server.count("POST", "observations")
    sender.send(server, rows)
    now = server.values()
    assert (server.count("PUT", "observations"), server.count("POST", "observations")) == (1, posted)
    changed = {key: value for key, value in now.items() if values[key] != value}
    assert {key: value for key, value in changed.items() if not key[0].endswith("A 6")} == {
        (f"{DAY} 8:00 A 1", "Humidity"): "25.5", (f"{DAY} 8:00 A 2", "Humidity"): "",
        (f"{DAY} 8:00 A 2", "Light"): "", (f"{DAY} 8:00 A 2", "Temperature"): "",
        (f"{DAY} 8:00 A 2", "Equipment Fault"): "true", (f"{DAY} 8:00 A 3", "Notes"): "wilted no more",
    }  # fmt: skip
    assert {value for key, value in changed.items() if key[0] == f"{DAY} 8:00 A 6"} == {""}
    sender.send(server, rows)
    assert server.count("PUT", "observations") == 1
    (sender.folder / "brapi.sqlite").write_bytes(b"no database at all" * 100)
    sender.send(server, rows)
    assert server.values() == now and len(server.observations) == len(now)


def test_what_another_workstation_changed_is_seen(server: BrapiServer, sender: Sender) -> None:
    key = (f"{DAY} 8:00 A 1", "Plants")
    sender.send(server, [row()])
    sender.send(server, [row(Plants="3")], kept=sender.folder / "another.sqlite")
    assert server.values()[key] == "3"
    sender.send(server, [row()])
    assert server.values()[key] == "4" and len(server.observations) == FIELDS - 1


def test_a_file_of_a_newer_version_is_left_alone(sender: Sender) -> None:
    path = sender.folder / "brapi.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    content = path.read_bytes()
    with brapi_server() as server:
        assert "A newer version of ABQ Data Entry wrote" in str(sender.failed(server, [row()]))
        assert server.observations == [] and path.read_bytes() == content


def test_a_lost_answer_doubles_nothing(server: BrapiServer, sender: Sender) -> None:
    rows = whole_day()
    lost: list[int] = []

    def loses(number: int) -> bool:
        if server.requests[-1] == ("POST", "observations") and len(lost) < 2:
            lost.append(number)
            return True
        return False

    server.loses = loses
    for _ in range(2):
        assert sender.failed(server, rows).transient
    sender.send(server, rows)
    assert len(lost) == 2 and len(server.observations) == len(server.values()) == 80 * (FIELDS - 1) + 4


def test_every_third_request_fails(server: BrapiServer, sender: Sender) -> None:
    server.fails = lambda number: number % 3 == 0
    rows = whole_day()
    for _ in range(5):
        try:
            sender.send(server, rows)
            break
        except Exception as error:
            assert getattr(error, "transient", False)
    assert len(server.observations) == len(server.values()) == 80 * (FIELDS - 1) + 4
    assert [len(server.things[each]) for each in ("studies", "observationunits", "variables")] == [2, 40, FIELDS]


def test_what_is_refused_is_counted_and_the_rest_is_there(server: BrapiServer, sender: Sender) -> None:
    server.makes = ("studies", "variables", "observations")
    study = server.add("studies", {"studyName": "Lab A"})
    for plot in (1, 2, 4):
        server.add("observationunits", {"observationUnitName": f"Plot {plot}", "studyDbId": study})
    server.refuses = lambda thing: "too hot here" if thing["value"] == "40" else ""
    rows = [row("A", plot, Temperature="40" if plot == 2 else "20") for plot in (1, 2, 3, 4)]
    error = sender.failed(server, rows)
    assert not error.transient and not error.login_refused
    assert "11 of 40 values couldn't be sent by BrAPI, the others are there." in str(error)
    assert "10: the server has no plot 3 of lab A, and takes no new one" in str(error)
    assert "no POST of observationunits here" in str(error)
    assert "1: " in str(error) and "too hot here" in str(error)
    assert len(server.values()) == 29
    server.makes = (*server.makes, "observationunits")
    server.refuses = lambda thing: ""
    sender.send(server, rows)
    assert len(server.values()) == len(server.observations) == 40


def test_an_answer_that_takes_only_a_part(sender: Sender) -> None:
    with brapi_server(partial=True) as server:
        server.refuses = lambda thing: "no such value" if thing["observationVariableName"] == "Light" else ""
        error = sender.failed(server, [row("A", 1), row("A", 2)])
        assert "2 of 20 values couldn't be sent" in str(error) and "no such value" in str(error)
        assert len(server.values()) == 18


def test_what_the_server_lost_is_sent_anew(server: BrapiServer, sender: Sender) -> None:
    sender.send(server, [row("A", 1)])
    number = next(key for key, each in server.things["observations"].items() if each["value"] == "24.09")
    del server.things["observations"][number]
    sender.send(server, [row("A", 1, Humidity="30", Light="2")])
    assert server.values()[f"{DAY} 8:00 A 1", "Humidity"] == "30"
    assert server.values()[f"{DAY} 8:00 A 1", "Light"] == "2"


def test_studies_of_a_trial(sender: Sender) -> None:
    with brapi_server() as server:
        assert "has no trial ABQ 2026" in str(sender.failed(server, [row()], trial="ABQ 2026"))
        other, ours = (server.add("trials", {"trialName": name}) for name in ("x", "ABQ 2026"))
        server.add("studies", {"studyName": "Lab A", "trialDbId": other})
        sender.send(server, [row()], trial="ABQ 2026")
        (made,) = [each for each in server.things["studies"].values() if each["trialDbId"] == ours]
        assert {each["studyDbId"] for each in server.observations} == {made["studyDbId"]}


def test_a_wrong_login_is_tried_once(sender: Sender) -> None:
    with brapi_server() as server:
        error = sender.failed(server, [row()], password="felder 8")
        assert error.login_refused and not error.transient and "Incorrect Password" in str(error)
        assert server.requests == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"<html>hello</html>", "isn't BrAPI"), (b"[" * 100_000, "isn't BrAPI"), (b"[]", "isn't BrAPI"),
        (b" " * (17 << 20), "more than 16 MiB"), (b'{"result": {"data": "x"}}', "isn't BrAPI"),
        (b'{"result": {"data": [{"studyDbId": "1", "studyName": "x"}]}, "metadata": {"pagination":'
         b' {"totalPages": 1000000000}}}', "again and again"),
        (b'{"result": {"data": [1, null, {"studyDbId": {}, "studyName": "Lab A"}]}}', "didn't make one"),
        (b"<form><input type=password></form>", "login page"),
    ],
)  # fmt: skip
def test_hostile_answers(answer: bytes, words: str, sender: Sender) -> None:
    with brapi_server(answer=answer) as server:
        error = sender.failed(server, [row()])
    assert words in str(error), error
    assert not error.transient and len(str(error)) < 2000


def test_only_extracts_go_by_brapi() -> None:
    header = ",".join(CSV_HEADER)
    for text in ("", "a,b\n1,2\n", f"{header}\n2026-11-21,8:00\n", f"{header}\n{','.join(['x'] * 17)}\n", '"' + header):
        with pytest.raises(NotAnExtract):
            list(records_in(text.splitlines(keepends=True)))
    assert {name: field(name).unit for name in brapi_records.VARIABLES if field(name).unit} == brapi_records.UNITS
    assert plot_of({"observationUnitName": "A-07"}, "A") == "7" and plot_of({"observationUnitName": "B1"}, "A") == ""
    assert variable_of({"observationVariableName": "humidity|CO_334:0000092"}) == "Humidity"


def test_by_the_table_of_destinations_with_its_check(sender: Sender) -> None:
    with brapi_server() as server:
        stored = StoredDestination("breeding", "brapi", server.url, username=USERNAME)
        values = {**{each.name: each.default for each in SETTINGS}, STORED: {stored.key: stored}}
        to = destination(stored.key)
        assert to.problem(values) == "" and to.login_place(values) == f"{server.url}/token {server.url}"
        right, wrong = (checked(stored.key, values, password) for password in (PASSWORD, "felder 8"))
        assert [each.what for each in right][-3:] == ["Login", "Server", "Write test"]
        assert not [each for each in right if each.verdict == FAILED]
        assert "a small one offers 15 calls" in right[-2].text
        assert (wrong[-1].what, wrong[-1].verdict) == ("Login", FAILED) and "Incorrect Password" in wrong[-1].text
        assert server.count("POST", "observations") == 0


def checked(key: str, values: dict[str, Any], password: str) -> list[probing.Step]:
    """The steps of the check of connections, as far as it gets."""
    found: list[probing.Step] = []
    with Guard(None, 20) as guard, contextlib.suppress(probing.Aborted):
        wanted = Options((key,), lambda kind: (USERNAME, password), write=True)
        for each in destination(key).probe(Context(values, wanted, guard, threading.Event())):
            found.append(each)
    return found
