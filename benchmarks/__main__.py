"""``python3 -m benchmarks``: all set-up, then the table of what was measured against its limits.

The set-up is that of ``python3 -m tests``. Standard library only until ``.venv`` stands.
"""

import sys

from abq_data_entry.launcher import old_python

if old_python.is_too_old():  # before a line that an old Python can't read
    sys.exit(old_python.hand_over(["-m", "benchmarks", *sys.argv[1:]]))

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Returns 0 when the table was printed, whatever it says."""
    from abq_data_entry.launcher import EnvironmentProblem, start, virtualenv
    from abq_data_entry.launcher.display import TOOLS

    if sys.platform != "linux":
        print("The benchmarks bring their own X display, so they run on Linux only.", file=sys.stderr)
        return 1
    os.chdir(CHECKOUT)
    environment = virtualenv.VirtualEnvironment(CHECKOUT, virtualenv.DEVELOPMENT_LOCKS)
    try:
        code = start.enter(environment, ["-m", "benchmarks", *arguments], tk=True, tools=(*TOOLS, "psql"))
    except EnvironmentProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if code is not None:
        return code
    from benchmarks.command import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
