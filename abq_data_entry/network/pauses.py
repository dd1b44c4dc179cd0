"""How long a busy server wants to be left alone (Retry-After: RFC 9110, section 10.2.3), kept beyond this process.

Nothing is tried again by itself here: a person or cron asks, and is told until when the server wants nothing.
"""

import contextlib
import datetime
import json
import os
import threading
from email.utils import parsedate_to_datetime
from pathlib import Path

_LONGEST = datetime.timedelta(days=1)  # what wants more has its clock or its mind wrong
CENTURY = datetime.timedelta(days=36500)
_LARGEST_FILE = 64 * 1024


def retry_after(
    text: str, now: datetime.datetime | None = None, longest: datetime.timedelta = _LONGEST
) -> datetime.datetime | None:
    """Return the moment before which nothing is to be asked; None if the header names none that lies ahead."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    text = text.strip()
    try:
        if text.isascii() and text.isdigit():
            until = now + min(datetime.timedelta(seconds=int(text[:9])), longest)
        else:
            until = parsedate_to_datetime(text)
            if until.tzinfo is None:
                until = until.replace(tzinfo=datetime.timezone.utc)  # the header has no other zone than GMT
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(until, now + longest) if until > now else None


class Pauses:
    """Until when which server wants no request, in a small file that all processes of this user share.

    A file that can't be read or written only costs the memory beyond this process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, float] = {}
        self._lock = threading.Lock()

    def until(self, place: str) -> datetime.datetime | None:
        """Return the moment before which the server at `place` wants no request, None if there is none ahead."""
        with self._lock:
            moment = max(self._read().get(place, 0.0), self._known.get(place, 0.0))
        now = datetime.datetime.now(datetime.timezone.utc)
        longest = (now + _LONGEST).timestamp()  # a clock that was set back
        if not now.timestamp() < moment <= longest:
            return None
        return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)

    def keep(self, place: str, until: datetime.datetime) -> None:
        """Keep that the server wants no request until then."""
        with self._lock:
            self._known[place] = until.timestamp()
            now = datetime.datetime.now(datetime.timezone.utc).timestamp()
            ahead = {name: moment for name, moment in {**self._read(), **self._known}.items() if moment > now}
            temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            with contextlib.suppress(OSError):
                temporary.write_text(json.dumps(ahead), encoding="utf-8")
                temporary.replace(self._path)

    def _read(self) -> dict[str, float]:
        try:
            if self._path.stat().st_size > _LARGEST_FILE:
                return {}
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {str(name): float(moment) for name, moment in found.items() if isinstance(moment, int | float)}
