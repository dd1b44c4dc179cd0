"""The sources of weather observations, one file each, and the order in which they are asked."""

from __future__ import annotations

from pathlib import Path

from ..registry import offered
from ..weather_source import WeatherSource

SOURCES: tuple[WeatherSource, ...] = offered(__name__, Path(__file__).parent, "SOURCE")
"""All of them, in the order in which they are tried."""

DEFAULT_SOURCES = "nws_xml,nws_api,metar"
"""The default of the setting `weather_sources`."""


def in_order(listed: str) -> list[WeatherSource]:
    """Return the sources in the order of the setting `weather_sources`, then the others, which are asked only if
    somebody has set their addresses.
    """
    by_name = {each.name: each for each in SOURCES}
    named = [by_name[name] for name in _names(listed) if name in by_name]
    return [*named, *(each for each in SOURCES if each not in named and each.name not in DEFAULT_SOURCES.split(","))]


def sources_problem(listed: str) -> str | None:
    """Return why a text can't be the setting `weather_sources`, as the end of a sentence; `None` if it can."""
    known = {each.name for each in SOURCES}
    unknown = [name for name in _names(listed) if name not in known]
    if unknown:
        return f"names {unknown[0][:40]!r}, which is no source: there are {', '.join(sorted(known))}"
    return None


def _names(listed: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip()))
