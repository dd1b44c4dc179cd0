"""By which protocol a delivery goes, and where it leads, by the settings."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry import network, outbox
from abq_data_entry.models import SETTINGS
from abq_data_entry.network.destinations import destination
from abq_data_entry.network.failures import UserFacingError
from abq_data_entry.network.shell_session import FileRefused
from abq_data_entry.outbox.delivery import companion, report_of
from abq_data_entry.outbox.sending import Sender
from tests.network.faults import Connection, Ftp, http, serving
from tests.network.real_servers import sshd
from tests.outbox.conftest import alone


def settings_with(**values: object) -> dict[str, object]:
    return {**{each.name: each.default for each in SETTINGS}, **values}


def test_sftp_in_place_of_ftp_by_the_settings(tmp_path: Path) -> None:
    extract = tmp_path / "extract.csv"
    extract.write_bytes(b"Date,Time\r\n")
    with sshd() as server:
        settings = settings_with(
            abq_transfer="sftp",
            abq_ftp_host="127.0.0.1",
            abq_sftp_port=server.port,
            abq_sftp_key_file=str(server.key_file),
            abq_sftp_known_hosts=str(tmp_path / "known_hosts"),
        )
        assert destination("ftp").place(settings).address == f"127.0.0.1:{server.port}"

        def deliver() -> None:
            send = alone(outbox.sender("ftp", settings, server.username, ""))
            send(extract, name=extract.name, progress=lambda sent, total: None, cancel=threading.Event())

        with pytest.raises(network.HostKeyUnknown) as caught:
            deliver()
        assert "abq_sftp_host_key" in str(caught.value)
        settings["abq_sftp_host_key"] = caught.value.fingerprint
        deliver()
        assert (server.folder / extract.name).read_bytes() == extract.read_bytes()


def test_every_attempt_of_a_delivery_has_the_same_key(tmp_path: Path) -> None:
    seen: list[bytes] = []

    def script(connection: Connection) -> None:
        while request := connection.request():
            seen.append(request)
            connection.send(http("200 OK"))

    keys = []
    with serving(script) as port:
        address = f"http://127.0.0.1:{port}/"
        settings = settings_with(abq_auth_url=address, abq_upload_url=address)
        for folder in ("0123", "0123", "4567"):
            extract = tmp_path / folder / "extract.csv"
            extract.parent.mkdir(exist_ok=True)
            extract.write_bytes(b"Date,Time\r\n")
            alone(outbox.sender("rest", settings, "alice", "secret"))(
                extract, name=extract.name, progress=lambda sent, total: None, cancel=threading.Event()
            )
            found = re.search(rb'Idempotency-Key: "(.*?)"', seen[-1])
            assert found is not None
            keys.append(found[1])
    assert keys == [b"0123", b"0123", b"4567"]


def test_ftp_unless_the_settings_say_otherwise() -> None:
    assert destination("ftp").place(settings_with()).address == "localhost:2100"


def test_one_login_for_all_that_is_sent_within(tmp_path: Path) -> None:
    server = Ftp()
    paths = [tmp_path / "0123" / f"{number}.csv" for number in range(3)]
    paths[0].parent.mkdir()
    with serving(server) as port:
        send = outbox.sender("ftp", settings_with(abq_ftp_host="127.0.0.1", abq_ftp_port=port), "lab", "secret")
        with send:
            for path in paths:
                path.write_bytes(b"Date,Time\r\n")
                send(path, name=path.name, progress=lambda sent, total: None, cancel=threading.Event())
        assert server.left.wait(5)
    assert len(server.files) == 3
    assert server.commands.count("USER lab") == 1


class Uploads:
    """In place of a login: keeps what it was asked, in order; `takes`: what goes along; `refuses`: files, by name."""

    def __init__(self, takes: str = "", refuses: dict[str, Exception] | None = None) -> None:
        self.takes, self.refuses = takes, refuses or {}
        self.asked: list[tuple[str, ...]] = []
        self.remark = ""

    def take_along(self, headers: dict[str, str]) -> bool:
        self.asked.append(("along", *headers, *headers.values()))
        return self.takes == "headers"

    def attach(self, file: Path, name: str) -> bool:
        self.asked.append(("attach", name))
        return self.takes == "files"

    def leave_out(self, receivers: Collection[str]) -> None:
        self.asked.append(("without", *receivers))

    def upload(self, path: Path, *, name: str, identifier: str, **_others: object) -> None:
        self.asked.append(("upload", name, identifier))
        if path.name in self.refuses:
            raise self.refuses[path.name]

    def close(self) -> None:
        self.asked.append(("close",))


NUMBER = "ab" * 16
FILE = "abq_data_record_2026-11-20.csv"


def sent(tmp_path: Path, uploads: Uploads, *, head: str = "A 1 abc", report: bool = False, **how: Any) -> str:
    """What the sender says of a delivery that it sends, with these files beside it."""
    folder = tmp_path / NUMBER
    folder.mkdir()
    path = folder / FILE
    path.write_bytes(b"Date,Time\r\n")
    if head:
        companion(path).write_text(f"{head}\n")
    if report:
        report_of(path).write_text("<html>")
    made: Any = uploads
    with Sender(lambda: made, **how) as sender:
        return sender(path, name="lab.csv", progress=lambda sent, total: None, cancel=threading.Event())


UPLOAD = ("upload", "lab.csv", NUMBER)
ALONG = ("along", "ABQ-Audit-Head", "A 1 abc")


@pytest.mark.parametrize(
    ("takes", "how", "asked"),
    [
        ("headers", {"with_companion": True}, [ALONG, UPLOAD]),
        ("", {}, [ALONG, UPLOAD]),
        ("", {"with_companion": True},
         [ALONG, ("attach", "lab.csv.audit"), ("upload", "lab.csv.audit", f"{NUMBER}-audit"), UPLOAD]),
        ("files", {"with_companion": True, "head": ""}, [UPLOAD]),
        ("files", {"with_checksum": True, "with_companion": True},
         [ALONG, ("attach", "lab.csv.audit"), ("attach", "lab.csv.sha256"), UPLOAD]),
        ("", {"with_checksum": True, "head": ""},
         [("attach", "lab.csv.sha256"), ("upload", "lab.csv.sha256", f"{NUMBER}-sha256"), UPLOAD]),
        ("", {"report": True, "head": ""},
         [("attach", "lab.report.html"), ("upload", "lab.report.html", f"{NUMBER}-report"), UPLOAD]),
        ("files", {"report": True, "head": ""}, [("attach", "lab.report.html"), UPLOAD]),
        ("", {"served": lambda identifier: [identifier[:2], "b"], "head": ""}, [("without", "ab", "b"), UPLOAD]),
    ],
)  # fmt: skip
def test_what_goes_with_a_file_goes_before_it(
    tmp_path: Path, takes: str, how: dict[str, Any], asked: list[tuple[str, ...]]
) -> None:
    uploads = Uploads(takes)
    assert sent(tmp_path, uploads, **how) == "" and uploads.asked == [*asked, ("close",)]


def test_orphaned_parts_go_after_a_file_has_arrived(tmp_path: Path) -> None:
    uploads = Uploads()
    uploads.remark = "One receiver is unknown."
    remark = sent(tmp_path, uploads, head="", discard=lambda each: each.asked.append(("discard",)))
    assert remark == uploads.remark and uploads.asked == [UPLOAD, ("discard",), ("close",)]
    again = Uploads(refuses={FILE: ConnectionResetError()})
    (tmp_path / "other").mkdir()
    with pytest.raises(ConnectionResetError):
        sent(tmp_path / "other", again, head="", discard=lambda each: each.asked.append(("discard",)))
    assert again.asked == [UPLOAD, ("close",)]


@pytest.mark.parametrize(
    ("error", "is_raised"),
    [(FileRefused("no"), False), (ConnectionResetError(), True), (network.LoginRefused("wrong"), True),
     (network.HostKeyUnknown("never seen", "SHA256:abc"), True), (network.Cancelled(), True)],
)  # fmt: skip
def test_a_report_that_is_refused_does_not_hold_back_the_extract(
    tmp_path: Path, error: Exception, is_raised: bool
) -> None:
    uploads = Uploads(refuses={report_of(Path(FILE)).name: error})
    if is_raised:
        with pytest.raises(type(error)):
            sent(tmp_path, uploads, head="", report=True)
    else:
        assert sent(tmp_path, uploads, head="", report=True).startswith("The day's report wasn't taken there: no")
    assert (UPLOAD in uploads.asked) is not is_raised


class KeyUnknown(UserFacingError, Exception):
    """The server was never seen before."""

    fingerprint = "SHA256:unknown"


def test_an_unknown_key_is_asked_about_once() -> None:
    path, asked = Path("absent") / FILE, list[str]()
    first, second = Uploads(refuses={FILE: KeyUnknown("Not known.")}), Uploads()
    sending: dict[str, Any] = {"name": FILE, "progress": lambda sent, total: None, "cancel": threading.Event()}

    def answering(answer: Any) -> Any:
        def trusted(fingerprint: str) -> Any:
            asked.append(fingerprint)
            return answer

        return trusted

    with Sender(lambda: first, trusted=answering(lambda: second)) as sender:  # type: ignore[arg-type,return-value]
        for _ in range(2):
            sender(path, **sending)
    assert asked == ["SHA256:unknown"] and first.asked[-1] == second.asked[-1] == ("close",)
    assert [each[0] for each in second.asked].count("upload") == 2
    with Sender(lambda: first, trusted=answering(None)) as sender:  # type: ignore[arg-type,return-value]
        for _ in range(2):
            with pytest.raises(KeyUnknown):
                sender(path, **sending)
    assert len(asked) == 2, "who is asked again and again learns to say yes"


def test_one_login_is_used_until_the_end() -> None:
    logins: list[Uploads] = []

    def login() -> Any:
        logins.append(Uploads())
        return logins[-1]

    sender, path = Sender(login), Path("absent") / FILE
    for times in (1, 2):
        with sender:
            for _ in range(2):
                sender(path, name=FILE, progress=lambda sent, total: None, cancel=threading.Event())
        assert len(logins) == times and logins[-1].asked.count(("close",)) == 1
    with Sender(login):
        pass
    assert len(logins) == 2, "nothing was sent"
