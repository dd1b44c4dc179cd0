"""Keys typed ahead: each belongs to the plot that it was typed for, and to no other."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.store.drafts import throwaway_file
from abq_data_entry.views.conflict import ConflictDialog
from abq_data_entry.views.typed_keys import QUIET_SECONDS, AheadLine
from tests.fixtures.cluster import OWNER, Node, frozen
from tests.fixtures.outages import VALUES, differences, keys_of, readings, type_blindly
from tests.fixtures.window import Window
from tests.models.records import record
from tests.window.test_login import type_login

pytestmark = pytest.mark.usefixtures("display")


@pytest.fixture
def online(single: Node, settings: dict[str, Any], open_window: Callable[[], Window]) -> Window:
    """A window that is logged in to the server of the test."""
    settings.update(db_host="127.0.0.1", db_port=str(single.port), db_name="abq")
    window = open_window()
    type_login(window, OWNER, single.endpoint()["password"])
    window.until_open()
    return window


@pytest.fixture
def there(single: Node) -> Iterator[SQLModel]:
    """A second look into that database."""
    model = SQLModel.at(single.endpoint())
    yield model
    model.close()


@contextmanager
def slow(stored: SQLModel, rule: str = "") -> Iterator[None]:
    """The database takes saves and answers none of them until the end; from then on the light has to obey ``rule``."""
    with stored._connections._connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE plot_checks IN EXCLUSIVE MODE")
        if rule:
            obey(cursor, rule)
        try:
            yield
        finally:
            cursor.execute("COMMIT")


def obey(cursor: Any, rule: str) -> None:
    cursor.execute("ALTER TABLE plot_checks DROP CONSTRAINT light_within_limits")
    cursor.execute(f"ALTER TABLE plot_checks ADD CONSTRAINT light_within_limits CHECK ({rule}) NOT VALID")


def plot(seed: int) -> dict[str, str]:
    return readings(random.Random(seed))


def begin_with_a_slow_save(window: Window, typed: str = "") -> None:
    """In lab A at 8:00 the plot of the form is being saved, and meanwhile this has been typed."""
    window.type(keys_of([plot(1)]))
    window.until(lambda: window.app.form.saving, "the save")
    window.type(typed)


def line(window: Window) -> AheadLine:
    return window.app.form.type_ahead.line


def records(stored: SQLModel) -> dict[int, dict[str, Any]]:
    return {int(str(each[F.PLOT])): each for each in stored.get_all_records(all_dates=True)}


def until_saved(window: Window) -> None:
    window.until(lambda: not window.app.form.saving and not window.app.form.type_ahead.is_busy, "the save")
    window.settle()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP there")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("goes_away", [False, True], ids=["a short outage", "into the journal"])
@pytest.mark.takes(10)
def test_plots_typed_through_an_outage_are_stored_as_they_were_typed(
    online: Window, single: Node, there: SQLModel, goes_away: bool
) -> None:
    window, app = online, online.app
    chance = random.Random(20261126)
    plots = [readings(chance) for _ in range(8)]
    window.begin_check()
    hand = type_blindly(keys_of(plots))
    window.until(lambda: window.text(F.PLOT) == "2" and window.text(F.LIGHT), "the second plot")
    with frozen(single):
        window.until(lambda: len(app.form.type_ahead.draft()) and app.form.saving, "keys typed ahead")
        if goes_away:
            window.until(lambda: "Database away" in app.status_bar.trouble, "the window to notice")
            window.until(lambda: app.form.check.waiting, "records that wait here")
        else:
            window.until(lambda: len(app.form.type_ahead.draft()[0]["keys"]) > 40, "a whole plot typed ahead")
    window.until(lambda: hand.poll() is not None, "the last key", 60)
    window.until(lambda: window.text(F.PLOT) == "9" and not app.form.type_ahead.is_busy, "plot 9", 60)
    window.until(lambda: not app.status_bar.trouble, "the database", 60)
    window.settle()
    assert not line(window).is_shown and not app.form.changed
    for number, typed in enumerate(plots, 1):
        assert differences(typed, records(there)[number]) == []
    assert len(records(there)) == len(plots)


def test_a_segment_belongs_to_the_next_plot_and_the_next_to_the_one_after(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    with slow(stored):
        begin_with_a_slow_save(window, keys_of([plot(2), plot(3)]) + "24.0")
        assert window.text(F.PLOT) == "1"
    until_saved(window)
    assert (window.text(F.PLOT), window.text(F.HUMIDITY), window.focus) == ("4", "24.0", F.HUMIDITY)
    window.type("9")
    assert window.text(F.HUMIDITY) == "24.09"
    for number in (1, 2, 3):
        assert differences(plot(number), records(stored)[number]) == []


def test_the_plot_that_a_colleague_took_meanwhile_gets_none_of_the_keys(
    window: Window, stored: SQLModel, database: dict[str, str]
) -> None:
    window.begin_check()
    with slow(stored):
        begin_with_a_slow_save(window, keys_of([plot(2)]) + "24")
        form, colleague = window.app.form, SQLModel.at(database)
        assert form.check.key is not None
        colleague.enter_check(*form.check.key, 2, "P Taylor")
        window.until(lambda: form.check.entered_by(2), "the colleague")
    until_saved(window)
    colleague.close()
    assert window.text(F.PLOT) == "3" and not form.changed
    assert line(window).is_shown and line(window).title == "⚠ Typed ahead for plot 2, lab A, 8:00:"
    assert line(window).text == f"{' ⏎ '.join(plot(2).values())} ⏎ 24"
    window.type("9\n1")  # and who goes on typing loses nothing
    assert line(window).text.endswith("⏎ 249 ⏎ 1")
    assert not form.changed and set(records(stored)) == {1}


def test_after_the_last_plot_the_keys_go_into_no_other_lab(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.fill(Plot="20")
    for number in range(1, 20):
        stored.save_record(record(Date=window.text(F.DATE), Plot=str(number)))
    window.app.form.known.look_up()
    window.settle()
    window.fill(Plot="20")
    window.app.form.focus_first_empty()
    with slow(stored):
        begin_with_a_slow_save(window, keys_of([plot(2)]))
    until_saved(window)
    assert window.app.form.check.complete and window.text(F.LAB) == "A"
    assert line(window).is_shown and line(window).text == f"{' ⏎ '.join(plot(2).values())} ⏎"
    assert not line(window).buttons["Place Here"].instate(["!disabled"])


def test_keys_after_a_record_that_was_refused_are_shown_and_placed_by_key(window: Window, stored: SQLModel) -> None:
    form = window.app.form
    window.begin_check()
    with slow(stored, "light < 0"):
        begin_with_a_slow_save(window, keys_of([plot(2), plot(3)]))
    until_saved(window)
    window.until(lambda: line(window).is_shown, "the line")
    assert window.text(F.PLOT) == "1" and not records(stored)
    assert line(window).has_focus and not line(window).buttons["Place Here"].instate(["!disabled"])
    assert window.error(F.LIGHT)
    with slow(stored, "light BETWEEN 0 AND 100"):
        until_quiet(window)
    window.press("Escape")
    assert window.focus == F.LIGHT
    window.press("ctrl+s")
    window.until(lambda: window.text(F.PLOT) == "2", "plot 2")
    until_saved(window)
    assert not form.changed
    window.press("F9", "Return")
    window.until(lambda: "plot 3" in line(window).title, "the values of plot 2")
    assert [window.text(name) for name in VALUES] == list(plot(2).values())
    assert line(window).text == f"{' ⏎ '.join(plot(3).values())} ⏎"
    assert set(records(stored)) == {1}
    window.press("Return")
    window.until(lambda: window.text(F.PLOT) == "3", "plot 3")
    window.press("F9", "Return")
    window.until(lambda: not line(window).is_shown and window.text(F.MEDIAN_HEIGHT), "the values of plot 3")
    window.press("Return")
    window.until(lambda: window.text(F.PLOT) == "4", "plot 4")
    assert not line(window).is_shown
    for number in (1, 2, 3):
        assert differences(plot(number), records(stored)[number]) == []


def until_quiet(window: Window) -> None:
    """Until nobody types into the line any more."""
    end = time.monotonic() + QUIET_SECONDS
    window.until(lambda: time.monotonic() > end, "the pause")


KEYS = (
    ("2 3 BackSpace 4 period 0 9", "24.09"),
    ("2 0 9 Left Left 4 period", "24.09"),
    ("9 9 ctrl+a 2 4", "24"),
    ("KP_2 KP_4 KP_Decimal KP_0 KP_9", "24.09"),
    ("9 Tab 1 shift+Tab 2 4", "24"),
)


def test_keys_of_all_kinds_do_what_they_do_without_a_save(window: Window, stored: SQLModel) -> None:
    for number, (keys, shown) in zip(range(1, 20, 2), KEYS, strict=False):
        window.begin_again(number)
        with slow(stored):
            begin_with_a_slow_save(window)
            window.press(*keys.split())
        until_saved(window)
        found = window.text(F.PLOT), window.text(F.HUMIDITY), window.focus
        assert found == (str(number + 1), shown, F.HUMIDITY), keys


@pytest.fixture
def german(display: str) -> Iterator[None]:
    """A keyboard with dead keys. (A key that the layout doesn't have is put into it by xdotool for a moment only.)"""
    subprocess.run(["setxkbmap", "de"], check=True, timeout=10)
    yield
    subprocess.run(["setxkbmap", "us"], check=True, timeout=10)


@pytest.mark.skipif(shutil.which("setxkbmap") is None, reason="the layout is set with setxkbmap")
@pytest.mark.usefixtures("german")
def test_notes_with_accents_and_line_breaks(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    typed = keys_of([plot(2)]).rstrip("\n")
    with slow(stored):
        begin_with_a_slow_save(window, typed)
        window.press("Tab")
        window.type("geköpft, tr")
        window.press("dead_grave", "e", "s", "shift+Return")
        window.type("2 ß\n24")
    until_saved(window)
    assert (window.text(F.PLOT), window.text(F.HUMIDITY)) == ("3", "24")
    assert records(stored)[2][F.NOTES] == "geköpft, très\n2 ß"


def test_what_means_something_else_later_is_shown(window: Window, stored: SQLModel) -> None:
    window.app.clipboard_clear()
    window.app.clipboard_append("31.5")
    for number, key in zip(range(1, 20, 2), ("ctrl+v", "shift+Insert", "ctrl+5", "F5", "Escape"), strict=False):
        window.begin_again(number)
        assert not line(window).is_shown
        with slow(stored):
            begin_with_a_slow_save(window, "24.09\n1")
            window.press(key)
            window.type("9\n")
        until_saved(window)
        found = window.text(F.PLOT), window.text(F.HUMIDITY), window.text(F.LIGHT)
        assert found == (str(number + 1), "24.09", "1"), key
        assert line(window).is_shown and line(window).text.endswith(" 9 ⏎"), key
        line(window).buttons["Discard"].invoke()


def test_after_a_command_nothing_is_typed_by_itself(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    with slow(stored):
        begin_with_a_slow_save(window)
        window.xdotool("keydown", "ctrl", "key", "5", "keyup", "ctrl")
        window.type("24.09\n")
    until_saved(window)
    window.until(lambda: window.text(F.PLOT) == "5", "plot 5")
    assert not window.app.form.changed and line(window).text == "24.09 ⏎"


def test_typed_on_after_a_save_that_stopped_at_an_error(window: Window, stored: SQLModel) -> None:
    """Whoever looks at the paper goes on with the next plot: what stands in the field that is wrong stays."""
    window.begin_check()
    window.fill(**{name.replace(" ", "_"): text for name, text in plot(1).items()})
    window.fill(Light="100.5")
    window.app.form.inputs[F.MEDIAN_HEIGHT].focus_set()
    # Whether somebody looked up is told by the pauses: at 40 keys a second, a busy machine would make such a pause.
    hand = type_blindly(plot(1)[F.MEDIAN_HEIGHT] + "\n" + keys_of([plot(2)]), keys_a_second=8)
    window.until_typed(hand)
    assert window.text(F.LIGHT) == "100.5" and line(window).text == f"{' ⏎ '.join(plot(2).values())} ⏎"
    window.app.form.inputs[F.LIGHT].focus_set()
    window.type("1.03")
    assert window.text(F.LIGHT) == "1.03"


def test_enter_held_or_doubled_is_one(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    with slow(stored):
        window.type(keys_of([plot(1)]) + "\n\n\n24.09\n")  # by one hand: how long after the first Enter counts
        window.until(lambda: window.app.form.saving, "the save")
    until_saved(window)
    assert (window.text(F.PLOT), window.text(F.HUMIDITY), window.focus) == ("2", "24.09", F.LIGHT)
    assert not line(window).is_shown


def test_what_was_typed_ahead_survives_the_program(open_window: Callable[[], Window], stored: SQLModel) -> None:
    window = open_window()
    window.until_open()
    window.begin_check()
    with slow(stored):
        begin_with_a_slow_save(window, "24.09\n")
        window.until(lambda: keys_ahead() == "24.09\r", "the draft with all keys")
        (kept,) = drafts_ahead()
        assert kept["places"][0][1:] == ["8:00", "A", 2]
        window.app.form.save_failed()
    until_saved(window)
    assert line(window).is_shown
    window.app.end()
    second = open_window()
    second.until(lambda: line(second).is_shown, "the line")
    assert (line(second).title, line(second).text) == ("⚠ Typed ahead for plot 2, lab A, 8:00:", "24.09 ⏎")


def drafts_ahead() -> list[Any]:
    """What is typed ahead, as it stands on the disk."""
    with throwaway_file(Path(os.environ["ABQ_DATA_DIR"]) / "drafts").opened() as connection:
        rows = [json.loads(content) for (content,) in connection.execute("SELECT content FROM drafts")]
    return [each["draft"] for each in rows if each["place"] == "ahead"]


def keys_ahead() -> str:
    """The characters of the one draft of keys typed ahead; empty while there is none."""
    return "".join(key[3] for draft in drafts_ahead()[:1] for key in draft["keys"])


def test_keys_typed_while_another_program_has_the_focus_wait(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    other = subprocess.Popen([sys.executable, "-c", OTHER_PROGRAM], stdin=subprocess.PIPE)
    try:
        with slow(stored):
            begin_with_a_slow_save(window, "24.0")
            assert other.stdin is not None
            other.stdin.write(b"now\n")
            other.stdin.flush()
            window.until(lambda: not window.app.tk.call("focus"), "the other program")
        window.until(lambda: not window.app.form.saving, "the save")
        window.settle()
        assert window.text(F.PLOT) == "2"
    finally:
        other.kill()
        other.wait()
    window.app.focus_force()
    window.app.form.inputs[F.HUMIDITY].editor.focus_force()
    window.until(lambda: window.text(F.HUMIDITY) == "24.0", "the keys")
    window.type("9")
    assert window.text(F.HUMIDITY) == "24.09"


OTHER_PROGRAM = """
import sys, tkinter
window = tkinter.Tk()
window.withdraw()
def show(*_):
    sys.stdin.readline()
    window.deiconify()
    window.after(50, window.focus_force)
window.createfilehandler(sys.stdin, tkinter.READABLE, show)
window.mainloop()
"""


def test_the_form_takes_keys_as_soon_as_it_is_shown(window: Window) -> None:
    """In a small window the list takes the place of the form, and the form the place of the list."""
    window.resize("900x500")
    window.until(lambda: len(window.app.layout.shown) == 1, "the small window")
    window.begin_check()
    window.press("ctrl+l")
    window.until(lambda: not window.app.shows_form, "the list")
    window.xdotool("key", "--delay", "0", "ctrl+r", "2", "4", "period", "0", "9")
    assert window.text(F.HUMIDITY) == "24.09"


def test_enter_that_stays_leaves_the_rest_untyped(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    typed = dict(plot(2), Light="")
    with slow(stored):
        begin_with_a_slow_save(window, keys_of([typed, plot(3)]))
    until_saved(window)
    assert (window.text(F.PLOT), window.text(F.LIGHT), window.text(F.TEMPERATURE)) == ("2", "", "")
    rest = [*list(typed.values())[2:], *plot(3).values()]
    assert line(window).text == f"{' ⏎ '.join(rest)} ⏎"
    assert set(records(stored)) == {1}


@pytest.mark.parametrize("answer", ["Save", "Cancel"])
def test_while_somebody_has_to_decide_what_is_typed_is_shown(window: Window, stored: SQLModel, answer: str) -> None:
    window.begin_check()
    first = plot(1)
    window.type(first[F.HUMIDITY])
    stored.save_record(record(Date=window.text(F.DATE), Plot="1", Fruit="8", Humidity="23.90"))
    hand = type_blindly("\n" + keys_of([{name: first[name] for name in VALUES[1:]}, plot(2)]))
    window.until_typed(hand)
    text = f"{' ⏎ '.join(plot(2).values())} ⏎"
    window.until(lambda: line(window).text == text, "all that was typed")
    assert window.text(F.PLOT) == "1" and window.text(F.FRUIT) == first[F.FRUIT]
    window.app.form.inputs[F.LIGHT].focus_set()
    window.type("7")
    assert line(window).text == f"{text} 7" and window.text(F.LIGHT) == first[F.LIGHT]
    window.press("BackSpace")
    window.press("F8")
    window.until(lambda: window.app.status_bar.messages.is_open, "the message")
    window.press("Tab", "Return")  # Choose…
    dialog = window.dialog()
    assert isinstance(dialog, ConflictDialog)
    dialog.take_all("mine")
    window.answer(answer)
    until_saved(window)
    assert line(window).text == f"{text} 7 ⌫"
    if answer == "Cancel":
        assert window.text(F.PLOT) == "1" and records(stored)[1][F.FRUIT] == 8
        return
    window.until(lambda: window.text(F.PLOT) == "2", "plot 2")
    window.press("F9", "Return")
    window.until(lambda: window.text(F.MEDIAN_HEIGHT) == plot(2)[F.MEDIAN_HEIGHT], "the values")
    assert [window.text(name) for name in VALUES] == list(plot(2).values())
    assert differences(first, records(stored)[1]) == []
