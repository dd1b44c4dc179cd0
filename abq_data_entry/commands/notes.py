"""`notes list`, `notes add`, `notes done`, `notes reopen`: notes of a shift for the next one."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from . import add_task
from .days import day
from .outcome import NotDone
from .passwords import Secrets

if TYPE_CHECKING:
    from ..models.marks import Note
    from . import Subcommands

_AT_MOST = 100_000


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand, with its own subcommands, to the parser."""
    parser = subcommands.add_parser(
        "notes",
        help="list the notes to the next shift; write one, say that it is done",
        description="List the open notes about labs, plots and checks.",
        allow_abbrev=False,
    )
    _add_choice(parser)
    parser.set_defaults(run=print_list, task="list")
    tasks = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="task")
    _add_choice(add_task(tasks, "list", print_list, "list the open notes", repeats=True))
    adding = add_task(tasks, "add", add, "write a note about a lab, one of its plots, or a check")
    adding.add_argument("lab", metavar="LAB", help="such as A")
    adding.add_argument("words", metavar="WORDS", help="what the note says")
    adding.add_argument("--plot", type=int, metavar="N", help="about that plot")
    adding.add_argument("--date", type=day, metavar="D", help="with --time: about that check")
    adding.add_argument("--time", metavar="T", help="such as 8:00")
    for name, run, text in (
        ("done", done, "mark a note as done"),
        ("reopen", reopen, "mark a note as open again"),
    ):
        task = add_task(tasks, name, run, text)
        task.add_argument("id", type=int, metavar="NUMBER", help="of the note, as the list shows it")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", dest="done", action="store_true", help="those that are done too")
    parser.add_argument("--lab", metavar="L", help="of that lab only")
    parser.add_argument("--json", action="store_true", help="print a JSON list, for programs")


def print_list(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print notes, the open ones first."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        found = model.get_notes(options.lab, done=options.done, limit=_AT_MOST)
    if options.json:
        print(json.dumps([_content(note) for note in found], indent=2, ensure_ascii=False))
        return
    for note in found:
        print(_line(note))
    if not found:
        print("There are no such notes.")


def add(options: argparse.Namespace, secrets: Secrets) -> None:
    """Write a note."""
    from .. import fields
    from ..constants import FieldNames
    from ..models.marks import Subject
    from .database import opened_model, read_settings

    time = None
    if options.time is not None:
        try:
            time = str(fields.parse(fields.field(FieldNames.TIME), options.time))
        except ValueError as error:
            raise NotDone(f"--time: {error}") from error
    with opened_model(read_settings(), secrets) as model:
        subject = Subject(options.lab.strip().upper(), options.plot, options.date, time)
        print(_line(model.get_note(model.write_note(subject, options.words))))


def done(options: argparse.Namespace, secrets: Secrets) -> None:
    """Mark a note as done."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        model.finish_note(options.id)
        print(_line(model.get_note(options.id)))


def reopen(options: argparse.Namespace, secrets: Secrets) -> None:
    """Mark a note as open again."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        model.reopen_note(options.id)
        print(_line(model.get_note(options.id)))


def _line(note: Note) -> str:
    state = f" (done {note.done.astimezone():%Y-%m-%d %H:%M} by {note.done_by})" if note.done is not None else ""
    return (
        f"{note.id}  {note.subject.named}: {note.line}"
        f" - {note.written_by}, {note.written.astimezone():%Y-%m-%d %H:%M}{state}"
    )


def _content(note: Note) -> dict[str, object]:
    return {
        "id": note.id, "lab": note.lab, "plot": note.plot, "date": note.date and note.date.isoformat(),
        "time": note.time, "words": note.words, "written": note.written.isoformat(), "written_by": note.written_by,
        "done": note.done and note.done.isoformat(), "done_by": note.done_by or None,
    }  # fmt: skip
