"""The subcommands, one module each. Only the window and the demo need a display.

The function of a subcommand gets the parsed options and the passwords from the environment, and prints its results. If
it fails it raises `NotDone` or the error of the package that it calls; `line.run` prints that and sets the exit code.
"""

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
