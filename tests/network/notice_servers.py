"""A small feed server, real HTTP on loopback: ETag, Last-Modified, gzip, Basic, TLS; and the feeds that it serves."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

MODIFIED = 1_790_000_000


@dataclass
class FeedServer:
    """`body` and `kind` are what it serves at each path; `login`: user name and password that it wants; `status` and
    `headers`: what it answers instead; `requests`: the status of each answer with the headers of the request."""

    body: bytes = b""
    kind: str = "application/atom+xml"
    login: tuple[str, str] | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    @property
    def statuses(self) -> list[int]:
        return [status for status, _ in self.requests]

    def answer(self, asked: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body for a request with these headers."""
        if self.login is not None:
            words = base64.b64encode(":".join(self.login).encode()).decode()
            if asked.get("authorization") != f"Basic {words}":
                return 401, {"WWW-Authenticate": "Basic"}, b""
        if self.status != 200:
            return self.status, self.headers, b""
        tag = f'"{hashlib.sha256(self.body).hexdigest()[:12]}"'
        said = {"ETag": tag, "Last-Modified": formatdate(MODIFIED, usegmt=True), **self.headers}
        if asked.get("if-none-match") == tag:
            return 304, said, b""
        if "gzip" in asked.get("accept-encoding", ""):
            return 200, {**said, "Content-Type": self.kind, "Content-Encoding": "gzip"}, gzip.compress(self.body)
        return 200, {**said, "Content-Type": self.kind}, self.body


@contextlib.contextmanager
def feed_server(certificate: Path | None = None, **options: object) -> Iterator[FeedServer]:
    """Serve until the block ends."""
    served = FeedServer(**options)  # type: ignore[arg-type]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = {name.lower(): value for name, value in self.headers.items()}
            status, headers, body = served.answer(asked)
            served.requests.append((status, asked))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        served.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}/notices.xml"
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def atom(*entries: str, base: str = "") -> bytes:
    """Return an Atom feed of these entries."""
    head = f'<feed xmlns="http://www.w3.org/2005/Atom"{base and f" xml:base={base!r}"}><title>Notices</title>'
    return f"<?xml version='1.0' encoding='utf-8'?>{head}{''.join(entries)}</feed>".encode()


def entry(mark: str, title: str, html: str = "", updated: str = "2026-11-20T08:00:00Z", link: str = "") -> str:
    """Return an entry of an Atom feed; `html` is its content."""
    escaped = html.replace("&", "&amp;").replace("<", "&lt;")
    place = f"<link href='{link}'/>" if link else ""
    return (
        f"<entry><id>{mark}</id><title>{title}</title><updated>{updated}</updated>{place}"
        f"<content type='html'>{escaped}</content></entry>"
    )
