"""Fill gaps in the weather's history from the sources that have earlier observations, one workstation at a time."""

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

LOOK_BACK = datetime.timedelta(days=15)  # as far back as the source with the most observations goes
_FRESH = datetime.timedelta(minutes=40)  # if the newest observation is younger, another workstation has just fetched it


class Filled(NamedTuple):
    """How many observations were stored, the gaps that are left, and why sources had nothing for them."""

    counts: Counts
    left: list[Gap]
    problems: tuple[str, ...]


class Kept(NamedTuple):
    """How many observations were stored, the time of the newest one, and why sources had none."""

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
    """Fetch the observations that are missing between two times, from one source after the other, and store them.

    A model is asked last, and only for times without any observation. Raises `DatabaseError`, `Cancelled`, and
    `InvalidInput` if a setting of a source is invalid.
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
    for begin, end in _merged(gaps):
        answers = observations_from(source, values, station, begin, end, pauses=pauses(), cancel=cancel)
        for found in answers:
            if source.kind == "model":
                found = [each for each in found if _is_missing(each, gaps)]
            counts = counts.plus(model.weather_history.store(found))
    return counts


def _merged(gaps: Sequence[Gap]) -> list[tuple[datetime.datetime, datetime.datetime]]:
    """Return the periods to fetch: gaps that are less than half a day apart are merged into one period."""
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
    """Fetch the current observation, and fill the gaps since that time (`None`: since the newest observation).

    Return None if another workstation is doing so. Raises what `fill` raises.
    """
    from ..models.weather import Counts

    with model.weather_history.try_lock() as is_ours:
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
    """Do what the window does every hour: fetch the current observation, and fill the gaps since the newest one.

    `after_a_pause`: fill the gaps of the last 15 days. Gaps before the first observation are not filled. Raises what
    `fill` raises.
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
    """Fetch and store the current observation; return the counts, and why a source had none."""
    from .. import network
    from ..models import ObservationElsewhere, ObservationInvalid
    from ..models.weather import Counts

    try:
        state = model.store_weather(fetch(values, cancel)).state
    except (network.WeatherError, ObservationInvalid, ObservationElsewhere) as error:
        return Counts(), (str(error),)
    return Counts(new=int(state in ("new", "replaced")), filled=int(state == "filled")), ()
