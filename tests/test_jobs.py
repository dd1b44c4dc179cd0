"""Background work: real threads, and a real Tk root as the clock."""

from __future__ import annotations

import threading
import time
import tkinter as tk
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry.jobs import ANY, BUSY_POLL_MS, SOON_POLL_MS, SOON_SECONDS, Job, Jobs
from tests.pace import patience

PATIENCE = 10.0


@pytest.fixture
def root(display: str) -> Iterator[tk.Tk]:
    made = tk.Tk()
    made.withdraw()
    yield made
    made.destroy()


@pytest.fixture
def jobs(root: tk.Tk) -> Iterator[Jobs]:
    made = Jobs(root)
    yield made
    made.close()


def until(root: tk.Tk, condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        root.tk.dooneevent(0)
        assert time.monotonic() < end, "waited in vain"


def test_a_lane_keeps_the_order_and_lanes_run_beside_each_other(root: tk.Tk, jobs: Jobs) -> None:
    gate, order = threading.Event(), list[object]()
    jobs.submit("database", gate.wait, PATIENCE, done=lambda _: order.append("first"))
    for number in range(20):
        jobs.submit("database", lambda number=number: number, done=order.append)
    jobs.submit("records", lambda: "other worker", done=order.append)
    until(root, lambda: order)
    assert order == ["other worker"]
    gate.set()
    until(root, lambda: not jobs.busy)
    assert order == ["other worker", "first", *range(20)]


def test_any_runs_at_once_on_threads_of_their_own(root: tk.Tk, jobs: Jobs) -> None:
    together = threading.Barrier(3)
    met: list[object] = []
    for _ in range(3):
        jobs.submit(ANY, together.wait, PATIENCE, done=met.append)
    until(root, lambda: len(met) == 3)


def test_results_come_home_on_the_tk_thread(root: tk.Tk, jobs: Jobs) -> None:
    threads: list[int] = []
    jobs.submit("records", lambda: threads.append(threading.get_ident()), done=lambda _: threads.append(0))
    jobs.submit("records", lambda: 1 / 0, failed=lambda error: threads.append(threading.get_ident() if error else 0))
    until(root, lambda: not jobs.busy)
    assert threads[0] != threading.get_ident()
    assert threads[1:] == [0, threading.get_ident()]


def test_progress_is_coalesced_to_the_latest(root: tk.Tk, jobs: Jobs) -> None:
    seen: list[tuple[int, int]] = []
    gate = threading.Event()

    def work(job: Job) -> None:
        for done in range(10_001):
            job.report(done, 10_000)
        gate.wait(PATIENCE)

    jobs.submit(ANY, work, progress=lambda done, total: seen.append((done, total)), with_job=True)
    until(root, lambda: seen and seen[-1] == (10_000, 10_000))
    gate.set()
    until(root, lambda: not jobs.busy)
    assert len(seen) < 1_000
    assert seen == sorted(seen)


def test_an_error_in_a_callback_does_not_end_the_polling(root: tk.Tk, jobs: Jobs) -> None:
    told: list[str] = []
    root.report_callback_exception = lambda kind, *_: told.append(kind.__name__)
    jobs.submit("records", lambda: None, done=lambda _: 1 / 0)
    jobs.submit("records", lambda: None, done=lambda _: told.append("second"))
    until(root, lambda: "second" in told)
    assert told == ["ZeroDivisionError", "second"]


def test_a_failure_nobody_asked_for_is_logged(root: tk.Tk, jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    jobs.submit("records", lambda: 1 / 0, name="dividing")
    until(root, lambda: not jobs.busy)
    assert "dividing failed: ZeroDivisionError" in caplog.text


def test_closing_finishes_what_is_to_be_kept_and_cancels_the_rest(root: tk.Tk) -> None:
    jobs = Jobs(root)
    written: list[int] = []
    gate, stopped = threading.Event(), threading.Event()

    def transfer(job: Job) -> None:
        job.cancel.wait(PATIENCE)
        stopped.set()
        gate.set()

    jobs.submit(ANY, transfer, with_job=True)
    jobs.submit("files", gate.wait, PATIENCE)
    for number in range(3):
        jobs.submit("files", written.append, number, done=lambda _: written.append(99))
    jobs.submit("records", lambda: None)
    assert jobs.close(PATIENCE)
    assert stopped.is_set()
    assert written == [0, 1, 2]
    root.update()
    assert 99 not in written  # no result is delivered any more


def test_closing_waits_until_a_job_has_tidied_up(root: tk.Tk, tmp_path: Path) -> None:
    jobs, half = Jobs(root), tmp_path / "half.csv"
    begun = threading.Event()

    def export(job: Job) -> None:
        half.touch()
        begun.set()
        job.cancel.wait(PATIENCE)
        time.sleep(0.05)  # what is written just now is written first
        half.unlink()

    job = jobs.submit(ANY, export, with_job=True, tidies=True)
    assert begun.wait(PATIENCE)
    assert jobs.close(PATIENCE)
    assert job.ended.is_set() and not half.exists()


def test_closing_does_not_wait_for_ever(root: tk.Tk) -> None:
    jobs = Jobs(root)
    gate = threading.Event()
    jobs.submit("database", gate.wait, PATIENCE)
    begun = time.monotonic()
    assert not jobs.close(0.2)
    assert time.monotonic() - begun < patience(5)
    gate.set()


def test_many_results_leave_the_window_time_for_events(root: tk.Tk, jobs: Jobs) -> None:
    gaps: list[float] = []
    last = [time.perf_counter()]

    def tick() -> None:
        now = time.perf_counter()
        gaps.append(now - last[0])
        last[0] = now
        root.after(5, tick)

    def slow(_result: object) -> None:
        end = time.perf_counter() + 0.003
        while time.perf_counter() < end:
            pass

    root.after(5, tick)
    for _ in range(200):
        jobs.submit("records", lambda: None, done=slow)
    until(root, lambda: not jobs.busy)
    # 200 results of 3 ms are 600 ms of work: in one go no timer would have had its turn meanwhile.
    assert len(gaps) > 15


def test_what_looks_whether_a_job_takes_too_long_ends_with_the_job(root: tk.Tk, jobs: Jobs) -> None:
    late, gate = list[str](), threading.Event()
    slow = jobs.submit("records", gate.wait, PATIENCE)
    slow.timers.append(root.after(20, late.append, "slow"))
    until(root, lambda: late)
    gate.set()
    until(root, lambda: not jobs.busy)
    quick = jobs.submit("records", int)
    timer = root.after(60_000, late.append, "quick")
    quick.timers.append(timer)
    until(root, lambda: not jobs.busy)
    assert timer not in root.tk.splitlist(root.tk.call("after", "info"))
    assert late == ["slow"]


def test_an_answer_that_comes_in_a_moment_is_looked_for_often_and_a_long_work_seldom() -> None:
    class Clock:
        pauses: list[int]

        def __init__(self) -> None:
            self.pauses = []
            self.last: Callable[[], object] = lambda: None

        def after(self, ms: int, func: Callable[[], object]) -> str:
            self.pauses.append(ms)
            self.last = func
            return ""

        def after_cancel(self, id: str) -> None:
            pass

    clock, gate = Clock(), threading.Event()
    jobs = Jobs(clock)
    jobs.submit("database", gate.wait, PATIENCE)
    assert clock.pauses[-1] == SOON_POLL_MS
    time.sleep(SOON_SECONDS)
    clock.last()
    assert clock.pauses[-1] == BUSY_POLL_MS
    gate.set()
    jobs.close()
