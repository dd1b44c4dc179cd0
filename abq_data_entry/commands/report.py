"""`report`: write a day's report."""

from __future__ import annotations

import argparse
import datetime
import sys
from typing import TYPE_CHECKING

from .days import add_date_option
from .outcome import NotDone, announce_if_long, target_of
from .passwords import Secrets

if TYPE_CHECKING:
    from . import Subcommands


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = subcommands.add_parser(
        "report",
        help="write a day's report as a page: what is missing, stands out, drifts, was corrected, is open",
        description="Write a day's report as one HTML file: completeness, questions, outliers, drift, control charts,"
        " weather, corrections and the audit's head.",
        allow_abbrev=False,
    )
    add_date_option(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="the file or its folder (default: abq_report_YYYY-MM-DD.html, here)"
    )
    parser.add_argument("--no-charts", action="store_true", help="only tables, which takes a moment")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Write the whole file, or nothing."""
    from ..workflows.day_report import usual_name, write_report
    from .database import opened_model, read_settings

    date = options.date or datetime.date.today()
    target = target_of(options.output, usual_name(date))
    with opened_model(read_settings(), secrets) as model, announce_if_long(f"Making the report of {date}"):
        try:
            done = write_report(model, date, target, datetime.datetime.now(), not options.no_charts)
        except OSError as error:
            raise NotDone(f"{target} can't be written: {error.strerror or error}.") from error
    print(f"Report of {date} written to {done.file}")
    for problem in done.problems:
        print(problem, file=sys.stderr)
