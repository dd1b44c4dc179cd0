"""One step of a check: what was looked at, how it went, how long it took; and how steps are made."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

from ..network.failures import Cancelled, TimedOut, UserFacingError, describe_failure
from ..network.guard import Guard

log = logging.getLogger(__name__)

OK, SLOW, FAILED = "ok", "slow", "failed"
DESTINATIONS = ("database", "weather", "rest", "ftp")
WAIT = 10.0
"""Seconds that one step may take."""

_USUAL = {"Name": 1.0, "Port": 0.5, "TLS": 1.5, "Greeting": 2.0, "Answer": 3.0, "Server": 30.0}
_USUAL_ELSE = 5.0  # a login, a write test: several questions and answers
_LONGEST_WORD = 120  # characters of what a server says

Value = TypeVar("Value")
Steps = Generator["Step", None, Value]
Login = tuple[str, str]


@dataclass(frozen=True)
class Step:
    """One line. `verdict`: `ok`, `slow` or `failed`; `seconds`: how long it took, where that says something.

    `text` says what was found, or what is wrong and what to do about it; `advice` what to do though it isn't wrong.
    """

    destination: str
    what: str
    verdict: str
    text: str
    seconds: float | None = None
    advice: str = ""


@dataclass(frozen=True, repr=False)
class Wanted:
    """What is to be checked. `login(kind)`: user name and password for `database`, `rest` or `ftp`, None for no login.

    `write`: also store something tiny and remove it again, where there is a login; `wait`: seconds for each step.
    """

    only: tuple[str, ...] = DESTINATIONS
    login: Callable[[str], Login | None] = lambda kind: None
    write: bool = False
    wait: float = WAIT


class LoginMissing(UserFacingError, Exception):
    """A login is wanted, and nobody gave one."""


class Ended(Exception):
    """A step failed that the next ones of this destination need."""


@dataclass(frozen=True)
class Finding(Generic[Value]):
    """What a step found: its value for the next steps, and its text; `seconds`: if not all of it counts."""

    value: Value
    text: str
    advice: str = ""
    seconds: float | None = None


@dataclass(frozen=True, repr=False)
class Terms:
    """What all checks of a round need: the settings, what is wanted, and what ends their waits."""

    settings: Mapping[str, object]
    wanted: Wanted
    guard: Guard
    cancel: threading.Event

    def chosen(self, **names: str) -> dict[str, str]:
        """The options whose setting isn't empty."""
        return {option: str(self.settings[name]) for option, name in names.items() if self.settings[name]}


class Inspection:
    """The check of one destination: times its steps, and puts failures into words."""

    def __init__(self, destination: str, terms: Terms) -> None:
        self.destination = destination
        self.terms = terms
        self.guard = terms.guard

    def step(self, what: str, work: Callable[[], Finding[Value]]) -> Steps[Value]:
        """Do the work, yield how it went, and return what it found. Raises `Ended` if it failed, and `Cancelled`."""
        self.guard.progressed()
        start = time.monotonic()
        try:
            finding = work()
        except Exception as error:
            failure = self.guard.verdict() or error
        else:
            yield self.told(what, finding, time.monotonic() - start)
            return finding.value
        if isinstance(failure, Cancelled):
            raise Cancelled()
        log.info("%s of %s: %s", what, self.destination, type(failure).__name__)
        return (yield from self.fail(what, in_words(failure), time.monotonic() - start))

    def told(self, what: str, finding: Finding[Value], seconds: float) -> Step:
        """Return the step of a finding that took so long."""
        seconds = seconds if finding.seconds is None else finding.seconds
        usual = _USUAL.get(what, _USUAL_ELSE)
        if seconds <= usual:
            return Step(self.destination, what, OK, finding.text, seconds, finding.advice)
        advice = f"Less than {usual:g} s is usual: the network or the server is busy. {finding.advice}".strip()
        return Step(self.destination, what, SLOW, finding.text, seconds, advice)

    def note(self, what: str, text: str, advice: str = "") -> Step:
        """Return a step that is in order without having done anything."""
        return Step(self.destination, what, OK, text, None, advice)

    def fail(self, what: str, text: str, seconds: float | None = None) -> Steps[NoReturn]:
        """Yield a step that failed, and raise `Ended`."""
        yield Step(self.destination, what, FAILED, text, seconds)
        raise Ended

    def login(self, kind: str) -> Steps[Login | None]:
        """Return the login that is wanted, None if none is; yields a step only where it is missing."""
        try:
            return self.terms.wanted.login(kind)
        except LoginMissing as error:
            text = str(error)
        return (yield from self.fail("Login", text))

    def later(self, seconds: float, otherwise: str) -> Callable[[], None]:
        """Return what raises `TimedOut` with this sentence after so many seconds, and when the guard ends it."""
        limit = time.monotonic() + seconds

        def check() -> None:
            if time.monotonic() > limit:
                raise TimedOut(otherwise)
            self.guard.check()

        return check


def in_words(error: BaseException) -> str:
    """Say what is wrong and what to do, on one line and without secrets."""
    from ..models import DatabaseError
    from ..postgres import PostgresError

    text = str(error) if isinstance(error, DatabaseError | PostgresError) else describe_failure(error)
    return " ".join(text.split())


def shown(said: object) -> str:
    """What a server says of itself, fit to be shown: on one line and not too long."""
    text = " ".join("".join(each if each.isprintable() else " " for each in str(said)).split())
    return text if len(text) <= _LONGEST_WORD else f"{text[: _LONGEST_WORD - 1]}…"
