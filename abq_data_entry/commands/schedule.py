"""`weather install-schedule`, `deliveries install-schedule`: have something done by the system's scheduler."""

from __future__ import annotations

import argparse

from .. import schedules
from .outcome import NotDone
from .passwords import Secrets


def add_to(
    tasks: argparse._SubParsersAction[argparse.ArgumentParser], wanted: schedules.Schedule, text: str, what: str
) -> None:
    """Add `install-schedule` to the subcommands of one; `text` and `what` say what it does, in short and whole."""
    parser = tasks.add_parser(
        "install-schedule",
        help=text,
        description=f"{what}: systemd units, a line of the crontab or a Windows task. What was changed by hand is "
        "neither overwritten nor removed.",
        allow_abbrev=False,
    )
    parser.add_argument("--user", action="store_true", help="for this user (there is no other way: it is the default)")
    parser.add_argument("--kind", choices=schedules.KINDS, help="which scheduler (default: that of this system)")
    parser.add_argument("--remove", action="store_true", help="remove it again")
    parser.set_defaults(run=run, verify=lambda options: None, schedule=wanted)


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Make or remove it, and say what was done."""
    kind = options.kind or schedules.usual_kind()
    try:
        for sentence in (schedules.remove if options.remove else schedules.install)(kind, options.schedule):
            print(sentence)
    except (schedules.ScheduleError, OSError) as error:
        raise NotDone(str(error)) from error
