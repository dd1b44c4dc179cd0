"""The server programs that tests deliver to: fetched where that can be had, named where it can't."""

import os
import shutil
from pathlib import Path

import pytest

from tests import programs
from tests.network import real_servers


def test_what_no_package_brings_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(programs, "FOLDER", tmp_path / "servers")
    assert programs.provide({"no-such-server": ("abq-no-such-package",)}) == ["no-such-server"]
    if shutil.which("apt-get") and shutil.which("dpkg"):
        assert "Fetching no-such-server for the tests, 1 of 1 …\n" in capsys.readouterr().err
    assert not list(tmp_path.glob("servers/*"))


def test_without_a_package_manager_nothing_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, "FOLDER", tmp_path / "servers")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.provide({"no-such-server": ("abq-no-such-package",)}) == ["no-such-server"]
    assert not (tmp_path / "servers").exists()


@pytest.mark.parametrize("name", sorted(programs.PACKAGES))
def test_libraries_come_along(name: str) -> None:
    found = programs.find(name)
    if found is None or programs.FOLDER not in found.parents:
        pytest.skip(f"{name} wasn't unpacked")
    mine = set(os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep))  # an unpacked PostgreSQL's, for all
    folders = programs.environment(found).get("LD_LIBRARY_PATH", "").split(os.pathsep)
    assert all(Path(folder).is_relative_to(programs.FOLDER / name) for folder in folders if folder not in mine)


def test_what_loads_on_another_debian_is_loaded_there(tmp_path: Path) -> None:
    """Debian 12 builds ProFTPD's mod_delay in, Debian 13 has a file of it, and sshd's parts at an absolute path."""
    assert real_servers.loadable(tmp_path) == "LoadModule mod_tls.c"
    (tmp_path / "mod_delay.so").touch()
    assert real_servers.loadable(tmp_path).splitlines() == ["LoadModule mod_tls.c", "LoadModule mod_delay.c"]
    sshd = tmp_path / "usr/sbin/sshd"
    assert real_servers.own_parts(sshd) == []
    session = tmp_path / "usr/lib/openssh/sshd-session"
    session.parent.mkdir(parents=True)
    session.touch()
    assert real_servers.own_parts(sshd) == [f"SshdSessionPath {session}"]
