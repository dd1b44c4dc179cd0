"""`chart`: draw a chart of the records and the weather into a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .. import folders
from ..charts import CHARTS, FORMATS, MEASURES, PLOTS, QUANTITIES, ChartChoice, ChartLook, ChartsMissing, chart
from .days import day
from .outcome import NotDone, announce_if_long
from .passwords import Secrets

if TYPE_CHECKING:
    from . import Subcommands


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    names = "; ".join(f"{each.name}: {each.title}" for each in CHARTS)
    parser = subcommands.add_parser(
        "chart",
        help="draw a chart of the records and the weather",
        description=f"Draw a chart of the records and the weather into a file. {names}.",
        allow_abbrev=False,
    )
    parser.add_argument("chart", choices=[each.name for each in CHARTS], metavar="NAME", help="which chart")
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="the file; its ending says which kind: .png, .svg or .pdf"
    )
    parser.add_argument("--lab", default="", metavar="L", help="of one lab (default: all; a control chart: the first)")
    parser.add_argument("--plot", type=int, metavar="N", help="of one plot")
    parser.add_argument("--field", default="", choices=MEASURES, metavar="F", help=f"one of {', '.join(MEASURES)}")
    for name, usual, axis in (("--x", "temperature", "across"), ("--y", "humidity", "up")):
        words = f"what a scatter shows {axis}, such as median_height (default: {usual})"
        parser.add_argument(name, default=usual, choices=QUANTITIES, metavar="F", help=words)
    parser.add_argument("--from", dest="first", type=day, metavar="D", help="the first day, such as 2026-11-01")
    parser.add_argument("--to", dest="last", type=day, metavar="D", help="the last day")
    parser.add_argument("--size", type=_size, metavar="WxH", help="in pixels of 96 dots an inch (default: 960x540)")
    parser.add_argument("--dark", action="store_true", help="light lines on a dark ground")
    parser.set_defaults(run=run, verify=lambda options: _verify(parser, options))


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Draw the chart, and write the whole file or nothing."""
    from ..workflows.draw_chart import chart_file
    from .database import opened_model, read_settings

    target = Path(options.output)
    choice = _choice(options)
    with opened_model(read_settings(), secrets) as model, announce_if_long(f"Drawing the chart {choice.name}"):
        try:
            drawn = chart_file(model, choice, target.suffix[1:].lower(), ChartLook.dark(options.dark), options.size)
        except ChartsMissing as error:
            raise NotDone(str(error)) from error
    try:
        if target.exists() and not target.is_file():  # such as /dev/stdout, which can't be replaced
            target.write_bytes(drawn)
        else:
            with folders.replacement(target) as file:
                file.write_bytes(drawn)
    except OSError as error:
        raise NotDone(f"{target} can't be written: {error.strerror}.") from error
    print(f"{chart(choice.name).title} of {choice.words} written to {target}")


def _choice(options: argparse.Namespace) -> ChartChoice:
    days = options.first, options.last
    return ChartChoice(options.chart, options.lab.upper(), options.plot, *days, options.field, options.x, options.y)


def _verify(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Print the usage and exit if options don't fit together."""
    kind = chart(options.chart)
    if Path(options.output).suffix[1:].lower() not in FORMATS:
        parser.error(f"{options.output!r} ends neither in .png nor .svg nor .pdf")
    if options.field and options.field not in kind.measures:
        known = ", ".join(filter(None, kind.measures)) or "none"
        parser.error(f"the chart {kind.name} has no --field {options.field} (it has: {known})")
    if options.plot is not None and not (kind.by_plot and options.plot in PLOTS):
        parser.error(f"the chart {kind.name} has no --plot {options.plot}")
    if options.first and options.last and options.first > options.last:
        parser.error("--from is later than --to")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and 200 <= int(width) <= 8000 and 150 <= int(height) <= 8000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 960x540 (200x150 to 8000x8000)")
    return int(width), int(height)
