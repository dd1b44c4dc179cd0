"""`marks list|add|answer|close|reopen|show`: QA's questions and remarks about values."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from ..counting import one_line
from . import add_task
from .days import day
from .passwords import Secrets

if TYPE_CHECKING:
    from ..models.marks import Mark
    from . import Subcommands

_STATES = ("queried", "accepted", "excluded")
_AT_MOST = 100_000


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand, with its own subcommands, to the parser."""
    parser = subcommands.add_parser(
        "marks",
        help="list what QA asks or says about values; ask, answer, close, reopen",
        description="List QA's marks that aren't closed: questions first, then values accepted or excluded.",
        allow_abbrev=False,
    )
    _add_choice(parser)
    parser.set_defaults(run=print_list, task="list")
    tasks = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="task")
    _add_choice(add_task(tasks, "list", print_list, "list the marks that aren't closed", repeats=True))
    adding = add_task(tasks, "add", add, "mark a value, or a whole record, for QA (role abq_qa)")
    for name in ("date", "time", "lab", "plot", "field", "state", "words"):
        texts = {
            "date": "day of the record, such as 2026-11-21", "time": "such as 8:00",
            "field": "such as humidity or min_height; record: the whole of it", "words": "what QA asks or says",
        }  # fmt: skip
        kind = day if name == "date" else int if name == "plot" else str
        choices = _STATES if name == "state" else None
        adding.add_argument(name, type=kind, choices=choices, metavar=name.upper(), help=texts.get(name))
    for name, text in (
        ("answer", "answer a question"),
        ("close", "close a mark: the question is settled, the value isn't accepted or excluded any more"),
        ("reopen", "ask again, or make a mark valid again"),
        ("show", "print the history of a mark"),
    ):
        task = add_task(tasks, name, show if name == "show" else partial(_change, name), text)
        task.add_argument("id", type=int, metavar="NUMBER", help="of the mark, as the list shows it")
        if name != "show":
            task.add_argument("words", metavar="WORDS", nargs="?" if name == "close" else None, default="")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", dest="closed", action="store_true", help="closed ones too")
    parser.add_argument("--state", choices=_STATES, help="of that state only")
    parser.add_argument("--lab", metavar="L", help="of that lab only")
    parser.add_argument("--from", dest="first", type=day, metavar="D", help="first day of the records (default: all)")
    parser.add_argument("--to", dest="last", type=day, metavar="D", help="last day of the records")


def print_list(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print marks, questions first, then by day, the newest first."""
    from ..models.marks import STATUSES
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        found = model.get_marks(
            [options.state] if options.state else None,
            None if options.closed else STATUSES[:3],
            lab=options.lab, first=options.first, last=options.last, limit=_AT_MOST,
        )  # fmt: skip
    for mark in found:
        print(_line(mark))
    if not found:
        print("There are no such marks.")


def add(options: argparse.Namespace, secrets: Secrets) -> None:
    """Mark a value."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        key = (options.date, options.time, options.lab, options.plot)
        number = model.mark_value(key, options.field, options.state, options.words)
        print(_line(model.get_mark(number)))


def _change(how: str, options: argparse.Namespace, secrets: Secrets) -> None:
    """Answer a question, or close or reopen a mark."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        changes = {"answer": model.answer_mark, "close": model.close_mark, "reopen": model.reopen_mark}
        changes[how](options.id, options.words)
        print(_line(model.get_mark(options.id)))


def show(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print a mark and its history."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        mark = model.get_mark(options.id)
        history = model.get_mark_history(options.id)
    print(_line(mark))
    for each in history:
        print(each.words)


def _line(mark: Mark) -> str:
    what = mark.field.replace("_", " ")
    value = f" {mark.value}" if mark.value else ""
    now = f" (now {mark.present or 'empty'})" if mark.value != mark.present and not mark.gone else ""
    gone = " (withdrawn)" if mark.gone else ""
    answered = f" - {mark.answered_by}: {mark.answer}" if mark.answer else ""
    place = f"{mark.date} {mark.time}, lab {mark.lab}, plot {mark.plot}"
    words = f"{mark.marked_by}: {mark.words}{answered}"
    rest = one_line(f"{place}{gone}, {what}{value}{now}: {mark.state}, {mark.status} - {words}")
    return f"{mark.id}  {rest}"
