"""What is visible in windows of different sizes, and with large fonts."""

from __future__ import annotations

import sys
import tkinter as tk
from collections.abc import Callable, Iterator
from tkinter import ttk
from tkinter.font import nametofont
from typing import Any

import pytest

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.launcher.display import VirtualDisplay
from abq_data_entry.models import SQLModel
from abq_data_entry.models.alarms import Finding
from abq_data_entry.models.marks import Subject
from abq_data_entry.models.notices import TO_ALL
from abq_data_entry.models.undoing import By
from abq_data_entry.themes import TK_9, contrast
from abq_data_entry.themes.desktop import DesktopPreference
from abq_data_entry.views.check_panel import DateQuestion, TechnicianQuestion
from abq_data_entry.views.form_content import Entering
from abq_data_entry.views.side_window import SideWindow
from abq_data_entry.widgets.scrolled import pieces_per_line
from abq_data_entry.widgets.status_bar import Message
from abq_data_entry.widgets.text_lines import fitted
from tests.fixtures.window import Window
from tests.window.test_form import open_plot, record, today

SMALL, LARGE = "800x600", "1180x860"
THEMES = ("light", "dark", "platform")


def visible(window: Window, widget: tk.Misc) -> bool:
    """Whether all of the widget is inside the window, and inside what scrolls it; its beginning if it is too wide."""
    if not widget.winfo_viewable():
        return False
    canvas = window.app.form.room.inside
    room: tk.Misc = canvas if str(widget).startswith(f"{canvas}.") else window.app
    return (
        room.winfo_rootx() <= widget.winfo_rootx()
        and room.winfo_rooty() <= widget.winfo_rooty()
        and widget.winfo_rootx() + min(widget.winfo_width(), room.winfo_width() - 16)
        <= room.winfo_rootx() + room.winfo_width()
        and widget.winfo_rooty() + widget.winfo_height() <= room.winfo_rooty() + room.winfo_height()
    )


def shown(window: Window) -> tuple[bool, bool]:
    return bool(window.app.form.winfo_viewable()), bool(window.app.record_list.winfo_viewable())


def save_button(window: Window) -> Any:
    return window.app.form.save_bar.save_button


def test_a_large_window_shows_both_a_small_one_shows_one_at_a_time(window: Window) -> None:
    window.resize(LARGE)
    assert shown(window) == (True, True)
    window.resize(SMALL)
    window.until(lambda: shown(window) == (True, False), "the form alone")
    window.press("ctrl+l")
    window.until(lambda: shown(window) == (False, True), "the list alone")
    assert window.app.focus_get() is window.app.record_list.page.tree
    window.press("ctrl+r")
    window.until(lambda: shown(window) == (True, False), "the form alone")
    assert window.focus in fields.FOCUS_ORDER
    window.resize(LARGE)
    window.until(lambda: shown(window) == (True, True), "both again")


def test_a_small_window_that_grows_at_once_shows_all_that_has_room(window: Window) -> None:
    window.begin_check()
    key = window.app.form.check.key
    assert key is not None
    window.app.form.check_panel.ask_technician(TechnicianQuestion(key, "J Simms", "P Taylor", 20))
    for height in (695, 740):  # where the arrangement for 800 pixels leaves no room for all of it
        window.resize("800x600")
        assert not window.app.today.line.winfo_ismapped()
        window.resize(f"1180x{height}")
        window.until(lambda: shown(window) == (True, True), f"form and list in {height}")
        window.until(window.app.today.line.winfo_ismapped, f"the line of today in {height}")


def test_how_old_the_copy_is_can_be_read_in_a_window_of_the_usual_size(window: Window) -> None:
    window.resize(LARGE)
    window.app.record_list.show_copy("14:00")
    window.app.record_list.show_total(240)
    window.app.update_idletasks()  # not what comes from the database, which isn't away and knows of no records
    label = window.app.record_list.count_label
    assert label.cget("text") == "240 records, as known at 14:00"
    assert label.winfo_width() >= label.winfo_reqwidth()


def test_everything_fits_into_1024x768(window: Window) -> None:
    window.resize("1024x768")
    assert shown(window) == (True, True)
    for each in (*(window.app.form.inputs[name].editor for name in fields.FOCUS_ORDER), save_button(window)):
        assert visible(window, each), each
    assert len(window.app.record_list.page.tree.get_children()) >= 0
    assert window.app.record_list.page.capacity >= 5


def test_with_large_fonts_nothing_is_cut_off(window: Window) -> None:
    window.resize("1024x768")
    for size, density in ((12, "comfortable"), (20, "spacious")):
        window.app.settings["density"].set(density)
        window.app.settings["font size"].set(size)
        window.settle()
        nothing_is_cut_off(window, f"{density}, {size}")


def nothing_is_cut_off(window: Window, case: str) -> None:
    window.begin_check()
    form = window.app.form
    form.inputs[F.DATE].focus_set()
    window.app.update()
    for name in fields.FOCUS_ORDER:
        window.until(lambda name=name: window.focus == name, f"{name}: {case}")  # type: ignore[misc]
        window.until(lambda name=name: visible(window, form.inputs[name].editor), f"{name} in sight: {case}")  # type: ignore[misc]
        window.press("Tab")
    window.until(lambda: visible(window, save_button(window)), f"the button in sight: {case}")
    window.fill_readings()
    window.save()
    window.until(lambda: visible(window, form.inputs[F.HUMIDITY].editor), f"the first empty field in sight: {case}")
    assert visible(window, window.app.status_bar), case


def cut_off(window: Window) -> list[str]:
    """The windows beside the main one that aren't whole on the screen, and their buttons that aren't in sight."""
    found = []
    for top in window.app.winfo_children():
        if isinstance(top, tk.Toplevel) and top.winfo_viewable():
            screen = (0, 0, top.winfo_screenwidth(), top.winfo_screenheight())
            found += [] if _within(top, *screen) else [f"{top.title()}: {top.winfo_geometry()}"]
            found += [f"{top.title()}: {each.cget('text')}" for each in _buttons(top) if not _in_sight(each)]
    return found


def _within(widget: tk.Misc, x: int, y: int, width: int, height: int) -> bool:
    right, bottom = widget.winfo_rootx() + widget.winfo_width(), widget.winfo_rooty() + widget.winfo_height()
    return widget.winfo_rootx() >= x and widget.winfo_rooty() >= y and right <= x + width and bottom <= y + height


def _in_sight(button: ttk.Button) -> bool:
    """Whether nothing of it is hidden by what it is in; what can be scrolled is."""
    room: tk.Misc = button
    while not isinstance(room, tk.Toplevel | tk.Canvas):
        room = room.nametowidget(room.winfo_parent())
        if not _within(button, room.winfo_rootx(), room.winfo_rooty(), room.winfo_width(), room.winfo_height()):
            return isinstance(room, tk.Canvas)
    return button.winfo_width() >= button.winfo_reqwidth()


def _buttons(widget: tk.Misc) -> list[ttk.Button]:
    found = [widget] if isinstance(widget, ttk.Button) and widget.winfo_viewable() else []
    return found + [button for child in widget.winfo_children() for button in _buttons(child)]


BESIDE = ("show_deliveries", "check_connections", "show_waiting", "show_administration", "show_history", "show_keys",
          "about", "show_charts", "upload_to_corporate_ftp")  # fmt: skip


def test_no_window_beside_the_form_is_cut_off(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, window.text(F.DATE)))
    window.begin_check()
    open_plot(window, 1)
    for size in (9, 16):
        window.app.settings["font size"].set(size)
        window.settle()
        no_window_is_cut_off(window, size)


def no_window_is_cut_off(window: Window, size: int) -> None:

    def tops() -> list[tk.Toplevel]:
        return [each for each in window.app.winfo_children() if isinstance(each, tk.Toplevel)]

    for callback in BESIDE:
        window.app.callbacks[callback]()
        window.until(lambda: tops() and all(each.winfo_viewable() for each in tops()), f"the window of {callback}")
        window.settle()
        assert (callback, size, cut_off(window)) == (callback, size, [])
        close_beside(window)
        window.until(lambda: not any(each.winfo_viewable() for each in tops()), f"the end of {callback}")


@pytest.fixture(scope="session")
def small_server(display: str) -> Iterator[str]:
    """A screen of 800x600."""
    if sys.platform != "linux":
        pytest.skip("an X display of that size")
    with VirtualDisplay(800, 600) as server:
        yield server.name


@pytest.fixture
def small_screen(
    small_server: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, open_window: Callable[[], Window]
) -> Window:
    """A window on that screen, with large letters."""
    monkeypatch.setenv("DISPLAY", small_server)
    settings["font size"] = 20
    window = open_window()
    window.until_open()
    return window


LISTS = ("show_questions", "show_handover", "show_shift_messages", "show_alarms", "show_history", "show_withdrawn")
ASKING = ("write_note", "mark_value", "move_record", "withdraw_record", "move_check", "export_view", "show_keys")


def test_on_a_small_screen_lists_and_texts_can_be_read_and_dialogs_are_whole(
    small_screen: Window, stored: SQLModel
) -> None:
    window, long = small_screen, "The lamp flickered over the third bench from seven to nine. " * 16
    day = window.text(F.DATE)
    stored.add_technician(9001, LONG_NAME)
    for plot in (1, 2, 3, 4):
        stored.save_record(record(plot, day, Notes=long), author=LONG_NAME)
        stored.mark_value((day, "8:00", "A", plot), "humidity", "queried", long)
        stored.send_message(TO_ALL, f"{plot} {long[:200]}", by=By(LONG_NAME))
        stored.write_note(Subject("A", plot), long, by=By(LONG_NAME))
        if plot > 2:
            stored.withdraw_record((day, "8:00", "A", plot), "Wrong lab", by=By(LONG_NAME))
    stored.look_for_alarms([Finding("disk", f"/data/{number}", long) for number in range(4)], by=By("", "bench"))
    window.begin_check()
    open_plot(window, 1)
    for callback in (*LISTS, *ASKING):
        window.app.callbacks[callback]()
        tops = window.app.winfo_children
        window.until(lambda: any(isinstance(each, tk.Toplevel) and each.winfo_viewable() for each in tops()), callback)  # noqa: B023
        window.settle()
        assert (callback, cut_off(window)) == (callback, [])
        if callback in LISTS:
            found = next(each for each in tops() if isinstance(each, SideWindow))
            window.until(lambda: found.tree.get_children(), "the rows")  # type: ignore[attr-defined]  # noqa: B023
            window.settle()
            tree, text = found.tree, found.detail.text  # type: ignore[attr-defined]
            assert tree.bbox(tree.get_children()[1]), f"{callback}: the second row"
            assert text.winfo_height() >= 1.5 * nametofont("TkDefaultFont", window.app).metrics("linespace"), callback
        close_beside(window)


def close_beside(window: Window) -> None:
    """Close the windows beside the main one as the button of their frame does."""
    for top in window.app.winfo_children():
        if isinstance(top, tk.Toplevel) and top.winfo_viewable():
            window.app.tk.eval(str(top.protocol("WM_DELETE_WINDOW")))
    window.settle()


def test_two_versions_of_a_record_fit_on_the_screen(window: Window, stored: SQLModel) -> None:
    date, long = window.text(F.DATE), "What happened to the plants on this morning and why. " * 9
    names = (F.HUMIDITY, F.LIGHT, F.TEMPERATURE, F.PLANTS, F.BLOSSOMS, F.FRUIT)
    window.begin_check()
    for plot, size in ((1, 9), (2, 16)):
        stored.save_record(record(plot, date))
        window.app.settings["font size"].set(size)
        window.settle()
        open_plot(window, plot)
        window.fill(Notes="mine", **dict.fromkeys(names, "5"))
        stored.save_record(record(plot, date, Notes=long, **dict.fromkeys(names, "6")), "update", author="P Taylor")
        window.app.form.submit()
        window.dialog()
        window.settle()
        assert (size, cut_off(window)) == (size, [])
        close_beside(window)
        window.app.form.shown_record.discard()


def test_long_errors_push_nothing_out_of_reach(window: Window) -> None:
    window.resize("1024x768")
    window.begin_check()
    form = window.app.form
    for name in (F.HUMIDITY, F.LIGHT, F.TEMPERATURE, F.PLANTS, F.BLOSSOMS, F.FRUIT):
        form.inputs[name].show_error("A long sentence that says in words what is wrong with this value. " * 3)
    window.app.update()
    form.inputs[F.NOTES].focus_set()
    window.until(lambda: visible(window, form.inputs[F.NOTES].editor), "the notes in sight")
    window.press("Tab")
    window.until(lambda: visible(window, save_button(window)), "the button in sight")


LONG_NAME = "Maximiliana Wolkenstein-Hohenlohe-Bartenstein of the Night Shift"


SIZES = ((9, "800x600"), (14, "800x600"), (14, "1024x768"), (20, "1280x850"), (20, "800x600"), (24, "800x600"))


def test_save_is_in_sight_at_every_size_and_the_focus_too(window: Window, stored: SQLModel) -> None:
    stored.add_technician(9001, LONG_NAME)
    stored.save_record(record(3, today(window)), author="J Simms")
    window.app.refresh()
    window.app.settings["correction reason"].set("always")
    for size, room in SIZES:
        window.begin_again()
        window.app.settings["font size"].set(size)
        window.resize(room)
        save_is_in_sight(window, f"{size} in {room}")


def save_is_in_sight(window: Window, case: str) -> None:
    window.begin_check(technician=LONG_NAME)
    form = window.app.form

    def at_hand() -> bool:
        focused = form.focused
        return visible(window, save_button(window)) and focused is not None and visible(window, focused.editor)

    for name in fields.FOCUS_ORDER:
        form.inputs[name].focus_set()
        form.inputs[name].show_error(SENTENCE)
        window.until(lambda name=name: window.focus == name and at_hand(), f"{name}: {case}")  # type: ignore[misc]
    form.shown_record.discard()
    open_plot(window, 3)
    window.fill(Humidity="30")
    window.until(lambda: form.reason.asked and at_hand(), f"the buttons of a correction: {case}")
    for each in (form.reason.box, form.save_bar.discard_button):
        assert visible(window, each), case
    assert form.reason.box.winfo_width() > 100, case
    form.shown_record.discard()


def test_the_focus_stays_in_sight_when_the_window_shrinks_and_comes_back_with_a_key(window: Window) -> None:
    window.resize(LARGE)
    window.begin_check()
    notes = window.app.form.inputs[F.NOTES]
    notes.focus_set()
    window.app.update()
    window.resize("800x480")
    window.until(lambda: visible(window, notes.editor), "the notes in the smaller window")
    window.app.form.room.inside.yview_moveto(0)
    window.app.update()
    assert not visible(window, notes.editor)
    window.type("3")
    window.until(lambda: visible(window, notes.editor), "the field that is typed into")


def test_the_window_has_a_size_below_which_it_does_not_go(window: Window) -> None:
    assert window.app.minsize() == (640, 480)
    window.resize("640x480")
    window.begin_check()
    window.until(lambda: visible(window, window.app.form.inputs[F.HUMIDITY].editor), "the field in sight")
    window.type("24.09\n1.03\n22.01\n9\n21\n3\n1.67\n8.70\n2.73\n")
    window.until(lambda: window.app.form.check.recorded, "the save")


def test_only_the_room_that_is_needed_has_scrollbars(window: Window) -> None:
    room = window.app.form.room
    window.resize(LARGE)
    assert not room.down.winfo_viewable() and not room.across.winfo_viewable()
    window.resize("640x480")
    window.until(lambda: room.down.winfo_viewable(), "the scrollbar")
    assert not room.across.winfo_viewable()


FLOWS = ((9, LARGE, 3, 1), (9, "640x480", 2, 2), (16, "1024x768", 2, 2), (20, "1024x768", 1, 2), (24, "800x600", 1, 4))


def test_the_form_flows_into_the_width_that_is_there(window: Window, stored: SQLModel) -> None:
    for plot in range(1, 20):
        stored.save_record(record(plot, window.text(F.DATE)))
    for size, room, columns, lines in FLOWS:
        window.resize(room)
        window.app.settings["font size"].set(size)
        window.begin_again(20)
        the_form_flows(window, room, columns, lines)
        stored.withdraw_record((window.text(F.DATE), "8:00", "A", 20), "for the next size")


def the_form_flows(window: Window, room: str, columns: int, lines: int) -> None:
    form = window.app.form
    strip = form.check_panel.strip
    scrolled, body = form.room, form.layout.body

    def fits() -> bool:
        return scrolled.inside.winfo_width() >= body.winfo_reqwidth() and not scrolled.across.winfo_manager()

    window.until(fits, "the form in the width of the window")
    assert len({form.inputs[name].winfo_rootx() for name in (F.HUMIDITY, F.PLANTS, F.MIN_HEIGHT)}) == columns
    across = [form.inputs[name].winfo_rooty() for name in (F.DATE, F.TECHNICIAN)]
    assert (across[0] == across[1]) == (room == LARGE)
    assert round(strip.winfo_reqheight() / (strip.cell_size()[1] + 4)) == lines
    for plot in (20, 11, 3):  # a click on each line goes there, and what a save would do fits beside it
        x, y = next(
            (x, y)
            for y in range(0, strip.winfo_height(), 4)
            for x in range(0, strip.winfo_width(), 4)
            if strip.plot_at(x, y) == plot
        )
        strip.event_generate("<Button-1>", x=x, y=y)
        window.until(lambda plot=plot: window.text(F.PLOT) == str(plot), f"plot {plot}")  # type: ignore[misc]
        window.until(fits, "the form with its remark")
    window.fill(Plot="20")
    window.fill_readings()
    window.save()
    window.until(lambda: form.check.complete, "the complete check")
    window.until(fits, "the form with what comes next")


def test_the_form_takes_its_first_arrangement_again(window: Window) -> None:
    window.resize(LARGE)
    form = window.app.form
    before = {name: (each.winfo_x(), each.winfo_y()) for name, each in form.inputs.items()}
    window.resize("640x480")
    window.until(lambda: form.inputs[F.TECHNICIAN].winfo_rooty() > form.inputs[F.DATE].winfo_rooty(), "two lines")
    window.resize(LARGE)
    window.until(lambda: {name: (each.winfo_x(), each.winfo_y()) for name, each in form.inputs.items()} == before, "")


@pytest.mark.parametrize(
    ("widths", "room", "expected"),
    [
        ([], 100, []),
        ([50, 50], 100, [2]),
        ([50, 51], 100, [1, 1]),
        ([300], 100, [1]),
        ([40, 40, 40, 90], 100, [2, 1, 1]),
    ],
)
def test_pieces_flow_into_lines(widths: list[int], room: int, expected: list[int]) -> None:
    assert pieces_per_line(widths, room) == expected


def test_control_n_goes_from_the_list_back_to_what_was_being_typed(window: Window) -> None:
    window.begin_check()
    window.type("24.09")
    window.resize("800x500")
    window.until(lambda: window.app.layout.shown == ("form",), "the small window")
    window.press("ctrl+l")
    window.until(lambda: window.app.layout.shown == ("list",), "the list")
    window.press("ctrl+n")
    window.until(lambda: window.app.layout.shown == ("form",), "the form")
    assert not window.dialogs
    assert window.text("Humidity") == "24.09"


def test_control_r_goes_back_to_the_field_that_was_left_for_the_list(window: Window) -> None:
    for plot, size in ((1, SMALL), (2, LARGE)):
        window.resize(size)
        window.begin_again(plot)
        window.type("24.09\t1.5\t")
        window.press("shift+Tab")
        window.until(lambda: window.focus == F.LIGHT, "the field before")
        window.press("ctrl+l")
        window.until(lambda: window.app.focus_get() is window.app.record_list.page.tree, f"the list in {size}")
        window.press("ctrl+r")
        window.until(lambda: window.focus == F.LIGHT, f"the field that was left in {size}")
        window.press("ctrl+r")
        window.until(lambda: window.focus == F.TEMPERATURE, f"the first empty field in {size}")
        window.press("ctrl+l")
        window.app.navigation.go_to_plot(7)
        window.until(lambda: window.text(F.PLOT) == "7", "another plot")
        window.press("ctrl+l", "ctrl+r")
        window.until(lambda: window.focus == F.HUMIDITY, f"the first empty field of another plot in {size}")


def places(window: Window) -> dict[str, tuple[int, int, int, int]]:
    """Where everything of the form is that somebody types into or presses, and the bars that scroll it."""
    form, room = window.app.form, window.app.form.room
    parts: dict[str, tk.Misc] = {name: each.editor for name, each in form.inputs.items()}
    parts |= {"save": save_button(window), "strip": form.check_panel.strip, "list": window.app.record_list}
    window.settle()
    found = {
        name: (each.winfo_rootx(), each.winfo_rooty(), each.winfo_width(), each.winfo_height())
        for name, each in parts.items()
    }
    bars = {"down": room.down, "across": room.across, "of the list": across_the_list(window)}
    return found | {name: (int(bool(bar.winfo_manager())), 0, 0, 0) for name, bar in bars.items()}


def across_the_list(window: Window) -> ttk.Scrollbar:
    bars = (each for each in window.app.record_list.page.winfo_children() if isinstance(each, ttk.Scrollbar))
    return next(each for each in bars if str(each.cget("orient")) == "horizontal")


SENTENCE = "99.9 is above 52.0 g/m³, and this sentence goes on for longer than any field of the form is wide"


NO_BARS = ("1180x804", "1024x700", "800x600")


def test_errors_presence_and_the_next_check_move_nothing(window: Window) -> None:
    form = window.app.form
    for size in NO_BARS:
        window.resize(size)
        window.begin_again()
        before = places(window)
        assert not form.check_panel.next_button.winfo_ismapped()
        window.until(lambda: visible(window, save_button(window)), "the button")
        assert not before["down"][0] and not before["across"][0]
        for each in form.inputs.values():
            each.show_error(SENTENCE)
        assert places(window) == before, size
        for each in form.inputs.values():
            each.show_error("")
            each.show_hint("Not saved yet. Who are you? Enter takes this name.")
            each.show_previous("24.09", "Recorded on 2026-11-01 at 8:00")
        assert places(window) == before, size
        others = (Entering("P Taylor", "bench-2", 14), Entering("Q Murphy", "a workstation with a long name", 15))
        key = form.check.key
        assert key is not None
        form.show_others(key, others)
        assert places(window) == before, size
        recorded = dict.fromkeys(form.check.plots, "J Simms")
        form.check = form.check._replace(recorded=recorded, following=(key[0], key[1], "B"))
        form.begin_new()
        assert places(window) == before, size
        window.until(lambda: visible(window, form.check_panel.next_button), "the button")
        assert "Next: lab B" in str(form.check_panel.next_button.cget("text"))


def test_lines_that_ask_and_keys_typed_ahead_move_nothing(window: Window) -> None:
    ahead, bar = window.app.form.type_ahead.line, window.app.status_bar.messages
    for size in NO_BARS:
        window.resize(size)
        window.begin_again()
        before, panel, key = places(window), window.app.form.check_panel, window.app.form.check.key
        assert key is not None and not panel.technician_line.winfo_ismapped()
        panel.ask_technician(TechnicianQuestion(key, "J Simms", "P Taylor", 20))
        assert places(window) == before and visible(window, panel.technician_line)
        ahead.show("Typed ahead for plot 8, lab A, 8:00:", "24.09 ⏎ " * 20)
        assert places(window) == before and visible(window, ahead)
        bar.show_message(Message("x", "It failed.", actions=(("Try Again", None),)))
        assert places(window) == before, size
        assert str(bar.more_button.cget("text")) == "1 message (F8)"
        assert ahead.winfo_rootx() + ahead.winfo_width() <= bar.more_button.winfo_rootx()
        ahead.show("", "")
        window.until(lambda: str(bar.more_button.cget("text")) == "More (F8)", "the message")
        assert not ahead.winfo_ismapped() and "It failed" in str(bar.label.cget("text"))
        assert places(window) == before
        bar.settle("x")


def test_keys_typed_ahead_and_their_buttons_have_room_with_large_letters(window: Window) -> None:
    ahead = window.app.form.type_ahead.line
    for size, lines in ((SMALL, 2), (LARGE, 1)):
        window.app.settings["font size"].set(20 if lines == 2 else 10)
        window.resize(size)
        window.settle()
        ahead.show("Typed ahead for plot 8, lab A, 8:00:", "24.09 ⏎ 1.03")
        window.settle()
        widgets = (ahead.box, *ahead.buttons.values())
        assert all(visible(window, each) and each.winfo_width() >= each.winfo_reqwidth() for each in widgets), size
        assert (ahead.winfo_height() > ahead.box.winfo_height() * 1.5) == (lines == 2), size
        ahead.show("", "")


def test_a_question_has_a_place_beside_another_one(window: Window) -> None:
    window.resize(LARGE)
    window.begin_check()
    before, panel, key = places(window), window.app.form.check_panel, window.app.form.check.key
    assert key is not None
    panel.ask_date(DateQuestion(key[0], "31 days back", False))
    panel.ask_technician(TechnicianQuestion(key, "J Simms", "P Taylor", 20))
    assert places(window) == before
    asked, below = panel.date_line, panel.technician_line
    window.until(lambda: visible(window, asked) and visible(window, below), "both questions")
    assert asked.winfo_rooty() + asked.winfo_height() <= below.winfo_rooty() + 1


def test_words_below_a_field_take_one_line_or_two_and_the_rest_is_in_the_tooltip(window: Window) -> None:
    for size, lines in ((LARGE, 1), (SMALL, 2)):
        window.resize(size)
        note = window.app.form.inputs[F.HUMIDITY].line_below
        window.app.form.inputs[F.HUMIDITY].show_error(SENTENCE)
        window.settle()
        shown = str(note.label.cget("text"))
        assert shown.count("\n") == lines - 1 and shown.endswith("…")
        assert note.tooltip.text == f"✗ {SENTENCE}" and note.text == f"✗ {SENTENCE}"
        assert note.label.winfo_height() <= note.room.winfo_height()
        window.app.form.inputs[F.HUMIDITY].show_error("")


def test_the_head_uses_the_room_beside_a_narrow_field(window: Window) -> None:
    window.resize(LARGE)
    window.begin_check()
    inputs = window.app.form.inputs
    inputs[F.LAB].show_error("Z isn't one of A, B, C, D or E")
    window.settle()
    assert inputs[F.LAB].line_below.label.cget("text") == "✗ Z isn't one of A, B, C, D or E"
    inputs[F.TECHNICIAN].show_error("Kelly isn't one of J Simms, L Taniff, P Taylor or Q Murphy")
    window.settle()
    lab, technician = inputs[F.LAB].line_below.label, inputs[F.TECHNICIAN].line_below.label
    assert lab.winfo_rootx() + lab.winfo_width() <= technician.winfo_rootx()
    assert str(lab.cget("text")).endswith("…") and "Q Murphy" in str(technician.cget("text"))


@pytest.mark.parametrize(
    ("text", "width", "lines", "shown"),
    [
        ("one two", 7, 1, "one two"),
        ("one two", 6, 1, "one t…"),
        ("one two", 6, 2, "one\ntwo"),
        ("one two three four", 8, 2, "one two\nthree f…"),
        ("unbreakable", 5, 2, "unbr…"),
        ("", 5, 1, ""),
        ("abc", 0, 1, "…"),
    ],
)
def test_text_is_fitted_into_lines(text: str, width: int, lines: int, shown: str) -> None:
    assert fitted(text, len, width, lines) == shown


@pytest.fixture(scope="session")
def fine_server(display: str) -> Iterator[str]:
    """A screen of 3840x2160 with 192 dots an inch; Tk holds on to it until the process ends."""
    if sys.platform != "linux":
        pytest.skip("an X display of that size")
    with VirtualDisplay(3840, 2160, dpi=192) as server:
        yield server.name


@pytest.fixture
def fine_display(fine_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The window opens on that screen."""
    monkeypatch.setenv("DISPLAY", fine_server)


def test_the_first_window_on_a_fine_screen_shows_form_and_list(
    fine_display: None, open_window: Callable[[], Window]
) -> None:
    window = open_window()
    window.until_open()
    assert shown(window) == (True, True)
    assert window.app.winfo_width() > 2 * 1000 and window.app.winfo_height() > 2 * 700
    assert visible(window, save_button(window))
    assert not window.app.form.room.across.winfo_manager()
    assert not across_the_list(window).winfo_manager()


@pytest.fixture
def _scaling_of_the_display(window: Window) -> Iterator[None]:
    """Tk keeps it for a display, and so for the windows of later tests."""
    before = window.app.tk.call("tk", "scaling")
    yield
    window.app.tk.call("tk", "scaling", before)


@pytest.mark.skipif(TK_9, reason="Tk 9 knows it from the start")
@pytest.mark.usefixtures("_scaling_of_the_display")
def test_a_screen_that_turns_out_to_be_fine_gets_a_larger_first_window(window: Window) -> None:
    before = window.app.winfo_width()
    window.app.preferences.follow_desktop(DesktopPreference(dpi=106))
    window.until(lambda: window.app.winfo_width() > before, "the larger window")
    window.resize("1000x800")
    window.app.preferences.follow_desktop(DesktopPreference(dpi=140))
    window.settle()
    assert window.app.winfo_width() == 1000  # somebody has chosen that size


def test_questions_messages_and_long_notes_move_nothing(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window)), author="J Simms")
    for theme in THEMES:
        window.app.settings["theme"].set(theme)
        window.begin_again()
        assert not (window.app.form.check_panel.technician_line.winfo_ismapped() or window.messages)
        window.begin_check(technician="P Taylor")
        window.app.form.known.look_up()
        window.settle()
        form, panel = window.app.form, window.app.form.check_panel
        at = [(each.winfo_rootx(), each.winfo_rooty()) for each in (form.inputs[F.NOTES].editor, save_button(window))]
        for line in (panel.technician_line, panel.date_line):
            if line is panel.date_line:
                window.fill(Date="2026-10-01")
            window.fill(Notes="\n".join("abc"))
            window.app.status_bar.messages.show_message(Message("x", "It failed.", actions=(("Try Again", None),)))
            window.settle()
            assert line.winfo_ismapped() and not window.app.form.room.down.winfo_manager()
            assert at == [
                (each.winfo_rootx(), each.winfo_rooty()) for each in (form.inputs[F.NOTES].editor, save_button(window))
            ]
        window.app.status_bar.messages.settle("x")


def test_long_names_of_technicians_move_nothing_and_are_cut_with_an_ellipsis(window: Window, stored: SQLModel) -> None:
    name = "Maximiliana Wolkenstein-Hohenlohe-Bartenstein of the Night Shift"
    stored.add_technician(9001, name)
    stored.save_record(record(1, today(window)), author="J Simms")
    window.app.refresh()
    window.settle()
    window.begin_check()
    window.app.form.known.look_up()
    window.settle()
    panel = window.app.form.check_panel
    before = save_button(window).winfo_rooty()
    window.begin_check(technician=name)
    window.settle()
    line = panel.technician_line
    assert line.winfo_ismapped() and line.text.endswith(f"says {name}.")
    assert str(line.sentence.cget("text")).endswith("…") and line.whole.text == line.text
    assert save_button(window).winfo_rooty() == before and not window.app.form.room.down.winfo_manager()
    others = (Entering(name, "workstation-of-the-east-wing", 9),)
    window.app.form.known.show(window.app.form.check._replace(others=others))
    window.app.update()
    label = panel.others.label
    x, y = label.winfo_rootx() + label.winfo_width() - 4, label.winfo_rooty() + label.winfo_height() // 2
    assert str(label.cget("text")) and window.app.winfo_containing(x, y) is label


def test_wrong_closed_and_focused_differ_in_more_than_hue(window: Window) -> None:
    from tests.window.pixels import marks_in, pixel

    window.begin_check()
    wrong, right = window.app.form.inputs[F.HUMIDITY], window.app.form.inputs[F.LIGHT]
    for theme in THEMES:
        window.app.settings["theme"].set(theme)
        wrong.show_error("wrong")
        right.set_enabled(True)
        for focused in (wrong, right):
            focused.focus_set()
            window.settle()
            assert marks_in(wrong.editor) and not marks_in(right.editor), theme
        right.set_enabled(False)
        window.settle()
        assert pixel(right.editor) != pixel(window.app.form.inputs[F.TEMPERATURE].editor), theme


def test_lists_have_a_border_and_show_the_focus(window: Window) -> None:
    from tests.window.pixels import background, edge

    tree = window.app.record_list.page.tree
    window.app.layout.show("list")
    window.until(tree.winfo_viewable, "the list")
    for theme in THEMES:
        window.app.settings["theme"].set(theme)
        window.app.focus_force()
        window.settle()
        without = edge(tree)
        assert contrast(without, background(tree)) >= 2.5, theme
        tree.focus_force()
        window.settle()
        assert edge(tree) != without, theme


def test_notes_show_that_they_scroll_and_follow_a_paste(window: Window) -> None:
    notes: Any = window.app.form.inputs[F.NOTES].editor
    bar = next(each for each in notes.master.winfo_children() if isinstance(each, ttk.Scrollbar))
    assert not bar.winfo_manager()
    window.app.clipboard_clear()
    window.app.clipboard_append("\n".join(f"line {number}" for number in range(30)))
    notes.focus_force()
    window.press("ctrl+v")
    window.until(lambda: notes.index("insert").startswith("30."), "the paste")
    window.until(lambda: bar.winfo_manager() and notes.bbox("insert"), "the bar, and the end of the paste in sight")


def test_a_status_that_does_not_fit_ends_with_an_ellipsis_and_has_a_tooltip(window: Window) -> None:
    window.resize(SMALL)
    told = "Saved. " * 60
    window.app.status.set(told)
    window.settle()
    line = window.app.status_bar.status_line
    shown = str(line.label.cget("text"))
    assert shown.endswith("…") and line.tooltip.text == told and line.text == told
    assert line.label.winfo_width() <= line.winfo_width()
    window.app.status.set("Ready")
    window.settle()
    assert line.label.cget("text") == "Ready" and not line.tooltip.text


def test_the_list_of_a_box_is_as_wide_as_its_longest_entry(window: Window, stored: SQLModel) -> None:
    stored.add_technician(9001, LONG_NAME)
    window.app.refresh()
    window.until(lambda: LONG_NAME in (window.app.form.choices.get(F.TECHNICIAN) or ()), "the name")
    call = window.app.tk.call
    box: Any = window.app.form.inputs[F.TECHNICIAN].editor
    filters = window.app.record_list.filters.boxes
    for each in (box, filters[F.TECHNICIAN]):
        popdown = str(call("ttk::combobox::PopdownWindow", str(each)))
        each.focus_force()
        window.press("alt+Down" if each is box else "Down")
        window.until(lambda popdown=popdown: call("winfo", "ismapped", popdown), "the open list")  # type: ignore[misc]
        width, left = (int(call("winfo", word, popdown)) for word in ("width", "rootx"))
        needed = int(call("font", "measure", "TkTextFont", LONG_NAME))
        assert width > needed > each.winfo_width()
        assert left >= 0 and left + width <= window.app.winfo_screenwidth()
        window.press("Escape")
        window.until(lambda popdown=popdown: not call("winfo", "ismapped", popdown), "the end of it")  # type: ignore[misc]
    lab: Any = window.app.form.inputs[F.LAB].editor
    lab.focus_force()
    window.press("alt+Down")
    popdown = str(call("ttk::combobox::PopdownWindow", str(lab)))
    window.until(lambda: call("winfo", "ismapped", popdown), "the open list")
    assert int(call("winfo", "width", popdown)) < lab.winfo_width() + 40
    window.press("Escape")
