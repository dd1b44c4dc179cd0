"""What all HTTP clients here have in common: the proxy, Basic (RFC 7617) and Digest (RFC 7616) authentication.

Also the file as a request body, final responses, and the steps of a check. The proxy is the one in the settings, else
the environment's; none is used for loopback addresses. Feeds are fetched by urllib, watched by a guard, and only safe
redirects are followed; deliveries are sent by `requests`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import http.client
import re
import secrets
import socket
import ssl
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import IO, TYPE_CHECKING, TypeVar

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
    # A proxy would take the loopback address for its own.
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
    """Return an error of the connection to a proxy with a text that names the proxy, not the server behind it."""
    text = error.strerror if isinstance(error, HostRefused | HostUnreachable | HostUnknown) else str(error)
    told = f"The proxy {host} on the way can't be reached. {text} The setting network_proxy, or HTTPS_PROXY, names it."
    if isinstance(error, HostUnknown | HostRefused | HostUnreachable):
        return type(error)(error.errno or 0, told)
    return TimedOut(told) if isinstance(error, TimedOut) else error


class FinalResponse(http.client.HTTPResponse):
    """Skips all interim responses (100, 102, 103, 199…), of which `http.client` knows only 100.

    101 counts as final, because nobody asked for another protocol.
    """

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        interim = 100 <= status < 200 and status != http.HTTPStatus.SWITCHING_PROTOCOLS
        return version, int(http.HTTPStatus.CONTINUE) if interim else status, reason


# The digest must be known before the first byte is sent. A day's extract has some 40 KB; for a larger file than this,
# hashing would take longer than sending, so it goes without, and is hashed only if the server reports a digest.
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

    `options`: those of `encryption.verified_context` that are set; `setting`: the one for a certificate authority.
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
        return  # the rest of the way shows with the answer
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


_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]*)(?=\s+[\w-]+\s*=|\s*(?:,|$))")
_PARAMETER = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_LONGEST = 8192  # characters of a challenge
_HASHES: Mapping[str, Callable[[bytes], hashlib._Hash]] = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}


class HttpLogin:
    """A user name and a password, sent in the way that the server's last challenge asked for.

    `scheme`: "Digest", "Basic", or "" as long as nobody asked: then nothing is sent.
    """

    def __init__(self, username: str, password: str) -> None:
        self.scheme = ""
        self._username, self._password = username, password
        self._challenge: dict[str, str] = {}
        self._count = 0

    def answer(self, challenge: str) -> bool:
        """Take the challenge of a 401 (`WWW-Authenticate`); return False if another request would be refused, too.

        Digest goes before Basic, because the password isn't sent then. What was answered once isn't answered again,
        which could lock the account, unless the server says that its own nonce is stale.
        """
        offered = challenges(challenge)
        if self.scheme and not any(each.get("stale", "").lower() == "true" for _, each in offered):
            return False
        for algorithm in _HASHES:
            for scheme, parameters in offered:
                if scheme == "digest" and _is_usable(parameters, algorithm):
                    self.scheme, self._challenge, self._count = "Digest", parameters, 0
                    return True
        if any(scheme == "basic" for scheme, _ in offered):
            self.scheme = "Basic"
            return True
        return False

    def header(self, method: str, target: str) -> dict[str, str]:
        """Return the header for one request; `target`: path and query, as they are sent."""
        if self.scheme == "Basic":
            return {"Authorization": basic_authorization(self._username, self._password)}
        return {"Authorization": self._digest(method, target)} if self.scheme == "Digest" else {}

    def _digest(self, method: str, target: str) -> str:
        asked, self._count = self._challenge, self._count + 1
        algorithm = asked.get("algorithm", "MD5").upper()
        hashed = _HASHES[algorithm.removesuffix("-SESS")]
        count, own = f"{self._count:08x}", secrets.token_hex(16)

        def of(*parts: str) -> str:
            return hashed(":".join(parts).encode()).hexdigest()

        who = of(self._username, asked["realm"], self._password)
        if algorithm.endswith("-SESS"):
            who = of(who, asked["nonce"], own)
        what = of(method, target)
        fields = {"username": self._username, "realm": asked["realm"], "nonce": asked["nonce"], "uri": target}
        plain = {"algorithm": asked["algorithm"]} if "algorithm" in asked else {}
        if "qop" in asked:
            fields |= {"cnonce": own, "response": of(who, asked["nonce"], count, own, "auth", what)}
            plain |= {"qop": "auth", "nc": count}
        else:
            fields["response"] = of(who, asked["nonce"], what)
        if "opaque" in asked:
            fields["opaque"] = asked["opaque"]
        quoted = [f'{name}="{_escaped(value)}"' for name, value in fields.items()]
        return "Digest " + ", ".join([*quoted, *(f"{name}={value}" for name, value in plain.items())])


def basic_authorization(username: str, password: str) -> str:
    """Return the value of `Authorization` for a login by Basic."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def challenges(text: str) -> list[tuple[str, dict[str, str]]]:
    """Return the schemes that a server offers, in small letters, each with its parameters."""
    text = text[:_LONGEST]
    blank = _PARAMETER.sub(lambda found: f"{found[1]}={'x' * (len(found[0]) - len(found[1]) - 1)}", text)
    starts = list(_SCHEME.finditer(blank))
    found = []
    for begin, end in zip(starts, [*(each.start() for each in starts[1:]), len(text)], strict=False):
        parameters = _PARAMETER.findall(text[begin.end() : end])
        plain = {name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare for name, quoted, bare in parameters}
        found.append((begin[1].lower(), plain))
    return found


def _is_usable(parameters: Mapping[str, str], algorithm: str) -> bool:
    named = parameters.get("algorithm", "MD5").upper().removesuffix("-SESS")
    ways = [each.strip().lower() for each in parameters.get("qop", "auth").split(",")]
    return named == algorithm and {"realm", "nonce"} <= parameters.keys() and "auth" in ways


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def opener(
    guard: Guard, proxy: str, refused: Callable[[int], Exception], context: ssl.SSLContext | None = None
) -> urllib.request.OpenerDirector:
    """Return an opener for addresses of http: and https:, and no others, through the proxy (empty: directly).

    `refused(status)`: the error for a redirect that isn't followed; `context`: for TLS, the system's authorities if not
    given.
    """
    found = urllib.request.OpenerDirector()
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {}),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _CarefulRedirects(refused),
        _Plain(guard, proxy),
        _Encrypted(guard, proxy, context),
    ]
    for handler in handlers:  # not build_opener, which would add file:, ftp: and data:
        found.add_handler(handler)
    return found


def user_agent() -> str:
    """Return how this application names itself (RFC 9110, section 10.1.5)."""
    from abq_data_entry.version import version

    return f"abq-data-entry/{version()}"


class _CarefulRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects to https, or on the same host without losing encryption; refuses others."""

    max_redirections = 5
    max_repeats = 2

    def __init__(self, refused: Callable[[int], Exception]) -> None:
        self._refused = refused

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        same_place = (old.scheme, old.netloc) == (new.scheme, new.netloc)
        if (new.scheme != "https" and not same_place) or new.username or new.password:
            raise self._refused(code)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Plain(urllib.request.HTTPHandler):
    """http: over connections that the guard opens."""

    def __init__(self, guard: Guard, proxy: str) -> None:
        super().__init__()
        self._guard = guard
        self._proxy = proxy

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_watched, http.client.HTTPConnection, self._guard, self._proxy), req)


class _Encrypted(urllib.request.HTTPSHandler):
    """https: over connections that the guard opens; certificates and host names are verified."""

    def __init__(self, guard: Guard, proxy: str, context: ssl.SSLContext | None) -> None:
        super().__init__()
        self._guard = guard
        self._proxy = proxy
        self._verified = context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        context = self._verified or ssl.create_default_context()
        connection = functools.partial(
            _watched, http.client.HTTPSConnection, self._guard, self._proxy, context=context
        )
        return self.do_open(connection, req)


def _watched(
    kind: type[http.client.HTTPConnection], guard: Guard, proxy: str, host: str, **options: object
) -> http.client.HTTPConnection:
    connection = kind(host, **options)  # type: ignore[arg-type]
    connection.response_class = FinalResponse

    def connect(address: tuple[str, int], *_: object) -> socket.socket:
        try:
            return guard.connect(*address)
        except OSError as error:
            if not proxy:
                raise
            raise of_the_proxy(error, address[0]) from None

    connection._create_connection = connect  # type: ignore[attr-defined]  # the one place where it opens sockets
    return connection
