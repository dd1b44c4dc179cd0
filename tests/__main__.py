"""``python3 -m tests``: all set-up, ruff and mypy, and beside them the whole suite, whose last line is the last line.

``python3 -m tests --fast`` runs ruff, mypy and what needs no window, server, network or installation, within a minute.
``python3 -m tests --random-order`` runs the suite in a random order. Any other argument is pytest's (``-k word``, a
file, ``-x``) or of ``tests/answers.py`` (``--answers late``), and then only the selection runs, without ruff and mypy.
The whole suite, a folder or several files are shared by several workers, unless ``-n`` says how many (0: none); what
fails there runs once more, alone. Standard library only until ``.venv`` stands.
"""

import sys

from abq_data_entry.launcher import old_python

if old_python.is_too_old():  # before a line that an old Python can't read
    sys.exit(old_python.hand_over(["-m", "tests", *sys.argv[1:]]))

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
RANDOM_ORDER, FAST = "--random-order", "--fast"
CHECKS = (("ruff", "check", "."), ("mypy",))
# Each skipped test by its name and why, and what took longest.
REPORT = ("-rfEsxX", "--no-fold-skipped", "--durations=15")
_TESTS_FAILED = 1  # pytest's exit code
# With these, most of the tests still run.
_HARMLESS = ("-x", "--exitfirst", "-q", "-v", "-vv")
_HARMLESS_WITH_VALUE = ("-m", "--maxfail", "--answers")


def main(arguments: list[str]) -> int:
    """Returns 0 when everything passed."""
    from abq_data_entry.launcher import EnvironmentProblem, start, virtualenv
    from abq_data_entry.launcher.display import TOOLS

    os.chdir(CHECKOUT)
    environment = virtualenv.VirtualEnvironment(CHECKOUT, virtualenv.DEVELOPMENT_LOCKS)
    tools = (*TOOLS, "psql") if sys.platform == "linux" and FAST not in arguments else ()
    try:
        code = start.enter(environment, ["-m", "tests", *arguments], tk=True, tools=tools)
    except EnvironmentProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code if code is not None else run(arguments)


def run(arguments: list[str]) -> int:
    """Run the checks (unless a part of the suite is asked for) and pytest beside them; all of them, whatever fails."""
    selection = [argument for argument in arguments if argument not in (RANDOM_ORDER, FAST)]
    order = ["-p", "randomly"] if RANDOM_ORDER in arguments else []
    command = [sys.executable, "-m", "pytest", *REPORT, *order, *selection]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of programs would each compile all that they import
    checks = () if selection else CHECKS
    shared = workers(selection, _cores() if FAST in arguments else None)
    if FAST in arguments:
        code, failed = _run_beside(checks, [*command, FAST, *shared])
        return code or (1 if failed else 0)
    if selection:
        _provide_servers()
        code, failed = subprocess.run([*command, *shared], check=False).returncode, []
    else:
        code, failed = _run_beside(checks, [*command, *shared], partial(_prepare, command))
    if shared and code == _TESTS_FAILED:
        code = _run_alone([sys.executable, "-m", "pytest", *REPORT, *selection])
    return code or (1 if failed else 0)


def _prepare(whole_suite: Sequence[str]) -> None:
    """Fetch the servers, and let pytest compile the tests: in a new checkout that takes 6 s, and each worker would do
    it by itself."""
    _provide_servers()
    nothing = subprocess.DEVNULL
    subprocess.run([*whole_suite, "--collect-only", "-q"], stdout=nothing, stderr=nothing, check=False)


def _run_alone(command: list[str]) -> int:
    """Run what failed once more, without workers: keys, windows and time limits of a busy machine are in doubt there.

    Whoever changes the code looks at each test that is named here; what fails alone has failed.
    """
    print("Once more, alone, what failed beside other tests (named above):", flush=True)
    return subprocess.run([*command, "--last-failed", "--last-failed-no-failures=none"], check=False).returncode


def workers(selection: list[str], number: int | None = None) -> list[str]:
    """pytest's arguments for several workers; none for what is too little to start them for.

    `number`: how many; not given: so many that tests which wait keep all processors busy.
    """
    words = list(selection)
    paths = list[Path]()
    while words:
        word = words.pop(0)
        if word in _HARMLESS_WITH_VALUE:
            del words[:1]
        elif word not in _HARMLESS:
            paths.append(Path(word))
    if not all(path.exists() for path in paths) or (len(paths) == 1 and not paths[0].is_dir()):
        return []
    return ["-n", str(number or number_of_workers(_cores()))]


def number_of_workers(cores: int) -> int:
    """How many workers keep that many cores busy: a test mostly waits, for a server, a window or a key.

    Each has a server, a display and windows of its own, so more of them take each other's processor and cache.
    """
    return min(max(2 * cores, 2), 8)


def _cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _run_beside(
    checks: Sequence[Sequence[str]], command: list[str], prepare: Callable[[], object] = lambda: None
) -> tuple[int, list[Sequence[str]]]:
    """Run the checks, which need one processor, while pytest runs, whose output follows theirs.

    Returns pytest's exit code, and the checks that failed. `prepare()` is called before pytest starts.
    """
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    with tempfile.TemporaryDirectory(prefix="abq-tests-") as folder, Path(folder, "output").open("w+b") as output:

        def start() -> "subprocess.Popen[bytes]":
            prepare()
            return subprocess.Popen([*command, *colour], stdout=output, stderr=output)

        with ThreadPoolExecutor(1) as beside:
            starting = beside.submit(start)
            failed = _failed(checks)
            with starting.result() as running:
                _copy(Path(output.name), running)
    return running.returncode, failed


def _copy(path: Path, running: "subprocess.Popen[bytes]") -> None:
    """Show what the program writes into the file, until it has ended."""
    with path.open("rb") as said:  # not by the descriptor that it writes to: they would share their position
        while running.returncode is None:
            with suppress(subprocess.TimeoutExpired):
                running.wait(0.1)
            sys.stdout.buffer.write(said.read())
            sys.stdout.flush()


def _failed(checks: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Run the checks; those that failed, which is said."""
    failed = [check for check in checks if not _passes(check)]
    for check in failed:
        print(f"FAILED: {' '.join(check)} (see above)", flush=True)
    return failed


def _provide_servers() -> None:
    """Fetch the servers that some tests deliver to, where that can be done; those tests are skipped where it can't."""
    from tests import programs

    if missing := programs.provide_all():
        print(f"Not to be had here, so the tests that need it are skipped: {', '.join(missing)}", flush=True)


def _passes(check: Sequence[str]) -> bool:
    print(f"$ {' '.join(check)}", flush=True)
    return subprocess.run([sys.executable, "-m", *check], check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
