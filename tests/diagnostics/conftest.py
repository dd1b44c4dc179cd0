"""Checks by settings that lead to real servers on loopback; what they say holds no secret."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from abq_data_entry.models import SETTINGS
from abq_data_entry.network import probing
from abq_data_entry.network.probing import FAILED, Options, Step
from abq_data_entry.workflows.check_connections import check_connections, report
from tests.network.certificates import Authority, authority

SECRET = "correct horse battery"
WAIT = 5.0


class Checks:
    """Runs checks, and keeps what they said."""

    def __init__(self) -> None:
        self.said = ""
        self.endpoint: dict[str, str] = {}

    def __call__(
        self,
        kind: str,
        login: tuple[str, str] | None = None,
        write: bool = False,
        wait: float = WAIT,
        cancel: threading.Event | None = None,
        **settings: Any,
    ) -> list[Step]:
        """All steps of one destination."""
        values = {each.name: each.default for each in SETTINGS} | settings
        wanted = Options((kind,), lambda _: login, write, wait)
        found: list[Step] = []
        for step in check_connections(values, self._embedded, wanted, cancel or threading.Event()):
            self.said += report([step])
            found.append(step)
        return found

    def _embedded(self) -> AbstractContextManager[dict[str, str]]:
        return nullcontext(self.endpoint)


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Iterator[Checks]:
    """Checks one destination; at the end nothing of what was said may hold the secret."""
    # Here the machine is slow, not what is checked.
    monkeypatch.setattr(probing, "_USUAL", {})
    monkeypatch.setattr(probing, "_USUAL_ELSE", 60.0)
    made = Checks()
    yield made
    assert SECRET not in made.said


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority("Lab Authority", tmp_path_factory.mktemp("trusted"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority("Somebody Else", tmp_path_factory.mktemp("stranger"))


def verdicts(steps: list[Step]) -> dict[str, str]:
    """How each step went, by what was looked at."""
    return {step.what: step.verdict for step in steps}


def failure(steps: list[Step]) -> Step:
    """The one step that failed, which is the last."""
    assert [step for step in steps if step.verdict == FAILED] == steps[-1:], steps
    return steps[-1]


def step_of(steps: list[Step], what: str) -> Step:
    (found,) = [step for step in steps if step.what == what]
    return found
