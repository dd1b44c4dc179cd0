"""The records of this computer that wait for the database, for the subcommands."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .. import folders
from .outcome import NotDone

if TYPE_CHECKING:
    from ..journal import Entry, Journal
    from ..models import SettingsModel


def report_waiting(settings: SettingsModel) -> None:
    """Print a note on standard error if records of this computer aren't in the database yet."""
    from ..journal import JournalError

    try:
        waiting = waiting_for(open_journal(), settings)
    except JournalError as error:
        print(f"Warning: {error}", file=sys.stderr)
        return
    except OSError:  # opening the database will report what is wrong with the folder
        return
    if waiting:
        count = len(waiting)
        print(
            f"Note: {counted(count)} of this computer {'is' if count == 1 else 'are'} not in the database yet:"
            " `journal replay` or the window saves them.",
            file=sys.stderr,
        )


def require_nothing_waits(settings: SettingsModel) -> None:
    """Raise NotDone if records wait here for the database of the settings, because they can't go into another one."""
    waiting = waiting_for(open_journal(), settings)
    if waiting:
        raise NotDone(f"{counted(len(waiting))} of this computer {wait_or_waits(len(waiting))} for this database:"
                      " `journal replay`, or the window, has to save what waits first.")  # fmt: skip


def open_journal() -> Journal:
    """Open the journal of this user; damage in it is reported on standard error. Raises JournalError."""
    from ..journal import Journal

    journal = Journal(folders.data_folder(create=True) / "journal")
    journal.entries()  # finds damage now, so that it is reported before anything is done
    for problem in journal.problems:
        print(f"Warning: {problem}", file=sys.stderr)
    return journal


def waiting_for(journal: Journal, settings: SettingsModel) -> list[Entry]:
    """Return the entries that wait for the database of the settings."""
    from ..journal import database_name, same_database

    database = database_name(settings.values())
    return [each for each in journal.entries() if same_database(each.database, database)]


def counted(number: int) -> str:
    """Return that number of records in words."""
    return "1 record" if number == 1 else f"{number} records"


def wait_or_waits(number: int) -> str:
    """Return the verb for that number of records."""
    return "waits" if number == 1 else "wait"
