"""The way from "whatever Python was typed" to the application (or the tests) running in ``.venv``."""

from __future__ import annotations

import os
import sys

from abq_data_entry.launcher import HELP, EnvironmentProblem, glance

TYPE_CHECKING = False  # as typing has it, which takes longer to import than the way to a window that fits
if TYPE_CHECKING:
    from collections.abc import Sequence

    from abq_data_entry.launcher.virtualenv import VirtualEnvironment


def application(arguments: list[str], checkout: str) -> int:
    """Run the application with these command line words; returns its exit code (1 when it can't be started)."""
    from abq_data_entry.launcher import display

    if _asks_for_help(arguments):
        return _main(arguments)
    demo = arguments[:1] == ["demo"]
    opens_window = demo or not arguments
    if opens_window and not demo and not display.available():
        print(display.NO_DISPLAY, file=sys.stderr)
        return 1
    tools = display.TOOLS if demo and not display.available() else ()
    launcher = os.path.join(checkout, "abq_data_entry.py")  # noqa: PTH118 - pathlib is not loaded yet
    wishes = ["psql"] if demo else []
    inside = glance.is_inside(checkout)
    looks = not demo and (inside or sys.prefix == sys.base_prefix)
    python = glance.fitting_python(checkout, opens_window) if looks else ""
    if python:
        return _main(arguments) if inside else _enter(python, [launcher, *arguments])
    from abq_data_entry.launcher.virtualenv import VirtualEnvironment

    try:
        code = enter(VirtualEnvironment(checkout), [launcher, *arguments], opens_window, tools, wishes)
    except EnvironmentProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the next start begins again.", file=sys.stderr)
        return 1
    return _main(arguments) if code is None else code


def _main(arguments: list[str]) -> int:
    from abq_data_entry.__main__ import main

    return main(arguments)


def _asks_for_help(arguments: list[str]) -> bool:
    """Whether the words only want the help or the version, which take no package: any Python can answer."""
    return any(each in HELP for each in arguments)


def enter(
    environment: VirtualEnvironment,
    program: list[str],
    tk: bool,
    tools: Sequence[str] = (),
    wishes: Sequence[str] = (),
) -> int | None:
    """Continue in the environment, made first if need be; ``program`` is this program's own file and arguments.

    ``tk`` asks for a Python that can show a window, ``tools`` are programs that must be on PATH, and ``wishes`` are
    installed along when something has to be installed anyway.

    Returns None when this process already runs in it: then go on. Otherwise the program is started again in it:
    on POSIX this never returns, on Windows it returns the program's exit code.

    Raises:
        EnvironmentProblem: something is missing that can't be provided here.
    """
    from abq_data_entry.launcher.virtualenv import base_executable

    fits = environment.fits(tk)
    if environment.is_running():
        if fits:
            return None
        return _replace([base_executable(), *program])  # its own packages can't be replaced from inside
    if not fits or _missing(tools):
        code = _provide(program, tk, tools, wishes)
        if code is not None:
            return code
        environment.prepare(tk, has_tk=not _lacks_tk())
        if not environment.fits(tk):
            raise EnvironmentProblem(f"{environment.folder} changed while it was being made: start again.")
    environment.remember_locks()
    return _enter(str(environment.python), program)


def _enter(python: str, program: list[str]) -> int:
    os.environ.pop(glance.ASKED_PYTHON, None)
    return _replace([python, *program])


def _missing(tools: Sequence[str]) -> list[str]:
    if not tools:
        return []
    from abq_data_entry.launcher.system_packages import missing_tools

    return missing_tools(tools)


def _lacks_tk() -> bool:
    from abq_data_entry.launcher.interpreters import missing_parts

    return "tkinter" in missing_parts(tk=True)


def _provide(program: list[str], tk: bool, tools: Sequence[str], wishes: Sequence[str]) -> int | None:
    """See to a Python with all it takes and to the tools; hands over to another Python where that is the way."""
    from abq_data_entry.launcher import interpreters, system_packages

    missing = interpreters.missing_parts(tk)
    if missing:
        other = interpreters.find_other(tk)
        if other is not None:
            return _hand_over(other.path, other.version, missing, program)
    absent = [*missing, *_missing(tools)]
    if absent:
        system_packages.provide([*absent, *_missing(wishes)])
        import importlib

        importlib.invalidate_caches()
        missing = interpreters.missing_parts(tk)
        other = interpreters.find_other(tk) if missing else None
        if other is not None:  # the packages are for the system's Python, and this is one of the user's own
            return _hand_over(other.path, other.version, missing, program)
        still = [*missing, *_missing(tools)]
        if still:
            raise EnvironmentProblem(
                f"{' and '.join(still)} still missing for {sys.executable} after the installation."
            )
    return None


def _hand_over(path: str, version: tuple[int, int], missing: list[str], program: list[str]) -> int:
    mine = "{}.{}".format(*sys.version_info)
    print(
        f"Python {mine} ({sys.executable}) has no {' and no '.join(missing)}: "
        f"using Python {version[0]}.{version[1]} ({path}).",
        file=sys.stderr,
    )
    os.environ.setdefault(glance.ASKED_PYTHON, glance.this_python())
    return _replace([path, *program])


def _replace(command: list[str]) -> int:
    """Let the command take this process's place; where that can't be had (Windows), run it and return its code."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606 - no shell wanted
    import subprocess

    running = subprocess.Popen(command)
    while True:
        try:
            return running.wait()
        except KeyboardInterrupt:
            continue  # Ctrl-C reached the program too, which ends as it sees fit
