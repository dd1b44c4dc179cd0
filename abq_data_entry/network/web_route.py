"""The way to what is reached by HTTP: direct, or by a proxy."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping

from . import encryption, route
from .failures import InvalidInput
from .guard import is_loopback
from .probing import Inspection, Steps
from .proxies import proxy_for

_PORTS = {"http": 80, "https": 443}
_PROXY_PORT = 8080
_PLAIN = "What is sent there can be read on the way. Ask for an address that begins with https://."
_NO_ADDRESS = "The address in the settings must begin with https:// (or http://) and a host's name. Correct it."


def way(inspection: Inspection, url: str, options: Mapping[str, str], setting: str = "abq_ca_file") -> Steps[None]:
    """Name, port and TLS of the address, or of the proxy that leads to it.

    `options`: those of `encryption.verified_context` that are set; `setting`: by what an authority is made known.
    """
    parts = _usable(url)
    if parts is None:
        yield from inspection.fail("Address", _NO_ADDRESS)
        return
    host = parts.hostname or ""
    number = parts.port or _PORTS[parts.scheme]
    try:
        proxy = _proxy(url, str(inspection.context.settings["network_proxy"]))
    except InvalidInput as error:
        yield from inspection.fail("Proxy", inspection.in_words(error))
        return
    if proxy is not None:
        addresses = yield from route.name(inspection, *proxy, "Proxy name")
        yield from route.port(inspection, *proxy, addresses, "Proxy port")
        return  # the rest of the way is seen with the answer
    addresses = yield from route.name(inspection, host, number)
    yield from route.port(inspection, host, number, addresses)
    if parts.scheme == "http":
        yield inspection.note(
            "TLS", "not encrypted: the address begins with http://", "" if is_loopback(host) else _PLAIN
        )
        return
    try:
        context = encryption.verified_context(options.get("ca_file"), options.get("client_certificate", ""))
    except InvalidInput as error:
        yield from inspection.fail("TLS", inspection.in_words(error))
    yield from route.tls(inspection, host, lambda: inspection.guard.connect(host, number, addresses), context, setting)


def place_of(url: str) -> str:
    """Return host and port of an address, and nothing else of it."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        return host if parts.port is None else f"{host}:{parts.port}"
    except ValueError:
        return ""


def _usable(url: str) -> urllib.parse.SplitResult | None:
    try:
        parts = urllib.parse.urlsplit(url)
        return parts if parts.scheme in _PORTS and parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _proxy(url: str, chosen: str) -> tuple[str, int] | None:
    """Return host and port of the proxy that leads to this address; raises `InvalidInput`."""
    address = urllib.parse.urlsplit(proxy_for(url, chosen))
    return (address.hostname, address.port or _PROXY_PORT) if address.hostname else None
