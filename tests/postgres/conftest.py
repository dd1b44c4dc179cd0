"""Clusters for tests that stop, kill or damage them."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.postgres.home import home_in, locked
from abq_data_entry.postgres.process import stop_server


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder with a short path that everybody can enter; servers in it are stopped at the end."""
    made = Path(tempfile.mkdtemp(prefix="abq-test-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        for cluster in made.rglob("postgres/cluster"):
            if cluster.is_dir():
                home = home_in(cluster.parent.parent)
                with locked(home.lock):
                    stop_server(home)
        shutil.rmtree(made)


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """A data folder with a cluster that was made once and stopped; for copies only."""
    made = Path(tempfile.mkdtemp(prefix="abq-test-"))
    try:
        postgres.start(made / "data").stop()
        yield made / "data"
    finally:
        shutil.rmtree(made)


@pytest.fixture
def data_folder(template: Path, folder: Path) -> Path:
    """A data folder of one's own with a cluster in it that doesn't run."""
    subprocess.run(["cp", "-a", template, folder / "data"], check=True)
    return folder / "data"
