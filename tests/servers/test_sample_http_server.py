"""The bundled HTTP server, run as it is, and asked by sockets and http.client."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring

from abq_data_entry import network
from tests.fixtures.servers import PATIENCE, ROOT, BundledServer, bundled_server
from tests.network.certificates import authority

SCRIPT = "sample_http_server.py"


def ask(
    server: BundledServer, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> tuple[int, str, dict[str, str]]:
    """Return the status, the text and the headers (names in lower case) of the answer."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, headers or {}, encode_chunked="Transfer-Encoding" in (headers or {}))  # type: ignore[arg-type]
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, text, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def talk(server: BundledServer, request: bytes, *, shut: bool = False) -> bytes:
    """Send bytes as they are, and return all that comes until the server hangs up."""
    with socket.create_connection((server.host, server.port), PATIENCE) as connection:
        connection.sendall(request)
        if shut:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while block := connection.recv(65536):
            answer += block
        return answer


def log_in(server: BundledServer) -> dict[str, str]:
    """Return the header that carries the token."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, headers = ask(server, "POST", "/auth", "username=test&password=test", form)
    assert status == 200
    return {"Cookie": headers["set-cookie"].partition(";")[0]}


def multipart(name: str, content: bytes, boundary: str = "limit") -> tuple[bytes, dict[str, str]]:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_prints_and_answers_as_in_the_contract(weather_feed: BundledServer, method: str) -> None:
    status, _, headers = ask(weather_feed, method, "/anything", b"some body")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    weather_feed.wait_for(f"{method} request received\nContent-Length: 9\nsome body\n")
    weather_feed.wait_for(f"{method} /anything HTTP/1.1 -> 200 OK\n")


def test_every_request_is_printed_with_its_status(weather_feed: BundledServer) -> None:
    ask(weather_feed, "PUT", "/upload?one=1", b"x")
    ask(weather_feed, "GET", "/nothing\x1b[2J".replace("\x1b", "%1b"))
    talk(weather_feed, b"NONSENSE\x1b[2J\r\n\r\n")
    weather_feed.wait_for("PUT /upload?one=1 HTTP/1.1 -> 200 OK\n")
    weather_feed.wait_for("GET /nothing%1b[2J HTTP/1.1 -> 404 Not Found\n")
    assert "\x1b" not in weather_feed.wait_for("-> 400 Bad Request\n")


def test_body_that_is_no_text(weather_feed: BundledServer) -> None:
    assert ask(weather_feed, "PUT", "/upload", b"\xff\xfe\x1b[2J\0 end")[0] == 200
    assert "\x1b" not in weather_feed.wait_for("[2J")


def test_a_body_is_printed_whole(weather_feed: BundledServer) -> None:
    content = ("größe " * 500_000 + "end").encode()
    assert ask(weather_feed, "PUT", "/upload", content)[0] == 200
    assert content.decode() in weather_feed.wait_for("end\nPUT /upload")


def test_a_body_is_printed_up_to_the_limit(tmp_path: Path) -> None:
    with bundled_server(SCRIPT, "--print-limit", "4096", workspace=tmp_path) as server:
        assert ask(server, "PUT", "/upload", b"x" * 3_000_000)[0] == 200
        server.wait_for("and 2995904 bytes more")
        assert len(server.output()) < 10_000


def test_the_folder_for_files_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there yet"
    with bundled_server(SCRIPT, "--save-to", str(folder), workspace=tmp_path) as server:
        body, headers = multipart("a.csv", b"1,2")
        assert ask(server, "PUT", "/upload", body, headers)[0] == 200
    assert (folder / "a.csv").read_bytes() == b"1,2"


def test_what_is_not_stored_is_no_success(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    with bundled_server(SCRIPT, "--save-to", str(folder), workspace=tmp_path) as server:
        body, headers = multipart("a.csv", b"1,2")
        assert ask(server, "PUT", "/upload", b"no multipart")[0] == 400
        (folder / "a.csv").mkdir()
        status, text, _ = ask(server, "PUT", "/upload", body, headers)
        assert status == 500 and "stored" in text
        (folder / "a.csv").rmdir()
        folder.rmdir()
        assert ask(server, "PUT", "/upload", body, headers)[0] == 500
        server.wait_for("-> 500 Internal Server Error")


@pytest.mark.skipif(os.name != "posix" or not Path("/dev/shm").is_dir(), reason="needs limits of POSIX")
def test_a_file_too_large_to_be_stored_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    limit = ["prlimit", "--fsize=100000"]
    if not shutil.which(limit[0]):
        pytest.skip("prlimit isn't here")
    with bundled_server(SCRIPT, "--save-to", str(folder), "--print-limit", "0", workspace=tmp_path) as server:
        subprocess.run([*limit, "--pid", str(server.process.pid)], check=True)
        body, headers = multipart("a.csv", bytes(300_000))
        assert ask(server, "PUT", "/upload", body, headers)[0] == 507
        assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX systems")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_half_is_left_at_the_end(number: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    with bundled_server(SCRIPT, "--save-to", str(folder), workspace=tmp_path) as server:
        body, headers = multipart("a.csv", bytes(1_000_000))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection((server.host, server.port)) as client:
            client.sendall(f"PUT /u HTTP/1.1\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body[:700_000])
            until(lambda: any(path.stat().st_size for path in folder.glob("*.part")))
            server.process.send_signal(number)
            assert server.process.wait(PATIENCE) == 0
    assert list(folder.iterdir()) == []


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_wrong_password_and_missing_cookie(rest_server: BundledServer) -> None:
    for form in ("username=test&password=wrong", "username=x&password=test", "", "username=test", "\xff=\xff&&&=%"):
        status, _, headers = ask(rest_server, "POST", "/auth", form.encode("latin-1"))
        assert status == 401
        assert "set-cookie" not in headers
    body, headers = multipart("a.csv", b"1,2")
    assert ask(rest_server, "PUT", "/upload", body, headers)[0] == 401
    assert ask(rest_server, "PUT", "/upload", body, {**headers, "Cookie": "token=guessed"})[0] == 401
    assert ask(rest_server, "PUT", "/upload", body, {**headers, "Cookie": "\xff;;=;token"})[0] == 401
    assert not list(rest_server.folder.iterdir())


def test_cookie_is_kept_from_scripts(rest_server: BundledServer) -> None:
    _, _, headers = ask(rest_server, "POST", "/auth", "username=test&password=test")
    assert re.fullmatch(r"token=[\w-]{32}; Path=/; HttpOnly; SameSite=Strict", headers["set-cookie"])


def test_refused_client_sees_why(rest_server: BundledServer) -> None:
    """A client that is still sending when it is refused must see the answer, not a reset."""
    assert ask(rest_server, "PUT", "/upload", bytes(30_000_000))[0] == 401


@pytest.mark.parametrize(
    "content",
    [b"", b"\r\n", b"--limit", b"\r\n--limi", b"\r\n--limi\r\n--limi" * 50_000, os.urandom(700_001), b"\r\n" * 200_000],
)
def test_files_are_stored_as_they_are(rest_server: BundledServer, content: bytes) -> None:
    body, headers = multipart("extract.csv", content)
    cookie = log_in(rest_server)
    for sending in ({}, {"Transfer-Encoding": "chunked"}):
        parts = (body[start : start + 70_001] for start in range(0, len(body), 70_001))
        status, _, _ = ask(rest_server, "PUT", "/upload", parts if sending else body, {**headers, **cookie, **sending})
        assert status == 200
        assert (rest_server.folder / "extract.csv").read_bytes() == content
        (rest_server.folder / "extract.csv").unlink()


@pytest.mark.parametrize("name", ["../../evil.csv", "..\\evil.csv", "/tmp/evil.csv", "C:\\x\\evil.csv"])
def test_only_the_base_name_counts(rest_server: BundledServer, name: str) -> None:
    body, headers = multipart(name, b"1,2")
    assert ask(rest_server, "PUT", "/upload", body, {**headers, **log_in(rest_server)})[0] == 200
    assert [path.name for path in rest_server.folder.iterdir()] == ["evil.csv"]


@pytest.mark.parametrize("name", ["", "..", "/", "...", ".x.part", "a\0b", "a:b", "a\x1bb"])
def test_unsafe_names_are_not_stored(rest_server: BundledServer, name: str) -> None:
    body, headers = multipart(name, b"1,2")
    assert ask(rest_server, "PUT", "/upload", body, {**headers, **log_in(rest_server)})[0] == 400
    assert not list(rest_server.folder.iterdir())


@pytest.mark.parametrize(
    "body",
    [b"", b"--limit", b"nothing of the kind", multipart("a.csv", b"1,2")[0][:-6], b"--limit\r\n" + b"x" * 700_000],
)
def test_broken_multipart_is_refused(rest_server: BundledServer, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=limit", **log_in(rest_server)}
    assert ask(rest_server, "PUT", "/upload", body, headers)[0] == 400
    assert not list(rest_server.folder.iterdir())


def test_client_that_hangs_up(rest_server: BundledServer) -> None:
    body, headers = multipart("a.csv", bytes(1_000_000))
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, **log_in(rest_server)}.items())
    request = f"PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body[:400_000]
    assert talk(rest_server, request, shut=True) == b""
    rest_server.wait_for("PUT: given up, the client hung up")
    assert not list(rest_server.folder.iterdir())
    assert log_in(rest_server)  # and it goes on serving


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"PUT /u HTTP/1.1\r\nHost: x\r\n\r\n", 411),
        (b"POST /a HTTP/1.1\r\nHost: x\r\n\r\n", 411),
        (b"PUT /u HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 411),
        (b"PUT /u HTTP/1.1\r\nContent-Length: many\r\n\r\n", 411),
        (b"PUT /u HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"PUT /u HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"PUT /u HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
        (b"PUT /u HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000, 400),
        (b"PUT /u HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n", 400),
        (b"PUT /u HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"DELETE /u HTTP/1.1\r\n\r\n", 501),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_bad_requests(weather_feed: BundledServer, request_head: bytes, status: int) -> None:
    assert f" {status} ".encode() in talk(weather_feed, request_head, shut=True).partition(b"\r\n")[0] + b" "


def test_made_up_observation_has_the_real_form(weather_feed: BundledServer) -> None:
    status, text, headers = ask(weather_feed, "GET", "/xml/current_obs/KBMG.xml")
    assert (status, headers["content-type"]) == (200, "application/xml")
    root = fromstring(text.encode("latin-1"))
    assert root.tag == "current_observation" and root.findtext("station_id") == "KBMG"
    when = parsedate_to_datetime(root.findtext("observation_time_rfc822", ""))
    assert when.tzinfo is not None and (when.minute, when.second) == (0, 0)
    assert -40 < float(root.findtext("temp_c", "")) < 50
    assert 0 <= int(root.findtext("relative_humidity", "")) <= 100
    assert 950 < float(root.findtext("pressure_mb", "")) < 1050
    assert root.findtext("weather")
    again = ask(weather_feed, "GET", "/xml/current_obs/KBMG.xml")[1]
    assert (
        again == text
        or parsedate_to_datetime(fromstring(again.encode()).findtext("observation_time_rfc822", "")) > when
    )


@pytest.mark.parametrize("path", ["/", "/xml/current_obs/.xml", "/xml/current_obs/ABC.xml", "/xml/current_obs/../x"])
def test_nothing_elsewhere(weather_feed: BundledServer, path: str) -> None:
    assert ask(weather_feed, "GET", path)[0] == 404


def test_observations_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "feed").mkdir()
    for name, content in {"KAAA.xml": "<a/>", "KBBB-2020.xml": "<b/>", "KBBB-2021.xml": "<c/>"}.items():
        (tmp_path / "feed" / name).write_text(content)
    (tmp_path / "KCCC.xml").write_text("<secret/>")
    with bundled_server(SCRIPT, "--observations", str(tmp_path / "feed"), workspace=tmp_path) as server:
        answers = {
            station: ask(server, "GET", f"/xml/current_obs/{station}.xml")[:2]
            for station in ("KAAA", "KBBB", "KCCC", "../KCCC", "..%2FKCCC")
        }
    assert answers["KAAA"] == (200, "<a/>")
    assert answers["KBBB"] == (200, "<c/>")
    assert [answers[station][0] for station in ("KCCC", "../KCCC", "..%2FKCCC")] == [404, 404, 404]


def run(*options: str, **more: object) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, str(ROOT / SCRIPT), *options]
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, **more)  # type: ignore[call-overload]


def test_a_port_in_use_is_reported_in_one_line(weather_feed: BundledServer) -> None:
    done = run("--port", str(weather_feed.port))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "--port" in done.stderr and str(weather_feed.port) in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--save-to", f"{__file__}/at/all"),
        ("--print-limit", "-1"),
        ("--port", "99999"),
        ("--username", "x"),
        ("--username", "x", "--password-file", "/nowhere/at/all"),
    ],
)
def test_wrong_usage(options: tuple[str, ...]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ABQ_SERVER_PASSWORD"}
    done = run(*options, env=environment)
    assert done.returncode == 2 and "usage:" in done.stderr and "Traceback" not in done.stderr


def test_help_names_the_options() -> None:
    text = run("--help").stdout
    for option in ("--host", "--port", "--username", "--password-file", "--save-to", "--observations", "--print-limit"):
        assert option in text


def test_password_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("größe\n", encoding="utf-8")
    options = ["--username", "ann", "--password-file", str(tmp_path / "password")]
    with bundled_server(SCRIPT, *options, workspace=tmp_path) as server:
        assert ask(server, "POST", "/auth", "username=ann&password=gr%C3%B6%C3%9Fe")[0] == 200
        assert ask(server, "POST", "/auth", "username=ann&password=x")[0] == 401


def test_warns_when_others_can_reach_it(tmp_path: Path) -> None:
    with bundled_server(SCRIPT, "--host", "0.0.0.0", workspace=tmp_path) as server:
        server.wait_for("Warning: others on the network can reach this server")


def test_no_warning_on_loopback(weather_feed: BundledServer) -> None:
    ask(weather_feed, "GET", "/")
    assert "Warning" not in weather_feed.output()


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX systems")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_cleanly(weather_feed: BundledServer, number: signal.Signals) -> None:
    with socket.create_connection((weather_feed.host, weather_feed.port)) as idle:
        idle.sendall(b"PUT /u HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
        weather_feed.process.send_signal(number)
        assert weather_feed.process.wait(PATIENCE) == 0
    assert "Traceback" not in weather_feed.output()


def test_encrypts_with_a_certificate(tmp_path: Path) -> None:
    trusted = authority("Lab Authority", tmp_path)
    extract = tmp_path / "extract.csv"
    extract.write_bytes(b"Date,Time\r\n" * 100_000)
    (tmp_path / "received").mkdir()
    options = ["--certificate", str(trusted.issue("127.0.0.1")), "--save-to", str(tmp_path / "received")]
    with bundled_server(SCRIPT, *options, workspace=tmp_path) as server:
        assert server.url.startswith("https://127.0.0.1:")
        with socket.create_connection((server.host, server.port)):  # one that never begins its handshake
            network.upload_to_corporate_rest(
                extract, server.upload_url, server.auth_url, "test", "test", ca_file=trusted.file
            )
        with pytest.raises(network.requests.exceptions.SSLError):
            network.upload_to_corporate_rest(extract, server.upload_url, server.auth_url, "test", "test")
        assert (server.folder / extract.name).read_bytes() == extract.read_bytes()
