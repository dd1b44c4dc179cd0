"""The steps of a check: what was checked, the verdict and the time; and the steps that all protocols have in common.

These are DNS, the port, and the certificate. And the difference between this computer's clock and a server's, which an
HTTP response has in its `Date` (RFC 9110, 6.6.1) to the second; a cached response also has an `Age` (RFC 9111, 5.1).
The time that the request takes isn't counted as a difference.
"""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import logging
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

from ..remote_names import name_problem
from . import encryption
from .failures import Cancelled, TimedOut, UserFacingError, describe_failure, on_one_line
from .guard import Address, Guard, call_abandonable, is_loopback, look_up

log = logging.getLogger(__name__)

OK, SLOW, WARNING, FAILED = "ok", "slow", "warning", "failed"
WAIT = 10.0
"""The time limit of a step in seconds."""

_USUAL = {"Name": 1.0, "Port": 0.5, "TLS": 1.5, "Greeting": 2.0, "Answer": 3.0, "Server": 30.0}
_USUAL_ELSE = 5.0  # a login, a write test: several requests and answers
MADE_LATER = "It is made with the first delivery, if it is missing and the user may: --write tries that."
TEST_CONTENT = b"A connection test of ABQ Data Entry. This file may be removed.\n"


Value = TypeVar("Value")
Steps = Generator["Step", None, Value]
Login = tuple[str, str]


@dataclass(frozen=True)
class Step:
    """One step. `verdict`: `ok`, `slow`, `warning` or `failed`; `seconds`: how long it took, or None.

    `text`: what was found, or what is wrong and what to do about it; `advice`: what to do though nothing is wrong;
    `kind`: what was checked: `database`, `weather` or the kind of a destination.
    """

    destination: str
    what: str
    verdict: str
    text: str
    seconds: float | None = None
    advice: str = ""
    kind: str = ""


@dataclass(frozen=True, repr=False)
class Options:
    """What to check. `only`: these kinds ((): all); `login(kind)`: returns user name and password, or None for no
    login.

    `write`: with a login, also store a tiny file and remove it again; `wait`: seconds for each step.
    """

    only: tuple[str, ...] = ()
    login: Callable[[str], Login | None] = lambda kind: None
    write: bool = False
    wait: float = WAIT


class LoginMissing(UserFacingError, Exception):
    """A login is needed, but none was given."""


class Aborted(Exception):
    """A step failed on which the next ones of this destination depend."""


@dataclass(frozen=True)
class Result(Generic[Value]):
    """The result of a step: its text, and a value for the next ones; `seconds`: its time, None: as it was measured."""

    value: Value
    text: str
    advice: str = ""
    seconds: float | None = None


@dataclass(frozen=True, repr=False)
class Context:
    """What all checks of a run need: the settings, the options, and the guard that ends their waits."""

    settings: Mapping[str, object]
    wanted: Options
    guard: Guard
    cancel: threading.Event

    def chosen(self, **names: str) -> dict[str, str]:
        """Return the options whose setting isn't empty."""
        return {option: str(self.settings[name]) for option, name in names.items() if self.settings[name]}


class Inspection:
    """The check of one destination: times its steps, and puts failures into words."""

    def __init__(self, destination: str, context: Context, kind: str = "") -> None:
        self.destination = destination
        self.context = context
        self.kind = kind
        self.guard = context.guard

    def step(self, what: str, work: Callable[[], Result[Value]]) -> Steps[Value]:
        """Call `work`, yield the step and return the result's value. Raises `Aborted` if it failed, `Cancelled`."""
        self.guard.progressed()
        start = time.monotonic()
        try:
            result = work()
        except Exception as error:
            failure = self.guard.verdict() or error
        else:
            yield self.timed(what, result, time.monotonic() - start)
            return result.value
        if isinstance(failure, Cancelled):
            raise Cancelled()
        log.info("%s of %s: %s", what, self.destination, type(failure).__name__)
        return (yield from self.fail(what, self.in_words(failure), time.monotonic() - start))

    def timed(self, what: str, result: Result[Value], seconds: float) -> Step:
        """Return the step of a result that took so long."""
        seconds = seconds if result.seconds is None else result.seconds
        usual = _USUAL.get(what, _USUAL_ELSE)
        if seconds <= usual:
            return Step(self.destination, what, OK, result.text, seconds, result.advice, self.kind)
        advice = f"Less than {usual:g} s is usual: the network or the server is busy. {result.advice}".strip()
        return Step(self.destination, what, SLOW, result.text, seconds, advice, self.kind)

    def note(self, what: str, text: str, advice: str = "") -> Step:
        """Return a step that is in order without having done anything."""
        return Step(self.destination, what, OK, text, None, advice, self.kind)

    def fail(self, what: str, text: str, seconds: float | None = None) -> Steps[NoReturn]:
        """Yield a step that failed, and raise `Aborted`."""
        yield Step(self.destination, what, FAILED, text, seconds, kind=self.kind)
        raise Aborted

    def login(self, kind: str) -> Steps[Login | None]:
        """Return the login that is wanted, None if none is; yields a step only where it is missing."""
        try:
            return self.context.wanted.login(kind)
        except LoginMissing as error:
            text = str(error)
        return (yield from self.fail("Login", text))

    def in_words(self, error: BaseException) -> str:
        """Say what is wrong and what to do, on one line and without secrets."""
        return " ".join(describe_failure(error).split())

    def later(self, seconds: float, otherwise: str) -> Callable[[], None]:
        """Return a check that raises `TimedOut(otherwise)` after `seconds`, and what the guard raises."""
        limit = time.monotonic() + seconds

        def check() -> None:
            if time.monotonic() > limit:
                raise TimedOut(otherwise)
            self.guard.check()

        return check


def usable(inspection: Inspection, problem: str) -> Steps[None]:
    """Fail before anything is sent if a setting can't be used: with `problem`, or because the names that files would
    get there are invalid."""
    pattern = str(inspection.context.settings["abq_upload_name"])
    if why := name_problem(pattern):
        problem = problem or f"The setting 'abq_upload_name' {why}."
    if problem:
        yield from inspection.fail("Settings", f"{problem} Nothing is delivered by it.")
    if "{date}" not in pattern:
        yield inspection.note(
            "Settings", f"extracts are called {pattern} there",
            "Without {date} in abq_upload_name the extract of each day takes the place of the one before.",
        )  # fmt: skip


def new_test_name() -> str:
    """Return a name for the file of a write test: no other file has it, and folders don't show it."""
    return f".abq-connection-test-{secrets.token_hex(8)}"


SOON = 14
"""How many days before its end a certificate should be renewed."""

_REVERSE_SECONDS = 2.0
_MOST_ADDRESSES = 4


def name(inspection: Inspection, host: str, port: int, what: str = "Name") -> Steps[list[Address]]:
    """Look up the addresses of the host, and the reverse name of the first one."""

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
    """Connect to the port; the time is that of one round trip."""

    def work() -> Result[None]:
        with inspection.guard.connected(host, number, addresses) as connection:
            answered = ""
            with contextlib.suppress(OSError):  # cut off again already
                answered = f" at {connection.getpeername()[0]}"
        return Result(None, f"{number} is open{answered}")

    return (yield from inspection.step(what, work))


def tls(
    inspection: Inspection,
    host: str,
    opened: Callable[[], contextlib.AbstractContextManager[socket.socket]],
    context: ssl.SSLContext,
    setting: str = "abq_ca_file",
) -> Steps[None]:
    """Connect with TLS; report whose certificate it is, and until when it is valid.

    `opened()`: a connection on which TLS begins now; `setting`: the one for a certificate authority.
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


def encryption_of(
    inspection: Inspection, connection: socket.socket | None, host: str, ca_file: str | None, plain: str
) -> Steps[None]:
    """Report whether an open connection is encrypted, and how; `plain`: the advice if it isn't, and not a loopback."""
    if isinstance(connection, ssl.SSLSocket):
        secure, verified = connection, encryption.verified_context(ca_file)
        yield from inspection.step("TLS", lambda: secured(secure, verified, 0.0))
    else:
        yield inspection.note("TLS", "not encrypted", "" if is_loopback(host) else plain)


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
        f"{version}; certificate for {certificate.named}, issued by {on_one_line(certificate.issuer)}, valid until "
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
    return f"reverse name {on_one_line(found)}"


REMARK, WARN = 60.0, 300.0
"""The difference in seconds that gets a remark, and that gets a warning."""

CERTIFICATES = (
    "With a wrong clock certificates count as expired or not valid yet, and observations as older or newer than they"
    " are."
)
LATE = (
    "With a wrong clock records count as entered late or early (minutes_late in entry_log), and certificates as expired"
    " or not valid yet."
)
_ADVICE = "Compare both with a clock that you trust, and let the system set the wrong one by the network (NTP)."
_UNITS = ((2 * 86400, 86400, "days"), (2 * 3600, 3600, "hours"), (120, 60, "minutes"), (0, 1, "seconds"))


def now() -> float:
    """Return the time of this computer, in seconds since 1970."""
    return time.time()


class Clock:
    """Takes the time that a server reports; `steps` report how far our clock is from it.

    Make it before the request is sent, and call `at` or `read_headers` with the answer.
    """

    def __init__(self) -> None:
        self._before = now()
        self.difference: float | None = None
        """Seconds that this computer is ahead of the server (negative: behind); None: it reported no time."""

    def at(self, moment: float, accuracy: float = 0.0) -> None:
        """Take the server's time `moment`, in seconds since 1970; it may be up to `accuracy` seconds too low."""
        least, most = self._before - moment - accuracy, now() - moment
        self.difference = max(least, 0.0) + min(most, 0.0)  # 0 where both can be right

    def read_headers(self, headers: Mapping[str, str]) -> None:
        """Take the time of an HTTP answer, if it has one."""
        age = headers.get("Age") or "0"
        try:
            said = email.utils.parsedate_to_datetime(headers.get("Date") or "")
            moment = (said if said.tzinfo else said.replace(tzinfo=datetime.timezone.utc)).timestamp()
            kept = int(age) if age.isascii() and age.isdecimal() and len(age) < 10 else 0
            self.at(moment + kept, 1.0 + (kept > 0))
        except (TypeError, ValueError, OverflowError, OSError):  # none, or none that makes sense
            return

    def steps(self, inspection: Inspection, leads_to: str) -> list[Step]:
        """Return the step with the difference, and what a large one `leads_to`; none if it isn't known."""
        if self.difference is None:
            return []
        verdict = WARNING if abs(self.difference) > WARN else OK
        advice = f"{leads_to} {_ADVICE}" if abs(self.difference) > REMARK else ""
        difference = difference_in_words(self.difference)
        return [Step(inspection.destination, "Clock", verdict, difference, None, advice, inspection.kind)]


def difference_in_words(difference: float) -> str:
    """Return the difference in words."""
    size = abs(difference)
    if size < 1:
        return "this computer's clock and the server's agree"
    unit, name = next((unit, name) for least, unit, name in _UNITS if size >= least)
    number = round(size / unit)
    name = name.removesuffix("s") if number == 1 else name
    return f"this computer's clock is {number} {name} {'ahead of' if difference > 0 else 'behind'} the server's"
