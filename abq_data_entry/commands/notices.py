"""`notices`: the company's notices from its feed or newsgroup: fetch, list, show, mark as read."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from . import add_task
from .outcome import NotDone, announce_if_long, cancel_on_interrupt
from .passwords import Secrets, password_from_stdin

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..models.notices import Notice, Noticeboard
    from ..models.undoing import By
    from . import Subcommands

_NEWEST = 10


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand, with its own subcommands, to the parser."""
    parser = subcommands.add_parser(
        "notices",
        help="list the company's notices; fetch them, show one, say that they are read",
        description="List the newest notices of the company, as they were last fetched.",
        allow_abbrev=False,
    )
    _add_choice(parser)
    parser.set_defaults(run=print_list, task="list")
    tasks = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="task")
    _add_choice(add_task(tasks, "list", print_list, "list the notices, the newest first"), argparse.SUPPRESS)
    fetching = add_task(tasks, "fetch", fetch, "fetch the notices now, also if that was done within the hour")
    fetching.add_argument(
        "--hourly", action="store_true", help="only if it wasn't done within the hour, as for cron"
    )
    fetching.add_argument("--username", default="", metavar="U", help="who logs in (default: setting notices_username)")
    fetching.add_argument(
        "--password-stdin", action="store_true", help="the first line of standard input is the password"
    )
    showing = add_task(tasks, "show", show, "print a notice in full; it counts as read")
    showing.add_argument("id", type=int, metavar="NUMBER", help="of the notice, as the list shows it")
    reading = add_task(tasks, "read", read, "mark a notice as read; without a number, all of them")
    reading.add_argument("id", type=int, nargs="?", metavar="NUMBER", help="of the notice, as the list shows it")
    for each in (showing, reading):
        _add_technician(each)


def _add_choice(parser: argparse.ArgumentParser, unsaid: object = False) -> None:
    """Add the options of the list; for `list` without defaults, so that options before its name remain."""
    all_of_them = f"not only the newest {_NEWEST}"
    parser.add_argument("--all", dest="everything", action="store_true", default=unsaid, help=all_of_them)
    parser.add_argument(
        "--unread", action="store_true", default=unsaid, help="only those that aren't read yet"
    )
    parser.add_argument("--json", action="store_true", default=unsaid, help="print a JSON list, for programs")
    _add_technician(parser, unsaid or "")


def _add_technician(parser: argparse.ArgumentParser, unsaid: object = "") -> None:
    parser.add_argument(
        "--technician", default=unsaid, metavar="NAME", help="the person (default: whose login it is at the database)"
    )


def print_list(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print the notices, the newest first."""
    from .database import opened_model, read_settings

    settings = read_settings()
    with opened_model(settings, secrets) as model:
        board = model.notices.board(_source(settings.values()), by=_by(options))
    listed = board.unread if options.unread else board.notices
    listed = listed if options.everything else listed[:_NEWEST]
    if options.json:
        print(json.dumps([_content(each) for each in listed], indent=2, ensure_ascii=False))
        return
    for each in listed:
        published = f"{each.published.astimezone():%Y-%m-%d %H:%M}"
        print(f"{each.id:>5} {'new' if each.unread else '':3} {published}  {each.title}")
    if not listed:
        print("No notice is unread." if options.unread else "There are no notices.")
    print(_status(board))


def fetch(options: argparse.Namespace, secrets: Secrets) -> None:
    """Fetch the notices, and print the result. Raises NotDone if that fails."""
    from ..workflows import notices as workflow
    from .database import opened_model, read_settings

    settings = read_settings()
    values = settings.values()
    _source(values)
    login = None
    user = options.username or str(values["notices_username"])
    if options.password_stdin or (user and secrets.delivery):
        if not user:
            raise NotDone("The login needs a user name: give it with --username, or set notices_username.")
        login = (user, password_from_stdin() if options.password_stdin else secrets.delivery)
    if options.username:
        values["notices_username"] = options.username
    waiting = announce_if_long("Fetching the company's notices")
    with opened_model(settings, secrets) as model, cancel_on_interrupt() as cancel, waiting:
        outcome = workflow.fetch(model, values, cancel, forced=not options.hourly, login=login)
    if outcome.failed:
        raise NotDone(outcome.text)
    print(outcome.text)


def show(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print a notice, and mark it as read."""
    from .database import opened_model, read_settings

    settings = read_settings()
    with opened_model(settings, secrets) as model:
        notice = _find(model.notices.board(_source(settings.values()), by=_by(options)), options.id)
        print(notice.title)
        print(f"{notice.published.astimezone():%Y-%m-%d %H:%M}" + (f"  {notice.link}" if notice.link else ""))
        if notice.words:
            print(f"\n{notice.words}")
        if notice.unread:
            _mark(model, [notice.id], options)


def read(options: argparse.Namespace, secrets: Secrets) -> None:
    """Mark one notice or all as read."""
    from ..counting import counted
    from .database import opened_model, read_settings

    settings = read_settings()
    with opened_model(settings, secrets) as model:
        board = model.notices.board(_source(settings.values()), by=_by(options))
        chosen = [_find(board, options.id)] if options.id is not None else board.unread
        print(f"{counted(_mark(model, [each.id for each in chosen], options), 'notice')} marked as read.")


def _mark(model: SQLModel, those: list[int], options: argparse.Namespace) -> int:
    return model.notices.read(those, by=_by(options)) if those else 0


def _by(options: argparse.Namespace) -> By:
    from ..models.undoing import By

    return By(options.technician)


def _source(values: dict[str, bool | int | str]) -> str:
    from ..network.notices import problem, source_of
    from ..workflows.notices import NOT_SET_UP

    if not str(values["notices_url"]).strip():
        raise NotDone(NOT_SET_UP)
    if why := problem(values):
        raise NotDone(why)
    return source_of(values)


def _find(board: Noticeboard, number: int) -> Notice:
    for each in board.notices:
        if each.id == number:
            return each
    raise NotDone(f"There is no notice {number}: `notices --all` lists them.")


def _status(board: Noticeboard) -> str:
    fetched = f"Fetched {board.fetched.astimezone():%Y-%m-%d %H:%M}." if board.fetched else "Never fetched yet."
    return f"{fetched} Then: {board.problem}" if board.problem else fetched


def _content(notice: Notice) -> dict[str, object]:
    return {
        "id": notice.id, "published": notice.published.isoformat(), "title": notice.title, "text": notice.words,
        "link": notice.link or None, "unread": notice.unread,
    }  # fmt: skip
