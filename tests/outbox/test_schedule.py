"""When a delivery is tried again, for any moment, any number of failures and any wish of the server."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from abq_data_entry.outbox.retry_policy import FIRST_PAUSE, LIMIT, LONGEST_PAUSE, is_due, next_attempt, pause

NOW = datetime.datetime(2026, 11, 21, 20, 15, tzinfo=datetime.timezone.utc)
failures = st.integers(1, 10_000)
jitters = st.floats(0, 1)
moments = st.datetimes(
    datetime.datetime(2020, 1, 1), datetime.datetime(2040, 1, 1), timezones=st.just(datetime.timezone.utc)
)


def test_the_first_pauses_double() -> None:
    assert [pause(count, 1.0) for count in (1, 2, 3)] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pause(1, 0.0) == FIRST_PAUSE / 2


@given(failures, jitters)
def test_a_pause_grows_up_to_its_limit(count: int, jitter: float) -> None:
    assert FIRST_PAUSE / 2 <= pause(count, jitter) <= pause(count + 1, jitter) <= LONGEST_PAUSE


@given(failures, jitters, jitters)
def test_jitter_spreads_over_half_of_it(count: int, one: float, other: float) -> None:
    assert pause(count, one) >= pause(count, other) / 2


@given(moments, moments, failures, st.none() | st.floats(0, 1e13), jitters)
def test_never_before_the_server_wants_and_never_after_the_limit(
    now: datetime.datetime, since: datetime.datetime, count: int, wanted: float | None, jitter: float
) -> None:
    planned = next_attempt(now, since, count, wanted, jitter)
    if planned is not None:
        waiting = (planned - now).total_seconds()
        assert waiting >= max(FIRST_PAUSE / 2, wanted or 0) - 1e-5
        assert (planned - min(since, now)).total_seconds() <= LIMIT + max((since - now).total_seconds(), 0) + 1e-5
    else:
        assert max((now - since).total_seconds(), 0) + max(pause(count, jitter), wanted or 0) > LIMIT


def test_attempts_end_by_themselves() -> None:
    now, count = NOW, 0
    while (planned := next_attempt(now, NOW, count + 1, None, 0.0)) is not None:
        assert planned > now
        now, count = planned, count + 1
    assert 24 <= count <= 60


@given(moments, moments, moments)
def test_due_when_the_time_has_come_or_the_clock_went_back(
    now: datetime.datetime, planned: datetime.datetime, planned_at: datetime.datetime
) -> None:
    assert is_due(now, None, planned_at)
    assert is_due(now, planned, planned_at) is (now >= planned or now < planned_at)
