"""Deliveries into a folder, under a name of the settings: versions, parts that were left, and what goes along."""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from abq_data_entry import outbox
from abq_data_entry.network.destinations import destination
from abq_data_entry.outbox import (
    Delivery,
    Outbox,
    OutboxError,
    Place,
    Send,
    Sender,
    SettingsUnusable,
    cancel,
    deliver,
)
from tests.fixtures.servers import BundledServer
from tests.network.certificates import authority
from tests.network.fault_proxy import Fault
from tests.network.proxied_servers import Server, behind_the_proxy
from tests.outbox.conftest import DATE, FTP, NAME, REST, Extract, alone, content_of, replace_content
from tests.outbox.test_orphaned_parts import LARGE
from tests.outbox.test_sender import settings_with

FOLDER = "incoming/lab a"
PATTERN = "{lab} of {date}.csv"
OF_A = b"Date,Time,Technician,Lab,Plot\r\n2026-11-20,8:00,J Simms,A,1\r\n"
MORE_OF_A = OF_A + b"2026-11-20,8:00,J Simms,A,2\r\n"
OF_A_AND_C = OF_A + b"2026-11-20,8:00,J Simms,C,1\r\n"
THERE = Place("ftp", f"127.0.0.1:2100/{FOLDER}")


@pytest.fixture(params=["vsftpd", "proftpd", "sshd"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with behind_the_proxy(request.param, authority("Lab Authority", tmp_path), tmp_path) as running:
        yield running


def sender(box: Outbox, server: Server) -> Send:
    return alone(Sender(lambda: server.uploads(folder=FOLDER), partial(box.discard_parts, THERE)))


def put(box: Outbox, content: bytes, to: Place = THERE) -> Delivery:
    return box.add(Extract(content), DATE, to, "lab", upload_name=PATTERN)


def there(server: Server) -> dict[str, bytes]:
    found = (path for path in server.folder.rglob("*") if path.is_file())
    return {path.relative_to(server.folder).as_posix(): path.read_bytes() for path in found}


def test_the_name_is_settled_when_the_extract_is_made(box: Outbox) -> None:
    one, other = put(box, OF_A), put(box, OF_A_AND_C, REST)
    assert (one.name, one.sent_as) == (NAME, "A of 2026-11-20.csv")
    assert (other.name, other.sent_as) == (NAME, "A-C of 2026-11-20.csv")
    assert box.file_of(one).name == NAME and {each.sent_as for each in box.deliveries()} == {one.sent_as, other.sent_as}
    assert box.add(Extract(OF_A), DATE, FTP, "lab").sent_as == NAME


def test_a_pattern_that_makes_no_sense_puts_nothing_in(box: Outbox) -> None:
    many = b"Lab\r\n" + b"".join(b"%c\r\n" % letter for letter in b"ABCDEFGHIJKL")
    for pattern in ("", "../{date}", "{plot}.csv", "{lab}" * 20):
        with pytest.raises(OutboxError, match="abq_upload_name"):
            box.add(Extract(many), DATE, FTP, "lab", upload_name=pattern)
    assert box.deliveries() == [] and box.leftovers() == []


def test_a_name_in_the_outbox_that_would_lead_elsewhere_is_not_believed(box: Outbox) -> None:
    added = put(box, OF_A)
    replace_content(box, added, json.dumps({**content_of(box, added), "sent_as": "../../etc/x"}))
    assert box.deliveries() == [] and "damaged" in box.problems[0]


def test_the_next_version_takes_the_place_of_the_one_before(box: Outbox, server: Server) -> None:
    for content, version in ((OF_A, 1), (MORE_OF_A, 2)):
        added = put(box, content)
        after, error = deliver(box, added, sender(box, server))
        assert (after.state, after.version, error) == ("delivered", version, None)
    assert there(server) == {f"{FOLDER}/A of 2026-11-20.csv": MORE_OF_A}


def test_a_part_that_was_left_in_the_folder_is_removed_from_there(box: Outbox, server: Server) -> None:
    waiting = put(box, OF_A + LARGE)
    server.proxy.faults.append(Fault("down", 10_000_000, data=server.kind != "sshd"))
    waiting, _ = deliver(box, waiting, sender(box, server))
    server.proxy.is_down = False
    (part,) = there(server)
    assert waiting.state == "waiting" and part.startswith(f"{FOLDER}/A of 2026-11-20.csv.") and part.endswith(".part")
    cancel(box, waiting)
    elsewhere = alone(Sender(server.uploads, partial(box.discard_parts, FTP)))
    deliver(box, box.add(Extract(OF_A), datetime.date(2026, 1, 1), FTP, "lab"), elsewhere)
    assert part in there(server), "the same server, but another folder"
    deliver(box, put(box, OF_A), sender(box, server))
    assert there(server) == {f"{FOLDER}/A of 2026-11-20.csv": OF_A, "abq_data_record_2026-01-01.csv": OF_A}
    assert not box.orphaned_parts(THERE)


def test_a_waiting_one_goes_on_under_its_name_whatever_is_set_later(box: Outbox, server: Server) -> None:
    waiting = put(box, OF_A + LARGE)
    server.proxy.faults.append(Fault("down", 10_000_000, data=server.kind != "sshd"))
    waiting, _ = deliver(box, waiting, sender(box, server))
    server.proxy.is_down = False
    box.add(Extract(OF_A), datetime.date(2026, 1, 1), THERE, "lab", upload_name="{date}.txt")
    after, _ = deliver(box, waiting, sender(box, server))
    assert after.state == "delivered" and there(server) == {f"{FOLDER}/A of 2026-11-20.csv": OF_A + LARGE}


def test_another_folder_is_another_destination_and_the_same_login() -> None:
    one, other = settings_with(abq_ftp_folder="a"), settings_with(abq_ftp_folder="b")
    assert destination("ftp").place(one).address == "localhost:2100/a"
    assert destination("ftp").login_place(one) == destination("ftp").login_place(other) == "ftp://localhost:2100"
    with pytest.raises(OutboxError, match="have changed since"):
        outbox.require_same(destination("ftp").place(one), other)
    with pytest.raises(SettingsUnusable, match="abq_ftp_folder"):
        outbox.require_same(destination("ftp").place(one), settings_with(abq_ftp_folder="../a"))


def test_settings_that_cant_be_used_are_named_before_an_extract_is_made() -> None:
    outbox.require_usable("ftp", settings_with(abq_upload_name="A of {date}.csv"))
    for wrong in ({"abq_upload_name": "../{date}"}, {"abq_ftp_folder": "../a"}):
        with pytest.raises(SettingsUnusable, match=f"{next(iter(wrong))}.* Nothing was sent"):
            outbox.require_usable("ftp", settings_with(**wrong))


def test_the_audit_goes_along_under_the_same_name(box: Outbox, ftp_server: BundledServer) -> None:
    (ftp_server.folder / "incoming").mkdir()
    values = settings_with(
        abq_ftp_host="127.0.0.1", abq_ftp_port=ftp_server.port, abq_ftp_folder="incoming", abq_audit_companion=True
    )
    added = box.add(
        Extract(OF_A), DATE, destination("ftp").place(values), "test", 0, lambda _: "A 1 ab", PATTERN
    )
    after, error = deliver(box, added, alone(outbox.sender("ftp", values, "test", "test")))
    assert (after.state, error) == ("delivered", None)
    names = {path.name for path in (ftp_server.folder / "incoming").iterdir()}
    assert names == {"A of 2026-11-20.csv", "A of 2026-11-20.csv.audit"}


def test_rest_uses_the_name_too(box: Outbox, rest_server: BundledServer) -> None:
    values = settings_with(abq_auth_url=rest_server.auth_url, abq_upload_url=rest_server.upload_url)
    added = put(box, OF_A, destination("rest").place(values))
    with outbox.sender("rest", values, "test", "test") as send:
        send(box.file_of(added), name=added.sent_as, progress=lambda *_: None, cancel=threading.Event())
    assert [path.name for path in rest_server.folder.iterdir()] == ["A of 2026-11-20.csv"]
