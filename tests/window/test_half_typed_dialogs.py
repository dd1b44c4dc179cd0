"""What is typed into dialogs is a draft like what is typed into the form: a kill, or a power cut, doesn't take it."""

from __future__ import annotations

import datetime
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from abq_data_entry.models import SQLModel
from abq_data_entry.views.marks import TextDialog
from tests.fixtures.window import Window, write_settings
from tests.window.half_typed_dialogs import OPENERS, drafts, on_disk, opened, store_something, words_in
from tests.window.test_closing import close, is_there

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def typing(day: str, words: str, *titles: str) -> Iterator[subprocess.Popen[str]]:
    """A window of another process, into whose dialogs these words are being typed."""
    command = [sys.executable, "-m", "tests.window.half_typed_dialogs", day, words, *titles]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_typed(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "typed\n", process.stderr.read()


def test_each_dialog_has_what_was_typed_in_windows_that_were_killed(
    home: Path, database: dict[str, str], stored: SQLModel, open_window: Callable[[], Window]
) -> None:
    write_settings(home, {"db_name": database["dbname"], "weather_schedule": False})
    day = datetime.date.today().isoformat()
    store_something(stored, day)
    titles = list(OPENERS)
    half = len(titles) // 2
    with typing(day, "one", *titles[:half]) as one, typing(day, "two", *titles[half:]) as two:
        until_typed(one)
        until_typed(two)
        one.send_signal(signal.SIGKILL)
        two.send_signal(signal.SIGTERM)
        assert (one.wait(), two.wait()) == (-signal.SIGKILL, -signal.SIGTERM)
    window = open_window()
    window.until_open()
    told = window.message("What you typed in")
    assert all(each in told.text for each in titles)
    assert f"Edit ‣ Withdraw Record ({day} 8:00, lab A, plot 1): one, Withdraw Record" in told.detail
    assert "Go ‣ Questions from QA: two, Answer QA" in told.detail
    window.begin_check()
    for number, title in enumerate(titles):
        dialog = opened(window, title)
        assert words_in(dialog) == f"{'one' if number < half else 'two'}, {title}"
        if title == "Write Message":
            assert dialog.typed[0].person == "P Taylor"
        dialog.buttons[-1].invoke()  # Cancel: it is as it was
    assert stored.get_notes() == [], "nothing is sent by itself"
    _sends_one(window, stored)
    _discards_the_others(window)


def _sends_one(window: Window, stored: SQLModel) -> None:
    dialog = opened(window, "Write Note")
    assert isinstance(dialog, TextDialog)
    window.until(lambda: window.app.focus_get() is dialog.box, "the focus in it")
    window.press("End")
    window.type(" and more")
    window.until(lambda: on_disk("Write Note", "two, Write Note and more"), "the keys on the disk")
    window.press("Return")
    window.until(lambda: [each.words for each in stored.get_notes()] == ["two, Write Note and more"], "the note")
    window.until(lambda: not on_disk("Write Note", ""), "the end of its draft")
    assert on_disk("Write Message", "two, Write Message")


def _discards_the_others(window: Window) -> None:
    close(window, window.app)
    window.answer("Quit and Discard")
    assert not is_there(window.app) and drafts() == []
