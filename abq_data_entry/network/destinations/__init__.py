"""The destinations of extracts, a file each: what lies in this folder is offered everywhere."""

from __future__ import annotations

from pathlib import Path

from ..destination import Destination, Settings
from ..registry import offered

DESTINATIONS: tuple[Destination, ...] = offered(__name__, Path(__file__).parent, "DESTINATION")
"""All of them, in the order in which they are shown."""

KINDS = tuple(each.kind for each in DESTINATIONS)
_BY_KIND = dict(zip(KINDS, DESTINATIONS, strict=True))


def name_of(kind: str) -> str:
    """Return what people call that kind, whether this version has it or only another workstation's."""
    return _BY_KIND[kind].name if kind in _BY_KIND else kind.upper()


def set_up(settings: Settings) -> tuple[Destination, ...]:
    """Return those that these settings lead to, in the same order."""
    return tuple(each for each in DESTINATIONS if each.is_set_up(settings))


def destination(kind: str) -> Destination:
    """Return the destination of that kind; raises `KeyError` if there is none."""
    return _BY_KIND[kind]
