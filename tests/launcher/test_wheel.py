"""The wheel: built, installed into an empty environment, and everything the application needs is in it.

That what it installs plays the demo is shown by tests/test_demo.py.
"""

import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from abq_data_entry.launcher.system_packages import advice
from tests.fixtures.wheel import BUNDLED

from .conftest import ROOT

pytestmark = [pytest.mark.needs("installation"), pytest.mark.xdist_group("wheel")]


def test_it_holds_the_bundled_files_and_the_icons(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name in BUNDLED:
            assert archive.read(f"abq_data_entry/bundled/{name}") == (ROOT / name).read_bytes()
    images = [path.name for path in (ROOT / "abq_data_entry/images").glob("*.*")]
    assert {f"abq_data_entry/images/{image}" for image in images} <= names
    assert "abq_data_entry/py.typed" in names
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "abq_data_entry").rglob("*.py")}
    packed = {name for name in names if name.endswith(".py") and "/bundled/" not in name}
    assert packed == modules
    assert not any(name.startswith(("tests/", "benchmarks/")) or name == "abq_data_entry.py" for name in names)


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in an empty folder, as somebody does who has no checkout, no display and no settings."""
    empty, temporary = folder / "empty", folder / "tmp"
    empty.mkdir()
    temporary.mkdir()
    temporary.chmod(0o1777)
    foreign = ("DISPLAY", "WAYLAND_DISPLAY", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    own = {name: text for name, text in os.environ.items() if name not in foreign}
    folders = {"ABQ_DATA_DIR": str(folder / "data"), "ABQ_CONFIG_DIR": str(folder / "config"), "TMPDIR": str(temporary)}
    return subprocess.run(
        command,
        cwd=empty,
        env={**own, **folders},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_installs_into_an_empty_environment(installed_programs: Path, tmp_path: Path) -> None:
    facts = _run(
        [str(installed_programs / "python"), "-c",
         "import importlib.metadata as m, abq_data_entry.folders as f\n"
         "print(m.version('abq-data-entry'), m.entry_points(name='abq-data-entry', group='console_scripts'))\n"
         "print(f.bundled_file('create_db.sql'))"],
        tmp_path,
    )  # fmt: skip
    assert facts.returncode == 0, facts.stderr
    assert facts.stdout.startswith("1.0.0 ")
    assert "abq_data_entry.__main__:run" in facts.stdout
    schema = Path(facts.stdout.splitlines()[-1])
    assert schema.is_file() and installed_programs.parent in schema.parents


@pytest.mark.parametrize(("words", "code", "said"), [
    (["--version"], 0, r"abq-data-entry 1\.0\.0\n"),
    (["--nonsense"], 2, ""),
])  # fmt: skip
def test_what_it_installs_is_the_command(
    installed_programs: Path, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    finished = _run([str(installed_programs / "abq-data-entry"), *words], tmp_path)

    assert finished.returncode == code, finished.stderr
    assert re.fullmatch(said, finished.stdout)
    assert ("usage: abq-data-entry" in finished.stderr) is (code == 2)


def test_without_tk_it_names_what_brings_it(installed_programs: Path, tmp_path: Path) -> None:
    """Debian packs Tk apart from Python: somebody who installed by pipx or uv may have none."""
    (tmp_path / "without/tkinter").mkdir(parents=True)
    (tmp_path / "without/tkinter/__init__.py").write_text("raise ImportError('none', name='_tkinter')\n")
    code = (
        "import os, sys; sys.path.insert(0, sys.argv.pop()); os.environ['DISPLAY'] = ':0'\n"
        "from abq_data_entry.__main__ import main; sys.exit(main([]))"
    )
    finished = _run([str(installed_programs / "python"), "-c", code, str(tmp_path / "without")], tmp_path)

    assert finished.returncode == 1
    assert "has no tkinter, so it can't open windows. " in finished.stderr
    assert advice(["tkinter"]) in finished.stderr
