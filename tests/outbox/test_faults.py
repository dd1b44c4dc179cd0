"""Faults on the wire: then the destination holds the whole file once or not at all, and the outbox says which.

Then the fault is over, and another attempt brings the file there: whole, once, and under its name only.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from abq_data_entry import network
from abq_data_entry.outbox import Delivery, Outbox, Send, deliver, retry
from tests.network.certificates import authority
from tests.network.faults import LOGIN_PAGE, Connection, Ftp, http, serving
from tests.outbox.conftest import DATE, FTP, NAME, REST, Extract

CONTENT = b"Date,Time,Technician\r\n" + b"2026-11-20,8:00,J Simms\r\n" * 20_000
PATIENCE = 0.4
BUSY = "waiting or failed"


@dataclass
class Store:
    """A REST service that keeps what it was sent whole; `fault` is called once, for a request that has been read.

    `fault(connection, kept)`: `kept` is called to keep the file, as a service does before it answers.
    """

    at: str = "PUT"
    fault: Callable[[Connection, Callable[[], None]], None] | None = None
    after_bytes: int | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    puts: int = 0

    def __call__(self, connection: Connection) -> None:
        while head := connection.until(b"\r\n\r\n"):
            method = head.split(b" ", 1)[0].decode()
            found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            length = int(found[1]) if found else 0
            fault = self.fault if method == self.at else None
            if fault is not None:
                self.fault = None
                if self.after_bytes is not None:
                    connection.exactly(self.after_bytes)
                    fault(connection, lambda: None)
                    return
            body = connection.exactly(length)
            if fault is not None:
                fault(connection, lambda: self._keep(body))  # noqa: B023 - called at once
                return
            if method == "PUT":
                self._keep(body)
            connection.send(http("200 OK", b"", "Set-Cookie: token=1"))

    def _keep(self, body: bytes) -> None:
        self.puts += 1
        name = re.search(rb'filename="([^"]+)"', body)
        start, end = body.index(b"\r\n\r\n") + 4, body.rindex(b"\r\n--")
        assert name is not None
        self.files[name[1].decode()] = body[start:end]


def answer(status: str, body: bytes = b"", *headers: str, stores: bool = False) -> Callable[..., None]:
    def act(connection: Connection, keep: Callable[[], None]) -> None:
        if stores:
            keep()
        connection.send(http(status, body, *headers))

    return act


def raw(data: bytes, *, stores: bool = False) -> Callable[..., None]:
    def act(connection: Connection, keep: Callable[[], None]) -> None:
        if stores:
            keep()
        connection.send(data)

    return act


def reset(connection: Connection, keep: Callable[[], None]) -> None:
    connection.reset()


def stored_then_reset(connection: Connection, keep: Callable[[], None]) -> None:
    keep()
    connection.reset()


def stored_then_silent(connection: Connection, keep: Callable[[], None]) -> None:
    keep()
    connection.stall()


def stall(connection: Connection, keep: Callable[[], None]) -> None:
    connection.stall()


def endless(connection: Connection, keep: Callable[[], None]) -> None:
    connection.drip(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000, 0.05)


JSON = "Content-Type: application/json"
OTHER = b'{"sha256": "' + b"0" * 64 + b'"}'
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nstored"

REST_FAULTS: dict[str, tuple[str, int | None, Callable[..., None], str]] = {
    "reset at the login": ("POST", None, reset, "waiting"),
    "silent at the login": ("POST", None, stall, "waiting"),
    "closed at the login": ("POST", None, raw(b""), "waiting"),
    "login 401": ("POST", None, answer("401 Unauthorized"), "failed"),
    "login 403": ("POST", None, answer("403 Forbidden"), "failed"),
    "login 404": ("POST", None, answer("404 Not Found"), "failed"),
    "login 429": ("POST", None, answer("429 Too Many", b"", "Retry-After: 5"), "waiting"),
    "login 500": ("POST", None, answer("500 Oops"), "waiting"),
    "login shown again": ("POST", None, answer("200 OK", LOGIN_PAGE), "failed"),
    "login sent on": ("POST", None, answer("302 Found", b"", "Location: /other"), "failed"),
    "not HTTP": ("POST", None, raw(b"SSH-2.0-OpenSSH_9.2\r\n"), BUSY),
    "reset before the file": ("PUT", 0, reset, "waiting"),
    "reset after 1000 bytes": ("PUT", 1000, reset, "waiting"),
    "reset after 300000 bytes": ("PUT", 300_000, reset, "waiting"),
    "stall after 1000 bytes": ("PUT", 1000, stall, "waiting"),
    "stall after all of it": ("PUT", None, stall, "waiting"),
    "stored, then reset": ("PUT", None, stored_then_reset, "waiting"),
    "stored, then silent": ("PUT", None, stored_then_silent, "waiting"),
    "stored, then 500": ("PUT", None, answer("500 Oops", stores=True), "waiting"),
    "stored, answer cut": ("PUT", None, raw(b"HTTP/1.1 20", stores=True), BUSY),
    "403": ("PUT", None, answer("403 Forbidden"), "failed"),
    "408": ("PUT", None, answer("408 Timeout"), "waiting"),
    "413": ("PUT", None, answer("413 Too Large"), "failed"),
    "422": ("PUT", None, answer("422 Unprocessable"), "failed"),
    "425": ("PUT", None, answer("425 Too Early"), "waiting"),
    "429": ("PUT", None, answer("429 Slowly", b"", "Retry-After: 60"), "waiting"),
    "502": ("PUT", None, answer("502 Bad Gateway"), "waiting"),
    "503": ("PUT", None, answer("503 Busy"), "waiting"),
    "504": ("PUT", None, answer("504 Late"), "waiting"),
    "302": ("PUT", None, answer("302 Found", b"", "Location: /elsewhere"), "failed"),
    "307 to another host": ("PUT", None, answer("307 Moved", b"", "Location: http://elsewhere.invalid/"), "failed"),
    "login page with 200": ("PUT", None, answer("200 OK", LOGIN_PAGE), "failed"),
    "answer shorter than its length": ("PUT", None, raw(SHORT, stores=True), "waiting"),
    "answer of no length that never ends": ("PUT", None, endless, "waiting"),
    "says that it has less": ("PUT", None, answer("200 OK", b'{"size": 1}', JSON), "waiting"),
    "says that it has something else": ("PUT", None, answer("200 OK", OTHER, JSON), "waiting"),
}  # fmt: skip


def cut(control: Connection, data: Connection) -> None:
    data.reset()


def cut_both(control: Connection, data: Connection) -> None:
    data.reset()
    control.reset()


def silent(control: Connection, data: Connection) -> None:
    data.stall()


FTP_FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "no greeting": ({"welcome": ""}, "waiting"),
    "busy greeting": ({"welcome": "421 too many users"}, "waiting"),
    "another service": ({"welcome": "HTTP/1.1 400 Bad Request"}, "failed"),
    "wrong password": ({"replies": {"PASS": "530 no"}}, "failed"),
    "busy at the login": ({"replies": {"USER": "421 later"}}, "waiting"),
    "silent at the login": ({"replies": {"PASS": ""}}, "waiting"),
    "no data connection": ({"replies": {"EPSV": "425 no", "PASV": "425 no"}}, "waiting"),
    "busy file": ({"replies": {"STOR": "450 busy"}}, "waiting"),
    "disk full for now": ({"replies": {"STOR": "452 full"}}, "waiting"),
    "folder missing": ({"replies": {"STOR": "550 no such folder"}}, "failed"),
    "quota": ({"replies": {"STOR": "552 quota"}}, "failed"),
    "name refused": ({"replies": {"STOR": "553 name"}}, "failed"),
    "cut at once": ({"keep": 1, "after": cut}, "waiting"),
    "cut in the middle": ({"keep": 100_000, "after": cut}, "waiting"),
    "both connections cut": ({"keep": 100_000, "after": cut_both}, "waiting"),
    "stall in the middle": ({"keep": 100_000, "after": silent}, "waiting"),
    "short, though 226": ({"keep": 100_000}, "waiting"),
    "426 after a part": ({"replies": {"226": "426 aborted"}, "keep": 100_000}, "waiting"),
    "452 after all": ({"replies": {"226": "452 full"}}, "waiting"),
    "552 after all": ({"replies": {"226": "552 quota"}}, "failed"),
}


def by_rest(port: int) -> Send:
    def send(path: Path, *, name: str, progress: object, cancel: threading.Event) -> None:
        address = f"http://127.0.0.1:{port}/"
        network.upload_to_corporate_rest(path, address, address, "lab", "secret", timeout=PATIENCE, cancel=cancel)

    return send


def by_ftp(port: int) -> Send:
    def send(path: Path, *, name: str, progress: object, cancel: threading.Event) -> None:
        network.upload_to_corporate_ftp(path, "127.0.0.1", port, "lab", "secret", timeout=PATIENCE, cancel=cancel)

    return send


def after_the_fault(box: Outbox, delivery: Delivery, files: dict[str, bytes], expected: str) -> None:
    """What stands in the outbox, and what at the destination, once the fault has happened."""
    assert delivery.state in expected.split(" or "), delivery.reason
    assert (delivery.planned is not None) == (delivery.state == "waiting")
    assert delivery.reason and delivery.attempts[-1].outcome
    assert box.is_whole(delivery)
    assert files in ({}, {NAME: CONTENT}), "half a file, or a temporary one, stays at the destination"


@pytest.mark.parametrize("name", REST_FAULTS)
def test_rest(box: Outbox, name: str) -> None:
    at, after_bytes, fault, expected = REST_FAULTS[name]
    store = Store(at, fault, after_bytes)
    delivery = box.add(Extract(CONTENT), DATE, REST, "lab")
    with serving(store) as port:
        failed, _error = deliver(box, delivery, by_rest(port))
        after_the_fault(box, failed, store.files, expected)
        done, error = deliver(box, retry(box, failed), by_rest(port))
    assert (done.state, error) == ("delivered", None)
    assert store.files == {NAME: CONTENT}


def test_401_after_the_login_is_mended_by_another_login(box: Outbox) -> None:
    store = Store("PUT", answer("401 Expired"))
    delivery = box.add(Extract(CONTENT), DATE, REST, "lab")
    with serving(store) as port:
        done, error = deliver(box, delivery, by_rest(port))
    assert (done.state, error, store.puts) == ("delivered", None, 1)
    assert store.files == {NAME: CONTENT}


def test_retry_after_is_waited_for(box: Outbox) -> None:
    store = Store("PUT", answer("429 Slowly", b"", "Retry-After: 7200"))
    delivery = box.add(Extract(CONTENT), DATE, REST, "lab")
    with serving(store) as port:
        after, _error = deliver(box, delivery, by_rest(port), jitter=lambda: 0.0)
    assert after.planned is not None and (after.planned - box.clock()).total_seconds() >= 7200
    assert store.files == {}


@pytest.mark.parametrize("at", ["POST", "PUT"])
def test_307_from_https_to_plain_http_is_not_followed(at: str, box: Outbox, tmp_path: Path) -> None:
    trusted = authority("Lab Authority", tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted.issue("127.0.0.1"))
    stranger = Store()
    delivery = box.add(Extract(CONTENT), DATE, REST, "lab")
    with serving(stranger) as plain:
        store = Store(at, answer("307 Moved", b"", f"Location: http://127.0.0.1:{plain}/"))

        def secure(connection: Connection) -> None:
            with context.wrap_socket(connection.socket, server_side=True) as wrapped:
                store(Connection(wrapped, connection.ended))

        def send(path: Path, *, name: str, progress: object, cancel: threading.Event) -> None:
            address = f"https://127.0.0.1:{port}/"
            network.upload_to_corporate_rest(path, address, address, "lab", "secret", ca_file=trusted.file)

        with serving(secure) as port:
            after, _error = deliver(box, delivery, send)
    assert after.state == "failed" and "another address (307)" in after.reason
    assert store.files == stranger.files == {}


@pytest.mark.parametrize("name", FTP_FAULTS)
def test_ftp(box: Outbox, name: str) -> None:
    faults, expected = FTP_FAULTS[name]
    server = Ftp(**deepcopy(faults))  # type: ignore[arg-type]
    delivery = box.add(Extract(CONTENT), DATE, FTP, "lab")
    with serving(server) as port:
        failed, _error = deliver(box, delivery, by_ftp(port))
        after_the_fault(box, failed, server.files, expected)
        server.replies.clear()
        server.keep, server.after, server.welcome = None, None, "220 ready"
        done, error = deliver(box, retry(box, failed), by_ftp(port))
    assert (done.state, error) == ("delivered", None)
    assert server.files == {NAME: CONTENT}


@pytest.mark.parametrize("name", ["cut in the middle", "short, though 226", "stall in the middle", "552 after all"])
def test_an_older_version_at_the_destination_stays_whole(box: Outbox, name: str) -> None:
    faults, _expected = FTP_FAULTS[name]
    server = Ftp(**deepcopy(faults))  # type: ignore[arg-type]
    server.files[NAME] = b"the version of yesterday"
    delivery = box.add(Extract(CONTENT), DATE, FTP, "lab")
    with serving(server) as port:
        deliver(box, delivery, by_ftp(port))
    assert server.files == {NAME: b"the version of yesterday"}
