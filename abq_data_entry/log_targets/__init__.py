"""Where the log goes beside its file, if a setting says so: syslog, the journal of systemd, the Windows Event Log.

A log server that is gone, slow, frozen or full holds up nothing: events wait in a queue of limited size, which one
thread empties (`sending`). There is a file for each target.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..setting import Setting
from .address import address_problem

if TYPE_CHECKING:
    from .event import Target

log = logging.getLogger(__name__)

SETTINGS: tuple[Setting, ...] = (
    Setting("log_target", "", choices=("", "syslog", "journald", "eventlog")),
    Setting("log_server", "", check=address_problem),
    Setting("log_ca_file", ""),
    Setting("log_client_certificate", ""),
)
"""The settings of this package, which stand in the settings file with all others."""

_LARGEST_FILE = 1024 * 1024


def chosen(file: Path) -> dict[str, str]:
    """Return our settings as the settings file has them; without a target where it can't be read or used.

    The log begins before the settings are read and checked as a whole, and goes on where they are refused: so this
    reads no more than what it needs. What is wrong in the file is told by `models.settings`.
    """
    import json

    values = {each.name: str(each.default) for each in SETTINGS}
    try:
        if file.stat().st_size > _LARGEST_FILE:
            return values
        entries = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return values
    for each in SETTINGS:
        entry = entries.get(each.name) if isinstance(entries, dict) else None
        value = entry.get("value") if isinstance(entry, dict) else None
        if isinstance(value, str):
            if each.problem(value):
                return {**values, "log_target": ""}
            values[each.name] = value
    return values


def opened(settings: Mapping[str, str], fit: Callable[[str], str]) -> logging.Handler | None:
    """Return the handler that sends events to the target of the settings, None if there is none.

    `fit` makes a text one line without secrets. A target that this system doesn't have is told in the log, once.
    """
    if not settings["log_target"]:
        return None
    from .event import Unusable
    from .sending import Sender

    try:
        return Sender(_target(settings), fit)
    except Unusable as error:
        reason = str(error)
    log.warning("events go to this file only: %s", reason)
    return None


def _target(settings: Mapping[str, str]) -> Target:
    place = settings["log_server"]
    if settings["log_target"] == "journald":
        from .journald import Journal

        return Journal(place)
    if settings["log_target"] == "eventlog":
        from .event_log import EventLog

        return EventLog()
    from .syslog import Syslog

    return Syslog(place, settings["log_ca_file"], settings["log_client_certificate"])
