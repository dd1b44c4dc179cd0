"""`db rename-technician`, and `db retire-…` and `db remove-…` for technicians, labs and plots."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from .passwords import Secrets

if TYPE_CHECKING:
    from ..models import SQLModel
    from . import Words

_RETIRE = "no longer offer {} for new records; what was recorded stays"
_REMOVE = "remove {} that was never used"


def add_to(tasks: Words) -> None:
    """Add the subcommands to those of `db`."""
    rename = _add(tasks, "rename-technician", _rename_technician, "give a technician another name, in old records too")
    rename.add_argument("id", type=int, metavar="ID", help="the number on the badge")
    rename.add_argument("name", metavar="NAME")
    for kind, retire, remove in (
        ("technician", _retire_technician, _remove_technician),
        ("lab", _retire_lab, _remove_lab),
        ("plot", _retire_plot, _remove_plot),
    ):
        word = _add(tasks, f"retire-{kind}", retire, _RETIRE.format(f"a {kind}"))
        _add_key(word, kind)
        word.add_argument("--undo", action="store_true", help="offer it again")
        _add_key(_add(tasks, f"remove-{kind}", remove, _REMOVE.format(f"a {kind}")), kind)


def _add_key(word: argparse.ArgumentParser, kind: str) -> None:
    if kind == "technician":
        word.add_argument("id", type=int, metavar="ID", help="the number on the badge")
        return
    word.add_argument("lab", metavar="LAB")
    if kind == "plot":
        word.add_argument("plot", type=int, metavar="PLOT")


Task = Callable[["SQLModel", argparse.Namespace], str]


def _add(tasks: Words, name: str, task: Task, text: str) -> argparse.ArgumentParser:
    def run(options: argparse.Namespace, secrets: Secrets) -> None:
        from .database import opened_model, read_settings

        with opened_model(read_settings(), secrets) as model:
            said = task(model, options)
        print(said)

    word = tasks.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
    word.set_defaults(run=run)
    return word


def _rename_technician(model: SQLModel, options: argparse.Namespace) -> str:
    before = model.rename_technician(options.id, options.name)
    return f"Technician {options.id}, {before} until now, is {' '.join(options.name.split())} from now on"


def _retire_technician(model: SQLModel, options: argparse.Namespace) -> str:
    name = model.retire_technician(options.id, not options.undo)
    return f"Technician {name} {_offered(options)}"


def _remove_technician(model: SQLModel, options: argparse.Namespace) -> str:
    return f"Technician {model.remove_technician(options.id)} removed"


def _retire_lab(model: SQLModel, options: argparse.Namespace) -> str:
    model.retire_lab(options.lab, not options.undo)
    return f"Lab {options.lab} {_offered(options)}"


def _remove_lab(model: SQLModel, options: argparse.Namespace) -> str:
    model.remove_lab(options.lab)
    return f"Lab {options.lab} removed, with its plots"


def _retire_plot(model: SQLModel, options: argparse.Namespace) -> str:
    model.retire_plot(options.lab, options.plot, not options.undo)
    return f"Plot {options.plot} of lab {options.lab} {_offered(options)}"


def _remove_plot(model: SQLModel, options: argparse.Namespace) -> str:
    model.remove_plot(options.lab, options.plot)
    return f"Plot {options.plot} of lab {options.lab} removed"


def _offered(options: argparse.Namespace) -> str:
    return "is offered for new records again" if options.undo else "is no longer offered for new records"
