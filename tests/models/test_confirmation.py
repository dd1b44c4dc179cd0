"""What a standby is for: a commit that it never confirmed is no acknowledgement; histories are read there."""

from __future__ import annotations

import threading
import uuid

import pytest

from abq_data_entry.models import OutcomeUnknown, SQLModel
from tests.fixtures.cluster import Cluster, wait_until
from tests.models.records import DATE, record


def waiting_backends(servers: Cluster) -> list[object]:
    rows = servers.primary.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    return [pid for (pid,) in rows]


@pytest.mark.parametrize("again", [False, True], ids=["one save", "the entry of a journal comes again"])
def test_committed_locally_is_not_saved(servers: Cluster, again: bool) -> None:
    model = SQLModel.at(servers.endpoint())
    entry = uuid.uuid4().hex
    plot = "8" if again else "7"
    done: list[bool] = []

    def save() -> None:
        try:
            model.save_record(record(Plot=plot), "insert", entry=entry)
        except OutcomeUnknown:  # as a journal's entry does, it comes again
            model.save_record(record(Plot=plot), "insert", entry=entry)
        done.append(True)

    servers.standby.stop()
    thread = threading.Thread(target=save)
    thread.start()
    try:
        wait_until(lambda: waiting_backends(servers), "the commit waits for the standby")
        (first,) = waiting_backends(servers)
        servers.primary.execute(f"SELECT pg_cancel_backend({first})")
        wait_until(lambda: model_sees(servers, plot), "the commit can be seen")
        if again:  # whoever saves it a second time isn't told more than is true either
            servers.primary.execute(f"SELECT pg_terminate_backend({first})")
            wait_until(lambda: [pid for pid in waiting_backends(servers) if pid != first], "it waits once more")
        wait_until(lambda: waiting_backends(servers), "it waits for the standby again")
        assert not done
    finally:
        servers.standby.start()
        thread.join(60)
    assert done
    assert model.get_versioned_record(DATE, "8:00", "A", plot).version == 1
    assert servers.standby.execute(f"SELECT plot FROM plot_checks WHERE plot = {plot}", "abq") == [(int(plot),)]
    model.close()


def model_sees(servers: Cluster, plot: str) -> bool:
    return bool(servers.primary.execute(f"SELECT 1 FROM plot_checks WHERE plot = {plot}", "abq"))


def test_histories_are_read_at_the_standby_and_at_the_primary_without_it(servers: Cluster) -> None:
    model = SQLModel.at(servers.endpoint())
    model.read_history_at(servers.standby.endpoint())
    model.save_record(record(Plot="5"), author="jsimms")
    wait_until(lambda: model.get_history(DATE, "8:00", "A", 5), "the change at the standby")
    readers = "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = 'abq'"
    assert servers.standby.execute(readers)
    servers.standby.stop()
    try:
        assert [change.who for change in model.get_history(DATE, "8:00", "A", 5)] == ["jsimms"]
    finally:
        servers.standby.start()
    model.close()
