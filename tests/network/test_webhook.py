"""POSTs to a real web server on loopback that answers well, badly, too much, late, or not at all."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from abq_data_entry import outbox
from abq_data_entry.network.failures import Cancelled, InvalidInput, TimedOut
from abq_data_entry.network.webhook import SIGNATURE, SIGNATURE_HEADER, TOKEN, Webhook
from tests.network.certificates import authority

SECRET = "s3cret/with+signs="
CONTENT = {"text": "Only 3 MiB are free \N{PILE OF POO}", "alarm": 12}
TIMEOUT = 20.0


class Posts(http.server.ThreadingHTTPServer):
    """A web service that keeps what it gets. `fault`: what the next POST meets: a status with its body, `frozen`,
    `drips`, `huge`, `cut`, or `to` and an address."""

    daemon_threads = True

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.kept: list[tuple[dict[str, str], bytes]] = []
        self.fault: Any = None
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.server_address[1]}/alarms"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Posts

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.kept.append((dict(self.headers), body))
        fault = self.server.fault
        if fault == "cut":
            self.connection.close()
        elif fault == "frozen":
            self.server.over.wait(60)
        elif fault == "drips":
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not self.server.over.wait(0.05):
                self.wfile.write(b"x")
        elif fault == "huge":
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
            while not self.server.over.is_set():
                self.wfile.write(b"x" * 65536)
        elif isinstance(fault, tuple) and fault[0] == "to":
            self.send_response(307)
            self.send_header("Location", fault[1])
            self.end_headers()
        else:
            status, answer = fault or (200, b'{"message": "noted"}')
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client has had enough
            self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Posts]:
    """Run one; with a certificate it speaks https."""
    server = Posts(certificate)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


pytestmark = pytest.mark.needs("network")


@pytest.fixture(scope="module")
def shared() -> Iterator[Posts]:
    with serving() as server:
        yield server


@pytest.fixture
def service(shared: Posts) -> Posts:
    shared.kept.clear()
    shared.fault = None
    return shared


def test_it_posts_json_with_the_key_and_the_secret(service: Posts) -> None:
    assert Webhook(service.url, timeout=TIMEOUT).post(CONTENT, "abq-12-begin") == "noted"
    headers, body = service.kept.pop()
    assert json.loads(body) == CONTENT
    assert headers["Content-Type"] == "application/json" and headers["Idempotency-Key"] == '"abq-12-begin"'
    assert "Authorization" not in headers and SIGNATURE_HEADER not in headers
    Webhook(service.url, TOKEN, SECRET, timeout=TIMEOUT).post(CONTENT, "k")
    assert service.kept.pop()[0]["Authorization"] == f"Bearer {SECRET}"
    Webhook(service.url, SIGNATURE, SECRET, timeout=TIMEOUT).post(CONTENT, "k")
    headers, body = service.kept.pop()
    assert headers[SIGNATURE_HEADER] == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("fault", "words", "is_later"),
    [
        ((500, b"<html><body>Oops <b>s3cret/with+signs=</b>\x1b[31m"), "Oops", True),
        ((429, b""), "busy", True),
        ((404, b""), "", False),
        ((200, b'{"ok": false, "error": "no such channel"}'), "no such channel", False),
        ((200, b"<form><input type=password></form>"), "login page", False),
        (("to", "http://localhost:1/elsewhere"), "", False),
        ("cut", "", True),
    ],
)
def test_an_error_has_the_answer_and_no_secret(service: Posts, fault: Any, words: str, is_later: bool) -> None:
    service.fault = fault
    with pytest.raises(requests.RequestException) as caught:
        Webhook(service.url, TOKEN, SECRET, timeout=TIMEOUT).post(CONTENT, "k")
    assert words in str(caught.value) and "s3cret" not in str(caught.value)
    assert outbox.is_transient(caught.value) is is_later and not outbox.outcome_unknown(caught.value)
    assert len(service.kept) == 1, "redirects aren't followed"


def test_a_huge_answer_is_left_on_the_wire(service: Posts) -> None:
    service.fault = "huge"
    assert len(Webhook(service.url, timeout=TIMEOUT).post(CONTENT, "k")) <= 400


@pytest.mark.parametrize("fault", ["frozen", "drips"])
def test_all_of_it_has_one_time_limit(service: Posts, fault: str) -> None:
    service.fault = fault
    with pytest.raises((TimedOut, requests.Timeout)) as caught:
        Webhook(service.url, timeout=0.5).post(CONTENT, "k")
    assert outbox.is_transient(caught.value)


def test_its_certificate_is_verified(tmp_path: Path) -> None:
    trusted, other = authority("laboratory", tmp_path), authority("somebody", tmp_path)
    with serving(trusted.issue("127.0.0.1")) as service:
        for ca_file in (None, str(other.file)):
            with pytest.raises(requests.RequestException, match="certificate"):
                Webhook(service.url, timeout=TIMEOUT, ca_file=ca_file).post(CONTENT, "k")
        assert service.kept == []
        Webhook(service.url, timeout=TIMEOUT, ca_file=str(trusted.file)).post(CONTENT, "k")
        assert len(service.kept) == 1


def test_it_can_be_cancelled(service: Posts) -> None:
    service.fault = "frozen"
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(Cancelled):
        Webhook(service.url, timeout=TIMEOUT).post(CONTENT, "k", cancel)


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("http://example.com/x", ""), ("https://u:p@example.com/", ""), ("ftp://example.com", ""), ("nothing", ""),
        ("https://example.com/", ""), ("https://example.com/", "a\nb"), ("https://example.com/", "ü"),
    ],
)  # fmt: skip
def test_what_can_be_no_webhook(url: str, secret: str) -> None:
    with pytest.raises(InvalidInput):
        Webhook(url, TOKEN, secret, timeout=TIMEOUT)
