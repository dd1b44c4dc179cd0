"""A commit that its standby never confirmed is no acknowledgement, however plainly it can be seen."""

from __future__ import annotations

import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry.models import OutcomeUnknown, SQLModel, schema
from tests.fixtures.cluster import Cluster, cluster, wait_until
from tests.models.records import DATE, record


@pytest.fixture(scope="module")
def both() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="abq-confirmed-"))
    folder.chmod(0o755)
    try:
        with cluster(folder / "cluster") as made:
            schema.prepare(made.endpoint())
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def waiting_backends(both: Cluster) -> list[object]:
    rows = both.primary.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    return [pid for (pid,) in rows]


@pytest.mark.parametrize("again", [False, True], ids=["one save", "the entry of a journal comes again"])
def test_committed_locally_is_not_saved(both: Cluster, again: bool) -> None:
    model = SQLModel.at(both.endpoint())
    entry = uuid.uuid4().hex
    plot = "8" if again else "7"
    done: list[bool] = []

    def save() -> None:
        try:
            model.save_record(record(Plot=plot), "insert", entry=entry)
        except OutcomeUnknown:  # as a journal's entry does, it comes again
            model.save_record(record(Plot=plot), "insert", entry=entry)
        done.append(True)

    both.standby.stop()
    thread = threading.Thread(target=save)
    thread.start()
    try:
        wait_until(lambda: waiting_backends(both), "the commit waits for the standby")
        (first,) = waiting_backends(both)
        both.primary.execute(f"SELECT pg_cancel_backend({first})")
        wait_until(lambda: model_sees(both, plot), "the commit can be seen")
        if again:  # whoever saves it a second time isn't told more than is true either
            both.primary.execute(f"SELECT pg_terminate_backend({first})")
            wait_until(lambda: [pid for pid in waiting_backends(both) if pid != first], "it waits once more")
        wait_until(lambda: waiting_backends(both), "it waits for the standby again")
        assert not done
    finally:
        both.standby.start()
        thread.join(60)
    assert done
    assert model.get_versioned_record(DATE, "8:00", "A", plot).version == 1
    assert both.standby.execute(f"SELECT plot FROM plot_checks WHERE plot = {plot}", "abq") == [(int(plot),)]
    model.close()


def model_sees(both: Cluster, plot: str) -> bool:
    return bool(both.primary.execute(f"SELECT 1 FROM plot_checks WHERE plot = {plot}", "abq"))
