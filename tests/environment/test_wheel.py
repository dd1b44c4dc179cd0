"""The wheel: built, installed into an empty environment, and everything the application needs is in it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .conftest import ROOT

BUNDLED = ("create_db.sql", "sample_http_server.py", "basic_ftp_server.py")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the source tree stays as it is; without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    shutil.copytree(ROOT / "abq_data_entry", source / "abq_data_entry", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", *BUNDLED):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (made,) = folder.glob("*.whl")
    return made


def test_it_holds_the_bundled_files_and_the_icons(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name in BUNDLED:
            assert archive.read(f"abq_data_entry/bundled/{name}") == (ROOT / name).read_bytes()
    images = [path.name for path in (ROOT / "abq_data_entry/images").glob("*.*")]
    assert {f"abq_data_entry/images/{image}" for image in images} <= names
    assert "abq_data_entry/py.typed" in names
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "abq_data_entry").rglob("*.py")}
    assert modules <= names
    assert not any(name.startswith(("tests/", "benchmarks/")) or name == "abq_data_entry.py" for name in names)


def test_it_installs_into_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    folder = "Scripts" if sys.platform == "win32" else "bin"
    python = environment / folder / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*install, "--disable-pip-version-check", str(wheel)], check=True)

    facts = subprocess.run(
        [str(python), "-I", "-c",
         "import importlib.metadata as m, abq_data_entry.folders as f\n"
         "print(m.version('abq-data-entry'), m.entry_points(name='abq-data-entry', group='console_scripts'))\n"
         "print(f.bundled_file('create_db.sql'))"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    ).stdout  # fmt: skip
    assert facts.startswith("1.0.0 ")
    assert "abq_data_entry.__main__:run" in facts
    assert Path(facts.splitlines()[-1]).is_file() and str(environment) in facts
    assert any((environment / folder).glob("abq-data-entry*"))
