"""The queue for a log server, and the thread that empties it. Logging never waits for the server.

Events that the server doesn't accept stay in the queue, and are sent once it answers again. The queue is bounded: when
it is full, further events are counted and dropped. The log file has all events in any case.
"""

from __future__ import annotations

import logging
import os
import platform
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable

from ..retrying import LOG_SERVER, Retries
from ..version import version
from .event import Event, Origin, Target, event_of

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # nothing is printed where the log file is closed already

MOST = 2000
"""The most events in the queue."""
LARGEST = 4 * 1024 * 1024
"""The most characters in the queue."""
LAST_SECONDS = 0.5
"""Seconds for which the end of a process waits until the queue is sent."""

_OF_ONE = 300  # characters that an event takes besides its text
_STEADY = 5.0  # seconds after which a connection counts as a good one
_REPORTED_EVERY = 600.0  # seconds between two messages about the same server in the log file


class Sender(logging.Handler):
    """Sends events to a target, on its own thread. `fit`: makes a text one line without secrets."""

    def __init__(self, target: Target, fit: Callable[[str], str]) -> None:
        super().__init__()
        self._target, self._fit = target, fit
        self._changed = threading.Condition()
        self._waiting: deque[Event] = deque()
        self._size = self._number = self._lost = 0
        self._user = _user_of_system()
        self._thread: threading.Thread | None = None
        self._ending = False
        self._retries = Retries(LOG_SERVER)
        self._connected_at = self._tell_from = self._begun = 0.0
        self._is_away = False
        package = __name__.rpartition(".")[0]
        self.addFilter(lambda record: not record.name.startswith(package))  # our own messages are for the file only

    def emit(self, record: logging.LogRecord) -> None:
        """Put the record into the queue; never waits for the server, and never raises."""
        if login := getattr(record, "login", ""):
            self._user = self._fit(str(login))
        event = event_of(record, self._fit, self._user, self._number + 1)
        with self._changed:
            self._number += 1
            if len(self._waiting) >= MOST or self._size + len(event.text) + _OF_ONE > LARGEST:
                self._lost += 1
                return
            self._waiting.append(event)
            self._size += len(event.text) + _OF_ONE
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="log-sender", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Send the rest of the queue if the server accepts it soon; the log file says how many events were not sent."""
        with self._changed:
            self._ending = True
            self._changed.notify()
            since = self._begun or time.monotonic()  # for a silent server, the time has been running already
        if self._thread is not None:
            self._thread.join(max(0.0, since + LAST_SECONDS - time.monotonic()))
        with self._changed:
            lost = self._lost + len(self._waiting)
            self._lost = self._size = 0
            self._waiting.clear()
        if lost:
            log.warning("%s in this file only: %s was away or too slow until the end", _events(lost), self._target.name)
        super().close()

    # -- on the thread

    def _work(self) -> None:
        origin = Origin(platform.node(), version(), os.getpid())
        while (event := self._oldest()) is not None:
            try:
                self._begun = time.monotonic()
                self._target.send(event, origin)
            except Exception as error:  # of any kind: a failing log server mustn't end this thread
                self._target.close()
                self._failed(error)
            else:
                self._sent(event)
            self._begun = 0.0
        self._target.close()

    def _oldest(self) -> Event | None:
        """Wait for an event, and after a failure for the next attempt; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending, self._retries.wait)
            self._changed.wait_for(lambda: self._ending or self._waiting)
            is_hopeless = self._ending and self._retries.failures > 0 and not self._connected_at
            return self._waiting[0] if self._waiting and not is_hopeless else None

    def _failed(self, error: Exception) -> None:
        self._retries.failed()
        self._connected_at = 0.0
        now = time.monotonic()
        if now >= self._tell_from and not self._ending:
            self._tell_from = now + _REPORTED_EVERY
            self._is_away = True
            log.warning("events wait, %s doesn't take them: %s", self._target.name, _reason(error))

    def _sent(self, event: Event) -> None:
        now = time.monotonic()
        self._connected_at = self._connected_at or now
        if now - self._connected_at >= _STEADY or not self._retries.failures:
            self._retries.succeeded()
        with self._changed:
            if self._waiting:  # `close` may have given up
                self._waiting.popleft()
                self._size -= len(event.text) + _OF_ONE
            lost = 0 if self._waiting else self._lost  # reported once, when the queue is empty
            self._lost -= lost
        if lost:
            log.warning("%s in this file only: %s was away or too slow", _events(lost), self._target.name)
        if self._is_away and not self._ending:
            self._is_away = False
            log.info("events go to %s again", self._target.name)


def _events(number: int) -> str:
    return "1 event is" if number == 1 else f"{number} events are"


def _reason(error: Exception) -> str:
    """Return what is wrong, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate isn't trusted ({error.verify_message}); an authority of your own is set as log_ca_file"
    if isinstance(error, ssl.SSLError):
        return f"no secure connection ({error.reason})"
    if isinstance(error, TimeoutError):
        return "it doesn't answer"
    if isinstance(error, OSError):
        return f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
    return type(error).__name__


def _user_of_system() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user without a name
        return ""
