"""The day's report goes with the extract where that is set: beside it, in the same attempts, and never in its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from abq_data_entry import outbox
from abq_data_entry.network.destinations import destination
from abq_data_entry.network.uploads import KEPT_FROM
from abq_data_entry.outbox import Delivery, Outbox, cancel, deliver, retry
from tests.network.faults import Connection, Ftp, http, serving
from tests.outbox.conftest import DATE, NAME, Extract, alone
from tests.outbox.test_sender import settings_with
from tests.outbox.test_sending import arriving

REPORT = f"abq_data_record_{DATE}.report.html"
PAGE = b"<!DOCTYPE html>\n<title>ABQ</title>\n"


def put(box: Outbox, kind: str, page: bytes = PAGE, **settings: object) -> tuple[Delivery, outbox.Send]:
    values = settings_with(**settings)
    place = destination(kind).place(values)
    delivery = box.add(Extract(), DATE, place, "test", report=lambda path: path.write_bytes(page))
    return delivery, alone(outbox.sender(kind, values, "test", "test", box))


def test_it_arrives_before_the_extract_each_time_the_same(box: Outbox) -> None:
    server = Ftp(replies={"STOR": "450 later"})
    with serving(server) as port:
        delivery, send = put(box, "ftp", abq_ftp_host="127.0.0.1", abq_ftp_port=port)
        assert deliver(box, delivery, send)[0].state == "waiting" and server.files == {}
        server.replies.clear()
        retry(box, delivery)
        done, error = deliver(box, delivery, send)
    assert (done.state, done.reason, error) == ("delivered", "", None)
    assert server.files == {NAME: Extract().content, REPORT: PAGE}
    assert [line.split()[1] for line in server.commands if line.startswith("RNTO")] == [REPORT, NAME]
    assert not box.files_of(delivery)[2].exists()


@pytest.mark.parametrize(("answer", "state"), [("415 Unsupported Media Type", "delivered"), ("503 Busy", "waiting")])
def test_what_refuses_the_report_alone_gets_the_extract(box: Outbox, answer: str, state: str) -> None:
    puts: list[bytes] = []

    def script(connection: Connection) -> None:
        while request := connection.request():
            if request.startswith(b"PUT"):
                puts.append(request)
            is_report = request.startswith(b"PUT") and REPORT.encode() in request
            connection.send(http(answer if is_report else "200 OK"))

    with serving(script) as port:
        address = f"http://127.0.0.1:{port}/"
        delivery, send = put(box, "rest", abq_auth_url=address, abq_upload_url=address)
        done, error = deliver(box, delivery, send)
    assert done.state == state and (error is None) == (state == "delivered")
    assert sum(NAME.encode() in each for each in puts) == (1 if state == "delivered" else 0)
    if state == "delivered":
        assert done.reason.startswith("The day's report wasn't taken there: ") and "415" in done.reason
        assert done.next_step == done.reason


def test_a_report_that_cannot_be_made_leaves_nothing(box: Outbox) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        box.add(Extract(), DATE, outbox.Place("rest", "http://127.0.0.1/"), "test", report=full)
    assert box.deliveries() == [] and not box.leftovers()


def test_parts_of_a_large_one_are_remembered_too(box: Outbox) -> None:
    delivery, _send = put(box, "ftp", page=b"x" * (KEPT_FROM + 1))
    deliver(box, delivery, lambda *_, **__: (_ for _ in ()).throw(ConnectionResetError("broken")))
    cancel(box, box.read(delivery.identifier))
    ((identifier, name),) = box.orphaned_parts(delivery.place)
    assert identifier == f"{delivery.identifier}-report" and name.startswith(REPORT) and name.endswith(".part")


def test_without_the_setting_there_is_none(box: Outbox) -> None:
    delivery = box.add(Extract(), DATE, outbox.Place("rest", "http://127.0.0.1/"), "test")
    assert not box.files_of(delivery)[2].exists()
    assert deliver(box, delivery, arriving)[0].state == "delivered"
