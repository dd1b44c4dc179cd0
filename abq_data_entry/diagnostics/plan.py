"""The list of all checks, in their order, by the settings."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping

from ..network.destinations import KINDS, destination
from ..network.guard import Guard
from ..network.probing import Aborted, Context, Inspection, Options, Result, Step, Steps
from ..network.weather_source import WeatherSource
from ..network.weather_sources import SOURCES
from ..network.web import place_of, way
from .database import START_SECONDS, Embedded, configured_database, embedded_database

CHECKS = ("database", "weather", *KINDS)
"""What can be checked, in this order."""


def check_connections(
    settings: Mapping[str, object], embedded: Embedded, wanted: Options, cancel: threading.Event
) -> Iterator[Step]:
    """Check what is wanted and yield each step when it is done; a destination ends with a step that its next ones need.

    `embedded()`: our own database server, running within the block, as libpq's keywords. Raises `Cancelled` soon after
    `cancel` is set, and nothing else.
    """
    for kind in wanted.only or CHECKS:
        is_embedded = kind == "database" and not settings["db_host"]
        with Guard(cancel, START_SECONDS if is_embedded else wanted.wait) as guard:
            context = Context(settings, wanted, guard, cancel)
            with contextlib.suppress(Aborted):  # its last step says why
                yield from embedded_database(context, embedded) if is_embedded else _steps(kind, context)


def _steps(kind: str, context: Context) -> Steps[None]:
    if kind in KINDS:
        return destination(kind).probe(context)
    return {"database": configured_database, "weather": _weather}[kind](context)


def _weather(context: Context) -> Steps[None]:
    """Each source: an observation is fetched as the application does it, and not stored."""
    from ..network.weather import sources_set_up

    for source in sources_set_up(context.settings, str(context.settings["weather_station"])) or SOURCES[:1]:
        with contextlib.suppress(Aborted):  # its last step says why; the next source may work
            yield from _weather_source(source, context)


def _weather_source(source: WeatherSource, context: Context) -> Steps[None]:
    from ..network.weather import observation_from

    station = str(context.settings["weather_station"])
    address = source.address(context.settings, station)
    inspection = Inspection(f"Weather feed {place_of(address)}".strip(), context)
    yield from way(inspection, address, {}, "SSL_CERT_FILE")

    def fetch() -> Result[None]:
        data = observation_from(
            source, context.settings, station, timeout=context.wanted.wait, cancel=context.cancel
        )
        return Result(None, f"an observation of station {station}, of {data['observation_time_rfc822']}")

    yield from inspection.step("Answer", fetch)
