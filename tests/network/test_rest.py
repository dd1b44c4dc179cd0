"""Deliveries by REST: to the bundled server as it is, and to servers that misbehave."""

import base64
import datetime
import hashlib
import ipaddress
import logging
import os
import re
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from abq_data_entry import network
from abq_data_entry.network.encryption import speaks_tls
from abq_data_entry.network.web import LARGEST_ANNOUNCED
from tests.fixtures.servers import BundledServer
from tests.pace import patience

from .faults import LOGIN_PAGE, Connection, Script, http, serving

SECRET = "correct horse & battery"
QUERY = "key=staple1234"


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "abq_data_record_2026-11-21.csv"
    path.write_bytes(b"Date,Time\r\n" * 50_000)
    return path


def send(port: int, path: Path, **options: object) -> None:
    base = f"http://127.0.0.1:{port}"
    network.upload_to_corporate_rest(
        path, f"{base}/upload?{QUERY}", f"{base}/auth?{QUERY}", "alice", SECRET, **options  # type: ignore[arg-type]
    )  # fmt: skip


def failing(script: Script, path: Path, **options: object) -> Exception:
    """Return the error of a delivery to the script; it and its words must hold no secret."""
    with serving(script) as port, pytest.raises(Exception) as caught:
        send(port, path, **options)
    error = caught.value
    texts = [str(error), repr(error), network.describe_failure(error), repr(vars(error))]
    texts += traceback.format_exception(error)
    behind = error.__context__ or error.__cause__ or getattr(error, "request", None)
    assert behind is None
    for text in texts:
        for secret in (SECRET, "battery", "staple", "opensesame"):
            assert secret not in text
    return error


def answers(*replies: bytes) -> Script:
    """Answer the requests of one connection in turn, each after reading all of it."""

    def script(connection: Connection) -> None:
        for reply in replies:
            connection.request()
            connection.send(reply)

    return script


LOGGED_IN = http("200 OK", b"hello", "Set-Cookie: token=opensesame; HttpOnly; Path=/")


def test_the_file_arrives_as_it_is(rest_server: BundledServer, extract: Path) -> None:
    told: list[tuple[int, int]] = []
    network.upload_to_corporate_rest(
        extract,
        rest_server.upload_url,
        rest_server.auth_url,
        "test",
        "test",
        progress=lambda sent, total: told.append((sent, total)),
    )
    assert (rest_server.folder / extract.name).read_bytes() == extract.read_bytes()
    assert told[-1] == (extract.stat().st_size,) * 2
    assert [path.name for path in rest_server.folder.iterdir()] == [extract.name]


@pytest.mark.parametrize("name", ["empty.csv", "Über größe.csv", "記録.csv"])
def test_empty_files_and_names_beyond_ascii(rest_server: BundledServer, tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    network.upload_to_corporate_rest(
        str(tmp_path / name), rest_server.upload_url, rest_server.auth_url, "test", "test"
    )  # fmt: skip
    assert (rest_server.folder / name).read_bytes() == b""


def test_wrong_password(rest_server: BundledServer, extract: Path) -> None:
    with pytest.raises(network.requests.HTTPError, match="refused the user name or the password") as caught:
        network.upload_to_corporate_rest(extract, rest_server.upload_url, rest_server.auth_url, "test", "wrong")
    assert caught.value.response.status_code == 401
    assert not list(rest_server.folder.iterdir())


def test_requests_on_the_wire(extract: Path) -> None:
    seen: list[bytes] = []

    def script(connection: Connection) -> None:
        for reply in (LOGGED_IN, http("204 No Content")):
            seen.append(connection.request())
            connection.send(reply)

    with serving(script) as port:
        send(port, extract)
    login, upload = seen
    assert login.startswith(f"POST /auth?{QUERY} HTTP/1.1\r\n".encode())
    assert login.endswith(b"username=alice&password=correct+horse+%26+battery")
    assert upload.startswith(f"PUT /upload?{QUERY} HTTP/1.1\r\n".encode())
    head, _, body = upload.partition(b"\r\n\r\n")
    assert b"\r\nCookie: token=opensesame" in head and b"chunked" not in head.lower()
    assert b"authorization" not in (login + head).lower()
    assert f'form-data; name="file"; filename="{extract.name}"\r\n'.encode() in body
    assert b"\r\n\r\n" + extract.read_bytes() + b"\r\n--" in body


def test_quote_in_the_name(tmp_path: Path) -> None:
    path = tmp_path / 'plot "7".csv'
    try:
        path.touch()
    except OSError:
        pytest.skip("this system has no such names")
    seen: list[bytes] = []

    def script(connection: Connection) -> None:
        for reply in (LOGGED_IN, http("200 OK")):
            seen.append(connection.request())
            connection.send(reply)

    with serving(script) as port:
        send(port, path)
    assert b'filename="plot %227%22.csv"\r\n' in seen[1]


def test_netrc_is_not_used(extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login bob password builder\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    test_requests_on_the_wire(extract)


def test_proxy_of_the_environment(extract: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def proxy(connection: Connection) -> None:
        while request := connection.request():
            seen.append(request)
            connection.send(LOGGED_IN)

    with serving(proxy) as port:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        network.upload_to_corporate_rest(extract, "http://corp.invalid/up", "http://corp.invalid/in", "alice", SECRET)
        with serving(answers(LOGGED_IN, http("200 OK"))) as direct:
            send(direct, extract)  # this machine itself is reached directly
    assert [request.split(b" ")[1] for request in seen] == [b"http://corp.invalid/in", b"http://corp.invalid/up"]


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def by_proxy(extract: Path, proxy: str, scheme: str = "http") -> str:
    """Return what is told of a delivery by that proxy, which fails."""
    address = f"{scheme}://corp.invalid/"
    with pytest.raises((network.requests.RequestException, network.InvalidInput)) as caught:
        network.upload_to_corporate_rest(extract, address, address, "alice", SECRET, proxy=proxy, timeout=5)
    return network.describe_failure(caught.value)


@pytest.mark.usefixtures("no_proxies")
def test_the_proxy_that_is_set(extract: Path) -> None:
    seen: list[bytes] = []

    def proxy(connection: Connection) -> None:
        while request := connection.request():
            seen.append(request)
            connection.send(LOGGED_IN)

    with serving(proxy) as port, serving(answers(LOGGED_IN, http("200 OK"))) as direct:
        address = "http://corp.invalid/"
        for chosen in (f"http://127.0.0.1:{port}", f"127.0.0.1:{port}"):
            network.upload_to_corporate_rest(extract, address, address, "alice", SECRET, proxy=chosen)
        send(direct, extract, proxy=f"http://127.0.0.1:{port}")
    assert [request.split(b" ")[1] for request in seen] == [b"http://corp.invalid/"] * 4


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_of_its_own_says_so(scheme: str, extract: Path) -> None:
    with serving(answers(http("407 Proxy Authentication Required", b"", "Proxy-Authenticate: Basic"))) as port:
        assert "The proxy on the way to the server wants a login of its own (407)" in by_proxy(
            extract, f"http://127.0.0.1:{port}", scheme
        )
    with serving(answers(http("503 Busy"))) as port:
        told = by_proxy(extract, f"http://127.0.0.1:{port}", "https")
        assert "The proxy on the way makes no connection to the server (503)" in told


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_unreachable_proxy_is_named_as_the_proxy(scheme: str, extract: Path) -> None:
    with serving(lambda connection: None) as port:
        pass
    told = by_proxy(extract, f"http://127.0.0.1:{port}", scheme)
    assert told.startswith("The proxy 127.0.0.1 on the way can't be reached.") and "refused the connection" in told
    assert "network_proxy" in by_proxy(extract, "http://nowhere.invalid:3128", scheme)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "socks4a://127.0.0.1:1080", "http://", "http://h:99999"])
def test_an_unusable_proxy_is_named_as_the_proxy(
    proxy: str, extract: Path, monkeypatch: pytest.MonkeyPatch, no_proxies: None
) -> None:
    assert "network_proxy" in by_proxy(extract, proxy)
    if "socks" in proxy:
        monkeypatch.setenv("ALL_PROXY", proxy)
        told = by_proxy(extract, "")
        assert "The proxy of the environment" in told and proxy.partition(":")[0] in told
        with pytest.raises(network.InvalidInput, match="The proxy of the environment"):
            network.get_local_weather("KBMG", "http://feed.invalid/{station}")


def slowly(connection: Connection, size: int) -> None:
    """Take so many bytes at 100 KB a second."""
    taken = 0
    while taken < size:
        taken += len(connection.exactly(min(10_000, size - taken)))
        connection.ended.wait(0.1)


def test_the_time_limit_counts_silence_and_not_the_systems_buffer(tmp_path: Path) -> None:
    """The system takes all of the file at once, and goes on sending it for longer than the limit."""
    path = tmp_path / "slow.csv"
    path.write_bytes(bytes(400_000))

    def script(connection: Connection) -> None:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.request()
        connection.send(LOGGED_IN)
        head = connection.until(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length
        slowly(connection, int(length[1]))
        connection.send(http("200 OK"))

    start = time.monotonic()
    with serving(script) as port:
        send(port, path, timeout=1.5)
    assert time.monotonic() - start > 3


def test_digest_and_key_on_the_wire(extract: Path) -> None:
    seen: list[bytes] = []

    def script(connection: Connection) -> None:
        for reply in (LOGGED_IN, http("200 OK")):
            seen.append(connection.request())
            connection.send(reply)

    with serving(script) as port:
        send(port, extract, idempotency_key="delivery-7")
        send(port, extract)
        send(port, extract)
    keys = []
    for upload in seen[1::2]:
        head, _, body = upload.partition(b"\r\n\r\n")
        digest = base64.b64encode(hashlib.sha256(body).digest())
        assert b"\r\nContent-Digest: sha-256=:" + digest + b":\r\n" in head + b"\r\n"
        found = re.search(rb'\r\nIdempotency-Key: "(\S+)"\r\n', head + b"\r\n")
        assert found is not None
        keys.append(found[1])
    assert keys[0] == b"delivery-7" and len(set(keys)) == 3
    assert b"idempotency" not in b"".join(seen[::2]).lower()
    with pytest.raises(network.InvalidInput):
        send(port, extract, idempotency_key='a"\r\nX: y')


def test_a_file_too_large_to_be_read_twice_goes_without_a_digest_but_is_compared(tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(LARGEST_ANNOUNCED + 1)
    seen: list[bytes] = []

    def script(connection: Connection) -> None:
        for reply in (LOGGED_IN, http("204 No Content", b"", f"Repr-Digest: sha-256=:{'A' * 43}=:")):
            seen.append(connection.request())
            connection.send(reply)

    with serving(script) as port, pytest.raises(network.requests.RequestException, match="stored something else"):
        send(port, large)
    assert b"content-digest" not in seen[1].partition(b"\r\n\r\n")[0].lower()


class Place:
    """A server at an address: it answers the requests of all its connections in turn, and notes them."""

    def __init__(self, *replies: bytes) -> None:
        self.requests: list[bytes] = []
        self._replies = list(replies)

    def __call__(self, connection: Connection) -> None:
        while self._replies and (request := connection.request()):
            self.requests.append(request)
            connection.send(self._replies.pop(0))

    def lines(self) -> list[str]:
        return [request.split(b"\r\n")[0].decode() for request in self.requests]


@pytest.mark.parametrize("status", ["307 Temporary Redirect", "308 Permanent Redirect"])
def test_redirect_within_the_origin_is_followed(status: str, extract: Path) -> None:
    elsewhere = http(status, b"", "Location: /new/place?a=b")
    place = Place(elsewhere, LOGGED_IN, elsewhere, http("200 OK"))
    told: list[int] = []
    with serving(place) as port:
        send(port, extract, progress=lambda sent, total: told.append(sent))
    kinds = [line.split("?")[0] for line in place.lines()]
    assert kinds == ["POST /auth", "POST /new/place", "PUT /upload", "PUT /new/place"]
    assert extract.read_bytes() in place.requests[3] and told[-1] == extract.stat().st_size


def test_redirect_from_http_to_https_is_followed(certificate: Path, extract: Path) -> None:
    secure = Place(LOGGED_IN)
    with serving(encrypted(secure, certificate)) as encrypted_port:
        target = f"Location: https://127.0.0.1:{encrypted_port}/auth"
        plain = Place(http("308 Permanent Redirect", b"", target), http("200 OK"))
        with serving(plain) as port:
            send(port, extract, ca_file=certificate)
    assert plain.lines()[1].startswith("PUT") and secure.lines() == ["POST /auth HTTP/1.1"]


def test_redirect_to_plain_http_or_another_host_is_not_followed(certificate: Path, extract: Path) -> None:
    stranger = Place(LOGGED_IN, http("200 OK"))
    with serving(stranger) as other:
        for target in (
            f"http://127.0.0.1:{other}/",
            f"http://localhost:{other}/",
            f"//localhost:{other}/x",
            "http://[",
        ):
            refused = http("307 Temporary Redirect", b"", f"Location: {target}")
            for place in (Place(refused), Place(LOGGED_IN, refused)):
                with serving(place) as port, pytest.raises(network.requests.HTTPError, match="another address"):
                    send(port, extract)
            secure = Place(refused)
            with (
                serving(encrypted(secure, certificate)) as port,
                pytest.raises(network.requests.HTTPError, match="another address"),
            ):
                address = f"https://127.0.0.1:{port}/"
                network.upload_to_corporate_rest(extract, address, address, "alice", SECRET, ca_file=certificate)
    assert not stranger.requests


def test_redirects_in_a_circle_end(extract: Path) -> None:
    place = Place(*[http("307 Temporary Redirect", b"", "Location: /auth")] * 20)
    with serving(place) as port, pytest.raises(network.requests.HTTPError, match="another address"):
        send(port, extract)
    assert len(place.requests) < 10


def test_expired_login_is_repeated_once(extract: Path) -> None:
    again = http("200 OK", b"", "Set-Cookie: token=second; Path=/")
    place = Place(LOGGED_IN, http("401 Expired"), again, http("200 OK"))
    with serving(place) as port:
        send(port, extract, idempotency_key="delivery-7")
    assert [line.split("?")[0] for line in place.lines()] == ["POST /auth", "PUT /upload"] * 2
    assert b"token=second" in place.requests[3] and b"opensesame" not in place.requests[3]
    assert all(b'Idempotency-Key: "delivery-7"' in place.requests[number] for number in (1, 3))
    place = Place(LOGGED_IN, http("401 No"), LOGGED_IN, http("401 No"), LOGGED_IN)
    with serving(place) as port, pytest.raises(network.requests.HTTPError, match=r"password \(401\)"):
        send(port, extract)
    assert len(place.requests) == 4


def claims(extract: Path) -> dict[str, bytes]:
    digest = hashlib.sha256(extract.read_bytes()).digest()
    text = base64.b64encode(digest).decode()
    size = extract.stat().st_size
    kind = "Content-Type: application/json; charset=utf-8"
    return {
        "header": http("204 No Content", b"", f"Repr-Digest: sha-256=:{text}:"),
        "older header": http("204 No Content", b"", f"Digest: SHA-256={text}"),
        "json": http("200 OK", f'{{"sha256": "{digest.hex()}", "size": {size}}}'.encode(), kind),
        "json in base64": http("201 Created", f'{{"sha256": "{text}"}}'.encode(), kind),
        "nothing to read": http("200 OK", b'{"sha256": 7, "size": "large"}', kind),
        "no object": http("200 OK", b"[1, 2", kind),
        "of its own page": http("200 OK", b"<p>done</p>", f"Repr-Digest: sha-256=:{'A' * 43}=:"),
    }


@pytest.mark.parametrize("claim", ["header", "older header", "json", "json in base64"])
def test_what_the_server_says_it_stored_must_match(claim: str, extract: Path, tmp_path: Path) -> None:
    right = claims(extract)[claim]
    with serving(answers(LOGGED_IN, right)) as port:
        send(port, extract)
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / extract.name
    other.write_bytes(extract.read_bytes()[:-1])
    error = failing(answers(LOGGED_IN, right), other)
    assert isinstance(error, network.requests.ConnectionError)
    assert "stored something else" in network.describe_failure(error)


@pytest.mark.parametrize("claim", ["nothing to read", "no object", "of its own page"])
def test_answers_that_claim_nothing(claim: str, extract: Path) -> None:
    with serving(answers(LOGGED_IN, claims(extract)[claim])) as port:
        send(port, extract)


def test_client_certificate(certificate: Path, extract: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate)
    shown: list[bytes | None] = []

    def script(connection: Connection) -> None:
        with context.wrap_socket(connection.socket, server_side=True) as secure:
            shown.append(secure.getpeercert(True))
            answers(LOGGED_IN, http("200 OK"))(Connection(secure, connection.ended))

    with serving(script) as port:
        address = f"https://127.0.0.1:{port}/"

        def deliver(**options: Path) -> None:
            network.upload_to_corporate_rest(
                extract, address, address, "alice", SECRET, ca_file=certificate, **options  # type: ignore[arg-type]
            )  # fmt: skip

        deliver(client_certificate=certificate)
        assert shown[0]
        with pytest.raises(network.requests.RequestException):
            deliver()
    (tmp_path / "none.pem").write_text("nothing")
    for file in ("none.pem", "missing.pem"):
        with pytest.raises(network.InvalidInput, match="abq_client_certificate"):
            deliver(client_certificate=tmp_path / file)


def cut_in_the_body(connection: Connection) -> None:
    connection.request()
    connection.send(LOGGED_IN)
    connection.until(b"\r\n\r\n")
    connection.exactly(100_000)
    connection.reset()


def silent_after_the_body(connection: Connection) -> None:
    answers(LOGGED_IN)(connection)
    connection.stall()


def takes_nothing(connection: Connection) -> None:
    connection.request()
    connection.send(LOGGED_IN)
    connection.stall()


def drips_its_answer(connection: Connection) -> None:
    connection.request()
    connection.send(LOGGED_IN)
    connection.request()
    connection.drip(http("200 OK", bytes(1000)), 0.05)


REDIRECT = http("302 Found", b"", f"Location: /elsewhere?{QUERY}")
PERMANENT = http("308 Permanent Redirect", b"", "Location: http://example.org/")
WRONG_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n<p>done</p>"
SILENCE = "didn't answer in time"


@pytest.mark.parametrize(
    ("script", "kind", "told"),
    [
        (answers(http("401 No")), "HTTPError", "refused the user name or the password (401)"),
        (answers(http("403 No")), "HTTPError", "refused the user name or the password (403)"),
        (answers(http("404 No")), "HTTPError", "no such service at this address (404)"),
        (answers(http("500 Oops")), "HTTPError", "an error of its own (500)"),
        (answers(REDIRECT), "HTTPError", "redirected us to another address (302)"),
        (answers(PERMANENT), "HTTPError", "redirected us to another address (308)"),
        (answers(http("200 OK", LOGIN_PAGE)), "HTTPError", "showed its login again"),
        (answers(LOGGED_IN, http("401 No", SECRET.encode())), "HTTPError", "user name or the password (401)"),
        (answers(LOGGED_IN, http("413 No")), "HTTPError", "too large (413)"),
        (answers(LOGGED_IN, http("429 No", b"", "Retry-After: 7")), "HTTPError", "is busy (429)"),
        (answers(LOGGED_IN, http("503 No")), "HTTPError", "an error of its own (503)"),
        (answers(LOGGED_IN, REDIRECT), "HTTPError", "redirected us to another address (302)"),
        (answers(LOGGED_IN, PERMANENT), "HTTPError", "redirected us to another address (308)"),
        (answers(LOGGED_IN, http("200 OK", LOGIN_PAGE)), "HTTPError", "answered with a login page"),
        (answers(LOGGED_IN, WRONG_LENGTH), "ConnectionError", "was cut"),
        (answers(LOGGED_IN, b"SSH-2.0-nonsense\r\n"), "ConnectionError", "doesn't speak HTTP"),
        (answers(LOGGED_IN, http("200 OK", b"no gzip", "Content-Encoding: gzip")), "RequestException", "be understood"),
        (answers(LOGGED_IN, b""), "ConnectionError", "was cut"),
        (cut_in_the_body, "ConnectionError", "was cut"),
        (lambda connection: connection.reset(), "ConnectionError", "was cut"),
        (lambda connection: connection.stall(), "Timeout", SILENCE),
        (silent_after_the_body, "Timeout", SILENCE),
        (takes_nothing, "Timeout", SILENCE),
        (drips_its_answer, "Timeout", SILENCE),
    ],
)  # fmt: skip
def test_faults(script: Script, kind: str, told: str, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(20_000_000)  # more than the buffers of a connection hold
    start = time.monotonic()
    error = failing(script, large, timeout=0.5 if kind == "Timeout" else 30)  # an answer may take a while, too
    assert isinstance(error, getattr(network.requests, kind))
    assert told in network.describe_failure(error)
    assert time.monotonic() - start < patience(5)


def test_retry_after_is_kept(extract: Path) -> None:
    busy = http("429 No", SECRET.encode(), "Retry-After: 7", "Set-Cookie: a=opensesame")
    error = failing(answers(LOGGED_IN, busy), extract)
    assert isinstance(error, network.requests.HTTPError) and error.response is not None
    assert error.response.headers["Retry-After"] == "7"
    assert error.response.text == "…" and not error.response.cookies and not error.response.url


INTERIM = [
    b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n" * 3,
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 199 Almost\r\n\r\n",
]


@pytest.mark.parametrize("interim", INTERIM)
@pytest.mark.parametrize("at_login", [True, False])
def test_only_the_final_status_counts(interim: bytes, at_login: bool, extract: Path) -> None:
    full = http("507 Insufficient Storage", b"disk full")
    bad = (interim + full,) if at_login else (LOGGED_IN, interim + full)
    error = failing(answers(*bad), extract)
    assert isinstance(error, network.requests.HTTPError) and error.response is not None
    assert error.response.status_code == 507 and "disk full" in str(error)
    good = (interim + LOGGED_IN, http("200 OK")) if at_login else (LOGGED_IN, interim + http("201 Created"))
    with serving(answers(*good)) as port:
        send(port, extract)


@pytest.mark.parametrize("at_login", [True, False])
def test_an_interim_answer_alone_is_no_success(at_login: bool, extract: Path) -> None:
    for answer, told in (
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "no final answer (101)"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", "was cut"),
        (b"HTTP/1.1 99 Odd\r\n\r\n", "doesn't speak HTTP"),
    ):
        error = failing(answers(*((answer,) if at_login else (LOGGED_IN, answer))), extract)
        assert told in network.describe_failure(error)


JSON = "Content-Type: application/json"
SAID = [
    (b'{"message": "Seed sample missing in line 3"}', "Seed sample missing in line 3"),
    (b'{"detail": [{"loc": ["file"], "msg": "too old"}]}', "too old"),
    (b'{"error": {"code": 7, "message": "quota"}}', "quota"),
    (b'{"errors": {"Humidity": ["too high", "odd"]}}', "Humidity: too high. Humidity: odd"),
    (b'{"type": "about:blank", "title": "Bad file", "status": 422, "detail": "Line 3"}', "Line 3. Bad file"),
    (b"<html><head><title>422</title><style>p {}</style></head><body><p>Line&nbsp;3</body></html>", "422: Line 3"),
    (b'{"code": 17}', '{"code": 17}'),
    (b"<title>Bad &amp; ugly</title>", "Bad & ugly"),
    (b"line 3 \x1b[31mis\x1b[0m\x07 wrong\r\n", "line 3 is wrong"),
    (b"x" * 1000, "x" * 299 + "\u2026"),
    ('{"message": "\u00fcber"}'.encode(), "\u00fcber"),
    (b'{"message": "no: ' + SECRET.encode() + b'"}', "no: \u2026"),
    (b"no: correct+horse+%26+battery or correct horse &amp; battery", "no: \u2026 or \u2026"),
    (b"token=opensesame is over, see ?" + QUERY.encode(), "token=\u2026 is over, see ?\u2026"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), SAID)
@pytest.mark.parametrize("at_login", [True, False])
def test_what_the_server_said_stands_below_our_words(
    body: bytes, expected: str, at_login: bool, extract: Path
) -> None:
    answer = http("422 Unprocessable Content", body, "Set-Cookie: a=opensesame; Path=/")
    error = failing(answers(*((answer,) if at_login else (LOGGED_IN, answer))), extract)
    ours, _, said = network.describe_failure(error).partition("\nThe server said: ")
    assert "refused the request (422)" in ours and said == expected
    assert isinstance(error, network.requests.HTTPError) and error.response is not None and error.response.text


def test_what_cannot_be_read_is_not_shown(extract: Path) -> None:
    for body in (b"", b" \n", b"\xff\xfe\x00"):
        error = failing(answers(LOGGED_IN, http("422 No", body)), extract)
        assert "The server said" not in network.describe_failure(error)


@pytest.mark.parametrize(
    "body",
    [
        b'{"success": false, "message": "line 3"}',
        b' {"Success":false,"message":"line 3"}',
        b'{"status": "error", "message": "line 3"}',
        b'{"status": "FAILED", "message": "line 3"}',
        b'{"ok": false, "error": "line 3"}',
        b'{"status": 500, "title": "line 3"}',
        b'{"errors": ["line 3"]}',
    ],
)
@pytest.mark.parametrize("kind", [JSON, "Content-Type: text/html"])
def test_an_answer_that_says_of_itself_that_it_is_no_success(body: bytes, kind: str, extract: Path) -> None:
    error = failing(answers(LOGGED_IN, http("200 OK", body, kind)), extract)
    assert isinstance(error, network.requests.HTTPError)
    assert "answered that it didn't take the file" in str(error) and str(error).endswith("The server said: line 3")
    error = failing(answers(http("200 OK", body, kind)), extract)
    assert "answered that it refused the login" in str(error)


@pytest.mark.parametrize(
    "body", [b'{"success": true}', b'{"status": "ok", "errors": [], "error": null}', b'{"status": 201}', b"[0]", b"{"]
)
def test_other_answers_in_json_are_successes(body: bytes, extract: Path) -> None:
    with serving(answers(LOGGED_IN, http("200 OK", body, JSON))) as port:
        send(port, extract)


def test_a_login_page_is_found_behind_a_long_beginning(extract: Path) -> None:
    page = b"<html><head><script>" + b"/* menu */" * 30_000 + b"</script></head>" + LOGIN_PAGE
    assert "answered with a login page" in str(failing(answers(LOGGED_IN, http("200 OK", page)), extract))
    assert "showed its login again" in str(failing(answers(http("200 OK", page, "Content-Type: text/html")), extract))


def test_early_success_is_none(tmp_path: Path) -> None:
    """A server that says 200 and hangs up before it has the file has not taken it."""
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(20_000_000)

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(LOGGED_IN)
        connection.until(b"\r\n\r\n")
        connection.send(http("200 OK", b"thanks"))

    assert isinstance(failing(script, large), network.requests.RequestException)


def test_nothing_is_logged(extract: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        failing(answers(LOGGED_IN, http("500 Oops")), extract)
        for headers in ("X: y", "no header at all", "Content-Type: \xff"):
            with serving(answers(LOGGED_IN, http("200 OK", b"", headers))) as port:
                send(port, extract)
    assert not any(secret in caplog.text for secret in (SECRET, "battery", "staple", "opensesame"))


def test_huge_answer_is_left_on_the_wire(extract: Path) -> None:
    with serving(answers(LOGGED_IN, http("200 OK", bytes(10**7)))) as port:
        send(port, extract)


@pytest.mark.parametrize("change", ["shorter", "longer", "rewritten"])
def test_file_changed_while_it_is_sent(tmp_path: Path, change: str) -> None:
    path = tmp_path / "growing.csv"
    path.write_bytes(bytes(20_000_000))  # more than the buffers hold, so that it isn't sent yet when it changes
    os.utime(path, ns=(1, 1))

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(LOGGED_IN)
        connection.until(b"\r\n\r\n")
        connection.exactly(1000)
        if change == "shorter":
            os.truncate(path, 1000)
        else:
            with path.open("ab" if change == "longer" else "r+b") as file:
                file.write(b"more")
        connection.exactly(10**9)

    error = failing(script, path)
    assert isinstance(error, network.requests.RequestException)
    assert "was changed while it was being sent" in str(error)


def test_missing_file(tmp_path: Path) -> None:
    error = failing(answers(), tmp_path / "none.csv")
    assert isinstance(error, FileNotFoundError)
    assert "none.csv doesn't exist" in network.describe_failure(error)


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    assert "is not a file" in str(failing(answers(), tmp_path))


def test_line_break_in_the_name(tmp_path: Path) -> None:
    path = tmp_path / 'a"\r\nX-Evil: 1.csv'
    try:
        path.touch()
    except OSError:
        pytest.skip("this system has no such names")
    assert isinstance(failing(answers(), path), network.InvalidInput)


@pytest.mark.parametrize("url", ["", "upload", "ftp://h/u", "http://", "http://u:opensesame@h/", "http://h:99999/"])
def test_bad_addresses_are_refused(url: str, extract: Path) -> None:
    for addresses in ((url, "http://127.0.0.1:1/"), ("http://127.0.0.1:1/", url)):
        with pytest.raises(network.InvalidInput) as caught:
            network.upload_to_corporate_rest(extract, *addresses, "alice", SECRET)
        assert "opensesame" not in str(caught.value)


def test_refused_and_unknown_hosts(extract: Path) -> None:
    with serving(lambda connection: None) as port:
        pass
    with pytest.raises(network.requests.ConnectionError, match="refused the connection at port"):
        send(port, extract)
    with pytest.raises(network.requests.ConnectionError, match=r"nowhere\.invalid isn't known"):
        network.upload_to_corporate_rest(extract, "http://nowhere.invalid/", "http://nowhere.invalid/", "a", SECRET)


def cancelled_at(moment: threading.Event, run: Callable[[threading.Event], None]) -> float:
    """Run with an event that is set as soon as the moment has come; return how long the end took after that."""
    cancel = threading.Event()
    at: list[float] = []

    def watch() -> None:
        moment.wait(20)
        at.append(time.monotonic())
        cancel.set()

    threading.Thread(target=watch, daemon=True).start()
    with pytest.raises(network.Cancelled) as caught:
        run(cancel)
    assert caught.value.__context__ is None
    return time.monotonic() - at[0]


@pytest.mark.parametrize("where", ["login", "sending", "answer"])
def test_cancel_frees_a_stalled_delivery(where: str, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(20_000_000)
    moment = threading.Event()

    def script(connection: Connection) -> None:
        connection.request()
        if where != "login":
            connection.send(LOGGED_IN)
            connection.until(b"\r\n\r\n")
            connection.exactly(1000 if where == "sending" else 20_000_000)
        moment.set()
        connection.stall()

    with serving(script) as port:
        assert cancelled_at(moment, lambda cancel: send(port, large, cancel=cancel)) < 2


def test_cancelled_before_it_begins(extract: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    assert isinstance(failing(answers(LOGGED_IN, http("200 OK")), extract, cancel=cancel), network.Cancelled)


def test_cancelled_delivery_leaves_nothing(rest_server: BundledServer, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(200_000_000)
    cancel = threading.Event()
    with pytest.raises(network.Cancelled):
        network.upload_to_corporate_rest(
            large,
            rest_server.upload_url,
            rest_server.auth_url,
            "test",
            "test",
            cancel=cancel,
            progress=lambda sent, total: cancel.set(),
        )
    rest_server.wait_for("PUT: given up")
    assert not list(rest_server.folder.iterdir())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with a key and a certificate of its own making, for localhost."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "own.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )  # fmt: skip
    return path


def encrypted(script: Script, certificate: Path) -> Script:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def wrapped(connection: Connection) -> None:
        with context.wrap_socket(connection.socket, server_side=True) as secure:
            script(Connection(secure, connection.ended))

    return wrapped


def test_own_certificate_authority(certificate: Path, extract: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def script(connection: Connection) -> None:
        for reply in (LOGGED_IN, http("200 OK")):
            seen.append(connection.request())
            connection.send(reply)

    with serving(encrypted(script, certificate)) as port:
        address = f"https://localhost:{port}/"
        with pytest.raises(
            network.requests.exceptions.SSLError, match="certificate of localhost can't be tr"
        ) as caught:
            network.upload_to_corporate_rest(extract, address, address, "alice", SECRET)
        assert "It names localhost, 127.0.0.1, was issued by test, and is valid from" in str(caught.value)
        assert caught.value.__context__ is None
        assert not any(seen)  # it only looked at the certificate
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.devnull)  # must not take the place of what was asked for
        network.upload_to_corporate_rest(extract, address, address, "alice", SECRET, ca_file=certificate)
    assert len([request for request in seen if request]) == 2


def test_cancel_frees_a_stalled_handshake(extract: Path) -> None:
    moment = threading.Event()

    def script(connection: Connection) -> None:
        connection.socket.recv(1)
        moment.set()
        connection.stall()

    def run(cancel: threading.Event) -> None:
        network.upload_to_corporate_rest(extract, address, address, "alice", SECRET, cancel=cancel)

    with serving(script) as port:
        address = f"https://127.0.0.1:{port}/"
        assert cancelled_at(moment, run) < 2


def test_plain_server_at_an_encrypted_address(extract: Path) -> None:
    with serving(lambda connection: connection.send(http("400 Bad Request"))) as port:
        address = f"https://127.0.0.1:{port}/"
        with pytest.raises(network.requests.exceptions.SSLError, match="doesn't speak TLS"):
            network.upload_to_corporate_rest(extract, address, address, "alice", SECRET)


@pytest.mark.parametrize("at_login", [True, False])
def test_plain_to_a_port_of_tls_is_said(at_login: bool, certificate: Path, extract: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def script(connection: Connection) -> None:
        with context.wrap_socket(connection.socket, server_side=True) as secure:
            Connection(secure, connection.ended).request()

    with serving(script) as port, serving(answers(LOGGED_IN)) as plain:
        login = f"http://127.0.0.1:{port if at_login else plain}/"
        with pytest.raises(network.requests.ConnectionError) as caught:
            network.upload_to_corporate_rest(extract, f"http://127.0.0.1:{port}/", login, "alice", SECRET, timeout=5)
    assert f"speaks TLS at port {port}: its address must begin with https://" in network.describe_failure(caught.value)


def test_a_server_that_is_silent_at_the_greeting_of_tls_is_not_waited_for() -> None:
    with serving(lambda connection: connection.stall()) as port:
        start = time.monotonic()
        assert not speaks_tls(lambda: socket.create_connection(("127.0.0.1", port), 30), "127.0.0.1", patience=0.2)
        assert time.monotonic() - start < patience(10)


def test_a_ca_file_without_a_certificate_is_said(extract: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(network.InvalidInput, match=r"holds no certificate in PEM. Check the setting abq_ca_file"):
        network.upload_to_corporate_rest(
            extract, "https://127.0.0.1:1/", "https://127.0.0.1:1/", "a", SECRET, ca_file=tmp_path / "ca.pem"
        )


def test_missing_ca_file(extract: Path, tmp_path: Path) -> None:
    with pytest.raises(network.InvalidInput, match="CA file"):
        network.upload_to_corporate_rest(extract, "https://h/", "https://h/", "a", SECRET, ca_file=tmp_path / "none")
