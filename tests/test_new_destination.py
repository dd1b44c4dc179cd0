"""A new kind of destination works by its one file: WebDAV, in a copy of the package, with a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_RUN = "import runpy; runpy.run_module('tests.new_destination', run_name='__main__')"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package with one file more."""
    made = tmp_path / "copy"
    shutil.copytree(ROOT / "abq_data_entry", made / "abq_data_entry", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "create_db.sql", made)
    shutil.copy(ROOT / "tests/fixtures/webdav.py", made / "abq_data_entry/network/destinations")
    return made


def test_a_new_destination_goes_from_the_settings_to_the_receipt(copy: Path, display: str, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    # The copy comes first: the tests' own helpers then use its package.
    places = {"PYTHONPATH": os.pathsep.join((str(copy), str(ROOT))), "DISPLAY": display}
    folders = {"ABQ_DATA_DIR": str(own / "data"), "ABQ_CONFIG_DIR": str(own / "configuration")}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(own)],
        cwd=tmp_path,
        env={**os.environ, **places, **folders},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
