"""From whatever Python was typed to the application (or the tests) running in ``.venv``."""

from __future__ import annotations

import os
import sys

from abq_data_entry.launcher import HELP, EnvironmentProblem, quick_check

TYPE_CHECKING = False  # like typing.TYPE_CHECKING; importing typing takes longer than this whole check
if TYPE_CHECKING:
    from collections.abc import Sequence

    from abq_data_entry.launcher.virtualenv import VirtualEnvironment


def application(arguments: list[str], checkout: str) -> int:
    """Run the application with these command line arguments; return its exit code, 1 if it can't be started."""
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
    optional_tools = ["psql"] if demo else []
    inside = quick_check.is_inside(checkout)
    may_be_ready = not demo and (inside or sys.prefix == sys.base_prefix)
    python = quick_check.fitting_python(checkout, opens_window) if may_be_ready else ""
    if python:
        return _main(arguments) if inside else _enter(python, [launcher, *arguments])
    from abq_data_entry.launcher.virtualenv import VirtualEnvironment

    try:
        code = enter(VirtualEnvironment(checkout), [launcher, *arguments], opens_window, tools, optional_tools)
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
    """Return whether only the help or the version is wanted: that needs no package, so any Python can print it."""
    return any(each in HELP for each in arguments)


def enter(
    environment: VirtualEnvironment,
    program: list[str],
    tk: bool,
    tools: Sequence[str] = (),
    optional_tools: Sequence[str] = (),
) -> int | None:
    """Continue in the environment, which is made first if necessary; ``program`` is our own file and its arguments.

    With ``tk``, the Python must be able to show a window. ``tools`` are programs that must be on PATH;
    ``optional_tools`` are installed only together with something else.

    Returns None if this process already runs in the environment: the caller goes on. Otherwise the program is started
    again in it: on POSIX this never returns, on Windows it returns the program's exit code.

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
        code = _provide(program, tk, tools, optional_tools)
        if code is not None:
            return code
        environment.prepare(tk, has_tk=not _lacks_tk())
        if not environment.fits(tk):
            raise EnvironmentProblem(f"{environment.folder} changed while it was being made: start again.")
    environment.remember_locks()
    return _enter(str(environment.python), program)


def _enter(python: str, program: list[str]) -> int:
    os.environ.pop(quick_check.ASKED_PYTHON, None)
    return _replace([python, *program])


def _missing(tools: Sequence[str]) -> list[str]:
    if not tools:
        return []
    from abq_data_entry.launcher.system_packages import missing_tools

    return missing_tools(tools)


def _lacks_tk() -> bool:
    from abq_data_entry.launcher.interpreters import missing_parts

    return "tkinter" in missing_parts(tk=True)


def _provide(program: list[str], tk: bool, tools: Sequence[str], optional_tools: Sequence[str]) -> int | None:
    """Make sure that Python has its parts and that the tools are installed, or hand over to another Python.

    Returns the exit code of that Python; None if this one goes on.
    """
    from abq_data_entry.launcher import interpreters, system_packages

    missing = interpreters.missing_parts(tk)
    if missing:
        other = interpreters.find_other(tk)
        if other is not None:
            return _hand_over(other.path, other.version, missing, program)
    absent = [*missing, *_missing(tools)]
    if absent:
        system_packages.provide([*absent, *_missing(optional_tools)])
        import importlib

        importlib.invalidate_caches()
        missing = interpreters.missing_parts(tk)
        other = interpreters.find_other(tk) if missing else None
        if other is not None:  # the packages went to the system's Python, but this is one that the user installed
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
    os.environ.setdefault(quick_check.ASKED_PYTHON, quick_check.this_python())
    return _replace([path, *program])


def _replace(command: list[str]) -> int:
    """Replace this process with the command; on Windows, which can't, run it and return its exit code."""
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
            continue  # Ctrl-C reached the program too: it decides how to end
