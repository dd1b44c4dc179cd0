"""``python3 -m tests`` hands arguments through, names what was skipped, and ends with pytest's closing line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.__main__ import number_of_workers, workers

from .conftest import ROOT

pytestmark = pytest.mark.needs("installation")  # runs pytest itself, with workers of its own

_SUITE = """
import pytest

def test_first(): pass

@pytest.mark.skip(reason="no moon tonight")
def test_moonless(): pass

@pytest.mark.parametrize("number", range(40))
def test_many(number): pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "test_small.py"
    path.write_text(_SUITE, "utf-8")
    return path


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return _run_plainly(f"--rootdir={ROOT}", "-c", str(ROOT / "pyproject.toml"), *arguments)


def _run_plainly(*arguments: str) -> subprocess.CompletedProcess[str]:
    # On one processor: the number of workers follows from it, and each takes a moment to start.
    alone = "os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])" if sys.platform == "linux" else "pass"
    code = f"import os, sys; {alone}; from tests.__main__ import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *arguments]
    # It may be one of several workers that runs this test; the run of its own is none.
    own = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST_ADDOPTS", "PYTEST_XDIST_"))}
    own["PYTEST_ADDOPTS"] = "-p no:hypothesispytest"  # costs more than all that these tests run
    return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False)


def test_a_selection_runs_alone_and_names_what_is_skipped(suite: Path) -> None:
    finished = _run(str(suite), "-k", "test_first or test_moonless")
    *others, last = finished.stdout.strip().splitlines()

    assert finished.returncode == 0, finished.stdout
    assert re.fullmatch(r"=+ 1 passed, 1 skipped, 40 deselected in .*=+", last)
    assert any("SKIPPED" in each and "test_moonless" in each and "no moon tonight" in each for each in others)
    assert "ruff" not in finished.stdout


def test_what_finds_nothing_to_test_is_no_success(suite: Path) -> None:
    assert _run(str(suite), "-k", "nothing_is_called_so").returncode != 0


def test_the_order_is_random_when_asked_for(suite: Path) -> None:
    def order(*arguments: str) -> list[str]:
        return re.findall(r"(test_many\[\d+\]) PASSED", _run(str(suite), "-v", *arguments).stdout)

    written, shuffled = order(), order("--random-order")
    assert written == [f"test_many[{number}]" for number in range(40)]
    assert shuffled != written
    assert sorted(shuffled) == sorted(written)


_SHARING = """
import pathlib
import pytest

@pytest.fixture(scope="module")
def shared(): pathlib.Path(__file__).with_name("made").open("x").close()  # only once, at one worker

@pytest.mark.parametrize("number", range(4))
def test_one_worker(shared, number): pass
"""
_CRASHING = """
import os
import pytest

@pytest.fixture(scope="module")
def shared(): return 1

def test_before(shared): pass

def test_crash(shared): os._exit(3)

@pytest.mark.parametrize("number", range(4))
def test_after(shared, number): pass
"""


@pytest.mark.parametrize("order", [(), ("--random-order",)], ids=["longest first", "random"])
@pytest.mark.takes(10)
def test_a_worker_that_crashes_fails_its_test_alone(tmp_path: Path, order: tuple[str, ...]) -> None:
    (tmp_path / "test_sharing.py").write_text(_SHARING, "utf-8")
    (tmp_path / "test_crashing.py").write_text(_CRASHING, "utf-8")

    finished = _run("-p", "tests.workers", "-n", "2", *order, str(tmp_path))
    *others, last = finished.stdout.strip().splitlines()

    assert finished.returncode == 1
    assert re.fullmatch(r"=+ 1 failed, 9 passed in .*=+", last), finished.stdout
    assert any(re.match(r"FAILED \S*test_crashing\.py::test_crash( |$)", each) for each in others), finished.stdout


_LONG = """
import pathlib, pytest

def note(name):
    with pathlib.Path(__file__).with_name("order").open("a") as file:
        print(name, file=file)

@pytest.mark.parametrize("number", range(5))
def test_short(number): note("short")

@pytest.mark.takes(20)
def test_long(): note("long")
"""


@pytest.mark.parametrize("order", [(), ("--random-order",)], ids=["longest first", "random"])
def test_what_is_marked_as_long_begins_first(tmp_path: Path, order: tuple[str, ...]) -> None:
    (tmp_path / "test_order.py").write_text(_LONG, "utf-8")

    untimed = ("-p", "no:cacheprovider")
    finished = _run("-p", "tests.workers", *untimed, "-n", "1", *order, str(tmp_path))

    assert finished.returncode == 0, finished.stdout
    assert (tmp_path / "order").read_text().split() == ["long", *["short"] * 5]


def test_what_shares_a_fixture_of_its_file_or_folder_stays_with_one_worker(tmp_path: Path) -> None:
    (tmp_path / "test_sharing.py").write_text(_SHARING, "utf-8")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "__init__.py").touch()
    fixture, test = _SHARING.replace("module", "package").split("@pytest.mark")
    (folder / "conftest.py").write_text(fixture, "utf-8")
    for name in ("test_one.py", "test_other.py"):
        (folder / name).write_text(f"import pytest\n\n@pytest.mark{test}", "utf-8")

    finished = _run("-p", "tests.workers", "-n", "2", str(tmp_path))

    assert finished.returncode == 0, finished.stdout
    assert " 12 passed in " in finished.stdout, finished.stdout
    assert "test_sharing.py@" not in finished.stdout  # by the names that people know


_SENSITIVE = """
import os

def test_sensitive(): assert "PYTEST_XDIST_WORKER" not in os.environ

def test_other(): pass
"""


@pytest.mark.takes(10)
@pytest.mark.parametrize("broken", [False, True])
def test_what_fails_beside_others_runs_once_more_alone(tmp_path: Path, broken: bool) -> None:
    (tmp_path / "test_sensitive.py").write_text(_SENSITIVE, "utf-8")
    if broken:
        (tmp_path / "test_broken.py").write_text("def test_broken(): assert False", "utf-8")

    finished = _run_plainly(str(tmp_path))
    first, alone = finished.stdout.split("Once more, alone")

    assert "FAILED" in first and "test_sensitive.py::test_sensitive" in first
    assert finished.returncode == (1 if broken else 0), finished.stdout
    assert re.search(r"=+ 1 failed, 1 passed in .*=+" if broken else r"=+ 1 passed.* in .*=+", alone), finished.stdout


def test_workers_are_for_what_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    several = ["-n", str(number_of_workers(len(os.sched_getaffinity(0))))] if sys.platform == "linux" else workers([])

    for much in ([], ["-x"], ["-m", "not demo"], ["tests/models"], ["tests/test_dates.py", "tests/test_fields.py"]):
        assert workers(much) == several, much
        assert workers(much, 3) == ["-n", "3"], much
    for little in (
        ["-k", "keyset"],
        ["tests/test_dates.py"],
        ["tests/test_dates.py", "-x"],
        ["tests/models", "-n", "2"],
    ):
        assert workers(little) == [], little
    assert workers(["tests/test_fields.py::test_no_such"]) == workers(["--lf"]) == []
    assert [number_of_workers(cores) for cores in (1, 2, 16)] == [2, 4, 8]


def test_the_fast_part_is_what_needs_no_more_than_this_process() -> None:
    rooms = {
        "tests/test_fields.py": "all",
        "tests/models/test_saving.py": "none",
        "tests/window/test_form.py": "none",
        "tests/network/test_slow.py": "none",  # no fixture says so: its functions start servers
        "tests/launcher/test_wheel.py": "none",
        "tests/network/test_rest.py": "some",
    }
    finished = _run("--collect-only", "-q", "--fast", *rooms)
    quick = [name.partition("::")[0] for name in finished.stdout.splitlines() if "::" in name]

    assert {room for room, part in rooms.items() if part != "none"} == set(quick), finished.stdout
    assert "test_bad_addresses_are_refused" in finished.stdout
    assert "test_an_interim_answer_alone_is_no_success" not in finished.stdout


def test_a_connection_in_the_fast_part_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "test_small.py"
    path.write_text("import socket\n\ndef test_it(): socket.socket().bind(('127.0.0.1', 0))\n", "utf-8")

    assert _run(str(path)).returncode == 0
    finished = _run("-p", "tests.needs", "--fast", str(path))

    assert finished.returncode == 1
    assert "needs the network, which tests/needs.py doesn't know" in finished.stdout


def test_the_part_of_the_ordinary_user_is_there_and_has_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (part,) = re.findall(r"^part=\((.*)\)$", (ROOT / ".ci/run").read_text("utf-8"), re.MULTILINE)
    assert [path for path in part.split() if not (ROOT / path).exists()] == []
    assert workers(part.split()) != []
