"""How much memory this process has had at most."""

from __future__ import annotations

import re
import resource
from pathlib import Path


def most_memory() -> float:
    """Return MiB; on Linux of this program alone: what `resource` tells there counts what the parent had, too."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s*(\d+)", status.read_text(encoding="ascii"))
        assert found is not None
        return int(found[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
