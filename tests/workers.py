"""Several workers (`-n`): which tests stay together, and which begin first.

Each worker is a session of its own, with its own display, server and folders. Tests that share a fixture of their file
or folder stay with one worker, in their order; every other test goes to whoever is free. What took longest the last
time, or is marked as long, begins first, so that nobody is left with it at the end. A worker that crashes is replaced;
its test has failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

_SECONDS = "abq/seconds"
_UNKNOWN = 1.0  # seconds for a test that nobody has timed yet
_LONG = 10.0


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let the order be the one of the workers, not that of the number of tests in a file."""
    config.option.loadscopereorder = False
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Stopwatch(config), "abq-stopwatch")


class _Stopwatch:
    """Where the reports arrive: keeps how long each test took, for the order of the next run."""

    def __init__(self, config: pytest.Config) -> None:
        self._cache = getattr(config, "cache", None)  # none with `-p no:cacheprovider`
        self._taken: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid
        self._taken[name] = round(self._taken.get(name, 0.0) + report.duration, 2)

    def pytest_sessionfinish(self) -> None:
        if self._cache is not None:
            self._cache.set(_SECONDS, {**self._cache.get(_SECONDS, {}), **self._taken})


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out groups whole, whatever `--dist` says."""
    from tests.scheduling import Scheduler

    return Scheduler(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a new worker how long the tests took before; all must come to the same order."""
    cache = getattr(node.config, "cache", None)
    node.workerinput[_SECONDS] = cache.get(_SECONDS, {}) if cache is not None else {}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker: put what belongs together beside each other, the longest first; at random, all that is long."""
    if not hasattr(config, "workerinput"):
        return
    seconds: dict[str, float] = config.workerinput[_SECONDS]
    units: dict[str, list[pytest.Item]] = {}
    for item in items:
        units.setdefault(group_of(item) or item.nodeid, []).append(item)
    expected = {name: sum(_expected(each, seconds) for each in unit) for name, unit in units.items()}
    if config.pluginmanager.hasplugin("randomly"):
        ordered = sorted(units, key=lambda name: expected[name] < _LONG)
    else:
        ordered = sorted(units, key=lambda name: -expected[name])
    items[:] = [item for name in ordered for item in units[name]]


def _expected(item: pytest.Item, seconds: dict[str, float]) -> float:
    """How many seconds it took the last time, or takes by its mark."""
    mark = item.get_closest_marker("takes")
    return seconds.get(item.nodeid, _UNKNOWN if mark is None else float(mark.args[0]))


@pytest.hookimpl(wrapper=True)
def pytest_collection_finish(session: pytest.Session) -> Iterator[None]:
    """In a worker: tell the scheduler the groups, for which pytest-xdist reads the names of the tests."""
    items = session.items
    if hasattr(session.config, "workerinput"):
        session.items = [_Told(item) for item in items]  # type: ignore[misc]
    try:
        yield
    finally:
        session.items = items


class _Told:
    """A test by its name and its group, `name@group` as the scheduler knows it."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        group = group_of(item)
        self.nodeid = f"{item.nodeid}@{group}" if group else item.nodeid

    def __getattr__(self, name: str) -> Any:
        return getattr(self._item, name)


def group_of(item: pytest.Item) -> str:
    """With which others the test stays at one worker: those of its file, its folder, or of a mark `xdist_group`; empty:
    none."""
    mark = item.get_closest_marker("xdist_group")
    if mark is not None:
        return str(mark.args[0])
    definitions = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    asked = (each for name in getattr(item, "fixturenames", ()) for each in definitions.get(name, ()))
    scopes = {each.scope for each in asked}
    file = item.nodeid.partition("::")[0]
    if "package" in scopes:
        return file.rpartition("/")[0]
    return file if scopes & {"class", "module"} else ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """The test of a crashed worker is told by its own name, too."""
    report.nodeid = _own_name(report.nodeid)


def _own_name(nodeid: str) -> str:
    return nodeid.rpartition("@")[0] if nodeid.rfind("@") > nodeid.rfind("]") else nodeid
