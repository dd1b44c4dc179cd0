"""``python3 -m tests`` hands arguments through, names what was skipped, and ends with pytest's closing line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT

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
    code = "import sys; from tests.__main__ import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, f"--rootdir={ROOT}", "-c", str(ROOT / "pyproject.toml"), *arguments]
    own = {name: text for name, text in os.environ.items() if name != "PYTEST_ADDOPTS"}
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
        return re.findall(r"test_many\[\d+\]", _run(str(suite), "-v", *arguments).stdout)

    written, shuffled = order(), order("--random-order")
    assert written == [f"test_many[{number}]" for number in range(40)]
    assert shuffled != written
    assert sorted(shuffled) == sorted(written)
