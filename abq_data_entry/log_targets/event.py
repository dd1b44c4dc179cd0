"""An event for a log server: made from a `logging` record, without readings, secrets or bodies.

Our own messages contain none of these, but texts of others may. So an exception is logged by its type and the place
that raised it, never by its text, and quoted texts with digits are left out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import NamedTuple, Protocol

LONGEST = 256 * 1024
"""The largest message in bytes; targets have smaller limits."""

_LOOKED_AT = LONGEST // 4  # characters of a message

_PACKAGE = __name__.partition(".")[0]
_QUOTED = r"""(?<!\w)(["'`«“])([^"'`«»“”\n]*)(["'`»”])(?!\w)"""
_QUERY = r"\?[^\s#\"']+"  # of an address, where tokens stand


class Unusable(Exception):
    """This system doesn't have the target, or its settings are invalid; the text is for users."""


class Origin(NamedTuple):
    """The facts that are the same for all events of a process."""

    workstation: str
    version: str
    process: int


class Event(NamedTuple):
    """An event. `name`: a stable short name, such as `outbox.sending.failed`; `moment`: seconds since 1970; `level`: of
    `logging`; `place`: file, line and function; `number`: the sequence number in its process."""

    name: str
    text: str
    moment: float
    level: int
    user: str
    exception: str
    place: tuple[str, int, str]
    number: int

    def facts(self, origin: Origin) -> dict[str, str]:
        """Return the structured data, without empty values."""
        facts = {
            "event": self.name,
            "workstation": origin.workstation,
            "user": self.user,
            "version": origin.version,
            "exception": self.exception,
        }
        return {name: value for name, value in facts.items() if value}

    @property
    def severity(self) -> int:
        """The severity of RFC 5424: 2 critical, 3 error, 4 warning, 6 informational, 7 debug."""
        return next(
            (severity for level, severity in ((50, 2), (40, 3), (30, 4), (20, 6)) if self.level >= level), 7
        )


class Target(Protocol):
    """A target for events. Used by one thread only."""

    name: str
    """Its name for people, with its address."""

    def send(self, event: Event, origin: Origin) -> None:
        """Connect if there is no connection, and send the event. Raises OSError; the event may be sent again then."""

    def close(self) -> None:
        """Close the connection; never raises."""


def event_of(record: logging.LogRecord, fit: Callable[[str], str], user: str, number: int) -> Event:
    """Return the event of a record. `fit(text)` returns one line without secrets."""
    error = record.exc_info[1] if record.exc_info else None
    module = record.name.removeprefix(f"{_PACKAGE}.")
    raised = error.__traceback__ if error is not None else None
    return Event(
        fit(f"{module}.{record.funcName.strip('_<>')}" if record.funcName else module),
        shortened(fit(_without_values(_message(record))), LONGEST),
        record.created,
        record.levelno,
        user,
        type(error).__name__ if error is not None else "",
        _deepest_of_ours(raised) or (record.pathname, record.lineno, record.funcName or ""),
        number,
    )


def shortened(text: str, size: int) -> str:
    """Return the text with at most `size` bytes of UTF-8; a truncated one ends with "…"."""
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= size:
        return encoded.decode()
    return encoded[: max(0, size - 3)].decode("utf-8", "ignore") + "…"


def _message(record: logging.LogRecord) -> str:
    """Return the record's message; exceptions among its arguments are replaced by their types."""
    given = record.args
    try:
        if isinstance(given, Mapping):
            text = str(record.msg) % {key: _argument(value) for key, value in given.items()}
        else:
            text = str(record.msg) % tuple(map(_argument, given)) if given else _words(record.msg)
    except (TypeError, ValueError, KeyError):  # the file's handler reports the mistake
        text = str(record.msg)
    return text if len(text) <= _LOOKED_AT else f"{text[: _LOOKED_AT - 1]}…"


def _words(message: object) -> str:
    return str(_argument(message))


def _argument(value: object) -> object:
    return type(value).__name__ if isinstance(value, BaseException) else value


def _without_values(text: str) -> str:
    """Remove quoted texts, which may be readings, and the query strings of URLs."""

    def emptied(found: re.Match[str]) -> str:
        has_digit = any(map(str.isdigit, found[2]))
        return f"{found[1]}…{found[3]}" if has_digit else found[0]

    return re.sub(_QUERY, "?…", re.sub(_QUOTED, emptied, text))


def _deepest_of_ours(trace: TracebackType | None) -> tuple[str, int, str] | None:
    """Return the innermost place in our code in the traceback; None if there is none."""
    found = None
    while trace is not None:
        code = trace.tb_frame.f_code
        if f"{_PACKAGE}/" in code.co_filename.replace("\\", "/"):
            found = code.co_filename, trace.tb_lineno, code.co_name
        trace = trace.tb_next
    return found
