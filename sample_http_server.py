"""A small HTTP server to try the Tools menu against: it stands in for the corporate REST service and the weather feed.

For developers, tests and the demo; not for the internet. Standard library only. `--help` shows the options.

POST: a login; PUT: a file as multipart/form-data, or any other body; both are printed, with the request line and the
status, and answered with 200 text/html, or with 4xx or 5xx where a file was to be stored and none was.
GET /xml/current_obs/{station}.xml: an observation in the format of the US National Weather Service.
"""

import argparse
import codecs
import contextlib
import dataclasses
import datetime
import email.utils
import errno
import hmac
import html
import http.cookies
import http.server
import io
import ipaddress
import itertools
import math
import os
import random
import re
import secrets
import signal
import socket
import socketserver
import ssl
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

MULTIPART = "multipart/form-data"
BLOCK = 256 * 1024
LARGEST_FORM = 64 * 1024
LARGEST_LINE = 1024  # of a chunked body
LARGEST_HEAD = 16 * 1024  # of a part of a multipart body
IN_MEMORY = 8 * 1024 * 1024  # bytes of a body, until it is printed; the rest waits on disk
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MOST_TOKENS = 1000
LINGER = 2.0  # seconds that a refused client may go on sending before it is cut off
PASSWORD_VARIABLE = "ABQ_SERVER_PASSWORD"  # noqa: S105 - the name of a variable
FORBIDDEN_IN_NAMES = set('<>:"|?*')
STATION_PATH = re.compile(r"/xml/current_obs/([A-Za-z0-9]{4,8})\.xml")


class Refusal(Exception):
    """The request can't be taken; `status` says why to the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class HungUp(Exception):
    """The client went away in the middle of its body."""


class Service:
    """What the server was told to do, and the tokens it has handed out."""

    def __init__(
        self,
        username: str = "",
        password: str = "",
        save_to: Path | None = None,
        observations: Path | None = None,
        print_limit: int | None = None,
    ) -> None:
        self.username = username
        self.save_to = save_to
        self.observations = observations
        self.print_limit = print_limit
        self._parts: set[Path] | None = set()
        self._password = password
        self._tokens: dict[str, None] = {}
        self._lock = threading.Lock()

    def accepts(self, form: dict[str, list[str]]) -> bool:
        """Tell whether the form holds the right credentials, in a time that doesn't tell how much of them is right."""
        given = (form.get("username", [""])[0], form.get("password", [""])[0])
        pairs = zip(given, (self.username, self._password), strict=True)
        return all([hmac.compare_digest(one.encode(), other.encode()) for one, other in pairs])  # noqa: C419 - no shortcut

    def new_part(self, folder: Path) -> tuple[int, Path]:
        """Begin a file that isn't whole yet; raises `Refusal` once the server ends."""
        with self._lock:
            if self._parts is None:
                raise Refusal(503, "The server ends")
            descriptor, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
            self._parts.add(Path(name))
            return descriptor, Path(name)

    def end(self) -> None:
        """Remove what isn't whole, and begin nothing more."""
        with self._lock:
            parts, self._parts = self._parts or set(), None
        for part in parts:
            part.unlink(missing_ok=True)

    def new_token(self) -> str:
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens[token] = None
            while len(self._tokens) > MOST_TOKENS:
                del self._tokens[next(iter(self._tokens))]
        return token

    def knows(self, token: str) -> bool:
        with self._lock:
            return token in self._tokens


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a client is told; `text` becomes a small page."""

    status: int
    text: str
    token: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one connection, request after request."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # what is no request gets an answer with a status too
    server_version = "ABQSample/1.0"
    sys_version = ""
    timeout = 60
    disable_nagle_algorithm = True  # an answer's body doesn't wait until its head has been acknowledged
    service: Service

    def do_GET(self) -> None:
        found = STATION_PATH.fullmatch(urllib.parse.urlsplit(self.path).path)
        observation = observation_of(found[1].upper(), self.service.observations) if found else None
        if observation is None:
            self.answer(Reply(404, "Nothing here. An observation is at /xml/current_obs/KBMG.xml"))
        else:
            self.send(200, "application/xml", observation)

    def do_POST(self) -> None:
        self.take("POST", self.log_in)

    def do_PUT(self) -> None:
        self.take("PUT", self.store)

    def take(self, method: str, deal_with: Callable[["Body"], Reply]) -> None:
        """Read the body and deal with it, print what came, and answer whatever becomes of it."""
        body = Body(self)
        try:
            body.open()
            reply = deal_with(body)
        except Refusal as refusal:
            self.close_connection = True  # the rest of the body is still on its way
            reply = Reply(refusal.status, str(refusal))
        except (HungUp, OSError) as error:
            self.close_connection = True
            say(f"{method}: given up, {'the client hung up' if isinstance(error, HungUp) else error}")
            return
        say(f"{method} request received", f"Content-Length: {body.announced}", body.shown())
        self.answer(reply)
        if self.close_connection:
            self.linger()

    def log_in(self, body: "Body") -> Reply:
        if not self.service.username:
            body.drain()
            return Reply(200, "POST received", self.service.new_token())
        form = urllib.parse.parse_qs(body.whole(LARGEST_FORM).decode(errors="replace"))
        if not self.service.accepts(form):
            return Reply(401, "Wrong user name or password")
        return Reply(200, "Logged in", self.service.new_token())

    def store(self, body: "Body") -> Reply:
        if self.service.username and not self.service.knows(self.token()):
            raise Refusal(401, "Log in first")
        boundary = self.headers.get_param("boundary") if self.headers.get_content_type() == MULTIPART else None
        names: list[str] = []
        multipart = isinstance(boundary, str) and 0 < len(boundary) <= 200
        if multipart:
            names = receive_files(body.blocks(), str(boundary).encode("latin-1", "replace"), self.service)
        body.drain()
        if not names and (multipart or self.service.save_to is not None):
            return Reply(400, "No file with a name that can be stored came, so nothing was stored")
        return Reply(200, f"PUT received: {', '.join(names) or 'no file'}")

    def token(self) -> str:
        cookies: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
        with contextlib.suppress(http.cookies.CookieError):
            cookies.load(self.headers.get("Cookie", ""))
        return cookies["token"].value if "token" in cookies else ""

    def answer(self, reply: Reply) -> None:
        self.send(reply.status, "text/html; charset=utf-8", f"<p>{html.escape(reply.text)}</p>\n".encode(), reply.token)

    def send(self, status: int, kind: str, content: bytes, token: str = "") -> None:
        with contextlib.suppress(OSError):  # the client may be gone
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            if token:
                self.send_header("Set-Cookie", f"token={token}; Path=/; HttpOnly; SameSite=Strict")
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

    def linger(self) -> None:
        """Take what a refused client still sends, for a while: cut off at once, it wouldn't see the answer."""
        end = time.monotonic() + LINGER
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(LINGER)
            while time.monotonic() < end and self.connection.recv(BLOCK):
                pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Print the request line and the status of the answer."""
        status = int(code) if isinstance(code, int) else 0
        say(printable(f"{getattr(self, 'requestline', '')} -> {status} {self.responses.get(status, ('',))[0]}").strip())

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: what counts is printed already."""


class Body:
    """The body of one request, in blocks: by its length, or chunked (RFC 9112, sections 6 and 7)."""

    def __init__(self, handler: Handler) -> None:
        self._stream = handler.rfile
        self._limit = handler.service.print_limit
        self._kept = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed once it was shown
        self._blocks: Iterator[bytes] = iter(())
        self._encoding = handler.headers.get("Transfer-Encoding", "").strip().lower()
        self.announced = self._encoding or handler.headers.get("Content-Length", "none")
        self.received = 0

    def open(self) -> None:
        """Find out how long the body is; raises `Refusal` when that can't be known."""
        if self._encoding == "chunked":
            self._blocks = self._by_chunks()
        elif self._encoding:
            raise Refusal(501, "Only chunked bodies are understood")
        elif re.fullmatch(r"\d{1,18}", self.announced):
            self._blocks = self._by_length(int(self.announced))
        else:
            raise Refusal(411, "The body has no length")

    def blocks(self) -> Iterator[bytes]:
        for block in self._blocks:
            self.received += len(block)
            rest = len(block) if self._limit is None else max(0, self._limit - self._kept.tell())
            self._kept.write(block[:rest])
            yield block

    def drain(self) -> None:
        for _ in self.blocks():
            pass

    def whole(self, limit: int) -> bytes:
        content = bytearray()
        for block in self.blocks():
            content += block
            if len(content) > limit:
                raise Refusal(413, "The form is too large")
        return bytes(content)

    def shown(self) -> Iterator[str]:
        """Yield what is to be printed of it, as text, without what would steer a terminal; then it is gone."""
        with self._kept:
            kept = self._kept.tell()
            self._kept.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            while block := self._kept.read(BLOCK):
                yield printable(decoder.decode(block))
            yield printable(decoder.decode(b"", True))
        if more := self.received - kept:
            yield f"\n… and {more} bytes more"

    def _by_length(self, length: int) -> Iterator[bytes]:
        while length:
            block = self._stream.read1(min(length, BLOCK))
            if not block:
                raise HungUp
            length -= len(block)
            yield block

    def _by_chunks(self) -> Iterator[bytes]:
        while True:
            size = self._line().split(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", size):
                raise Refusal(400, "A chunk has no size")
            if not int(size, 16):
                break
            yield from self._by_length(int(size, 16))
            if self._line():
                raise Refusal(400, "A chunk doesn't end where it should")
        for _ in itertools.takewhile(bool, (self._line() for _ in range(100))):  # trailers
            pass

    def _line(self) -> bytes:
        line = self._stream.readline(LARGEST_LINE)
        if not line.endswith(b"\n"):
            raise HungUp if len(line) < LARGEST_LINE else Refusal(400, "A chunk's line is too long")
        return line.rstrip(b"\r\n")


def receive_files(blocks: Iterator[bytes], boundary: bytes, service: Service) -> list[str]:
    """Take the files of a multipart body (RFC 7578) and return their names; store them in the folder, if there is one.

    A file gets its name only when all of the body is here. Raises `Refusal`, `HungUp`.
    """
    names: list[str] = []
    arrived: list[tuple[Path, Path]] = []
    try:
        for head, content in Parts(blocks, boundary):
            name = file_name(head)
            if not name:
                continue
            names.append(name)
            if service.save_to is not None:
                with storing():
                    descriptor, temporary = service.new_part(service.save_to)
                arrived.append((temporary, service.save_to / name))
                with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor
                    for block in content:
                        with storing():
                            write(file, block)
        with storing():
            for part, final in arrived:
                part.replace(final)
    finally:
        for part, _ in arrived:
            part.unlink(missing_ok=True)
    return names


def write(file: io.FileIO, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) or 0 :]


@contextlib.contextmanager
def storing() -> Iterator[None]:
    """Tell the client when its file can't be stored."""
    try:
        yield
    except OSError as error:
        status = 507 if error.errno in NO_SPACE else 500
        raise Refusal(status, f"The file can't be stored: {error.strerror}") from error


def file_name(head: bytes) -> str:
    """Return the base name in the head of a part, or nothing if it has none that is safe."""
    found = re.search(rb'(?i)^content-disposition:[^\r\n]*;\s*filename="([^"\r\n]*)"', head, re.MULTILINE)
    name = found[1].decode(errors="replace").replace("%22", '"') if found else ""
    name = re.split(r"[/\\]", name)[-1]
    ours = name.startswith(".") and name.endswith(".part")
    harmless = name.isprintable() and name.strip(".") and not ours and not set(name) & FORBIDDEN_IN_NAMES
    return name if harmless else ""


class Parts:
    """The parts of a multipart body (RFC 2046, section 5.1), read in constant memory: pairs of head and content.

    A content that isn't taken is passed over. Raises `Refusal` when the body doesn't end with its last boundary.
    """

    def __init__(self, blocks: Iterator[bytes], boundary: bytes) -> None:
        self._blocks = blocks
        self._mark = b"\r\n--" + boundary
        self._rest = b"\r\n"  # the first boundary may stand at the very start

    def __iter__(self) -> Iterator[tuple[bytes, Iterator[bytes]]]:
        for _ in self._until_mark():
            pass
        while self._another():
            head = self._head()
            content = self._until_mark()
            yield head, content
            for _ in content:
                pass

    def _fill(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            raise Refusal(400, "The body ends before its last boundary")
        self._rest += block

    def _until_mark(self) -> Iterator[bytes]:
        overlap = len(self._mark) - 1
        while (place := self._rest.find(self._mark)) < 0:
            content, self._rest = self._rest[:-overlap], self._rest[-overlap:]
            if content:
                yield content
            self._fill()
        content, self._rest = self._rest[:place], self._rest[place + len(self._mark) :]
        if content:
            yield content

    def _another(self) -> bool:
        while len(self._rest) < 2:
            self._fill()
        return not self._rest.startswith(b"--")

    def _head(self) -> bytes:
        while (end := self._rest.find(b"\r\n\r\n")) < 0:
            if len(self._rest) > LARGEST_HEAD + BLOCK:
                raise Refusal(400, "The head of a part is too large")
            self._fill()
        head, self._rest = self._rest[:end], self._rest[end + 4 :]
        return head


def observation_of(station: str, folder: Path | None) -> bytes | None:
    """Return the station's observation: a file of the folder, the newest by name, or made up if there is no folder.

    `station` holds nothing but letters and digits, so that it can't lead out of the folder.
    """
    if folder is None:
        return made_up_observation(station, datetime.datetime.now().astimezone())
    exact = folder / f"{station}.xml"
    candidates = [exact] if exact.is_file() else sorted(folder.glob(f"{station}-*.xml"))
    return candidates[-1].read_bytes() if candidates else None


def made_up_observation(station: str, now: datetime.datetime) -> bytes:
    """Return an observation of the last full hour: plausible, and the same whenever it is asked for in that hour."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    chance = random.Random(f"{station} {hour.isoformat()}")  # noqa: S311 - weather, not a secret
    season = -math.cos((hour.timetuple().tm_yday - 20) / 365 * 2 * math.pi)
    daytime = -math.cos((hour.hour - 4) / 24 * 2 * math.pi)
    celsius = round(12 + 12 * season + 5 * daytime + chance.uniform(-3, 3), 1)
    humidity = round(min(100, max(15, 65 - 20 * daytime + chance.uniform(-10, 10))))
    pressure = round(1015 + chance.uniform(-12, 12), 1)
    return OBSERVATION.format(
        station=station,
        time_in_words=f"{hour:%b} {hour.day} {hour.year}, {hour.hour % 12 or 12}:00 {'pm' if hour.hour > 11 else 'am'}",
        time_rfc822=email.utils.format_datetime(hour),
        weather=chance.choice(("Fair", "A Few Clouds", "Partly Cloudy", "Mostly Cloudy", "Overcast", "Fog/Mist")),
        celsius=f"{celsius:.1f}",
        fahrenheit=f"{celsius * 1.8 + 32:.1f}",
        humidity=humidity,
        pressure=f"{pressure:.1f}",
        inches=f"{pressure / 33.8639:.2f}",
    ).encode("iso-8859-1")


OBSERVATION = """\
<?xml version="1.0" encoding="ISO-8859-1"?>
<current_observation version="1.0" xmlns:xsd="http://www.w3.org/2001/XMLSchema"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:noNamespaceSchemaLocation="http://www.weather.gov/view/current_observation.xsd">
<credit>Made up by sample_http_server.py</credit>
<suggested_pickup>15 minutes after the hour</suggested_pickup>
<suggested_pickup_period>60</suggested_pickup_period>
<location>Nowhere in particular</location>
<station_id>{station}</station_id>
<observation_time>Last Updated on {time_in_words}</observation_time>
<observation_time_rfc822>{time_rfc822}</observation_time_rfc822>
<weather>{weather}</weather>
<temperature_string>{fahrenheit} F ({celsius} C)</temperature_string>
<temp_f>{fahrenheit}</temp_f>
<temp_c>{celsius}</temp_c>
<relative_humidity>{humidity}</relative_humidity>
<pressure_string>{pressure} mb</pressure_string>
<pressure_mb>{pressure}</pressure_mb>
<pressure_in>{inches}</pressure_in>
</current_observation>
"""


class Server(http.server.ThreadingHTTPServer):
    """Binds without looking up its own name, which can take long; refuses a port in use on every platform."""

    allow_reuse_address = os.name == "posix"
    daemon_threads = True

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        say(f"A request failed: {sys.exc_info()[1]}")


PRINTING = threading.Lock()


def say(*lines: str | Iterator[str]) -> None:
    """Print at once, so that a program that waits for the line sees it; a reader that went away is no reason to end."""
    with PRINTING, contextlib.suppress(OSError, ValueError):
        for line in lines:
            for piece in (line,) if isinstance(line, str) else line:
                sys.stdout.write(piece)
            sys.stdout.write("\n")
        sys.stdout.flush()


def printable(text: str) -> str:
    """Return a text of a stranger's without what would steer a terminal."""
    return "".join(c if c.isprintable() or c in "\r\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def limit(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="A small HTTP server for developers: takes logins (POST) and files (PUT), gives weather (GET).",
        epilog=f"With --username the password comes from --password-file or the variable {PASSWORD_VARIABLE}.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port; 0 picks a free one (default: %(default)s)")
    parser.add_argument("--username", default="", help="check logins, and refuse a PUT without the login's cookie")
    parser.add_argument("--password-file", metavar="FILE", help="file whose first line is the password; - is stdin")
    parser.add_argument(
        "--save-to", type=Path, metavar="FOLDER", help="store received files here; the folder is made if it is missing"
    )
    parser.add_argument(
        "--print-limit", type=limit, metavar="BYTES", help="print at most so much of each body (default: all of it)"
    )
    parser.add_argument(
        "--observations", type=Path, metavar="FOLDER", help="give the observations {station}.xml or {station}-*.xml"
    )
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="speak https with this certificate (PEM)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its key, where it isn't in the same file")
    options = parser.parse_args(words)
    if options.save_to is not None:
        try:
            options.save_to.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f"{options.save_to} can't be made a folder: {error.strerror}")
    if options.observations is not None and not options.observations.is_dir():
        parser.error(f"{options.observations} is not a folder")
    if not 0 <= options.port <= 65535:
        parser.error("a port is from 0 to 65535")
    if options.key and not options.certificate:
        parser.error("--key needs --certificate")
    options.context = context_for(options, parser)
    options.password = password_for(options, parser)
    return options


def context_for(options: argparse.Namespace, parser: argparse.ArgumentParser) -> ssl.SSLContext | None:
    """Return what TLS needs, None without a certificate."""
    if not options.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.certificate, options.key, password=lambda: b"")  # never asks at the terminal
    except (OSError, ValueError):
        parser.error(f"{options.certificate} and {options.key or 'itself'} are no certificate and its key in PEM")
    return context


def password_for(options: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    if not options.username:
        return ""
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if options.password_file == "-":  # noqa: S105 - no password
        password = sys.stdin.readline().rstrip("\r\n")
    elif options.password_file:
        try:
            password = Path(options.password_file).read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except OSError as error:
            parser.error(f"{options.password_file} can't be read: {error.strerror}")
    if not password:
        parser.error(f"--username needs a password: --password-file, or the variable {PASSWORD_VARIABLE}")
    return password


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def end(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(words: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit code."""
    options = arguments(words)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    service = Service(
        options.username, options.password, options.save_to, options.observations, options.print_limit
    )
    Server.address_family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        server = Server((options.host, options.port), type("BoundHandler", (Handler,), {"service": service}))
    except OSError as error:
        print(f"{options.host}, port {options.port}: {error.strerror}. Choose another by --port.", file=sys.stderr)
        return 1
    if not is_loopback(options.host):
        readable = "" if options.context else ", and nothing is encrypted"
        print(f"Warning: others on the network can reach this server{readable}.", file=sys.stderr)
    if options.context:  # the handshake is made by the thread of the connection, so that nobody waits for a slow one
        server.socket = options.context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    host = f"[{options.host}]" if ":" in options.host else options.host
    with server, contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, end)
        say(f"Serving on http{'s' if options.context else ''}://{host}:{server.server_port}/ (Ctrl-C ends)")
        server.serve_forever()
    service.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
