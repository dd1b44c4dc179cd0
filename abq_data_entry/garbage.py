"""Cyclic garbage is collected on the Tk thread, never on a worker.

Python collects on whichever thread happens to allocate the next object. On a worker that is fatal for Tk's objects:
collecting an interpreter aborts the process ("Tcl_AsyncDelete: async handler deleted by the wrong thread"), and
collecting a variable waits for the Tk thread, which may itself be waiting for that worker.
"""

import gc
from typing import Any, Protocol

LOOK_MS = 1000
"""Milliseconds between two checks whether a collection is due."""
SPARED_MS = 4000
"""Milliseconds after the start until `gc.freeze()`: what exists by then mostly lives as long as the window does."""


class Scheduler(Protocol):
    """The part of the Tk root that is needed here: timers on its own thread."""

    def after(self, ms: int, func: Any, *arguments: Any) -> str: ...


def collect_on_tk_thread(scheduler: Scheduler) -> None:
    """Disable Python's automatic collection for good, and collect by a timer of ``scheduler`` instead.

    Objects that the start has created are never searched: hardly any of them are garbage, and searching them would stop
    the Tk thread for up to 30 ms.
    """
    gc.disable()
    scheduler.after(SPARED_MS, _spare, scheduler)


def _spare(scheduler: Scheduler) -> None:
    gc.freeze()
    scheduler.after(LOOK_MS, _look, scheduler)


def _look(scheduler: Scheduler) -> None:
    collect_if_due()
    scheduler.after(LOOK_MS, _look, scheduler)


def collect_if_due() -> None:
    """Collect the oldest generation whose count is above Python's threshold, if there is one."""
    due = [count > threshold > 0 for count, threshold in zip(gc.get_count(), gc.get_threshold(), strict=True)]
    # As Python does: an older generation is checked only when the youngest one is due.
    if due[0]:
        gc.collect(2 if due[2] else 1 if due[1] else 0)
