"""`status`: the state of this computer, as JSON for a monitoring system."""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .. import folders
from ..workflows.status import Limits
from ..workflows.status import status as look
from .outcome import NotDone
from .passwords import Secrets

if TYPE_CHECKING:
    from ..models import SettingsModel, SQLModel
    from . import Subcommands

_USUAL = Limits()


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = subcommands.add_parser(
        "status",
        help="print the state of this computer as JSON, for monitoring",
        description="Print as JSON: whether the database can be read, which records and deliveries wait, the newest "
        "backup and observation, and the room on the disk. Nothing is started, asked for or sent, and there are no "
        "readings or secrets in it.",
        epilog="Exit code 0: all is well; 1: there is a problem, which is also printed to standard error.",
        allow_abbrev=False,
    )
    for name, usual, what in (
        ("--backup-days", _USUAL.backup_days, "an older backup is a problem"),
        ("--waiting-hours", _USUAL.waiting_hours, "records that wait longer for the database are a problem"),
        ("--free-mib", _USUAL.free_mib, "less free room on the disk is a problem, in MiB"),
        ("--weather-hours", _USUAL.weather_hours, "an older newest observation is a problem"),
    ):
        default = "default: none" if usual is None else f"default: {usual:g}"
        parser.add_argument(name, type=_number, default=usual, metavar="N", help=f"{what} ({default})")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print the status. Raises NotDone with the problems, if there are any."""
    from .database import read_settings

    settings = read_settings()
    limits = Limits(options.backup_days, options.waiting_hours, int(options.free_mib), options.weather_hours)
    now = datetime.datetime.now(datetime.timezone.utc)
    found = look(settings.values(), lambda: _opened(settings, secrets), limits, now)
    print(json.dumps(found.content, indent=2, ensure_ascii=False))
    if found.problems:
        raise NotDone(" ".join(found.problems))


@contextmanager
def _opened(settings: SettingsModel, secrets: Secrets) -> Iterator[SQLModel | None]:
    """Open the database without starting it or asking for a login; None if the embedded one isn't running."""
    from ..models import SQLModel
    from .database import configured_endpoint, logged_in

    if settings["db_host"]:
        endpoint = logged_in(configured_endpoint(settings), secrets, asks=False)
    else:
        from ..postgres.cluster import home_in, running
        from ..postgres.connections import endpoint_of

        folder = folders.data_folder()
        found = running(folder / "postgres/cluster")
        if found is None or not found.ready:
            yield None
            return
        endpoint = endpoint_of(home_in(folder), found, str(settings["db_name"]))
    model = SQLModel.at(endpoint)
    try:
        yield model
    finally:
        model.close()


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:  # also excludes NaN
        raise argparse.ArgumentTypeError(f"{text!r} isn't a number of 0 or more")
    return number
