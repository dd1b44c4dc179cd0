"""`db`: what QA and administrators do with the database."""

from __future__ import annotations

import argparse
import datetime
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from . import add_task, administration, backups, moving, undoing
from .outcome import NotDone, announce_if_long
from .passwords import Secrets, ask, can_ask

if TYPE_CHECKING:
    from . import Subcommands


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand, with its own subcommands, to the parser."""
    parser = subcommands.add_parser(
        "db",
        help="the database: connection string, schema, backup, technicians, labs, plots",
        description="What QA and administrators do with the database.",
        allow_abbrev=False,
    )
    tasks = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="task", required=True)
    dsn = add_task(tasks, "dsn", print_dsn, "print a connection string that psql takes as it is")
    dsn.add_argument("--verbose", action="store_true", help="print the server's version and age on standard error")
    init = add_task(tasks, "init", prepare, "create the tables, or bring those of an older version up to date")
    init.add_argument("--timezone", default="", metavar="NAME", help="the labs' time zone, such as America/Denver")
    zone = add_task(tasks, "set-timezone", set_time_zone, "say in which time zone the labs are")
    zone.add_argument("name", metavar="NAME", help="such as America/Denver")
    backups.add_to(tasks)
    moving.add_to(tasks)
    administration.add_privileges_to(tasks)
    undoing.add_to(tasks)
    verify = add_task(tasks, "verify", verify_audit, "check whether anybody changed the audit, or records without it")
    verify.add_argument("--head", default="", metavar="TEXT", help="the audit head that came with a delivery")
    administration.add_lists_to(tasks)


def print_dsn(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print the connection string. An embedded server is started for it; its watcher stops it later."""
    from .. import postgres
    from ..postgres.programs import installed_version
    from .database import configured_endpoint, logged_in, prepare_tables, read_settings, start_embedded

    settings = read_settings()
    if settings["db_host"]:
        configured = configured_endpoint(settings)
        if options.verbose:
            _print_version(logged_in(configured, secrets), None)
        print(postgres.dsn(configured))
        return
    server = start_embedded(settings)
    endpoint = server.endpoint(str(settings["db_name"]))
    prepare_tables(settings, endpoint)
    if options.verbose:
        _print_version(endpoint, installed_version())
    print(postgres.dsn(endpoint))


def _print_version(endpoint: dict[str, str], installed: tuple[int, int] | None) -> None:
    from ..models import SQLModel
    from ..postgres.programs import age_of

    model = SQLModel.at(endpoint)
    try:
        ((version,),) = (row.values() for row in model.query("SHOW server_version") or ())
    finally:
        model.close()
    age = age_of(str(version), datetime.date.today(), installed)
    print(f"PostgreSQL {age.text}", *filter(None, [age.hint]), sep="\n", file=sys.stderr)


def prepare(options: argparse.Namespace, secrets: Secrets) -> None:
    """Create or migrate the schema."""
    from ..models import schema
    from .database import opened_endpoint, prepare_tables, read_settings

    settings = read_settings()
    with opened_endpoint(settings, secrets) as endpoint:
        schema.require_encoding(endpoint)
        changed = prepare_tables(settings, endpoint)
        _settle_time_zone(endpoint, options.timezone, changed)
    state = "now" if changed else "already"
    print(f"The tables in the database {endpoint['dbname']} are {state} those of version {schema.VERSION}.")


def _settle_time_zone(endpoint: dict[str, str], wanted: str, changed: bool) -> None:
    """Ask at a terminal for the labs' time zone if the tables are new; otherwise the server's time zone is used."""
    from ..models import SQLModel

    if not wanted and not (changed and can_ask()):
        return
    model = SQLModel.at(endpoint)
    try:
        known = model.time_zone()
        model.set_time_zone(wanted or ask(f"Time zone of the laboratories (Enter: {known}): ") or known)
    finally:
        model.close()


def set_time_zone(options: argparse.Namespace, secrets: Secrets) -> None:
    """Set the time zone of the labs."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        before = model.set_time_zone(options.name)
        now = model.time_zone()
    print(f"The labs are in the time zone {now}" + ("" if now == before else f", and no longer in {before}"))


def verify_audit(options: argparse.Namespace, secrets: Secrets) -> None:
    """Verify the chains of the audit and print the first break of each; the result raises or ends an alarm."""
    from ..models import DatabaseError
    from ..workflows.alarms import audit_finding
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        try:
            with announce_if_long("Going through the audit, entry by entry"):
                verdict = model.verify_audit(options.head)
        except ValueError as error:
            raise NotDone(str(error)) from None
        if not options.head:  # a head that doesn't match is no fault of the audit
            with suppress(DatabaseError):  # such as a standby, which can't be written to
                model.look_for_alarms([audit_finding(verdict)])
    for note in verdict.notes:
        print(f"{note}.")
    found = "".join(f" {each}." for each in verdict.findings)
    if verdict.breaks:
        entries = {each: f", entry {each.sequence}" if each.sequence else "" for each in verdict.breaks}
        broken = " ".join(f"Lab {each.lab}{entry}: {each.reason}." for each, entry in entries.items())
        raise NotDone(f"The audit is broken. {broken}{found}")
    whole = f"The audit is intact: {verdict.entries} entries, each follows the one before it."
    if found:
        raise NotDone(f"{whole} But something isn't as it should be, and the audit may have been bypassed.{found}")
    print(whole)
    if verdict.not_compared:
        print(f"Views, functions, triggers and constraints were not compared: {verdict.not_compared}.")
