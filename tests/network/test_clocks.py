"""The time that a server says, against this computer's: what the way takes is no difference."""

from __future__ import annotations

import email.utils
from typing import NamedTuple

import pytest

from abq_data_entry.network import probing
from abq_data_entry.network.probing import Clock, difference_in_words


class Times(NamedTuple):
    """What this computer's clock shows when the question is sent, and when the answer is here."""

    sent: float
    here: float


def difference(monkeypatch: pytest.MonkeyPatch, times: Times, headers: dict[str, str]) -> float | None:
    shown = list(times)
    monkeypatch.setattr(probing, "now", lambda: shown.pop(0))
    clock = Clock()
    clock.read_headers(headers)
    return clock.difference


def date(moment: float) -> str:
    return email.utils.formatdate(moment, usegmt=True)


@pytest.mark.parametrize(
    ("times", "moment", "age", "expected"),
    [
        (Times(1000.0, 1000.2), 1000, "", 0),
        (Times(1000.9, 1000.95), 1000, "", 0),  # the server said no fractions
        (Times(1000.0, 1030.0), 1010, "", 0),  # the answer took half a minute
        (Times(1000.0, 1030.0), 900, "", 99),
        (Times(1000.0, 1000.5), 1400, "", -399.5),
        (Times(1000.0, 1000.5), 400, "600", 0),  # a cache has kept the answer for ten minutes
        (Times(1000.0, 1000.5), 400, "-600", 599),
        (Times(1000.0, 1000.5), 400, "9" * 5000, 599),
    ],
)
def test_the_difference(
    monkeypatch: pytest.MonkeyPatch, times: Times, moment: float, age: str, expected: float
) -> None:
    headers = {"Date": date(moment), **({"Age": age} if age else {})}
    assert difference(monkeypatch, times, headers) == pytest.approx(expected)


@pytest.mark.parametrize("said", ["", "yesterday", "Sat, 99 Nov 2026 10:00:00 GMT", "Sat, 21 Nov 99999 10:00:00 GMT"])
def test_an_invalid_date_gives_no_difference(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    assert difference(monkeypatch, Times(1000.0, 1001.0), {"Date": said}) is None
    assert difference(monkeypatch, Times(1000.0, 1001.0), {}) is None


def test_a_time_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Denver")
    said = date(1000).replace("GMT", "-0000")
    assert difference(monkeypatch, Times(1000.0, 1000.5), {"Date": said}) == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "and the server's agree"),
        (-0.4, "and the server's agree"),
        (1.2, "is 1 second ahead of the server's"),
        (-75.0, "is 75 seconds behind the server's"),
        (400.0, "is 7 minutes ahead of the server's"),
        (-7300.0, "is 2 hours behind the server's"),
        (30 * 86400.0, "is 30 days ahead of the server's"),
    ],
)
def test_in_words(seconds: float, words: str) -> None:
    assert difference_in_words(seconds) == f"this computer's clock {words}"
