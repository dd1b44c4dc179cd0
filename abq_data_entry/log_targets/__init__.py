"""Targets for the log beside its file, if a setting says so: syslog, systemd's journal, the Windows Event Log.

A log server that is down, slow, frozen or full delays nothing: events wait in a bounded queue, which one thread empties
(`sending`). Each target has a module of its own.
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
"""The settings of this package, which are in the settings file with all others."""

_LARGEST_FILE = 1024 * 1024


def chosen(file: Path) -> dict[str, str]:
    """Return the settings of this package from the settings file; without a target if it is invalid.

    The log begins before all settings are read and checked, and goes on if they are refused: so this reads only what it
    needs. `models.settings` reports what is wrong with the file.
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


def open_target(settings: Mapping[str, str], fit: Callable[[str], str]) -> logging.Handler | None:
    """Return the handler that sends events to the target in the settings, None if there is none.

    `fit(text)` returns one line without secrets. A target that this system doesn't have is reported in the log, once.
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
