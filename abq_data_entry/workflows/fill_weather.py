"""Fill the holes of the weather's history from the sources that reach back, one workstation at a time."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .fetch_weather import fetch, pauses

if TYPE_CHECKING:
    import threading

    from ..models import SQLModel
    from ..models.weather import Counts, Gap
    from ..network.weather_source import WeatherSource

log = logging.getLogger(__name__)

LOOK_BACK = datetime.timedelta(days=15)  # so far the source reaches that has the most of what was observed
_FRESH = datetime.timedelta(minutes=40)  # a newest observation that is younger: another workstation was here


class Filled(NamedTuple):
    """What became of it: how many observations, the holes that are left, and why a source had nothing to give."""

    counts: Counts
    left: list[Gap]
    problems: tuple[str, ...]


class Kept(NamedTuple):
    """What became of it: how many observations, the newest one, and why a source had nothing to give."""

    counts: Counts
    newest: datetime.datetime | None
    problems: tuple[str, ...]


def fill(
    model: SQLModel,
    values: Mapping[str, object],
    begin: datetime.datetime,
    end: datetime.datetime,
    cancel: threading.Event,
    station: str = "",
) -> Filled:
    """Ask the sources, in their order, for what is missing between two moments, until nothing is; store what comes.

    A model is asked last, and only for what nothing was observed in. Raises `DatabaseError`, `Cancelled`, and
    `InvalidInput` where a setting of the sources can't be used.
    """
    from .. import network
    from ..models.weather import Counts
    from ..network.weather import sources_set_up

    station = station or str(values["weather_station"])
    history, counts, problems = model.weather_history, Counts(), []
    for source in sorted(sources_set_up(values, station), key=lambda each: each.kind == "model"):
        if not source.reach:
            continue
        gaps = history.gaps(begin, end, computed=source.kind == "model")
        if not gaps:
            break
        try:
            counts = counts.plus(_fill_from(source, model, values, gaps, cancel, station))
        except network.WeatherError as error:
            log.info("%s filled nothing: %s", source.name, type(error).__name__)
            problems.append(f"{source.name}: {error}")
    return Filled(counts, history.gaps(begin, end), tuple(problems))


def _fill_from(
    source: WeatherSource,
    model: SQLModel,
    values: Mapping[str, object],
    gaps: Sequence[Gap],
    cancel: threading.Event,
    station: str,
) -> Counts:
    from ..models.weather import Counts
    from ..network.weather import observations_from

    counts = Counts()
    for begin, end in _together(gaps):
        answers = observations_from(source, values, station, begin, end, pauses=pauses(), cancel=cancel)
        for found in answers:
            if source.kind == "model":
                found = [each for each in found if _is_missing(each, gaps)]
            counts = counts.plus(model.weather_history.store(found))
    return counts


def _together(gaps: Sequence[Gap]) -> list[tuple[datetime.datetime, datetime.datetime]]:
    """The times to ask for: holes that are less than half a day apart are asked for together."""
    found: list[tuple[datetime.datetime, datetime.datetime]] = []
    for begin, end in gaps:
        if found and begin - found[-1][1] < datetime.timedelta(hours=12):
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found


def _is_missing(observation: Mapping[str, str | None], gaps: Sequence[Gap]) -> bool:
    from ..observation import TIME_KEY, read_time

    moment = read_time(observation[TIME_KEY] or "")[0]
    return moment is not None and any(begin <= moment <= end for begin, end in gaps)


def keep_up(
    model: SQLModel, values: Mapping[str, object], since: datetime.datetime | None, cancel: threading.Event
) -> Filled | None:
    """Fetch the current observation, and fill what is missing since a moment (`None`: since the newest one).

    None where another workstation does so just now. Raises what `fill` raises.
    """
    from ..models.weather import Counts

    with model.weather_history.alone() as is_ours:
        if not is_ours:
            return None
        now = datetime.datetime.now(datetime.timezone.utc)
        newest = model.weather_history.newest()
        counts = Counts()
        problems: tuple[str, ...] = ()
        if newest is None or now - newest > _FRESH:
            counts, problems = _fetch_current(model, values, cancel)
        begin = max(since or newest or now, now - LOOK_BACK)
        filled = fill(model, values, begin, now, cancel)
        return Filled(counts.plus(filled.counts), filled.left, (*problems, *filled.problems))


def catch_up(
    model: SQLModel, values: Mapping[str, object], after_a_pause: bool, cancel: threading.Event
) -> Kept:
    """Do as the window does every hour: fetch the current observation, and fill what is missing since the newest.

    `after_a_pause`: fill what is missing in the last 15 days. Nothing is asked for from before the first observation.
    Raises what `fill` raises.
    """
    from ..models.weather import Counts

    history, since = model.weather_history, None
    first = history.first() if after_a_pause else None
    if first is not None:
        since = max(first, datetime.datetime.now(datetime.timezone.utc) - LOOK_BACK)
    filled = keep_up(model, values, since, cancel)
    return Kept(filled.counts if filled else Counts(), history.newest(), filled.problems if filled else ())


def _fetch_current(
    model: SQLModel, values: Mapping[str, object], cancel: threading.Event
) -> tuple[Counts, tuple[str, ...]]:
    """What became of the current observation; or why there was none to be had."""
    from .. import network
    from ..models import ObservationElsewhere, ObservationInvalid
    from ..models.weather import Counts

    try:
        state = model.store_weather(fetch(values, cancel)).state
    except (network.WeatherError, ObservationInvalid, ObservationElsewhere) as error:
        return Counts(), (str(error),)
    return Counts(new=int(state in ("new", "replaced")), filled=int(state == "filled")), ()
