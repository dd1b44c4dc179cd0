"""The window as a process of its own: killed while somebody types, and ended from its terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.store.drafts import throwaway_file
from tests.fixtures.window import Window, close, write_settings

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)


@contextmanager
def program() -> Iterator[subprocess.Popen[str]]:
    """The program as a user starts it, with its window in front."""
    command = [sys.executable, "-m", "abq_data_entry"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        found = subprocess.run(
            ["xdotool", "search", "--sync", "--onlyvisible", "--pid", str(process.pid), "--name", "ABQ Data Entry"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        number = found.stdout.split()[0]
        subprocess.run(["xdotool", "windowactivate", "--sync", number], timeout=PATIENCE, check=True)
        yield process
    finally:
        process.kill()
        process.communicate()


def typed(*keys: str) -> None:
    text = "".join(keys).replace("\n", "\r")
    subprocess.run(["xdotool", "type", "--delay", "40", text], timeout=PATIENCE, check=True)


def asked(stored: SQLModel, *words: str) -> bool:
    """Whether the last that one of the program's connections asked has any of these words, and has its answer."""
    rows = stored.query(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND state = 'idle' AND query LIKE ANY (%s)",
        [[f"%{each}%" for each in words]],
    )
    return bool(rows)


def drafts() -> str:
    with throwaway_file(Path(os.environ["ABQ_DATA_DIR"]) / "drafts").opened() as connection:
        return "".join(text for (text,) in connection.execute("SELECT content FROM drafts"))


def test_what_was_typed_survives_kill_9(
    home: Path, database: dict[str, str], stored: SQLModel, open_window: Callable[[], Window]
) -> None:
    write_settings(home, {"db_name": database["dbname"]})
    with program() as process:
        # That connection asks nothing else afterwards, so no look comes too late.
        until(lambda: asked(stored, "LISTEN"), "the lists from the database")
        # What is typed before the check is known waits for it.
        typed("8\na\n")
        typed("j\n24.09\n1.0")
        until(lambda: '"24.09"' in drafts() and '"1.0"' in drafts(), "the draft on disk")
        process.send_signal(signal.SIGKILL)
        process.wait()
    second = open_window()
    second.until(lambda: second.text(F.HUMIDITY), "the draft")
    names = (F.TIME, F.LAB, F.TECHNICIAN, F.PLOT, F.HUMIDITY, F.LIGHT)
    assert [second.text(name) for name in names] == ["8:00", "A", "J Simms", "1", "24.09", "1.0"]


def test_ctrl_c_in_the_terminal_closes_the_window(display: str, home: Path, database: dict[str, str]) -> None:
    write_settings(home, {"db_name": database["dbname"]})
    with program() as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None and process.stderr.read() == ""
    assert (home / "abq_settings.json").exists()


def test_what_was_to_be_loaded_later_ends_with_the_window(open_window: Callable[[], Window]) -> None:
    window = open_window()
    app = window.app
    window.until(lambda: app.load_ahead_timer, "the start")
    left: list[bool] = []
    destroy = app.destroy

    def destroyed() -> None:
        left.append(app.load_ahead_timer in app.tk.splitlist(app.tk.call("after", "info")))
        destroy()

    app.destroy = destroyed  # type: ignore[method-assign]
    close(window)
    assert left == [False]


def test_what_cant_be_loaded_later_holds_up_nothing_else(
    open_window: Callable[[], Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "abq_data_entry.network.weather", None)
    window = open_window()
    window.until(lambda: "alarm_list" in vars(window.app), "what begins after the start")
