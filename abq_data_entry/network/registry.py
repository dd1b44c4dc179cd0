"""What a folder of this package offers, a file each: destinations, and sources of weather observations."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any


def offered(package: str, folder: Path, name: str) -> tuple[Any, ...]:
    """Return the object of that name from each module in the folder of a package, by the `order` that they have."""
    # By what lies there and no list, so that a new one is a new file and nothing else.
    # Each start of the window pays for this: glob would compile a regular expression.
    modules = sorted(each.stem for each in folder.iterdir() if each.suffix == ".py" and each.name[0] != "_")
    found = [getattr(importlib.import_module(f"{package}.{each}"), name) for each in modules]
    return tuple(sorted(found, key=lambda each: each.order))
