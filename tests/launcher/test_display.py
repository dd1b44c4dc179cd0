"""The virtual display: a window can be opened, two at once don't meet, and none outlives its owner."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from abq_data_entry.launcher import display as displays
from abq_data_entry.launcher.display import DisplayError, VirtualDisplay

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="virtual displays are X11's")
PATIENCE = 30.0

# A program with a display of its own; tells its name and the process ids of its two servers, then waits.
_OWNER = """
import sys
sys.path.insert(0, sys.argv[1])
from abq_data_entry.launcher.display import VirtualDisplay
with VirtualDisplay() as display:
    print(display.name, *(process.pid for process in display._running), flush=True)
    sys.stdin.read()
"""
# Asks the window manager for the focus, which only comes when there is one.
_WINDOW = """
import tkinter
window = tkinter.Tk()
entry = tkinter.Entry(window)
entry.pack()
window.after(20000, window.destroy)
entry.bind("<FocusIn>", lambda event: (print("focus"), window.destroy()))
entry.focus_force()
window.mainloop()
"""


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while any(map(_is_running, pids)):
        assert time.monotonic() < deadline, f"still running: {[pid for pid in pids if _is_running(pid)]}"
        time.sleep(0.01)


def test_two_displays_at_once_each_show_a_window(display: str) -> None:
    with VirtualDisplay() as first, VirtualDisplay(800, 600) as second:
        assert len({display, first.name, second.name}) == 3
        for each in (first, second):
            command = [sys.executable, "-c", _WINDOW]
            shown = subprocess.run(command, env=each.environment(), capture_output=True, text=True, check=False)
            assert shown.stdout == "focus\n", shown.stderr
        pids = [process.pid for each in (first, second) for process in each._running]
        assert len(pids) == 4
    _wait_until_gone(pids)


def test_it_changes_nothing_in_this_process(display: str) -> None:
    before = dict(os.environ)
    with VirtualDisplay() as own:
        assert own.environment()["DISPLAY"] == own.name
        assert dict(os.environ) == before


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda way: way.name)
def test_it_ends_with_its_owner_and_leaves_nothing(display: str, way: signal.Signals, tmp_path: Path) -> None:
    root = str(Path(displays.__file__).parent.parent)
    folders = {name: str(tmp_path) for name in ("HOME", "TMPDIR")}
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, root],
        env={**os.environ, **folders},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as owner:
        assert owner.stdout is not None
        name, *pids = owner.stdout.readline().decode().split()
        servers = [int(pid) for pid in pids]
        assert name.startswith(":") and all(map(_is_running, servers))
        owner.send_signal(way)
        owner.wait(PATIENCE)
        _wait_until_gone(servers)
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_dead_server_is_no_obstacle(display: str) -> None:
    number = next(number for number in range(60, 99) if not Path(f"/tmp/.X{number}-lock").exists())
    lock = Path(f"/tmp/.X{number}-lock")
    process = subprocess.Popen(["true"])
    process.wait()
    lock.write_text(f"{process.pid:>10}\n")
    try:
        with VirtualDisplay() as own:
            assert own.name.startswith(":")
    finally:
        lock.unlink(missing_ok=True)


def test_without_xvfb_the_line_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DisplayError, match="needs Xvfb"), VirtualDisplay():
        pass


def test_a_server_that_fails_is_reported_with_its_reason(display: str) -> None:
    broken = VirtualDisplay(depth=0)
    with pytest.raises(DisplayError, match=r"Xvfb did not start: \w"), broken:
        pass
    assert not broken._running


def test_a_display_is_the_sessions_x_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":7")
    assert displays.available()
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert not displays.available()
