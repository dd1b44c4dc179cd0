"""`weather install-schedule`, `deliveries install-schedule`, and adding scheduled deliveries to the outbox."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .. import schedules
from ..network.destinations import destination, stored_in
from .outcome import NotDone, reason
from .passwords import Secrets, login_kept

if TYPE_CHECKING:
    from ..models import SettingsModel
    from ..outbox import Outbox
    from ..stored_destination import StoredDestination

def add_to(
    tasks: argparse._SubParsersAction[argparse.ArgumentParser], wanted: schedules.Schedule, text: str, what: str
) -> None:
    """Add `install-schedule` to a subcommand; `text` is its short help, `what` its description."""
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
    """Install or remove the schedule, and print what was done."""
    kind = options.kind or schedules.usual_kind()
    try:
        for sentence in (schedules.remove if options.remove else schedules.install)(kind, options.schedule):
            print(sentence)
    except (schedules.ScheduleError, OSError) as error:
        raise NotDone(str(error)) from error


def enqueue_scheduled(outbox: Outbox, settings: SettingsModel, secrets: Secrets) -> list[str]:
    """Add scheduled deliveries that are due to the outbox; return sentences about what needs somebody's attention."""
    from ..models import DatabaseError
    from ..postgres import PostgresError
    from ..workflows.scheduled import enqueue_due
    from .database import opened_model

    refused = dict[str, str]()

    def login(row: StoredDestination, values: Mapping[str, object]) -> tuple[str, str] | None:
        try:
            return login_kept(row.key, row.username, destination(row.key).login_place(values))
        except NotDone as error:
            refused[row.key] = str(error)
            return None

    try:
        with opened_model(settings, secrets, asks=False) as model:
            found = enqueue_due(outbox, model, settings.values(), login)
            apart = "" if model.sees_all_labs() else _why_nothing_is_sent(found.values)
    except (DatabaseError, PostgresError, NotDone) as error:
        return [f"What schedules want isn't known: {reason(error)}"]
    left = [
        f"The extract of {due.date} is due at {destination(due.destination).name}"
        + (
            f". {refused[due.destination]}"
            if due.destination in refused
            else ", and neither the keyring nor a file of secrets has a login for it."
        )
        for due in found.without_login
    ]
    return [*([apart] if apart else []), *found.problems, *left]


def _why_nothing_is_sent(values: Mapping[str, object]) -> str:
    """Return why a login that sees only its own labs sends nothing by schedule; empty if there are no schedules."""
    from ..stored_destination import BY_HAND

    if all(each.schedule == BY_HAND for each in stored_in(values)):
        return ""
    return "Labs are kept apart, and this login sees only its own, so it sends nothing by schedule: that isn't all."


def add_schedule_to(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `deliveries install-schedule`."""
    add_to(
        tasks,
        schedules.DELIVERIES,
        "have what is due delivered every ten minutes by systemd, cron or the Windows Task Scheduler",
        "Make what runs `deliveries run --unattended` every ten minutes while no window is open",
    )
