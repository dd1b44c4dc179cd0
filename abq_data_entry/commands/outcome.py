"""Announces what a subcommand waits for if it takes longer than a moment, and prints a failure in one line.

`line.run` creates the `Waits` of a subcommand; a long step runs within `announce_if_long("Backing up …")`. Outside of a
subcommand, such as in the window, nothing is printed.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import FrameType

from ..counting import one_line

log = logging.getLogger(__name__)

DONE, NOT_DONE, WRONG_USAGE = 0, 1, 2


class NotDone(Exception):
    """The subcommand failed; the message explains why to the user, and what to do."""


def require_no_failures(failed: int) -> None:
    """Raise NotDone if steps failed; each has printed its reason."""
    if failed:
        raise NotDone(f"{failed} of the steps failed: see their messages." if failed > 1 else "One step failed.")


def target_of(given: str | None, name: str) -> Path:
    """Return the file to write: the given one, or `name` in the given folder or in the current one; follows links.

    Raises NotDone if the folder is missing, or something other than a file is there.
    """
    path = Path(given) if given else Path(name)
    if path.is_dir():
        path = path / name
    elif given and given.endswith(("/", os.sep)):
        raise NotDone(f"The folder {given} doesn't exist.")
    if path.is_symlink():  # write to its target, so that the link remains
        path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():  # such as /dev/null, which must not be replaced by a file
        raise NotDone(f"{path} is not a file. Name another one with -o.")
    return path


def print_to_stderr(text: str) -> None:
    """Print an error or a warning to standard error, as one line."""
    with suppress(OSError, ValueError):  # standard error is closed; the exit code still reports the failure
        print(one_line(text), file=sys.stderr, flush=True)


def reason(error: BaseException) -> str:
    """Return the message of an error. An unexpected one goes to the log with its traceback."""
    from .. import network, outbox
    from ..journal import JournalError
    from ..models import DatabaseError
    from ..postgres import PostgresError

    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    if isinstance(error, NotDone | outbox.NoRecords | outbox.OutboxError | JournalError):
        return str(error)
    if isinstance(error, DatabaseError | PostgresError):
        log.error("%s: %s", type(error).__name__, error.detail)
        return str(error)
    if isinstance(error, network.UserFacingError):
        log.error("%s", type(error).__name__)
    else:
        log.critical("not foreseen", exc_info=error)
    return network.describe_failure(error)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows, which have equally many cells, in columns as wide as their longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def leave_output() -> None:
    """Stop writing to standard output, which nobody reads any more, also when the process ends."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextmanager
def cancel_on_interrupt() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C sets, so that a transfer can tidy up; a second Ctrl-C interrupts as usual."""
    event = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Let SIGTERM, and SIGHUP of a closed terminal, end the block like Ctrl-C, so that child processes are stopped and
    temporary files removed. An ignored SIGHUP (nohup) stays ignored."""

    noticed = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        noticed.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in numbers}
    taken = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    for number in taken:
        signal.signal(number, interrupt)
    try:
        with _repeated(taken, noticed):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_UNNOTICED = 0.5  # seconds until a signal is sent again


@contextmanager
def _repeated(numbers: Collection[int], noticed: threading.Event) -> Iterator[None]:
    """Send one of these signals to the main thread again until `noticed` is set.

    Python runs a handler between two bytecodes. A signal that comes after the last of them, but before the system call
    in which the thread then waits, interrupts neither: a subcommand would end only when the server answers.
    """
    if sys.platform == "win32":
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    main = threading.get_ident()

    def repeat() -> None:
        with os.fdopen(reader, "rb", buffering=0) as received:
            while number := received.read(1):  # b"": the block has ended
                if number[0] in numbers and not noticed.wait(_UNNOTICED):
                    signal.pthread_kill(main, number[0])

    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=repeat, name="signals", daemon=True).start()
    try:
        yield
    finally:
        noticed.set()
        signal.set_wakeup_fd(before)
        os.close(writer)


FIRST = 2.0
"""Seconds after which a wait is announced."""
AGAIN = 15.0
"""Seconds until it is announced again, with its progress."""

_LOOK_AGAIN = 0.2  # seconds


class Wait:
    """One long step; passed to the function that reports its progress (`postgres.ProgressMonitor`)."""

    def __init__(self, what: str, due: float) -> None:
        self.what = what  # empty: nothing to announce, such as while a question is asked
        self.due = due
        self.announced = ""
        self.percent: int | None = None
        self.cancel = threading.Event()  # never set, because Ctrl-C interrupts

    def report(self, done: int, total: int) -> None:
        """Note the progress."""
        if total > 0:
            self.percent = min(done, total) * 100 // total

    @property
    def text(self) -> str:
        """The line to print."""
        return f"{self.what}{'' if self.percent is None else f': {self.percent} %'} …"


class Waits:
    """The nested long steps of one subcommand; the innermost one, which is last, is announced."""

    def __init__(self) -> None:
        self._stack: list[Wait] = []
        self._over = threading.Event()
        self._lock = threading.Lock()

    def begin(self, what: str) -> Wait:
        """Begin a step."""
        wait = Wait(what, time.monotonic() + FIRST)
        with self._lock:
            self._stack.append(wait)
        return wait

    def end(self, wait: Wait) -> None:
        """End a step; the time of the one around it starts again."""
        with self._lock:
            self._stack.remove(wait)
            if self._stack:
                self._stack[-1].due = time.monotonic() + FIRST

    def follow(self) -> None:
        """Announce long steps until `stop`; runs on its own thread."""
        while not self._over.wait(_LOOK_AGAIN):
            with self._lock:
                wait = self._stack[-1] if self._stack else None
                if wait is None or not wait.what or time.monotonic() < wait.due or wait.text == wait.announced:
                    continue
                wait.announced, wait.due = wait.text, time.monotonic() + AGAIN
                with suppress(OSError, ValueError, AttributeError):  # standard error is closed or missing
                    print(wait.announced, file=sys.stderr, flush=True)

    def stop(self) -> None:
        """Stop announcing."""
        self._over.set()


_OF_THIS_SUBCOMMAND: ContextVar[Waits | None] = ContextVar("the progress of this subcommand", default=None)


@contextmanager
def announcing_waits() -> Iterator[None]:
    """Announce long steps in the block."""
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
def announce_if_long(what: str) -> Iterator[Wait]:
    """Announce `what` the block does if it takes long; yields the `Wait`, whose `report` takes the progress."""
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
    """Announce nothing in the block, because it waits for the user's answer."""
    with announce_if_long(""):
        yield
