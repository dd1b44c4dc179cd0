"""Extracts by mail: each file is one mail to all receivers, with what belongs to it attached."""

from __future__ import annotations

import hashlib
import math
import os
import secrets
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

from .failures import InvalidInput
from .mail import Mailer
from .mail_addresses import Person
from .mail_message import LONGEST, Attachment, Mail, read_attachments
from .uploads import BLOCK, SourceFile, Uploads

_TEXT = """\
{name} is attached: {size} bytes, SHA-256 {digest}.

Sent by ABQ Data Entry. Each version of a day's file has its own Message-ID; a later one replaces those before.
"""


class MailUploads(Uploads):
    """Sends files by mail, over one login."""

    def __init__(self, mailer: Mailer, sender: Person, receivers: tuple[Person, ...], timeout: float) -> None:
        super().__init__(timeout)
        self._mailer, self._sender, self._receivers = mailer, sender, receivers
        self._headers: dict[str, str] = {}
        self._beside: list[tuple[Path, str]] = []
        self._served: frozenset[str] = frozenset()

    def close(self) -> None:
        self._mailer.close()

    def take_along(self, headers: Mapping[str, str]) -> bool:
        self._headers = dict(headers)
        return True

    def attach(self, filepath: str | os.PathLike[str], name: str) -> bool:
        self._beside.append((Path(filepath), name))
        return True

    def leave_out(self, receivers: Collection[str]) -> bool:
        self._served = frozenset(receivers)
        return True

    def _attempt(
        self, source: SourceFile, identifier: str | None, cancel: threading.Event | None
    ) -> BaseException | None:
        self.remark = ""
        headers, beside, self._headers, self._beside = self._headers, self._beside, {}, []
        served, self._served = self._served, frozenset()
        try:
            mail = self._mail(source, identifier or secrets.token_hex(16), headers, beside)._replace(served=served)
            refused = self._mailer.send(
                mail, cancel, lambda part: source.report(source.size if part == 1 else _part(source.size, part))
            )
        except BaseException as error:  # of the progress callback too, or Ctrl-C
            if getattr(error, "login_refused", False) and isinstance(error, Exception):
                self._refusal = error
            return error.with_traceback(None)
        if refused:
            self.remark = f"The mail server refused it for {'; '.join(refused)}. The other receivers have it."
        return None

    def _mail(
        self, source: SourceFile, identifier: str, headers: Mapping[str, str], beside: list[tuple[Path, str]]
    ) -> Mail:
        if source.size > LONGEST:
            raise InvalidInput(f"{source.name} is too large for a mail ({source.size:,} bytes). Nothing was sent.")
        content = b"".join(bytes(block) for block in source.content(BLOCK))
        digest = hashlib.sha256(content).hexdigest()
        text = _TEXT.format(name=source.name, size=f"{source.size:,}", digest=digest)
        attachments = (Attachment(source.name, content), *read_attachments(beside))
        # The delivery's number and what is in it: the same for all its attempts, another one for the next version.
        mark = f"{identifier}.{digest[:16]}"
        subject = f"ABQ Data Entry: {source.name}"
        return Mail(self._sender, self._receivers, subject, text, mark, attachments, headers)


def _part(size: int, part: float) -> int:
    """Never all of it: that is told once, before the end is sent."""
    return min(math.floor(size * part), max(size - 1, 0))
