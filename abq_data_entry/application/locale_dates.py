"""How people here write dates, as the system's locale says."""

from __future__ import annotations

import functools
import locale
import time

from ..fields.dates import writes_month_first

_SAMPLE = (2026, 11, 26, 12, 0, 0, 3, 330, 0)


@functools.cache
def month_first() -> bool:
    """Whether the month stands first in a date with slashes; found out once. Without a locale it doesn't."""
    before = locale.setlocale(locale.LC_TIME)
    try:
        name = locale.setlocale(locale.LC_TIME, "")
        return name.split(".")[0] not in ("C", "POSIX") and writes_month_first(time.strftime("%x", _SAMPLE))
    except locale.Error:  # one that isn't installed
        return False
    finally:
        locale.setlocale(locale.LC_TIME, before)
