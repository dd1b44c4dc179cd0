"""`destinations list|add|change|remove|test`: where extracts go besides the settings' destinations, and when."""

from __future__ import annotations

import argparse
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ..network.destination import NOBODY
from ..network.destinations import STORED_KINDS, destination
from ..stored_destination import (
    BY_HAND,
    CHECK_COMPLETE,
    EVERY_DAY,
    RECORDS,
    STORED,
    StoredDestination,
    default_file_name,
)
from . import add_task
from .outcome import NotDone, cancel_on_interrupt, print_table, require_no_failures
from .passwords import NO_LOGIN, Secrets, login_for

if TYPE_CHECKING:
    from . import Subcommands

_HEADINGS = ("name", "kind", "where", "what", "when", "login")


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand, with its own subcommands, to the parser."""
    parser = subcommands.add_parser(
        "destinations",
        help="where extracts go besides the settings' destinations, and when: list, add, change, remove, test",
        description="List the destinations of the database, which all workstations share. It holds no passwords.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=print_list, json=False)
    tasks = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="task")
    listing = add_task(tasks, "list", print_list, "list the destinations of the database")
    listing.add_argument("--json", action="store_true", help="as a JSON array")
    added = add_task(tasks, "add", add, "add a destination")
    added.add_argument("name", metavar="NAME", help="small letters, digits, - and _")
    added.add_argument("kind", choices=STORED_KINDS)
    text = "a URL (rest, webdav, brapi, xmlrpc, s3), host[:port] (ftp, ftps, sftp), a path"
    added.add_argument("address", metavar="ADDRESS", help=text)
    _add_columns(added)
    changed = add_task(tasks, "change", change, "change a destination, except its name and kind")
    changed.add_argument("name", metavar="NAME")
    changed.add_argument("--address", metavar="ADDRESS")
    _add_columns(changed)
    removed = add_task(tasks, "remove", remove, "remove a destination for which no delivery waits")
    removed.add_argument("name", metavar="NAME")
    removed.add_argument("--anyway", action="store_true", help="even if deliveries wait: they are set aside")
    tested = add_task(tasks, "test", test, "test the connection to a destination step by step, and log in there")
    tested.add_argument("name", metavar="NAME")
    tested.add_argument("--no-login", action="store_true", help="only the connection, without a login")
    tested.add_argument("--write", action="store_true", help="also store a tiny file there, and remove it again")
    text = "the first line of standard input is the password"
    tested.add_argument("--password-stdin", action="store_true", help=text)


def _add_columns(parser: argparse.ArgumentParser) -> None:
    """Add the options for the columns; one that isn't given keeps its value or default."""
    text = "rest, brapi: where the login goes (default: auth beside the address, token below it); sftp: a jump host"
    parser.add_argument("--login-address", metavar="URL", help=text)
    parser.add_argument(
        "--login-method", choices=("cookie", "token", "api-key", "basic", "oauth2", "none"),
        help="rest, brapi, xmlrpc: how the login is made (default: cookie, token, basic)",
    )  # fmt: skip
    parser.add_argument("--login-header", metavar="NAME", help="api-key: the header of the key (default: X-API-Key)")
    parser.add_argument("--login-scope", metavar="WORDS", help="oauth2: the scope of the token")
    parser.add_argument("--folder", metavar="FOLDER", help="the folder there; brapi: the trial; xmlrpc: the method")
    parser.add_argument("--file-name", metavar="PATTERN", help="what files are called there; knows {date} and {lab}")
    parser.add_argument("--view", dest="contents", metavar="NAME", help="send this view instead of the day's extract")
    parser.add_argument("--format", choices=("csv", "xlsx", "parquet"), help="of a view (default: csv)")
    parser.add_argument("--username", metavar="U", help="who logs in there")
    parser.add_argument(
        "--checksum", action=argparse.BooleanOptionalAction, help="send a file .sha256 with each file"
    )
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--every-day", metavar="HH:MM", help="send it every day at this time of the labs' time zone")
    when.add_argument(
        "--when-complete", dest="schedule", action="store_const", const=CHECK_COMPLETE,
        help="send it whenever a check of a lab is complete",
    )  # fmt: skip
    text = "send it when somebody says so (default)"
    when.add_argument("--by-hand", dest="schedule", action="store_const", const=BY_HAND, help=text)


def print_list(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print the destinations as a table, or as JSON."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        found = list(model.get_destinations().values())
    if options.json:
        print(json.dumps([each._asdict() for each in found], indent=2, ensure_ascii=False))
        return
    if not found:
        print("There are no destinations in the database.")
        return
    print_table([_HEADINGS, *map(_row, found)])


def add(options: argparse.Namespace, secrets: Secrets) -> None:
    """Add a destination."""
    from .database import opened_model, read_settings

    given = _given(options)
    contents, form = given.get("contents", RECORDS), given.get("format", "csv")
    named = StoredDestination(options.name, options.kind, options.address, file_name=default_file_name(contents, form))
    row = named._replace(**given)
    with opened_model(read_settings(), secrets) as model:
        model.add_destination(row)
    print(f"The destination {row.name} is added: {row.address} by {row.kind}, {row.schedule}.")


def change(options: argparse.Namespace, secrets: Secrets) -> None:
    """Change a destination."""
    from .database import opened_model, read_settings

    given = _given(options) | ({"address": options.address} if options.address is not None else {})
    if not given:
        raise NotDone("No change was given.")
    with opened_model(read_settings(), secrets) as model:
        row = model.change_destination(options.name, given)
    print(f"The destination {row.name} is changed: {row.address} by {row.kind}, {row.schedule}.")


def remove(options: argparse.Namespace, secrets: Secrets) -> None:
    """Remove a destination."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        row = model.remove_destination(options.name, options.anyway)
    print(f"The destination {row.name} is removed.")


def test(options: argparse.Namespace, secrets: Secrets) -> None:
    """Test a destination step by step; raises NotDone if a step fails."""
    from ..models.destinations import destination_named
    from ..network.probing import FAILED, LoginMissing, Options
    from ..workflows.check_connections import check_connections, lines_of
    from .database import opened_model, read_settings

    settings = read_settings()
    with opened_model(settings, secrets) as model:
        stored = model.get_destinations()
    row = destination_named(stored, options.name)
    values = {**settings.values(), STORED: stored}

    def login(_kind: str) -> tuple[str, str] | None:
        if options.no_login:
            return None
        try:
            place = destination(row.key).login_place(values)
            given = login_for(row.key, row.username, options.password_stdin, secrets, place)
        except NotDone as error:
            missing = str(error)
        else:
            is_missing = given == NO_LOGIN and destination(row.key).needs_login and place != NOBODY
            return None if is_missing else given
        raise LoginMissing(missing)

    failed = 0
    wanted = Options((row.key,), login, options.write)
    with cancel_on_interrupt() as cancel:
        for step in check_connections(values, lambda: nullcontext({}), wanted, cancel):
            print("\n".join(lines_of(step)), flush=True)
            failed += step.verdict == FAILED
    require_no_failures(failed)


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """Return the columns that were given."""
    names = (
        *("login_address", "login_method", "login_header", "login_scope", "folder", "file_name", "contents", "format"),
        *("username", "checksum", "schedule"),
    )
    found = {name: value for name in names if (value := getattr(options, name)) is not None}
    if options.every_day is not None:
        time = options.every_day if len(options.every_day) == 5 else f"0{options.every_day}"
        found["schedule"] = f"{EVERY_DAY}{time}"
    return found


def _row(each: StoredDestination) -> tuple[str, ...]:
    where = f"{each.address}/{each.folder}" if each.folder else each.address
    return each.name, each.kind, where, f"{each.contents} ({each.format})", each.schedule, each.username
