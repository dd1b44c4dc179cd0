"""Where the company's notices come from: a feed (Atom or RSS) by https, or a newsgroup by nntps.

What is asked for the next time is said by the last answer (`Fetched.state`), so that an unchanged feed sends nothing.
"""

from __future__ import annotations

import hashlib
import re
import threading
import urllib.parse
from collections.abc import Callable, Mapping

from .failures import InvalidInput
from .guard import is_loopback
from .notice_feed import Fetched

Settings = Mapping[str, object]
Login = tuple[str, str]
Heard = Callable[[Mapping[str, str]], object]

TIMEOUT = 40.0  # seconds for all of it
KIND = "notices"
"""Under which name the login is kept: in the keyring, or in the folder of secrets."""

_ENCRYPTED = {"https": True, "http": False, "nntps": True, "nntp": True}  # nntp: by STARTTLS

_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,199}")


def problem(settings: Settings) -> str:
    """Return why the settings can't be used, as a sentence; empty if they can."""
    address = str(settings["notices_url"]).strip()
    try:
        parts = urllib.parse.urlsplit(address)
        usable = parts.scheme in _ENCRYPTED and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not address.isprintable() or " " in address:
        return "The setting notices_url must begin with https:// or nntps:// and a host's name."
    if parts.username or parts.password:
        return "The setting notices_url holds a login. Name the user in notices_username, and keep the password apart."
    if parts.scheme in ("nntps", "nntp") and not group_of(address):
        return "The setting notices_url must name a newsgroup after the host: nntps://news.example.com/company.notices"
    is_open = not _ENCRYPTED[parts.scheme]
    if is_open and settings["notices_security"] != "none" and not is_loopback(parts.hostname or ""):
        return (
            "The setting notices_url begins with http://: others on the way could write notices of their own. Use "
            "https://, or set notices_security to none."
        )
    return ""


def group_of(address: str) -> str:
    """Return the newsgroup that an address names; empty if it names none that can be."""
    name = urllib.parse.unquote(urllib.parse.urlsplit(address).path).strip("/")
    return name if _GROUP.fullmatch(name) else ""


def source_of(settings: Settings) -> str:
    """Return the name of the source in the database: its address, without what may be secret in it; empty for none.

    Two addresses that differ in their query only have different names.
    """
    address = str(settings["notices_url"]).strip()
    if not address:
        return ""
    try:
        parts = urllib.parse.urlsplit(address)
        place = urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return ""
    query = hashlib.sha256(parts.query.encode()).hexdigest()[:12] if parts.query else ""
    return f"{place[:900]}?{query}" if query else place[:900]


def fetch_notices(
    settings: Settings,
    state: Mapping[str, object],
    login: Login | None = None,
    *,
    timeout: float = TIMEOUT,
    cancel: threading.Event | None = None,
    heard: Heard | None = None,
) -> Fetched:
    """Fetch what is new. `state`: what the last answer said, empty for everything; `timeout`: seconds for the whole;
    `heard` takes the headers of an HTTP answer.

    Raises `NoticesError`, `InvalidInput` (before anything is sent), `Cancelled`.
    """
    if why := problem(settings):
        raise InvalidInput(why)
    if str(settings["notices_url"]).strip().lower().startswith("nntp"):
        from .notice_group import fetch_group

        group = group_of(str(settings["notices_url"]).strip())
        return fetch_group(settings, group, state, login, timeout=timeout, cancel=cancel)
    from .notice_answer import fetch_feed

    return fetch_feed(settings, state, login, timeout=timeout, cancel=cancel, heard=heard)
