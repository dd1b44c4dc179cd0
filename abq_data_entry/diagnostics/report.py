"""The steps as text: a line for a terminal or a window, and all of them for the help desk."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterable

from ..network.probing import FAILED, OK, Step
from ..version import version

_MARKS = {OK: "✓", FAILED: "✗"}
_WIDEST = 14


def lines_of(step: Step) -> list[str]:
    """Return the step as a line, and what to do about it as another where it isn't wrong."""
    mark = _MARKS.get(step.verdict, "!")
    told = f"  {mark} {step.verdict:6} {step.what:{_WIDEST}} {time_of(step):>8}  {step.text}"
    return [told.rstrip(), *([f"{'':{_WIDEST + 19}} → {step.advice}"] if step.advice else [])]


def time_of(step: Step) -> str:
    """Return how long it took, for people."""
    if step.seconds is None:
        return ""
    if step.seconds >= 1:
        return f"{step.seconds:.1f} s"
    return f"{1000 * step.seconds:.1f} ms" if step.seconds < 0.1 else f"{1000 * step.seconds:.0f} ms"


def report(steps: Iterable[Step], moment: datetime.datetime | None = None) -> str:
    """Return all steps by destination, with the version, the system and the moment: what a help desk asks for first."""
    moment = moment or datetime.datetime.now().astimezone()
    system = f"{platform.system()} {platform.release()}"
    lines = [f"Connections of ABQ Data Entry {version()}, {system}, {moment:%Y-%m-%d %H:%M %Z}"]
    destination = ""
    for step in steps:
        if step.destination != destination:
            destination = step.destination
            lines += ["", destination]
        lines += lines_of(step)
    return "\n".join([*lines, ""])
