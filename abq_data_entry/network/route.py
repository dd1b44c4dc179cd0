"""The way to a server, whatever it speaks: its name is found, its port is open, its certificate is one to trust."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import time
from collections.abc import Callable

from . import encryption
from .connecting import Address, call_abandonable, look_up
from .failures import TimedOut
from .probing import Inspection, Result, Steps, shown

SOON = 14
"""Days before its end from which on a certificate is to be renewed."""

_REVERSE_SECONDS = 2.0
_MOST_ADDRESSES = 4


def name(inspection: Inspection, host: str, port: int, what: str = "Name") -> Steps[list[Address]]:
    """Which addresses the name has, and which name the first of them has."""

    def work() -> Result[list[Address]]:
        start = time.monotonic()
        late = f"The name {host} wasn't found in time. Check the network, and the name server that this computer asks."
        addresses = look_up(host.strip("[]"), port, inspection.later(inspection.context.wanted.wait, late))
        seconds = time.monotonic() - start
        texts = list(dict.fromkeys(str(address[4][0]) for address in addresses))
        more = f" and {len(texts) - _MOST_ADDRESSES} more" if len(texts) > _MOST_ADDRESSES else ""
        is_one = texts == [host.strip("[]")]
        found = "it is an address" if is_one else f"found at {', '.join(texts[:_MOST_ADDRESSES])}{more}"
        return Result(addresses, f"{host}: {found}; {_reverse(inspection, addresses[0])}", seconds=seconds)

    return (yield from inspection.step(what, work))


def port(inspection: Inspection, host: str, number: int, addresses: list[Address], what: str = "Port") -> Steps[None]:
    """Whether the port is open; the time is that of one round trip."""

    def work() -> Result[None]:
        with inspection.guard.connect(host, number, addresses) as connection:
            answered = ""
            with contextlib.suppress(OSError):  # cut off again already
                answered = f" at {connection.getpeername()[0]}"
        return Result(None, f"{number} is open{answered}")

    return (yield from inspection.step(what, work))


def tls(
    inspection: Inspection,
    host: str,
    opened: Callable[[], socket.socket],
    context: ssl.SSLContext,
    setting: str = "abq_ca_file",
) -> Steps[None]:
    """Whether a secure connection can be made, and whose certificate it is, until when.

    `opened()`: a connection on which TLS begins now; `setting`: by what an authority is made known.
    """

    def work() -> Result[None]:
        with opened() as plain:
            start = time.monotonic()
            try:
                with context.wrap_socket(plain, server_hostname=host.strip("[]")) as connection:
                    return secured(connection, context, time.monotonic() - start)
            except ssl.SSLCertVerificationError as error:
                refused = error
        raise encryption.refusal(refused, host, look, setting)

    def look() -> bytes | None:
        with opened() as plain, encryption.unverified_context().wrap_socket(plain, server_hostname=host) as connection:
            return connection.getpeercert(True)

    return (yield from inspection.step("TLS", work))


def secured(connection: ssl.SSLSocket, context: ssl.SSLContext, seconds: float) -> Result[None]:
    """Tell the version, and the certificate's names, issuer and end."""
    version = (connection.version() or "TLS").replace("TLSv", "TLS ")
    certificate = encryption.certificate_of(connection.getpeercert(True) or b"")
    left = (certificate.last - datetime.datetime.now(datetime.timezone.utc)).days
    advice = ""
    if left < SOON:
        ends = f"ends in {left} days" if left >= 0 else "has ended"
        advice = f"The certificate {ends}: ask the server's administrator to renew it."
    trust = "" if context.verify_mode == ssl.CERT_REQUIRED else ", not verified"
    text = (
        f"{version}; certificate for {certificate.named}, issued by {shown(certificate.issuer)}, valid until "
        f"{certificate.last:%Y-%m-%d}{trust}"
    )
    return Result(None, text, advice, seconds)


def _reverse(inspection: Inspection, address: Address) -> str:
    place = address[4][:2]
    try:
        found = call_abandonable(
            lambda: socket.getnameinfo((str(place[0]), 0), socket.NI_NAMEREQD)[0],
            inspection.later(_REVERSE_SECONDS, "late"),
        )
    except TimedOut:
        return "its reverse name didn't come in time"
    except OSError:
        return "no reverse name"
    return f"reverse name {shown(found)}"
