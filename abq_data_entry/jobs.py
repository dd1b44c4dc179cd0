"""Background work for the window: functions run on worker threads, and their results come back on the Tk thread.

A *worker* is one thread with a queue of its own, so whatever is submitted to one worker runs in order: the worker
``database`` writes, ``records`` reads pages for the list, ``counting`` counts rows, ``files`` writes drafts and
settings, ``deliveries`` reads the outbox for its window. Each menu command that takes long has a worker of its own,
with the command's name. Work for :data:`ANY` runs at once on a thread of its own.

Nothing here calls Tk from a worker: results wait in a queue that the Tk thread drains by ``after``.
"""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

ANY = ""
IDLE_POLL_MS = 50
BUSY_POLL_MS = 5
SOON_POLL_MS, SOON_SECONDS = 1, 0.1  # the poll interval just after a job was submitted, and for how long
BATCH_SECONDS = 0.008
TIDY_SECONDS = 3.0  # how long cancelled jobs may tidy up; the window is closed already, and the process must end

log = logging.getLogger(__name__)


class Scheduler(Protocol):
    """What jobs need of the Tk root: timers on its own thread."""

    def after(self, ms: int, func: Callable[[], Any]) -> str: ...

    def after_cancel(self, id: str) -> None: ...


class Job:
    """One piece of background work: its name for people, a ``cancel`` event, and its latest progress.

    ``report(done, total)`` may be called from any thread; only the latest pair reaches the Tk thread. ``thread``: the
    identifier of the thread on which it runs. ``tidies``: when it is cancelled it removes unfinished results, such as a
    file, so closing the window waits a moment until ``ended`` is set. ``timers``: timers of Tk that notice when it
    takes too long; they are cancelled at its end.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Any],
        done: Callable[[Any], object] | None,
        failed: Callable[[BaseException], object] | None,
        progress: Callable[[int, int], object] | None,
    ) -> None:
        self.name = name
        self.work = work
        self.done = done
        self.failed = failed
        self.progress = progress
        self.cancel = threading.Event()
        self.finished = False
        self.thread: int | None = None
        self.tidies = False
        self.ended = threading.Event()
        self.timers: list[str] = []
        # The callbacks run in the context in which the work was submitted, such as that of a menu command.
        self.context = contextvars.copy_context()
        self.latest: tuple[int, int] | None = None
        self.shown: tuple[int, int] | None = None

    def report(self, done: int, total: int) -> None:
        """Report the progress: ``done`` of ``total`` (bytes or rows; ``total`` 0: not known)."""
        self.latest = (done, total)


JobQueue = queue.SimpleQueue["Job | None"]  # None ends the worker
Results = queue.SimpleQueue["tuple[Job, Any, BaseException | None]"]


class Jobs:
    """The workers of one window, and the queue of their results."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._queues: dict[str, JobQueue] = {}  # by the name of the worker
        self._results: Results = queue.SimpleQueue()
        self._running: list[Job] = []
        self._closed = False
        self._submitted = 0.0
        self._timer = scheduler.after(IDLE_POLL_MS, self._drain)

    def submit(
        self,
        worker: str,
        function: Callable[..., Any],
        *arguments: Any,
        name: str = "",
        done: Callable[[Any], object] | None = None,
        failed: Callable[[BaseException], object] | None = None,
        progress: Callable[[int, int], object] | None = None,
        with_job: bool = False,
        tidies: bool = False,
    ) -> Job:
        """Run ``function(*arguments)`` on ``worker`` (:data:`ANY`: at once, on a thread of its own).

        ``done(result)``, ``failed(error)`` and ``progress(done, total)`` are called on the Tk thread. With
        ``with_job`` the function gets its :class:`Job` as the last argument. Without ``failed``, a failure is
        logged.
        """
        job = Job(name, partial(function, *arguments), done, failed, progress)
        job.tidies = tidies
        if with_job:
            job.work = partial(function, *arguments, job)
        self._running.append(job)
        if worker == ANY:
            threading.Thread(target=_run, args=(job, self._results), name=name or "transfer", daemon=True).start()
        else:
            if worker not in self._queues:
                waiting = self._queues[worker] = JobQueue()
                threading.Thread(target=_work, args=(waiting, self._results), name=worker, daemon=True).start()
            self._queues[worker].put(job)
        if not self._closed:
            self._submitted = time.perf_counter()
            self._scheduler.after_cancel(self._timer)
            self._timer = self._scheduler.after(SOON_POLL_MS, self._drain)
        return job

    @property
    def busy(self) -> bool:
        """Whether any job's result hasn't been delivered yet."""
        return bool(self._running)

    def close(self, seconds: float = 10.0, keep: tuple[str, ...] = ("database", "files")) -> bool:
        """Cancel running jobs and end the workers; the workers ``keep`` first finish the jobs in their queues.

        Returns whether they ended within ``seconds``. No result is delivered any more.
        """
        self._closed = True
        until = time.monotonic() + TIDY_SECONDS
        self._scheduler.after_cancel(self._timer)
        for job in self._running:
            job.cancel.set()
            for timer in job.timers:
                self._scheduler.after_cancel(timer)
        ended = threading.Barrier(len([worker for worker in keep if worker in self._queues]) + 1)
        for name, waiting in self._queues.items():
            if name in keep:
                waiting.put(Job("ending", lambda: _wait(ended, seconds), None, None, None))
            waiting.put(None)
        try:
            ended.wait(seconds)
        except threading.BrokenBarrierError:
            return False
        tidying = [job for job in self._running if job.tidies]
        return all(job.ended.wait(max(0.0, until - time.monotonic())) for job in tidying)

    def _drain(self) -> None:
        if self._closed:
            return
        began = time.perf_counter()
        until = began + BATCH_SECONDS
        # Short just after a submit, for jobs that take only a moment, such as a save.
        pause = SOON_POLL_MS if began - self._submitted < SOON_SECONDS else BUSY_POLL_MS
        # The next poll is scheduled first, so that an error in a callback doesn't end the polling.
        self._timer = self._scheduler.after(pause if self._running else IDLE_POLL_MS, self._drain)
        for job in tuple(self._running):
            latest = job.latest
            if job.progress is not None and latest is not None and latest is not job.shown:
                job.shown = latest
                job.context.run(job.progress, *latest)
        while time.perf_counter() < until and not self._closed:
            try:
                job, result, error = self._results.get_nowait()
            except queue.Empty:
                return
            self._running.remove(job)
            job.finished = True
            for timer in job.timers:
                self._scheduler.after_cancel(timer)
            if error is None and job.done is not None:
                job.context.run(job.done, result)
            elif error is not None and job.failed is not None:
                job.context.run(job.failed, error)
            elif error is not None:
                log.error("%s failed: %s", job.name or "a job", type(error).__name__, exc_info=error)


# Threads have no reference to `Jobs` or to a finished job's callbacks: if the last reference to the Tk root were
# theirs, Tcl would abort the process when it is dropped ("async handler deleted by the wrong thread").


def _work(waiting: JobQueue, results: Results) -> None:
    while (job := waiting.get()) is not None:
        _run(job, results)
        del job


def _run(job: Job, results: Results) -> None:
    work, job.work = job.work, _done
    job.thread = threading.get_ident()
    outcome: tuple[Any, BaseException | None]
    try:
        outcome = (work(), None)
    except BaseException as error:
        outcome = (None, error)
    job.thread = None
    del work
    job.ended.set()
    results.put((job, *outcome))


def _done() -> None:
    """Replaces a finished job's function, so that nothing it refers to is kept alive."""


def _wait(barrier: threading.Barrier, seconds: float) -> None:
    # A worker that ends too late finds the barrier broken.
    try:
        barrier.wait(seconds)
    except threading.BrokenBarrierError:
        log.warning("a worker ended late")
