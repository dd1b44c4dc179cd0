"""`weather`: fetch the current observation, store it, print it."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from .outcome import interrupt_sets
from .passwords import Secrets

if TYPE_CHECKING:
    from . import Words


def add_to(words: Words) -> None:
    """Add the word to the parser."""
    word = words.add_parser(
        "weather",
        help="fetch and store the current weather observation",
        description="Fetch the current observation of the weather station, store it in the database, and print it.",
        allow_abbrev=False,
    )
    word.add_argument("--station", type=_station, metavar="ID", help="such as KBMG (default: setting weather_station)")
    word.set_defaults(run=run)


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Fetch first: without an observation the database isn't needed."""
    from .. import network
    from .database import opened_model, read_settings

    settings = read_settings()
    station = options.station or str(settings["weather_station"])
    with interrupt_sets() as cancel:
        data = network.get_local_weather(station, str(settings["weather_url"]), cancel=cancel)
    with opened_model(settings, secrets) as model:
        stored = model.add_weather_data(data)
    time = data["observation_time_rfc822"]
    print(f"Weather data recorded for {time}" if stored else f"Weather data for {time} is already recorded")
    print(f"{station}: {_in_words(data)}")


def _station(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]{4,8}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a weather station: 4 to 8 letters and digits, such as KBMG")
    return text


def _in_words(data: dict[str, str | None]) -> str:
    values = (
        ("temp_c", "{} °C"),
        ("relative_humidity", "{} % relative humidity"),
        ("pressure_mb", "{} mb"),
        ("weather", "{}"),
    )
    known = [form.format(data[key]) for key, form in values if data[key] is not None]
    return ", ".join(known) or "the station gives no values at the moment"
