"""`--answers`: results of background jobs that come late, or at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from abq_data_entry.jobs import ANY, Jobs
from tests import answers
from tests.__main__ import workers


class Timers:
    """In place of the window's: nothing is called."""

    def after(self, ms: int, func: Callable[[], Any]) -> str:
        return ""

    def after_cancel(self, id: str) -> None:
        """Nothing is waiting."""


@pytest.fixture
def jobs() -> Jobs:
    return Jobs(Timers())


def test_late_they_come_after_the_work_was_done(jobs: Jobs) -> None:
    done, go_on = threading.Event(), threading.Event()
    job = answers.late(Jobs.submit, go_on.wait)(jobs, ANY, done.set)
    assert done.wait(60) and not job.ended.is_set()
    go_on.set()
    assert job.ended.wait(60)


def test_so_do_errors(jobs: Jobs) -> None:
    paused = threading.Event()
    job = answers.late(Jobs.submit, paused.set)(jobs, ANY, int, "no number", failed=lambda error: None)
    assert job.ended.wait(60) and paused.is_set()


def test_at_once_they_are_there_when_it_goes_on(jobs: Jobs) -> None:
    assert answers.at_once(Jobs.submit)(jobs, "database", len, "text").ended.is_set()


def test_a_folder_is_shared_by_workers_all_the_same() -> None:
    assert workers(["--answers", "late", "tests/window"]) == workers(["tests/window"]) != []
