"""Many deliveries, and every third file meets a fault: in the end each is at the destination once, whole."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from abq_data_entry.outbox import Outbox, Place, Sender, attempt_each, deliver, due, extract_name
from tests.network.further_fault_runs import RUNS
from tests.network.relays import Turns
from tests.outbox.conftest import DATE, Clock, Extract

COUNT = 30
FEWER = {"sftp": 15, "ftps": 18, "s3": 25}  # a login by SSH costs half a second, and moto takes its time
PATIENCE = 0.5


@pytest.mark.needs("network")
@pytest.mark.parametrize("kind", [kind for kind, run in RUNS.items() if not run.once])
def test_every_third_meets_a_fault(box: Outbox, clock: Clock, tmp_path: Path, kind: str) -> None:
    wanted, (faults, start, content_of, _) = {}, RUNS[kind]
    count = FEWER.get(kind, COUNT)
    for number in range(count):
        day = DATE + datetime.timedelta(days=number)
        content = content_of(day) if content_of is not None else f"day {number}\r\n".encode() * 2_000
        box.add(Extract(content), day, Place(f"{kind.split()[0]}:archive", "127.0.0.1"), "test")
        wanted[extract_name(day)] = content
    turns, rounds = Turns(3, faults), 0
    with start(turns, tmp_path, PATIENCE) as (kept, opened), Sender(opened) as send:
        while any(each.open for each in box.deliveries()) and rounds < 40:
            attempt_each(box, due(box), lambda each: deliver(box, each, send)[1])
            clock.forward(minutes=10)
            rounds += 1
        found = kept()
    done = box.deliveries()
    assert {each.state for each in done} == {"delivered"}, [each.reason for each in done if each.state != "delivered"]
    assert found == wanted
    assert turns.faults == turns.files // 3 >= len(set(faults))
    made = [attempt for each in done for attempt in each.attempts]
    assert len(made) > count, "a fault costs an attempt"
    assert sum(attempt.outcome == "Delivered." for attempt in made) == count, "and each arrived by one of them"
