"""Clusters for tests that stop, kill or damage them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.postgres.home import home_in, locked
from abq_data_entry.postgres.server import stop_server


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder with a short path that everybody can enter; servers in it are stopped at the end.

    It is also the folder for temporary files and sockets, so that a killed server leaves nothing behind.
    """
    made = Path(tempfile.mkdtemp(prefix="abq-test-"))
    made.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(made))
    monkeypatch.setattr(tempfile, "tempdir", None)
    try:
        yield made
    finally:
        _stop_servers_in(made)
        shutil.rmtree(made)


def _stop_servers_in(folder: Path) -> None:
    for place, _, _ in os.walk(folder):
        if Path(place, "cluster", "PG_VERSION").exists():
            home = home_in(Path(place).parent)
            with locked(home.lock):
                stop_server(home)
            with locked(home.watcher_lock):  # nothing of it comes back once it is removed
                pass


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
