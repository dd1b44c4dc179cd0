"""What QA asks: beside the field and in the list, asked, answered and closed by keys."""

from __future__ import annotations

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.views.marks import ANSWER, CLOSE, REOPEN, MarkDialog, QuestionsWindow, TextDialog
from tests.fixtures.window import Window
from tests.window.test_form import open_plot, record, today


def questions(window: Window) -> QuestionsWindow:
    """The open list, with the keyboard."""
    window.until(lambda: any(isinstance(each, QuestionsWindow) for each in window.app.winfo_children()), "the list")
    found = next(each for each in window.app.winfo_children() if isinstance(each, QuestionsWindow))
    window.until(lambda: window.app.focus_get() is found.tree, "the focus in the list")
    return found


def rows(listed: QuestionsWindow) -> list[tuple[str, ...]]:
    return [tuple(map(str, listed.tree.item(each, "values"))) for each in listed.tree.get_children()]


def note(window: Window, name: str) -> str:
    return window.app.form.inputs[name].line_below.text


def test_a_question_is_seen_answered_and_corrected_by_keys(window: Window, stored: SQLModel) -> None:
    day = today(window)
    for plot in (1, 2):
        stored.save_record(record(plot, day))
    number = stored.mark_value((day, "8:00", "A", 2), "humidity", "queried", "Twice its neighbours?")
    window.until(lambda: window.app.questions.waiting == 1, "the question")
    assert "QA has 1 question" in window.app.status.get()
    stored.close_mark(number)
    window.until(lambda: not window.app.questions.waiting, "the end of it")
    assert window.app.status.get() == ""  # what isn't true any more doesn't stay
    stored.reopen_mark(number, "Twice its neighbours?")
    window.until(lambda: window.app.questions.waiting == 1, "the question again")
    assert "QA has 1 question" in window.app.status.get()
    window.begin_check()
    open_plot(window, 1)
    assert "QA" not in note(window, F.HUMIDITY)
    window.press("ctrl+shift+a")
    listed = questions(window)
    window.until(lambda: len(rows(listed)) == 1, "the rows")
    assert rows(listed)[0] == (
        f"{day} 8:00, lab A, plot 2", "Humidity", "24.09", "question", "J Simms", "Twice its neighbours?"
    )  # fmt: skip
    window.until(lambda: "marked by" in listed.detail.text.get("1.0", "end"), "the history")
    window.press("alt+a")
    assert isinstance(window.dialog(), TextDialog)
    window.press("Return")
    assert window.dialogs and "Words are required" in str(window.dialogs[0].note.cget("text"))  # type: ignore[attr-defined]
    window.type("The door was open.\n")
    window.until(lambda: rows(listed) and rows(listed)[0][3] == "answered", "the answer")
    assert stored.get_mark(number).answer == "The door was open."
    window.until(lambda: window.app.focus_get() is listed.tree, "the focus in the list again")
    window.press("Return")
    window.until(lambda: window.app.form.opened == (stored.get_mark(number).key), "the record")
    window.until(lambda: window.focus == F.HUMIDITY, "the field")
    assert note(window, F.HUMIDITY) == "? QA: Twice its neighbours? (answered)"
    window.type("99")  # too much: the sign stays in front of the error
    assert note(window, F.HUMIDITY).startswith("? ✗ ") and "QA: Twice" in note(window, F.HUMIDITY)
    window.app.form.inputs[F.HUMIDITY].editor.edit_text("20.5")
    window.save()
    window.until(lambda: rows(listed) and rows(listed)[0][3] == "corrected", "the correction")
    assert stored.get_mark(number).present == "20.50"


def test_qa_asks_closes_and_reopens_in_the_window(window: Window, stored: SQLModel) -> None:
    day = today(window)
    stored.save_record(record(1, day))
    window.begin_check()
    open_plot(window, 1)
    window.app.form.inputs[F.LIGHT].focus_set()
    window.app.callbacks["mark_value"]()
    asked = window.dialog()
    assert isinstance(asked, MarkDialog) and asked.boxes["What"].get() == F.LIGHT
    window.type("Was it dark?\n")
    window.until(lambda: note(window, F.LIGHT) == "? QA: Was it dark?", "the question beside the field")
    window.app.callbacks["mark_value"]()
    asked = window.dialog()
    assert isinstance(asked, MarkDialog)
    asked.boxes["What"].current(0)
    asked.boxes["Is"].current(2)
    window.type("Wrong plot.\n")
    window.until(lambda: note(window, F.PLOT) == "! QA excludes: Wrong plot.", "the mark of the whole record")
    assert stored.query("SELECT FROM plot_readings") == []
    window.app.callbacks["show_questions"]()
    listed = questions(window)
    window.until(lambda: len(rows(listed)) == 1, "the question")
    listed.everything.set(True)
    listed.refresh()
    window.until(lambda: len(rows(listed)) == 2, "all marks")
    window.press("alt+c")
    window.dialog()
    window.press("Return")
    window.until(lambda: rows(listed)[0][3] == "closed", "the mark to be closed")
    window.until(lambda: note(window, F.LIGHT) == "", "nothing beside the field")
    window.until(lambda: REOPEN in listed.allowed and CLOSE not in listed.allowed, "what can be done now")
    window.until(lambda: window.app.focus_get() is listed.tree, "the focus in the list again")
    window.press("alt+r")
    window.type("Stilll")  # before the dialog takes keys: they are meant for it all the same
    window.press("BackSpace")
    window.type("?\n")
    window.until(lambda: note(window, F.LIGHT) == "? QA: Still?", "the question again")


def test_while_the_database_is_away_questions_are_listed_as_known(window: Window, stored: SQLModel) -> None:
    day = today(window)
    stored.save_record(record(1, day))
    stored.mark_value((day, "8:00", "A", 1), "light", "queried", "Was it dark?")
    window.until(lambda: window.app.questions.waiting == 1, "the question")
    window.app.reconnecting.lost(ConnectionError("a cable"), by_itself=False)
    window.app.callbacks["show_questions"]()
    listed = questions(window)
    window.until(lambda: len(rows(listed)) == 1, "what is known")
    assert "can be answered when it is back" in str(listed.status_label.cget("text"))
    assert ANSWER not in listed.allowed
    window.press("alt+a")
    assert not window.dialogs and "can be answered when it is back" in str(listed.status_label.cget("text"))
    window.app.callbacks["mark_value"]()
    assert not window.dialogs and "when the database is back" in window.app.status.get()


def test_an_answer_that_is_refused_is_kept(window: Window, stored: SQLModel) -> None:
    day = today(window)
    stored.save_record(record(1, day))
    number = stored.mark_value((day, "8:00", "A", 1), "light", "queried", "Was it dark?")
    window.until(lambda: window.app.questions.waiting == 1, "the question")
    window.app.callbacks["show_questions"]()
    listed = questions(window)
    window.until(lambda: len(rows(listed)) == 1, "the question")
    window.press("alt+a")
    window.dialog()
    window.type("The lamp was changed.")
    stored.close_mark(number)  # QA was quicker
    window.press("Return")
    window.until(lambda: window.dialogs and "is closed" in window.dialogs[-1].detail, "why it isn't taken")
    assert "What you typed is kept" in window.dialog().detail
    stored.reopen_mark(number, "Was it dark?")
    window.answer("Try Again")
    window.until(lambda: isinstance(window.dialog(), TextDialog), "the dialog once more")
    window.app.reconnecting.lost(ConnectionError("a cable"), by_itself=False)
    window.press("Return")
    window.until(lambda: window.dialogs and "database is away" in window.dialogs[-1].detail, "why it isn't taken")
    window.answer("Close")
    window.app.reconnecting.retry_now()
    window.until(lambda: window.app.shared.reachable is not None and ANSWER in listed.allowed, "the database")
    window.settle()
    listed.press(ANSWER)
    window.until(lambda: isinstance(window.dialog(), TextDialog), "the dialog")
    window.press("Return")
    window.until(lambda: stored.get_mark(number).answer == "The lamp was changed.", "the answer")
