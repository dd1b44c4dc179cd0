"""What everything that speaks HTTP needs: the proxy on the way, the file as a body, the final answer, a check's steps.

The proxy is the one that is set, else the environment's; none to this machine itself.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import secrets
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from . import encryption, probing
from .failures import HostRefused, HostUnknown, HostUnreachable, InvalidInput, TimedOut
from .guard import Guard, is_loopback
from .probing import Context, Inspection, Steps
from .uploads import BLOCK, SourceFile

if TYPE_CHECKING:
    from .destination import Settings

Sender = TypeVar("Sender")

_PORTS = {"http": 80, "https": 443}


def address_parts(url: str) -> urllib.parse.SplitResult | None:
    """Return the parts of an address with http:// or https:// and a host; `None` for anything else."""
    try:
        parts = urllib.parse.urlsplit(url)
        return parts if parts.scheme in _PORTS and parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def proxy_for(url: str, chosen: str = "") -> str:
    """Return the address of the proxy for a URL, "" for the direct way.

    `chosen`: the setting `network_proxy`, empty for the environment's (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`);
    `NO_PROXY` holds for both. Raises `InvalidInput` for a proxy that can't be used, such as one of SOCKS.
    """
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    # A proxy would look for this machine's own address on itself.
    if is_loopback(host) or urllib.request.proxy_bypass(host if parts.port is None else f"{host}:{parts.port}"):
        return ""
    found = urllib.request.getproxies()
    address = chosen.strip() or found.get(parts.scheme, "") or found.get("all", "")
    if not address:
        return ""
    address = address if "://" in address else f"http://{address}"
    origin = "The setting network_proxy" if chosen.strip() else "The proxy of the environment (HTTPS_PROXY, HTTP_PROXY)"
    try:
        proxy = urllib.parse.urlsplit(address)
        usable = bool(proxy.hostname) and proxy.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(f"{origin} isn't the address of a proxy: http:// and a host's name are expected.")
    if proxy.scheme not in _PORTS:
        raise InvalidInput(
            f"{origin} is one of {proxy.scheme}://, which isn't known here: it must begin with http:// or https://."
        )
    return address


def of_the_proxy(error: OSError, host: str) -> OSError:
    """Return an error of the way to the proxy as what it is: not one of the server behind it."""
    text = error.strerror if isinstance(error, HostRefused | HostUnreachable | HostUnknown) else str(error)
    told = f"The proxy {host} on the way can't be reached. {text} The setting network_proxy, or HTTPS_PROXY, names it."
    if isinstance(error, HostUnknown | HostRefused | HostUnreachable):
        return type(error)(error.errno or 0, told)
    return TimedOut(told) if isinstance(error, TimedOut) else error


class FinalResponse(http.client.HTTPResponse):
    """Passes over all interim answers (100, 102, 103, 199…), of which `http.client` knows only 100.

    101 stays what it is, the last word on this connection: nobody asked for another protocol.
    """

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        interim = 100 <= status < 200 and status != http.HTTPStatus.SWITCHING_PROTOCOLS
        return version, int(http.HTTPStatus.CONTINUE) if interim else status, reason


# The digest must be known before the first byte is sent. A day's extract has some 40 KB; for a file of more than this
# the wait would cost more than the sending, so it goes without, and is read for its digest when the server tells one.
LARGEST_ANNOUNCED = 32 * 1024 * 1024


class Multipart:
    """A file as the body of a PUT (RFC 7578): iterable with a length, and nothing else.

    `requests` then sends the blocks as they are, with Content-Length.
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
        return f"sha-256=:{base64.b64encode(self.digests[1]).decode()}:"

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
    def digests(self) -> tuple[bytes, bytes]:
        """SHA-256 of the file alone, and of all that is sent; the file is read once for them, when they are needed."""
        alone, whole = hashlib.sha256(), hashlib.sha256(self._head)
        for block in self._source.content(BLOCK):
            self._guard.check()
            self._guard.progressed()
            alone.update(block)
            whole.update(block)
        whole.update(self._tail)
        return alone.digest(), whole.digest()


_PROXY_PORT = 8080
_PLAIN = "What is sent there can be read on the way. Ask for an address that begins with https://."
_NO_ADDRESS = "The address in the settings must begin with https:// (or http://) and a host's name. Correct it."


def probe_with_login(
    what: str,
    url: str,
    kind: str,
    problem: str,
    uploads: Callable[[Settings, str, str], AbstractContextManager[Sender]],
    context: Context,
    look: Callable[[Inspection, Sender, str], Steps[None]],
) -> Steps[None]:
    """Check the way to a server, called `what` for people, and, where a login is wanted, go on with it.

    `problem`: why a setting can't be used; `uploads(settings, user, password)`: what sends;
    `look(inspection, sender, user)`: the steps with the login.
    """
    inspection = Inspection(f"{what} {place_of(url)}".strip(), context, kind)
    yield from probing.usable(inspection, problem)
    yield from way(inspection, url, context.chosen(ca_file="abq_ca_file", proxy="network_proxy"))
    login = yield from inspection.login(kind)
    if login is None:
        return
    with uploads({**context.settings, "network_timeout": context.wanted.wait}, *login) as sender:
        yield from look(inspection, sender, login[0])


def way(inspection: Inspection, url: str, options: Mapping[str, str], setting: str = "abq_ca_file") -> Steps[None]:
    """Name, port and TLS of the address, or of the proxy that leads to it.

    `options`: those of `encryption.verified_context` that are set; `setting`: by what an authority is made known.
    """
    parts = address_parts(url)
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
        addresses = yield from probing.name(inspection, *proxy, "Proxy name")
        yield from probing.port(inspection, *proxy, addresses, "Proxy port")
        return  # the rest of the way is seen with the answer
    addresses = yield from probing.name(inspection, host, number)
    yield from probing.port(inspection, host, number, addresses)
    if parts.scheme == "http":
        yield inspection.note(
            "TLS", "not encrypted: the address begins with http://", "" if is_loopback(host) else _PLAIN
        )
        return
    try:
        context = encryption.verified_context(options.get("ca_file"), options.get("client_certificate", ""))
    except InvalidInput as error:
        yield from inspection.fail("TLS", inspection.in_words(error))
    guard = inspection.guard
    yield from probing.tls(inspection, host, lambda: guard.connected(host, number, addresses), context, setting)


def place_of(url: str) -> str:
    """Return host and port of an address, and nothing else of it."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        return host if parts.port is None else f"{host}:{parts.port}"
    except ValueError:
        return ""


def _proxy(url: str, chosen: str) -> tuple[str, int] | None:
    """Return host and port of the proxy that leads to this address; raises `InvalidInput`."""
    address = urllib.parse.urlsplit(proxy_for(url, chosen))
    return (address.hostname, address.port or _PROXY_PORT) if address.hostname else None
