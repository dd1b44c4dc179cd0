"""A server whose processes are all stopped: its machine answers keepalives, and it never answers anything else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from psycopg2.extensions import cursor as Cursor

from abq_data_entry import waits
from abq_data_entry.models import DatabaseError, OutcomeUnknown, ServerUnreachable, SQLModel, TookTooLong
from abq_data_entry.models.records import Selection
from tests.fixtures.cluster import Cluster, Node, frozen, wait_until
from tests.models.records import DATE, record
from tests.pace import patience

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the servers of the tests run on Linux only")

AGAIN_SECONDS = 10.0
"""So long after a promotion everybody saves again."""


class Writer(threading.Thread):
    """Saves a check of its own day plot by plot, each until it is acknowledged, as somebody who doesn't give up."""

    def __init__(self, endpoint: dict[str, str], number: int) -> None:
        super().__init__(daemon=True)
        self.model = SQLModel.at(endpoint)
        self.day = f"2026-03-{number + 1:02}"
        self.stop = threading.Event()
        self.acknowledged: list[tuple[float, int, int]] = []
        self.problems: list[BaseException] = []

    def run(self) -> None:
        turn = 0
        while not self.stop.is_set():
            plot, turn = turn % 20 + 1, turn + 1
            values = record(Date=self.day, Plot=str(plot), Blossoms=str(turn % 1000))
            while not self.stop.is_set():
                try:
                    self.model.save_record(values)
                except ServerUnreachable:
                    self.stop.wait(0.2)
                except BaseException as error:
                    self.problems.append(error)
                    return
                else:
                    self.acknowledged.append((time.monotonic(), plot, turn % 1000))
                    break
        self.model.close()


@pytest.mark.takes(10)
def test_after_a_promotion_everybody_saves_again_and_nothing_is_lost(servers: Cluster) -> None:
    writers = [Writer(servers.endpoint(), number) for number in range(6)]
    for writer in writers:
        writer.start()
    old = servers.primary
    try:
        wait_until(lambda: all(len(writer.acknowledged) > 20 for writer in writers), "they write")
        old.freeze()
        servers.promote()
        promoted = time.monotonic()
        wait_until(lambda: all(writer.acknowledged[-1][0] > promoted for writer in writers), "they write again", 60)
        assert max(next(at for at, *_ in writer.acknowledged if at > promoted) for writer in writers) - promoted < (
            AGAIN_SECONDS
        )
    finally:
        for writer in writers:
            writer.stop.set()
        for writer in writers:
            writer.join(30)
        old.kill()
        servers.build_standby()
    assert not [writer.problems for writer in writers if writer.problems]
    there = SQLModel.at(servers.endpoint())
    for writer in writers:
        stored = {(row["Plot"], row["Blossoms"]) for row in there.get_all_records(all_dates=True)
                  if str(row["Date"]) == writer.day}  # fmt: skip
        latest = {plot: blossoms for _, plot, blossoms in writer.acknowledged}
        # What was under way when they were stopped may be there too, but nothing older than what was acknowledged.
        assert len(stored) == len(latest) and len(latest.items() - stored) <= 1
    there.close()


READS: dict[str, Callable[[SQLModel, Path], object]] = {
    "a record": lambda model, folder: model.get_record(DATE, "8:00", "A", 3),
    "a page": lambda model, folder: model.get_page(Selection(), 50),
    "a count": lambda model, folder: model.count_records(Selection()),
    "an extract": lambda model, folder: model.export_records(folder / "extract.csv", DATE),
    "the audit": lambda model, folder: model.verify_audit(),
}


def test_every_read_gives_up_a_frozen_server(single: Node, tmp_path: Path) -> None:
    models = {name: SQLModel.at(single.endpoint() | {"connect_timeout": "2"}) for name in READS}
    for plot, model in enumerate(models.values(), 1):
        model.save_record(record(Plot=str(plot)))  # its connection is there before the server freezes

    def given_up(name: str) -> str:
        try:
            READS[name](models[name], tmp_path)
        except ServerUnreachable:
            return name
        return f"{name}: an answer"

    with ThreadPoolExecutor(len(READS)) as readers, frozen(single):
        begin = time.monotonic()
        assert list(readers.map(given_up, READS)) == list(READS)
        assert time.monotonic() - begin < patience(AGAIN_SECONDS)
    for name, model in models.items():
        READS[name](model, tmp_path)
        model.close()


def test_a_save_gives_up_a_frozen_server_and_is_done_once(single: Node) -> None:
    model = SQLModel.at(single.endpoint() | {"connect_timeout": "2"})
    model.save_record(record(Plot="1"))
    entry = "0" * 31 + "1"
    with frozen(single):
        begin = time.monotonic()
        with pytest.raises(ServerUnreachable):
            model.save_record(record(), "insert", entry=entry)
        assert time.monotonic() - begin < patience(AGAIN_SECONDS)
    model.save_record(record(), "insert", entry=entry)
    model.save_record(record(), "insert", entry=entry)
    assert model.get_versioned_record(DATE, "8:00", "A", 3).version == 1
    model.close()


def test_a_server_that_is_only_slow_is_waited_for(single: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "PROBE_AFTER", 0.3)
    model = SQLModel.at(single.endpoint())

    def slowly(cursor: object) -> list[tuple[object, ...]]:
        cursor.execute("SELECT pg_sleep(2.5)")  # type: ignore[attr-defined]
        return list(cursor.fetchall())  # type: ignore[attr-defined]

    assert model._connections.read(slowly, snapshot=True)
    assert model._connections.read(slowly)
    model.close()


def test_what_takes_longer_than_its_kind_may_is_broken_off(single: Node) -> None:
    model = SQLModel.at(single.endpoint())
    connections = model._connections
    begin = time.monotonic()
    with pytest.raises(TookTooLong, match="took too long"):
        connections.read(lambda cursor: cursor.execute("SELECT pg_sleep(60)"), 0.5)
    with pytest.raises(DatabaseError):
        connections.write(lambda cursor: cursor.execute("SELECT pg_sleep(60)"), 0.5)
    assert time.monotonic() - begin < patience(10)
    assert model.query("SELECT 1 AS one") == [{"one": 1}]
    model.close()


def test_a_cancellation_and_the_end_do_not_wait_for_a_frozen_server(
    single: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "PROBE_AFTER", 600.0)  # else the read would be ended anyway
    model = SQLModel.at(single.endpoint() | {"connect_timeout": "2"})
    caught: list[BaseException] = []
    reads = threading.Event()

    def sleep(cursor: Cursor) -> None:
        reads.set()
        cursor.execute("SELECT pg_sleep(60)")

    def read() -> None:
        try:
            model._connections.read(sleep, snapshot=True)
        except DatabaseError as error:
            caught.append(error)

    for end in (model.cancel_query, lambda _ident: model.close()):
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        assert reads.wait(20)
        reads.clear()
        with frozen(single):
            begin = time.monotonic()
            end(thread.ident or 0)
            assert time.monotonic() - begin < patience(3)
            thread.join(20)
            assert not thread.is_alive()
    assert len(caught) == 2 and not any(isinstance(error, OutcomeUnknown) for error in caught)
    model.close()
