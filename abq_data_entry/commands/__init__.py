"""The subcommands, a module each; none of them needs a display but the window and the demo."""

TYPE_CHECKING = False  # as typing has it, without an import
if TYPE_CHECKING:
    import argparse

    Subcommands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_task(
    tasks: "Subcommands", name: str, run: object, text: str, *, repeats: bool = False
) -> "argparse.ArgumentParser":
    """Add a subcommand of a subcommand, such as `init` of `db`; `run` does it, `text` says what that is.

    `repeats`: it has the options of the other one, and what was said before its name holds: they get no defaults.
    """
    import argparse

    parser = tasks.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False,
        argument_default=argparse.SUPPRESS if repeats else None,
    )
    parser.set_defaults(run=run)
    return parser
