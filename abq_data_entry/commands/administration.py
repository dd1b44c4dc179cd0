"""`db` for administrators: who may do what; technicians, labs and plots to add, rename, retire and remove."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import add_task
from .passwords import Secrets

if TYPE_CHECKING:
    from ..models import SQLModel
    from . import Subcommands

_RETIRE = "no longer offer {} for new records; what was recorded stays"
_REMOVE = "remove {} that was never used"


def add_privileges_to(tasks: Subcommands) -> None:
    """Add the subcommands for privileges to `db`."""
    roles = add_task(
        tasks,
        "grant",
        grant,
        "make the roles abq_technician, abq_supervisor and abq_qa, and give them their privileges",
    )
    roles.add_argument("login", nargs="?", metavar="LOGIN", help="a technician's login: see --technician")
    roles.add_argument("--technician", metavar="NAME", help="the technician with this login; empty: nobody")
    roles.set_defaults(verify=lambda options: _require_both(roles, options))
    labs = add_task(tasks, "set-labs", set_labs, "set the labs that a login belongs to, if labs are kept apart")
    labs.add_argument("member", metavar="LOGIN", help="a login, or a role that logins have")
    labs.add_argument("labs", metavar="LABS", help="the letters of its labs, such as ABC; '' for none")
    restrict = add_task(
        tasks, "restrict-labs", restrict_labs, "let a login see and enter only what belongs to its labs"
    )
    restrict.add_argument("state", choices=("on", "off"))


def _require_both(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if (options.login is None) != (options.technician is None):
        parser.error("LOGIN and --technician must be given together")


def grant(options: argparse.Namespace, secrets: Secrets) -> None:
    """Create the roles and grant their privileges, or set the technician to whom a login belongs."""
    from ..models import schema
    from .database import opened_endpoint, read_settings

    with opened_endpoint(read_settings(), secrets) as endpoint:
        if options.login:
            schema.set_technician(endpoint, options.login, options.technician)
            print(f"The login {options.login} belongs to {options.technician or 'nobody'} from now on")
            return
        schema.grant(endpoint)
    print(f"The roles {', '.join(schema.ROLES)} have their rights in the database {endpoint['dbname']}.")


def set_labs(options: argparse.Namespace, secrets: Secrets) -> None:
    """Set the labs that a login belongs to."""
    from ..models import schema
    from .database import opened_endpoint, read_settings

    # Both ABC and "A, B, C" are accepted.
    labs = sorted({letter for letter in options.labs if not letter.isspace() and letter != ","})
    with opened_endpoint(read_settings(), secrets) as endpoint:
        schema.set_labs(endpoint, options.member, labs)
    print(f"{options.member} belongs to {', '.join(labs) or 'no lab'} from now on")


def restrict_labs(options: argparse.Namespace, secrets: Secrets) -> None:
    """Keep labs apart, or stop doing so."""
    from ..models import schema
    from .database import opened_endpoint, read_settings

    with opened_endpoint(read_settings(), secrets) as endpoint:
        schema.restrict_labs(endpoint, options.state == "on")
    effect = "sees and enters only what belongs to its labs" if options.state == "on" else "sees all labs"
    print(f"Each login {effect} from now on")


def add_lists_to(tasks: Subcommands) -> None:
    """Add the subcommands for technicians, labs and plots to `db`."""
    technician = _add_with_model(tasks, "add-technician", _add_technician, "add a technician")
    technician.add_argument("id", type=int, metavar="ID", help="the number on the badge")
    technician.add_argument("name", metavar="NAME")
    lab = _add_with_model(tasks, "add-lab", _add_lab, "add a lab and its plots")
    lab.add_argument("lab", metavar="LAB", help="one letter, such as F")
    lab.add_argument("--plots", type=int, default=20, metavar="N", help="how many plots it has (default: %(default)s)")
    plot = _add_with_model(tasks, "add-plot", _add_plot, "add a plot to a lab")
    plot.add_argument("lab", metavar="LAB")
    plot.add_argument("plot", type=int, metavar="PLOT", help="its number, 1 to 20")
    plot.add_argument("--seed-sample", metavar="SEED", help="what grows there, 6 characters")
    seed = _add_with_model(tasks, "set-seed", _set_seed, "set the seed sample that grows in a plot from now on")
    seed.add_argument("lab", metavar="LAB")
    seed.add_argument("plot", type=int, metavar="PLOT")
    seed.add_argument("seed_sample", metavar="SEED", help="6 characters; '' for none")
    rename = _add_with_model(
        tasks, "rename-technician", _rename_technician, "give a technician another name, in old records too"
    )
    rename.add_argument("id", type=int, metavar="ID", help="the number on the badge")
    rename.add_argument("name", metavar="NAME")
    for kind, retire, remove in (
        ("technician", _retire_technician, _remove_technician),
        ("lab", _retire_lab, _remove_lab),
        ("plot", _retire_plot, _remove_plot),
    ):
        parser = _add_with_model(tasks, f"retire-{kind}", retire, _RETIRE.format(f"a {kind}"))
        _add_key(parser, kind)
        parser.add_argument("--undo", action="store_true", help="offer it again")
        _add_key(_add_with_model(tasks, f"remove-{kind}", remove, _REMOVE.format(f"a {kind}")), kind)


def _add_key(parser: argparse.ArgumentParser, kind: str) -> None:
    if kind == "technician":
        parser.add_argument("id", type=int, metavar="ID", help="the number on the badge")
        return
    parser.add_argument("lab", metavar="LAB")
    if kind == "plot":
        parser.add_argument("plot", type=int, metavar="PLOT")


Task = Callable[["SQLModel", argparse.Namespace], str]


def _add_with_model(tasks: Subcommands, name: str, task: Task, text: str) -> argparse.ArgumentParser:
    def run(options: argparse.Namespace, secrets: Secrets) -> None:
        from .database import opened_model, read_settings

        with opened_model(read_settings(), secrets) as model:
            result = task(model, options)
        print(result)

    return add_task(tasks, name, run, text)


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


def _add_technician(model: SQLModel, options: argparse.Namespace) -> str:
    from .database import read_settings

    added = model.add_technician(options.id, options.name)
    done = f"Technician {options.name} ({options.id}) {_state(added)}"
    if not added or not read_settings()["db_host"]:
        return done
    # An embedded database has one login, so this next step is needed only on a server.
    login = "CREATE ROLE … LOGIN IN ROLE abq_technician;"
    return f"{done}\nThat makes no login at the server: one of that person's own has the role abq_technician ({login})"


def _add_lab(model: SQLModel, options: argparse.Namespace) -> str:
    added = model.add_lab(options.lab, options.plots)
    return f"Lab {options.lab} with {options.plots} plots {_state(added)}"


def _add_plot(model: SQLModel, options: argparse.Namespace) -> str:
    added = model.add_plot(options.lab, options.plot, options.seed_sample)
    return f"Plot {options.plot} of lab {options.lab} {_state(added)}"


def _set_seed(model: SQLModel, options: argparse.Namespace) -> str:
    model.set_seed_sample(options.lab, options.plot, options.seed_sample or None)
    return f"Plot {options.plot} of lab {options.lab} grows {options.seed_sample or 'nothing'} from now on"


def _state(added: bool) -> str:
    return "added" if added else "is there already"
