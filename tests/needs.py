"""What a test needs: a window, a server, the network … Told by its fixtures and by what its code reaches.

`--fast` leaves out those that need any of it. A test that it runs and that opens a connection all the same fails: then
what its code reaches belongs into the tables below. What a program needs that a test starts is said by a mark, such as
`@pytest.mark.needs("window")`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

WINDOW, SERVER, NETWORK, INSTALLATION = "window", "server", "network", "installation"
_FIXTURES = {"display": WINDOW, "server": SERVER}
_MODULES = {
    "ftplib": NETWORK,
    "http.server": NETWORK,
    "psycopg2": SERVER,
    "pyftpdlib": NETWORK,
    "requests": NETWORK,
    "socket": NETWORK,
    "socketserver": NETWORK,
}
_THINGS = {
    "abq_data_entry.launcher.display.VirtualDisplay": WINDOW,
    "abq_data_entry.postgres.cluster.account_for": SERVER,
    "abq_data_entry.postgres.programs.binaries": SERVER,
    "abq_data_entry.postgres.server.start": SERVER,
    "tests.commands.conftest.short_folder": SERVER,
    "tests.fixtures.short_folders.short_folder": SERVER,
    "tests.launcher.conftest.Checkout": INSTALLATION,
    "tests.fixtures.servers.bundled_server": SERVER,
    "tests.postgres.conftest.folder": SERVER,
}


def of(item: pytest.Item) -> frozenset[str]:
    """All that the test needs; nothing for one that runs in this process alone."""
    if not isinstance(item, pytest.Function):
        return frozenset()
    definitions = item._fixtureinfo.name2fixturedefs
    found = {_FIXTURES[name] for name in item.fixturenames if name in _FIXTURES}
    found.update(need for mark in item.iter_markers("needs") for need in mark.args)
    functions = [item.function, *(each.func for name in item.fixturenames for each in definitions.get(name, ()))]
    found.update(need for function in functions for need in _needs_from(function))
    if hasattr(item, "callspec"):
        found.update(need for value in item.callspec.params.values() for need in _needs_of_all(value))
    return frozenset(found)


@cache
def _needs_from(function: Callable[..., object]) -> frozenset[str]:
    """The same for a test or a fixture, which many tests share."""
    return _needs_of_all(function)


def _needs_of_all(start: Any) -> frozenset[str]:
    return frozenset[str]().union(*map(_needs_of, _reached(start)))


def _reached(start: Any) -> Iterator[Any]:
    """Everything of the tests that this leads to, and what that names."""
    waiting, seen = [start], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += _named_by(each)


def _named_by(thing: Any) -> list[Any]:
    if isinstance(thing, type):
        return list(_methods(thing)) if _is_ours(thing) else []
    if isinstance(thing, FunctionType):
        return list(_named_by_function(inspect.unwrap(thing))) if _is_ours(thing) else []
    inner = getattr(getattr(thing, "hypothesis", None), "inner_test", None)
    return [inner] if inner is not None else [type(thing)]


def _methods(kind: type) -> Iterator[Any]:
    for each in kind.__mro__:
        if _is_ours(each):
            for value in vars(each).values():
                yield getattr(value, "fget", None) or getattr(value, "__func__", value)


def _named_by_function(function: FunctionType) -> Iterator[Any]:
    names = _names(function.__code__)
    for name in names:
        value = function.__globals__.get(name, sys.modules.get(name))
        yield value
        if isinstance(value, ModuleType) and value.__name__.startswith(("tests.", "abq_data_entry")):
            yield from (vars(value)[each] for each in names if each in vars(value))
    for cell in function.__closure__ or ():
        yield cell.cell_contents
    yield from (function.__defaults__ or ())


@cache
def _names(code: CodeType) -> frozenset[str]:
    """All global names, attributes and imports of the code and of the functions within it."""
    inner = (_names(each) for each in code.co_consts if isinstance(each, CodeType))
    return frozenset(code.co_names).union(*inner)


def _is_ours(thing: Callable[..., object]) -> bool:
    return str(getattr(thing, "__module__", "")).startswith(("tests.", "benchmarks."))


def _needs_of(thing: Any) -> set[str]:
    if isinstance(thing, ModuleType):
        name = thing.__name__
        return {need for module, need in _MODULES.items() if name == module or name.startswith(f"{module}.")}
    if isinstance(thing, type):
        return set[str]().union(*(_needs_of_one(each) for each in thing.__mro__))
    return _needs_of_one(thing) if isinstance(thing, FunctionType) else set()


def _needs_of_one(thing: type | FunctionType) -> set[str]:
    module = thing.__module__ or ""
    found = {need for name, need in _MODULES.items() if module == name or module.startswith(f"{name}.")}
    return found | {need for name, need in _THINGS.items() if f"{module}.{thing.__qualname__}" == name}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--fast`."""
    parser.addoption("--fast", action="store_true", help="only what needs no window, server, network or installation")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--fast`, leave out what needs more than this process."""
    if not config.getoption("--fast"):
        return
    needed = [of(item) for item in items]
    config.hook.pytest_deselected(items=[item for item, needs in zip(items, needed, strict=True) if needs])
    items[:] = [item for item, needs in zip(items, needed, strict=True) if not needs]


def pytest_configure(config: pytest.Config) -> None:
    """With `--fast`, watch for connections."""
    if config.getoption("--fast"):
        config.pluginmanager.register(_Watch(), "abq-watch")


class _Watch:
    """Lets a test fail that opens a connection, in this process."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        sys.addaudithook(self._notice)

    def _notice(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.bind", "socket.connect"):
            self._seen.append(f"{event} {arguments[1:]}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """Run the test."""
        self._seen.clear()
        yield
        assert not self._seen, f"needs the network, which tests/needs.py doesn't know: {', '.join(self._seen)}"
