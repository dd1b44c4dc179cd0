"""``python3 -m tests``: all set-up, then ruff, mypy and the whole suite, with pytest's own last line as the last line.

``python3 -m tests --random-order`` runs the suite in a random order; any other argument is pytest's (``-k word``, a
file, ``-x``), and then only the selection runs, without ruff and mypy. Standard library only until ``.venv`` stands.
"""

import sys

from abq_data_entry.environment import old_python

if old_python.is_too_old():  # before a line that an old Python can't read
    sys.exit(old_python.hand_over(["-m", "tests", *sys.argv[1:]]))

import os
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
RANDOM_ORDER = "--random-order"
CHECKS = (("ruff", "check", "."), ("mypy",))


def main(arguments: list[str]) -> int:
    """Returns 0 when everything passed."""
    from abq_data_entry.display import TOOLS
    from abq_data_entry.environment import EnvironmentProblem, start, virtualenv

    os.chdir(CHECKOUT)
    environment = virtualenv.VirtualEnvironment(CHECKOUT, virtualenv.DEVELOPMENT_LOCKS)
    tools = (*TOOLS, "psql") if sys.platform == "linux" else ()
    try:
        code = start.enter(environment, ["-m", "tests", *arguments], tk=True, tools=tools)
    except EnvironmentProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code if code is not None else run(arguments)


def run(arguments: list[str]) -> int:
    """Run the checks (unless a part of the suite is asked for), then pytest; all of them, whatever fails."""
    selection = [argument for argument in arguments if argument != RANDOM_ORDER]
    failed = [] if selection else [check for check in CHECKS if not _passes(check)]
    order = ["-p", "randomly"] if RANDOM_ORDER in arguments else []
    skipped_by_name = ["-rfEsxX", "--no-fold-skipped"]
    _provide_servers()
    for check in failed:
        print(f"FAILED: {' '.join(check)} (see above)", flush=True)
    code = subprocess.run(
        [sys.executable, "-m", "pytest", *skipped_by_name, *order, *selection], check=False
    ).returncode
    return code or (1 if failed else 0)


def _provide_servers() -> None:
    """Fetch the servers that some tests deliver to, where that can be done; those tests are skipped where it can't."""
    from tests import programs

    if missing := programs.provide():
        print(f"Not to be had here, so the tests that need it are skipped: {', '.join(missing)}", flush=True)


def _passes(check: tuple[str, ...]) -> bool:
    print(f"$ {' '.join(check)}", flush=True)
    return subprocess.run([sys.executable, "-m", *check], check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
