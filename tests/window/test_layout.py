"""What is visible in windows of different sizes, and with large fonts."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any

import pytest

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.widgets.flow import lines_of
from tests.fixtures.window import Window
from tests.window.test_form import open_plot, record

SMALL, LARGE = "800x600", "1180x860"


def resize(window: Window, size: str) -> None:
    app = window.app
    app.geometry(f"{size}+0+0")
    wanted = tuple(int(each) for each in size.split("x"))
    window.until(lambda: (app.winfo_width(), app.winfo_height()) == wanted, f"the size {size}")
    app.update()


def visible(window: Window, widget: tk.Misc) -> bool:
    """Whether all of the widget is inside the window, and inside what scrolls it; its beginning if it is too wide."""
    if not widget.winfo_viewable():
        return False
    canvas = window.app._form_room.inside
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
    return window.app.form._plot_panel._save_button


def test_a_large_window_shows_both_a_small_one_shows_one_at_a_time(window: Window) -> None:
    resize(window, LARGE)
    assert shown(window) == (True, True)
    resize(window, SMALL)
    window.until(lambda: shown(window) == (True, False), "the form alone")
    window.press("ctrl+l")
    window.until(lambda: shown(window) == (False, True), "the list alone")
    assert window.app.focus_get() is window.app.record_list.page.tree
    window.press("ctrl+r")
    window.until(lambda: shown(window) == (True, False), "the form alone")
    assert window.focus in fields.FOCUS_ORDER
    resize(window, LARGE)
    window.until(lambda: shown(window) == (True, True), "both again")


def test_everything_fits_into_1024x768(window: Window) -> None:
    resize(window, "1024x768")
    assert shown(window) == (True, True)
    for each in (*(window.app.form.inputs[name].editor for name in fields.FOCUS_ORDER), save_button(window)):
        assert visible(window, each), each
    assert len(window.app.record_list.page.tree.get_children()) >= 0
    assert window.app.record_list.page._capacity >= 5


@pytest.mark.parametrize(("size", "density"), [(12, "comfortable"), (20, "spacious")])
def test_with_large_fonts_nothing_is_cut_off(window: Window, size: int, density: str) -> None:
    resize(window, "1024x768")
    window.app.settings["density"].set(density)
    window.app.settings["font size"].set(size)
    window.settle()
    window.begin_check()
    form = window.app.form
    form.inputs[F.DATE].focus_set()
    window.app.update()
    for name in fields.FOCUS_ORDER:
        window.until(lambda name=name: window.focus == name, name)  # type: ignore[misc]
        window.until(lambda name=name: visible(window, form.inputs[name].editor), f"{name} in sight")  # type: ignore[misc]
        window.press("Tab")
    window.until(lambda: visible(window, save_button(window)), "the button in sight")
    window.fill_readings()
    window.save()
    window.until(lambda: visible(window, form.inputs[F.HUMIDITY].editor), "the first empty field in sight")
    assert visible(window, window.app.status_bar)


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


@pytest.mark.parametrize("size", [9, 16])
@pytest.mark.parametrize(
    "callback",
    ["show_deliveries", "check_connections", "show_waiting", "show_administration", "show_history", "show_keys",
     "about", "upload_to_corporate_ftp"],
)  # fmt: skip
def test_no_window_beside_the_form_is_cut_off(
    window: Window, stored: SQLModel, size: int, callback: str
) -> None:
    stored.save_record(record(1, window.text(F.DATE)))
    window.app.settings["font size"].set(size)
    window.begin_check()
    open_plot(window, 1)
    window.app.callbacks[callback]()

    def tops() -> list[tk.Misc]:
        return [each for each in window.app.winfo_children() if isinstance(each, tk.Toplevel)]

    window.until(lambda: tops() and all(each.winfo_viewable() for each in tops()), "the window")
    window.settle()
    assert cut_off(window) == []


@pytest.mark.parametrize("size", [9, 16])
def test_two_versions_of_a_record_fit_on_the_screen(window: Window, stored: SQLModel, size: int) -> None:
    date, long = window.text(F.DATE), "What happened to the plants on this morning and why. " * 9
    stored.save_record(record(1, date))
    window.app.settings["font size"].set(size)
    window.begin_check()
    open_plot(window, 1)
    names = (F.HUMIDITY, F.LIGHT, F.TEMPERATURE, F.PLANTS, F.BLOSSOMS, F.FRUIT)
    window.fill(Notes="mine", **dict.fromkeys(names, "5"))
    stored.save_record(record(1, date, Notes=long, **dict.fromkeys(names, "6")), "update", author="P Taylor")
    window.app.form.submit()
    window.dialog()
    window.settle()
    assert cut_off(window) == []


def test_long_errors_push_nothing_out_of_reach(window: Window) -> None:
    resize(window, "1024x768")
    window.begin_check()
    form = window.app.form
    for name in (F.HUMIDITY, F.LIGHT, F.TEMPERATURE, F.PLANTS, F.BLOSSOMS, F.FRUIT):
        form.inputs[name].show_error("A long sentence that says in words what is wrong with this value. " * 3)
    window.app.update()
    form.inputs[F.NOTES].focus_set()
    window.until(lambda: visible(window, form.inputs[F.NOTES].editor), "the notes in sight")
    window.press("Tab")
    window.until(lambda: visible(window, save_button(window)), "the button in sight")


def test_the_window_has_a_size_below_which_it_does_not_go(window: Window) -> None:
    assert window.app.minsize() == (640, 480)
    resize(window, "640x480")
    window.begin_check()
    window.until(lambda: visible(window, window.app.form.inputs[F.HUMIDITY].editor), "the field in sight")
    window.type("24.09\n1.03\n22.01\n9\n21\n3\n1.67\n8.70\n2.73\n")
    window.until(lambda: window.app.form.check.recorded, "the save")


def test_only_the_room_that_is_needed_has_scrollbars(window: Window) -> None:
    room = window.app._form_room
    resize(window, LARGE)
    assert not room._down.winfo_viewable() and not room._across.winfo_viewable()
    resize(window, "640x480")
    window.until(lambda: room._down.winfo_viewable(), "the scrollbar")
    assert not room._across.winfo_viewable()


@pytest.mark.parametrize(
    ("size", "room", "columns", "lines"),
    [(9, LARGE, 3, 1), (9, "640x480", 2, 2), (16, "1024x768", 2, 2), (20, "1024x768", 1, 2), (24, "800x600", 1, 4)],
)
def test_the_form_flows_into_the_width_that_is_there(
    window: Window, stored: SQLModel, size: int, room: str, columns: int, lines: int
) -> None:
    for plot in range(1, 20):
        stored.save_record(record(plot, window.text(F.DATE)))
    resize(window, room)
    window.app.settings["font size"].set(size)
    window.begin_check()
    form = window.app.form
    strip = form._check_panel._strip
    scrolled = window.app._form_room

    def fits() -> bool:
        return scrolled.inside.winfo_width() >= form.winfo_reqwidth() and not scrolled._across.winfo_manager()

    window.until(fits, "the form in the width of the window")
    assert len({form.inputs[name].winfo_rootx() for name in (F.HUMIDITY, F.PLANTS, F.MIN_HEIGHT)}) == columns
    across = [form.inputs[name].winfo_rooty() for name in (F.DATE, F.TECHNICIAN)]
    assert (across[0] == across[1]) == (room == LARGE)
    assert round(strip.winfo_reqheight() / (strip._size()[1] + 4)) == lines
    for plot in (20, 11, 3):  # a click on each line goes there, and what a save would do fits beside it
        x, y = next(
            (x, y)
            for y in range(0, strip.winfo_height(), 4)
            for x in range(0, strip.winfo_width(), 4)
            if strip._plot_at(x, y) == plot
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
    resize(window, LARGE)
    form = window.app.form
    before = {name: (each.winfo_x(), each.winfo_y()) for name, each in form.inputs.items()}
    resize(window, "640x480")
    window.until(lambda: form.inputs[F.TECHNICIAN].winfo_rooty() > form.inputs[F.DATE].winfo_rooty(), "two lines")
    resize(window, LARGE)
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
    assert lines_of(widths, room) == expected


def test_control_n_goes_from_the_list_back_to_what_was_being_typed(window: Window) -> None:
    window.begin_check()
    window.type("24.09")
    window.app.geometry("800x500")
    window.until(lambda: window.app._layout.shown == ("form",), "the small window")
    window.press("ctrl+l")
    window.until(lambda: window.app._layout.shown == ("list",), "the list")
    window.press("ctrl+n")
    window.until(lambda: window.app._layout.shown == ("form",), "the form")
    assert not window.dialogs
    assert window.text("Humidity") == "24.09"
