"""The recipes of docs/architecture.md: their steps are done in a copy of the package, and a script uses the result."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = ROOT / "docs/architecture.md"
_STEP = re.compile(
    r"`(?P<file>[\w./]+)`, (?P<how>new file|(?:before|after|in place of) the line `(?P<line>[^`]+)`):\n\n"
    r"(?P<indent> *)```(?:python|sql)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_COPY = re.compile(r"Copy `(?P<source>[\w./]+)` to `(?P<target>[\w./]+)`")


class Step(NamedTuple):
    """Lines that go into a file: before, after or in place of the line that begins so; or a new file."""

    file: str
    how: str
    line: str
    text: str


def section(title: str) -> str:
    """The recipe of that heading."""
    _, _, below = ARCHITECTURE.read_text("utf-8").partition(f"### Recipe: {title}\n")
    assert below, f"architecture.md has no recipe for {title}"
    return re.split(r"^##", below, maxsplit=1, flags=re.MULTILINE)[0]


def steps(title: str) -> list[Step]:
    """What a recipe changes in files."""
    found = [
        Step(each["file"], each["how"].split(" the line")[0], each["line"] or "", _dedented(each))
        for each in _STEP.finditer(section(title))
    ]
    assert found or _COPY.search(section(title)), f"the recipe for {title} changes nothing"
    return found


def copy_of_the_package(folder: Path, title: str) -> Path:
    """A copy of the package and of create_db.sql in which the recipe's steps were done."""
    made = folder / "copy"
    shutil.copytree(ROOT / "abq_data_entry", made / "abq_data_entry", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "create_db.sql", made)
    for copied in _COPY.finditer(section(title)):
        shutil.copy(ROOT / copied["source"], made / copied["target"])
    for step in steps(title):
        _do(step, made / step.file)
    return made


def use(copy: Path, script: str, folder: Path, *arguments: str, display: str = "") -> None:
    """Run a script of tests/ with the copy in place of the package, with settings and data of its own."""
    own = folder / "own"
    own.mkdir(exist_ok=True)
    # The copy comes first: the tests' own helpers then use its package.
    places = {"PYTHONPATH": os.pathsep.join((str(copy), str(ROOT))), "DISPLAY": display}
    folders = {"ABQ_DATA_DIR": str(own / "data"), "ABQ_CONFIG_DIR": str(own / "configuration")}
    done = subprocess.run(
        [sys.executable, "-c", f"import runpy; runpy.run_module('tests.{script}', run_name='__main__')", *arguments],
        cwd=folder,
        env={**os.environ, **places, **folders},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _dedented(step: re.Match[str]) -> str:
    """The lines as they stand in the file: the block is indented with its list."""
    return "".join(line.removeprefix(step["indent"]) for line in step["text"].splitlines(keepends=True))


def _do(step: Step, path: Path) -> None:
    if step.how == "new file":
        assert not path.exists(), f"{step.file} is there already"
        path.write_text(step.text, "utf-8")
        return
    lines = path.read_text("utf-8").splitlines(keepends=True)
    beginning = step.line.removesuffix("…").strip()
    whole = beginning == step.line.strip()
    at = [
        number
        for number, line in enumerate(lines)
        if (line.strip() == beginning if whole else line.strip().startswith(beginning))
    ]
    assert len(at) == 1, f"{step.file} has {len(at)} lines {step.line!r}"
    if step.how == "in place of":
        lost = set(re.findall(r"\w+", lines[at[0]])) - set(re.findall(r"\w+", step.text))
        assert not lost, f"the recipe drops {lost} from {step.file}, which was added there since"
        lines[at[0]] = step.text
    else:
        lines.insert(at[0] + (step.how == "after"), step.text)
    path.write_text("".join(lines), "utf-8")
