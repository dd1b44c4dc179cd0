"""The key of an SFTP server that was never seen before: somebody at the terminal may look at it and trust it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .. import outbox as room
from ..network.destinations import destination
from .passwords import ask, can_ask

if TYPE_CHECKING:
    from ..outbox import Progress, Send

_QUESTION = (
    "The server {host} isn't known yet. Its key has the fingerprint {fingerprint}. Compare it with the one that the "
    "server's administrator tells you. Trust it and send? [y/N] "
)


@contextmanager
def sending(kind: str, values: Mapping[str, object], login: tuple[str, str]) -> Iterator[Send]:
    """What sends to `rest` or `ftp` over one login; asks once about an unknown key where there is a terminal.

    A key that is trusted is written to the file of known hosts by the attempt that follows, which accepts no other.
    """
    with ExitStack() as opened:
        sender = opened.enter_context(room.sender(kind, values, *login))
        may_ask = can_ask()

        def send(path: Path, *, name: str, progress: Progress, cancel: threading.Event) -> None:
            nonlocal sender, may_ask
            try:
                sender(path, name=name, progress=progress, cancel=cancel)
                return
            except Exception as error:
                fingerprint = room.unknown_host_key(error) if may_ask else ""
                trust = destination(kind).trust(values, fingerprint) if fingerprint else None
                may_ask = may_ask and trust is None
                if trust is None or not _trusts(trust.host, fingerprint):
                    raise
            sender = opened.enter_context(room.sender(kind, trust.settings, *login))
            sender(path, name=name, progress=progress, cancel=cancel)

        yield send


def _trusts(host: str, fingerprint: str) -> bool:
    sys.stdout.flush()
    return ask(_QUESTION.format(host=host, fingerprint=fingerprint)).lower() in ("y", "yes")
