"""Attempts: what the outbox says before, during and after them, against real servers and real faults."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from abq_data_entry import network, outbox
from abq_data_entry.models import DatabaseError
from abq_data_entry.network.destinations import destination
from abq_data_entry.network.uploads import KEPT_FROM
from abq_data_entry.outbox import (
    Attempt,
    Busy,
    Delivery,
    Outbox,
    OutboxError,
    Place,
    arrived,
    cancel,
    deliver,
    known_version,
    record,
    reopen,
    retry,
)
from abq_data_entry.outbox.retry_policy import FIRST_PAUSE, LIMIT
from abq_data_entry.outbox.sending import as_row, give_up
from tests.fixtures.servers import BundledServer
from tests.network.faults import Connection, Ftp, http, serving
from tests.outbox.conftest import DATE, FTP, NAME, REST, START, Clock, Extract, alone
from tests.outbox.test_sender import settings_with

PASSWORD = "Gr0undhog-Tuesday"


def rest_sender(auth_url: str, upload_url: str, password: str = "test") -> outbox.Send:
    def send(path: Path, *, name: str, progress: outbox.Progress, cancel: threading.Event) -> None:
        network.upload_to_corporate_rest(
            path, upload_url, auth_url, "test", password, progress=progress, cancel=cancel, timeout=5
        )

    return send


def failing(error: BaseException) -> outbox.Send:
    def send(path: Path, *, name: str, progress: outbox.Progress, cancel: threading.Event) -> None:
        progress(10, 29)
        raise error

    return send


def arriving(path: Path, *, name: str, progress: outbox.Progress, cancel: threading.Event) -> None:
    """Everything is well."""


def put(box: Outbox) -> Delivery:
    return box.add(Extract(), DATE, REST, "lab-a")


def attempt(box: Outbox, delivery: Delivery, send: outbox.Send) -> Delivery:
    return deliver(box, delivery, send, jitter=lambda: 1.0)[0]


def test_it_arrives_and_the_receipt_says_so(box: Outbox, rest_server: BundledServer) -> None:
    added = put(box)
    seen: list[tuple[str, int]] = []

    def send(path: Path, *, name: str, progress: outbox.Progress, cancel: threading.Event) -> None:
        (running,) = box.deliveries()
        seen.append((running.state, len(running.attempts)))
        rest_sender(rest_server.auth_url, rest_server.upload_url)(
            path, name=name, progress=progress, cancel=cancel
        )

    told = list[tuple[int, int]]()
    done, error = deliver(box, added, send, progress=lambda *sent: told.append(sent))
    assert told[-1] == (done.size, done.size)
    assert error is None and seen == [("sending", 1)]
    assert (rest_server.folder / NAME).read_bytes() == Extract().content
    assert box.read(added.identifier) == done
    (made,) = done.attempts
    assert (done.state, done.reason, done.delivered) == ("delivered", "", START)
    assert (made.started, made.sent, made.outcome) == (START, done.size, "Delivered.")
    assert made.seconds is not None and made.seconds >= 0
    assert not box.file_of(done).exists()


def test_what_is_delivered_is_not_sent_again(box: Outbox) -> None:
    done = attempt(box, put(box), arriving)
    assert deliver(box, done, failing(AssertionError("sent twice"))) == (done, None)


def test_a_failure_that_may_pass_is_planned_again_and_a_restart_keeps_that(box: Outbox, clock: Clock) -> None:
    waiting = attempt(box, put(box), failing(ConnectionResetError()))
    assert (waiting.state, waiting.failures) == ("waiting", 1)
    assert waiting.planned == START + datetime.timedelta(seconds=FIRST_PAUSE)
    assert waiting.reason == waiting.attempts[0].outcome == "The connection was cut. Try again."
    assert waiting.attempts[0].sent == 10
    (restarted,) = Outbox(box.folder, clock).deliveries()
    assert restarted == waiting
    assert not outbox.is_due(clock(), restarted.planned, restarted.changed)
    clock.forward(seconds=FIRST_PAUSE)
    assert outbox.is_due(clock(), restarted.planned, restarted.changed)
    again = attempt(box, restarted, failing(ConnectionResetError()))
    assert again.planned == clock() + datetime.timedelta(seconds=2 * FIRST_PAUSE)
    assert attempt(box, again, arriving).state == "delivered"


def test_it_is_given_up_after_a_day(box: Outbox, clock: Clock) -> None:
    delivery = put(box)
    clock.forward(seconds=LIMIT)
    delivery = attempt(box, delivery, failing(ConnectionResetError()))
    assert delivery.state == "failed" and "Given up after 24 hours" in delivery.reason
    assert box.file_of(delivery).exists()
    fresh = retry(box, delivery)
    assert (fresh.state, fresh.planned, fresh.failures, fresh.since) == ("waiting", None, 0, clock())
    assert attempt(box, fresh, failing(ConnectionResetError())).state == "waiting"


def answering(*replies: bytes) -> Callable[[Connection], None]:
    left = list(replies)

    def script(connection: Connection) -> None:
        while left and connection.request():
            connection.send(left.pop(0))

    return script


def test_the_server_says_when(box: Outbox) -> None:
    with serving(answering(http("200 OK"), http("503 Busy", b"", "Retry-After: 7200"))) as port:
        address = f"http://127.0.0.1:{port}/"
        waiting = attempt(box, put(box), rest_sender(address, address))
    assert waiting.planned == START + datetime.timedelta(seconds=7200)
    with serving(answering(http("200 OK"), http("429 Slowly", b"", f"Retry-After: {LIMIT + 1:.0f}"))) as port:
        address = f"http://127.0.0.1:{port}/"
        assert attempt(box, waiting, rest_sender(address, address)).state == "failed"


def test_a_failure_that_can_not_pass_is_not_tried_again(box: Outbox, rest_server: BundledServer) -> None:
    sender = rest_sender(rest_server.auth_url, rest_server.upload_url, PASSWORD)
    delivery = put(box)
    failed, error = deliver(box, delivery, sender)
    assert (failed.state, failed.planned) == ("failed", None)
    assert isinstance(error, network.requests.HTTPError) and "password" in failed.reason
    assert all(PASSWORD.encode() not in path.read_bytes() for path in box.folder.rglob("*") if path.is_file())
    right = rest_sender(rest_server.auth_url, rest_server.upload_url)
    assert attempt(box, retry(box, failed), right).state == "delivered"


def test_cancel_ends_it_and_removes_the_file(box: Outbox) -> None:
    cancelled, error = deliver(box, put(box), failing(network.Cancelled()))
    assert cancelled.state == "cancelled" and isinstance(error, network.Cancelled)
    assert not box.file_of(cancelled).exists()
    with pytest.raises(OutboxError, match="Upload the day again"):
        retry(box, cancelled)


def test_cancel_of_one_that_waits(box: Outbox) -> None:
    waiting = attempt(box, put(box), failing(ConnectionResetError()))
    cancelled = cancel(box, waiting)
    assert cancelled.state == "cancelled" and not box.file_of(cancelled).exists()
    assert cancel(box, waiting) == cancelled
    with pytest.raises(OutboxError, match="arrived"):
        cancel(box, attempt(box, put(box), arriving))


def test_the_caller_breaking_off_lets_it_wait(box: Outbox) -> None:
    delivery = put(box)
    with pytest.raises(KeyboardInterrupt):
        deliver(box, delivery, failing(KeyboardInterrupt()))
    waiting = box.read(delivery.identifier)
    assert (waiting.state, waiting.planned, waiting.failures) == ("waiting", None, 0)
    assert "Broken off" in waiting.attempts[0].outcome


def test_after_a_crash_while_sending_it_waits(box: Outbox) -> None:
    delivery = put(box)
    with box.locked(delivery):
        box.write(delivery, state="sending", attempts=(outbox.Attempt(START),))
    box.tidy()
    waiting = box.read(delivery.identifier)
    assert (waiting.state, waiting.planned) == ("waiting", None)
    assert "Broken off" in waiting.attempts[0].outcome
    done = attempt(box, waiting, arriving)
    assert [each.outcome[:10] for each in done.attempts] == ["Broken off", "Delivered."]


def test_what_is_recorded_stands_beside_the_attempts(box: Outbox) -> None:
    delivery = put(box)
    box.note_recorded([delivery])
    assert box.unrecorded() == []
    with box.locked(delivery):
        sending = box.write(delivery, state="sending", attempts=(outbox.Attempt(START),))
    assert box.unrecorded() == [sending] == box.deliveries()
    box.note_recorded([sending])
    assert box.unrecorded() == []


def test_a_file_that_was_damaged_in_the_outbox_is_not_sent(box: Outbox) -> None:
    delivery = put(box)
    box.file_of(delivery).write_bytes(Extract().content.replace(b"8:00", b"9:00"))
    failed, error = deliver(box, delivery, failing(AssertionError("sent")))
    assert failed.state == "failed" and "damaged" in failed.reason and isinstance(error, OutboxError)


def test_a_new_version_while_the_old_one_is_being_sent(box: Outbox) -> None:
    """The old one was begun and fails: it is not tried again, or it would replace the new one."""
    added: list[Delivery] = []

    def send(path: Path, *, name: str, progress: outbox.Progress, cancel: threading.Event) -> None:
        added.append(box.add(Extract(b"corrected\r\n"), DATE, REST, "lab-a"))
        raise ConnectionResetError

    first = attempt(box, put(box), send)
    assert first.state == "cancelled" and "version 2" in first.reason
    assert attempt(box, added[0], arriving).state == "delivered"


def test_an_old_version_is_never_sent_after_a_newer_one(box: Outbox) -> None:
    first = put(box)
    second = box.add(Extract(b"corrected\r\n"), DATE, REST, "lab-a")
    with box.locked(first):  # as if the crash had come before the old one was cancelled
        first = box.write(box.read(first.identifier), state="waiting")
    attempt(box, second, arriving)
    box.file_of(first).parent.mkdir()
    box.file_of(first).write_bytes(Extract().content)
    after = attempt(box, first, failing(AssertionError("sent")))
    assert after.state == "cancelled" and "version 2" in after.reason


def test_two_at_once_send_it_once(box: Outbox) -> None:
    """While one thread sends, another finds it busy; with patience, it finds it delivered."""
    delivery = put(box)
    begun, go_on = threading.Event(), threading.Event()
    sent: list[Path] = []

    def slowly(path: Path, *, name: str, progress: outbox.Progress, cancel: threading.Event) -> None:
        sent.append(path)
        begun.set()
        assert go_on.wait(20)

    thread = threading.Thread(target=deliver, args=(box, delivery, slowly))
    thread.start()
    assert begun.wait(20)
    for refused in (lambda: deliver(box, delivery, slowly), lambda: retry(box, delivery)):
        with pytest.raises(Busy):
            refused()
    with pytest.raises(Busy):
        cancel(box, delivery)
    go_on.set()
    assert deliver(box, delivery, slowly, patience=20)[0].state == "delivered"
    thread.join(20)
    assert len(sent) == 1


def test_other_destinations_do_not_wait_for_one_another(box: Outbox) -> None:
    rest, ftp = put(box), box.add(Extract(), DATE, FTP, "lab-a")

    def send(path: Path, *, name: str, progress: outbox.Progress, cancel: threading.Event) -> None:
        assert attempt(box, ftp, arriving).state == "delivered"

    assert attempt(box, rest, send).state == "delivered"


def test_what_people_find_out_is_noted_where_it_may_be(box: Outbox) -> None:
    waiting = put(box)
    with pytest.raises(OutboxError, match=f"{waiting.short_id} is waiting: only one in the state unknown"):
        arrived(box, waiting)
    assert reopen(box, waiting, "Refused.") == waiting
    given_up = give_up(box, waiting, "No such folder.")
    assert (given_up.state, given_up.reason, given_up.planned) == ("failed", "No such folder.", None)
    again = retry(box, given_up)
    assert (again.state, again.failures, again.planned, again.since) == ("waiting", 0, None, START)
    unknown = box.write(again, state="unknown", planned=START, served=("a@example.org",))
    found = arrived(box, unknown)
    assert (found.state, found.reason) == ("delivered", "Somebody has found that it arrived.")
    assert (found.planned, found.served) == (None, ())
    for call, words in ((retry, "is delivered, and its file isn't kept"), (cancel, "has arrived already")):
        with pytest.raises(OutboxError, match=words):
            call(box, found)
    refused = reopen(box, found, "The receiver refused it.")
    assert (refused.state, refused.reason) == ("failed", "The receiver refused it.")
    assert cancel(box, refused).reason == "Cancelled." and retry_is_refused(box, refused)


def retry_is_refused(box: Outbox, delivery: Delivery) -> bool:
    with pytest.raises(OutboxError, match="is cancelled, and its file isn't kept"):
        retry(box, delivery)
    return True


def test_a_delivery_is_a_row_of_the_database() -> None:
    delivery = Delivery(
        "ab" * 16, NAME, DATE, "rest", "http://x", "lab-a", 10, "f" * 64, 2, START, START, START, state="delivered"
    )
    assert as_row(delivery) == {
        "id": "ab" * 16, "file_name": NAME, "version": 2, "date": DATE, "destination": "rest", "address": "http://x",
        "username": "lab-a", "size": 10, "sha256": "f" * 64, "created": START, "state": "delivered", "attempts": 0,
        "last_attempt": None, "delivered": START, "reason": None, "revision": 1, "audit_head": None,
    }  # fmt: skip
    begun = START + datetime.timedelta(1)
    tried = replace(
        delivery, state="failed", reason="No.", audit_head="A 1 x", attempts=(Attempt(START, 1.0), Attempt(begun))
    )
    expected = {"attempts": 2, "last_attempt": begun, "delivered": None, "reason": "No.", "audit_head": "A 1 x"}
    assert {name: as_row(tried)[name] for name in expected} == expected


class Ledger:
    """In place of the database: which versions it knows, and how many rows came at once."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.came: list[int] = []

    def record_deliveries(self, rows: Sequence[Mapping[str, object]]) -> None:
        if self.error is not None and self.came:
            raise self.error
        self.came.append(len(rows))

    def latest_delivery(self, date: datetime.date, file_name: str, destination: str) -> int:
        if self.error is not None:
            raise self.error
        return {(DATE, NAME, "rest"): 3, (DATE, "other.csv", "ftp"): 5}[date, file_name, destination]


def test_the_version_that_the_database_knows() -> None:
    assert known_version(Ledger(), DATE, "rest") == 3 and known_version(Ledger(), DATE, "ftp", "other.csv") == 5
    assert known_version(Ledger(DatabaseError("gone")), DATE, "rest") == 0


def test_rows_that_could_not_be_recorded_are_reported_and_stay(box: Outbox) -> None:
    ledger = Ledger(DatabaseError("The database is gone."))
    first, second = put(box), box.add(Extract(), DATE, FTP, "lab-a")
    assert record(box, ledger, first) == "" and box.unrecorded() == [second]
    assert record(box, ledger) == "The database is gone." and box.unrecorded() == [second]
    ledger.error = None
    assert record(box, ledger) == "" and box.unrecorded() == [] and ledger.came == [1, 1]


# The day's report goes with the extract where that is set: beside it, in the same attempts, and never in its way.

REPORT = f"abq_data_record_{DATE}.report.html"
PAGE = b"<!DOCTYPE html>\n<title>ABQ</title>\n"


def with_report(box: Outbox, kind: str, page: bytes = PAGE, **settings: object) -> tuple[Delivery, outbox.Send]:
    values = settings_with(**settings)
    place = destination(kind).place(values)
    delivery = box.add(Extract(), DATE, place, "test", report=lambda path: path.write_bytes(page))
    return delivery, alone(outbox.sender(kind, values, "test", "test", box))


def test_a_report_arrives_before_the_extract_each_time_the_same(box: Outbox) -> None:
    server = Ftp(replies={"STOR": "450 later"})
    with serving(server) as port:
        delivery, send = with_report(box, "ftp", abq_ftp_host="127.0.0.1", abq_ftp_port=port)
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
        delivery, send = with_report(box, "rest", abq_auth_url=address, abq_upload_url=address)
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
        box.add(Extract(), DATE, Place("rest", "http://127.0.0.1/"), "test", report=full)
    assert box.deliveries() == [] and not box.leftovers()


def test_parts_of_a_large_report_are_remembered_too(box: Outbox) -> None:
    delivery, _send = with_report(box, "ftp", page=b"x" * (KEPT_FROM + 1))
    deliver(box, delivery, lambda *_, **__: (_ for _ in ()).throw(ConnectionResetError("broken")))
    cancel(box, box.read(delivery.identifier))
    ((identifier, name),) = box.orphaned_parts(delivery.place)
    assert identifier == f"{delivery.identifier}-report" and name.startswith(REPORT) and name.endswith(".part")


def test_without_the_setting_there_is_no_report(box: Outbox) -> None:
    delivery = box.add(Extract(), DATE, Place("rest", "http://127.0.0.1/"), "test")
    assert not box.files_of(delivery)[2].exists()
    assert deliver(box, delivery, arriving)[0].state == "delivered"
