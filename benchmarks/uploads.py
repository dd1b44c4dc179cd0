"""How long our uploads take against curl's, and how much memory they need: `python -m benchmarks.uploads`.

Both send the same sparse file to the same bundled server, in turns; the server throws a PUT away unless told to store
it. Curl's time is that of its whole process, ours that of the call in a process that is already running.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.fixtures.servers import ROOT, BundledServer, bundled_server

WORKER = r"""
import json, re, resource, sys, time
from pathlib import Path
from abq_data_entry import network

def most_memory():
    # In bytes. Linux: of this program alone; ru_maxrss there still counts what the parent had before the exec.
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s*(\d+)", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

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
MOST_MEMORY = 10.0  # MiB


def ours(kind: str, small: Path, large: Path, server: BundledServer) -> tuple[float, float]:
    """Return the seconds of one upload, and by how many MiB it made the process grow."""
    words = [sys.executable, "-c", WORKER, kind, str(small), str(large), server.url, server.host, str(server.port)]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    seconds, growth = json.loads(done.stdout)
    return seconds, growth / 2**20


def curls(kind: str, large: Path, server: BundledServer) -> float:
    words = ["curl", "-sS", "--fail", "-o", "/dev/null"]
    if kind == "rest":
        words += ["-F", f"file=@{large}", "-X", "PUT", server.upload_url]
    else:
        words += ["-T", str(large), "--user", "test:test", f"{server.url}/"]
    start = time.perf_counter()
    subprocess.run(words, check=True)
    return time.perf_counter() - start


def measure(kind: str, runs: int, small: Path, large: Path, server: BundledServer) -> bool:
    """Print one row of the table; return whether the limits are held."""
    pairs: list[tuple[float, float]] = []
    growths: list[float] = []

    def our_turn() -> float:
        seconds, growth = ours(kind, small, large, server)
        growths.append(growth)
        return seconds

    def their_turn() -> float:
        return curls(kind, large, server)

    their_turn()  # the file is in the cache from now on
    for number in range(runs):
        turns: list[Callable[[], float]] = [our_turn, their_turn]
        times = [turn() for turn in (turns if number % 2 else reversed(turns))]
        pairs.append((times[0], times[1]) if number % 2 else (times[1], times[0]))
    ratios = sorted(mine / theirs for mine, theirs in pairs)
    mine, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio, growth = statistics.median(ratios), max(growths)
    print(
        f"{kind:5} {mine:7.2f} s {theirs:7.2f} s   {ratio:5.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})   "
        f"at most {LIMITS[kind]:.1f}   {growth:5.1f} MiB   at most {MOST_MEMORY:.0f} MiB",
        flush=True,
    )
    return ratio <= LIMITS[kind] and growth <= MOST_MEMORY


def main(words: list[str] | None = None) -> int:
    """Print the table; return 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=500, metavar="MB", help="size of the file (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=7, help="pairs of runs (default: %(default)s)")
    parser.add_argument("--store", action="store_true", help="let the HTTP server store the file (FTP always does)")
    options = parser.parse_args(words)
    if shutil.which("curl") is None:
        print("curl is missing; on Debian: apt-get install curl", file=sys.stderr)
        return 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="abq-uploads-")))
        small, large = folder / "small.csv", folder / "large.csv"
        small.write_bytes(b"0" * 1024)
        with large.open("wb") as file:
            file.truncate(options.size * 1_000_000)
        store = ["--save-to", str(folder / "received")] if options.store else []
        rest = stack.enter_context(bundled_server("sample_http_server.py", *store, workspace=folder))
        ftp = stack.enter_context(bundled_server("basic_ftp_server.py", workspace=folder))
        print(f"{options.size} MB, {options.runs} pairs of runs; medians, the ratio's spread, the most memory added")
        print("         ours      curl   ratio                limit        growth     limit")
        held = [measure(kind, options.runs, small, large, server) for kind, server in (("rest", rest), ("ftp", ftp))]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
