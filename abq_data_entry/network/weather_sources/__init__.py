"""The sources of weather observations, one file each: what is in this folder is tried, in order."""

from __future__ import annotations

import importlib
from pathlib import Path

from ..weather_source import WeatherSource


def _found() -> tuple[WeatherSource, ...]:
    files = (each for each in Path(__file__).parent.iterdir() if each.suffix == ".py")
    names = sorted(each.stem for each in files if not each.stem.startswith("_"))
    found = [importlib.import_module(f"{__name__}.{each}").SOURCE for each in names]
    return tuple(sorted(found, key=lambda each: each.order))


SOURCES = _found()
"""All of them, in the order in which they are tried."""
