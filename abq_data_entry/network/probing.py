"""One step of a check: what was looked at, how it went, how long it took; and how steps are made."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

from ..remote_names import name_problem
from .destination import Destination, Settings
from .failures import Cancelled, TimedOut, UserFacingError, describe_failure
from .guard import Guard

log = logging.getLogger(__name__)

OK, SLOW, FAILED = "ok", "slow", "failed"
WAIT = 10.0
"""Seconds that one step may take."""

_USUAL = {"Name": 1.0, "Port": 0.5, "TLS": 1.5, "Greeting": 2.0, "Answer": 3.0, "Server": 30.0}
_USUAL_ELSE = 5.0  # a login, a write test: several questions and answers
MADE_LATER = "It is made with the first delivery, if it is missing and the user may: --write tries that."
TEST_CONTENT = b"A connection test of ABQ Data Entry. This file may be removed.\n"

_LONGEST_WORD = 120  # characters of what a server says

Value = TypeVar("Value")
Steps = Generator["Step", None, Value]
Login = tuple[str, str]


@dataclass(frozen=True)
class Step:
    """One line. `verdict`: `ok`, `slow` or `failed`; `seconds`: how long it took, where that says something.

    `text` says what was found, or what is wrong and what to do about it; `advice` what to do though it isn't wrong;
    `kind` of what it is a check: `database`, `weather` or the kind of a destination.
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
    """What is to be checked. `only`: these kinds (none: all); `login(kind)`: user name and password, None for no login.

    `write`: also store something tiny and remove it again, where there is a login; `wait`: seconds for each step.
    """

    only: tuple[str, ...] = ()
    login: Callable[[str], Login | None] = lambda kind: None
    write: bool = False
    wait: float = WAIT


class LoginMissing(UserFacingError, Exception):
    """A login is wanted, and nobody gave one."""


class Aborted(Exception):
    """A step failed that the next ones of this destination need."""


@dataclass(frozen=True)
class Result(Generic[Value]):
    """What a step found: its value for the next steps, and its text; `seconds`: if not all of it counts."""

    value: Value
    text: str
    advice: str = ""
    seconds: float | None = None


@dataclass(frozen=True, repr=False)
class Context:
    """What all checks of a round need: the settings, what is wanted, and what ends their waits."""

    settings: Settings
    wanted: Options
    guard: Guard
    cancel: threading.Event

    def chosen(self, **names: str) -> dict[str, str]:
        """The options whose setting isn't empty."""
        return {option: str(self.settings[name]) for option, name in names.items() if self.settings[name]}


class Inspection:
    """The check of one destination: times its steps, and puts failures into words."""

    def __init__(self, destination: str, context: Context, kind: str = "") -> None:
        self.destination = destination
        self.context = context
        self.kind = kind
        self.guard = context.guard

    def step(self, what: str, work: Callable[[], Result[Value]]) -> Steps[Value]:
        """Do the work, yield how it went, and return what it found. Raises `Aborted` if it failed, and `Cancelled`."""
        self.guard.progressed()
        start = time.monotonic()
        try:
            result = work()
        except Exception as error:
            failure = self.guard.verdict() or error
        else:
            yield self.told(what, result, time.monotonic() - start)
            return result.value
        if isinstance(failure, Cancelled):
            raise Cancelled()
        log.info("%s of %s: %s", what, self.destination, type(failure).__name__)
        return (yield from self.fail(what, self.in_words(failure), time.monotonic() - start))

    def told(self, what: str, result: Result[Value], seconds: float) -> Step:
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
        """Return what raises `TimedOut` with this sentence after so many seconds, and when the guard ends it."""
        limit = time.monotonic() + seconds

        def check() -> None:
            if time.monotonic() > limit:
                raise TimedOut(otherwise)
            self.guard.check()

        return check


def usable(inspection: Inspection, destination: Destination) -> Steps[None]:
    """Fail by name where a setting of the names that files get there can't be used, before anything is asked."""
    settings = inspection.context.settings
    pattern = str(settings["abq_upload_name"])
    problem = destination.problem(settings)
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


def shown(said: object) -> str:
    """What a server says of itself, fit to be shown: on one line and not too long."""
    text = " ".join("".join(each if each.isprintable() else " " for each in str(said)).split())
    return text if len(text) <= _LONGEST_WORD else f"{text[: _LONGEST_WORD - 1]}…"
