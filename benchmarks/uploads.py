"""How long our uploads take against curl's, and how much memory they need.

Both send the same sparse file to the same bundled server, in turns; the server throws a PUT away unless told to store
it. Curl's time is that of its whole process, ours that of the call in a process that is already running.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks import table
from benchmarks.options import CHECKOUT, Options
from tests.fixtures.servers import BundledServer, bundled_server

WORKER = r"""
import json, sys, time
from abq_data_entry import network
from benchmarks.memory import most_memory

kind, small, large, url, host, port = sys.argv[1:]
def send(path):
    if kind == "rest":
        network.upload_to_corporate_rest(path, url + "/upload", url + "/auth", "test", "test")
    else:
        network.upload_to_corporate_ftp(path, host, int(port), "test", "test")
send(small)
before = most_memory()
start = time.perf_counter()
send(large)
print(json.dumps([time.perf_counter() - start, most_memory() - before]))
"""
LIMITS = {"rest": 1.4, "ftp": 1.3}
MEMORY_LIMIT = 10.0  # MiB
MOST_PAIRS = 7


def measure(options: Options) -> list[table.Row]:
    """Both protocols."""
    if shutil.which("curl") is None:
        reason = "curl is missing; on Debian: apt-get install curl"
        return [table.not_measured(f"upload by {kind.upper()}", reason, limit, "×") for kind, limit in LIMITS.items()]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="abq-uploads-")))
        small, large = folder / "small.csv", folder / "large.csv"
        small.write_bytes(b"0" * 1024)
        with large.open("wb") as file:
            file.truncate(options.upload_megabytes * 1_000_000)
        rest = stack.enter_context(bundled_server("sample_http_server.py", workspace=folder))
        ftp = stack.enter_context(bundled_server("basic_ftp_server.py", workspace=folder))
        pairs = min(options.runs, MOST_PAIRS)
        return [
            row
            for kind, server in (("rest", rest), ("ftp", ftp))
            for row in _measure(kind, pairs, small, large, server, options.upload_megabytes)
        ]


def _measure(
    kind: str, pairs: int, small: Path, large: Path, server: BundledServer, megabytes: int
) -> list[table.Row]:
    growths: list[float] = []

    def our_turn() -> float:
        seconds, growth = _ours(kind, small, large, server)
        growths.append(growth)
        return seconds

    def their_turn() -> float:
        return _curls(kind, large, server)

    their_turn()  # the file is in the cache from now on
    turns: list[Callable[[], float]] = [our_turn, their_turn]
    times: tuple[list[float], list[float]] = ([], [])
    for pair in range(pairs):
        for place in (0, 1) if pair % 2 else (1, 0):
            times[place].append(turns[place]())
    what = f"upload of {megabytes} MB by {kind.upper()}"
    return [
        table.ratios(f"{what}, against curl", *times, LIMITS[kind]),
        table.row(f"{what}, memory added", "MiB", [max(growths)], MEMORY_LIMIT),
    ]


def _ours(kind: str, small: Path, large: Path, server: BundledServer) -> tuple[float, float]:
    """Return the seconds of one upload, and by how many MiB it made the process grow."""
    words = [sys.executable, "-c", WORKER, kind, str(small), str(large), server.url, server.host, str(server.port)]
    done = subprocess.run(words, cwd=CHECKOUT, check=True, capture_output=True, text=True)
    seconds, growth = json.loads(done.stdout)
    return seconds, growth


def _curls(kind: str, large: Path, server: BundledServer) -> float:
    words = ["curl", "-sS", "--fail", "-o", "/dev/null"]
    if kind == "rest":
        words += ["-F", f"file=@{large}", "-X", "PUT", server.upload_url]
    else:
        words += ["-T", str(large), "--user", "test:test", f"{server.url}/"]
    start = time.perf_counter()
    subprocess.run(words, check=True)
    return time.perf_counter() - start
