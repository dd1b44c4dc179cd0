"""The command ``python3 -m benchmarks`` inside ``.venv``: words, folder, display, groups, and the table."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from abq_data_entry import postgres
from abq_data_entry.launcher.display import DisplayError, VirtualDisplay
from benchmarks import groups, table
from benchmarks.options import Options

_QUICK = {
    "records": 2_000,
    "runs": 1,
    "extract_records": 2_000,
    "upload_megabytes": 5,
    "deliveries": 15,
    "stall_seconds": 0.5,
    "kills": 1,
    "killed_moments": 1,
    "writing_seconds": 1.0,
    "outages": 1,
    "outage_plots": 4,
    "mutations": 1,
}
_SIZES = (*_QUICK, "seed")


def run(words: Sequence[str]) -> int:
    """Measure what the words ask for and print the table; 0 whatever the numbers, 1 if it couldn't be done."""
    arguments = parser().parse_args(words)
    usual = [name for name in groups.GROUPS if not (arguments.quick and name in groups.PATIENT)]
    chosen = arguments.only or usual
    given = {name: getattr(arguments, name) for name in _SIZES if getattr(arguments, name) is not None}
    sizes = {**(_QUICK if arguments.quick else {}), **given}
    load = os.getloadavg()[0]
    try:
        with VirtualDisplay() as display, _folder(arguments.folder) as folder:
            options = Options(folder, display.name, **sizes)
            rows = list(_rows(chosen, options, arguments.patience))
    except (DisplayError, postgres.PostgresError) as error:
        print(error, file=sys.stderr)
        return 1
    python, after = platform.python_version(), os.getloadavg()[0]
    print(f"Python {python}, {os.cpu_count()} cores, load {load:.2f} to {after:.2f}; medians of {options.runs} runs\n")
    print("\n".join(table.lines(rows)))
    return 0


def _rows(chosen: Sequence[str], options: Options, patience: float) -> Iterator[table.Row]:
    for name in chosen:
        print(f"Measuring: {name} …", file=sys.stderr, flush=True)
        yield from groups.measure(name, options, patience)


@contextmanager
def _folder(asked: Path | None) -> Iterator[Path]:
    """A folder of our own in the one asked for, or one that is gone at the end."""
    if asked is not None:
        kept = asked.resolve() / "abq-benchmark"  # each group removes there what the windows of an earlier one left
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    # As root, the server's own user must come through.
    made = Path(tempfile.mkdtemp(prefix="abq-benchmark-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def parser() -> argparse.ArgumentParser:
    """What may be typed after ``python3 -m benchmarks``."""
    usual = Options(Path(), "")
    made = argparse.ArgumentParser(
        prog="python3 -m benchmarks", description="Measure the application and print the table of its limits."
    )
    made.add_argument(
        "--only",
        type=_names,
        metavar="NAME,NAME",
        help=f"measure these only, of {', '.join(groups.GROUPS)}",
    )
    made.add_argument("--quick", action="store_true", help="tiny sizes: shows that all works, not how fast it is")
    made.add_argument("--folder", type=Path, help="keep the databases here for the next run (else they are removed)")
    made.add_argument("--runs", type=int, help=f"how often each is measured ({usual.runs})")
    made.add_argument("--records", type=int, help=f"the size of the large database ({usual.records:,})")
    made.add_argument("--extract-records", type=int, help=f"that of the extract ({usual.extract_records:,})")
    made.add_argument("--upload-megabytes", type=int, help=f"that of the uploaded file ({usual.upload_megabytes})")
    made.add_argument("--deliveries", type=int, help=f"how many extracts wait in the outbox ({usual.deliveries:,})")
    made.add_argument("--stall-seconds", type=float, help=f"how long servers stall ({usual.stall_seconds:.0f})")
    made.add_argument("--kills", type=int, help=f"how often a primary is killed ({usual.kills})")
    made.add_argument(
        "--killed-moments", type=int, help=f"how often the application is killed ({usual.killed_moments})"
    )
    made.add_argument(
        "--writing-seconds", type=float, help=f"how long workstations write ({usual.writing_seconds:.0f})"
    )
    made.add_argument(
        "--outages", type=int, help=f"how often the database freezes while plots are typed ({usual.outages})"
    )
    made.add_argument("--outage-plots", type=int, help=f"how many plots each time ({usual.outage_plots})")
    made.add_argument("--mutations", type=int, help=f"how many lines are broken ({usual.mutations})")
    made.add_argument("--seed", type=int, help=f"which lines: each number means others ({usual.seed})")
    made.add_argument(
        "--patience", type=float, default=1800.0, help="seconds after which a group is given up (%(default).0f)"
    )
    return made


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in groups.GROUPS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {' and no '.join(unknown)}: {', '.join(groups.GROUPS)}")
    return names
