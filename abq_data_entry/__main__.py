"""The command line; without a subcommand, the window. Exit codes: 0 done, 1 not done, 2 wrong usage.

Kept small, so that opening the window doesn't import what only the subcommands need.
"""

import sys
from collections.abc import Sequence

from .launcher import HELP


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (default: this process's arguments) and return the exit code.

    Prints the reason in one line on standard error if that is 1, and the usage if it is 2.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if any(each in HELP for each in arguments):
        from .commands.line import run

        return run(arguments)
    if not arguments:
        from .commands.window import open_window

        return open_window()
    from . import logfile

    with logfile.logging_to_file():
        from .commands.line import run

        return run(arguments)


def run() -> None:
    """The entry point `abq-data-entry`: end this process with the exit code."""
    sys.exit(main())


def window() -> None:
    """The entry point `abq-data-entry-window`: the window, and on Windows no console."""
    sys.exit(main([]))


if __name__ == "__main__":
    run()
