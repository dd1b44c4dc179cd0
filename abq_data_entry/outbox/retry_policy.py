"""When a delivery is tried again: exponential backoff with jitter and a time limit; and which failures are temporary.

A failure is judged by the attributes of its exception, never by its text.

What a protocol knows about a failure is set where it is raised (`network.failures.UserFacingError`). Only Python's own
exceptions about connections are judged here.
"""

from __future__ import annotations

import datetime
import errno
import http.client
import socket
import ssl

from abq_data_entry.retrying import DELIVERY, Policy

from ..network import failures
from ..network.failures import causes

FIRST_PAUSE, LONGEST_PAUSE = DELIVERY
LIMIT = 24 * 3600.0  # seconds from the first attempt to the last one


def pause(failures: int, jitter: float) -> float:
    """Return the seconds to wait after that many failures in a row (1 or more).

    `jitter`, a random number from 0 to 1, spreads workstations that failed at the same time over half of the pause.
    """
    return Policy(FIRST_PAUSE, LONGEST_PAUSE).pause(failures, jitter)


def next_attempt(
    now: datetime.datetime, since: datetime.datetime, failures: int, wanted: float | None, jitter: float
) -> datetime.datetime | None:
    """Return when to try again; None, to give up, if that would be more than `LIMIT` after `since`.

    `since`: the first attempt, or when a person asked for another round; `wanted`: the seconds that the server asked
    for (Retry-After): the pause isn't shorter; `jitter` as for `pause`.
    """
    seconds = max(pause(failures, jitter), wanted or 0.0)
    used = max((now - since).total_seconds(), 0.0)  # not negative, if the clock was set back
    if used + seconds > LIMIT:
        return None
    return now + datetime.timedelta(seconds=seconds)


def is_due(now: datetime.datetime, planned: datetime.datetime | None, planned_at: datetime.datetime) -> bool:
    """Return whether an attempt is due: its time has come, or the clock was set back since it was planned."""
    return planned is None or now >= planned or now < planned_at


_CONNECTION = (ConnectionError, TimeoutError, socket.gaierror, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_OF_THE_NETWORK = (
    errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.ECONNREFUSED,
    errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT,
)  # fmt: skip


def is_transient(error: BaseException) -> bool:
    """Return whether the same delivery may succeed later by itself.

    True for connections that were refused, reset or timed out, for host names that weren't found, for servers that are
    busy or have an internal error, and for incomplete transfers. False for what a person has to look at: a wrong login,
    a wrong certificate or host key, a refused file, a web page with a login form, anything unknown.
    """
    links = list(causes(error))
    said = (getattr(link, "transient", None) for link in links)
    judged = [each for each in (*said, *map(_is_cut, links)) if isinstance(each, bool)]
    return judged[0] if judged else False  # the exception's own attribute comes before its Python type


def login_refused(error: BaseException | None) -> bool:
    """Return whether the server refused the user name, password or key, so that asking the user again may help."""
    return error is not None and any(getattr(link, "login_refused", False) is True for link in causes(error))


def outcome_unknown(error: BaseException) -> bool:
    """Return whether the whole file was sent but the last response is missing: another attempt may deliver it twice."""
    return any(getattr(link, "outcome_unknown", False) is True for link in causes(error))


def served_by(error: BaseException | None) -> tuple[str, ...]:
    """Return the receivers who got a mail that failed for others; empty for any other failure."""
    found = () if error is None else (getattr(link, "served", ()) for link in causes(error))
    return next(filter(None, found), ())


def unknown_host_key(error: BaseException | None) -> str:
    """Return the fingerprint of an unknown host key, if that was the failure; otherwise ''."""
    found = () if error is None else (str(getattr(link, "fingerprint", "")) for link in causes(error))
    return next(filter(None, found), "")


def retry_after(error: BaseException, now: datetime.datetime) -> float | None:
    """Return how many seconds the server asks us to wait; None if it doesn't."""
    said = (str(getattr(link, "retry_after", "")) for link in causes(error))
    moment = failures.retry_after(next(filter(None, said), ""), now, failures.CENTURY)
    return None if moment is None else (moment - now).total_seconds()


def _is_cut(error: BaseException) -> bool | None:
    """Return whether the connection failed; None if the error is neither about a connection nor about this computer."""
    if isinstance(error, OSError):
        of_this_machine = bool(error.filename)
        return not of_this_machine and (isinstance(error, _CONNECTION) or error.errno in _OF_THE_NETWORK)
    return True if isinstance(error, EOFError | http.client.IncompleteRead) else None
