"""What comes from the background stands in the message bar; a dialog takes no key of somebody who types."""

from __future__ import annotations

import ast
import contextlib
import importlib
import pkgutil
import random
import subprocess
import time
import tkinter as tk
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry import views
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.views import Dialog
from abq_data_entry.views.dialogs import UNREAD_SECONDS
from abq_data_entry.widgets.status_bar import Message
from tests.fixtures.window import Window
from tests.network.faults import Connection, http, serving
from tests.window.test_tools import point_to

FAILED = "Problem retrieving weather data"
APPLICATION = Path(__file__).resolve().parents[2] / "abq_data_entry" / "application"


@pytest.fixture
def closed_feed(window: Window) -> None:
    """A weather feed that nobody answers for."""
    point_to(window, weather_url="http://127.0.0.1:9/{station}")


def refuse_late(connection: Connection) -> None:
    """A server that takes a while to say that it can't."""
    connection.until(b"\r\n\r\n")
    connection.ended.wait(1.0)
    connection.send(http("503 Service Unavailable"))


@contextlib.contextmanager
def typing(window: Window, text: str, milliseconds: int) -> Iterator[Callable[[], bool]]:
    """Somebody types ``text`` with real keys, one each so many milliseconds; gives whether that is over."""
    process = subprocess.Popen(["xdotool", "type", "--delay", str(milliseconds), text])

    def over() -> bool:
        if process.poll() is None:
            return False
        window.take_keys()
        return True

    try:
        yield over
    finally:
        process.wait()


def places(window: Window) -> dict[str, tuple[int, int, int, int]]:
    """Where everything in the form and the list stands on the screen."""
    found = {}

    def look(widget: tk.Misc) -> None:
        for each in widget.winfo_children():
            if each.winfo_ismapped() and not isinstance(each, tk.Toplevel):
                found[str(each)] = (each.winfo_rootx(), each.winfo_rooty(), each.winfo_width(), each.winfo_height())
                look(each)

    look(window.app.form)
    look(window.app.record_list)
    return found


def in_full(window: Window) -> str:
    """The text of the message that is shown in full."""
    shown = window.app.status_bar.messages.panel.shown
    return shown.text if shown is not None else ""


def in_front(window: Window) -> str:
    """The text of the widget that has the focus, where it is a button."""
    focus = window.app.focus_get()
    return str(focus.cget("text")) if focus is not None and focus.winfo_class() == "TButton" else ""


def test_a_line_of_the_bar_ends_the_sentence_once() -> None:
    lines = [Message("x", text, "Why.\nMore.").line for text in ("It failed.", "Withdraw it?", "Not sent")]
    assert lines == ["It failed. Why.", "Withdraw it? Why.", "Not sent. Why."]


# -- dialog or bar ------------------------------------------------------------------------------------------


def test_a_failure_is_a_dialog_while_nobody_types(window: Window, closed_feed: None) -> None:
    window.app.callbacks["update_weather_data"]()
    dialog = window.dialog()
    assert dialog.message == FAILED and "KBMG" in dialog.detail
    assert not window.messages
    window.answer("Close")


def test_a_failure_stands_in_the_bar_once_somebody_types(window: Window) -> None:
    window.begin_check()
    with serving(refuse_late) as port:
        point_to(window, weather_url=f"http://127.0.0.1:{port}/{{station}}")
        window.press("ctrl+shift+w")
        window.type("24.09")
        window.until(lambda: window.messages, "the message")
    assert not window.dialogs
    assert window.focus == F.HUMIDITY and window.text(F.HUMIDITY) == "24.09"
    message = window.message(FAILED)
    assert "KBMG" in message.detail
    assert [text for text, _ in message.buttons] == ["Try Again", "Dismiss"]
    assert window.app.status.get() == FAILED


def test_the_shortcut_itself_is_no_typing(window: Window, closed_feed: None) -> None:
    window.begin_check()
    window.press("ctrl+shift+w")
    assert window.dialog().message == FAILED
    window.press("Escape")
    window.until(lambda: not window.dialogs, "the end of the dialog")
    assert window.focus == F.HUMIDITY


def test_what_no_command_began_is_never_a_dialog(window: Window) -> None:
    window.app.messages.failure("Test", "Something failed.", "Its reason.")
    window.app.after(1, lambda: window.app.messages.warning("Later", "Something else.", ""))
    window.message("Something else.")
    assert window.messages == ["Something else.", "Something failed."]
    assert not window.dialogs


def test_what_a_command_begins_in_the_background_is_its_own(window: Window) -> None:
    app = window.app

    def work() -> None:
        raise OSError("the disk is full")

    def chosen() -> None:
        app.jobs.submit("files", work, failed=lambda error: app.messages.failure("Test", "Failed.", str(error)))

    app.messages.command(chosen)()
    assert window.dialog().detail == "the disk is full"
    window.answer("OK")
    chosen()
    window.message("Failed.")
    assert not window.dialogs


# -- no key is taken ----------------------------------------------------------------------------------------


def test_a_key_inside_a_number_always_lands_in_the_field(window: Window) -> None:
    window.begin_check()
    chance = random.Random(9)
    app = window.app
    for number in range(12):
        field = app.form.inputs[F.HUMIDITY]
        field.fill("")
        field.focus_set()
        app.update()

        def failed(number: int = number) -> None:
            app.messages.failure(f"Test {number}", f"Failure {number}.", "Its reason.")

        pause = chance.choice((15, 60, 140))
        begun = time.monotonic()
        with typing(window, "33.30", pause) as over:
            for _ in range(3):
                tell = app.messages.command(failed) if chance.random() < 0.7 else failed
                app.after(chance.randrange(250), tell)
            window.until(over, "the end of the typing")
        took = time.monotonic() - begun
        said = f"Failure {number}."
        window.until(lambda said=said: said in window.messages or window.dialogs, "the failure")  # type: ignore[misc]
        if took < 5 * pause / 1000 + UNREAD_SECONDS:  # else a dialog may have been there long enough to take the rest
            window.until(lambda: window.text(F.HUMIDITY) == "33.30", "all keys in the field")
        while window.dialogs:  # one that came after the last key
            window.until(lambda: not window.dialogs or window.dialogs[-1].takes_keys, "a dialog to be answered")
            for dialog in window.dialogs[-1:]:
                dialog.close()
            app.update()
        for each in app.status_bar.messages.messages:
            app.messages.settled(each.key)


def test_a_dialog_takes_no_key_in_its_first_half_second(window: Window) -> None:
    window.begin_check()
    window.type("1")
    app = window.app
    app.messages.command(app.messages.choice)(
        "Test", "Really?", "", (("Yes", lambda: app.status.set("answered")), ("No", None))
    )
    window.until(lambda: window.dialogs and window.dialogs[0].winfo_viewable(), "the dialog on the screen")
    window.press("5", "period", "2", "0", "Return")
    assert window.focus == F.LIGHT and window.text(F.HUMIDITY) == "15.20"
    window.until(lambda: not window.dialogs, "the dialog to give way")
    assert window.messages == ["Really?"]
    assert app.status.get() != "answered"
    assert window.focus == F.LIGHT
    window.press_message("Yes")
    assert app.status.get() == "answered" and not window.messages


def test_a_dialog_takes_the_keys_once_it_could_be_read(window: Window) -> None:
    window.begin_check()
    app = window.app
    app.messages.command(app.messages.choice)(
        "Test", "Really?", "", (("Yes", lambda: app.status.set("answered")), ("No", None))
    )
    window.dialog()
    window.press("KP_Enter")
    window.until(lambda: app.status.get() == "answered", "the answer")
    assert window.focus == F.HUMIDITY and window.text(F.HUMIDITY) == ""


def test_a_login_asked_for_while_somebody_types_waits_in_the_bar(window: Window) -> None:
    window.begin_check()
    app = window.app
    answers: list[object] = []
    obtain = app.messages.command(app.deliveries.logins.obtain)
    obtain("rest", app.deliveries.settings(), "", answers.append)
    window.type("33.30")
    message = window.message("Login to ABQ Corporate REST API")
    assert [text for text, _ in message.buttons] == ["Log In…", "Cancel"]
    assert window.text(F.HUMIDITY) == "33.30" and not window.dialogs
    window.press_message("Log In…")
    dialog = window.dialog()
    assert dialog.title() == "Login to ABQ Corporate REST API"
    window.answer("Cancel")
    assert answers == [None]


def test_what_comes_while_a_dialog_waits_stays_until_that_dialog_opens(window: Window) -> None:
    """Behind two dialogs: the end of the first doesn't take it away."""
    window.begin_check()
    messages = window.app.messages
    ask = messages.command(messages.warning)
    for number in ("first", "second"):
        ask(f"Title {number}", f"The {number}.")
    ask("Test", "The third.")
    messages.note("Test", "Heard meanwhile.")
    for number in ("first", "second"):
        window.until(lambda number=number: [each.title() for each in window.dialogs] == [f"Title {number}"], number)  # type: ignore[misc]
        assert window.messages == ["Heard meanwhile."]
        window.answer("OK")
    window.until(lambda: [each.title() for each in window.dialogs] == ["Test"], "the third")
    assert not window.messages
    window.answer("OK")


# -- the bar itself -----------------------------------------------------------------------------------------


def test_by_keys_alone(window: Window) -> None:
    window.begin_check()
    done: list[str] = []
    window.app.messages.choice("Test", "First.", "Why.", (("Try Again", lambda: done.append("first")), ("Close", None)))
    window.app.messages.choice("Other", "Second.", "", (("Do It", lambda: done.append("second")), ("Later", None)))
    window.type("24.09")
    window.press("F8")
    window.until(lambda: in_full(window) == "Second.", "the message in full")
    window.press("Return", "space", "KP_Enter")  # no default action
    assert not done and window.text(F.HUMIDITY) == "24.09"
    window.press("Escape")
    window.until(lambda: not in_full(window) and window.focus == F.HUMIDITY, "the field again")
    window.press("F8", "Down")
    window.until(lambda: in_full(window) == "First.", "the message in full")
    window.press("Tab")
    window.until(lambda: in_front(window) == "Try Again", "the button")
    window.press("Return")
    window.until(lambda: done == ["first"], "the action")
    assert window.messages == ["Second."]
    assert window.focus == F.HUMIDITY
    window.press("End")
    window.type("5")
    assert window.text(F.HUMIDITY) in ("24.09", "24.095")  # whether a third decimal is kept is the field's affair


def test_a_long_message_is_read_to_its_end_with_large_letters(window: Window) -> None:
    window.app.settings["font size"].set(20)
    window.resize("800x600")
    name = f"abq_data_record_{'x' * 20}.csv"
    window.app.messages.choice("Test", f"{name} was refused. " * 3, "Why. " * 300, (("Yes", None),))
    window.press("F8")
    window.until(lambda: in_full(window), "the message in full")
    window.settle()
    panel = window.app.status_bar.messages.panel
    (text,) = (each for each in panel.winfo_children() if each.winfo_class() == "TLabel")
    (detail,) = (each for each in panel.winfo_children() if isinstance(each, tk.Text))
    assert text.winfo_reqwidth() <= text.winfo_width(), "nothing is cut off"
    assert detail.yview()[1] < 1
    window.press("Next", "Tab", *["Next"] * 9)
    window.until(lambda: detail.yview()[1] == 1, "the end of the text")
    window.press("Escape")


def test_who_reads_a_message_has_not_left_the_field(window: Window) -> None:
    window.begin_check()
    window.app.messages.warning("Test", "Something.", "")
    window.type("2")
    window.press("BackSpace", "F8")
    window.until(lambda: in_full(window) == "Something.", "the message in full")
    window.press("Tab", "Escape")
    window.until(lambda: window.focus == F.HUMIDITY, "the field again")
    assert window.error(F.HUMIDITY) == ""


def test_from_the_tools_menu_and_with_nothing_to_tell(window: Window) -> None:
    window.app.callbacks["show_messages"]()
    assert window.app.status.get() == "There are no messages"
    window.app.messages.warning("Test", "Something.", "")
    window.app.callbacks["show_messages"]()
    assert window.app.status_bar.messages.is_open
    window.app.callbacks["show_messages"]()
    assert not window.app.status_bar.messages.is_open


def test_the_subject_replaces_and_what_lasts_stays(window: Window) -> None:
    bar = window.app.status_bar.messages
    bar.show_message(Message("a", "A 1"))
    bar.show_message(Message("database", "Away, trying again in 5 s", until_resolved=True))
    bar.show_message(Message("b", "B 1"))
    bar.show_message(Message("database", "Away, trying again in 4 s", until_resolved=True))
    bar.show_message(Message("a", "A 2"))
    assert window.messages == ["A 2", "B 1", "Away, trying again in 4 s"]
    assert [text for text, _ in bar.messages[2].buttons] == []
    bar.settle("database")
    bar.settle("unknown")
    assert window.messages == ["A 2", "B 1"]


def test_a_message_that_goes_while_it_is_read_offers_nothing(window: Window) -> None:
    window.begin_check()
    done: list[str] = []
    window.app.messages.choice("Test", "First.", "", (("Do It", lambda: done.append("first")), ("Close", None)))
    window.app.messages.choice("Other", "Second.", "", (("Do It", lambda: done.append("second")), ("Close", None)))
    window.press("F8", "Tab")
    window.until(lambda: in_front(window) == "Do It", "the button")
    window.app.messages.settled("Other")
    window.press("Return")
    assert not done
    assert window.app.status_bar.messages.is_open
    window.press("Escape")
    assert window.focus == F.HUMIDITY


def test_a_button_that_came_under_the_mouse_a_moment_ago_does_nothing(window: Window) -> None:
    done: list[str] = []
    window.app.messages.choice("Test", "First.", "", (("Do It", lambda: done.append("first")), ("Close", None)))
    bar = window.app.status_bar.messages
    bar.offered[0].invoke()
    assert not done

    def pressed() -> list[str]:
        if bar.offered:
            bar.offered[0].invoke()
        return done

    window.until(pressed, "the button to count")
    assert not window.messages


def test_a_message_moves_nothing(window: Window) -> None:
    for size in ("1180x860", "800x600"):
        window.app.status_bar.show_trouble("")
        window.resize(size)
        window.begin_again()
        window.fill_readings()
        window.settle()
        before = places(window)
        for number in range(3):
            window.app.messages.failure(f"Test {number}", "Something failed. " * 12, "Its reason. " * 40)
            trouble = f"Database away, trying again in {number} s"
            window.app.status_bar.show_trouble(trouble, (("Retry Now", lambda: None),))
            window.app.update()
            assert places(window) == before, size
        window.app.status_bar.messages.toggle()
        window.app.update()
        assert places(window) == before, size
        window.app.status_bar.messages.toggle()
        for each in window.app.status_bar.messages.messages:
            window.app.messages.settled(each.key)
        window.app.update()
        assert places(window) == before, size


# -- that it stays so ---------------------------------------------------------------------------------------


def test_all_dialogs_are_opened_by_the_one_that_decides() -> None:
    """Whatever opens a dialog in `application` does it within a call of ``messages.open``, or of the ``open`` of what
    is typed into dialogs (`side_list`), which calls it; or in `messages` itself."""
    for module in pkgutil.iter_modules(views.__path__, f"{views.__name__}."):
        importlib.import_module(module.name)  # each dialog, whichever tests ran before
    kinds = {kind.__name__ for kind in _subclasses(Dialog)} | {"Dialog"}
    found = []
    for path in sorted(APPLICATION.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        allowed = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call | ast.FunctionDef) and _is_opening(node)
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and path.name != "messages.py" and id(node) not in allowed:
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in kinds or "messagebox" in ast.unparse(node.func):
                    found.append(f"{path.name}:{node.lineno} {name}")
    assert not found


def _is_opening(node: ast.Call | ast.FunctionDef) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name == "make"  # what is handed to ``open`` by that name
    return isinstance(node.func, ast.Attribute) and ast.unparse(node.func).endswith(("messages.open", "sending.open"))


def _subclasses(kind: type[Dialog]) -> Iterator[type[Dialog]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)
