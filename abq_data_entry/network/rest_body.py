"""The body of the PUT: one field `file` as multipart/form-data (RFC 7578), streamed; length and digest are known."""

import base64
import hashlib
import secrets
from collections.abc import Iterator

from .guard import Guard
from .source import SourceFile

BLOCK = 256 * 1024


class Multipart:
    """Iterable with a length, and nothing else: `requests` then sends the blocks as they are, with Content-Length.

    `file_digest`, `body_digest`: SHA-256 of the file alone, and of all that is sent. Reads the file once for them.
    """

    def __init__(self, source: SourceFile, guard: Guard) -> None:
        boundary = secrets.token_hex(24)
        # RFC 7578 4.2: names beyond ASCII go as UTF-8; quotes as browsers escape them (HTML standard, 4.10.22.8)
        name = source.name.replace('"', "%22")
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.complete = False
        self.size = source.size
        self._source = source
        self._head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self.file_digest, self.body_digest = self._digests(guard)

    @property
    def content_digest(self) -> str:
        """The header of that name (RFC 9530, section 2)."""
        return f"sha-256=:{base64.b64encode(self.body_digest).decode()}:"

    def __len__(self) -> int:
        return len(self._head) + self.size + len(self._tail)

    def __iter__(self) -> Iterator[bytes | memoryview]:
        self.complete = False
        self._source.rewind()
        yield self._head
        yield from self._source.blocks(BLOCK)
        yield self._tail
        self.complete = True

    def _digests(self, guard: Guard) -> tuple[bytes, bytes]:
        alone, whole = hashlib.sha256(), hashlib.sha256(self._head)
        for block in self._source.content(BLOCK):
            guard.check()
            guard.progressed()
            alone.update(block)
            whole.update(block)
        whole.update(self._tail)
        return alone.digest(), whole.digest()
