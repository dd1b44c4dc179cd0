"""The entry in the desktop's menu: made, started from, removed. Windows and macOS as far as they can be had here."""

from __future__ import annotations

import configparser
import plistlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from abq_data_entry import shortcuts
from abq_data_entry.commands.line import run

linux = pytest.mark.skipif(sys.platform != "linux", reason="the menu of a Linux desktop")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This user's data folder, where desktops look for programs."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def started_by(entry: Path) -> list[str]:
    """The program and arguments of the entry, read as the specification says."""
    reader = configparser.RawConfigParser()
    reader.optionxform = str  # type: ignore[assignment,method-assign]
    reader.read(entry, encoding="utf-8")
    text = reader["Desktop Entry"]["Exec"].replace("\\\\", "\\")
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    return [re.sub(r"\\(.)", r"\1", each).replace("%%", "%") for each in quoted]


@linux
def test_made_and_removed_by_the_command(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = data / "applications/abq-data-entry.desktop"
    assert run(["desktop", "remove"]) == 0
    assert capsys.readouterr().out == "There was no entry.\n"
    for _ in range(2):  # also in place of an earlier one
        assert run(["desktop", "install"]) == 0
        assert capsys.readouterr().out == f"{entry}\n"
    assert shortcuts.is_installed()
    with Image.open(data / "icons/hicolor/48x48/apps/abq-data-entry.png") as icon:
        assert icon.size == (48, 48)
    assert run(["desktop", "remove"]) == 0
    left = {path.name for path in data.rglob("*") if path.is_file()}
    assert left <= {"mimeinfo.cache"}  # the desktop's own


@linux
def test_what_the_entry_starts_is_this_application(data: Path) -> None:
    shortcuts.install()
    command = started_by(data / "applications/abq-data-entry.desktop")
    assert all(Path(each).is_absolute() for each in command)
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.startswith("abq-data-entry ")


@linux
@pytest.mark.parametrize("folder", ["a b", 'say "no"', "50 %", "back\\slash", "$HOME `id`", "Müllers Labor", "it's"])
def test_any_folder_stands_in_the_entry(data: Path, folder: str) -> None:
    command = [f"/srv/{folder}/python", "/srv/abq_data_entry.py"]
    (entry,) = shortcuts.install(command)
    assert started_by(entry) == command


@linux
def test_the_entry_is_valid(data: Path) -> None:
    if shutil.which("desktop-file-validate") is None:
        pytest.skip("desktop-file-validate isn't here (Debian's package desktop-file-utils)")
    (entry,) = shortcuts.install()
    assert subprocess.run(["desktop-file-validate", entry], capture_output=True, text=True).stdout == ""


@linux
def test_a_folder_that_cannot_be_written_is_reported(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "applications").write_text("a file")
    assert run(["desktop", "install"]) == 1
    assert "could not be made" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="its program is a shell script")
def test_the_bundle_of_a_mac(data: Path) -> None:
    """Made here, where it can't be opened: its facts, its icon, and that its program starts the command."""
    bundle = shortcuts._install_on_mac([sys.executable, "-c", "print('it\\'s me')"])
    facts = plistlib.loads((bundle / "Contents/Info.plist").read_bytes())
    program = bundle / "Contents/MacOS" / facts["CFBundleExecutable"]
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "it's me\n"
    with Image.open(bundle / f"Contents/Resources/{facts['CFBundleIconFile']}.icns") as icon:
        assert icon.size[0] >= 256
