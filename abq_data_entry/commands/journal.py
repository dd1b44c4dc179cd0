"""`journal`: the records of this computer that wait for the database."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from . import add_task
from .outcome import NotDone, announce_if_long
from .passwords import Secrets
from .waiting import counted, open_journal, wait_or_waits, waiting_for

if TYPE_CHECKING:
    from ..journal import Entry
    from . import Subcommands

_STATES = {"waiting": "waits", "undecided": "needs a decision in the window"}


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand, with its own subcommands, to the parser."""
    parser = subcommands.add_parser(
        "journal",
        help="list or save the records of this computer that wait for the database",
        description="Records that were saved while the database was away wait in the journal of this computer.",
        allow_abbrev=False,
    )
    tasks = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="task", required=True)
    for name, run, text in (
        ("list", print_list, "list the records that wait, in order"),
        ("replay", save_all, "save those that wait for this database, each once"),
    ):
        add_task(tasks, name, run, text)


def print_list(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print the waiting records; needs no database."""
    entries = open_journal().entries()
    if not entries:
        print("No record waits on this computer.")
    for each in entries:
        print(f"{each.identifier[:8]}  {each.title}  for {each.database}  {_STATES[each.state]}. {_why(each)}".strip())


def save_all(options: argparse.Namespace, secrets: Secrets) -> None:
    """Save the records that wait for the database of the settings; raises NotDone if some remain."""
    from ..journal import database_name
    from ..workflows.replay import replay
    from .database import opened_model, read_settings

    settings = read_settings()
    database = database_name(settings.values())
    journal = open_journal()
    if not waiting_for(journal, settings):
        print("No record waits here for this database.")
        return
    what = "Saving the records that wait on this computer"
    with opened_model(settings, secrets, reports_waiting=False) as model, announce_if_long(what):
        done = replay(journal, database, model)
    for entry in done.saved:
        print(f"Saved: {entry.title}")
    left = waiting_for(journal, settings)
    if done.problem is not None:
        raise NotDone(f"{counted(len(left))} still {wait_or_waits(len(left))} here: {done.problem}")
    if left:
        raise NotDone(f"{counted(len(left))} of this computer {_need(len(left))} a decision: {_why(left[0])} Open the"
                      " window to see both versions.")  # fmt: skip


def _why(entry: Entry) -> str:
    return " ".join((entry.remark or entry.cause).split())


def _need(number: int) -> str:
    return "needs" if number == 1 else "need"
