"""A REST service that wants one of the logins there are, and what it was asked: real requests on loopback."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

USERNAME, PASSWORD = "plant lab", "gelb: 7 & mehr"
KEY = "sk-0123456789abcdef"


@dataclass
class LoginService:
    """`method`: as `METHODS` of `destination`; `in_body`: OAuth2 takes the client's secret in the body only.

    `lasts`: the member `expires_in`; `forgets`: after so many files a token is known no more; `answer`: sent for each
    login in place of one (status, type, body, further headers); `folder`: where files are kept too, if anywhere.
    """

    method: str
    header: str = "X-API-Key"
    in_body: bool = False
    lasts: object = 3600
    forgets: int = 1_000_000
    answer: tuple[int, str, bytes, dict[str, str]] | None = None
    refuses_files: bool = False
    folder: Path | None = None
    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)
    forms: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    _used: int = 0

    @property
    def logins(self) -> int:
        return sum(method == "POST" for method, _ in self.requests)

    def log_in(self, headers: Any, body: bytes) -> tuple[int, str, bytes, dict[str, str]]:
        """Answer a login."""
        if self.answer is not None:
            return self.answer
        if self.method == "token":
            given = json.loads(body)
            self.forms.append(given)
            is_right = given == {"username": USERNAME, "password": PASSWORD}
            given = given["password"]  # what a careless server repeats
        else:
            form = {name: value for name, (value, *_) in urllib.parse.parse_qs(body.decode()).items()}
            self.forms.append(form)
            both = f"{urllib.parse.quote_plus(USERNAME)}:{urllib.parse.quote_plus(PASSWORD)}"
            in_header = headers.get("Authorization") == f"Basic {base64.b64encode(both.encode()).decode()}"
            in_body = (form.get("client_id"), form.get("client_secret")) == (USERNAME, PASSWORD)
            given = form.get("client_secret", "")
            is_right = form.get("grant_type") == "client_credentials" and (in_body if self.in_body else in_header)
        if not is_right:
            said = json.dumps({"error": "invalid_client", "error_description": f"no client {given}"})
            return 401, "application/json", said.encode(), {}
        self.tokens.append(f"token-{len(self.tokens)}.{'x' * 40}=")
        self._used = 0
        token = {"access_token": self.tokens[-1], "token_type": "bearer", "expires_in": self.lasts}
        return 200, "application/json", json.dumps(token).encode(), {}

    def keep(self, body: bytes) -> None:
        """Keep a file: one part of a form."""
        self.files.append(body)
        if self.folder is not None:
            head, _, rest = body.partition(b"\r\n\r\n")
            name = head.partition(b'filename="')[2].partition(b'"')[0].decode()
            (self.folder / name).write_bytes(rest[: rest.rindex(b"\r\n--")])

    def knows(self, headers: Any) -> bool:
        """Whether a request may store a file."""
        if self.refuses_files:
            return False
        if self.method == "basic":
            both = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
            return bool(headers.get("Authorization") == f"Basic {both}")
        if self.method == "api-key":
            return bool(headers.get(self.header) == KEY)
        self._used += 1
        return bool(
            self.tokens and headers.get("Authorization") == f"Bearer {self.tokens[-1]}" and self._used <= self.forgets
        )


@contextlib.contextmanager
def login_service(method: str, **options: Any) -> Iterator[LoginService]:
    """Run the service until the block ends: logins at /auth, files at /upload."""
    service = LoginService(method, **options)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                super().handle()

        def do_POST(self) -> None:
            self._answer(lambda body: service.log_in(self.headers, body))

        def do_PUT(self) -> None:
            def store(body: bytes) -> tuple[int, str, bytes, dict[str, str]]:
                if not service.knows(self.headers):
                    said = json.dumps({"message": f"{self.headers.get('Authorization', '')} is not known"})
                    return 401, "application/json", said.encode(), {}
                service.keep(body)
                return 200, "text/plain", b"taken", {}

            self._answer(store)

        def do_GET(self) -> None:
            known = service.method not in ("api-key", "basic") or service.knows(self.headers)
            self._answer(lambda body: (405 if known else 403, "text/plain", b"no", {}))

        def _answer(self, work: Callable[[bytes], tuple[int, str, bytes, dict[str, str]]]) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            service.requests.append((self.command, self.path))
            status, kind, said, more = work(body)
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(said)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        service.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
