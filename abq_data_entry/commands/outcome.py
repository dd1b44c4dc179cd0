"""How a subcommand ends: the reason in one line when it couldn't be done."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from ..counting import one_line

log = logging.getLogger(__name__)

DONE, NOT_DONE, WRONG_USAGE = 0, 1, 2


class NotDone(Exception):
    """What was asked wasn't done; the text is for people and says why and what to do."""


def require_no_failures(failed: int) -> None:
    """Raise NotDone if steps of a check failed; each has said why."""
    if failed:
        raise NotDone(f"{failed} of the steps failed: see their messages." if failed > 1 else "One step failed.")


def target_of(given: str | None, name: str) -> Path:
    """The file to be written: what is given, or `name` in the folder that is given, or here; a link is followed."""
    path = Path(given) if given else Path(name)
    if path.is_dir():
        path = path / name
    elif given and given.endswith(("/", os.sep)):
        raise NotDone(f"The folder {given} doesn't exist.")
    if path.is_symlink():  # the link stays, and whoever follows it finds the new file
        path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():  # such as /dev/null, which must not be replaced by a file
        raise NotDone(f"{path} is not a file. Name another one with -o.")
    return path


def tell(text: str) -> None:
    """Print the reason to standard error, in one line."""
    with suppress(OSError, ValueError):  # nobody listens: the exit code says it as well
        print(one_line(text), file=sys.stderr, flush=True)


def reason(error: BaseException) -> str:
    """Why it wasn't done, in words for people. What nobody expected goes to the log with its traceback."""
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
    """Print rows of as many cells each, in columns as wide as their longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def leave_output() -> None:
    """Nobody reads standard output any more: nothing more is written there, not at the end of the process either."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextmanager
def interrupt_sets() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, so that a transfer can tidy up behind it; a second Ctrl-C interrupts as usual."""
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
    """SIGTERM, and SIGHUP of a terminal that is closed, end the block like Ctrl-C, so that what it started is ended
    and temporary files go. A SIGHUP that is ignored (nohup) stays ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
