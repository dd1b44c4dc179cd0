"""Which ways there are to log in at a REST service, and what may be set of them; `rest_login` does it."""

from __future__ import annotations

import re
from typing import NamedTuple

METHODS = ("cookie", "token", "api-key", "basic", "oauth2")
NONE = "none"
"""Where nobody logs in; a REST service and a BrAPI server always want one."""

WITHOUT_ADDRESS = ("api-key", "basic", NONE)
"""Those that ask nothing before the first file."""

KEY_HEADER = "X-API-Key"
"""Where an API key goes if nobody says otherwise."""

_OURS = frozenset({
    "accept-encoding", "connection", "content-digest", "content-encoding", "content-length", "content-type", "cookie",
    "expect", "host", "idempotency-key", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


def header_problem(name: str) -> str | None:
    """Return why this can't be the header of an API key, as the end of a sentence; None if it can (empty: the usual)"""
    if name and (not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name) or name.lower() in _OURS):
        return f"must be the name of a header of its own, as {KEY_HEADER}"
    return None


def scope_problem(scope: str) -> str | None:
    """Return why a token can't be asked for with this, as the end of a sentence; None if it can (empty: nothing is)."""
    # RFC 6749, 3.3
    if scope and (len(scope) > 1000 or not re.fullmatch(r"[!#-\[\]-~]+( [!#-\[\]-~]+)*", scope)):
        return 'must be words with one blank between them, without " and \\'
    return None


class How(NamedTuple):
    """How somebody logs in: one of `METHODS`; the header of an API key, what OAuth2 is asked to allow, where given."""

    method: str = "cookie"
    header: str = ""
    scope: str = ""
