"""kill -9 all along a delivery by S3, XML-RPC and SFTP by a jump host: what is at the destination in the end."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from benchmarks import table
from benchmarks.options import Options
from tests.outbox.killing import WAYS, kill_all_along, ways_here

_POINTS = 400  # of a delivery; at some more or fewer it may be killed


def measure(options: Options) -> list[table.Row]:
    """Count what is missing, cut, doubled or told wrongly, for each way that can be had here."""
    logging.getLogger("abq_data_entry").addHandler(logging.NullHandler())
    return [_killed(name, max(1, _POINTS // options.killed_moments)) for name in ways_here()]


def _killed(name: str, step: int) -> table.Row:
    print(f"  {name}, killed …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="abq-killed-") as folder, WAYS[name](Path(folder)) as (way, kept):
        seen = kill_all_along(way, kept, Path(folder), step)
    what = f"kill -9 all along deliveries by {name}: files missing, cut or doubled"
    remark = f"{seen.kills:,} kills, each at another point"
    return table.row(what, "files", [len(seen.wrong)], 0.0, remark)
