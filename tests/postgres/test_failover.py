"""A primary that is killed: the application goes on with its standby, and nothing that was confirmed is lost."""

from __future__ import annotations

import sys

import pytest

from abq_data_entry.models import ServerUnreachable, SQLModel
from tests.fixtures.cluster import Cluster, wait_until
from tests.models.records import record

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the clusters run on Linux only")


def plots(model: SQLModel) -> list[object]:
    return [each["Plot"] for each in model.get_all_records(all_dates=True)]


def saved(model: SQLModel, plot: int) -> bool:
    """As a user who saves again until it is done."""
    try:
        model.save_record(record(Plot=plot))
    except ServerUnreachable:
        return False
    return True


def test_entry_goes_on_after_each_failover(servers: Cluster) -> None:
    model = SQLModel.at(servers.endpoint())
    for turn in (1, 2):
        assert saved(model, 3 * turn)
        servers.kill_primary()
        with pytest.raises(ServerUnreachable):
            model.save_record(record(Plot=3 * turn + 1))
        servers.promote()
        wait_until(lambda turn=turn: saved(model, 3 * turn + 1), "a save after the promotion")  # type: ignore[misc]
        servers.build_standby()
        assert saved(model, 3 * turn + 2)
    assert plots(model) == [3, 4, 5, 6, 7, 8]
    model.close()


def test_a_standby_alone_takes_no_changes(servers: Cluster) -> None:
    model = SQLModel.at({**servers.standby.endpoint(), "target_session_attrs": "read-write"})
    with pytest.raises(ServerUnreachable, match="takes changes"):
        model.connect()


def test_what_the_standby_holds(servers: Cluster) -> None:
    model = SQLModel.at(servers.standby.endpoint())
    expected = plots(SQLModel.at(servers.endpoint()))
    wait_until(lambda: plots(model) == expected, "the standby has the same records")
    model.close()


def test_servers_are_of_an_ordinary_user(servers: Cluster) -> None:
    assert servers.primary.folder.stat().st_uid != 0
    assert servers.primary.execute("SHOW data_checksums") == [("on",)]
    assert servers.primary.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)]
