"""`--answers late` or `--answers at-once`: when the results of background jobs reach the window.

On a slow machine they come after keys that were typed later, on a fast one before the next line of a test runs. Both
have to be right, and this shows it on any machine: `python3 -m tests --answers late tests/window`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import pytest

from abq_data_entry.jobs import Job, Jobs

_LATE = 0.3  # seconds: more than it takes to type the values of a plot
_LONGEST = 0.5  # seconds: a job may wait for what the window does next

Submit = Callable[..., Job]


def _pause() -> None:
    time.sleep(_LATE)


def late(submit: Submit, pause: Callable[[], object] = _pause) -> Submit:
    """`Jobs.submit` whose results, and errors, come after a pause."""

    @functools.wraps(submit)
    def submitted(jobs: Jobs, worker: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Job:
        def work(*given: Any) -> Any:
            try:
                return function(*given)
            finally:
                pause()

        return submit(jobs, worker, work, *arguments, **options)

    return submitted


def at_once(submit: Submit) -> Submit:
    """`Jobs.submit` that waits for the end of the job: its result comes with the window's next look at events."""

    @functools.wraps(submit)
    def submitted(*arguments: Any, **options: Any) -> Job:
        job = submit(*arguments, **options)
        job.ended.wait(_LONGEST)
        return job

    return submitted


_WAYS = {"late": late, "at-once": at_once}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--answers`."""
    parser.addoption("--answers", choices=_WAYS, help="let the results of background jobs come late, or at once")


def pytest_configure(config: pytest.Config) -> None:
    """Let them come so in every window of this process."""
    way = config.getoption("--answers")
    if way is not None:
        undo = pytest.MonkeyPatch()
        undo.setattr(Jobs, "submit", _WAYS[way](Jobs.submit))
        config.add_cleanup(undo.undo)
