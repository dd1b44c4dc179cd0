"""A host on the way to another one (ProxyJump), and the keys of an ssh-agent. Nothing here needs a connection."""

from __future__ import annotations

import re
from typing import NamedTuple

_JUMP = r"(?:ssh://)?(?:(?P<user>[^@/:\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/:\[\]\s]+)(?::(?P<port>\d{1,5}))?/?"


class Jump(NamedTuple):
    """The host on the way, and who logs in there; no user: who logs in at the host behind it."""

    host: str
    port: int = 22
    user: str = ""


def jump_of(text: str) -> Jump | None:
    """Return the jump host that `user@host:port` names; None for an empty text. Raises `ValueError`."""
    if not text:
        return None
    found = re.fullmatch(_JUMP, text)  # compiled only where there is one: each start imports this
    if found is None or not 0 < int(found["port"] or 22) < 65536:
        raise ValueError("no jump host")
    return Jump(found["host"].strip("[]"), int(found["port"] or 22), found["user"] or "")


def jump_problem(text: str) -> str | None:
    """Return why this can't be a jump host, as the end of a sentence; None if it can (empty: there is none)."""
    try:
        jump_of(text)
    except ValueError:
        return "must be a host to go through, as user@host:port"
    return None
