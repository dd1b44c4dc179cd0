"""`message send`, `message list`: messages between colleagues at different workstations."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from . import add_task
from .passwords import Secrets

if TYPE_CHECKING:
    from ..models.notices import Addressee, ShiftMessage
    from . import Subcommands

_AT_MOST = 100_000


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand, with its own subcommands, to the parser."""
    parser = subcommands.add_parser(
        "message",
        help="send a message to a colleague, a lab or all; list those of the last 30 days",
        description="Send a message to colleagues, or list the messages of the last 30 days.",
        allow_abbrev=False,
    )
    tasks = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="task", required=True)
    sending = add_task(tasks, "send", send, "send a message; without --to and --lab it is to all")
    sending.add_argument("words", metavar="TEXT", help="one line of at most 640 characters")
    whom = sending.add_mutually_exclusive_group()
    whom.add_argument("--to", metavar="NAME", help="to that technician")
    whom.add_argument("--lab", metavar="L", help="to whoever is at that lab")
    listing = add_task(tasks, "list", print_list, "list the messages, the newest first")
    of_whom = listing.add_mutually_exclusive_group()
    of_whom.add_argument("--to", metavar="NAME", help="those to that technician only")
    of_whom.add_argument("--lab", metavar="L", help="those to that lab only")
    listing.add_argument("--json", action="store_true", help="print a JSON list, for programs")


def send(options: argparse.Namespace, secrets: Secrets) -> None:
    """Send a message, and print the result."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        print(model.send_message(_addressee(options), options.words))


def print_list(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print messages, the newest first."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        found = model.get_messages(_addressee(options), limit=_AT_MOST)
    if options.json:
        print(json.dumps([_content(message) for message in found], indent=2, ensure_ascii=False))
        return
    for message in found:
        print(_line(message))
    if not found:
        print("There are no such messages.")


def _addressee(options: argparse.Namespace) -> Addressee:
    from ..models.notices import Addressee

    return Addressee(options.to, options.lab.upper() if options.lab else options.lab)


def _line(message: ShiftMessage) -> str:
    reached = f" (read by {', '.join(message.read_by)})" if message.read_by else ""
    sent = f"{message.sent.astimezone():%Y-%m-%d %H:%M}"
    return f"{sent}  {message.from_whom} to {message.addressee.named}: {message.line}{reached}"


def _content(message: ShiftMessage) -> dict[str, object]:
    return {
        "id": message.id, "sent": message.sent.isoformat(), "sender": message.sender, "login": message.login,
        "lab": message.lab, "to": message.person, "text": message.words, "arrived": list(message.reached),
        "read": list(message.read_by),
    }  # fmt: skip
