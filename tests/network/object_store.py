"""A server that answers as S3 does (moto), with keys and their rights: a signature that isn't right is refused."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from abq_data_entry.network.s3 import NO_CONTENT, USUAL_REGION, S3Uploads, signed
from tests.fixtures.ports import free_port
from tests.network.real_servers import program, running, workspace

BUCKET = "lab"
_RIGHTS = ("s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:DeleteObject")
# Before the rights count: the bucket, and for each of the two users its name, its rights and its key.
_UNCHECKED = 7
_PROGRAM = """
import os, sys
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "{unchecked}"
sys.path.insert(0, {folder!r})
from moto.server import main
main(["--host", "127.0.0.1", "--port", "{port}"])
"""


class ObjectStore(NamedTuple):
    """A running one with a bucket; `key` and `secret` of who may do all there, `writer` of who may only store."""

    port: int
    key: str
    secret: str
    writer: tuple[str, str]

    @property
    def url(self) -> str:
        """The address of the bucket."""
        return f"http://127.0.0.1:{self.port}/{BUCKET}"

    def objects(self) -> dict[str, bytes]:
        """What is in the bucket, by name."""
        found: dict[str, bytes] = {}

        def ask() -> None:
            # A hundred at a time: an answer is read up to 64 KB only.
            names = [""]
            while names:
                query = f"list-type=2&max-keys=100&start-after={urllib.parse.quote(names[-1])}"
                names = re.findall("<Key>(.*?)</Key>", store.ask("GET", query=query).page.decode())
                found.update({name: self._content(name) for name in names})

        with S3Uploads(self.url, "", self.key, self.secret, timeout=20) as store:
            store.run(ask)
        return found

    def _content(self, name: str) -> bytes:
        """All of an object, which may be larger than any answer that the application reads."""
        url = f"{self.url}/{urllib.parse.quote(name)}"
        headers = signed("GET", url, USUAL_REGION, (self.key, self.secret), {}, NO_CONTENT)
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            content: bytes = answer.read()
        return content


@contextlib.contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Run one until the block ends; skips the test where it can't be had."""
    folder, port = program("moto"), free_port()
    words = [sys.executable, "-c", _PROGRAM.format(unchecked=_UNCHECKED, folder=str(folder), port=port)]
    with workspace() as (outer, _), running(words, Path(sys.executable), port, outer / "log"):
        _ask(port, "s3", f"/{BUCKET}", method="PUT")
        key = _user(port, "lab", *_RIGHTS)
        writer = _user(port, "writer", "s3:PutObject")
        yield ObjectStore(port, *key, writer)


def _user(port: int, name: str, *rights: str) -> tuple[str, str]:
    """Make a user with these rights; return the access key and the secret key."""
    allowed = [{"Effect": "Allow", "Action": list(rights), "Resource": "*"}]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    _call(port, "CreateUser", UserName=name)
    _call(port, "PutUserPolicy", UserName=name, PolicyName="store", PolicyDocument=policy)
    made = _call(port, "CreateAccessKey", UserName=name)
    found = (re.search(f"<{each}>(.*?)</{each}>", made) for each in ("AccessKeyId", "SecretAccessKey"))
    key, secret = (each[1] if each else "" for each in found)
    return key, secret


def _call(port: int, action: str, **parameters: str) -> str:
    form = urllib.parse.urlencode({"Action": action, "Version": "2010-05-08", **parameters})
    return _ask(port, "iam", "/", form.encode())


def _ask(port: int, service: str, path: str, content: bytes = b"", method: str = "POST") -> str:
    # By this header moto knows which of its services is meant.
    scope = f"AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=x"
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", content, {"Authorization": scope}, method=method
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        text: str = answer.read().decode()
        return text
