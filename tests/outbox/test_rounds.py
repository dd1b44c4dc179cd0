"""Several deliveries: which are due, which share a login, and when the rest is left for another time."""

from __future__ import annotations

import datetime
import threading
from pathlib import Path

import pytest

from abq_data_entry import outbox
from abq_data_entry.network.destinations import destination
from abq_data_entry.outbox import Delivery, Outbox, Progress, Service, attempt_each, by_service, deliver, due
from tests.fixtures.servers import BundledServer
from tests.network.faults import http, serving
from tests.outbox.conftest import DATE, FTP, REST, Clock, Extract
from tests.outbox.test_sender import settings_with
from tests.outbox.test_sending import answering, failing, rest_sender


def put(box: Outbox, number: int, username: str = "lab-a") -> Delivery:
    return box.add(Extract(), DATE + datetime.timedelta(days=number), REST, username)


def test_what_is_due(box: Outbox, clock: Clock) -> None:
    first, second, third = (put(box, number) for number in range(3))
    assert due(box) == sorted((first, second, third), key=lambda each: each.identifier)
    deliver(box, first, failing(ConnectionResetError()))
    outbox.cancel(box, second)
    assert due(box) == [third]
    clock.forward(minutes=2)
    assert {each.identifier for each in due(box)} == {first.identifier, third.identifier}
    clock.forward(days=-2)
    assert len(due(box)) == 2, "a clock that was set back delays nothing"


def test_a_login_is_for_one_place_and_one_user(box: Outbox) -> None:
    first, other, second = put(box, 1), put(box, 2, "lab-b"), put(box, 3)
    ftp = box.add(Extract(), DATE, FTP, "lab-a")
    assert by_service([first, other, second, ftp]) == {
        Service("rest", REST.address, "lab-a"): [first, second],
        Service("rest", REST.address, "lab-b"): [other],
        Service("ftp", FTP.address, "lab-a"): [ftp],
    }


@pytest.mark.parametrize(
    ("errors", "left"),
    [
        ((None,) * 5, 0),
        ((None, ConnectionResetError(), None, ConnectionResetError(), ConnectionResetError()), 0),
        ((ConnectionResetError(), ConnectionResetError(), ConnectionResetError(), None, None), 2),
        ((PermissionError(),) * 5, 0),  # of each file alone: the others may go
        ((ConnectionResetError(), PermissionError(), ConnectionResetError(), ConnectionResetError(), None), 0),
    ],
)
def test_a_service_that_is_not_well_is_left_alone(
    box: Outbox, errors: tuple[BaseException | None, ...], left: int
) -> None:
    deliveries = [put(box, number) for number in range(5)]
    coming = iter(errors)
    assert attempt_each(box, deliveries, lambda each: next(coming)) == deliveries[5 - left :]


def test_after_a_server_has_said_when_nothing_is_asked_of_it(box: Outbox, clock: Clock) -> None:
    deliveries = [put(box, number) for number in range(3)]
    with serving(answering(http("200 OK"), http("429 Slowly", b"", "Retry-After: 600"))) as port:
        send = rest_sender(f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}/")
        left = attempt_each(box, deliveries, lambda each: deliver(box, each, send)[1])
    assert [each.identifier for each in left] == [each.identifier for each in deliveries[1:]]
    assert [len(box.read(each.identifier).attempts) for each in deliveries] == [1, 0, 0]
    assert due(box) == [] and {each.state for each in box.deliveries()} == {"waiting"}
    planned = box.read(deliveries[0].identifier).planned
    assert planned is not None and {each.planned for each in box.deliveries()} == {planned}
    clock.forward(seconds=(planned - clock()).total_seconds() - 1)
    assert due(box) == [], "nothing goes there before"
    clock.forward(seconds=1)
    assert len(due(box)) == 3


def test_a_server_that_wants_days_gets_an_attempt_a_day(box: Outbox, clock: Clock) -> None:
    deliveries = [put(box, number) for number in range(2)]
    with serving(answering(http("200 OK"), http("503 Closed", b"", "Retry-After: 999999999"))) as port:
        send = rest_sender(f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}/")
        attempt_each(box, deliveries, lambda each: deliver(box, each, send)[1])
    first, second = (box.read(each.identifier) for each in deliveries)
    assert (first.state, second.state) == ("failed", "waiting")
    assert second.planned == clock() + datetime.timedelta(days=1)


def test_a_refused_login_is_tried_once(box: Outbox) -> None:
    deliveries = [put(box, number) for number in range(3)]
    with serving(answering(http("401 Unauthorized"))) as port:
        send = rest_sender(f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}/")
        left = attempt_each(box, deliveries, lambda each: deliver(box, each, send)[1])
    assert left == deliveries[1:]


@pytest.mark.parametrize("kind", ["rest", "ftp"])
def test_many_arrive_over_one_login(
    box: Outbox, kind: str, rest_server: BundledServer, ftp_server: BundledServer
) -> None:
    values = settings_with(
        abq_auth_url=rest_server.auth_url,
        abq_upload_url=rest_server.upload_url,
        abq_ftp_host=ftp_server.host,
        abq_ftp_port=ftp_server.port,
    )
    for number in range(20):
        day = DATE + datetime.timedelta(days=number)
        box.add(Extract(f"day {number}\r\n".encode()), day, destination(kind).place(values), "test")
    with outbox.sender(kind, values, "test", "test") as send:
        assert attempt_each(box, due(box), lambda each: deliver(box, each, send)[1]) == []
    server = {"rest": rest_server, "ftp": ftp_server}[kind]
    assert {each.state for each in box.deliveries()} == {"delivered"}
    assert sorted(path.read_text() for path in server.folder.iterdir()) == sorted(f"day {n}\n" for n in range(20))
    logins = {"rest": server.output().count("POST request received"), "ftp": server.output().count("logged in")}
    assert logins[kind] == 1


def test_a_break_in_between_costs_one_attempt(box: Outbox, rest_server: BundledServer) -> None:
    """What fails in the middle of a round is tried again; the rest goes on, with a connection of its own."""
    values = settings_with(abq_auth_url=rest_server.auth_url, abq_upload_url=rest_server.upload_url)
    deliveries = [put(box, number, "test") for number in range(5)]

    with outbox.sender("rest", values, "test", "test") as sender:

        def send(path: Path, *, name: str, progress: Progress, cancel: threading.Event) -> None:
            sender(path, name=name, progress=progress, cancel=cancel)
            if path.parent.name == deliveries[2].identifier:
                raise ConnectionResetError  # it is stored, and we don't know it

        attempt_each(box, deliveries, lambda each: deliver(box, each, send)[1])
        states = [box.read(each.identifier).state for each in deliveries]
        assert states == ["delivered", "delivered", "waiting", "delivered", "delivered"]
        deliver(box, deliveries[2], sender)
    assert len(list(rest_server.folder.iterdir())) == 5
    assert box.read(deliveries[2].identifier).state == "delivered"
