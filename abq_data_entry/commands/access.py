"""`db grant`, `db set-labs`, `db restrict-labs`: who may do what in the database."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .passwords import Secrets

if TYPE_CHECKING:
    from . import Words


def add_to(tasks: Words) -> None:
    """Add the subcommands to those of `db`."""
    roles = _add(
        tasks, "grant", grant, "make the roles abq_technician, abq_supervisor and abq_qa, and give them their rights"
    )
    roles.add_argument("login", nargs="?", metavar="LOGIN", help="a technician's login: see --technician")
    roles.add_argument("--technician", metavar="NAME", help="the technician with this login; empty: nobody")
    roles.set_defaults(verify=lambda options: _require_both(roles, options))
    labs = _add(tasks, "set-labs", set_labs, "set the labs that a login belongs to, if labs are kept apart")
    labs.add_argument("member", metavar="LOGIN", help="a login, or a role that logins have")
    labs.add_argument("labs", metavar="LABS", help="their letters, such as ABC; an empty text for none")
    restrict = _add(tasks, "restrict-labs", restrict_labs, "let a login see and enter only what belongs to its labs")
    restrict.add_argument("state", choices=("on", "off"))


def _add(tasks: Words, name: str, run: object, text: str) -> argparse.ArgumentParser:
    word = tasks.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
    word.set_defaults(run=run)
    return word


def _require_both(word: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if (options.login is None) != (options.technician is None):
        word.error("LOGIN and --technician need each other")


def grant(options: argparse.Namespace, secrets: Secrets) -> None:
    """Make the roles and grant them their rights, or set the technician to whom a login belongs."""
    from ..models import rights
    from .database import opened_endpoint, read_settings

    with opened_endpoint(read_settings(), secrets) as endpoint:
        if options.login:
            rights.set_technician(endpoint, options.login, options.technician)
            print(f"The login {options.login} belongs to {options.technician or 'nobody'} from now on")
            return
        rights.grant(endpoint)
    print(f"The roles {', '.join(rights.ROLES)} have their rights in the database {endpoint['dbname']}.")


def set_labs(options: argparse.Namespace, secrets: Secrets) -> None:
    """Set the labs that a login belongs to."""
    from ..models import rights
    from .database import opened_endpoint, read_settings

    labs = sorted({letter for letter in options.labs if not letter.isspace() and letter != ","})
    with opened_endpoint(read_settings(), secrets) as endpoint:
        rights.set_labs(endpoint, options.member, labs)
    print(f"{options.member} belongs to {', '.join(labs) or 'no lab'} from now on")


def restrict_labs(options: argparse.Namespace, secrets: Secrets) -> None:
    """Keep labs apart, or no longer."""
    from ..models import rights
    from .database import opened_endpoint, read_settings

    with opened_endpoint(read_settings(), secrets) as endpoint:
        rights.restrict_labs(endpoint, options.state == "on")
    told = "sees and enters only what belongs to its labs" if options.state == "on" else "sees all labs"
    print(f"Each login {told} from now on")
