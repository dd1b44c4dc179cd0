"""The window's first start at a server that is there and accepts no connections yet: it recovers, or has too many."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from abq_data_entry import postgres
from abq_data_entry.application import Application
from abq_data_entry.models import ServerNotReady, SQLModel
from abq_data_entry.postgres.cluster import home_in, read_pid_file
from tests.fixtures.cluster import Node
from tests.fixtures.window import Window, close
from tests.postgres import test_recovering as recovering
from tests.window.test_login import type_login
from tests.window.test_recovery import own_data_folder

__all__ = ["own_data_folder"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the servers of the tests run on Linux only")
LOGIN = ("technician", "of-the-first-lab")


@pytest.fixture
def node(single: Node) -> Node:
    single.execute(f"SET password_encryption = 'scram-sha-256';"
                   f" CREATE ROLE {LOGIN[0]} LOGIN PASSWORD '{LOGIN[1]}' IN ROLE abq_technician")  # fmt: skip
    return single


@pytest.fixture
def opened(node: Node, settings: dict[str, Any], open_window: Callable[[], Window]) -> Callable[[], Window]:
    """Opens windows at that server, after one that left its copy of what the form needs."""
    settings.update(db_host="127.0.0.1", db_port=str(node.port), db_name="abq")
    first = open_window()
    type_login(first, *LOGIN)
    first.until_open()
    first.until(lambda: first.app.known_copy.known is not None and first.app.known_copy.known.choices.labs, "the copy")
    close(first)
    return open_window


def database_of(window: Window) -> SQLModel:
    model = window.app.data_model
    assert model is not None
    return model


def works_meanwhile(window: Window, told: str, ready: Callable[[], object]) -> None:
    """What is saved waits on this computer, nobody is asked anything, and later the database has it."""
    window.until(lambda: told in window.app.status.get(), f"{told!r}")
    assert not window.dialogs and window.app.data_model is None
    window.until(lambda: window.app.form.choices, "the lists of the copy")
    window.begin_check()
    window.fill_readings()
    window.save()
    window.until(lambda: window.app.waiting_records.entries, "the record in the journal")
    ready()
    window.until(lambda: window.app.data_model is not None and not window.app.reconnecting.away, "the database", 90)
    window.until(lambda: not window.app.waiting_records.entries, "the record in the database", 60)
    window.settle()
    assert not window.dialogs
    assert [each["Plot"] for each in database_of(window).get_all_records()] == [1]


def test_a_server_that_recovers(node: Node, opened: Callable[[], Window]) -> None:
    for statement in (recovering._MADE, recovering._MUCH):
        node.execute(statement, "abq")
    node.kill()
    recovering.start(node)
    process = recovering.freeze_recovery(node.folder)
    window = opened()
    type_login(window, *LOGIN)
    works_meanwhile(window, "The database is just starting", process.resume)


def test_a_server_that_has_no_connection_left(node: Node, opened: Callable[[], Window]) -> None:
    node.execute(f"ALTER ROLE {LOGIN[0]} CONNECTION LIMIT 0")
    window = opened()
    type_login(window, *LOGIN)
    works_meanwhile(
        window, "too many connections at the moment", lambda: node.execute(f"ALTER ROLE {LOGIN[0]} CONNECTION LIMIT -1")
    )


def test_it_is_waited_for_once_and_then_asked_without_patience(node: Node) -> None:
    """Who comes back again and again, by the policy for all, isn't to ask forty times a minute."""
    node.execute(f"ALTER ROLE {LOGIN[0]} CONNECTION LIMIT 0")
    model = SQLModel.at({**node.endpoint(), "user": LOGIN[0], "password": LOGIN[1]}, patience=1.5)
    begun = time.monotonic()
    with pytest.raises(ServerNotReady, match="too many connections"):
        model.query("SELECT 1")
    assert time.monotonic() - begun >= 1.5
    said = node.log.read_text("utf-8", "replace").count("too many connections for role")
    for _ in range(3):
        with pytest.raises(ServerNotReady):
            model.query("SELECT 1")
    assert node.log.read_text("utf-8", "replace").count("too many connections for role") <= said + 6
    node.execute(f"ALTER ROLE {LOGIN[0]} CONNECTION LIMIT -1")
    assert model.query("SELECT 1 AS one") == [{"one": 1}]
    model.close()


def test_a_model_waits_until_there_is_a_connection(node: Node) -> None:
    node.execute(f"ALTER ROLE {LOGIN[0]} CONNECTION LIMIT 0")
    model = SQLModel.at({**node.endpoint(), "user": LOGIN[0], "password": LOGIN[1]})
    answers: list[object] = []
    asking = threading.Thread(target=lambda: answers.append(model.query("SELECT 1 AS one")))
    asking.start()
    node.execute(f"ALTER ROLE {LOGIN[0]} CONNECTION LIMIT -1")
    asking.join(60)
    assert answers == [[{"one": 1}]]
    model.close()


def test_the_embedded_server_that_recovers(own_data_folder: Path, display: str) -> None:
    first = Window(Application(), [])
    first.until_open(60)
    first.until(lambda: first.app.known_copy.known is not None and first.app.known_copy.known.choices.labs, "the copy")
    close(first)
    cluster = recovering.embedded_with_much(own_data_folder)
    killed = read_pid_file(cluster)
    assert killed is not None
    window, frozen = Window(Application(), []), list[Any]()
    try:
        freezing = threading.Thread(
            target=lambda: frozen.append(recovering.freeze_recovery(cluster, after=killed.pid)), daemon=True
        )
        freezing.start()
        window.until(lambda: frozen, "the server recovers")
        works_meanwhile(window, "on this computer is just starting", lambda: frozen[0].resume())
    finally:
        for process in frozen:
            with suppress(psutil.NoSuchProcess):
                process.resume()
        close(window)
        postgres.start(own_data_folder).stop()
    assert home_in(own_data_folder).cluster == cluster
