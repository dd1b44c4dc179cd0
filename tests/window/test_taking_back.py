"""Ctrl+Shift+B takes back what was saved last: the record is as it was, and the form holds again what was typed."""

from __future__ import annotations

from decimal import Decimal

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from tests.commands.test_waits_announced import table_locked
from tests.fixtures.window import Window
from tests.window.test_form import open_plot, record, today

PLOT = "24.09\n1.03\n22.01\n9\n21\n3\n1.67\n8.70\n2.73"


def type_plot(window: Window, keys: str = PLOT) -> None:
    """A whole plot with real keys, saved by the last Enter."""
    saved = window.app.shared.saved_records
    window.type(f"{keys}\n")
    window.until(lambda: window.app.shared.saved_records == saved + 1, "the save")
    window.settle()


def take_back(window: Window) -> None:
    window.press("ctrl+shift+b")
    window.until(lambda: "taken back" in window.app.status.get(), "the end of it")
    window.settle()


def test_a_first_entry(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    type_plot(window)
    assert window.text(F.PLOT) == "2"
    window.type("33.30")
    take_back(window)
    key = (today(window), "8:00", "A", 1)
    assert stored.get_record(*key) == {}
    assert [(each.operation, each.reason, each.who) for each in stored.get_history(*key)] == [
        ("INSERT", "", "J Simms"), ("DELETE", "taken back", "J Simms"),
    ]  # fmt: skip
    assert (window.text(F.PLOT), window.text(F.HUMIDITY), window.text(F.MEDIAN_HEIGHT)) == ("1", "24.09", "2.73")
    assert window.app.form.opened is None and window.focus == F.HUMIDITY
    assert window.app.form.check.recorded == {}
    # What was half typed of the next plot waits there.
    window.press("ctrl+a")
    window.type("25.10\n")
    for _ in range(8):
        window.press("Return")
    window.until(lambda: window.app.shared.saved_records == 2, "the save")
    window.settle()
    assert stored.get_record(*key)[F.HUMIDITY] == Decimal("25.10")
    assert (window.text(F.PLOT), window.text(F.HUMIDITY)) == ("2", "33.30")


def test_who_types_on_meanwhile_keeps_plot_and_keys(
    window: Window, stored: SQLModel, database: dict[str, str]
) -> None:
    """The database answers late: the keys are for the plot that is seen; what was taken back waits at its own."""
    stored.save_record(record(2, today(window)))
    window.begin_check()
    type_plot(window)  # plot 1, a first entry
    window.settle()
    before = stored.get_record(today(window), "8:00", "A", 2)
    for plot, corrects in ((1, False), (2, True)):
        if corrects:
            open_plot(window, 2)
            window.settle()
            window.fill(Humidity="30.00")
            window.save()
            window.settle()
        window.app.navigation.go_to_plot(5 + plot)
        window.settle()
        with table_locked(database, "plot_checks"):
            window.press("ctrl+shift+b")
            assert window.app.status.get().startswith("Taking back the save of Plot")
            window.type("33.3")
        window.until(lambda: "taken back" in window.app.status.get(), "the end of it")
        window.type("0\n2.5")
        window.until(lambda: not window.app.shared.away, "the database, where the lock lasted too long")
        window.settle()
        assert (window.text(F.PLOT), window.text(F.HUMIDITY), window.text(F.LIGHT)) == (str(5 + plot), "33.30", "2.5")
        assert plot in window.app.form.draft_keeper.plots()
        window.app.navigation.go_to_plot(plot)
        window.settle()
        assert window.text(F.HUMIDITY) == ("30.00" if corrects else "24.09")
        assert (window.app.form.opened is not None) == corrects
    window.save()
    window.settle()
    saved = stored.get_record(today(window), "8:00", "A", 2)
    assert (saved[F.HUMIDITY], saved[F.LIGHT]) == (Decimal("30.00"), before[F.LIGHT])
    assert stored.get_record(today(window), "8:00", "A", 1) == {}


def test_a_correction(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window)), author="P Taylor")
    before = stored.get_record(today(window), "8:00", "A", 1)
    window.begin_check()
    open_plot(window, 1)
    window.settle()
    window.fill(Humidity="30.00", Plants="4")
    window.save()
    window.settle()
    assert stored.get_record(today(window), "8:00", "A", 1) != before
    take_back(window)
    assert stored.get_record(today(window), "8:00", "A", 1) == before
    assert (window.text(F.HUMIDITY), window.text(F.PLANTS)) == ("30.00", "4")
    assert window.app.form.opened is not None and window.app.form.opened[3] == 1
    window.save()
    assert stored.get_record(today(window), "8:00", "A", 1)[F.HUMIDITY] == Decimal("30.00")


def test_from_another_check_and_while_another_record_is_open(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    type_plot(window)
    stored.save_record(record(5, today(window), Lab="B"))
    window.begin_check(lab="B")
    open_plot(window, 5)
    window.settle()
    take_back(window)
    assert (window.text(F.LAB), window.text(F.PLOT), window.text(F.HUMIDITY)) == ("A", "1", "24.09")
    assert window.app.form.opened is None and window.app.form.changed
    assert [row[F.LAB] for row in stored.get_all_records(all_dates=True)] == ["B"]


def test_what_waits_for_the_database_waits_no_more(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.app.reconnecting.lost(RuntimeError("away"), by_itself=False)
    type_plot(window)
    window.until(lambda: window.app.waiting_records.entries, "the journal")
    window.press("ctrl+shift+b")
    window.until(lambda: not window.app.waiting_records.entries, "the journal to be empty")
    assert (window.text(F.PLOT), window.text(F.HUMIDITY)) == ("1", "24.09")
    assert stored.get_all_records(all_dates=True) == []


def test_a_correction_that_waits_is_taken_back_to_what_was_there(window: Window, stored: SQLModel) -> None:
    """Plot 1 is in the database, plot 2 waits itself: after it was taken back each is saved as a correction again."""
    window.begin_check()
    type_plot(window)
    window.app.reconnecting.lost(RuntimeError("away"), by_itself=False)
    type_plot(window)
    for plot in (1, 2):
        open_plot(window, plot)
        window.fill(Plants="12")
        window.save()
        take_back(window)
        assert "as it was before" in window.app.status.get()
        assert window.app.form.opened is not None and window.text(F.PLANTS) == "12"
        window.save()
    window.app.retry_database()
    window.until(lambda: not window.app.waiting_records.entries, "what waits to be saved")
    window.settle()
    assert [each[F.PLANTS] for each in stored.get_all_records()] == [12, 12]


def test_once_and_only_what_was_saved_here(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.press("ctrl+shift+b")
    assert "Nothing was saved in this window" in window.app.status.get()
    type_plot(window)
    take_back(window)
    window.press("ctrl+shift+b")
    assert "Nothing was saved in this window" in window.app.status.get()


def test_what_somebody_changed_since_stays(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    type_plot(window)
    stored.save_record(record(1, today(window), Plants="3"), author="P Taylor")
    window.press("ctrl+shift+b")
    dialog = window.dialog()
    assert "Not taken back: the save of Plot 1, lab A, 8:00." in dialog.message
    assert "P Taylor changed the record" in dialog.detail
    window.answer("OK")
    assert stored.get_record(today(window), "8:00", "A", 1)[F.PLANTS] == 3
    assert window.text(F.PLOT) == "2"
