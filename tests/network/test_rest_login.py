"""Logins of the REST service: each of them at a real server, and what is told where one is refused."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry import network
from abq_data_entry.models.settings import SETTINGS
from abq_data_entry.network import probing
from abq_data_entry.network.destination import LoginMethod
from abq_data_entry.network.destinations import destination
from abq_data_entry.network.failures import InvalidInput
from abq_data_entry.network.guard import Guard
from abq_data_entry.network.probing import FAILED, Context, Options
from abq_data_entry.network.rest import RestUploads
from abq_data_entry.stored_destination import STORED, StoredDestination

from .faults import LOGIN_PAGE, Connection, http, serving
from .login_server import KEY, PASSWORD, USERNAME, LoginService, login_service

pytestmark = pytest.mark.needs("network")

LOGINS = {
    "token": (USERNAME, PASSWORD), "basic": (USERNAME, PASSWORD.replace(":", "")), "api-key": ("lab", KEY),
    "oauth2": (USERNAME, PASSWORD),
}  # fmt: skip
WRONG = "rot: 8 & wenig"
SECRETS = (PASSWORD, WRONG, KEY, "sk-0123", "mehr", "wenig", "token-0.", "Z2VsYj")


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "abq_data_record_2026-11-21.csv"
    path.write_bytes(b"Date,Time\r\n" * 1000)
    return path


def uploads(service: LoginService, password: str = "", **options: Any) -> RestUploads:
    username, right = USERNAME if service.method != "api-key" else "lab", LOGINS[service.method][1]
    password = password or (PASSWORD if service.method != "api-key" else right)
    header = service.header if service.method == "api-key" else ""
    login_method = LoginMethod(service.method, header, options.pop("scope", ""))
    return RestUploads(
        f"{service.url}/upload", f"{service.url}/auth", username, password, login_method=login_method,
        **{"timeout": 20, **options},
    )  # fmt: skip


def refused(sender: RestUploads, path: Path, **options: Any) -> Any:
    """The error of a file that doesn't get there; it and all that it holds are free of secrets."""
    with pytest.raises(Exception) as caught:
        sender.upload(path, **options)
    error = caught.value
    texts = [str(error), repr(error), network.describe_failure(error), repr(vars(error))]
    for text in (*texts, *traceback.format_exception(error)):
        assert not [each for each in SECRETS if each in text]
    response = getattr(error, "response", None)
    assert response is None or not [each for each in SECRETS if each in response.text]
    assert error.__context__ is None and error.__cause__ is None
    return error


@pytest.mark.parametrize("method", ["token", "api-key", "basic", "oauth2"])
def test_one_login_serves_many_files_and_a_wrong_one_is_tried_once(
    method: str, extract: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with login_service(method, header="X-Lab-Key") as service:
        with uploads(service) as sender:
            for _ in range(3):
                sender.upload(extract)
        assert (len(service.files), service.logins) == (3, method in ("token", "oauth2"))
        assert all(b"Date,Time\r\n" * 1000 in each for each in service.files)
        asked = len(service.requests)
        with uploads(service, password=WRONG) as sender:
            errors = [refused(sender, extract) for _ in range(2)]
        assert [each.login_refused for each in errors] == [True, True]
        # One question; OAuth2 is asked once more with the secret in the body.
        assert len(service.requests) - asked == (2 if method == "oauth2" else 1)
        assert len(service.files) == 3
    assert not [each for each in SECRETS if each in caplog.text]


def test_what_oauth2_asks(extract: Path) -> None:
    with login_service("oauth2") as service, uploads(service, scope="files:write lab") as sender:
        sender.upload(extract)
        assert service.forms == [{"grant_type": "client_credentials", "scope": "files:write lab"}]
    with login_service("oauth2", in_body=True, forgets=1) as service, uploads(service) as sender:
        sender.upload(extract)
        sender.upload(extract)
        own = {"client_id": USERNAME, "client_secret": PASSWORD}
        first = {"grant_type": "client_credentials"}
        assert service.forms == [first, {**first, **own}, {**first, **own}]


@pytest.mark.parametrize(
    ("lasts", "logins"),
    [(0, 3), (-1, 3), ("0", 3), (3600, 1), ("3600", 1), (1e400, 1), (True, 1), (None, 1), ("soon", 1), ([], 1)],
)
def test_a_token_is_used_for_as_long_as_it_lasts(lasts: object, logins: int, extract: Path) -> None:
    with login_service("oauth2", lasts=lasts) as service, uploads(service) as sender:
        for _ in range(3):
            sender.upload(extract)
        assert (len(service.files), service.logins) == (3, logins)


@pytest.mark.parametrize("method", ["token", "oauth2"])
def test_a_token_that_ends_early_is_had_anew_once(method: str, extract: Path) -> None:
    with login_service(method, forgets=1) as service, uploads(service) as sender:
        for _ in range(3):
            sender.upload(extract)
        assert (len(service.files), service.logins) == (3, 3)
        service.refuses_files = True
        asked = len(service.requests)
        error = refused(sender, extract)
        assert error.login_refused and not error.transient
        assert [each for each, _ in service.requests[asked:]] == ["PUT", "POST", "PUT"]
        refused(sender, extract)
        assert len(service.requests) == asked + 3


def _json(**members: object) -> tuple[int, str, bytes, dict[str, str]]:
    return 200, "application/json", json.dumps(members).encode(), {}


@pytest.mark.parametrize(
    ("answer", "words", "is_refused"),
    [
        (_json(access_token="a" * 8193), "too long", False),
        (_json(access_token="x" * 100_000), "isn't JSON", False),
        (_json(access_token="a\r\nX-Evil: 1"), "can't be sent in a header", False),
        (_json(access_token="a\x00b"), "can't be sent in a header", False),
        (_json(access_token="ü"), "can't be sent in a header", False),
        (_json(access_token=7), "there is none in it", False),
        (_json(access_token="t", token_type="mac"), "another type", False),
        (_json(status="error", message="not today"), "not today", True),
        (_json(metadata={"status": [{"messageType": "ERROR", "message": f"no {PASSWORD}"}]}), "said: no …", True),
        ((200, "application/json", b"[" * 60_000, {}), "isn't JSON", False),
        ((200, "text/html", b"<h1>Welcome</h1>", {}), "isn't JSON", False),
        ((200, "text/html", LOGIN_PAGE, {}), "showed its login again", True),
        ((204, "text/html", b"", {}), "isn't JSON", False),
        ((403, "text/plain", b"locked", {}), "locked", True),
        ((302, "text/plain", b"", {"Location": "http://localhost:1/"}), "another address", False),
        ((307, "text/plain", b"", {"Location": "http://localhost:1/"}), "another address", False),
    ],
)
def test_answers_without_a_token(
    answer: tuple[int, str, bytes, dict[str, str]], words: str, is_refused: bool, extract: Path
) -> None:
    with login_service("oauth2", answer=answer) as service, uploads(service) as sender:
        error = refused(sender, extract)
        assert words in str(error)
        assert (error.login_refused, error.transient, service.logins) == (is_refused, False, 1)


def test_a_busy_login_says_when_to_come_again(extract: Path) -> None:
    answer = (429, "application/json", b'{"message": "slowly"}', {"Retry-After": "120"})
    with login_service("oauth2", answer=answer) as service, uploads(service) as sender:
        error = refused(sender, extract)
    assert (error.transient, error.retry_after, error.login_refused) == (True, "120", False)


def test_a_frozen_login_is_given_up(extract: Path) -> None:
    cancel = threading.Event()

    def freeze(connection: Connection) -> None:
        connection.request()
        cancel.set()
        connection.stall()

    with serving(freeze) as port:
        service = LoginService("token", url=f"http://127.0.0.1:{port}")
        with uploads(service, timeout=0.3) as sender:
            assert refused(sender, extract).transient
        cancel.clear()
        with uploads(service) as sender:
            assert str(refused(sender, extract, cancel=cancel)) == "Cancelled."


def test_nothing_goes_to_another_host_where_a_file_is_redirected(extract: Path) -> None:
    asked: list[bytes] = []

    def other(connection: Connection) -> None:
        asked.append(connection.request())

    with serving(other) as port:

        def script(connection: Connection) -> None:
            while connection.request():
                connection.send(http("307 Temporary Redirect", b"", f"Location: http://localhost:{port}/upload"))

        with serving(script) as there:
            service = LoginService("api-key", url=f"http://127.0.0.1:{there}")
            with uploads(service) as sender:
                assert "another address" in str(refused(sender, extract))
    assert asked == []


@pytest.mark.parametrize("method", ["token", "api-key", "basic", "oauth2"])
def test_no_login_goes_over_the_network_as_it_is(method: str) -> None:
    by = LoginMethod(method)
    with pytest.raises(InvalidInput, match="https://"):
        RestUploads("http://files.example.com/up", "https://x.example.com", "u", "p", login_method=by, timeout=1)
    words = {"api-key": "can't be sent", "basic": "can't hold a colon"}.get(method, "https://")
    with pytest.raises(InvalidInput, match=words):
        RestUploads("https://x.example.com", "http://x.example.com", "u:v", "p\nq", login_method=by, timeout=1)


def checked(row: StoredDestination, login: tuple[str, str]) -> list[probing.Step]:
    values = {**{each.name: each.default for each in SETTINGS}, STORED: {row.key: row}}
    with Guard(None, 20) as guard:
        context = Context(values, Options((row.key,), lambda kind: login, write=True), guard, threading.Event())
        found: list[probing.Step] = []
        try:
            for each in destination(row.key).probe(context):
                found.append(each)
        except probing.Aborted:
            pass
    return found


@pytest.mark.parametrize("method", ["token", "api-key", "basic", "oauth2"])
def test_the_check_of_connections_logs_in_and_reports_refusals(method: str) -> None:
    with login_service(method) as service:
        login_address = f"{service.url}/auth" if method in ("token", "oauth2") else ""
        row = StoredDestination(
            "archive", "rest", f"{service.url}/upload", login_address, login_method=method, username=USERNAME
        )
        right = ("lab", KEY) if method == "api-key" else (USERNAME, PASSWORD)
        steps = checked(row, right)
        assert [each.text for each in steps if each.verdict == FAILED] == []
        assert [each.what for each in steps][-2:] == ["Login", "Write test"] and len(service.files) == 1
        last = checked(row, (right[0], WRONG))[-1]
        assert (last.what, last.verdict) == ("Login", FAILED)
        assert "refused" in last.text or "not known" in last.text or "403" in last.text
