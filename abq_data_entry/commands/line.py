"""The parser of the command line, and what all subcommands share: output, errors and exit codes."""

import argparse
import functools
import logging
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext

from ..constants import APPLICATION_ID
from ..version import version
from . import (
    alarms,
    chart,
    check,
    db,
    deliveries,
    demo,
    desktop,
    destinations,
    export,
    files,
    journal,
    marks,
    message,
    notes,
    notices,
    report,
    status,
    upload,
    weather,
)
from .outcome import (
    DONE,
    NOT_DONE,
    announce_if_long,
    announcing_waits,
    leave_output,
    print_to_stderr,
    reason,
    termination_interrupts,
)
from .passwords import take_secrets

log = logging.getLogger(__name__)

_ANNOUNCE_THEMSELVES = ("check", "demo")

_EPILOG = """\
Without a subcommand the window opens. Exit code: 0 done, 1 not done (the reason is printed in one line), 2 wrong usage.

With a database server of your own (setting db_host) the subcommands log in with ABQ_DB_USER and ABQ_DB_PASSWORD,
or like psql (PGUSER, PGPASSWORD, ~/.pgpass), or they ask. ABQ_CONFIG_DIR and ABQ_DATA_DIR name other folders for
the settings and for the data."""


@functools.cache  # building it takes longer than many subcommands, and a process may run several
def parser() -> argparse.ArgumentParser:
    """Return the parser of all subcommands; `run` in the parsed options is the function to call."""
    found = argparse.ArgumentParser(
        prog=APPLICATION_ID,
        description="Record a plant laboratory's readings; fetch the weather, export and deliver the day's extract.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    found.add_argument("--version", action="version", version=f"{APPLICATION_ID} {version()}")
    found.add_argument("--quiet", action="store_true", help="print no progress on standard error, as for cron")
    subcommands = found.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="subcommand")
    written, work = (export, chart, report), (upload, deliveries, destinations, marks, notes, message, notices, journal)
    for module in (weather, *written, *work, files, check, status, alarms, db, desktop, demo):
        module.add_to(subcommands)
    return found


def run(arguments: Sequence[str]) -> int:
    """Run the subcommand, print a failure, and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # so that a name that the terminal can't show is no failure
    try:
        line = parser()
        options = line.parse_args(arguments)
        if options.subcommand is None:  # checked after parsing, so that an unknown option is reported first
            line.error("SUBCOMMAND is missing")
        if "verify" in options:  # checks several options together
            options.verify(options)
    except SystemExit as end:  # argparse has printed the help, the version, or what is wrong
        return end.code if isinstance(end.code, int) else DONE
    secrets = take_secrets()
    what: str = options.subcommand
    if what in ("db", "journal"):  # log the second word too, which for others may be a name or a text
        what += f" {options.task}"
    log.info("%s begins", what)
    try:
        with termination_interrupts(), _waits(options, what):
            options.run(options, secrets)
            sys.stdout.flush()  # here, where a closed pipe can still be reported, not when Python exits
    except BrokenPipeError:
        leave_output()
        print_to_stderr("Nothing reads the output any more.")
    except (Exception, KeyboardInterrupt) as error:
        print_to_stderr(reason(error))
    else:
        log.info("%s is done", what)
        return DONE
    log.info("%s was not done", what)
    return NOT_DONE


def _waits(options: argparse.Namespace, what: str) -> AbstractContextManager[object]:
    """Announce what the subcommand waits for; by its name, unless it announces its steps itself."""
    if options.quiet or getattr(options, "unattended", False):
        return nullcontext()
    stack = ExitStack()
    stack.enter_context(announcing_waits())
    stack.enter_context(announce_if_long("" if options.subcommand in _ANNOUNCE_THEMSELVES else f"{what} is at work"))
    return stack
