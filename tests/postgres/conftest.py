"""Clusters for tests that stop, kill or damage them."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry import postgres
from tests.fixtures.short_folders import short_folder


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder with a short path that everybody can enter; servers in it are stopped at the end.

    It is also the folder for temporary files and sockets, so that a killed server leaves nothing behind.
    """
    with short_folder() as made:
        monkeypatch.setenv("TMPDIR", str(made))
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield made


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """A data folder with a cluster that was made once and stopped; for copies only."""
    made = Path(tempfile.mkdtemp(prefix="abq-test-"))
    try:
        postgres.start(made / "data").stop()
        with (made / "data/postgres/cluster/postgresql.conf").open("a") as settings:
            settings.write("fsync = off\n")  # no test pulls the plug
        yield made / "data"
    finally:
        shutil.rmtree(made)


@pytest.fixture
def data_folder(template: Path, folder: Path) -> Path:
    """A data folder of one's own with a cluster in it that doesn't run."""
    subprocess.run(["cp", "-a", template, folder / "data"], check=True)
    return folder / "data"
