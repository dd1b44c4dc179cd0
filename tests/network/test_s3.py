"""Files in a bucket: moto, which checks signatures and rights, and answers that no honest store gives."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.models import SETTINGS
from abq_data_entry.network import Cancelled, describe_failure
from abq_data_entry.network.destinations import destination
from abq_data_entry.network.s3 import Answer, Digests, S3Uploads, other_region, region_of
from abq_data_entry.outbox import is_transient, login_refused, sender
from abq_data_entry.stored_destination import STORED, StoredDestination
from tests.diagnostics.conftest import Checks, failure, step_of, verdicts
from tests.network.certificates import Authority
from tests.network.faults import Connection, Script, http, serving
from tests.network.object_store import ObjectStore, object_store

NAME = "abq_data_record_2026-11-20.csv"
CONTENT = b"Date,Time\r\n2026-11-20,8:00\r\n" * 2000
DIGESTS = Digests([CONTENT])
KEYS = ("AKIAEXAMPLE", "Gr0undhog-Tuesday")
DEFAULTS: dict[str, object] = {**{each.name: each.default for each in SETTINGS}, "network_timeout": 10}


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with object_store() as made:
        yield made


def uploads(url: str, keys: tuple[str, str] = KEYS, **values: object) -> S3Uploads:
    settings = {**DEFAULTS, "abq_s3_url": url, **values}
    assert destination("s3").problem(settings) == ""
    made = destination("s3").uploads(settings, *keys)
    assert isinstance(made, S3Uploads)
    return made


def refusal(url: str, path: Path, keys: tuple[str, str] = KEYS, **values: object) -> tuple[str, BaseException]:
    """What is said, and the error; it holds no secret."""
    with uploads(url, keys, **values) as opened, pytest.raises(OSError) as caught:
        opened.upload(path)
    told = describe_failure(caught.value)
    assert keys[1] not in told
    return told, caught.value


@pytest.mark.needs("network")
def test_a_file_arrives_whole_once_and_its_next_version_replaces_it(store: ObjectStore, extract: Path) -> None:
    odd, folder = "Größe ~ 100% #1+a.csv", "plants/2026 ü"
    seen: list[int] = []
    with uploads(store.url, (store.key, store.secret), abq_s3_folder=folder) as opened:
        opened.upload(extract, progress=lambda sent, total: seen.append(sent))
        opened.upload(extract)  # as after an answer that was lost
        opened.upload(extract, name=odd)
        extract.write_bytes(b"second\r\n")
        opened.upload(extract)
    assert seen == sorted(seen) and seen[-1] == len(CONTENT)
    found = store.objects()
    assert {name: found[name] for name in found if name.startswith(folder)} == {
        f"{folder}/{NAME}": b"second\r\n", f"{folder}/{odd}": CONTENT,
    }  # fmt: skip


@pytest.mark.needs("network")
def test_a_destination_of_the_database_sends_the_digest_along(store: ObjectStore, extract: Path) -> None:
    row = StoredDestination("archive", "s3", store.url, folder="stored", checksum=True)
    values = {**DEFAULTS, STORED: {row.key: row}}
    with sender(row.key, values, store.key, store.secret) as send:
        send(extract, name="sent as.csv", progress=lambda sent, total: None, cancel=threading.Event())
    found = {name: content for name, content in store.objects().items() if name.startswith("stored/")}
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert found == {"stored/sent as.csv": CONTENT, "stored/sent as.csv.sha256": f"{digest}  sent as.csv\n".encode()}


@pytest.mark.needs("network")
def test_wrong_keys_missing_buckets_and_missing_rights_are_reported(store: ObjectStore, extract: Path) -> None:
    for keys, code in (((store.key, "wrong"), "SignatureDoesNotMatch"), (KEYS, "InvalidAccessKeyId")):
        told, error = refusal(store.url, extract, keys)
        assert f"refused the access key or the secret key ({code})" in told
        assert login_refused(error) and not is_transient(error)
    for keys in (("", "x"), (store.key, ""), ("AKIA\u200bключ", "x")):
        with uploads(store.url, keys) as opened, pytest.raises(OSError, match="Nothing was sent") as caught:
            opened.upload(extract)
        assert login_refused(caught.value) and not is_transient(caught.value)
    told, error = refusal(store.url.replace("/lab", "/elsewhere"), extract, (store.key, store.secret))
    assert "has no bucket elsewhere, and none is made from here" in told and not is_transient(error)
    assert NAME not in store.objects()
    with uploads(store.url, store.writer, abq_s3_folder="written") as opened:
        opened.upload(extract)  # who may not ask has the tag, which says that it is whole
    assert store.objects()[f"written/{NAME}"] == CONTENT


@pytest.mark.needs("network")
@pytest.mark.parametrize(("status", "code", "words"), [
    ("403 No", "InvalidAccessKeyId", "refused the access key or the secret key (InvalidAccessKeyId)"),
    ("403 No", "SignatureDoesNotMatch", "The server said: SignatureDoesNotMatch It is so."),
    ("403 No", "RequestTimeTooSkewed", "refused it because of the clock"),
    ("400 Bad", "ExpiredToken", "refused the access key or the secret key (ExpiredToken)"),
    ("404 No", "NoSuchBucket", "has no bucket lab, and none is made from here"),
    ("403 No", "SlowDown", "is busy"),
])  # fmt: skip
def test_nothing_is_sent_where_all_is_refused(status: str, code: str, words: str, extract: Path) -> None:
    asked: list[bytes] = []

    def script(client: Connection) -> None:
        while request := client.request():
            asked.append(request)
            client.send(http(status, b"" if request.startswith(b"HEAD") else _error(code)))

    with serving(script) as port:
        told, error = refusal(f"http://127.0.0.1:{port}/lab", extract)
    assert words in told and is_transient(error) == (code == "SlowDown")
    assert login_refused(error) == ("refused the access key" in told)
    assert [each.split()[0] for each in asked] == [b"HEAD", b"GET"] and b"range: bytes=0-0" in asked[-1].lower()


@pytest.mark.needs("network")
@pytest.mark.parametrize("head", [http("405 No"), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
@pytest.mark.parametrize(("status", "body"), [
    (f"206 Part\r\nContent-Range: bytes 0-0/{len(CONTENT)}", CONTENT[:1]), ("200 OK", CONTENT)
])  # fmt: skip
def test_what_only_get_says_of_the_file_is_enough(status: str, body: bytes, head: bytes, extract: Path) -> None:
    """Some refuse HEAD, proxies take the size from it, some know no ranges: what they have isn't sent again."""
    asked: list[bytes] = []

    def script(client: Connection) -> None:
        while request := client.request():
            asked.append(request.split()[0])
            told = f"x-amz-meta-sha256: {DIGESTS.sha256}"
            client.send(head if request.startswith(b"HEAD") else http(status, body, told))

    with serving(script) as port, uploads(f"http://127.0.0.1:{port}/lab") as opened:
        opened.upload(extract)
    assert asked == [b"HEAD", b"GET"]


@pytest.mark.needs("network")
@pytest.mark.parametrize("tag", [DIGESTS.md5, ""])
def test_without_a_size_the_etag_of_the_put_counts(tag: str, extract: Path) -> None:
    """A missing size doesn't count as a difference: the file would be sent again and again."""
    put = http("200 OK", b"", f'ETag: "{tag}"')
    untold = b"HTTP/1.1 206 Part\r\nContent-Range: bytes 0-0/*\r\nContent-Length: 1\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    with serving(_store(put, lambda asked: head if asked.startswith(b"HEAD") else untold + CONTENT[:1])) as port:
        if tag:
            with uploads(f"http://127.0.0.1:{port}/lab") as opened:
                opened.upload(extract)
        else:
            told, error = refusal(f"http://127.0.0.1:{port}/lab", extract)
            assert "nothing says that it has it whole" in told and not is_transient(error)


@pytest.mark.needs("network")
def test_check_goes_step_by_step(store: ObjectStore) -> None:
    check, options = Checks(), dict[str, Any](abq_s3_url=store.url, abq_s3_folder="tried")
    assert list(verdicts(check("s3", **options))) == ["Name", "Port", "TLS"]
    steps = check("s3", (store.key, store.secret), True, **options)
    assert step_of(steps, "Login").text == f"the access key {store.key} is good for the bucket lab"
    assert "removed again" in step_of(steps, "Write test").text and "tried" not in str(store.objects())
    assert "may not list" in step_of(check("s3", store.writer, **options), "Login").text
    assert "SignatureDoesNotMatch" in failure(check("s3", (store.key, KEYS[1]), **options)).text
    assert "abq_s3_url" in failure(check("s3")).text and KEYS[1] not in check.said
    deeper = failure(check("s3", (store.key, store.secret), abq_s3_url=f"{store.url}/plants")).text
    assert "has no bucket lab/plants. The address ends with the name of the bucket" in deeper


@pytest.mark.needs("network")
@pytest.mark.parametrize("page", [b"<html>Welcome to the hotel</html>", b"<ListAllMyBucketsResult/>", b"", b"\xff"])
def test_what_answers_must_be_a_bucket(page: bytes) -> None:
    def script(client: Connection) -> None:
        while client.request():
            client.send(http("200 OK", page))

    with serving(script) as port:
        for url in (f"http://127.0.0.1:{port}/lab", f"http://127.0.0.1:{port}"):
            found = failure(Checks()("s3", KEYS, abq_s3_url=url)).text
            assert "isn't a bucket. The address ends with the name of the bucket" in found


def _error(code: str, more: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>It is so.</Message>{more}</Error>".encode()


def _store(put: bytes, then: Callable[[bytes], bytes] = lambda head: http("404 No")) -> Script:
    """A store that answers so to a PUT, and so to what is asked by HEAD after it."""

    def script(client: Connection) -> None:
        is_there = False
        while request := client.request():
            if request.startswith(b"PUT"):
                is_there = True
                client.send(put)
            else:
                client.send(then(request) if is_there else http("404 No"))

    return script


@pytest.mark.needs("network")
@pytest.mark.parametrize(("answer", "words", "transient"), [
    (http("403 No", _error("RequestTimeTooSkewed", "<ServerTime>2020-02-29T08:00:00Z</ServerTime>")),
     "minutes ahead of the server's: set it.\nThe server said: RequestTimeTooSkewed", False),
    (http("403 No", _error("RequestTimeTooSkewed"), "Date: Mon, 01 Jan 2046 00:00:00 GMT"), "minutes behind", False),
    (http("403 No", _error("RequestTimeTooSkewed"), "Date: never"), "Set the clock of this computer.", False),
    (http("403 No", _error("AccessDenied")), "has no right to do that in bucket lab", False),
    (http("503 Slow", _error("SlowDown"), "Retry-After: 7"), "is busy", True),
    (http("500 Error", _error("InternalError")), "an error of its own (500)", True),
    (http("400 Bad", _error("RequestTimeout")), "refused the request (400)", True),
    (http("400 Bad", _error("BadDigest")), "refused the request (400)", True),
    (http("507 Full", _error("XMinioStorageFull")), "no space left", True),
    (http("400 Bad", _error("EntityTooLarge")), "too large", False),
    (http("301 Moved", _error("PermanentRedirect"), "Location: http://localhost:1/"), "redirected us", False),
    (http("404 No", b"<html>not found</html>"), "has no bucket lab", False),
    (http("403 No", b'<!DOCTYPE a [<!ENTITY b "c">]><Error><Code>&b;</Code></Error>'), "(403)", False),
    (http("403 No", b"<Error>" * 50_000), "refused it (403). Check the access key", False),
    (http("403 No", _error("AccountSuspended")), "refused it (403). Check the access key", False),
    (http("200 OK"), "something else", True),  # and then it isn't there
])  # fmt: skip
def test_refusals_of_a_store_have_its_reason(answer: bytes, words: str, transient: bool, extract: Path) -> None:
    with serving(_store(answer)) as port:
        told, error = refusal(f"http://127.0.0.1:{port}/lab", extract)
    assert words in told and len(told) < 600
    assert is_transient(error) == transient and login_refused(error) == (b"(403)" in answer)


@pytest.mark.needs("network")
def test_what_the_store_has_must_be_what_was_sent(extract: Path) -> None:
    digest, tag = hashlib.sha256(CONTENT).hexdigest(), hashlib.md5(CONTENT).hexdigest()

    def head(size: int, *headers: str) -> Callable[[bytes], bytes]:
        lines = ["HTTP/1.1 200 OK", f"Content-Length: {size}", *headers, "", ""]
        return lambda request: "\r\n".join(lines).encode()

    for then, words in (
        (head(len(CONTENT), f"x-amz-meta-sha256: {digest}"), ""), (head(len(CONTENT), f'ETag: "{tag}"'), ""),
        (head(len(CONTENT) - 1, f"x-amz-meta-sha256: {digest}"), "something else"),
        (head(len(CONTENT), f"x-amz-meta-sha256: {'0' * 64}", f'ETag: "{tag}"'), "something else"),
        (head(len(CONTENT)), "something else"),
        (lambda request: http("403 No"), "has no right to ask (s3:GetObject)"),
    ):
        with serving(_store(http("200 OK"), then)) as port:
            url = f"http://127.0.0.1:{port}/lab"
            if words:
                told, error = refusal(url, extract)
                assert words in told and is_transient(error) == (words == "something else")
            else:
                with uploads(url) as opened:
                    opened.upload(extract)


@pytest.mark.needs("network")
def test_what_is_sent_is_signed_for_the_region_that_the_store_names(extract: Path) -> None:
    seen: list[bytes] = []

    def script(client: Connection) -> None:
        while request := client.request():
            seen.append(request)
            elsewhere = _error("AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>")
            client.send(http("200 OK") if b"/eu-west-3/" in request else http("400 Bad", elsewhere))

    with serving(script) as port, uploads(f"http://127.0.0.1:{port}/lab") as opened:
        opened.run(lambda: opened.ask("GET", query="list-type=2"))
        opened.run(lambda: opened.put("a.csv", CONTENT, DIGESTS))
    assert [b"/eu-west-3/s3/aws4_request" in each for each in seen] == [False, True, True]
    head = seen[-1].partition(b"\r\n\r\n")[0].decode()
    md5 = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()
    assert f"Content-MD5: {md5}" in head
    assert all(f"x-amz-{each}: {DIGESTS.sha256}" in head for each in ("content-sha256", "meta-sha256"))
    assert KEYS[1] not in head and KEYS[0] in head


@pytest.mark.needs("network")
def test_an_answer_to_head_that_names_no_region_is_no_end(extract: Path) -> None:
    """MinIO with a region of its own says so in a body only."""
    kept: list[bytes] = []

    def script(client: Connection) -> None:
        while request := client.request():
            if b"/eu-lab/" not in request:
                elsewhere = _error("AuthorizationHeaderMalformed", "<Region>eu-lab</Region>")
                client.send(http("400 Bad", b"" if request.startswith(b"HEAD") else elsewhere))
            elif request.startswith(b"PUT"):
                kept.append(request)
                client.send(http("200 OK"))
            else:
                told = f"Content-Length: {len(CONTENT)}\r\nx-amz-meta-sha256: {DIGESTS.sha256}"
                client.send(f"HTTP/1.1 200 OK\r\n{told}\r\n\r\n".encode() if kept else http("404 No"))

    with serving(script) as port, uploads(f"http://127.0.0.1:{port}/lab") as opened:
        opened.upload(extract)
        opened.upload(extract)
    assert len(kept) == 1


def test_regions_and_addresses() -> None:
    for url, region in (
        ("https://s3.eu-central-1.amazonaws.com/lab", "eu-central-1"), ("https://minio.example:9000/lab", "us-east-1"),
        ("https://lab.s3.ap-south-1.amazonaws.com", "ap-south-1"), ("https://lab.s3.amazonaws.com", "us-east-1"),
        ("https://lab.s3-us-west-2.amazonaws.com", "us-west-2"),
        ("https://lab.s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ):  # fmt: skip
        assert region_of(url) == region
    for headers, found in (({"x-amz-bucket-region": "eu-west-1"}, "eu-west-1"), ({"x-amz-bucket-region": "a/b\n"}, "")):
        assert other_region(Answer(301, headers, b""), "us-east-1") == found
    to = destination("s3")
    for url, words in (
        ("", "is empty"), ("s3://lab", "must be an address"), ("https://a:b@minio/lab", "must not hold a user name"),
        ("https://minio/lab?x=1", "must not hold ? or #"), ("https://[x/lab", "must be an address"),
    ):  # fmt: skip
        values = {**DEFAULTS, "abq_s3_url": url}
        assert words in to.problem(values) and to.remark(values) == ""
    assert to.remark({**DEFAULTS, "abq_s3_url": "http://minio.example/lab"}) == "not encrypted"
    assert to.address({**DEFAULTS, "abq_s3_url": "https://m/lab/", "abq_s3_folder": "a/b"}) == "https://m/lab/a/b"


def test_without_its_package_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch, extract: Path) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "minio" else find(name, *more))
    assert "pip install minio" in destination("s3").problem({**DEFAULTS, "abq_s3_url": "https://minio/lab"})
    monkeypatch.undo()
    for name in ("minio.credentials.credentials", "minio.signer"):
        monkeypatch.setitem(sys.modules, name, None)
    with uploads("http://127.0.0.1:1/lab") as opened, pytest.raises(OSError, match=r"abq-data-entry\[s3\]"):
        opened.upload(extract)


@pytest.mark.needs("network")
def test_a_silent_store_has_an_end_and_an_authority_must_be_known(extract: Path, trusted: Authority) -> None:
    with serving(Connection.stall) as port:
        told, error = refusal(f"http://127.0.0.1:{port}/lab", extract, network_timeout=0.2)
        assert "didn't" in told and is_transient(error)
        cancel = threading.Event()
        threading.Timer(0.1, cancel.set).start()
        with uploads(f"http://127.0.0.1:{port}/lab") as opened, pytest.raises(Cancelled):
            opened.upload(extract, cancel=cancel)


@pytest.mark.needs("network")
def test_a_put_goes_out_once_where_the_store_has_it_already(extract: Path) -> None:
    requests: list[bytes] = []

    def script(client: Connection) -> None:
        while request := client.request():
            requests.append(request.split()[0])
            kept = f"x-amz-meta-sha256: {DIGESTS.sha256}"
            client.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n{kept}\r\n\r\n".encode())

    with serving(script) as port, uploads(f"http://127.0.0.1:{port}/lab") as opened:
        opened.upload(extract)
        opened.upload(extract)
    assert requests == [b"HEAD", b"HEAD"]
