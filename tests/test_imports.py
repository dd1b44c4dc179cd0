"""Who may know whom: imports point down, and the start imports nothing that it doesn't need."""

from __future__ import annotations

import ast
import functools
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "abq_data_entry"
PACKAGES = sorted({path.stem if path.is_file() else path.name for path in PACKAGE.iterdir()} - {"__pycache__"})

# What each subpackage or module may import of ours, besides itself. Nobody below may import what isn't named.
BELOW = {
    "constants": set(),
    "version": set(),
    "fields": {"constants"},
    "charts": {"constants", "counting", "fields"},
    "counting": set(),
    "folders": set(),
    "jobs": set(),
    "keyring_store": {"constants"},
    "secret_files": {"folders"},
    "stored_logins": {"keyring_store", "secret_files"},
    "garbage": set(),
    "launcher": {"__main__"},  # when all is set up, it starts the application
    "themes": set(),
    "transfer": set(),
    "logfile": {"constants", "folders", "log_targets"},
    "log_targets": {"constants", "retrying", "setting", "version"},
    "observation": set(),
    "remote_names": set(),
    "retrying": set(),
    "setting": set(),
    "stored_destination": set(),
    "schedules": {"constants", "shortcuts"},
    "shortcuts": {"constants", "version"},
    "waits": set(),
    "network": {"constants", "folders", "observation", "remote_names", "setting", "stored_destination", "version"},
    "postgres": {"constants", "folders", "retrying", "waits"},
    "models": {
        *("fields", "constants", "folders", "network", "observation", "remote_names", "retrying", "setting", "waits"),
        *("charts", "counting", "log_targets", "stored_destination"),
    },
    "outbox": {"models", "network", "store", "constants", "folders", "remote_names", "retrying"},
    "diagnostics": {"models", "network", "postgres", "version"},
    "exporting": {"models", "fields", "constants"},
    "store": {"fields", "folders"},
    "journal": {"store", "models", "fields", "constants", "folders"},
    "workflows": {
        *("fields", "constants", "diagnostics", "exporting", "journal", "folders", "models", "network", "outbox"),
        *("observation", "postgres", "charts", "counting", "retrying", "stored_destination", "stored_logins"),
        "version",
    },
    "widgets": {"fields", "constants", "themes", "transfer"},
    "views": {"charts", "widgets", "fields", "constants", "themes"},
    "mainmenu": {"constants", "network", "themes"},
}
WITHOUT_TK = (
    "charts", "constants", "counting", "exporting", "fields", "folders", "models", "network", "outbox", "journal",
    "diagnostics", "postgres", "launcher",
    "commands", "store", "logfile", "garbage", "keyring_store", "observation", "remote_names", "retrying", "setting",
    "stored_logins", "secret_files", "stored_destination", "log_targets", "schedules", "shortcuts",
    "transfer", "version", "waits", "workflows",
    "__main__",
)  # fmt: skip


def modules() -> Iterator[tuple[str, str, Path]]:
    """(subpackage, dotted name, path) of every module of ours."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield parts[0], ".".join(("abq_data_entry", *parts)), path


@functools.cache
def statements(path: Path) -> tuple[tuple[ast.Import | ast.ImportFrom, bool], ...]:
    """(statement, whether it runs) of every import of a module."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))))
    for_types = {
        id(inner)
        for node in nodes
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    return tuple((each, id(each) not in for_types) for each in nodes if isinstance(each, ast.Import | ast.ImportFrom))


@functools.cache
def imported(name: str, path: Path) -> tuple[tuple[str, bool], ...]:
    """(dotted name, whether it is imported at run time) of everything that a module imports."""
    return tuple(_imported(name, path))


def _imported(name: str, path: Path) -> Iterator[tuple[str, bool]]:
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    package = package[:-1] if path.name == "__init__.py" else package
    for node, real in statements(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, real) for alias in node.names)
        else:
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = [*base, *(node.module or "").split(".")] if node.module else base
            dotted = ".".join(origin)
            if dotted == "abq_data_entry":
                yield from ((f"{dotted}.{alias.name}", real) for alias in node.names)
            else:
                yield dotted, real


def packages_of(name: str, path: Path, *, types_too: bool = True) -> set[str]:
    """The subpackages and modules of ours that a module imports."""
    found = {each for each, real in imported(name, path) if real or types_too}
    return {each.split(".")[1] for each in found if each.startswith("abq_data_entry.")}


def module_graph() -> dict[str, set[str]]:
    """The modules that each module imports: at the top, for types only, and inside functions."""
    paths = {name.removesuffix(".__init__"): (name, path) for _, name, path in modules()}
    graph: dict[str, set[str]] = {}
    for module, (name, path) in paths.items():
        package = name.split(".")[:-1]
        found: set[str] = set()
        for node, _ in statements(path):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            else:
                base = package[: len(package) - node.level + 1] if node.level else []
                origin = ".".join([*base, *([node.module] if node.module else [])])
                named = {f"{origin}.{alias.name}" for alias in node.names}
                found |= (named & paths.keys()) or {origin}
        graph[module] = found & paths.keys() - {module}
    return graph


def in_circles(graph: dict[str, set[str]]) -> set[str]:
    """The modules from which imports lead back to themselves."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            new = graph[waiting.pop()] - found
            found |= new
            waiting.extend(new)
        return found

    return {module for module in graph if module in reached(module)}


def test_no_circles() -> None:
    graph = module_graph()
    circles = {each.removeprefix("abq_data_entry.") for each in in_circles(graph)}
    wrong = {f"{each} -> {', '.join(sorted(graph[f'abq_data_entry.{each}']))}" for each in circles}
    assert not wrong, "\n".join(sorted(wrong))


def test_a_circle_is_found() -> None:
    assert in_circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == {"b", "c"}


def test_the_map_of_packages_is_complete() -> None:
    known = {*BELOW, "application", "commands", "demo", "__main__", "__init__", "images", "py.typed", "bundled", "py"}
    assert {package for package in PACKAGES if not package.startswith(".")} <= known


@pytest.mark.parametrize("package", sorted(BELOW))
def test_imports_point_down(package: str) -> None:
    wrong = {
        f"{name} imports {other}"
        for own, name, path in modules()
        if own == package
        for other in packages_of(name, path) - {package, *BELOW[package]}
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_nobody_below_knows_the_application() -> None:
    above = {"application", "commands", "demo", "__main__"}
    wrong = {
        f"{name} imports {other}"
        for package, name, path in modules()
        if package not in above
        for other in packages_of(name, path) & above - BELOW.get(package, set())
    }
    assert not wrong, "\n".join(sorted(wrong))


@pytest.mark.parametrize("package", WITHOUT_TK)
def test_packages_below_the_tk_line_never_import_tkinter(package: str) -> None:
    # `commands/window.py` opens the window, and nothing else: the one door from the command line upwards.
    wrong = {
        name
        for own, name, path in modules()
        if own == package and name != "abq_data_entry.commands.window"
        for module, _ in imported(name, path)
        if module.split(".")[0] in ("tkinter", "_tkinter") or module.startswith("abq_data_entry.application")
    }
    assert not wrong


def modules_after(statement: str) -> set[str]:
    """What a fresh Python has imported after the statement."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import abq_data_entry.__main__",
        "import abq_data_entry.application.window, abq_data_entry.views",
        "import abq_data_entry.models, abq_data_entry.network, abq_data_entry.outbox, abq_data_entry.postgres",
    ],
)
def test_the_start_imports_nothing_heavy(statement: str) -> None:
    heavy = {"requests", "urllib3", "PIL", "keyring", "psycopg2", "defusedxml", "platformdirs", "pyftpdlib", "ftplib"}
    heavy |= {"sqlite3", "filelock", "matplotlib", "numpy"}
    assert not heavy & modules_after(statement)


def test_the_window_starts_without_what_costs_milliseconds() -> None:
    # Each of these takes 1 to 5 ms of a start that may take 2.5 times that of a bare window (python3 -m benchmarks).
    costly = {"dataclasses", "inspect", "secrets", "hashlib", "calendar", "subprocess", "logging.handlers"}
    form = "import abq_data_entry.views, abq_data_entry.application.messages, abq_data_entry.application.keys"
    window = modules_after(f"import abq_data_entry.__main__, abq_data_entry.application.window\n{form}")
    assert not costly & window - modules_after("import tkinter.ttk, decimal, json, logging, pathlib, typing")


def test_tk_is_loaded_before_what_can_be_imported_meanwhile() -> None:
    first = modules_after("import abq_data_entry.commands.window, abq_data_entry.application.interpreter")
    assert not {"tkinter", "typing", "logging", "pathlib"} & first


def test_the_window_has_its_look_before_the_form_is_imported() -> None:
    look = modules_after("import abq_data_entry.application.window")
    assert not {"abq_data_entry.views", "abq_data_entry.widgets"} & look


def test_after_the_start_what_the_tools_need_is_loaded_ahead() -> None:
    # All but SFTP, which few use.
    loaded = modules_after("from abq_data_entry.application import tools\ntools.load_network()")
    assert {"requests", "ftplib"} <= loaded and "paramiko" not in loaded


@pytest.mark.parametrize("name", ["models", "models.sql", "network.weather", "outbox", "postgres", "commands.line"])
def test_without_a_window_tkinter_is_never_loaded(name: str) -> None:
    assert not {"tkinter", "_tkinter"} & modules_after(f"import abq_data_entry.{name}")


@pytest.mark.parametrize("package", ["journal", "models", "network", "outbox", "views"])
def test_a_package_that_imports_by_need_says_which_name_it_has_not(package: str) -> None:
    module = importlib.import_module(f"abq_data_entry.{package}")
    for name in ("Nothing", "_nothing"):
        with pytest.raises(AttributeError, match=f"{package}' has no attribute '{name}'"):
            getattr(module, name)
