"""Who runs which test: groups stay whole, and the test at which a worker crashed isn't run again."""

from __future__ import annotations

from collections import OrderedDict

from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController


class Scheduler(LoadGroupScheduling):  # type: ignore[misc]  # it has no types
    """That of pytest-xdist, which would hand a test that crashes to one worker after the other."""

    assigned_work: dict[WorkerController, dict[str, dict[str, bool]]]
    workqueue: OrderedDict[str, dict[str, bool]]

    def remove_node(self, node: WorkerController) -> str | None:
        """Hand out again what a worker didn't come to; the test at which it crashed, if it did."""
        left = {name: unit for name, unit in self.assigned_work.pop(node).items() if not all(unit.values())}
        if not left:
            return None
        first = next(iter(left.values()))
        crashed = next(nodeid for nodeid, is_done in first.items() if not is_done)
        first[crashed] = True
        waiting = {name: unit for name, unit in left.items() if not all(unit.values())}
        self.workqueue = OrderedDict({**waiting, **self.workqueue})
        for each in self.assigned_work:
            self._reschedule(each)
        return crashed
