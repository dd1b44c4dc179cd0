"""The subcommands, one module each. Only the window and the demo need a display."""

TYPE_CHECKING = False  # like typing.TYPE_CHECKING, without the import
if TYPE_CHECKING:
    import argparse

    Subcommands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_task(
    tasks: "Subcommands", name: str, run: object, text: str, *, repeats: bool = False
) -> "argparse.ArgumentParser":
    """Add a subcommand of a subcommand, such as `init` of `db`; `run` is its function, `text` its help.

    `repeats`: it has the same options as its parent. They get no defaults here, so that values before its name remain.
    """
    import argparse

    parser = tasks.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False,
        argument_default=argparse.SUPPRESS if repeats else None,
    )
    parser.set_defaults(run=run)
    return parser
