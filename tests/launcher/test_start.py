"""What the launcher says before there is anything to start."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from abq_data_entry.launcher import interpreters, quick_check, start, system_packages
from abq_data_entry.launcher.display import NO_DISPLAY
from abq_data_entry.launcher.interpreters import Interpreter
from abq_data_entry.launcher.virtualenv import base_executable

from .conftest import ROOT, Checkout


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_a_plain_start_without_a_display_names_what_works(checkout: Checkout) -> None:
    started = checkout.start()

    assert (started.returncode, started.stdout, started.stderr) == (1, "", NO_DISPLAY + "\n")
    assert "demo" in NO_DISPLAY and "weather" in NO_DISPLAY and "\n" not in NO_DISPLAY
    assert not (checkout.folder / ".venv").exists()


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["db", "init", "--help"], ["upload", "rest", "-h"]])
def test_help_and_version_need_no_set_up(words: list[str], tmp_path: Path) -> None:
    """In a whole checkout, by a Python that has none of the packages."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "abq_data_entry", folder / "abq_data_entry", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("abq_data_entry.py", "pyproject.toml", "requirements.lock", "requirements-build.lock"):
        shutil.copy(ROOT / name, folder)
    command = [base_executable(), "-I", "-S", str(folder / "abq_data_entry.py"), *words]
    said = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    assert (said.returncode, said.stderr) == (0, "")
    assert "usage: abq-data-entry" in said.stdout or said.stdout.startswith("abq-data-entry ")
    assert not (folder / ".venv").exists()


def test_the_launcher_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from abq_data_entry.launcher import start, interpreters, system_packages, virtualenv\n"
        "from abq_data_entry.launcher import display\n"
        "ours = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "print(sorted(ours), [name for name in sys.modules if name.startswith('tkinter')])"
    )
    command = [sys.executable, "-S", "-E", "-c", code, str(ROOT)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)

    assert finished.stdout.split("] ")[0].strip("[") in ("'__main__', 'abq_data_entry'", "'abq_data_entry'")
    assert finished.stdout.strip().endswith("[]")


def test_a_python_that_is_too_old_hands_over_or_says_so(checkout: Checkout) -> None:
    pyenv = sorted(Path.home().glob(".pyenv/versions/3.[6-9].*/bin/python3"))
    names = [*(f"python3.{minor}" for minor in (9, 8, 7, 6)), *map(str, pyenv)]
    old = next((name for name in names if _runs(name)), None)
    if old is None:
        pytest.skip("this machine has no Python older than 3.10")

    started = checkout.start(python=old, PATH="/nowhere")

    assert started.returncode == 1
    assert "too old" in started.stderr or "needs Python 3.10 or newer" in started.stderr
    assert "Traceback" not in started.stderr


@pytest.mark.parametrize("other_is_there", [True, False])
def test_a_python_without_tk_hands_over_to_another_one_with_it(
    other_is_there: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The choice alone; which Pythons a machine has is a stand-in here."""
    other = Interpreter("/opt/python3.12", "cpython-312 /opt", (3, 12), has_tk=True, has_venv=True)
    commands: list[list[str]] = []
    installed: list[list[str]] = []
    monkeypatch.setenv(quick_check.ASKED_PYTHON, "")
    monkeypatch.setattr(interpreters, "missing_parts", lambda tk: [] if installed else ["tkinter"])
    monkeypatch.setattr(interpreters, "find_other", lambda tk: other if other_is_there else None)
    monkeypatch.setattr(system_packages, "provide", installed.append)
    monkeypatch.setattr(start, "_replace", lambda command: commands.append(command) or 5)  # type: ignore[func-returns-value]

    code = start._provide(["abq_data_entry.py", "demo"], tk=True, tools=[], optional_tools=["no such program"])

    if other_is_there:
        assert (code, commands, installed) == (5, [["/opt/python3.12", "abq_data_entry.py", "demo"]], [])
        assert "has no tkinter: using Python 3.12 (/opt/python3.12)" in capsys.readouterr().err
    else:
        assert (code, commands, installed) == (None, [], [["tkinter", "no such program"]])


def test_this_python_is_found_out_about() -> None:
    found = interpreters.probe(sys.executable)
    assert found is not None
    assert (found.version, found.identity) == (sys.version_info[:2], quick_check.this_python())
    assert found.has_tk is not bool(interpreters.missing_parts(tk=True))
    assert interpreters.probe("/bin/true") is None


def _runs(name: str) -> bool:
    path = shutil.which(name)
    return path is not None and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0
