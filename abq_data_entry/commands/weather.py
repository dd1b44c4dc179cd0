"""`weather`: fetch the current observation, store it, print it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..observation import STATION
from .outcome import interrupt_sets, tell
from .passwords import Secrets
from .waits_told import told_if_long

if TYPE_CHECKING:
    from ..models.weather import Observation
    from . import Subcommands


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = subcommands.add_parser(
        "weather",
        help="fetch and store the current weather observation",
        description="Fetch the current observation of the weather station, store it in the database, and print it.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--station", type=_station, metavar="ID", help="such as KBMG (default: setting weather_station)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Fetch first: without an observation the database isn't needed."""
    from ..workflows.fetch_weather import fetch, store
    from .database import opened_model, read_settings

    settings = read_settings()
    station = options.station or str(settings["weather_station"])
    with interrupt_sets() as cancel, told_if_long(f"Fetching the observation of {station}"):
        data = fetch(settings.values(), cancel, station)
    with opened_model(settings, secrets) as model:
        stored = store(model, data)
    print(stored.text)
    print(f"{station}: {_in_words(stored.observation)}")
    for warning in stored.warnings:
        tell(f"Warning: {warning}.")


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
