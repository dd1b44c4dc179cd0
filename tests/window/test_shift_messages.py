"""Messages from colleagues: a line that takes no key, a list and a dialog by keys alone, a flood, a database away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from abq_data_entry.application.shift_messages import KEY
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.models.notices import LONGEST, TO_ALL, Addressee
from abq_data_entry.models.undoing import By
from abq_data_entry.views.shift_messages import ANSWER, MessageDialog, MessagesWindow
from tests.fixtures.window import PATIENCE, Window
from tests.models.test_schema import run
from tests.qa.data import Endpoint

TAYLOR, SIMMS = By("P Taylor"), Addressee(person="J Simms")


def line(window: Window) -> str:
    """What the message bar says of messages."""
    return window.app.status_bar.messages.text_of(KEY)


def listed(window: Window) -> MessagesWindow:
    """The open list, with the keyboard."""
    found: list[MessagesWindow] = []

    def is_there() -> bool:
        found[:] = [each for each in window.app.winfo_children() if isinstance(each, MessagesWindow)]
        return bool(found) and window.app.focus_get() is found[0].tree

    window.until(is_there, "the list with the focus")
    return found[0]


def asked(window: Window) -> MessageDialog:
    """The dialog that writes one, with the keyboard."""
    window.until(lambda: window.dialogs and isinstance(window.dialogs[-1], MessageDialog), "the dialog")
    dialog = window.dialogs[-1]
    assert isinstance(dialog, MessageDialog)
    window.until(lambda: window.app.focus_get() is dialog.box, "the focus in it")
    return dialog


def type_until(window: Window, condition: Callable[[], object]) -> str:
    """Type one key after another until it holds, and one more; return them."""
    typed, end = "", time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain, typing"
        window.type("x")
        typed += "x"
    window.type("y")
    return f"{typed}y"


@pytest.mark.takes(10)
def test_a_message_is_read_and_answered_by_keys(
    window: Window, stored: SQLModel, monkeypatch: pytest.MonkeyPatch, database: Endpoint
) -> None:
    app = window.app
    # It counts for everybody until somebody is confirmed; who is confirmed is asked for anew.
    stored.send_message(SIMMS, "Before you came.", by=TAYLOR)
    window.until(lambda: "shift_messages" in vars(app), "the part to be made")
    window.settle()
    assert not line(window)
    window.begin_check()
    window.until(lambda: line(window) == "1 message from a colleague", "the message to who is confirmed")

    # While it comes, keys go into the field.
    app.form.inputs[F.NOTES].focus_set()
    stored.send_message(SIMMS, "Please come to lab B.", by=TAYLOR)
    typed = type_until(window, lambda: line(window) == "2 messages from colleagues")
    assert (window.focus, window.text(F.NOTES)) == (F.NOTES, typed) and not window.dialogs
    assert "P Taylor" in window.message("2 messages").detail and "lab B" in window.message("2 messages").detail

    window.press("ctrl+shift+m")
    page = listed(window)
    window.until(lambda: len(page.tree.get_children()) == 2, "both messages")
    window.until(lambda: line(window) == "1 message from a colleague", "the chosen one to count as read")
    sender, to, _, _, words = (str(each) for each in page.tree.item(page.tree.get_children()[0], "values"))
    # The fixture's login is nobody's of the technicians: it stands beside who is said to have sent it.
    assert sender.startswith("P Taylor") and database["user"] in sender
    assert (to, words) == ("J Simms", "Please come to lab B.")
    window.press("Down")
    window.until(lambda: "Before you came." in page.detail.text.get("1.0", "end"), "all that it says")
    window.until(lambda: not line(window), "the line to go")
    window.until(lambda: stored.take_messages(None, by=By("J Simms")).unread == 0, "the database to know")

    # An answer, which is refused beside the field, then sent; nobody is there for it.
    window.until(lambda: ANSWER in page.allowed, "what can be done")
    window.press("alt+a")
    dialog = asked(window)
    assert dialog.boxes["To"].get() == "P Taylor"
    dialog.box.insert("1.0", "x" * (LONGEST + 1))
    window.press("Return")
    window.until(lambda: "at most" in str(dialog.note.cget("text")), "why it is too long")
    dialog.box.delete("1.0", "end")
    window.type("I come.")
    window.press("Return")
    told = "P Taylor is entering no check now; the message is kept for 30 days."
    window.until(lambda: told in str(page.status_label.cget("text")), "what became of it")
    (got,) = stored.take_messages(None, by=TAYLOR).messages[:1]
    assert (got.words, got.sender, got.person) == ("I come.", "J Simms", "P Taylor")

    # Who left meanwhile is told beside the list of addressees, with the words kept.
    window.until(lambda: window.app.focus_get() is page.tree and ANSWER in page.allowed, "the focus in the list")
    window.press("alt+a")
    dialog = asked(window)
    window.type("Are you there?")
    run(database, "UPDATE lab_techs SET retired = now() WHERE name = 'P Taylor'")
    window.press("Return")
    window.until(lambda: window.dialogs and window.dialogs[-1] is not dialog, "the dialog once more")
    again = window.dialogs[-1]
    assert isinstance(again, MessageDialog) and "no technician" in str(again.refusal.cget("text"))
    assert again.boxes["To"].get() == "P Taylor" and again.words == "Are you there?"
    window.until(lambda: app.focus_get() is again.boxes["To"], "the focus beside it")
    window.press("Escape")
    run(database, "UPDATE lab_techs SET retired = NULL")

    # The database goes away while somebody writes: what was typed is kept, and is sent once when it is back.
    window.until(lambda: window.app.focus_get() is page.tree, "the focus in the list")
    window.press("alt+w")
    dialog = asked(window)
    to_box = dialog.boxes["To"]
    window.press("shift+Tab")
    window.until(lambda: app.focus_get() is to_box, "the list of addressees")
    window.press("Down")
    window.until(lambda: "popdown" in str(app.tk.call("focus")), "it to be open")
    window.press("Down", "Return")
    window.until(lambda: app.focus_get() is to_box and to_box.get() == "Lab A", "lab A")
    window.press("Tab")
    window.until(lambda: app.focus_get() is dialog.box, "the words")
    window.type("Heater is off.")
    app.reconnecting.lost(ConnectionError("a cable"), by_itself=False)
    dialog.buttons[0].invoke()  # no key: nothing may come back before it
    window.until(lambda: window.dialogs and "database is away" in window.dialogs[-1].detail, "why it isn't sent")
    assert "What you typed is kept" in window.dialog().detail
    app.reconnecting.retry_now()
    window.until(lambda: app.shared.reachable is not None, "the database")
    window.settle()
    window.answer("Try Again")
    dialog = asked(window)
    assert (dialog.boxes["To"].get(), dialog.words) == ("Lab A", "Heater is off.")
    window.press("Return")
    window.until(lambda: [each.words for each in stored.get_messages(Addressee(lab="A"))] == ["Heater is off."], "it")
    window.settle()
    window.press("Escape")
    window.until(lambda: not page.winfo_exists(), "the end of the list")

    # A flood costs a look a second, and no key.
    looks: list[float] = []
    take: Any = SQLModel.take_messages

    def counting(*arguments: Any, **named: Any) -> Any:
        looks.append(time.monotonic())
        return take(*arguments, **named)

    monkeypatch.setattr(SQLModel, "take_messages", counting)
    app.form.inputs[F.NOTES].focus_set()
    before = time.monotonic()
    run(database, "SELECT set_config('abq.application_user', 'P Taylor', false);"
                  " SELECT send_message('flood ' || n) FROM generate_series(1, 1000) AS n")  # fmt: skip
    more = type_until(window, lambda: line(window) == "1,000 messages from colleagues")
    assert window.text(F.NOTES) == typed + more
    window.settle()
    assert len(looks) <= time.monotonic() - before + 2
    window.press("ctrl+shift+m")
    page = listed(window)
    window.until(lambda: page.live_list.settled and len(page.tree.get_children()) == 200, "the newest of them")
    # The first is read, since it stands there in full; it stays listed, so that nothing else takes its place.
    window.until(lambda: line(window) == "999 messages from colleagues", "the one in full to count as read")
    first, asked_before = page.tree.get_children()[0], len(looks)
    page.refresh()
    window.until(lambda: len(looks) > asked_before and page.live_list.settled, "another look")
    window.settle()
    assert (page.tree.get_children()[0], line(window)) == (first, "999 messages from colleagues")
    window.press("alt+r")
    window.until(lambda: line(window) == "799 messages from colleagues", "those that are listed to count as read")

    # Who comes now has messages of one's own: those of who sat here before aren't shown any more.
    stored.send_message(TO_ALL, "Lamps at noon.", by=By("J Simms"))
    window.press("Escape")
    window.until(lambda: not page.winfo_exists(), "the end of the list")
    window.fill(Technician="P Taylor")
    app.form.who.confirm()
    window.until(lambda: line(window) == "3 messages from colleagues", "those to the next person")
    assert "J Simms" in window.message("3 messages").detail and "Lamps at noon." in window.message("3 messages").detail


def test_from_one_window_to_another_and_back(
    window: Window, open_window: Callable[[], Window], stored: SQLModel
) -> None:
    """Two windows, two people: written and answered by keys, each told once, and who sent it sees that it was read."""
    window.begin_check("8:00", "A", "J Simms")
    window.settle()
    second = open_window()
    second.until_open()
    second.begin_check("8:00", "B", "P Taylor")
    second.settle()

    def in_front(of: Window) -> None:
        of.app.focus_force()
        of.until(lambda: of.app.tk.call("focus"), "the keyboard")

    in_front(second)
    second.press("ctrl+shift+m")
    page = listed(second)
    second.press("alt+w")
    dialog = asked(second)
    second.press("shift+Tab")
    second.until(lambda: second.app.focus_get() is dialog.boxes["To"], "the list of addressees")
    dialog.boxes["To"].set("J Simms")  # the way through the open list is another test's
    second.press("Tab")
    second.until(lambda: second.app.focus_get() is dialog.box, "the words")
    dialog.box.insert("1.0", "Größe:\t5 µm\nin plot 3?")  # as it is pasted from a table
    second.press("Return")
    sent = "The message was sent."
    second.until(lambda: sent in str(page.status_label.cget("text")), "that it is sent: its reader is there")

    window.until(lambda: line(window) == "1 message from a colleague", "the message in the other window")
    assert "Größe: 5 µm in plot 3?" in window.message("1 message").detail and not window.dialogs
    assert not line(second), "nobody is told of one's own"
    in_front(window)
    window.press("ctrl+shift+m")
    other = listed(window)
    window.until(lambda: ANSWER in other.allowed and not line(window), "it to be read")
    window.press("alt+a")
    dialog = asked(window)
    assert dialog.boxes["To"].get() == "P Taylor"
    dialog.box.insert("1.0", "Yes.")
    window.press("Return")
    window.until(lambda: "The message was sent." in str(other.status_label.cget("text")), "the answer to be sent")

    second.until(lambda: line(second) == "1 message from a colleague", "the answer")
    in_front(second)
    page.tree.focus_force()
    second.until(lambda: not line(second), "it to be read")
    second.until(lambda: "J Simms" in stored.get_messages()[-1].read_by, "the database to know of the first one")
    page.everything.set(True)
    page.refresh()

    def told() -> list[tuple[str, ...]]:
        names, rows = ("To", "State", "Message"), page.tree.get_children()
        return [tuple(str(page.tree.set(each, name)) for name in names) for each in rows]

    expected = [("P Taylor", "read", "Yes."), ("J Simms", "read", "Größe: 5 µm in plot 3?")]
    second.until(lambda: told() == expected, "both, and that the first one was read")
    counts = {each.words: len(each.reached) for each in stored.get_messages()}
    assert counts == {"Yes.": 1, "Größe: 5 µm in plot 3?": 1}
