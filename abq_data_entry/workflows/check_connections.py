"""Check the connections to the database, the weather sources and the destinations, step by step.

Each step has a verdict, its time and what to do. No record is sent, and the text of a step has no password, and no
query string or user name of a URL. The steps of a protocol are in `network`, those of the database in `diagnostics`.
"""

from __future__ import annotations

import contextlib
import datetime
import platform
import threading
from collections.abc import Iterable, Iterator, Mapping

from ..diagnostics import START_SECONDS, Embedded, configured_database, embedded_database
from ..network.destinations import KINDS, destination, is_known, set_up, stored_in
from ..network.guard import Guard
from ..network.mail_addresses import MAILBOX
from ..network.probing import (
    CERTIFICATES,
    FAILED,
    OK,
    Aborted,
    Clock,
    Context,
    Inspection,
    Options,
    Result,
    Step,
    Steps,
)
from ..network.weather_source import WeatherSource
from ..network.weather_sources import SOURCES
from ..network.web import place_of, way
from ..version import version

CHECKS = ("database", "weather", *KINDS, MAILBOX, "notices")
"""What can be checked, in this order."""


def checks(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return which connections can be checked with these settings, in that order; destinations of the database last."""
    mailbox = (MAILBOX,) if settings.get("abq_answers_mailbox") else ()
    kinds = (each.kind for each in set_up(settings))
    notices = ("notices",) if settings.get("notices_url") else ()
    return (*CHECKS[:2], *kinds, *mailbox, *notices, *(each.key for each in stored_in(settings)))


_MARKS = {OK: "✓", FAILED: "✗"}
_WIDEST = 14


def check_connections(
    settings: Mapping[str, object], embedded: Embedded, wanted: Options, cancel: threading.Event
) -> Iterator[Step]:
    """Check what is wanted, and yield each step when it is done; a failed step ends the check of that connection.

    `embedded()`: a context manager that runs our own database server and yields its endpoint. Raises `Cancelled` soon
    after `cancel` is set, and nothing else.
    """
    for kind in wanted.only or checks(settings):
        is_embedded = kind == "database" and not settings["db_host"]
        with Guard(cancel, START_SECONDS if is_embedded else wanted.wait) as guard:
            context = Context(settings, wanted, guard, cancel)
            with contextlib.suppress(Aborted):  # the last step says why
                yield from embedded_database(context, embedded) if is_embedded else _steps(kind, context)


def _steps(kind: str, context: Context) -> Steps[None]:
    if is_known(kind):
        return destination(kind).probe(context)
    return {"database": configured_database, "weather": _weather, MAILBOX: _mailbox, "notices": _notices}[kind](context)


def _mailbox(context: Context) -> Steps[None]:
    from ..network.mailbox import probe

    return probe(context)


def _notices(context: Context) -> Steps[None]:
    from ..network.notices import probe

    return probe(context)


def _weather(context: Context) -> Steps[None]:
    """Return the steps for each weather source: fetch an observation as the application does, but don't store it."""
    from ..network.failures import InvalidInput
    from ..network.weather import sources_set_up

    try:
        sources = sources_set_up(context.settings, str(context.settings["weather_station"])) or SOURCES[:1]
    except InvalidInput as error:
        with contextlib.suppress(Aborted):
            yield from Inspection("Weather", context).fail("Sources", str(error))
        return
    for source in sources:
        with contextlib.suppress(Aborted):  # the last step says why; the next source may work
            yield from _weather_source(source, context)


def _weather_source(source: WeatherSource, context: Context) -> Steps[None]:
    from ..network.weather import observation_from

    station = str(context.settings["weather_station"])
    address = source.address(context.settings, station)
    inspection = Inspection(f"Weather feed {place_of(address)}".strip(), context)
    yield from way(inspection, address, {}, "SSL_CERT_FILE")

    clock = Clock()

    def fetch() -> Result[None]:
        data = observation_from(
            source, context.settings, station,
            timeout=context.wanted.wait, cancel=context.cancel, on_headers=clock.read_headers,
        )  # fmt: skip
        return Result(None, f"an observation of station {station}, of {data['observation_time_rfc822']}")

    yield from inspection.step("Answer", fetch)
    yield from clock.steps(inspection, CERTIFICATES)


# -- the steps as text


def lines_of(step: Step) -> list[str]:
    """Return the step as a line, followed by one with the advice if there is any."""
    mark = _MARKS.get(step.verdict, "!")
    line = f"  {mark} {step.verdict:7} {step.what:{_WIDEST}} {time_of(step):>8}  {step.text}"
    return [line.rstrip(), *([f"{'':{_WIDEST + 20}} → {step.advice}"] if step.advice else [])]


def time_of(step: Step) -> str:
    """Return how long the step took, for people."""
    if step.seconds is None:
        return ""
    if step.seconds >= 1:
        return f"{step.seconds:.1f} s"
    return f"{1000 * step.seconds:.1f} ms" if step.seconds < 0.1 else f"{1000 * step.seconds:.0f} ms"


def report(steps: Iterable[Step], moment: datetime.datetime | None = None) -> str:
    """Return the steps as text, with the version, the system and the time: what a help desk asks for first."""
    moment = moment or datetime.datetime.now().astimezone()
    system = f"{platform.system()} {platform.release()}"
    lines = [f"Connections of ABQ Data Entry {version()}, {system}, {moment:%Y-%m-%d %H:%M %Z}"]
    destination = ""
    for step in steps:
        if step.destination != destination:
            destination = step.destination
            lines += ["", destination]
        lines += lines_of(step)
    return "\n".join([*lines, ""])
