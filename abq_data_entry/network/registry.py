"""Finds the plug-ins in a folder of this package, one module each: destinations and weather sources."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any


def offered(package: str, folder: Path, name: str) -> tuple[Any, ...]:
    """Return the object of that name from each module in the folder of a package, sorted by their `order`."""
    # The folder is listed, so that a new plug-in is one new file, without a change anywhere else.
    # Not by glob, which would compile a regular expression at each start.
    modules = sorted(each.stem for each in folder.iterdir() if each.suffix == ".py" and each.name[0] != "_")
    found = [getattr(importlib.import_module(f"{package}.{each}"), name) for each in modules]
    return tuple(sorted(found, key=lambda each: each.order))
