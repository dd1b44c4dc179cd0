"""The destinations of extracts, one file each: all modules in this folder are offered everywhere."""

from __future__ import annotations

import re
from pathlib import Path

from ...stored_destination import STORED, StoredDestination
from ..destination import Destination, Settings, Stored
from ..registry import offered

DESTINATIONS: tuple[Destination, ...] = offered(__name__, Path(__file__).parent, "DESTINATION")
"""All destinations, in the order in which they are shown."""

KINDS = tuple(each.kind for each in DESTINATIONS)
_BY_KIND = dict(zip(KINDS, DESTINATIONS, strict=True))
_STORED_KINDS = {kind: each for each in DESTINATIONS for kind in each.stored_kinds}

STORED_KINDS = tuple(_STORED_KINDS)
"""The kinds that a destination of the database can have."""

_KEY = re.compile(r"([a-z0-9]+):[a-z][a-z0-9_-]{0,39}")


def name_of(kind: str) -> str:
    """Return the name of that kind for people, even if only another workstation's version has it."""
    return destination(kind).name if is_known(kind) else kind.upper()


def is_known(kind: str) -> bool:
    """Return whether this version can send there: it is a kind, or a destination of the database (`sftp:archive`)."""
    found = _KEY.fullmatch(kind)
    return kind in _BY_KIND or (found is not None and found[1] in _STORED_KINDS)


def stored_in(settings: Settings) -> tuple[StoredDestination, ...]:
    """Return the destinations of the database in these settings, sorted by name."""
    found = settings.get(STORED)
    rows = found.values() if isinstance(found, dict) else ()
    return tuple(sorted((each for each in rows if is_known(each.key)), key=lambda each: each.name))


def set_up(settings: Settings) -> tuple[Destination, ...]:
    """Return the destinations that are set up, in the same order."""
    return tuple(each for each in DESTINATIONS if each.is_set_up(settings))


def destination(kind: str) -> Destination:
    """Return the destination of that kind; raises `KeyError` if there is none."""
    if kind not in _BY_KIND and is_known(kind):
        return Stored(_STORED_KINDS[kind.partition(":")[0]], kind)
    return _BY_KIND[kind]
