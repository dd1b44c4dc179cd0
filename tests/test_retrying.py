"""How often things are tried again, by a clock of the test's own."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abq_data_entry import retrying
from abq_data_entry.retrying import Policy, Retries

POLICIES = {name: each for name, each in vars(retrying).items() if isinstance(each, Policy)}
MOST_IN_A_MINUTE = {"STARTING": 70, "CLUSTER": 120, "WATCHER": 25, "BUSY": 250}
"""A server that is starting is waited for by somebody; a cluster takes seconds to agree on a primary; what is busy is
asked for seconds only, and by one process."""


class Clock:
    """A clock that stands still until it is moved on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def attempts_within(policy: Policy, seconds: float, jitter: float) -> int:
    """Try something that always fails whenever it may be tried; how often that was."""
    clock = Clock()
    retries = Retries(policy, clock, lambda: jitter)
    attempts = 0
    while clock.now < seconds:
        assert retries.wait == 0.0
        attempts += 1
        pause = retries.failed()
        assert math.isclose(retries.wait, pause, rel_tol=1e-6)
        clock.now += pause + 1e-6
    return attempts


@pytest.mark.parametrize("name", sorted(POLICIES))
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_attempts_in_a_minute_are_few(name: str, jitter: float) -> None:
    assert attempts_within(POLICIES[name], 60.0, jitter) <= MOST_IN_A_MINUTE.get(name, 12)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_in_a_day_they_are_as_few_as_the_longest_pause_says(name: str) -> None:
    policy = POLICIES[name]
    assert attempts_within(policy, 86_400.0, 0.0) <= 86_400 / (policy.longest / 2) + 20


def test_the_pauses_are_those_that_administrators_were_promised() -> None:
    """`docs/administrators.md`: what a database refused, and what couldn't be delivered or reported."""
    for policy, first, longest in (
        (retrying.JOURNAL, (1, 2), (30, 60)),
        (retrying.DELIVERY, (30, 60), (1800, 3600)),
        (retrying.ALARM, (30, 60), (1800, 3600)),
    ):
        for failures, agreed in ((1, first), (99, longest)):
            assert tuple(policy.pause(failures, jitter) for jitter in (0.0, 1.0)) == agreed


@given(st.floats(0.01, 100), st.floats(0.01, 10_000), st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_grows_up_to_its_limit(first: float, longest: float, failures: int, jitter: float) -> None:
    policy = Policy(first, longest)
    assert 0 < policy.pause(failures, jitter) <= policy.pause(failures + 1, jitter) <= longest
    assert policy.pause(failures, jitter) >= policy.pause(failures, 1.0) / 2


def test_those_that_failed_together_come_back_apart() -> None:
    pauses = {Retries(retrying.DATABASE).failed() for _ in range(40)}
    assert len(pauses) > 30


def test_after_a_success_the_next_failure_is_a_first_one() -> None:
    clock = Clock()
    retries = Retries(Policy(1.0, 100.0), clock, lambda: 1.0)
    assert [retries.failed() for _ in range(3)] == [1.0, 2.0, 4.0]
    retries.succeeded()
    assert retries.due and retries.failures == 0 and retries.failed() == 1.0
