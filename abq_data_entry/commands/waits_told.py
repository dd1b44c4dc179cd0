"""What somebody at the command line waits for: told on standard error once it takes longer than a moment.

`line.run` makes the one `Waits` of a subcommand; what takes long is done within `told_if_long("Backing up …")`.
Outside of a subcommand, such as in the window, nothing is told.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

FIRST = 2.0
"""Seconds after which a wait is announced."""
AGAIN = 15.0
"""Seconds until it is announced again, with its progress."""

_LOOK_AGAIN = 0.2  # seconds


class Wait:
    """One step that takes its time; handed to what reports how far it is (`postgres.Watching`)."""

    def __init__(self, what: str, due: float) -> None:
        self.what = what  # empty: nothing to tell, such as while a question is asked
        self.due = due
        self.told = ""
        self.percent: int | None = None
        self.cancel = threading.Event()  # never set: Ctrl-C interrupts

    def report(self, done: int, total: int) -> None:
        """Note how much of it is done."""
        if total > 0:
            self.percent = min(done, total) * 100 // total

    @property
    def text(self) -> str:
        """The line that tells it."""
        return f"{self.what}{'' if self.percent is None else f': {self.percent} %'} …"


class Waits:
    """The waits of one subcommand, the innermost last: that is the one that is told."""

    def __init__(self) -> None:
        self._stack: list[Wait] = []
        self._over = threading.Event()
        self._lock = threading.Lock()

    def begin(self, what: str) -> Wait:
        """A step begins."""
        wait = Wait(what, time.monotonic() + FIRST)
        with self._lock:
            self._stack.append(wait)
        return wait

    def end(self, wait: Wait) -> None:
        """The step is over; the one around it has its time from now on."""
        with self._lock:
            self._stack.remove(wait)
            if self._stack:
                self._stack[-1].due = time.monotonic() + FIRST

    def follow(self) -> None:
        """Tell what takes long, until `stop`: on a thread of its own."""
        while not self._over.wait(_LOOK_AGAIN):
            with self._lock:
                wait = self._stack[-1] if self._stack else None
                if wait is None or not wait.what or time.monotonic() < wait.due or wait.text == wait.told:
                    continue
                wait.told, wait.due = wait.text, time.monotonic() + AGAIN
                with suppress(OSError, ValueError, AttributeError):  # nobody listens
                    print(wait.told, file=sys.stderr, flush=True)

    def stop(self) -> None:
        """Tell nothing more."""
        self._over.set()


_OF_THIS_SUBCOMMAND: ContextVar[Waits | None] = ContextVar("the progress of this subcommand", default=None)


@contextmanager
def waits_told() -> Iterator[None]:
    """Announce the waits in the block."""
    waits = Waits()
    thread = threading.Thread(target=waits.follow, name="telling waits", daemon=True)
    thread.start()
    before = _OF_THIS_SUBCOMMAND.set(waits)
    try:
        yield
    finally:
        _OF_THIS_SUBCOMMAND.reset(before)
        waits.stop()
        thread.join()


@contextmanager
def told_if_long(what: str) -> Iterator[Wait]:
    """The block may take long; `what` it does is told then. It takes what is done of it by `report`."""
    waits = _OF_THIS_SUBCOMMAND.get()
    if waits is None:
        yield Wait(what, 0.0)
        return
    wait = waits.begin(what)
    try:
        yield wait
    finally:
        waits.end(wait)


@contextmanager
def waiting_for_an_answer() -> Iterator[None]:
    """Somebody is asked in the block, and knows that."""
    with told_if_long(""):
        yield
