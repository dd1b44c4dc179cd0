"""Many deliveries, and every third file meets a fault: in the end each is at the destination once, whole."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

from abq_data_entry import network
from abq_data_entry.network import Uploads
from abq_data_entry.outbox import Outbox, Place, Sender, deliver, due, extract_name, go_through
from tests.fixtures.servers import BundledServer
from tests.network.faults import serving
from tests.network.relays import FTP_FAULTS, REST_FAULTS, Turns, ftp_relay, http_relay
from tests.outbox.conftest import DATE, Clock, Extract

COUNT = 30
PATIENCE = 0.5


def by_rest(port: int) -> Uploads:
    address = f"http://127.0.0.1:{port}"
    return network.RestUploads(f"{address}/upload", f"{address}/auth", "test", "test", timeout=PATIENCE)


def by_ftp(port: int) -> Uploads:
    return network.FtpUploads("127.0.0.1", port, "test", "test", timeout=PATIENCE)


@pytest.mark.parametrize(
    ("kind", "faults", "relay", "opened"),
    [("rest", REST_FAULTS, http_relay, by_rest), ("ftp", FTP_FAULTS, ftp_relay, by_ftp)],
    ids=["rest", "ftp"],
)
def test_every_third_meets_a_fault(
    box: Outbox,
    clock: Clock,
    request: pytest.FixtureRequest,
    kind: str,
    faults: tuple[str, ...],
    relay: Callable[..., Callable[..., None]],
    opened: Callable[[int], Uploads],
) -> None:
    server: BundledServer = request.getfixturevalue(f"{kind}_server")
    wanted = {}
    for number in range(COUNT):
        day, content = DATE + datetime.timedelta(days=number), f"day {number}\r\n".encode() * 2_000
        box.add(Extract(content), day, Place(kind, "127.0.0.1"), "test")
        wanted[extract_name(day)] = content
    turns, rounds = Turns(3, faults), 0
    with serving(relay(server.port, turns)) as port, Sender(lambda: opened(port)) as send:
        while any(each.open for each in box.deliveries()) and rounds < 40:
            go_through(box, due(box), lambda each: deliver(box, each.identifier, send)[1])
            clock.forward(minutes=10)
            rounds += 1
    done = box.deliveries()
    assert {each.state for each in done} == {"delivered"}, [each.reason for each in done if each.state != "delivered"]
    assert {path.name: path.read_bytes() for path in server.folder.iterdir()} == wanted
    assert turns.faults == turns.files // 3 >= len(set(faults))
    made = [attempt for each in done for attempt in each.attempts]
    assert len(made) > COUNT, "a fault costs an attempt"
    assert sum(attempt.outcome == "Delivered." for attempt in made) == COUNT, "and each arrived by one of them"
