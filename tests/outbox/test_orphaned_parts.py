"""A part that a cancelled delivery left at its destination: the next delivery to the same place removes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from abq_data_entry import outbox
from abq_data_entry.outbox import Delivery, Outbox, Place, Sender, cancel, deliver
from tests.network.certificates import authority
from tests.network.fault_proxy import Fault
from tests.network.proxied_servers import Server, behind_the_proxy
from tests.outbox.conftest import DATE, FTP, NAME, REST, Extract, alone

LARGE = (b"2026-11-20,8:00," + b"J Simms " * 300 + b"\r\n") * 6_000
SMALL = b"Date,Time\r\n"


@pytest.fixture(params=["vsftpd", "sshd"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with behind_the_proxy(request.param, authority("Lab Authority", tmp_path), tmp_path) as running:
        yield running


def lost(box: Outbox, server: Server, destination: Place = FTP) -> Delivery:
    """A large delivery that waits, after the network was lost in the middle."""
    delivery = box.add(Extract(LARGE), DATE, destination, "lab")
    server.proxy.faults.append(Fault("down", 10_000_000, data=server.kind != "sshd"))
    send = alone(Sender(server.uploads, partial(box.discard_parts, destination)))
    after, error = deliver(box, delivery, send)
    assert after.state == "waiting" and error is not None
    server.proxy.is_down = False
    assert [name for name in server.files() if name.endswith(".part")]
    return after


@pytest.mark.parametrize("how", ["cancelled", "replaced by a later version"])
def test_is_removed_by_the_next_delivery(how: str, server: Server, box: Outbox) -> None:
    waiting = lost(box, server)
    if how == "cancelled":
        cancel(box, waiting)
    newer = box.add(Extract(SMALL), DATE, FTP, "lab")
    assert box.read(waiting.identifier).state == "cancelled" and server.files()
    after, error = deliver(box, newer, alone(Sender(server.uploads, partial(box.discard_parts, FTP))))
    assert (after.state, error) == ("delivered", None)
    assert server.files() == {NAME: SMALL}
    assert not box.orphaned_parts(FTP)
    assert len(box.deliveries()) == 2 and not box.problems


def test_another_destination_is_left_alone(server: Server, box: Outbox) -> None:
    cancel(box, lost(box, server, Place("ftp", "elsewhere:21")))
    newer = box.add(Extract(SMALL), DATE, FTP, "lab")
    deliver(box, newer, alone(Sender(server.uploads, partial(box.discard_parts, FTP))))
    assert len(server.files()) == 2 and len(box.orphaned_parts(Place("ftp", "elsewhere:21"))) == 1


def test_one_login_for_both(server: Server, box: Outbox) -> None:
    cancel(box, lost(box, server))
    before = server.proxy.connections
    with Sender(server.uploads, partial(box.discard_parts, FTP)) as send:
        deliver(box, box.add(Extract(SMALL), DATE, FTP, "lab"), send)
    assert server.files() == {NAME: SMALL} and server.proxy.connections == before + 1


def test_server_that_cannot_be_reached_is_asked_another_time(server: Server, box: Outbox) -> None:
    cancel(box, lost(box, server))
    server.proxy.faults.append(Fault("refuse", times=100))
    with server.uploads() as uploads:
        box.discard_parts(FTP, uploads)
    server.proxy.faults.clear()
    assert server.files() and box.orphaned_parts(FTP)
    with server.uploads() as uploads:
        box.discard_parts(FTP, uploads)
        box.discard_parts(FTP, uploads)
    assert not server.files() and not box.orphaned_parts(FTP)


@pytest.mark.parametrize("destination", [FTP, REST])
def test_nothing_is_noted_that_cannot_be_there(destination: Place, box: Outbox) -> None:
    def fail(path: Path, *, name: str, progress: object, cancel: threading.Event) -> None:
        raise ConnectionResetError

    for content in (SMALL, LARGE) if destination is REST else (SMALL,):
        delivery = box.add(Extract(content), DATE, destination, "lab")
        after, _error = deliver(box, delivery, fail)
        cancel(box, after)
    unsent = box.add(Extract(LARGE), DATE, destination, "lab")
    cancel(box, unsent)
    assert not box.orphaned_parts(destination)


def test_damaged_note_harms_nothing(box: Outbox) -> None:
    folder = box.folder / "left-there"  # of the version before
    folder.mkdir()
    for number, text in enumerate(("", "[]", '{"kind": "ftp"}', "\0")):
        (folder / f"{number}.json").write_text(text)

    class Nothing:
        def discard(self, name: str) -> bool:
            raise AssertionError(name)

    box.discard_parts(FTP, Nothing())  # type: ignore[arg-type]
    assert list(folder.iterdir()) == [] and len(list((box.folder / "taken-over" / "left-there").iterdir())) == 4
    assert outbox.Outbox(box.folder).deliveries() == []
