"""The window of deliveries by itself: a thousand rows, the keyboard, long reasons, what is grey when."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tkinter import ttk
from tkinter.font import nametofont
from types import SimpleNamespace
from typing import Any

import pytest

from abq_data_entry.models import SQLModel
from abq_data_entry.outbox import Place, reopen
from abq_data_entry.views.deliveries import DeliveriesWindow, DeliveryCallbacks, DeliveryRow
from abq_data_entry.views.dialogs import Dialog
from abq_data_entry.views.record_windows import WaitingWindow
from abq_data_entry.views.remote_files import RemoteFilesWindow
from abq_data_entry.widgets import table
from abq_data_entry.widgets.scrolled import AutoHideScrollbar
from abq_data_entry.widgets.table import SLICE_SECONDS
from abq_data_entry.workflows.deliver_day import open_outbox
from tests.fixtures.window import Window
from tests.window.test_form import record

REASON = "The server isn't known yet. " + "A reason as long as they come. " * 12 + "Ask your administrator."


class Calls:
    """What the window asked for."""

    def __init__(self) -> None:
        self.rows: list[DeliveryRow] | None = []
        self.made: list[tuple[str, str]] = []

    def callbacks(self) -> DeliveryCallbacks:
        def fetch(show: Callable[[Sequence[DeliveryRow] | None], object]) -> None:
            show(self.rows)

        def noted(name: str) -> Callable[[str], object]:
            return lambda identifier: self.made.append((name, identifier))

        forget = noted("forget")
        return DeliveryCallbacks(fetch, noted("retry"), noted("cancel"), noted("show"), lambda: forget(""),
                                 noted("arrived"), noted("there"))  # fmt: skip


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def shown(window: Window, calls: Calls) -> Iterator[DeliveriesWindow]:
    made = DeliveriesWindow(window.app, calls.callbacks())
    window.until(lambda: made.winfo_viewable() and made.focus_displayof() is not None, "the window")
    yield made
    if made.winfo_exists():
        made.destroy()


def row(number: int, state: str = "delivered", following: str = "", **can: bool) -> DeliveryRow:
    day = f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}"
    cells = (day, "1", "REST", state, day, following)
    return DeliveryRow(f"id{number}", cells, f"receipt {number}\n{following}", **can)


def waiting(number: int) -> DeliveryRow:
    return row(number, "waiting", REASON, may_retry=True, may_cancel=True, has_file=True)


def identifiers(shown: DeliveriesWindow) -> list[str]:
    return list(shown.tree.get_children())


def show(window: Window, shown: DeliveriesWindow, calls: Calls, *rows: DeliveryRow) -> None:
    calls.rows = list(rows)
    shown.refresh()
    window.until(lambda: shown.live_list.settled, "the rows")


class Changes:
    """Counts the rows that are changed, by a clock on which each of them takes a millisecond."""

    def __init__(self, window: Window, shown: DeliveriesWindow, monkeypatch: pytest.MonkeyPatch) -> None:
        self._window = window
        self.made = 0
        monkeypatch.setattr(table, "time", SimpleNamespace(perf_counter=lambda: self.made / 1000))
        for name in ("insert", "item", "delete"):
            monkeypatch.setattr(shown.tree, name, self._counted(getattr(shown.tree, name)))

    def most_at_once(self, until: Callable[[], object]) -> int:
        """The most rows that are changed before the next event is looked for, until that is so."""
        most, before = 0, self.made

        def looked() -> object:
            nonlocal most, before
            most, before = max(most, self.made - before), self.made
            return until()

        self._window.until(looked, "the rows")
        return most

    def _counted(self, function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: Any, **options: Any) -> object:
            self.made += 1
            return function(*arguments, **options)

        return call


def test_a_thousand_rows_keep_the_window_free(
    window: Window, shown: DeliveriesWindow, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = Changes(window, shown, monkeypatch)
    most = SLICE_SECONDS * 1000 + 1
    thousand = [row(number, following=REASON) for number in range(1000)]
    calls.rows = thousand
    assert 0 < changes.most_at_once(lambda: len(identifiers(shown)) == 1000 and shown.live_list.settled) <= most
    assert identifiers(shown) == [each.identifier for each in thousand]
    # Every one of them changes, one is gone, one is new, and all at once.
    calls.rows = [row(1000), *(row(number, "failed") for number in range(999))]
    assert 0 < changes.most_at_once(lambda: shown.tree.set("id998", "State") == "failed") <= most
    assert identifiers(shown) == [each.identifier for each in calls.rows]
    window.until(lambda: shown.live_list.settled, "the rows")
    made = changes.made
    shown.refresh()  # nothing has changed
    assert changes.made == made and shown.live_list.settled


def test_what_comes_while_rows_are_drawn_takes_their_place(
    window: Window, shown: DeliveriesWindow, calls: Calls
) -> None:
    for count in (1000, 3, 700, 0, 5):
        calls.rows = [row(number) for number in range(count)]
        shown.refresh()
    window.until(lambda: shown.live_list.settled, "the rows")
    assert identifiers(shown) == [f"id{number}" for number in range(5)]


def test_the_chosen_one_stays_chosen(window: Window, shown: DeliveriesWindow, calls: Calls) -> None:
    show(window, shown, calls, row(1), row(2))
    shown.live_list.choose("id2")
    show(window, shown, calls, row(3), row(1), waiting(2))
    assert shown.live_list.chosen == "id2" and not shown.buttons["Try Again"].instate(["disabled"])


def test_keys_do_what_the_buttons_do(window: Window, shown: DeliveriesWindow, calls: Calls) -> None:
    show(window, shown, calls, waiting(1))
    shown.tree.focus_force()
    window.until(lambda: window.app.focus_get() is shown.tree, "the focus")
    for key in ("Return", "Delete", "ctrl+o", "ctrl+c"):
        window.press(key)
    assert calls.made == [("retry", "id1"), ("cancel", "id1"), ("show", "id1")]
    assert window.app.clipboard_get() == f"receipt 1\n{REASON}"
    calls.made.clear()
    show(window, shown, calls, row(1, "unknown", may_have_arrived=True), row(2, has_folder=True))
    window.press("alt+w", "alt+a", "Down", "alt+a", "alt+w")
    assert calls.made == [("arrived", "id1"), ("there", "id2")], "each only where it can be done"


def test_what_cannot_be_done_is_grey_and_no_key_does_it(
    window: Window, shown: DeliveriesWindow, calls: Calls
) -> None:
    show(window, shown, calls, row(1))
    assert all(shown.buttons[text].instate(["disabled"]) for text in ("Try Again", "Cancel Delivery", "Show File"))
    shown.tree.focus_force()
    window.until(lambda: window.app.focus_get() is shown.tree, "the focus")
    window.press("Return", "Delete", "ctrl+o")
    assert calls.made == []


def test_a_long_reason_can_be_read_to_its_end(window: Window, shown: DeliveriesWindow, calls: Calls) -> None:
    show(window, shown, calls, waiting(1))
    text = shown.receipt.text
    assert text.get("1.0", "end-1c").endswith("Ask your administrator.")
    assert str(text.cget("wrap")) == "word"
    shown.geometry("600x340")
    bar = next(each for each in shown.receipt.winfo_children() if isinstance(each, AutoHideScrollbar))
    window.until(bar.winfo_ismapped, "a way to scroll")
    text.focus_force()
    window.until(lambda: window.app.focus_get() is text, "the focus")
    window.press("ctrl+End")
    window.until(lambda: text.yview()[1] == 1.0, "the end of the reason")
    window.press("Tab")
    window.until(lambda: window.app.focus_get() is not text, "the way out by Tab")
    window.press("shift+Tab")
    window.until(lambda: window.app.focus_get() is text, "and back")


def test_the_unfinished_alone(window: Window, shown: DeliveriesWindow, calls: Calls) -> None:
    show(window, shown, calls, row(1), waiting(2), row(3))
    assert shown.count_label.cget("text") == "3 deliveries, 1 unfinished"
    shown.unfinished_only.set(True)
    show(window, shown, calls, row(1), waiting(2), row(3))
    assert identifiers(shown) == ["id2"]
    show(window, shown, calls, row(1), row(2), row(3))
    assert identifiers(shown) == [] and "Everything has arrived" in shown.receipt.text.get("1.0", "end")
    shown.unfinished_only.set(False)
    show(window, shown, calls, row(1), row(2), row(3))
    assert identifiers(shown) == ["id1", "id2", "id3"]


def test_a_narrow_window_leaves_out_what_matters_least(
    window: Window, shown: DeliveriesWindow, calls: Calls
) -> None:
    show(window, shown, calls, waiting(1))
    columns = list(shown.tree.cget("columns"))
    shown.geometry("480x340")
    window.until(lambda: "Since" not in shown.tree.cget("displaycolumns"), "fewer columns")
    assert "What next" in shown.tree.cget("displaycolumns")
    shown.geometry("1100x500")
    window.until(lambda: list(shown.tree.cget("displaycolumns")) == columns, "all columns")


def test_a_destination_with_a_long_name_is_whole_in_the_list(
    window: Window, shown: DeliveriesWindow, calls: Calls
) -> None:
    name = "archive-of-the-company-in-north-building"
    long = DeliveryRow("long", ("2026-11-21", "1", name, "waiting", "2026-11-21 08:00", REASON), REASON)
    show(window, shown, calls, long, row(1))
    needed = nametofont("TkDefaultFont", window.app).measure(name)
    tree = shown.tree
    assert tree.column("To", "width") > needed
    assert tree.winfo_width() - sum(int(tree.column(each, "width")) for each in shown_columns(tree)) >= 0
    # Where it has no room, the mouse has the whole name shown; a column that was dragged stays as it is.
    shown.geometry("480x340")
    window.until(lambda: int(tree.column("To", "width")) < needed, "less room")
    window.settle()
    point_at(tree, "long")
    window.until(lambda: name in tooltips(shown), "the name in a tooltip")
    point_at(tree, "id1")
    window.until(lambda: not tooltips(shown), "no tooltip where nothing is cut off")
    tree.column("To", width=321)
    show(window, shown, calls, long, row(2))
    assert tree.column("To", "width") == 321


def point_at(tree: ttk.Treeview, row: str) -> None:
    """Move the mouse to where that row says where it goes."""
    x, y, _width, height = (int(each) for each in tree.bbox(row, "To"))
    tree.event_generate("<Motion>", x=x + 5, y=y + height // 2, warp=True)


def shown_columns(tree: ttk.Treeview) -> tuple[str, ...]:
    return tuple(map(str, tree.cget("displaycolumns")))


def tooltips(window: tk.Misc) -> list[str]:
    """The texts of the tooltips that are shown in it."""
    tops = [each for each in everything(window) if isinstance(each, tk.Toplevel) and each.winfo_viewable()]
    return [str(label.cget("text")) for each in tops for label in each.winfo_children()]


def everything(widget: tk.Misc) -> list[tk.Misc]:
    return [found for child in widget.winfo_children() for found in (child, *everything(child))]


def test_rows_that_cannot_be_had_leave_the_old_ones(window: Window, shown: DeliveriesWindow, calls: Calls) -> None:
    show(window, shown, calls, row(1))
    calls.rows = None
    shown.refresh()
    assert identifiers(shown) == ["id1"]
    show(window, shown, calls, row(1), row(2))
    assert identifiers(shown) == ["id1", "id2"]


def test_forget_logins_is_always_offered(window: Window, shown: DeliveriesWindow, calls: Calls) -> None:
    shown.buttons["Forget Logins"].invoke()
    assert calls.made == [("forget", "")]


def test_what_was_done_is_said_in_the_window(window: Window, shown: DeliveriesWindow, calls: Calls) -> None:
    show(window, shown, calls, waiting(1))
    shown.tree.focus_force()
    window.until(lambda: window.app.focus_get() is shown.tree, "the focus")
    window.press("ctrl+c")
    window.until(lambda: said(shown) == "The receipt is copied: receipt 1", "the word on the copy")
    show(window, shown, calls, row(1))
    window.press("ctrl+o")
    window.until(lambda: "isn't on this computer any more" in said(shown), "the word on the file")
    window.press("Delete")
    window.until(lambda: "isn't finished" in said(shown), "the word on what can't be cancelled")


@pytest.mark.needs("network")
def test_what_isnt_known_is_settled_by_keys(window: Window, tmp_path: Path, stored: SQLModel) -> None:
    """An e-mail without a last answer has arrived, as somebody says; a folder is compared with what was sent there."""
    stored.save_record(record(1, "2026-11-21"))
    share, box = tmp_path / "company", open_outbox()
    share.mkdir()
    window.app.settings["abq_folder_path"].set(str(share))
    kept = [
        box.add(stored, datetime.date(2026, 11, 21), place, "")
        for place in (Place("email", "qa@example.com"), Place("email", "boss@example.com"))
    ]
    mail, other = (box.write(each, state="unknown", reason="Whether it arrived isn't known.") for each in kept)
    sent = box.add(stored, datetime.date(2026, 11, 21), Place("folder", str(share)), "")
    (share / sent.sent_as).write_bytes(box.file_of(sent).read_bytes() + b"x")
    box.write(sent, state="delivered")
    window.press("ctrl+shift+d")
    found: list[DeliveriesWindow] = []

    def shown_all() -> bool:
        found[:] = [each for each in window.app.winfo_children() if isinstance(each, DeliveriesWindow)]
        return bool(found) and {each.identifier for each in (mail, other, sent)} <= set(found[0].tree.get_children())

    window.until(shown_all, "the deliveries")
    (real,) = found
    window.until(lambda: window.app.focus_get() is real.tree, "the focus")

    def chosen(identifier: str) -> None:
        real.live_list.choose(identifier)
        window.until(lambda: real.live_list.chosen == identifier, "the choice")

    chosen(other.identifier)
    window.press("Return")
    assert "twice" in window.dialog().detail, "what may be there already isn't sent again by one key"
    window.press("Return")
    window.until(lambda: window.app.focus_get() is real.tree, "the focus")
    assert box.read(other.identifier).state == "unknown"
    chosen(mail.identifier)
    window.press("alt+a")
    assert window.dialog().message == f"Has {mail.name} arrived?"
    window.press("shift+Tab", "Return")
    window.until(lambda: box.read(mail.identifier).state == "delivered", "that it has arrived")
    window.until(lambda: "is not sent again" in said(real), "the word on it")

    chosen(sent.identifier)
    window.press("alt+w")
    files: list[RemoteFilesWindow] = []

    def compared() -> bool:
        files[:] = [each for each in window.app.winfo_children() if isinstance(each, RemoteFilesWindow)]
        return bool(files) and "0 same, 1 differs" in str(files[0].status_label.cget("text"))

    window.until(compared, "the comparison")
    assert files[0].destination.get() == "file share" and str(share) in str(files[0].place.cget("text"))
    (share / sent.sent_as).unlink()
    real.focus_force()
    window.until(lambda: window.app.focus_get() is not None, "the focus")
    real.run_command("What Is There")
    window.until(lambda: f"Missing: {sent.sent_as}" in str(files[0].status_label.cget("text")), "the second comparison")
    files[0].set_running(True)  # as while a file is fetched
    real.run_command("What Is There")
    window.until(lambda: "under way" in said(real), "that it doesn't break off what runs there")
    files[0].set_running(False)
    files[0].destroy()

    # Its receiver refuses it: there is no file any more, so the day is made anew.
    (share / sent.sent_as).unlink(missing_ok=True)
    reopen(box, sent, "Refused by data@example.com: Lab A is missing.")
    window.until(lambda: real.tree.set(sent.identifier, "State") == "failed", "that it is open again")
    chosen(sent.identifier)
    real.tree.focus_force()
    window.until(lambda: window.app.focus_get() is real.tree, "the focus")
    window.press("Return")
    window.until(lambda: (share / sent.sent_as).exists(), "the day, made anew")
    window.until(lambda: "successfully uploaded" in window.app.status.get(), "the word on it")
    assert [each.version for each in box.deliveries() if each.kind == "folder"] == [1, 2]
    real.destroy()


@pytest.mark.parametrize("has_opener", [True, False])
def test_the_folder_that_is_opened_is_named(
    window: Window, stored: SQLModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_opener: bool
) -> None:
    stored.save_record(record(1, "2026-11-21"))
    box = open_outbox()
    box.add(stored, datetime.date(2026, 11, 21), Place("rest", "http://localhost:1/upload"), "test")
    opener = tmp_path / "xdg-open"
    if has_opener:
        opener.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/seen\n')
        opener.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":" if has_opener else None)
    window.app.callbacks["show_deliveries"]()
    (real,) = [each for each in window.app.winfo_children() if isinstance(each, DeliveriesWindow)]
    window.until(lambda: real.live_list.chosen, "the delivery")
    real.run_command("Show File")
    expected = "The folder with the file is opened: " if has_opener else "No program here shows folders."
    window.until(lambda: said(real).startswith(expected), "the word on the folder")
    assert window.app.status.get() == said(real)
    real.destroy()


def test_enter_presses_the_button_that_has_the_focus(window: Window, shown: DeliveriesWindow, calls: Calls) -> None:
    show(window, shown, calls, waiting(1))
    for text, made in (("Cancel Delivery", "cancel"), ("Show File", "show"), ("Try Again", "retry")):
        button, expected = shown.buttons[text], (made, "id1")
        button.focus_force()
        window.until(lambda button=button: window.app.focus_get() is button, "the focus")  # type: ignore[misc]
        window.press("Return")
        window.until(lambda expected=expected: expected in calls.made, text)  # type: ignore[misc]
    assert len(calls.made) == 3


def test_all_buttons_are_in_sight_with_large_letters(window: Window, shown: DeliveriesWindow, calls: Calls) -> None:
    show(window, shown, calls, waiting(1))
    window.app.settings["font size"].set(20)
    window.app.callbacks["show_waiting"]()
    (records,) = [each for each in window.app.winfo_children() if isinstance(each, WaitingWindow)]
    for top in (shown, records):
        top.geometry("1270x850")
        window.until(lambda top=top: top.winfo_width() == 1270, "the size")  # type: ignore[misc]
        window.settle()
        assert top.minsize()[0] <= 1270 and top.minsize()[1] <= 850
        for text, button in top.buttons.items():
            right = button.winfo_rootx() - top.winfo_rootx() + button.winfo_width()
            lower = button.winfo_rooty() - top.winfo_rooty() + button.winfo_height()
            assert button.winfo_viewable() and right <= 1270 and lower <= 850, text
    records.destroy()


def test_a_long_list_in_a_question_can_be_read_to_its_end(window: Window) -> None:
    """A reason of more lines than the dialog has, by the keys that page; a short one has no bar."""
    asked = Dialog(window.app, "Has Arrived", "Has it arrived?", ", ".join(f"{'x' * 40}{each}" for each in range(40)))
    window.until(lambda: asked.takes_keys, "the dialog")
    (text,) = (each for room in asked.body.winfo_children() for each in room.winfo_children() if type(each) is tk.Text)
    assert text.yview()[1] < 0.5
    window.press("Next", "Next", "Next")
    window.until(lambda: text.yview()[1] == 1.0, "the end of it")
    window.press("Prior", "Return")
    window.until(lambda: not window.dialogs, "its end")
    asked = Dialog(window.app, "Has Arrived", "Has it arrived?", "Ask for it.")
    window.until(lambda: asked.takes_keys, "the dialog")
    found = [each for room in asked.body.winfo_children() for each in room.winfo_children()]
    assert not any(isinstance(each, AutoHideScrollbar) for each in found)
    asked.close()


def said(shown: DeliveriesWindow) -> str:
    """What the window says on what was done."""
    return str(shown.status_label.cget("text"))
