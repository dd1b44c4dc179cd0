"""The feed and the REST service: real ones, and ones that misbehave in each way that the steps tell apart."""

from __future__ import annotations

import email.utils
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.network.probing import FAILED, OK, SLOW, WARNING, Step
from tests.fixtures.ports import free_port
from tests.fixtures.servers import BundledServer, bundled_server
from tests.network.certificates import Authority
from tests.network.faults import LOGIN_PAGE, Connection, Script, http, serving
from tests.pace import patience

from .conftest import SECRET, Checks, failure, step_of, verdicts

OBSERVATION = (
    b"<current_observation><station_id>KBMG</station_id><temp_c>20.0</temp_c>"
    b"<observation_time_rfc822>Sat, 21 Nov 2026 14:53:00 -0500</observation_time_rfc822></current_observation>"
)
ALL_WELL = ["Name", "Port", "TLS", "Answer", "Clock", "Answer", "Login", "Write test"]


def answering(*answers: bytes) -> Script:
    """One answer a connection or request; the last one for all others."""
    left = list(answers)

    def play(connection: Connection) -> None:
        while connection.request():
            connection.send(left.pop(0) if len(left) > 1 else left[0])

    return play


@contextmanager
def secure(certificate: Path, answer: bytes) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def play(connection: Connection) -> None:
        connection.socket = context.wrap_socket(connection.socket, server_side=True)
        while connection.request():
            connection.send(answer)

    with serving(play) as port:
        yield port


def feed(check: Checks, port: int, wait: float = 5.0, scheme: str = "http") -> list[Step]:
    return check("weather", wait=wait, weather_url=f"{scheme}://127.0.0.1:{port}/{{station}}.xml?key={SECRET[:7]}")


def rest(check: Checks, port: int, login: str = "", scheme: str = "http", **options: Any) -> list[Step]:
    return check(
        "rest",
        login=("lab", SECRET) if login else None,
        abq_auth_url=f"{scheme}://127.0.0.1:{port}/auth?token={SECRET}",
        abq_upload_url=f"{scheme}://127.0.0.1:{port}/upload?token={SECRET}",
        **options,
    )


def test_the_feed_is_asked_as_the_application_does(check: Checks, weather_feed: BundledServer) -> None:
    steps = check("weather", weather_url=weather_feed.weather_url)
    assert verdicts(steps) == {"Name": OK, "Port": OK, "TLS": OK, "Answer": OK, "Clock": OK}
    assert all(step.seconds is not None for step in steps if step.what not in ("TLS", "Clock"))
    assert "127.0.0.1" in step_of(steps, "Name").text and "reverse name" in step_of(steps, "Name").text
    assert "KBMG" in step_of(steps, "Answer").text
    assert steps[0].destination == f"Weather feed 127.0.0.1:{weather_feed.port}"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (answering(http("200 OK", b"<html><body>Welcome to the hotel</body></html>")), "a web page"),
        (answering(http("200 OK", b"")), "empty"),
        (answering(http("404 Not Found")), "knows no weather station KBMG"),
        (answering(http("503 Busy")), "had an error of its own (503)"),
        (answering(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "doesn't speak HTTP"),
        (lambda connection: connection.request() and connection.reset(), "The connection was cut"),
        (lambda connection: connection.stall(), "in time"),
    ],
)
def test_a_feed_that_answers_wrongly(check: Checks, script: Script, words: str) -> None:
    with serving(script) as port:
        found = failure(feed(check, port, wait=0.6))
    assert found.what == "Answer" and words in found.text


def test_a_port_that_is_closed(check: Checks) -> None:
    found = failure(feed(check, free_port()))
    assert found.what == "Port" and "refused the connection" in found.text and "Check the settings" in found.text


def test_a_host_that_nobody_knows(check: Checks) -> None:
    found = failure(check("weather", weather_url="https://feed.invalid/{station}.xml", weather_sources="nws_xml"))
    assert found.what == "Name" and "isn't known. Check its name" in found.text


@pytest.mark.parametrize("url", ["file:///etc/{station}", "https://{station}:x/", "feed", f"ftp://{SECRET}@a/"])
def test_an_address_that_is_none(check: Checks, url: str) -> None:
    found = failure(check("weather", weather_url=url, weather_sources="nws_xml"))
    assert found.what == "Address" and "https://" in found.text


@pytest.mark.parametrize(
    ("minutes", "verdict", "advice"),
    [(0, OK, ""), (-3, OK, "certificates"), (3, OK, "certificates"), (9, WARNING, "NTP")],
)
def test_the_clocks_of_the_service_and_of_the_feed(check: Checks, minutes: int, verdict: str, advice: str) -> None:
    said = email.utils.formatdate(time.time() + 60 * minutes, usegmt=True)
    with serving(answering(http("404 Not Found", b"", f"Date: {said}"))) as port:
        found = step_of(rest(check, port), "Clock")
    assert found.verdict == verdict and advice in found.advice and bool(found.advice) == bool(minutes)
    with serving(answering(http("200 OK", OBSERVATION, f"Date: {said}", "Content-Type: text/xml"))) as port:
        assert step_of(feed(check, port), "Clock").verdict == verdict


def test_every_source_is_looked_at(check: Checks, weather_feed: BundledServer) -> None:
    url = f"http://127.0.0.1:{weather_feed.port}/none/{{station}}"
    steps = check("weather", weather_url=weather_feed.weather_url, weather_api_url=url, weather_metar_url=url)
    assert [step.verdict for step in steps if step.what == "Answer"] == [OK, FAILED, FAILED]
    assert "no source" in failure(check("weather", weather_sources="nws_xml,metra")).text


def test_a_user_in_an_address_is_never_shown(check: Checks, weather_feed: BundledServer) -> None:
    url = weather_feed.weather_url.replace("://", f"://lab:{SECRET.replace(' ', '-')}@")
    steps = check("weather", weather_url=url, weather_sources="nws_xml")
    assert failure(steps).what == "Answer"
    assert "lab" not in check.said and "horse" not in check.said


@pytest.mark.parametrize(
    ("names", "days", "whose", "words"),
    [
        (("127.0.0.1",), -1, "trusted", "it has expired"),
        (("data.abq.example",), 30, "trusted", "it is not for 127.0.0.1. It names data.abq.example"),
        (("127.0.0.1",), 30, "stranger", "its issuer isn't trusted"),
    ],
)
def test_a_certificate_that_is_refused(
    check: Checks,
    trusted: Authority,
    request: pytest.FixtureRequest,
    names: tuple[str],
    days: int,
    whose: str,
    words: str,
) -> None:
    issuer: Authority = request.getfixturevalue(whose)
    with secure(issuer.issue(*names, days=days), http("200 OK")) as port:
        found = failure(rest(check, port, scheme="https", abq_ca_file=str(trusted.file)))
    assert found.what == "TLS" and words in found.text and "abq_ca_file" in found.text


def test_names_and_end_of_a_good_certificate(check: Checks, trusted: Authority) -> None:
    with secure(trusted.issue("127.0.0.1", "data.abq.example", days=29), http("401 No")) as port:
        found = step_of(rest(check, port, scheme="https", abq_ca_file=str(trusted.file)), "TLS")
    assert found.verdict == OK and not found.advice
    assert "TLS 1.3; certificate for 127.0.0.1, data.abq.example, issued by Lab Authority, valid until 20" in found.text


def test_a_certificate_that_ends_soon(check: Checks, trusted: Authority) -> None:
    with secure(trusted.issue("127.0.0.1", days=13), http("401 No")) as port:
        found = step_of(rest(check, port, scheme="https", abq_ca_file=str(trusted.file)), "TLS")
    assert found.verdict == OK and found.advice.startswith("The certificate ends in 12 days: ask")


def test_https_where_the_server_speaks_http(check: Checks, rest_server: BundledServer) -> None:
    found = failure(rest(check, rest_server.port, scheme="https"))
    assert found.what == "TLS" and "doesn't speak TLS" in found.text


def test_a_ca_file_that_is_missing(check: Checks, rest_server: BundledServer) -> None:
    found = failure(rest(check, rest_server.port, scheme="https", abq_ca_file="/nowhere/ca.pem"))
    assert found.what == "TLS" and "doesn't exist. Check the setting abq_ca_file" in found.text


def test_the_bundled_service_over_tls(check: Checks, trusted: Authority, tmp_path: Path) -> None:
    certificate = str(trusted.issue("127.0.0.1", days=20))
    with bundled_server("sample_http_server.py", "--certificate", certificate, workspace=tmp_path) as server:
        steps = rest(check, server.port, "log in", "https", abq_ca_file=str(trusted.file), write=True)
        assert [step.what for step in steps] == ALL_WELL
        assert set(verdicts(steps).values()) == {OK}


def test_a_name_that_makes_no_sense_is_refused_by_name(check: Checks) -> None:
    steps = check("rest", abq_upload_name="../{date}.csv")
    assert [step.what for step in steps] == ["Settings"] and "abq_upload_name" in failure(steps).text


def test_a_login_and_a_tiny_file(check: Checks, rest_server: BundledServer) -> None:
    urls: dict[str, Any] = {"abq_auth_url": rest_server.auth_url, "abq_upload_url": rest_server.upload_url}
    steps = check("rest", login=("test", "test"), write=True, **urls)
    assert [step.what for step in steps] == ALL_WELL
    name = steps[-1].text.split()[0]
    assert name.startswith(".abq-connection-test-") and "no command to remove" in steps[-1].advice
    assert name in rest_server.wait_for(f'filename="{name}"')


def test_without_being_asked_nothing_is_sent(check: Checks, rest_server: BundledServer) -> None:
    urls: dict[str, Any] = {"abq_auth_url": rest_server.auth_url, "abq_upload_url": rest_server.upload_url}
    assert [step.what for step in check("rest", **urls)] == ALL_WELL[:-2]
    assert [step.what for step in check("rest", login=("test", "test"), **urls)] == ALL_WELL[:-1]
    assert "PUT request" not in rest_server.output() and not list(rest_server.folder.iterdir())


def test_a_wrong_password(check: Checks, rest_server: BundledServer) -> None:
    found = failure(rest(check, rest_server.port, "log in"))
    assert found.what == "Login" and "password" in found.text


def test_a_login_page_in_place_of_a_login(check: Checks) -> None:
    with serving(answering(http("200 OK", LOGIN_PAGE))) as port:
        steps = rest(check, port, "log in")
    assert "showed its login again" in failure(steps).text
    assert "in a browser" in steps[-2].advice and not steps[-3].advice


@pytest.mark.parametrize(
    ("status", "fails", "words"),
    [
        ("302 Found", False, "redirects readers"),
        ("405 No", False, "nothing for readers"),
        ("500 Oops", True, "had an error of its own (500)"),
        ("429 Wait", True, "is busy (429)"),
    ],
)
def test_what_the_addresses_answer(check: Checks, status: str, fails: bool, words: str) -> None:
    with serving(answering(http(status, b"", "Location: http://elsewhere.invalid/"))) as port:
        steps = rest(check, port)
    assert words in steps[-1].text and (steps[-1].verdict != OK) == fails


def test_a_slow_answer_says_what_is_usual(check: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    from abq_data_entry.network import probing as room

    monkeypatch.setitem(room._USUAL, "Answer", 0.0)
    with serving(answering(http("401 No"))) as port:
        found = rest(check, port)[-1]
    assert found.verdict == SLOW and "is usual" in found.advice


@pytest.mark.parametrize("kind", ["weather", "rest"])
def test_cancel_on_a_stalled_answer(check: Checks, kind: str) -> None:
    from abq_data_entry.network import Cancelled

    cancel = threading.Event()
    reached: list[float] = []

    def stall(connection: Connection) -> None:
        if connection.request():
            reached.append(time.monotonic())
            cancel.set()
            connection.stall()

    with serving(stall) as port:
        address = f"http://127.0.0.1:{port}"
        urls: dict[str, Any] = {
            "weather_url": f"{address}/{{station}}",
            "abq_auth_url": address,
            "abq_upload_url": address,
        }
        with pytest.raises(Cancelled):
            check(kind, cancel=cancel, wait=30.0, **urls)
        assert time.monotonic() - reached[0] < patience(0.5)
