"""The window at a cluster: the primary is killed, the standby promoted, and entry goes on without a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from tests.fixtures.cluster import OWNER, Cluster
from tests.fixtures.window import Window
from tests.models.records import record
from tests.pace import patience
from tests.window.test_login import type_login
from tests.window.test_offline import trouble

pytestmark = pytest.mark.takes(6)

AGAIN_SECONDS = 2.0
FROZEN_SECONDS = 10.0


def test_entry_goes_on_through_a_failover(
    servers: Cluster, settings: dict[str, Any], open_window: Callable[[], Window]
) -> None:
    endpoint = servers.endpoint()
    settings.update(db_host=endpoint["host"], db_port=endpoint["port"], db_name=endpoint["dbname"])
    window = open_window()
    type_login(window, OWNER, endpoint["password"])
    window.until_open()
    window.begin_check()
    for _plot in range(3):
        window.fill_readings()
        window.save()
    servers.kill_primary()
    for _plot in range(3):
        window.fill_readings()
        window.save()
    assert "3 records waiting here" in trouble(window)
    servers.promote()
    promoted = time.monotonic()
    window.until(lambda: not trouble(window), "the new primary")
    assert time.monotonic() - promoted < patience(AGAIN_SECONDS)
    window.settle()
    window.fill_readings()
    window.save()
    assert not window.dialogs
    model = SQLModel.at(endpoint)
    assert [each[F.PLOT] for each in model.get_all_records() if each[F.LAB] == "A"] == list(range(1, 8))
    model.close()
    servers.build_standby()


def test_entry_goes_on_when_the_primary_hangs(
    servers: Cluster, settings: dict[str, Any], open_window: Callable[[], Window]
) -> None:
    """All of its processes are stopped: nothing is refused, nothing is answered, and keepalives are."""
    endpoint = servers.endpoint()
    settings.update(db_host=endpoint["host"], db_port=endpoint["port"], db_name=endpoint["dbname"])
    window = open_window()
    type_login(window, OWNER, endpoint["password"])
    window.until_open()
    window.begin_check(lab="C")
    window.fill_readings()
    window.save()
    old = servers.primary
    old.freeze()
    try:
        for _plot in range(2):
            window.fill_readings()
            window.save()
        assert "2 records waiting here" in trouble(window)
        servers.promote()
        promoted = time.monotonic()
        window.until(lambda: not trouble(window), "the new primary", 60)
        assert time.monotonic() - promoted < patience(FROZEN_SECONDS)
        window.settle()
        window.fill_readings()
        window.save()
        assert not window.dialogs
        model = SQLModel.at(endpoint)
        assert [each[F.PLOT] for each in model.get_all_records() if each[F.LAB] == "C"] == [1, 2, 3, 4]
        # What others save there is heard, too: the connection that listens has moved.
        model.save_record(record(Date=str(window.app.shared.today()), Time="8:00", Lab="C", Plot="9"))
        model.close()
        window.until(lambda: 9 in window.app.form.check.recorded, "what a colleague saves")
    finally:
        old.kill()
        servers.build_standby()
