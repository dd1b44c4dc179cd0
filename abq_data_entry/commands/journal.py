"""`journal`: the records of this computer that wait for the database."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .. import folders
from .outcome import NotDone
from .passwords import Secrets
from .waits_told import told_if_long

if TYPE_CHECKING:
    from ..journal import Entry, Journal
    from ..models import SettingsModel
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
        task = tasks.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
        task.set_defaults(run=run)


def print_list(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print what waits; needs no database."""
    entries = opened_journal().entries()
    if not entries:
        print("No record waits on this computer.")
    for each in entries:
        print(f"{each.identifier[:8]}  {each.title}  for {each.database}  {_STATES[each.state]}. {_why(each)}".strip())


def save_all(options: argparse.Namespace, secrets: Secrets) -> None:
    """Save what waits for the database of the settings; raises NotDone if something is left of it."""
    from ..journal import database_name
    from ..workflows.replay import replay
    from .database import opened_model, read_settings

    settings = read_settings()
    database = database_name(settings.values())
    journal = opened_journal()
    if not waiting_for(journal, settings):
        print("No record waits here for this database.")
        return
    what = "Saving the records that wait on this computer"
    with opened_model(settings, secrets, tells_waiting=False) as model, told_if_long(what):
        done = replay(journal, database, model)
    for entry in done.saved:
        print(f"Saved: {entry.title}")
    left = waiting_for(journal, settings)
    if done.problem is not None:
        raise NotDone(f"{_counted(len(left))} still {_wait(len(left))} here: {done.problem}")
    if left:
        raise NotDone(f"{_counted(len(left))} of this computer {_need(len(left))} a decision: {_why(left[0])} Open the"
                      " window to see both versions.")  # fmt: skip


def tell_waiting(settings: SettingsModel) -> None:
    """Say on standard error that the database doesn't hold everything yet, if that is so."""
    from ..journal import JournalError

    try:
        waiting = waiting_for(opened_journal(), settings)
    except JournalError as error:
        print(f"Warning: {error}", file=sys.stderr)
        return
    except OSError:  # the database itself says better what is wrong with the folder
        return
    if waiting:
        count = len(waiting)
        print(
            f"Note: {_counted(count)} of this computer {'is' if count == 1 else 'are'} not in the database yet:"
            " `journal replay` or the window saves them.",
            file=sys.stderr,
        )


def require_nothing_waits(settings: SettingsModel) -> None:
    """Raise NotDone if records wait here for the database of the settings: they go into no other one."""
    waiting = waiting_for(opened_journal(), settings)
    if waiting:
        raise NotDone(f"{_counted(len(waiting))} of this computer {_wait(len(waiting))} for this database:"
                      " `journal replay`, or the window, has to save what waits first.")  # fmt: skip


def opened_journal() -> Journal:
    """The journal of this user; what is damaged in it is told on standard error. Raises JournalError."""
    from ..journal import Journal

    journal = Journal(folders.data_folder(create=True) / "journal")
    journal.entries()
    for problem in journal.problems:
        print(f"Warning: {problem}", file=sys.stderr)
    return journal


def waiting_for(journal: Journal, settings: SettingsModel) -> list[Entry]:
    """What waits there for the database of the settings."""
    from ..journal import database_name, same_database

    database = database_name(settings.values())
    return [each for each in journal.entries() if same_database(each.database, database)]


def _why(entry: Entry) -> str:
    return " ".join((entry.remark or entry.cause).split())


def _counted(number: int) -> str:
    return "1 record" if number == 1 else f"{number} records"


def _wait(number: int) -> str:
    return "waits" if number == 1 else "wait"


def _need(number: int) -> str:
    return "needs" if number == 1 else "need"
