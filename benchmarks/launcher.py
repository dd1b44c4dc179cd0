"""What ``python3 abq_data_entry.py`` costs over starting the same words in ``.venv`` directly.

``python3 -m benchmarks.launcher [pairs]``, after a first start. Pairs of runs, alternating, so that what else the
machine does meets both alike; out come the medians, and the median of the paired differences and ratios.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from abq_data_entry.environment.virtualenv import VirtualEnvironment, base_executable

CHECKOUT = Path(__file__).resolve().parent.parent
AT_MOST_SECONDS = 0.1
# Words that end at once, so that what is left is the start.
WORDS = ["--help"]


def main(pairs: int = 20) -> int:
    """Print the table; returns 1 when the launcher costs too much or there is nothing to measure."""
    environment = VirtualEnvironment(CHECKOUT)
    if not environment.fits():
        print("Start the application once with this Python, so that .venv stands.", file=sys.stderr)
        return 1
    enter = "import sys; from abq_data_entry.__main__ import main; sys.exit(main(sys.argv[1:]))"
    directly = [str(environment.python), "-c", enter, *WORDS]
    launched = [base_executable(), str(CHECKOUT / "abq_data_entry.py"), *WORDS]
    bare = [base_executable(), "-c", "pass"]
    times = [(_seconds(directly), _seconds(launched), _seconds(bare)) for _ in range(pairs)]
    cost = statistics.median(launcher - direct for direct, launcher, _ in times)
    ratio = statistics.median(launcher / direct for direct, launcher, _ in times)
    print(f"in .venv directly                 {_milliseconds(row[0] for row in times)}")
    print(f"by the launcher                   {_milliseconds(row[1] for row in times)}")
    print(f"of which an empty Python takes    {_milliseconds(row[2] for row in times)}")
    print(f"the launcher's cost               {cost * 1000:7.1f} ms, at most {AT_MOST_SECONDS * 1000:.0f} ms")
    print(f"launcher / directly               {ratio:7.2f}    ({pairs} pairs)")
    return 0 if cost <= AT_MOST_SECONDS else 1


def _milliseconds(seconds: Iterable[float]) -> str:
    return f"{statistics.median(seconds) * 1000:7.1f} ms"


def _seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:2])))
