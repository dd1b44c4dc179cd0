"""The extract of a million records against psql's \\copy of the view to a file, in turns; and our memory meanwhile."""

from __future__ import annotations

import datetime
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel
from benchmarks import dataset

RATIO_LIMIT = 1.25
MEMORY_LIMIT_MIB = 10.0

_ALWAYS = (datetime.date(1, 1, 1), datetime.date(9999, 12, 31))


def measure(endpoint: Mapping[str, str], pairs: int) -> bool:
    """Print the table; tell whether it is within the limits."""
    model = SQLModel.at(endpoint)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "ours.csv"), Path(folder, "theirs.csv")
        # A day first, so that what every extract needs is there before the memory is looked at.
        yesterday = datetime.date.today() - datetime.timedelta(1)
        model.export_records(ours, yesterday)
        before = _peak_memory()
        rows = model.export_records(ours, *_ALWAYS)
        _copy(endpoint, theirs)
        times = [
            (_seconds(lambda: model.export_records(ours, *_ALWAYS)), _seconds(lambda: _copy(endpoint, theirs)))
            for _ in range(pairs)
        ]
        grown = _peak_memory() - before
        size = ours.stat().st_size
    model.close()
    ratio = statistics.median(own / other for own, other in times)
    own, other = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"\nExtract of {rows:,} records, {size / 2**20:.0f} MiB, {pairs} pairs in turns (medians)")
    print(f"  export_records          {own:6.2f} s   {rows / own:9,.0f} records/s")
    print(f"  psql \\copy of the view  {other:6.2f} s   {rows / other:9,.0f} records/s")
    print(f"  ratio of each pair      {ratio:6.2f}     at most {RATIO_LIMIT}")
    print(f"  memory added            {grown:6.1f} MiB at most {MEMORY_LIMIT_MIB:.0f}")
    return ratio <= RATIO_LIMIT and grown <= MEMORY_LIMIT_MIB


def _copy(endpoint: Mapping[str, str], path: Path) -> None:
    bundled = postgres.binaries() / "psql"
    program = bundled if bundled.exists() else shutil.which("psql")
    if program is None:
        sys.exit("There is no psql on this machine to compare with: install postgresql-client.")
    command = f"\\copy (SELECT * FROM data_record_view) TO '{path}' WITH (FORMAT csv, HEADER)"
    subprocess.run([program, "-Xq", "-d", postgres.dsn(endpoint), "-c", command], check=True)


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _peak_memory() -> float:
    """Return the most memory this process has had, in MiB."""
    if sys.platform == "win32":
        return 0.0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> int:
    """Run it from the command line."""
    parser = dataset.options(__doc__ or "", 1_000_000)
    parser.add_argument("--pairs", type=int, default=5, help="how often each is run (%(default)s)")
    arguments = parser.parse_args()
    with dataset.database(arguments) as endpoint:
        return 0 if measure(endpoint, arguments.pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
