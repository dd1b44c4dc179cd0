"""The demo, played once from end to end without a display, as the wheel installs it: its pictures, files and report.

About half a minute; `-m "not demo"` leaves it out.
"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from abq_data_entry.demo import DemoFailed
from abq_data_entry.demo.day import MARKER, results_folder
from abq_data_entry.fields import CSV_HEADER
from abq_data_entry.launcher.display import DisplayError, VirtualDisplay

CHECKOUT = Path(__file__).resolve().parents[1]
PATIENCE = 250.0
PICTURES = [
    "01-ready", "02-typing", "03-out-of-range", "04-fault", "05-check-complete", "06-weather", "07-login-rest",
    "08-dialog-login", "09-delivered-rest", "10-login-ftp", "11-delivered-ftp", "12-dark", "13-evening",
    "14-dialog-history", "15-dialog-withdraw", "16-dialog-move", "17-dialog-move-check", "18-dialog-correct-many",
    "19-dialog-withdrawn", "20-dialog-deliveries", "21-dialog-waiting", "22-dialog-connections",
    "23-dialog-administration", "24-dialog-plot", "25-dialog-keys", "26-dialog-about", "27-dialog-conflict",
]  # fmt: skip

without_virtual_display = pytest.mark.skipif(sys.platform != "linux", reason="a display of its own is Linux's Xvfb")


@dataclass(frozen=True)
class Played:
    """A demo that has ended: what it said, the folder of its results, and the folders that it may not have used."""

    code: int
    output: str
    errors: str
    folder: Path
    home: Path

    @property
    def extract(self) -> str:
        """The name of the day's extract; the day is the one of the report, should it have ended since."""
        name = next(path.name for path in (self.folder / "extract").iterdir())
        assert name.startswith("abq_data_record_")
        return name


def _start(command: list[str], folder: Path, home: Path) -> subprocess.Popen[str]:
    """Run a command in the folder, without a display, a checkout or settings of its own."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "ABQ_DATA_DIR", "ABQ_CONFIG_DIR", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    variables = {name: text for name, text in os.environ.items() if name not in hidden}
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**variables, "ABQ_DATA_DIR": str(home / "data"), "ABQ_CONFIG_DIR": str(home / "config"),
             "TMPDIR": str(home / "tmp")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a place for temporary files that everybody can enter; skips where no display can be had."""
    try:
        with VirtualDisplay():
            pass
    except DisplayError as error:
        pytest.skip(str(error))
    made = tmp_path_factory.mktemp("demo")
    (made / "tmp").mkdir()
    (made / "tmp").chmod(0o1777)
    return made


@pytest.fixture(scope="module")
def played(workspace: Path, installed_programs: Path) -> Iterator[Played]:
    """The demo of the installed command, played in an empty folder, once for all tests of this module."""
    empty = workspace / "empty"
    empty.mkdir()
    process = _start([str(installed_programs / "abq-data-entry"), "demo"], empty, workspace)
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    yield Played(process.returncode, output, errors, empty / "demo", workspace)


@pytest.mark.demo
@pytest.mark.takes(30)
@pytest.mark.needs("installation")
@pytest.mark.xdist_group("wheel")
@without_virtual_display
class TestPlayed:
    """What a demo leaves."""

    def test_it_comes_true_and_tells_so_in_a_few_lines(self, played: Played) -> None:
        assert (played.code, played.errors) == (0, ""), played
        assert "20 plots typed in by " in played.output
        assert "SELECT * FROM local_weather" in played.output
        assert str(played.folder) in played.output.splitlines()[-1]
        assert len(played.output.splitlines()) < 40

    def test_the_pictures_show_something(self, played: Played) -> None:
        files = sorted(played.folder.glob("*.png"))
        assert [file.stem for file in files] == PICTURES
        for file in files:
            with Image.open(file) as picture:
                assert picture.format == "PNG"
                smallest = (200, 100) if "dialog" in file.stem else (900, 700)
                assert picture.width > smallest[0] and picture.height > smallest[1]
                assert picture.convert("RGB").getcolors(maxcolors=30) is None, f"{file.name} is blank"
        with Image.open(played.folder / "12-dark.png") as dark, Image.open(played.folder / "13-evening.png") as light:
            assert _brightness(dark) + 100 < _brightness(light)

    def test_all_deliveries_equal_the_extract(self, played: Played) -> None:
        delivered = [(played.folder / way / played.extract).read_bytes() for way in ("extract", "rest", "ftp", "share")]
        assert len(set(delivered)) == 1
        header, *rows = list(csv.reader(delivered[0].decode().splitlines()))
        assert tuple(header) == tuple(CSV_HEADER)
        assert [row[4] for row in rows] == [str(plot) for plot in range(1, 21)]
        assert [row[4] for row in rows if row[9] == "true"] == ["7"]

    def test_the_report(self, played: Played) -> None:
        report = (played.folder / "report.md").read_text(encoding="utf-8")
        for name in PICTURES:
            assert f"({name}.png)" in report
        assert "(psql (PostgreSQL)" in report
        assert "(1 row)" in report
        assert "(20 rows)" in report
        assert "Sensor cable loose" in report

    def test_nothing_else_is_touched_or_left(self, played: Played) -> None:
        assert [path.name for path in played.folder.parent.iterdir()] == ["demo"]
        assert list((played.home / "tmp").iterdir()) == []
        assert not (played.home / "config").exists()
        assert [path.name for path in (played.home / "data").iterdir()] == ["log"]


@pytest.mark.demo
@without_virtual_display
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_all_that_was_started(number: signal.Signals, workspace: Path) -> None:
    command = [sys.executable, "-m", "abq_data_entry", "demo", "--folder", str(workspace / "interrupted")]
    process = _start(command, CHECKOUT, workspace)
    try:
        _wait_for(lambda: list((workspace / "tmp").glob("abq-demo-*/data/postgres/cluster/postmaster.pid")))
        process.send_signal(number)
        output, errors = process.communicate(timeout=PATIENCE)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert (process.returncode, errors) == (1, "Interrupted.\n"), output
    assert list((workspace / "tmp").iterdir()) == []
    _wait_for(lambda: not _processes_of(workspace))  # one of the server's own may end a moment after it


def _wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def _processes_of(workspace: Path) -> list[str]:
    """The command lines that name our folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(workspace) in text:
            found.append(text)
    return found


def _brightness(picture: Image.Image) -> float:
    histogram = picture.convert("L").histogram()
    return sum(value * count for value, count in enumerate(histogram)) / sum(histogram)


def test_results_replace_those_of_an_earlier_demo(tmp_path: Path) -> None:
    first = results_folder(tmp_path / "demo")
    (first / "01-old.png").write_bytes(b"")
    assert results_folder(tmp_path / "demo") == first
    assert [path.name for path in first.iterdir()] == [MARKER]


def test_results_leave_a_folder_of_somebody_else_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "demo-2").write_text("a file", encoding="utf-8")
    assert results_folder(tmp_path / "demo") == tmp_path / "demo-3"
    assert (tmp_path / "demo" / "mine.txt").read_text(encoding="utf-8") == "mine"


def test_results_follow_no_link(tmp_path: Path) -> None:
    results_folder(tmp_path / "elsewhere")
    (tmp_path / "demo").symlink_to(tmp_path / "elsewhere")
    assert results_folder(tmp_path / "demo") == tmp_path / "demo-2"
    assert (tmp_path / "elsewhere" / MARKER).is_file()


def test_results_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DemoFailed, match="--folder"):
        results_folder(tmp_path / "file" / "demo")
