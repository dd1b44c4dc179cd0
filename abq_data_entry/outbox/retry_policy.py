"""When a delivery is tried again: later and later, not all at once, not for ever; and what a failure means for that.

A failure is judged by what the error says of itself, never by its text.

What a protocol knows of a failure is said where it is raised (`network.failures.UserFacingError`); here is judged only
what Python itself raises of connections.
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

    `jitter`, at random from 0 to 1, spreads the workstations that failed at the same moment over half of the pause.
    """
    return Policy(FIRST_PAUSE, LONGEST_PAUSE).pause(failures, jitter)


def next_attempt(
    now: datetime.datetime, since: datetime.datetime, failures: int, wanted: float | None, jitter: float
) -> datetime.datetime | None:
    """Return when to try again, None if that would be more than `LIMIT` after `since`: then it is given up.

    `since`: the first attempt, or when a person asked for another round; `wanted`: the seconds that the server asked
    us to wait (Retry-After), which is never undercut; `jitter` as for `pause`.
    """
    seconds = max(pause(failures, jitter), wanted or 0.0)
    used = max((now - since).total_seconds(), 0.0)  # a clock that was set back costs no attempt
    if used + seconds > LIMIT:
        return None
    return now + datetime.timedelta(seconds=seconds)


def is_due(now: datetime.datetime, planned: datetime.datetime | None, planned_at: datetime.datetime) -> bool:
    """Tell whether the attempt may be made: its time has come, or the clock was set back since it was planned."""
    return planned is None or now >= planned or now < planned_at


_CONNECTION = (ConnectionError, TimeoutError, socket.gaierror, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_OF_THE_NETWORK = (
    errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.ECONNREFUSED,
    errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT,
)  # fmt: skip


def is_transient(error: BaseException) -> bool:
    """Tell whether the same delivery may succeed later without anybody doing something.

    True for connections that were refused, cut or slow, for names that weren't found, for servers that are busy or
    have an error of their own, and for transfers that weren't whole. False for everything that a person has to look
    at: a wrong login, a certificate or host key that isn't the right one, a refused file, a login page, what isn't
    known.
    """
    links = list(causes(error))
    said = (getattr(link, "transient", None) for link in links)
    judged = [each for each in (*said, *map(_is_cut, links)) if isinstance(each, bool)]
    return judged[0] if judged else False  # what an error says of itself goes before what Python's own mean


def login_refused(error: BaseException | None) -> bool:
    """Tell whether the server didn't accept the user name or the password (or key), so that asking again may help."""
    return error is not None and any(getattr(link, "login_refused", False) is True for link in causes(error))


def outcome_unknown(error: BaseException) -> bool:
    """Tell whether all of it was sent and the last answer is missing, so that another attempt could make it twice."""
    return any(getattr(link, "outcome_unknown", False) is True for link in causes(error))


def served_by(error: BaseException | None) -> tuple[str, ...]:
    """Return the receivers who have it though it failed for others; none for any other failure."""
    found = () if error is None else (getattr(link, "served", ()) for link in causes(error))
    return next(filter(None, found), ())


def unknown_host_key(error: BaseException | None) -> str:
    """Return the fingerprint of the key of a server that was never seen before; empty for any other failure."""
    found = () if error is None else (str(getattr(link, "fingerprint", "")) for link in causes(error))
    return next(filter(None, found), "")


def retry_after(error: BaseException, now: datetime.datetime) -> float | None:
    """Return how many seconds the server wants us to wait, None if it doesn't say."""
    said = (str(getattr(link, "retry_after", "")) for link in causes(error))
    moment = failures.retry_after(next(filter(None, said), ""), now, failures.CENTURY)
    return None if moment is None else (moment - now).total_seconds()


def _is_cut(error: BaseException) -> bool | None:
    """Tell whether the connection failed; None for what is neither an error of one nor of this machine."""
    if isinstance(error, OSError):
        of_this_machine = bool(error.filename)
        return not of_this_machine and (isinstance(error, _CONNECTION) or error.errno in _OF_THE_NETWORK)
    return True if isinstance(error, EOFError | http.client.IncompleteRead) else None
