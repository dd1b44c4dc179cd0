"""How far the installation is, read from the log that pip writes: said while it runs, so that nobody waits blindly."""

import re
import sys
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess

LOOK_AGAIN = 0.3
SAY_AGAIN = 10.0
"""Seconds between two lines where nobody sits at a terminal, such as in the log of continuous integration."""

_WIDTH = 60


def packages_in(lock: Path) -> int:
    """How many packages a lock file names, those for other systems too."""
    return len(re.findall(r"^[\w.-]+(?:\[[\w,-]+\])?==", lock.read_text("utf-8"), re.MULTILINE))


def told(log: str, packages: int) -> str:
    """What pip is doing, by its log; `packages` are named in the lock. Empty: nothing to count yet."""
    wanted = packages - len(re.findall(r"^Ignoring ", log, re.MULTILINE))
    if re.search(r"^Installing collected packages", log, re.MULTILINE):
        return f"Installing {wanted} packages"
    fetched = len(re.findall(r"^(?:Collecting |Requirement already satisfied: |Processing )", log, re.MULTILINE))
    return f"Fetching package {min(fetched, wanted)} of {wanted}" if fetched else ""


def follow(process: "subprocess.Popen[bytes]", log: Path, packages: int) -> int:
    """Wait for the process and say meanwhile how far it is; return its exit code."""
    import subprocess
    import time

    start = log.stat().st_size
    terminal = sys.stderr is not None and sys.stderr.isatty()
    said, when = "", time.monotonic()
    while True:
        try:
            code = process.wait(LOOK_AGAIN)
        except subprocess.TimeoutExpired:
            pass
        else:
            if terminal and said:
                print("\r" + " " * _WIDTH, end="\r", file=sys.stderr, flush=True)
            return code
        with log.open("rb") as file:
            file.seek(start)
            text = told(file.read().decode("utf-8", "replace"), packages)
        if not text or text == said:
            continue
        if terminal:
            print(f"\r{text:<{_WIDTH}}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - when > SAY_AGAIN:
            print(text, file=sys.stderr, flush=True)
            when = time.monotonic()
        else:
            continue
        said = text
