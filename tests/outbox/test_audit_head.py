"""Where the audit stood goes with each extract, by every protocol, and belongs to the extract that it goes with."""

from __future__ import annotations

import datetime
import re
from functools import partial
from pathlib import Path

import pytest

from abq_data_entry import outbox
from abq_data_entry.models import SQLModel
from abq_data_entry.network.destinations import destination
from abq_data_entry.outbox import Delivery, Outbox, OutboxError, cancel, deliver
from tests.fixtures.servers import BundledServer
from tests.models.records import DATE as RECORD_DATE
from tests.models.records import record
from tests.models.test_schema import Endpoint, run
from tests.network.faults import Connection, Ftp, http, serving
from tests.network.real_servers import sshd
from tests.outbox.conftest import DATE, FTP, NAME, REST, Extract, alone
from tests.outbox.test_sender import settings_with
from tests.outbox.test_sending import arriving, failing

HEAD = f"A 12 {'a' * 64}; B 7 {'b' * 64}"
LINE = f"{HEAD}\n"


def put(box: Outbox, head: str = HEAD, destination: outbox.Place = REST) -> Delivery:
    return box.add(Extract(), DATE, destination, "test", audit_head=lambda day: head if day == DATE else "")


def test_it_stands_in_the_entry_and_beside_the_extract(box: Outbox) -> None:
    delivery = put(box)
    assert box.read(delivery.identifier).audit_head == HEAD
    assert delivery.audit_chains == HEAD.split("; ")
    path, beside, _report = box.files_of(delivery)
    assert beside.name == f"{NAME}.audit" and beside.read_text() == LINE
    assert deliver(box, delivery, arriving)[0].state == "delivered"
    assert not path.exists() and not beside.exists()


def test_without_an_audit_there_is_none(box: Outbox) -> None:
    for delivery in (put(box, ""), box.add(Extract(), DATE, FTP, "test")):
        assert delivery.audit_chains == [] and not box.files_of(delivery)[1].exists()
        assert box.is_whole(delivery)


def test_a_save_meanwhile_makes_both_anew(box: Outbox) -> None:
    """The head is that of the extract: what was saved between them is in both."""
    heads, exports = iter(["A 1 x", "A 2 y", "A 2 y"]), list[Path]()

    class Counted(Extract):
        def export_records(self, path: Path, first_date: datetime.date) -> int:
            exports.append(path)
            return super().export_records(path, first_date)

    assert box.add(Counted(), DATE, REST, "test", audit_head=lambda day: next(heads)).audit_head == "A 2 y"
    assert len(exports) == 2
    numbers = iter(range(10))
    assert box.add(Counted(), DATE, REST, "test", audit_head=lambda day: f"A {next(numbers)} z").audit_head == "A 2 z"
    assert len(exports) == 5, "a laboratory that never rests is delivered too"


def test_whoever_may_not_read_the_audit_delivers_without(box: Outbox, model: SQLModel, database: Endpoint) -> None:
    model.save_record(record())
    with_head = box.add(model, RECORD_DATE, REST, "test", audit_head=partial(outbox.head_of, model))
    assert with_head.audit_head == model.audit_heads(RECORD_DATE) != ""
    role = f"guest_of_{database['dbname']}"
    run(database, f"CREATE ROLE {role}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    run(database, f"REVOKE SELECT ON audit_heads FROM {role}")
    guest = SQLModel.at({**database, "options": f"-c role={role}"})
    try:
        without = box.add(guest, RECORD_DATE, FTP, "test", audit_head=partial(outbox.head_of, guest))
    finally:
        guest.close()
        run(database, f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert without.audit_head == "" and box.is_whole(without)


def test_the_database_has_it_too(box: Outbox, model: SQLModel, database: Endpoint) -> None:
    delivery = put(box)
    outbox.record(box, model)
    outbox.record(box, model, box.add(Extract(), DATE, FTP, "test"))
    rows = run(database, "SELECT audit_head FROM deliveries ORDER BY audit_head NULLS LAST")
    assert rows == [(delivery.audit_head,), (None,)]


def test_a_lab_of_any_name_fits(box: Outbox) -> None:
    delivery = put(box, "Ä 1 x; \r 2 y")
    assert delivery.audit_head == "%C3%84 1 x; %0D 2 y"
    assert box.deliveries() == [delivery] and box.is_whole(delivery)


@pytest.mark.parametrize("damage", [None, "", "A 12 ffff\n", "\udcff"])
def test_one_that_was_changed_is_not_sent(box: Outbox, damage: str | None) -> None:
    delivery = put(box)
    beside = box.files_of(delivery)[1]
    beside.unlink() if damage is None else beside.write_bytes(damage.encode("utf-8", "surrogateescape"))
    failed, error = deliver(box, delivery, failing(AssertionError("sent")))
    assert failed.state == "failed" and isinstance(error, OutboxError)


def test_it_goes_when_the_delivery_ends(box: Outbox) -> None:
    delivery = put(box)
    beside, text = box.files_of(delivery)[1], box.files_of(delivery)[1].read_text()
    cancel(box, delivery)
    assert not beside.exists()
    beside.parent.mkdir()
    beside.write_text(text)  # killed between the two
    box.tidy()
    assert not beside.exists()


def send_to(box: Outbox, kind: str, username: str, **settings: object) -> Delivery:
    values = settings_with(**settings)
    delivery = put(box, destination=destination(kind).place(values))
    done, error = deliver(box, delivery, alone(outbox.sender(kind, values, username, "test")))
    assert error is None
    return done


def test_rest_has_it_in_a_header_of_each_put(box: Outbox) -> None:
    seen: list[bytes] = []

    def script(connection: Connection) -> None:
        while request := connection.request():
            seen.append(request)
            connection.send(http("200 OK"))

    with serving(script) as port:
        address = f"http://127.0.0.1:{port}/"
        send_to(box, "rest", "test", abq_auth_url=address, abq_upload_url=address)
    assert [re.findall(rb"(?i)abq-audit-head: (.*?)\r\n", request) for request in seen] == [[], [HEAD.encode()]]


def test_without_the_setting_ftp_gets_the_extract_alone(box: Outbox) -> None:
    server = Ftp()
    with serving(server) as port:
        send_to(box, "ftp", "test", abq_ftp_host="127.0.0.1", abq_ftp_port=port)
    assert server.files == {NAME: Extract().content}


def test_ftp_has_it_in_a_file_before_the_extract(box: Outbox) -> None:
    server = Ftp()
    with serving(server) as port:
        send_to(box, "ftp", "test", abq_ftp_host="127.0.0.1", abq_ftp_port=port, abq_audit_companion=True)
    assert server.files == {NAME: Extract().content, f"{NAME}.audit": LINE.encode()}
    arrived = [line.split()[1] for line in server.commands if line.startswith("RNTO")]
    assert arrived == [f"{NAME}.audit", NAME]


def test_the_bundled_servers_take_it(box: Outbox, ftp_server: BundledServer, rest_server: BundledServer) -> None:
    place: dict[str, object] = {"abq_ftp_host": ftp_server.host, "abq_ftp_port": ftp_server.port}
    send_to(box, "ftp", "test", abq_audit_companion=True, **place)
    assert (ftp_server.folder / f"{NAME}.audit").read_text() == LINE
    assert (ftp_server.folder / NAME).read_bytes() == Extract().content
    send_to(box, "rest", "test", abq_auth_url=rest_server.auth_url, abq_upload_url=rest_server.upload_url)
    assert [path.name for path in rest_server.folder.iterdir()] == [NAME]


def test_sftp_has_it_in_a_file_too(box: Outbox, tmp_path: Path) -> None:
    with sshd() as server:
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n", encoding="ascii")
        send_to(
            box,
            "ftp",
            server.username,
            abq_transfer="sftp",
            abq_audit_companion=True,
            abq_ftp_host="127.0.0.1",
            abq_sftp_port=server.port,
            abq_sftp_key_file=str(server.key_file),
            abq_sftp_known_hosts=str(known),
        )
        assert (server.folder / f"{NAME}.audit").read_text() == LINE
        assert (server.folder / NAME).read_bytes() == Extract().content
