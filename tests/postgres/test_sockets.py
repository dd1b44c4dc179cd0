"""The folder of the socket: ours alone, short, and never somebody else's."""

import os
import tempfile
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.postgres import cluster as homes
from abq_data_entry.postgres.cluster import Home, home_in, socket_folder

from .processes import ROOT


@pytest.fixture
def home(folder: Path) -> Home:
    return home_in(folder / "data")


@pytest.fixture
def place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder like /tmp in which nothing lies yet."""
    made = folder / "tmp"
    made.mkdir()
    made.chmod(0o1777)
    monkeypatch.setattr(homes, "_places", lambda: [made])
    return made


def test_the_same_each_time(home: Home, place: Path) -> None:
    first = socket_folder(home)
    assert first.parent == place
    assert first.stat().st_mode & 0o777 == 0o700
    assert first.stat().st_uid == home.account.uid
    assert socket_folder(home) == first


def test_link_of_the_expected_name(home: Home, place: Path, folder: Path) -> None:
    expected = socket_folder(home)
    expected.rmdir()
    trap = folder / "trap"
    trap.mkdir(mode=0o700)
    home.account.own(trap)
    expected.symlink_to(trap)
    assert socket_folder(home) != expected
    assert not list(trap.iterdir())


def test_open_folder_of_the_expected_name(home: Home, place: Path) -> None:
    expected = socket_folder(home)
    expected.chmod(0o777)
    assert socket_folder(home) != expected


@pytest.mark.skipif(not ROOT, reason="only root can give a folder to another user")
def test_folder_of_somebody_else(home: Home, place: Path) -> None:
    expected = socket_folder(home)
    os.chown(expected, 12345, 12345)
    assert socket_folder(home) != expected


def test_a_server_starts_beside_a_trap(data_folder: Path, place: Path) -> None:
    home = home_in(data_folder)
    expected = socket_folder(home)
    expected.rmdir()
    expected.symlink_to("/nowhere")
    server = postgres.start(data_folder)
    assert Path(server.endpoint()["host"]) != expected
    server.stop()


@pytest.mark.parametrize("unsuitable", ["long", "comma", "open to all", "missing"])
def test_unsuitable_temporary_folder(
    home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch, unsuitable: str
) -> None:
    place = folder / {"long": "x" * 90, "comma": "a,b"}.get(unsuitable, "tmp")
    if unsuitable != "missing":
        place.mkdir()
        place.chmod(0o777 if unsuitable == "open to all" else 0o755)
    monkeypatch.setattr(homes, "_places", lambda: [place, folder])
    assert socket_folder(home).parent == folder


def test_the_temporary_folder_comes_first() -> None:
    assert homes._places()[0] == Path(tempfile.gettempdir())


def test_no_place_at_all(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "_places", lambda: [Path("/nowhere")])
    with pytest.raises(postgres.PostgresError, match="TMPDIR"):
        socket_folder(home)
