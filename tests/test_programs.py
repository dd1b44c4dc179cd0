"""The server programs that tests deliver to: fetched where that can be had, named where it can't."""

import os
from pathlib import Path

import pytest

from tests import programs


def test_what_no_package_brings_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, "FOLDER", tmp_path / "servers")
    assert programs.provide({"no-such-server": ("abq-no-such-package",)}) == ["no-such-server"]
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
    folders = programs.environment(found).get("LD_LIBRARY_PATH", "").split(os.pathsep)
    assert all(Path(folder).is_relative_to(programs.FOLDER / name) for folder in folders if folder)
