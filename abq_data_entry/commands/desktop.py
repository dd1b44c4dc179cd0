"""`desktop`: an entry with an icon in the menu of programs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .outcome import NotDone
from .passwords import Secrets

if TYPE_CHECKING:
    from . import Subcommands


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand, with its own subcommands, to the parser."""
    parser = subcommands.add_parser(
        "desktop",
        help="add the application to the desktop's menu, or remove it",
        description="Add the application with its icon where people look for programs: to the desktop's menu on "
        "Linux, the Start menu on Windows, the Applications folder on macOS. For this user only.",
        allow_abbrev=False,
    )
    tasks = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="task", required=True)
    install = tasks.add_parser("install", help="make the entry, or renew it", allow_abbrev=False)
    install.set_defaults(run=make)
    remove = tasks.add_parser("remove", help="remove it; data and settings stay", allow_abbrev=False)
    remove.set_defaults(run=take_away)


def make(options: argparse.Namespace, secrets: Secrets) -> None:
    """Make the entry and print where it is. Raises NotDone if that fails."""
    from .. import shortcuts

    try:
        for path in shortcuts.install():
            print(path)
    except (OSError, shortcuts.ShortcutError) as error:
        raise NotDone(f"The entry could not be made: {error}") from error


def take_away(options: argparse.Namespace, secrets: Secrets) -> None:
    """Remove the entry, or print that there was none. Raises NotDone if that fails."""
    from .. import shortcuts

    try:
        removed = shortcuts.remove()
    except OSError as error:
        raise NotDone(f"The entry could not be removed: {error}") from error
    print("\n".join(map(str, removed)) if removed else "There was no entry.")
