"""WebDAV: real servers (Apache, nginx), and answers that no real one gives."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.network import Cancelled, InvalidInput, describe_failure
from abq_data_entry.network.destinations import destination
from abq_data_entry.network.folder_store import part_of
from abq_data_entry.network.web import HttpLogin, challenges
from abq_data_entry.network.webdav import LARGEST_ANSWER, DavRefused, WebDavUploads, entries
from abq_data_entry.outbox import is_transient, login_refused
from abq_data_entry.outbox.retry_policy import retry_after
from tests.network.certificates import Authority
from tests.network.dav_servers import PASSWORD, USERNAME, DavServer, apache, nginx
from tests.network.faults import Connection, http, serving

NAME = "abq_data_record_2026-11-20.csv"
CONTENT = b"Date,Time\r\n2026-11-20,8:00\r\n" * 2000
WRONG = "Gr0undhog-Tuesday"
SERVERS: dict[str, Callable[[], Any]] = {
    "apache": apache,
    "apache, digest": lambda: apache(digest=True),
    "nginx": nginx,
    "nginx without PROPFIND": lambda: nginx(whole=False),
}


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(scope="module")
def real() -> Iterator[DavServer]:
    with apache() as made:
        yield made


def uploads(url: str, folder: str = "", password: str = PASSWORD, timeout: float = 10.0, **more: Any) -> WebDavUploads:
    return WebDavUploads(url, folder, USERNAME, password, timeout=timeout, **more)


def send(url: str, path: Path, folder: str = "", **options: Any) -> None:
    with uploads(url, folder) as opened:
        opened.upload(path, **options)


def refusal(url: str, path: Path, **options: Any) -> tuple[str, BaseException]:
    """What is said, and the error; it holds no password."""
    with uploads(url, **options) as opened, pytest.raises((OSError, InvalidInput)) as caught:
        opened.upload(path)
    told = describe_failure(caught.value)
    assert PASSWORD not in told and WRONG not in told
    return told, caught.value


def files(server: DavServer) -> dict[str, bytes]:
    found = (path for path in server.folder.rglob("*") if path.is_file() and ".DAV" not in path.parts)
    return {path.relative_to(server.folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.needs("network")
@pytest.mark.parametrize("kind", SERVERS)
def test_a_file_arrives_whole_and_replaces_the_version_before(kind: str, extract: Path) -> None:
    with SERVERS[kind]() as server:
        seen: list[int] = []
        name = "Größe 100% #1.csv"
        with uploads(server.url, "in/lab a") as opened:
            opened.upload(extract, progress=lambda sent, total: seen.append(sent), identifier="one")
            opened.upload(extract, name=name)
            scheme = "Digest" if "digest" in kind else "Basic"
            assert opened.folder.login.scheme == scheme and seen[-1] == len(CONTENT)
            extract.write_bytes(b"second\r\n")
            opened.upload(extract)
        assert files(server) == {f"in/lab a/{NAME}": b"second\r\n", f"in/lab a/{name}": CONTENT}
        told, error = refusal(server.url, extract, password=WRONG)
        assert "refused the user name or the password (401)" in told and login_refused(error)
        assert not is_transient(error)


def test_https_with_an_authority_of_ones_own(trusted: Authority, extract: Path) -> None:
    with apache(certificate=trusted.issue("127.0.0.1")) as server:
        told, _ = refusal(server.url, extract)
        assert "certificate" in told and not files(server)
        with uploads(server.url, ca_file=str(trusted.file)) as opened:
            opened.upload(extract)
        assert files(server) == {NAME: CONTENT}
        told, _ = refusal(server.url.replace("https", "http"), extract)
        assert "its address must begin with https://" in told or "(400)" in told


def test_nothing_else_is_replaced_and_old_parts_go(real: DavServer, extract: Path) -> None:
    for each in real.folder.iterdir():  # what other tests have left; .DAV is the server's own
        if each.is_file():
            each.unlink()
        elif each.name != ".DAV":
            shutil.rmtree(each)
    folder = real.folder / NAME
    folder.mkdir(mode=0o777)
    (folder / "of somebody else").write_bytes(b"x")
    told, error = refusal(real.url, extract)
    assert f"{NAME} is a folder on the WebDAV server" in told and not is_transient(error)
    assert files(real) == {f"{NAME}/of somebody else": b"x"}
    orphan, live = real.folder / part_of("a.csv", "1"), real.folder / part_of("b.csv", "2")
    for each in (orphan, live):
        each.write_bytes(b"half")
    os.utime(orphan, (1, 1))
    send(real.url, extract, name="other.csv")
    assert set(files(real)) == {f"{NAME}/of somebody else", live.name, "other.csv"}


@pytest.mark.parametrize(
    ("server", "what", "transient"),
    [
        (lambda: nginx("client_max_body_size 1k;"), "too large (413)", False),
        (lambda: nginx("limit_except PROPFIND { deny all; }"), "no right to write there (403)", False),
        (lambda: nginx("return 301 https://elsewhere.example/;"), "redirected us to another address (301)", False),
        (lambda: nginx("return 503;"), "an error of its own (503)", True),
    ],
)
def test_refusals_of_real_servers(server: Callable[[], Any], what: str, transient: bool, extract: Path) -> None:
    with server() as running:
        told, error = refusal(running.url, extract)
        assert what in told and is_transient(error) is transient, told
        assert not files(running), "what there was of it is removed"


def test_a_cancelled_one_leaves_the_old_file(real: DavServer, extract: Path) -> None:
    (real.folder / "old.csv").write_bytes(b"old")
    extract.write_bytes(os.urandom(3_000_000))
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        send(real.url, extract, name="old.csv", cancel=cancel, progress=lambda sent, total: cancel.set())
    assert (real.folder / "old.csv").read_bytes() == b"old"
    end = time.monotonic() + 10
    while any(each.name.startswith(".old") for each in real.folder.iterdir()):  # it goes on in the background
        assert time.monotonic() < end
        time.sleep(0.01)


# -- answers that no real server gives -------------------------------------------------------------------


def multistatus(*responses: str) -> bytes:
    return f'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">{"".join(responses)}</d:multistatus>'.encode()


def told_of(href: str, size: object = "", status: str = "HTTP/1.1 200 OK") -> str:
    prop = f"<d:prop><d:getcontentlength>{size}</d:getcontentlength></d:prop>"
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat>{prop}<d:status>{status}</d:status></d:propstat></d:response>"
    )


class Dav:
    """The script of a server that answers each method as it is told; `requests`: the methods, in their order."""

    def __init__(self, **answers: bytes | Callable[[Connection], bytes]) -> None:
        self.answers = answers
        self.requests: list[str] = []

    def __call__(self, client: Connection) -> None:
        while request := client.request():
            method, path, _ = request.split(b"\r\n", 1)[0].decode().split(" ")
            self.requests.append(method)
            answer = self.answers.get(method, http("204 Done"))
            found = answer(client) if callable(answer) else answer
            if not found:
                client.reset()
                return
            if method == "PROPFIND" and found == TRUE:
                found = http("207 Multi-Status", multistatus(told_of(path, len(CONTENT))))
            client.send(found)


TRUE = b"the size is right"


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (http("207 Multi-Status", b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + multistatus(told_of("/"))), "isn't understood"),
        (http("207 Multi-Status", b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'), "isn't understood"),
        (http("207 Multi-Status", multistatus(" " * LARGEST_ANSWER)), "isn't understood"),
        (http("207 Multi-Status", multistatus()[:-5]), "isn't understood"),
        (http("200 OK", b"<html><form><input type=password></form>"), "isn't understood"),
        (http("207 Multi-Status", b"\xff\xfe<"), "isn't understood"),
        (http("207 Multi-Status", multistatus(told_of(f"/other/{NAME}", len(CONTENT)))), "it has an unknown part"),
        (http("207 Multi-Status", multistatus(told_of("http://[", 1))), "it has an unknown part"),
        (http("207 Multi-Status", multistatus(told_of("/", 1))), "it has an unknown part"),
    ],
)
def test_a_hostile_answer_confirms_nothing(answer: bytes, what: str, extract: Path) -> None:
    with serving(Dav(PROPFIND=answer)) as port:
        told, _ = refusal(f"http://127.0.0.1:{port}/", extract)
    assert what in told, told


@pytest.mark.parametrize(
    ("method", "answer", "what", "transient", "seconds"),
    [
        ("PUT", http("423 Locked"), "has locked the file", True, 0),
        ("PUT", http("507 Full"), "no space left (507)", True, 0),
        ("PUT", http("503 Busy", b"", "Retry-After: 120"), "(503)", True, 120),
        ("PUT", http("429 Busy", b"", "Retry-After: 60"), "(429)", True, 60),
        ("PUT", http("404 No"), "no such folder (404)", False, 0),
        ("PUT", http("409 No"), "no such folder (409)", False, 0),
        ("MOVE", http("412 No"), "wouldn't replace", False, 0),
        ("MOVE", http("423 Locked"), "has locked the file", True, 0),
        ("PUT", b"", "The connection was cut", True, 0),
        ("MOVE", b"", "The connection was cut", True, 0),
        ("GET", http("200 OK", b"x" * len(CONTENT)), "differs from what was sent", True, 0),
    ],
)
def test_what_comes_back_in_words(
    method: str, answer: bytes, what: str, transient: bool, seconds: int, extract: Path
) -> None:
    server = Dav(**{"PROPFIND": TRUE, "GET": http("404 No"), method: answer})
    with serving(server) as port:
        told, error = refusal(f"http://127.0.0.1:{port}/", extract)
    assert what in told and is_transient(error) is transient, told
    if seconds:
        wait = retry_after(error, datetime.datetime.now(datetime.timezone.utc))
        assert wait is not None and abs(wait - seconds) < 5
    assert server.requests[-1] == "DELETE", "what there may be of it is removed"


def test_a_server_without_move_gets_the_file_at_once(extract: Path) -> None:
    server = Dav(PROPFIND=TRUE, GET=http("404 No"), MOVE=http("405 No"))
    with serving(server) as port:
        send(f"http://127.0.0.1:{port}/", extract)
    assert server.requests.count("PUT") == 2 and "DELETE" in server.requests


def test_one_that_does_not_answer_is_given_up(extract: Path) -> None:
    def silent(client: Connection) -> bytes:
        client.stall()
        return b""

    with serving(Dav(PROPFIND=TRUE, PUT=silent)) as port:
        told, error = refusal(f"http://127.0.0.1:{port}/", extract, timeout=0.4)
    assert "didn't answer in time (0.4 s)" in told and is_transient(error)


def test_a_wrong_password_is_tried_once(extract: Path) -> None:
    server = Dav(PROPFIND=http("401 No", b"", 'WWW-Authenticate: Basic realm="x"'))
    with serving(server) as port, uploads(f"http://127.0.0.1:{port}/") as opened:
        for _ in range(2):
            with pytest.raises(DavRefused):
                opened.upload(extract)
    assert server.requests == ["PROPFIND", "PROPFIND"], "without and with the login; then nobody is asked any more"


def test_redirects_within_the_server_are_followed_and_no_others(extract: Path) -> None:
    moved = http("308 There", b"", "Location: /dav/")

    class Redirecting(Dav):
        def __call__(self, client: Connection) -> None:
            request = client.request()
            assert request.startswith(b"PROPFIND / ")
            client.send(moved)
            super().__call__(client)

    server = Redirecting(PROPFIND=TRUE, GET=http("404 No"))
    with serving(server) as port, uploads(f"http://127.0.0.1:{port}/") as opened:
        opened.upload(extract)
        assert opened.folder.url == f"http://127.0.0.1:{port}/dav/"
    with serving(Dav(PROPFIND=http("308 There", b"", "Location: http://elsewhere.example/"))) as port:
        told, _ = refusal(f"http://127.0.0.1:{port}/", extract)
    assert "redirected us to another address (308)" in told


def test_challenges_are_read_as_the_standards_say() -> None:
    text = 'Basic realm="a, Digest b=\\"c\\"", Digest realm="r", nonce="n", qop="auth,auth-int", algorithm=SHA-256'
    text += ", Negotiate"
    assert [name for name, _ in challenges(text)] == ["basic", "digest", "negotiate"]
    login = HttpLogin("Mufasa", "Circle of Life")
    assert login.answer(text) and login.scheme == "Digest"
    header = login.header("GET", "/dir/index.html")["Authorization"]
    assert "algorithm=SHA-256" in header and "nc=00000001" in header and "Circle" not in header
    assert not login.answer(text), "a login that was refused isn't sent again"
    for useless in ("", "Negotiate", 'Digest realm="x"', 'Digest realm="x", nonce="n", algorithm=NEW', "," * 9000):
        assert not HttpLogin("a", "b").answer(useless), useless
    # RFC 2617, 3.5, without qop (RFC 2069): its answer can be computed without a number of our own
    login = HttpLogin("Mufasa", "CircleOfLife")
    assert login.answer('Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"')
    found = re.search(r'response="(\w+)"', login.header("GET", "/dir/index.html")["Authorization"])
    assert found is not None and found[1] == "1949323746fe6a43ef61f9606e7febea"


def test_sizes_that_are_none() -> None:
    unknown = told_of("/a%2Fb/", "9" * 30), told_of("/c", 5, "HTTP/1.1 404 No")
    page = multistatus(*unknown, told_of("/d", 7), told_of("/d", 8))
    found = {path: each.size for path, each in entries(page, "host").items()}
    assert found == {"/a/b": None, "/c": None, "/d": 7}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "is empty"),
        ("files.abq.example/dav", "must be an address"),
        ("ftp://files.abq.example/", "must be an address"),
        ("https://lab:secret@files.abq.example/", "must not hold a user name"),
        ("https://files.abq.example/?a=b", "must not hold ?"),
        ("https://files.abq.example/dav/", ""),
    ],
)
def test_what_the_address_can_be(url: str, problem: str) -> None:
    found = destination("webdav").problem({"abq_webdav_url": url, "abq_webdav_folder": ""})
    assert problem in found if problem else not found
    assert "secret" not in found
