"""The records of this computer that wait for the database, as the subcommands tell them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .. import folders
from .outcome import NotDone

if TYPE_CHECKING:
    from ..journal import Entry, Journal
    from ..models import SettingsModel


def tell_waiting(settings: SettingsModel) -> None:
    """Say on standard error that the database doesn't hold everything yet, if that is so."""
    from ..journal import JournalError

    try:
        waiting = waiting_for(open_journal(), settings)
    except JournalError as error:
        print(f"Warning: {error}", file=sys.stderr)
        return
    except OSError:  # the database itself says better what is wrong with the folder
        return
    if waiting:
        count = len(waiting)
        print(
            f"Note: {counted(count)} of this computer {'is' if count == 1 else 'are'} not in the database yet:"
            " `journal replay` or the window saves them.",
            file=sys.stderr,
        )


def require_nothing_waits(settings: SettingsModel) -> None:
    """Raise NotDone if records wait here for the database of the settings: they go into no other one."""
    waiting = waiting_for(open_journal(), settings)
    if waiting:
        raise NotDone(f"{counted(len(waiting))} of this computer {wait_or_waits(len(waiting))} for this database:"
                      " `journal replay`, or the window, has to save what waits first.")  # fmt: skip


def open_journal() -> Journal:
    """The journal of this user; what is damaged in it is told on standard error. Raises JournalError."""
    from ..journal import Journal

    journal = Journal(folders.data_folder(create=True) / "journal")
    journal.entries()  # so that what is damaged is found now, and told before anything is done with the rest
    for problem in journal.problems:
        print(f"Warning: {problem}", file=sys.stderr)
    return journal


def waiting_for(journal: Journal, settings: SettingsModel) -> list[Entry]:
    """What waits there for the database of the settings."""
    from ..journal import database_name, same_database

    database = database_name(settings.values())
    return [each for each in journal.entries() if same_database(each.database, database)]


def counted(number: int) -> str:
    """How many records, in words."""
    return "1 record" if number == 1 else f"{number} records"


def wait_or_waits(number: int) -> str:
    """The verb for that number of records."""
    return "waits" if number == 1 else "wait"
