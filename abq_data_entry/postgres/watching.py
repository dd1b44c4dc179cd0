"""Who looks on while something takes long: is told how far it is, and may cancel it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from .errors import Cancelled

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

_LOOK_AGAIN = 0.1  # seconds


class Watching(Protocol):
    """A job of the window, say: `cancel` is set to end the work, `report` is told (done, total)."""

    @property
    def cancel(self) -> threading.Event: ...

    def report(self, done: int, total: int) -> None: ...


class _Nobody:
    cancel = threading.Event()

    def report(self, done: int, total: int) -> None:
        """Nobody wants to know."""


UNWATCHED: Watching = _Nobody()


class Part:
    """A part of a longer piece of work: its own 0 to 100 % are `begin` to `end` percent of the whole."""

    def __init__(self, whole: Watching, begin: int, end: int) -> None:
        self._whole, self._begin, self._end = whole, begin, end

    @property
    def cancel(self) -> threading.Event:
        """The event of the whole."""
        return self._whole.cancel

    def report(self, done: int, total: int) -> None:
        """Pass it on as percent of the whole."""
        share = min(done, total) / total if total else 0
        self._whole.report(round(self._begin + share * (self._end - self._begin)), 100)


def refuse_cancelled(watching: Watching) -> None:
    """Raise Cancelled once somebody has cancelled it."""
    if watching.cancel.is_set():
        raise Cancelled("It was cancelled. Nothing was changed.")


@contextmanager
def cancellable(connection: "Connection", watching: Watching) -> Iterator[None]:
    """Cancel what the connection does in the block when the work is cancelled, however long a statement takes."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_AGAIN):
            if watching.cancel.is_set():
                connection.cancel()

    watcher = threading.Thread(target=watch, name="cancel of a query", daemon=True)
    watcher.start()
    try:
        yield
    except Exception:
        refuse_cancelled(watching)
        raise
    finally:
        over.set()
        watcher.join()
