"""Files by XML-RPC: Python's own server, and answers that no honest one gives."""

from __future__ import annotations

import datetime
import hashlib
import threading
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry.models import SETTINGS
from abq_data_entry.network import Cancelled, InvalidInput, describe_failure
from abq_data_entry.network.destination import NOBODY
from abq_data_entry.network.destinations import destination
from abq_data_entry.network.xml_rpc import XmlRpcUploads
from abq_data_entry.outbox import is_transient, login_refused
from abq_data_entry.outbox.retry_policy import retry_after
from tests.fixtures.xml_rpc_server import PASSWORD, USERNAME, XmlRpcServer, xml_rpc_server
from tests.network.certificates import Authority
from tests.network.faults import Connection, Script, http, serving

NAME = "abq_data_record_2026-11-20.csv"
CONTENT = b"Date,Time\r\n2026-11-20,8:00\r\n" * 20_011  # several blocks, and no whole line at the end
DIGEST = hashlib.sha256(CONTENT).hexdigest()
WRONG = "Gr0undhog-Tuesday"
BOMB = b'<!DOCTYPE b [<!ENTITY a0 "x">' + b"".join(
    b'<!ENTITY a%d "%s">' % (number, b"&a%d;" % (number - 1) * 9) for number in range(1, 10)
) + b"]>"


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[XmlRpcServer]:
    with xml_rpc_server(tmp_path / "received") as made:
        yield made


def uploads(url: str, password: str = PASSWORD, **values: object) -> XmlRpcUploads:
    settings = {each.name: each.default for each in SETTINGS} | {"abq_xmlrpc_url": url, "network_timeout": 10} | values
    assert destination("xmlrpc").problem(settings) == ""
    made = destination("xmlrpc").uploads(settings, USERNAME, password)
    assert isinstance(made, XmlRpcUploads)
    return made


def refusal(url: str, path: Path, password: str = PASSWORD, **values: object) -> tuple[str, BaseException]:
    """What is said, and the error; it holds no password."""
    with uploads(url, password, **values) as opened, pytest.raises(OSError) as caught:
        opened.upload(path)
    told = describe_failure(caught.value)
    assert PASSWORD not in told.replace("tests", "") and WRONG not in told
    return told, caught.value


def test_a_file_arrives_whole_and_under_its_name(server: XmlRpcServer, extract: Path) -> None:
    seen: list[int] = []
    name = "Größe & <base64>\u2003#1.csv"
    with uploads(server.url) as opened:
        opened.upload(extract, progress=lambda sent, total: seen.append(sent), identifier="one")
        opened.upload(extract, identifier="one")  # as after an answer that was lost
        opened.upload(extract, name=name, identifier="two")
        server.answers = [True, DIGEST.upper()]
        opened.upload(extract)
        opened.upload(extract)
        for content in (b"", b"x", b"y" * 57, b"z" * 58):
            extract.write_bytes(content)
            opened.upload(extract, name=f"{len(content)}.csv")
            assert (server.folder / f"{len(content)}.csv").read_bytes() == content
        assert opened.methods() is not None and "abq.upload" in (opened.methods() or [])
    assert server.calls[:3] == [(NAME, "one"), (NAME, "one"), (name, "two")]
    assert {each.name: each.read_bytes() for each in server.folder.iterdir() if len(each.name) > 6} == {
        NAME: CONTENT, name: CONTENT,
    }  # fmt: skip
    assert seen == sorted(seen) and seen[-1] == len(CONTENT)
    assert set(server.logins) == {"Basic dGVzdDp0ZXN0"}


def test_a_method_of_another_name_without_a_login(tmp_path: Path, extract: Path) -> None:
    without = {"abq_xmlrpc_auth_method": "none", "abq_xmlrpc_method": "lab.store"}
    with xml_rpc_server(tmp_path / "received", "lab.store") as server:
        with uploads(server.url, WRONG, **without) as opened:
            opened.upload(extract)
        assert server.logins == [None] and (server.folder / NAME).read_bytes() == CONTENT
        told, error = refusal(server.url, extract)
        assert "refused the call abq.upload" in told and "is not supported" in told and not is_transient(error)
    settings = {each.name: each.default for each in SETTINGS} | without | {"abq_xmlrpc_url": "http://lab.example/"}
    to = destination("xmlrpc")
    assert to.login_place(settings) == NOBODY and to.problem(settings) == ""
    for changed, words in (
        ({"abq_xmlrpc_auth_method": "basic"}, "needs addresses that begin with https://"),
        ({"abq_xmlrpc_method": "a b"}, "must be the name of a method"),
        ({"abq_xmlrpc_url": "https://u:p@lab.example/"}, "must not hold a user name"),
        ({"abq_xmlrpc_url": "lab.example"}, "must be an address"),
    ):
        assert words in to.problem({**settings, **changed})


@pytest.mark.parametrize(("code", "words", "transient", "of_login"), [
    (1, "refused the call abq.upload (fault 1).\nThe server said: the disk is full", False, False),
    (-32400, "(fault -32400)", True, False), (503, "(fault 503)", True, False),
    (-32602, "(fault -32602)", False, False),
    (403, "refused the user name or the password (fault 403)", False, True),
])  # fmt: skip
def test_a_fault_is_reported_in_the_words_of_the_server(
    server: XmlRpcServer, extract: Path, code: int, words: str, transient: bool, of_login: bool
) -> None:
    server.fault = xmlrpc.client.Fault(code, "the disk is full \x07\x1b[2J")
    server.fault.faultString = "the disk is full"
    told, error = refusal(server.url, extract)
    assert words in told and (is_transient(error), login_refused(error)) == (transient, of_login)
    with uploads(server.url) as opened:
        for _ in range(2):
            with pytest.raises(OSError):
                opened.upload(extract)
    assert len(server.calls) == (2 if of_login else 3)  # who was refused isn't tried again with the next file


def test_statuses_of_http(server: XmlRpcServer, extract: Path) -> None:
    told, error = refusal(server.url, extract, WRONG)
    assert "refused the user name or the password (401)" in told and login_refused(error)
    server.busy = True
    told, error = refusal(server.url, extract)
    assert "(503)" in told and is_transient(error) and retry_after(error, datetime.datetime.now(datetime.timezone.utc))
    told, error = refusal(server.url.replace("RPC2", "other"), extract)
    assert told and not server.calls
    server.busy = False
    told, error = refusal(server.url.replace("RPC2", "other"), extract)
    assert "no such service at this address (404)" in told and not is_transient(error)


def test_what_the_service_says_that_it_stored_counts(server: XmlRpcServer, extract: Path) -> None:
    for answer, words, transient in (
        ("0" * 64, "stored something else", True),
        (False, "didn't take the file", False),
        (len(CONTENT), "neither the digest of the file nor true", False),
        ("ok", "neither the digest of the file nor true", False),
        ([True], "neither the digest of the file nor true", False),
    ):
        server.answers = [answer]
        told, error = refusal(server.url, extract)
        assert words in told and is_transient(error) == transient, answer


def _answering(page: bytes) -> Script:
    def script(client: Connection) -> None:
        while client.request():
            client.send(http("200 OK", page, "Content-Type: text/xml"))

    return script


def _of(value: bytes) -> bytes:
    return b"<methodResponse><params><param><value>" + value + b"</value></param></params></methodResponse>"


def _fault(code: bytes, words: bytes) -> bytes:
    members = (b"<member><name>%s</name><value>%s</value></member>" % each for each in (
        (b"faultCode", code), (b"faultString", words)))  # fmt: skip
    return b"<methodResponse><fault><value><struct>%s</struct></value></fault></methodResponse>" % b"".join(members)


NESTED = b"<array><data><value>" * 5000 + b"x" + b"</value></data></array>" * 5000


@pytest.mark.needs("network")
@pytest.mark.parametrize(("page", "words"), [
    (_fault(b"<int>4</int>", NESTED), "(fault 4)."), (_of(NESTED), "neither the digest of the file nor true"),
    (_fault(b"<int>%s</int>" % (b"9" * 4000), b"full"), "(fault 0).\nThe server said: full"),
    (_fault(b"<string>403</string>", b"no"), "refused the user name or the password (fault 403)"),
    (_fault(b"<int>4</int>", b"x" * 200_000), "(fault 4)."),
    (BOMB + _of(b"<string>&a9;</string>"), "isn't understood"),
    (b'<!DOCTYPE b [<!ENTITY a "x">]>' + _of(b"&a;"), "isn't understood"),
    (b'<!DOCTYPE b SYSTEM "file:///etc/passwd">' + _of(b"x"), "isn't understood"),
    (_of(b"<array>" * 30_000), "isn't understood"),
    (_of(b"<string>" + b"x" * 300_000 + b"</string>"), "more than 256 KiB"),
    (_of(b"<i4>" + b"9" * 200_000 + b"</i4>"), "isn't understood"),
    (_of(b"<bigdecimal>x</bigdecimal>"), "isn't understood"), (_of(b"<boolean>2</boolean>"), "isn't understood"),
    (_of(b"<boolean>1</boolean>")[:-20], "isn't understood"), (_of(b"<dateTime.iso8601>x</dateTime.iso8601>"), "isn't"),
    (b"<methodResponse><fault><value><int>1</int></value></fault></methodResponse>", "isn't understood"),
    (b"<methodResponse><params></params></methodResponse>", "isn't understood"),
    (b"<html><title>Welcome to the hotel</title></html>", "isn't XML-RPC"), (b"", "isn't XML-RPC"),
    (b"\xff\xfe\x00", "isn't XML-RPC"),
    (b"<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>4</int></value></member>"
     b"<member><name>faultString</name><value><string>\xc2\x9bno test </string></value></member></struct></value>"
     b"</fault></methodResponse>", "The server said: no …"),
])  # fmt: skip
def test_hostile_answers_are_reported_in_short(page: bytes, words: str, extract: Path) -> None:
    with serving(_answering(page)) as port:
        url = f"http://127.0.0.1:{port}/"
        told, _ = refusal(url, extract)
        assert words in told and len(told) < 500
        with uploads(url) as opened:  # as `check` asks
            try:
                assert not opened.methods()
            except OSError as error:
                assert len(str(error)) < 500 and "abq.upload" not in str(error)


@pytest.mark.needs("network")
def test_a_redirect_to_another_host_gets_nothing(server: XmlRpcServer, extract: Path) -> None:
    def script(client: Connection) -> None:
        client.request()
        client.send(http("307 There", b"", f"Location: {server.url.replace('127.0.0.1', 'localhost')}"))

    with serving(script) as port:
        told, error = refusal(f"http://127.0.0.1:{port}/", extract)
    assert "redirected us" in told and not server.calls and not is_transient(error)


@pytest.mark.needs("network")
def test_a_silent_service_has_an_end_and_can_be_cancelled(extract: Path) -> None:
    with serving(Connection.stall) as port:
        url = f"http://127.0.0.1:{port}/"
        told, error = refusal(url, extract, network_timeout=0.2)
        assert "didn't" in told and is_transient(error)
        cancel = threading.Event()
        threading.Timer(0.1, cancel.set).start()
        with uploads(url) as opened, pytest.raises(Cancelled):
            opened.upload(extract, cancel=cancel)


@pytest.mark.needs("network")
def test_a_connection_that_was_kept_open_and_ended_is_replaced(extract: Path) -> None:
    calls: list[bytes] = []

    def script(client: Connection) -> None:
        calls.append(client.request())
        client.send(http("200 OK", _of(b"<boolean>1</boolean>"), "Content-Type: text/xml"))
        if len(calls) == 1:
            client.until(b"\r\n\r\n")
            client.reset()

    with serving(script) as port, uploads(f"http://127.0.0.1:{port}/") as opened:
        opened.upload(extract)
        opened.upload(extract)
    assert len(calls) == 2


def test_an_authority_of_ones_own(trusted: Authority, extract: Path, tmp_path: Path) -> None:
    with xml_rpc_server(tmp_path / "received", certificate=trusted.issue("127.0.0.1")) as server:
        told, _ = refusal(server.url, extract)
        assert "can't be trusted: its issuer" in told and not server.logins
        with uploads(server.url, abq_ca_file=str(trusted.file)) as opened:
            opened.upload(extract)
        assert (server.folder / NAME).read_bytes() == CONTENT
    with pytest.raises(InvalidInput):
        uploads("https://127.0.0.1/", abq_ca_file=str(extract))


