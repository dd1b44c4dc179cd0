"""The check of where notices come from: the way there, what it answers, and the difference of the clocks."""

from __future__ import annotations

import urllib.parse

from . import encryption, probing
from .clocks import CERTIFICATES, Clock
from .notice_feed import Fetched
from .notices import KIND, fetch_notices, problem
from .probing import Context, Inspection, Result, Steps
from .web import place_of, way

_PORTS = {"nntps": 563, "nntp": 119}


def probe(context: Context) -> Steps[None]:
    """Look at the feed or the newsgroup of the settings; what comes isn't kept."""
    address = str(context.settings["notices_url"]).strip()
    inspection = Inspection(f"Notices {place_of(address)}".strip(), context, KIND)
    if why := problem(context.settings):
        yield from inspection.fail("Settings", why)
    if address.startswith("nntp"):
        yield from _way_to_news(inspection, address)
    else:
        yield from way(inspection, address, context.chosen(ca_file="abq_ca_file"))
    if context.settings["notices_username"]:
        yield inspection.note("Answer", "not asked for: it wants a login, which `notices fetch` tries")
        return
    clock = Clock()

    def fetch() -> Result[None]:
        found = fetch_notices(
            context.settings, {}, timeout=context.wanted.wait, cancel=context.cancel, heard=clock.heard
        )
        return Result(None, _told(found))

    yield from inspection.step("Answer", fetch)
    yield from clock.steps(inspection, CERTIFICATES)


def _way_to_news(inspection: Inspection, address: str) -> Steps[None]:
    """Name, port, and TLS where it comes first; STARTTLS is seen with the answer."""
    parts = urllib.parse.urlsplit(address)
    host, number = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    addresses = yield from probing.name(inspection, host, number)
    yield from probing.port(inspection, host, number, addresses)
    if parts.scheme == "nntps":
        trusted = encryption.verified_context(str(inspection.context.settings["abq_ca_file"]) or None)
        guard = inspection.guard
        yield from probing.tls(inspection, host, lambda: guard.connected(host, number, addresses), trusted)


def _told(found: Fetched) -> str:
    notices = found.notices or ()
    newest = max((each.published for each in notices if each.published is not None), default=None)
    dated = f", the newest of {newest:%Y-%m-%d}" if newest is not None else ""
    return f"{len(notices)} notice{'' if len(notices) == 1 else 's'}{dated}"
