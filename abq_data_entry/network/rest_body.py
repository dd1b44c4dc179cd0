"""The body of the PUT: one field `file` as multipart/form-data (RFC 7578), streamed; length and digest are known."""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from functools import cached_property

from .guard import Guard
from .source import SourceFile

BLOCK = 256 * 1024
# The digest must be known before the first byte is sent. A day's extract has some 40 KB; for a file of more than this
# the wait would cost more than the sending, so it goes without, and is read for its digest when the server tells one.
LARGEST_ANNOUNCED = 32 * 1024 * 1024


class Multipart:
    """Iterable with a length, and nothing else: `requests` then sends the blocks as they are, with Content-Length.

    `file_digest`, `body_digest`: SHA-256 of the file alone, and of all that is sent. The file is read once for them,
    when one is first asked for.
    """

    def __init__(self, source: SourceFile, guard: Guard) -> None:
        boundary = secrets.token_hex(24)
        # RFC 7578 4.2: names beyond ASCII go as UTF-8; quotes as browsers escape them (HTML standard, 4.10.22.8)
        name = source.name.replace('"', "%22")
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.complete = False
        self.size = source.size
        self._source = source
        self._guard = guard
        self._head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    @property
    def content_digest(self) -> str | None:
        """The header of that name (RFC 9530, section 2); `None` for a file that is too large to be read twice."""
        if self.size > LARGEST_ANNOUNCED:
            return None
        return f"sha-256=:{base64.b64encode(self.body_digest).decode()}:"

    @property
    def file_digest(self) -> bytes:
        """SHA-256 of the file."""
        return self._digests[0]

    @property
    def body_digest(self) -> bytes:
        """SHA-256 of the whole body."""
        return self._digests[1]

    def __len__(self) -> int:
        return len(self._head) + self.size + len(self._tail)

    def __iter__(self) -> Iterator[bytes | memoryview]:
        self.complete = False
        self._source.rewind()
        yield self._head
        yield from self._source.blocks(BLOCK)
        yield self._tail
        self.complete = True

    @cached_property
    def _digests(self) -> tuple[bytes, bytes]:
        alone, whole = hashlib.sha256(), hashlib.sha256(self._head)
        for block in self._source.content(BLOCK):
            self._guard.check()
            self._guard.progressed()
            alone.update(block)
            whole.update(block)
        whole.update(self._tail)
        return alone.digest(), whole.digest()
