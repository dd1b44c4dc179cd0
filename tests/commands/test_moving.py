"""`db move`: from an embedded database to a real server over TCP, with a password."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel, schema
from abq_data_entry.postgres import programs
from abq_data_entry.postgres.cluster import account_for
from abq_data_entry.postgres.connections import cursor_at
from tests import programs as server_programs
from tests.commands.conftest import Outcome, outcome_of, start_process
from tests.fixtures import short_folders
from tests.fixtures.cluster import OWNER, Node, own
from tests.fixtures.ports import free_port
from tests.fixtures.window import write_settings
from tests.models.records import record

PASSWORD = "right horse 'battery'"


@dataclass
class Laboratory:
    """An application with an embedded database of its own."""

    folder: Path
    server: Node

    @property
    def environment(self) -> dict[str, str]:
        login = {"ABQ_DB_USER": OWNER, "ABQ_DB_PASSWORD": PASSWORD}
        return {
            **os.environ,
            **login,
            "ABQ_DATA_DIR": str(self.folder / "data"),
            "ABQ_CONFIG_DIR": str(self.folder / "config"),
        }

    def run(self, *words: object, **variables: str) -> Outcome:
        return outcome_of(start_process(*words, env={**self.environment, **variables}))

    def move(self, *words: object, **variables: str) -> Outcome:
        return self.run("db", "move", "127.0.0.1", "--port", self.server.port, *words, **variables)

    @property
    def settings(self) -> dict[str, object]:
        text = (self.folder / "config/abq_settings.json").read_text(encoding="utf-8")
        return {name: entry["value"] for name, entry in json.loads(text).items()}

    def plots(self, endpoint: dict[str, str]) -> list[object]:
        model = SQLModel.at(endpoint)
        try:
            return [each["Plot"] for each in model.get_all_records(all_dates=True)]
        finally:
            model.close()


def _node(folder: Path, binaries: Path) -> Node:
    own(folder)
    node = Node(folder / "node", free_port(), account_for(folder), PASSWORD, binaries)
    node.make()
    node.start()
    return node


@pytest.fixture(scope="module")
def newest() -> Iterator[Node]:
    """A server of the same version as the embedded one."""
    yield from _running(postgres.binaries())


@pytest.fixture(scope="module")
def older() -> Iterator[Node]:
    """A server of an older version: Debian's."""
    ours = programs.major_version(postgres.binaries())
    found = [each for each in server_programs.postgres_folders() if programs.major_version(each) < ours]
    if not found:
        pytest.skip("no older PostgreSQL server (Debian's package postgresql)")
    yield from _running(found[0])


def _running(binaries: Path) -> Iterator[Node]:
    folder = Path(tempfile.mkdtemp(prefix="abq-test-"))
    folder.chmod(0o755)
    node = _node(folder / "server", binaries)
    try:
        yield node
    finally:
        node.kill()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def stopped() -> Iterator[Path]:
    """The data folder of a laboratory with two records and something in the outbox, for copies only."""
    with short_folders.short_folder() as folder:
        running = postgres.start(folder / "data")
        running.create_database()
        schema.prepare(running.endpoint())
        model = SQLModel.at(running.endpoint())
        for plot in (1, 2):
            model.save_record(record(Plot=plot, Notes="größer;\t'\"\\N"))
        model.close()
        running.stop()
        (folder / "data/outbox").mkdir()
        (folder / "data/outbox/entry").write_text("waits")
        yield folder / "data"


@pytest.fixture
def laboratory(short_folder: Path, newest: Node, stopped: Path) -> Laboratory:
    """A laboratory, and an empty database for it on the server."""
    return _laboratory(short_folder, newest, stopped)


def _laboratory(folder: Path, server: Node, stopped: Path) -> Laboratory:
    server.execute("DROP DATABASE IF EXISTS abq WITH (FORCE)")
    server.execute("CREATE DATABASE abq TEMPLATE template0 ENCODING 'UTF8'")
    (folder / "config").mkdir()
    write_settings(folder / "config", {"weather_station": "KOKC"})
    subprocess.run(["cp", "-a", stopped, folder / "data"], check=True)
    return Laboratory(folder, server)


def check_moved(laboratory: Laboratory, done: Outcome) -> None:
    assert (done.code, done.errors) == (0, "")
    assert "every row was compared" in done.output
    assert laboratory.plots(laboratory.server.endpoint()) == [1, 2]
    expected = {"db_host": "127.0.0.1", "db_port": str(laboratory.server.port), "db_name": "abq", "db_sslmode": ""}
    assert {name: laboratory.settings[name] for name in expected} == expected
    assert laboratory.settings["weather_station"] == "KOKC"
    assert "was moved to abq on 127.0.0.1" in (laboratory.folder / "data/postgres/moved.txt").read_text()
    assert (laboratory.folder / "data/outbox/entry").read_text() == "waits"


def test_everything_goes_and_the_settings_follow(laboratory: Laboratory) -> None:
    check_moved(laboratory, laboratory.move())
    # From now on the words use the server, and the embedded database is as it was.
    assert laboratory.run("db", "add-technician", 6001, "M Curie").code == 0
    found = laboratory.server.execute("SELECT name FROM lab_techs WHERE id = 6001", "abq")
    assert found == [("M Curie",)]
    assert "names the server 127.0.0.1 already" in laboratory.move().reason
    embedded = postgres.start(laboratory.folder / "data")
    assert laboratory.plots(embedded.endpoint()) == [1, 2]
    with cursor_at(embedded.endpoint("abq")) as cursor:
        cursor.execute("SELECT FROM lab_techs WHERE id = 6001")
        assert not cursor.rowcount


def test_to_an_older_server(short_folder: Path, older: Node, stopped: Path) -> None:
    laboratory = _laboratory(short_folder, older, stopped)
    check_moved(laboratory, laboratory.move())


def test_password_on_standard_input(laboratory: Laboratory) -> None:
    words = ["db", "move", "127.0.0.1", "--port", laboratory.server.port, "--user", OWNER, "--password-stdin"]
    environment = {name: text for name, text in laboratory.environment.items() if not name.startswith("ABQ_DB_")}
    reading, writing = os.pipe()
    os.write(writing, f"{PASSWORD}\n".encode())
    os.close(writing)
    check_moved(laboratory, outcome_of(start_process(*words, env=environment, stdin=reading)))
    os.close(reading)


def test_a_database_that_holds_something_is_refused(laboratory: Laboratory) -> None:
    laboratory.server.execute("CREATE TABLE somebodys AS SELECT 1 AS work", "abq")
    reason = laboratory.move().reason
    assert "holds other data than the one on this computer" in reason and "empty database" in reason
    assert laboratory.server.execute("SELECT work FROM somebodys", "abq") == [(1,)]
    assert "db_host" not in laboratory.settings


def test_nothing_moves_while_others_use_it(laboratory: Laboratory) -> None:
    embedded = postgres.start(laboratory.folder / "data")
    with cursor_at(embedded.endpoint("abq")):
        assert "Close every window" in laboratory.move().reason
    assert laboratory.server.execute("SELECT to_regclass('plot_checks')", "abq") == [(None,)]
    check_moved(laboratory, laboratory.move())


def test_a_wrong_login_changes_nothing(laboratory: Laboratory) -> None:
    assert "password is wrong" in laboratory.move(ABQ_DB_PASSWORD="wrong").reason
    assert "--sslmode must be empty or one of disable" in laboratory.move("--sslmode", "sometimes").reason
    assert "There is no database nowhere" in laboratory.move("--name", "nowhere").reason
    assert "db_host" not in laboratory.settings


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.invalid"], r"is unknown: check HOST \(nowhere\.invalid\) and the network"),
        (["127.0.0.1", "--port", "1"], r"that the server runs, and HOST \(127\.0\.0\.1\) and --port\."),
        (["127.0.0.1", "--port", "99999"], r"^--port must be a number from 1 to 65535, or one for each host of HOST"),
        ([""], r"^HOST is empty"),
    ],
)
def test_errors_in_the_arguments_name_the_arguments(
    laboratory: Laboratory, words: list[str], told: str
) -> None:
    """The settings name no server yet: who looks for `db_host` there finds nothing."""
    reason = laboratory.run("db", "move", *words).reason
    assert re.search(told, reason) and "db_" not in reason, reason
    assert "db_host" not in laboratory.settings


def test_interrupted_after_everything_was_copied(laboratory: Laboratory) -> None:
    """As when the machine stops before the settings are written: the next time it is only compared."""
    embedded = postgres.start(laboratory.folder / "data")

    def stop(moved: postgres.Moved) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        postgres.move(embedded.endpoint(), laboratory.server.endpoint(), stop)
    assert laboratory.plots(laboratory.server.endpoint()) == [1, 2]
    check_moved(laboratory, laboratory.move())


def test_what_was_entered_after_an_interruption_is_not_left_behind(laboratory: Laboratory) -> None:
    embedded = postgres.start(laboratory.folder / "data")

    def stop(moved: postgres.Moved) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        postgres.move(embedded.endpoint(), laboratory.server.endpoint(), stop)
    model = SQLModel.at(embedded.endpoint())
    model.save_record(record(Plot=3))
    model.close()
    assert re.search(r"the table public\.\w+ has \d+ rows instead of \d+", laboratory.move().reason)
    assert "db_host" not in laboratory.settings


@pytest.mark.parametrize("after", [0.3, 0.6, 0.9])
def test_killed_at_any_moment_it_can_be_repeated(laboratory: Laboratory, after: float, tmp_path: Path) -> None:
    environment = {**laboratory.environment, "TMPDIR": str(tmp_path)}  # which a killed process doesn't tidy
    process = start_process("db", "move", "127.0.0.1", "--port", laboratory.server.port, env=environment)
    until = time.monotonic() + after
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert laboratory.server.execute("SELECT 1", "abq") == [(1,)]
    if laboratory.settings.get("db_host"):
        assert laboratory.plots(laboratory.server.endpoint()) == [1, 2]
        return
    check_moved(laboratory, laboratory.move())
