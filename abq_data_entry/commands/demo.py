"""`demo`: play a laboratory's day."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .outcome import NotDone
from .passwords import Secrets

if TYPE_CHECKING:
    from . import Subcommands


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = subcommands.add_parser(
        "demo",
        help="play a laboratory's day with the real window and the bundled servers",
        description="Play a laboratory's day in about half a minute: a check of 20 plots, the weather, both "
        "deliveries, and psql's answers. With a display you can watch; without one it brings its own. It doesn't touch "
        "your own database and settings.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="where screenshots, files and report go (default: demo)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Play the demo; raises NotDone if a step fails."""
    from ..demo import DemoFailed
    from ..demo.day import play

    try:
        play(options.folder)
    except DemoFailed as error:
        raise NotDone(f"The demo ended early. {error}") from error
