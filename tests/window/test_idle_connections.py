"""Connections that nobody uses are closed, and opened again without anybody noticing; and a server that has no more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from abq_data_entry.application import connection, following
from abq_data_entry.models import SQLModel
from tests.fixtures.cluster import Node
from tests.fixtures.single import single_server
from tests.fixtures.window import Window
from tests.window.test_login import type_login

COUNTED = "SELECT count(*)::int FROM pg_stat_activity WHERE datname = 'abq' AND backend_type = 'client backend'"
LISTENING = "SELECT count(*)::int FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with single_server() as running:
        yield running


@pytest.fixture
def at_server(node: Node, settings: dict[str, Any], open_window: Callable[[], Window]) -> Callable[[], Window]:
    """A window that has logged in at the server."""
    settings.update(db_host="127.0.0.1", db_port=str(node.port), db_name="abq")

    def opened() -> Window:
        window = open_window()
        endpoint = node.endpoint()
        type_login(window, endpoint["user"], endpoint["password"])
        window.until_open()
        return window

    return opened


def counted(node: Node) -> int:
    return int(str(node.execute(COUNTED)[0][0]))


def test_what_is_not_used_is_closed_and_opened_again_unnoticed(
    node: Node, at_server: Callable[[], Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    window = at_server()
    # Only now: on a slow machine looks that come so often leave no moment in which the window is settled.
    monkeypatch.setattr(connection, "IDLE_SECONDS", 1.0)
    monkeypatch.setattr(connection, "LOOK_MS", 300)
    window.app.idle_connections.look()
    window.begin_check()
    window.fill_readings()
    window.save()
    # What hears others, and what tells them that somebody is here.
    window.until(lambda: counted(node) == 2, "unused connections to be closed")
    assert node.execute(LISTENING) == [(1,)]
    model = window.app.data_model
    assert model is not None
    check = window.app.form.check.key
    assert check is not None
    with_others = SQLModel.at(node.endpoint())
    assert [each.plot for each in with_others.get_presence(*check)] == [2]
    with_others.close()
    for _ in range(2):
        window.fill_readings()
        window.save()
        window.until(lambda: counted(node) == 2, "unused connections to be closed again")
    window.until(lambda: sorted(window.app.form.check.recorded) == [1, 2, 3], "all three plots")
    assert not window.dialogs and not window.messages and not window.app.reconnecting.away
    window.app.presence.now = lambda: time.monotonic() + following.IDLE_SECONDS + 1  # nobody has typed for so long
    window.until(lambda: counted(node) == 1, "only what hears others")


def test_a_connection_in_use_is_not_closed(node: Node) -> None:
    import threading

    model = SQLModel.at(node.endpoint())
    answered: list[object] = []
    thread = threading.Thread(target=lambda: answered.append(model.query("SELECT 1 AS one FROM pg_sleep(0.5)")))
    thread.start()
    while thread.is_alive():
        model.close_idle(0.0)
    assert answered == [[{"one": 1}]]
    model.close()
