"""What ``python3 abq_data_entry.py`` costs over starting the same words in ``.venv`` directly."""

from __future__ import annotations

import subprocess
import time

from abq_data_entry.launcher.virtualenv import VirtualEnvironment, base_executable
from benchmarks import table
from benchmarks.options import CHECKOUT, Options

LIMIT = 100.0  # milliseconds
# Words that end at once, so that what is left is the start.
_WORDS = ["--help"]
_ENTER = "import sys; from abq_data_entry.__main__ import main; sys.exit(main(sys.argv[1:]))"


def measure(options: Options) -> list[table.Row]:
    """The paired differences."""
    what = "the launcher's look whether .venv fits"
    environment = VirtualEnvironment(CHECKOUT)
    if not environment.fits():
        return [table.not_measured(what, "python3 abq_data_entry.py was never started here", LIMIT, "ms")]
    directly = [str(environment.python), "-c", _ENTER, *_WORDS]
    launched = [base_executable(), str(CHECKOUT / "abq_data_entry.py"), *_WORDS]
    _seconds(launched)  # compiles: not measured
    pairs = [(_seconds(directly), _seconds(launched)) for _ in range(options.runs)]
    costs = [1000 * (launcher - direct) for direct, launcher in pairs]
    return [table.row(what, "ms", costs, LIMIT, "one more Python process")]


def _seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun
