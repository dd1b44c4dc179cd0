"""What is said of a transfer: how far, how fast, how long still."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abq_data_entry.transfer import (
    SMOOTHING,
    STANDSTILL,
    TransferProgress,
    amount_text,
    duration_text,
    size_text,
)

MB = 1_000_000


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def moved(*steps: tuple[float, int], total: int = 40 * MB) -> tuple[TransferProgress, Clock]:
    """Begins with nothing; after so many seconds each, so many bytes in all have moved."""
    clock = Clock()
    progress = TransferProgress(clock)
    progress.note(0, total)
    for seconds, done in steps:
        clock.now += seconds
        progress.note(done, total)
    return progress, clock


def test_the_whole_sentence() -> None:
    progress, _ = moved(*((0.1, round(0.31 * MB * number)) for number in range(1, 41)))
    assert progress.text == "12.4 of 40.0 MB, 3.1 MB/s, 9 s left"
    assert progress.percent == 31


def test_at_first_there_is_no_speed() -> None:
    progress, _ = moved((0.5, 4 * MB))
    assert progress.rate is None and progress.text == "4.0 of 40.0 MB"


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert TransferProgress().text == "" and TransferProgress().percent is None
    progress, _ = moved((2, 5000), total=0)
    assert progress.text == "" and progress.percent is None


def test_all_sent_is_not_yet_taken() -> None:
    progress, _ = moved((2, 40 * MB))
    assert progress.text == "40.0 of 40.0 MB, waiting for the answer" and progress.percent == 100


def test_a_standstill_is_shown_after_the_speed_has_sunk() -> None:
    progress, clock = moved((1, 3 * MB), (1, 6 * MB))
    before = progress.rate
    assert before is not None
    clock.now += STANDSTILL - 1
    sunk = progress.rate
    assert sunk is not None and sunk < before / 2
    clock.now += 3
    assert progress.text == "6.0 of 40.0 MB, standing still for 7 s"
    progress.note(9 * MB, 40 * MB)
    assert "left" in progress.text


def test_an_upload_that_begins_anew_is_measured_anew() -> None:
    progress, clock = moved((2, 30 * MB))
    progress.note(0, 40 * MB)
    assert progress.rate is None and progress.percent == 0
    clock.now += 2
    progress.note(2 * MB, 40 * MB)
    assert progress.rate == pytest.approx(MB)


steps = st.lists(st.tuples(st.floats(0.01, 5), st.integers(1, 10 * MB)), min_size=1, max_size=30)


@given(steps)
def test_the_rate_lies_between_the_slowest_and_the_fastest(pieces: list[tuple[float, int]]) -> None:
    done, list_of_steps = 0, []
    for seconds, size in pieces:
        done += size
        list_of_steps.append((seconds, done))
    progress, _ = moved(*list_of_steps, total=1000 * MB)
    rate = progress.rate
    if rate is not None:
        speeds = [size / seconds for seconds, size in pieces]
        assert min(speeds) * 0.999 <= rate <= max(speeds) * 1.001


@given(st.floats(0.02, 1.5), st.integers(1000, 5 * MB), st.integers(70, 100))
def test_a_steady_rate_is_the_average(pause: float, size: int, count: int) -> None:
    progress, _ = moved(*((pause, size * number) for number in range(1, count + 1)), total=1000 * MB)
    assert progress.rate == pytest.approx(size / pause, rel=1e-6)


@given(st.floats(0.05, 0.5), st.floats(2, 20))
def test_a_change_is_followed_within_three_times_the_smoothing(pause: float, factor: float) -> None:
    before, after = 1 * MB, round(MB * factor)
    first = [(pause, before * number) for number in range(1, 40)]
    count = math.ceil(3 * SMOOTHING / pause)
    second = [(pause, first[-1][1] + after * number) for number in range(1, count + 1)]
    progress, _ = moved(*first, *second, total=100_000 * MB)
    assert progress.rate == pytest.approx(after / pause, rel=0.06)


@given(st.integers(1, 10**12), st.data())
def test_an_amount_says_all_only_when_it_is_all(total: int, data: st.DataObject) -> None:
    done = data.draw(st.integers(0, total))
    text = amount_text(done, total)
    first, second = text.split(" of ")
    assert float(first) <= float(second.split()[0])
    assert len(text) <= 20


@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_a_longer_time_never_reads_shorter(one: float, other: float) -> None:
    shorter, longer = sorted((one, other))
    assert seconds_of(duration_text(shorter)) <= seconds_of(duration_text(longer))
    assert seconds_of(duration_text(longer)) >= min(longer, 86400)


def seconds_of(text: str) -> int:
    if text == "more than a day":
        return 86401
    words = text.split()
    sizes = {"s": 1, "min": 60, "h": 3600}
    return sum(int(number) * sizes[unit] for number, unit in zip(words[::2], words[1::2], strict=True))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 s"), (8.2, "9 s"), (59.5, "1 min 0 s"), (128, "2 min 10 s"), (3599, "1 h 0 min"), (3900, "1 h 5 min"),
     (86400, "24 h 0 min"), (90000, "more than a day")],
)  # fmt: skip
def test_times(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(512, "512 bytes"), (18_240, "18.2 kB"), (3_100_000, "3.1 MB"), (2e9, "2.0 GB")]
)
def test_sizes(size: float, text: str) -> None:
    assert size_text(size) == text
