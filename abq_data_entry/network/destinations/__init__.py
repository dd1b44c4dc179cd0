"""The destinations of extracts, a file each: what lies in this folder is offered everywhere."""

from __future__ import annotations

import importlib
from pathlib import Path

from ..destination import Destination


def _found() -> tuple[Destination, ...]:
    files = (each for each in Path(__file__).parent.iterdir() if each.suffix == ".py")
    names = sorted(each.stem for each in files if not each.stem.startswith("_"))
    found = [importlib.import_module(f"{__name__}.{each}").DESTINATION for each in names]
    return tuple(sorted(found, key=lambda each: each.order))


DESTINATIONS = _found()
"""All of them, in the order in which they are shown."""

KINDS = tuple(each.kind for each in DESTINATIONS)
_BY_KIND = dict(zip(KINDS, DESTINATIONS, strict=True))


def name_of(kind: str) -> str:
    """Return what people call that kind, whether this version has it or only another workstation's."""
    return _BY_KIND[kind].name if kind in _BY_KIND else kind.upper()


def destination(kind: str) -> Destination:
    """Return the destination of that kind; raises `KeyError` if there is none."""
    return _BY_KIND[kind]
