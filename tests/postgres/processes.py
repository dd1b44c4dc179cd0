"""Other processes in these tests: Python code that uses the package, and conditions to wait for."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait for a condition; the test fails with `what` when it doesn't come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def spawn(code: str, *arguments: object, variables: Mapping[str, str] | None = None, **options: Any) -> Any:
    """A Python process that runs `code`, with `postgres`, `sys` and `Path` at hand; its output is piped."""
    prelude = "import sys\nfrom pathlib import Path\nfrom abq_data_entry import postgres\n"
    return subprocess.Popen(
        [options.pop("python", sys.executable), "-c", prelude + code, *map(str, arguments)],
        cwd=CHECKOUT,
        env={**os.environ, **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def output(code: str, *arguments: object, variables: Mapping[str, str] | None = None, **options: Any) -> str:
    """What a Python process prints that runs `code` to its end; the test fails when it fails."""
    process = spawn(code, *arguments, variables=variables, **options)
    printed, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return str(printed).strip()


def alive(pid: int) -> bool:
    """Whether a process still runs; a zombie doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
