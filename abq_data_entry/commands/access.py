"""`db grant`, `db set-labs`, `db restrict-labs`: who may do what in the database."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .passwords import Secrets

if TYPE_CHECKING:
    from . import Words


def add_to(tasks: Words) -> None:
    """Add the words to those of `db`."""
    roles = _add(
        tasks, "grant", grant, "make the roles abq_technician, abq_supervisor and abq_qa, and give them their rights"
    )
    roles.add_argument("login", nargs="?", metavar="LOGIN", help="a login that is a technician's own: see --technician")
    roles.add_argument("--technician", metavar="NAME", help="whose own LOGIN is; an empty text: nobody's any longer")
    roles.set_defaults(verify=lambda options: _require_both(roles, options))
    labs = _add(tasks, "set-labs", set_labs, "say to which labs a login belongs, where labs are kept apart")
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
        word.error("LOGIN and --technician belong together")


def grant(options: argparse.Namespace, secrets: Secrets) -> None:
    """Make the roles and give them their rights, or say whose own a login is."""
    from ..models import rights
    from .database import opened_endpoint, read_settings

    with opened_endpoint(read_settings(), secrets) as endpoint:
        if options.login:
            rights.set_technician(endpoint, options.login, options.technician)
            print(f"The login {options.login} is {options.technician or 'nobody'}'s own from now on")
            return
        rights.grant(endpoint)
    print(f"The roles {', '.join(rights.ROLES)} have their rights in the database {endpoint['dbname']}.")


def set_labs(options: argparse.Namespace, secrets: Secrets) -> None:
    """Say to which labs a login belongs."""
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
