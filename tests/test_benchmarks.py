"""The benchmarks keep working: one group of each kind in its tiniest size."""

import ast
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from abq_data_entry.launcher.display import TOOLS
from abq_data_entry.outbox import Outbox
from benchmarks import groups, mutations
from benchmarks.options import forget_earlier_windows
from tests.outbox.conftest import DATE, REST, Extract

CHECKOUT = Path(__file__).resolve().parent.parent
# As `python3 -m benchmarks` goes on inside .venv, without a look whether .venv fits.
_RUN = "import sys\nfrom benchmarks.command import run\nif __name__ == '__main__':\n    sys.exit(run(sys.argv[1:]))\n"


TRIED = "start,save,uploads,outbox,kills"
"""One of each kind: windows, a database that is filled, foreign programs, the outbox, and processes that are killed."""


@pytest.mark.parametrize("name", groups.GROUPS)
def test_each_group_is_there(name: str) -> None:
    module, function = groups.GROUPS[name]
    measure = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    assert list(inspect.signature(measure).parameters) == ["options"]


def test_no_group_meets_what_an_earlier_one_left(tmp_path: Path) -> None:
    """Whose windows share a folder: a delivery that waits there would be offered by the next."""
    Outbox(tmp_path / "outbox").add(Extract(), DATE, REST, "lab")
    forget_earlier_windows(tmp_path)
    assert list(Outbox(tmp_path / "outbox").deliveries()) == []


@pytest.mark.needs("window", "server", "network")
@pytest.mark.takes(40)
@pytest.mark.timeout(540)
@pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks bring an X display")
@pytest.mark.skipif(any(shutil.which(tool) is None for tool in TOOLS), reason="the benchmarks need Xvfb and openbox")
def test_the_table_is_printed_with_a_measurement_for_every_limit(tmp_path: Path) -> None:
    """Exit code 0 whatever the numbers are, and nothing that fell over. All groups: `python3 -m benchmarks --quick`."""
    program = tmp_path / "run.py"
    program.write_text(_RUN, "utf-8")
    done = subprocess.run(
        [sys.executable, str(program), "--quick", "--runs", "1", "--patience", "300", "--only", TRIED],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    table = done.stdout
    for limit in ("2.50 ×", "50.0 ms", "1.25 ×", "1.60 ×", "5.00 ms", "0.00 files"):  # windows, uploads, the outbox
        assert limit in table, table
    missing = [line for line in table.splitlines() if "not measured" in line]
    # The launcher, where .venv wasn't made by it; programs that this machine doesn't have.
    assert all(re.search(r"never started here|(?:is|are) missing", line) for line in missing), f"{table}\n{done.stderr}"
    assert "Traceback" not in done.stderr


@pytest.mark.needs("window")
@pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks bring an X display")
@pytest.mark.skipif(any(shutil.which(tool) is None for tool in TOOLS), reason="the benchmarks need Xvfb and openbox")
def test_what_else_is_in_the_folder_asked_for_stays(tmp_path: Path) -> None:
    own = tmp_path / "journal" / "own"
    own.parent.mkdir()
    own.touch()
    program = tmp_path / "run.py"
    program.write_text(_RUN, "utf-8")
    words = ["--quick", "--only", "launcher", "--folder", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    subprocess.run([sys.executable, str(program), *words], cwd=CHECKOUT, env=environment, check=True, timeout=100)
    assert own.exists() and (tmp_path / "abq-benchmark").is_dir()


_COMPARED = "def larger(left: int, right: int) -> bool:\n    return left > right  # größer\n"


def test_a_line_is_broken_in_each_way_that_is_tried() -> None:
    broken = [each.applied(_COMPARED).splitlines()[1] for each in mutations.mutations("x.py", _COMPARED)]
    assert broken == ["    return None  # größer", "    return (left <= right)  # größer"]


@pytest.mark.parametrize(
    ("line", "broken"),
    [
        ("found = len(left) > 3", ["found = (len(left) >= 3)", "found = len(left) > 4"]),  # what is counted: off by one
        ("_MOST = 50", ["_MOST = 0"]),
        ("_MOST = 2", ["_MOST = 3"]),
        ("def read(limit: int = 1000): ...", ["def read(limit: int = 0): ..."]),
        ("def read(lines: int = 1): ...", ["def read(lines: int = 2): ..."]),
        ("_MOST = 8 * 1024", ["_MOST = 0 * 1024", "_MOST = 8 * 0"]),
        ("log.info('told')", []),
        ("def tell(name): log.info('%s', name[:8])", []),
        ("(found,) = cursor.fetchone() or (0,)", []),
        ("'a text'", []),
    ],
)
def test_how_a_line_is_broken(line: str, broken: list[str]) -> None:
    assert [each.applied(line) for each in mutations.mutations("x.py", line)] == broken


def test_the_same_seed_breaks_the_same_lines() -> None:
    chosen = mutations.choose(5, 5)
    assert len(chosen) == 5 and chosen == mutations.choose(5, 5)
    for each in chosen:
        source = (CHECKOUT / each.path).read_text("utf-8")
        assert each.applied(source) != source
        ast.parse(each.applied(source))
        assert mutations.nearest(each.path, each.line)


def test_the_nearest_tests_name_the_function_of_the_line() -> None:
    """A module that only hands on has its functions tested elsewhere."""
    path = "abq_data_entry/models/sql.py"
    lines = (CHECKOUT / path).read_text("utf-8").splitlines()
    line = next(number for number, each in enumerate(lines, 1) if "return WeatherHistory(" in each)
    assert "tests/models/test_weather_history.py" in mutations.nearest(path, line)
    assert "tests/models/test_weather_history.py" not in mutations.nearest(path)
