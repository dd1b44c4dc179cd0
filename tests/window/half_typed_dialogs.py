"""Opens each dialog into which somebody types, here and as a process of its own that is killed meanwhile.

As a process: `python -m tests.window.half_typed_dialogs DATE WORDS TITLE…` types the words into each of these dialogs,
closes all but the last one, and waits once they are on the disk.
"""

from __future__ import annotations

import datetime
import os
import sys
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk
from typing import TypeVar

from abq_data_entry.models import SQLModel
from abq_data_entry.models.alarms import Finding
from abq_data_entry.models.notices import Addressee
from abq_data_entry.models.undoing import By
from abq_data_entry.store.drafts import throwaway_file
from abq_data_entry.views.action_list import ActionList
from abq_data_entry.views.alarms import END, AlarmsWindow
from abq_data_entry.views.dialogs import TypingDialog
from abq_data_entry.views.marks import ANSWER, QuestionsWindow, TextDialog
from abq_data_entry.views.reasoned import REASON, ReasonedDialog
from abq_data_entry.views.record_windows import HistoryWindow, WithdrawnWindow
from tests.fixtures.window import Window, window_of_a_script
from tests.window.test_form import open_plot, record

Kind = TypeVar("Kind", bound=tk.Misc)


def store_something(stored: SQLModel, day: str) -> None:
    """Three records, the second corrected and asked about; the fourth withdrawn; an alarm."""
    for plot in (1, 2, 3, 4):
        stored.save_record(record(plot, day), author="J Simms", workstation="bench-1")
    stored.save_record(record(2, day, Fruit="8"), "update", author="J Simms", reason="Misread")
    stored.mark_value((day, "8:00", "A", 2), "light", "queried", "Was it dark?")
    stored.withdraw_record((day, "8:00", "A", 4), "Typed twice", by=By("J Simms"))
    stored.look_for_alarms([Finding("disk", "/data", "It is full.")], by=By("", "bench"))


def _beside(window: Window, kind: type[Kind]) -> Kind:
    """The window of that kind beside the form, once it is there."""

    def found() -> list[Kind]:
        return [each for each in window.app.winfo_children() if isinstance(each, kind)]

    window.until(found, f"a window: {kind.__name__}")
    return found()[0]


def _press(window: Window, button: ttk.Button, ready: Callable[[], object]) -> None:
    window.until(lambda: ready() and not button.instate(["disabled"]), f"the button {button.cget('text')}")
    button.invoke()


def _at_the_first_row(window: Window, command: str, kind: type[ActionList], action: str) -> None:
    window.app.callbacks[command]()
    shown = _beside(window, kind)
    _press(window, shown.buttons[action], lambda: action in shown.allowed)


def _bring_back(window: Window) -> None:
    window.app.callbacks["show_withdrawn"]()
    shown = _beside(window, WithdrawnWindow)
    _press(window, shown.buttons["Bring Back…"], lambda: shown.live_list.chosen)


def _take_back(window: Window) -> None:
    open_plot(window, 2)
    window.app.callbacks["show_history"]()
    shown = _beside(window, HistoryWindow)
    _press(window, shown.undo_button, lambda: shown.changes)


def _correct_many(window: Window) -> None:
    page = window.app.record_list.page
    window.app.refresh()
    window.until(lambda: len(page.rows) == 3, "the list")
    window.app.record_list.choose(list(page.rows))
    window.app.callbacks["correct_many"]()


def _of_plot(number: int, command: str) -> Callable[[Window], None]:
    def open_there(window: Window) -> None:
        open_plot(window, number)
        window.app.callbacks[command]()

    return open_there


OPENERS: dict[str, Callable[[Window], object]] = {
    "Withdraw Record": _of_plot(1, "withdraw_record"),
    "Move Record": _of_plot(1, "move_record"),
    "Move Check": _of_plot(1, "move_check"),
    "Correct Many": _correct_many,
    "Bring Back": _bring_back,
    "Take Back": _take_back,
    "Mark Value": _of_plot(3, "mark_value"),
    "Answer QA": lambda window: _at_the_first_row(window, "show_questions", QuestionsWindow, ANSWER),
    "End Alarm": lambda window: _at_the_first_row(window, "show_alarms", AlarmsWindow, END),
    "Write Note": lambda window: window.app.callbacks["write_note"](),
    "Write Message": lambda window: window.app.messages.run(
        window.app.shift_messages.write, Addressee(person="P Taylor")
    ),
}
"""What opens each dialog, by its title."""


def opened(window: Window, title: str) -> TypingDialog:
    """Open the dialog, and close the windows that led there."""
    OPENERS[title](window)

    def found() -> list[TypingDialog]:
        return [each for each in window.dialogs if isinstance(each, TypingDialog) and each.title() == title]

    window.until(found, f"the dialog {title}")
    for each in window.app.winfo_children():
        if isinstance(each, ActionList | WithdrawnWindow | HistoryWindow):
            each.destroy()
    return found()[0]


def words_in(dialog: TypingDialog) -> str:
    """What is typed there; only the reason if there are other fields."""
    return str(dialog.typed[-1])


def drafts() -> list[str]:
    """The contents of all drafts on the disk."""
    with throwaway_file(Path(os.environ["ABQ_DATA_DIR"]) / "drafts").opened() as connection:
        return [str(text) for (text,) in connection.execute("SELECT content FROM drafts")]


def on_disk(title: str, words: str) -> bool:
    """Whether what was typed into that dialog is on the disk."""
    return any(f'"title":"{title}"' in each and words in each for each in drafts())


def type_into(dialog: TypingDialog, words: str) -> None:
    """Put the words into the text or the reason."""
    if isinstance(dialog, ReasonedDialog):
        dialog.boxes[REASON].set(words)
        dialog.boxes[REASON].event_generate("<<ComboboxSelected>>")
    elif isinstance(dialog, TextDialog):
        dialog.box.insert("1.0", words)


def main(day: str, words: str, *titles: str) -> None:
    """Type, and wait for the end."""
    with window_of_a_script() as window:
        window.app.form.set_check(datetime.date.fromisoformat(day), "8:00", "A")
        window.begin_check()
        for title in titles:
            dialog = opened(window, title)
            type_into(dialog, f"{words}, {title}")
            if title != titles[-1]:
                dialog.put_away()
        window.until(lambda: all(on_disk(each, f"{words}, {each}") for each in titles), "the drafts on the disk")
        print("typed", flush=True)
        window.app.mainloop()


if __name__ == "__main__":
    main(*sys.argv[1:])
