"""`weather`: fetch, store and print the current observation; `--backfill`: fill holes in the history."""

from __future__ import annotations

import argparse
import datetime
import sys
from functools import partial
from typing import TYPE_CHECKING

from .. import schedules
from ..counting import counted
from ..observation import STATION
from . import schedule
from .days import day
from .outcome import NotDone, announce_if_long, cancel_on_interrupt, print_to_stderr
from .passwords import Secrets

if TYPE_CHECKING:
    import threading

    from ..models import SQLModel
    from ..models.weather import Gap, Observation
    from ..workflows.fill_weather import Filled
    from . import Subcommands


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = subcommands.add_parser(
        "weather",
        help="fetch and store the current weather observation, or fill holes in its history",
        description="Fetch the current observation of the weather station, store it in the database, and print it.",
        epilog="With --backfill the sources that have earlier observations are asked for what is missing: the current "
        "one and those of the last 15 days, or of the days that are named (in the labs' time zone).",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--station", type=_station, metavar="ID", help="such as KBMG (default: setting weather_station)"
    )
    parser.add_argument("--backfill", action="store_true", help="fill holes in the history")
    parser.add_argument("--from", dest="first", type=day, metavar="D", help="the first day to fill (--backfill)")
    parser.add_argument("--to", dest="last", type=day, metavar="D", help="the last day to fill (--backfill)")
    parser.set_defaults(run=run, verify=partial(_verify, parser))
    schedule.add_to(
        parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="task"),
        schedules.WEATHER,
        "have the weather fetched every hour by systemd, cron or the Windows Task Scheduler",
        "Make what runs `weather --backfill` every hour, at 20 past, while no window is open",
    )


def _verify(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Print the usage and exit if options don't fit together."""
    if (options.first or options.last) and not options.backfill:
        parser.error("--from and --to go with --backfill")
    if options.first and options.last and options.last < options.first:
        parser.error("--to is before --from")


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Fetch and store; fetches first, because without an observation the database isn't needed."""
    from ..workflows.fetch_weather import fetch, store
    from .database import opened_model, read_settings

    if options.backfill:
        _backfill(options, secrets)
        return
    settings = read_settings()
    station = options.station or str(settings["weather_station"])
    with cancel_on_interrupt() as cancel, announce_if_long(f"Fetching the observation of {station}"):
        data = fetch(settings.values(), cancel, station)
    with opened_model(settings, secrets) as model:
        stored = store(model, data)
        print(stored.text)
        print(f"{station}: {_in_words(stored.observation)}")
        for warning in stored.warnings:
            print_to_stderr(f"Warning: {warning}.")
        _keep_views(model)


def _keep_views(model: SQLModel) -> None:
    """Refresh the stored results of QA's views: in the hourly run, because nobody waits for that."""
    from ..workflows.keep_views import keep_views

    sys.stdout.flush()  # so that the observation is printed before the views are computed, which may take long
    with cancel_on_interrupt() as cancel, announce_if_long("Computing what is kept for QA's views"):
        keep_views(model, cancel)


def _backfill(options: argparse.Namespace, secrets: Secrets) -> None:
    from ..workflows.keep_views import keep_views
    from .database import opened_model, read_settings

    settings = read_settings()
    values = settings.values()
    if options.station:
        values["weather_station"] = options.station
    waiting = announce_if_long(f"Filling the weather of {values['weather_station']}")
    with opened_model(settings, secrets) as model, cancel_on_interrupt() as cancel, waiting:
        filled = _filled(model, values, options, cancel)
        if not cancel.is_set():
            keep_views(model, cancel)
    if filled is None:
        print("Another workstation is fetching the weather just now, so nothing was asked for.")
        return
    new, completed, _, refused = filled.counts
    print(f"{counted(new, 'observation')} stored, {counted(completed, 'observation')} completed.")
    if refused:
        print(f"{counted(refused, 'observation')} can't be stored: of another station, or with an impossible time.")
    if filled.left:
        print(_left(filled.left))
    for problem in filled.problems:
        print_to_stderr(problem)
    if filled.problems and not new and not completed and filled.left:
        raise NotDone("No source had what is missing.")


def _filled(
    model: SQLModel, values: dict[str, bool | int | str], options: argparse.Namespace, cancel: threading.Event
) -> Filled | None:
    from ..workflows import fill_weather

    now = datetime.datetime.now(datetime.timezone.utc)
    if not (options.first or options.last):
        return fill_weather.keep_up(model, values, now - fill_weather.LOOK_BACK, cancel)
    last = options.last or datetime.date.today() + datetime.timedelta(days=1)  # the labs' day may have begun already
    first = options.first or last - fill_weather.LOOK_BACK
    begin, end = model.weather_history.span_of_days(first, last)
    if begin >= now:
        raise NotDone("Those days are in the future: nothing has been observed yet.")
    with model.weather_history.try_lock() as is_ours:
        return fill_weather.fill(model, values, begin, min(end, now), cancel) if is_ours else None


_MOST_NAMED = 5


def _left(gaps: list[Gap]) -> str:
    """Return a sentence about the remaining holes, in this computer's time."""
    named = [f"{gap.begin.astimezone():%Y-%m-%d %H:%M} to {gap.end.astimezone():%Y-%m-%d %H:%M}" for gap in gaps]
    more = len(named) - _MOST_NAMED
    rest = f" and {more:,} more" if more > 0 else ""
    return f"{counted(len(named), 'hole')} of more than 90 minutes left: {', '.join(named[:_MOST_NAMED])}{rest}."


def _station(text: str) -> str:
    if not STATION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a weather station: 4 to 8 letters and digits, such as KBMG")
    return text


def _in_words(seen: Observation) -> str:
    values = (
        (seen.temperature, "{} °C"),
        (seen.relative_humidity, "{} % relative humidity"),
        (seen.pressure, "{} mb"),
        (seen.conditions, "{}"),
    )
    return ", ".join(form.format(value) for value, form in values if value is not None)
