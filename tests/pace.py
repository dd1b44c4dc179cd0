"""How long something may take on a machine where others are at work, too."""

import os


def patience(seconds: float) -> float:
    """Return the time for what takes less than so many seconds where no process waits for a processor."""
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 1.0
    return seconds * max(1.0, waiting)
