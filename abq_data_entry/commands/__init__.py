"""The subcommands, a module each; none of them needs a display but the window and the demo."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    Subcommands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_task(tasks: "Subcommands", name: str, run: object, text: str) -> "argparse.ArgumentParser":
    """Add a subcommand of a subcommand, such as `init` of `db`; `run` does it, `text` says what that is."""
    parser = tasks.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
    parser.set_defaults(run=run)
    return parser
