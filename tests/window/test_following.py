"""What others save, and who they are, shows by itself in strip, form and list; nothing moves in the hands."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.application.following import MOST_CHANGES
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.views.check_panel import PlotState
from tests.fixtures.window import PATIENCE, Window, close
from tests.models.records import EVERY_PLOT
from tests.window.test_form import open_plot, record, today


def saves(stored: SQLModel, window: Window, plot: int, **changes: object) -> None:
    stored.save_record(record(plot, today(window), **changes), author="P Taylor", workstation="bench-2")


def enters(other: SQLModel, window: Window, plot: int | None, lab: str = "A") -> None:
    other.enter_check(today(window), "8:00", lab, plot, "P Taylor", "bench-2")


def shown_plots(window: Window) -> list[object]:
    return [row[F.PLOT] for row in window.app.record_list.page.rows]


def others_text(window: Window) -> str:
    return window.app.form.check_panel.others.text


@pytest.fixture
def following(window: Window, stored: SQLModel) -> Window:
    """A window that listens already: what is saved from now on reaches it."""
    window.begin_check()

    def heard() -> bool:
        rows = stored.query("SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
        return bool(rows)

    window.until(heard, "the window to listen")
    window.until(lambda: window.app.following.shown_at, "the first look at what was missed")
    window.settle()
    return window


# -- records ----------------------------------------------------------------------------------------------


def test_the_strip_and_the_list_show_what_somebody_else_records(following: Window, stored: SQLModel) -> None:
    saves(stored, following, 5, Technician="P Taylor")
    following.until(lambda: following.app.form.check.recorded.get(5) == "P Taylor", "the strip")
    following.until(lambda: shown_plots(following) == [5], "the list")
    assert following.app.record_list.unseen == 0


def test_a_changed_row_is_shown_where_it_stands(following: Window, stored: SQLModel) -> None:
    for plot in (1, 2, 3):
        saves(stored, following, plot)
    following.until(lambda: shown_plots(following) == [3, 2, 1], "the list")
    following.app.record_list.focus_set()
    following.app.record_list.page.select(1)
    saves(stored, following, 2, Plants="12")
    following.until(lambda: following.app.record_list.page.rows[1][F.PLANTS] == 12, "the new value")
    assert following.app.record_list.page.tree.set("1", F.PLANTS) == "12"
    selected = following.app.record_list.page.selected
    assert selected is not None and selected[F.PLOT] == 2


def test_new_records_are_counted_while_somebody_moves_in_the_list(following: Window, stored: SQLModel) -> None:
    saves(stored, following, 1)
    following.until(lambda: shown_plots(following) == [1], "the list")
    following.app.record_list.focus_set()
    following.app.update()
    for plot in (2, 3, 4):
        saves(stored, following, plot)
    following.until(lambda: following.app.record_list.unseen == 3, "the count")
    assert "3 new records: show (F5)" in str(following.app.record_list.news_button.cget("text"))
    assert shown_plots(following) == [1]  # nothing moves
    following.press("F5")
    following.until(lambda: shown_plots(following) == [4, 3, 2, 1], "the new ones")
    assert following.app.record_list.unseen == 0


def test_a_load_of_thousands_is_looked_for_as_a_whole(
    following: Window, stored: SQLModel, database: dict[str, str]
) -> None:
    """The strip, the open record and the list are right afterwards, and few of the notices were read one by one."""
    app = following.app
    saves(stored, following, 5)
    following.until(lambda: app.form.check.recorded.get(5), "the strip")
    open_plot(following, 5)
    read: list[int] = []
    show = app.following.show
    app.following.show = lambda: read.append(app.following.pending) or show()  # type: ignore[func-returns-value,method-assign]
    with closing(psycopg2.connect(make_dsn(**database))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO lab_checks SELECT %s::date - day, '8:00', lab, 4291"
            " FROM generate_series(1, 20) AS day, unnest(ARRAY['A', 'B', 'C']) AS lab", [today(following)]
        )
        cursor.execute(
            EVERY_PLOT + "WHERE date < %s OR lab_id = 'A' AND plot = 9 ORDER BY date, lab_id, plot",
            [today(following)],
        )
        cursor.execute("UPDATE plot_checks SET notes = 'all of them'")

    following.until(lambda: following.text(F.NOTES) == "all of them", "the open record")
    following.until(lambda: app.form.check.recorded.get(9), "the strip")
    following.until(lambda: app.record_list.page.total == 2, "the list")
    assert 0 < max(read) <= MOST_CHANGES


def total_and_rows(window: Window) -> tuple[int | None, str, int]:
    """The total that the scrollbar has, the one in words, and the number of rows that can be reached."""
    records = window.app.record_list
    return records.page.total, str(records.count_label.cget("text")), len(records.page.rows)


def test_the_total_agrees_with_the_rows_after_many_records_came_and_went(
    following: Window, stored: SQLModel, database: dict[str, str]
) -> None:
    """240 live inserts, each its own notice, then deletes, as a withdrawal and a correction of a key make them."""
    app, day = following.app, today(following)
    page = app.record_list.page
    with closing(psycopg2.connect(make_dsn(**database))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(
            "INSERT INTO lab_checks SELECT %s, time, lab, 4291 FROM unnest(ARRAY['8:00', '12:00', '16:00']::time[]) AS"
            " time, unnest(ARRAY['A', 'B', 'C', 'D']) AS lab", [day]
        )
        for lab in "ABCD":
            for time_of_day in ("8:00", "12:00", "16:00"):
                cursor.execute(
                    EVERY_PLOT + "WHERE date = %s AND lab_id = %s AND time = %s", [day, lab, time_of_day]
                )
                following.app.update()
        following.until(lambda: total_and_rows(following)[1] == "240 records", "the total in words")
        following.until(lambda: page.agrees and not page.waiting, "the rows")
        assert (page.total, app.record_list.unseen) == (240, 0)
        page.go_to(None, select=-1)
        following.until(lambda: page.rows and page.rows[-1][F.TIME] == "8:00" and page.rows[-1][F.PLOT] == 1, "the end")
        assert page.position + len(page.rows) == 240

        # While somebody stands at the end of the list, a third of it goes.
        app.record_list.focus_set()
        app.update()
        cursor.execute("DELETE FROM plot_checks WHERE time = '8:00'")
        following.until(lambda: total_and_rows(following)[1] == "160 records", "the total after the deletes")
        following.until(lambda: page.agrees and not page.waiting, "the rows after the deletes")
        assert page.position + len(page.rows) == 160 and page.rows[-1][F.TIME] == "12:00"

        # One row only: the others close up, and the one that is selected stays selected.
        page.go_to(0, select=1)
        following.until(lambda: page.position == 0 and not page.waiting, "the top")
        kept, gone = page.rows[1], page.rows[0]
        cursor.execute(
            "DELETE FROM plot_checks WHERE date = %s AND time = '16:00' AND lab_id = %s AND plot = %s",
            [day, gone[F.LAB], gone[F.PLOT]],
        )
        following.until(lambda: page.total == 159 and page.rows[0] == kept, "the row to go")
        assert page.selected == kept
        # A moved record is gone from one place and new at another.
        app.form.inputs[F.HUMIDITY].focus_set()
        cursor.execute("INSERT INTO lab_checks SELECT %s::date - 1, '16:00', 'D', 4291", [day])
        cursor.execute(
            "UPDATE plot_checks SET date = date - 1 WHERE time = '16:00' AND lab_id = 'D' AND plot = 3 AND date = %s",
            [day],
        )
        following.until(lambda: page.total == 158 and page.agrees and not page.waiting, "the moved row to go")
        assert ("16:00", "D", 3) not in [(row[F.TIME], row[F.LAB], row[F.PLOT]) for row in page.rows]


def test_a_correction_takes_a_record_out_of_a_filtered_list(following: Window, stored: SQLModel) -> None:
    for plot in (1, 2, 3):
        saves(stored, following, plot)
    following.app.record_list.filters.variables[F.TECHNICIAN].set("J Simms")
    following.app.record_list.apply()
    following.until(lambda: shown_plots(following) == [3, 2, 1], "the list")
    saves(stored, following, 2, Technician="P Taylor")
    following.until(lambda: shown_plots(following) == [3, 1], "the row to go")
    following.until(lambda: total_and_rows(following) == (2, "2 records", 2), "the total")
    saves(stored, following, 2, Technician="J Simms")
    following.until(lambda: total_and_rows(following) == (3, "3 records", 3), "the row to come back")


def test_records_that_the_filter_leaves_out_are_no_news(following: Window, stored: SQLModel) -> None:
    following.app.record_list.filters.variables[F.TECHNICIAN].set("J Simms")
    following.app.record_list.apply()
    following.settle()
    following.app.record_list.focus_set()
    following.app.update()
    saves(stored, following, 1, Technician="P Taylor")
    saves(stored, following, 2, Technician="J Simms")
    following.until(lambda: following.app.record_list.unseen == 1, "the one that fits")


def test_the_selected_record_stays_selected_when_new_ones_come_above_it(following: Window, stored: SQLModel) -> None:
    saves(stored, following, 1)
    following.until(lambda: shown_plots(following) == [1], "the list")
    following.app.record_list.page.select(0)
    saves(stored, following, 2)
    following.until(lambda: shown_plots(following) == [2, 1], "the new one")
    selected = following.app.record_list.page.selected
    assert selected is not None and selected[F.PLOT] == 1


def test_ones_own_saves_are_no_news(following: Window, stored: SQLModel) -> None:
    following.fill_readings()
    following.save()
    saves(stored, following, 7)
    following.until(lambda: 7 in following.app.form.check.recorded, "the other one's")
    following.settle()
    assert following.app.record_list.unseen == 0
    assert following.app.record_list.page.tree.set("0", "Mark") in ("", "new")


def test_an_opened_record_follows_until_something_is_typed_over_it(following: Window, stored: SQLModel) -> None:
    saves(stored, following, 1)
    following.until(lambda: 1 in following.app.form.check.recorded, "the record")
    open_plot(following, 1)
    following.settle()
    saves(stored, following, 1, Plants="12")
    following.until(lambda: following.text(F.PLANTS) == "12", "the new value")
    assert "P Taylor has just corrected plot 1" in following.app.status.get()
    assert not following.app.form.changed
    following.fill(Humidity="25")
    saves(stored, following, 1, Plants="13")
    remark = following.app.form.plot_panel.remark
    following.until(lambda: "P Taylor saved this record meanwhile" in str(remark.cget("text")), "the remark")
    assert following.text(F.PLANTS) == "12" and following.text(F.HUMIDITY) == "25"


def test_the_previous_reading_follows(following: Window, stored: SQLModel) -> None:
    yesterday = (datetime.date.fromisoformat(today(following)) - datetime.timedelta(days=1)).isoformat()
    stored.save_record(record(1, yesterday, Humidity="19.5"), author="P Taylor")
    following.until(lambda: "19.50" in following.app.form.inputs[F.HUMIDITY].previous, "the previous reading")


def test_a_new_technician_is_offered(following: Window, stored: SQLModel) -> None:
    stored.add_technician(99, "A Newcomer")
    following.until(lambda: "A Newcomer" in (following.app.form.choices[F.TECHNICIAN] or ()), "the name")


def test_a_burst_costs_a_few_looks(following: Window, stored: SQLModel, database: dict[str, str]) -> None:
    """Two hundred corrections within a moment: the window stays with the last one, and asks a handful of times."""
    saves(stored, following, 1)
    following.until(lambda: shown_plots(following) == [1], "the list")
    asked: list[object] = []
    model, find = following.app.data_model, following.app.data_model.get_versioned_record  # type: ignore[union-attr]
    assert model is not None
    model.get_versioned_record = lambda *key: asked.append(key) or find(*key)  # type: ignore[func-returns-value,method-assign]
    began = time.monotonic()
    with closing(psycopg2.connect(make_dsn(**database))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("DO $$ BEGIN FOR n IN 1..200 LOOP UPDATE plot_checks SET blossoms = n; COMMIT; END LOOP; END $$")
    following.until(lambda: following.app.record_list.page.rows[0][F.BLOSSOMS] == 200, "the last value")
    assert len(asked) <= 3 + (time.monotonic() - began)


def test_a_notice_that_makes_no_sense_harms_nobody(following: Window, stored: SQLModel) -> None:
    for payload in ("", "{", "[]", '{"table": "plot_checks"}', '{"table": "plot_checks", "date": 7, "plot": "x"}'):
        stored.query("SELECT pg_notify('abq_records', %s)", (payload,))
    saves(stored, following, 5)
    following.until(lambda: 5 in following.app.form.check.recorded, "the next notice")


def test_a_lost_connection_comes_back_and_what_was_missed_is_shown(
    following: Window, stored: SQLModel, database: dict[str, str]
) -> None:
    with closing(psycopg2.connect(make_dsn(**database))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        assert cursor.fetchall() == [(1,)]
    saves(stored, following, 5)
    following.until(lambda: 5 in following.app.form.check.recorded, "what was missed")
    saves(stored, following, 6)
    following.until(lambda: 6 in following.app.form.check.recorded, "what came after")


def test_the_plot_and_the_focus_stay_when_somebody_else_records_that_plot(
    following: Window, stored: SQLModel
) -> None:
    following.app.form.inputs[F.PLOT].focus_set()
    following.app.update()
    saves(stored, following, 1, Technician="P Taylor")
    following.until(lambda: 1 in following.app.form.check.recorded, "the record")
    assert (following.text(F.PLOT), following.text(F.TECHNICIAN), following.focus) == ("1", "J Simms", F.PLOT)
    remark = str(following.app.form.plot_panel.remark.cget("text"))
    assert remark == "Plot 1 is already recorded by P Taylor."


# -- presence ---------------------------------------------------------------------------------------------


def test_who_else_enters_the_check_is_shown_until_they_leave(following: Window, stored: SQLModel) -> None:
    enters(stored, following, 14)
    following.until(lambda: others_text(following), "the other one")
    assert others_text(following) == "P Taylor on bench-2 is entering this check (plot 14)."
    strip = following.app.form.check_panel.strip
    assert strip.states[14][0] is PlotState.ENTERED_BY_OTHER
    assert "being entered by P Taylor on bench-2" in strip.describe(14)
    enters(stored, following, 15)
    following.until(lambda: "(plot 15)" in others_text(following), "the next plot")
    stored.leave_check()
    following.until(lambda: not others_text(following), "to be gone")


def test_who_dies_is_gone_soon(following: Window, database: dict[str, str]) -> None:
    other = SQLModel.at(database)
    enters(other, following, 14)
    following.until(lambda: others_text(following), "the other one")
    other.close()
    following.until(lambda: not others_text(following), "to be gone")


def test_another_lab_is_no_concern_of_this_check(following: Window, stored: SQLModel) -> None:
    enters(stored, following, 14, lab="B")
    enters_here = SQLModel.at(stored._connections.endpoint)
    enters(enters_here, following, 3)
    following.until(lambda: others_text(following), "the one who is here")
    assert "plot 3" in others_text(following) and "14" not in others_text(following)
    enters_here.close()


def test_the_next_plot_is_one_that_nobody_else_has_open(following: Window, stored: SQLModel) -> None:
    enters(stored, following, 2)
    following.until(lambda: others_text(following), "the other one")
    following.fill_readings()
    following.save()
    assert following.text(F.PLOT) == "3"
    following.app.navigation.go_to_plot(2)
    remark = str(following.app.form.plot_panel.remark.cget("text"))
    assert remark == "P Taylor on bench-2 is entering plot 2 now."


def test_the_last_plot_is_left_to_whoever_enters_it(following: Window, stored: SQLModel) -> None:
    for plot in range(2, 20):
        saves(stored, following, plot)
    enters(stored, following, 20)
    following.until(lambda: others_text(following) and len(following.app.form.check.recorded) == 18, "the others")
    following.fill_readings()
    following.save()
    assert following.text(F.PLOT) == "" and not following.app.form.check.complete
    following.app.callbacks["next_missing"]()
    assert "P Taylor on bench-2" in following.app.status.get()


def test_others_see_what_is_typed_here_and_that_it_ended(following: Window, stored: SQLModel) -> None:
    key = (today(following), "8:00", "A")
    following.until(lambda: stored.get_presence(*key), "who is confirmed")
    following.type("24")
    following.until(lambda: stored.get_presence(*key), "the presence")
    here = stored.get_presence(*key)[0]
    assert (here.who, here.plot, here.own) == ("J Simms", 1, False) and here.workstation
    following.fill_readings()
    following.save()
    following.until(lambda: stored.get_presence(*key)[0].plot == 2, "the next plot")
    following.fill(Lab="B")
    following.until(lambda: not stored.get_presence(*key), "the check to be left")
    following.type("24")
    following.until(lambda: stored.get_presence(today(following), "8:00", "B"), "the other check")
    check = (today(following), "8:00", "B")
    close(following)
    assert stored.get_presence(*check) == []


def test_two_windows_share_a_check_without_keying_the_same_plot(
    following: Window, stored: SQLModel, open_window: Callable[[], Window]
) -> None:
    second = open_window()
    second.until(lambda: second.app.form.choices.get(F.LAB), "the database")
    second.begin_check(technician="P Taylor")
    following.fill_readings()  # plot 1, not saved yet
    second.until(lambda: "J Simms" in others_text(second), "the first one")
    assert second.text(F.PLOT) == "2"
    second.fill_readings()
    following.until(lambda: "(plot 2)" in others_text(following), "the second one")
    following.save()
    assert following.text(F.PLOT) == "3"
    second.until(lambda: second.app.form.check.recorded.get(1) == "J Simms", "the first one's record")
    second.app.form.submit()
    second.until(lambda: not second.app.form.saving, "the save")
    assert second.text(F.PLOT) == "4"
    following.until(lambda: set(following.app.form.check.recorded) == {1, 2}, "both")
    assert {each[F.PLOT]: each[F.TECHNICIAN] for each in stored.get_all_records()} == {1: "J Simms", 2: "P Taylor"}


def test_a_window_that_joins_begins_at_a_plot_that_nobody_has_open(
    following: Window, stored: SQLModel, open_window: Callable[[], Window]
) -> None:
    following.until(lambda: stored.get_presence(today(following), "8:00", "A"), "the first one's plot")
    second = open_window()
    second.until(lambda: second.app.form.choices.get(F.LAB), "the database")
    second.type("8\na\np\n")
    second.until(lambda: second.focus == F.HUMIDITY, "the first reading")
    assert (following.text(F.PLOT), second.text(F.PLOT)) == ("1", "2")


def test_the_later_claim_gives_way_before_it_takes_a_key(window: Window, stored: SQLModel) -> None:
    window.type("8\na\n")
    window.until(lambda: window.app.form.check.known and window.text(F.PLOT) == "1", "the check")
    window.until_known()
    window.settle()
    assert stored.claim_plot(today(window), "8:00", "A", 1, "P Taylor")
    window.app.form.inputs[F.TECHNICIAN].focus_set()
    window.type("j\n")
    window.until(lambda: window.text(F.PLOT) == "2", "the next plot")
    assert window.focus == F.HUMIDITY and "P Taylor" in window.app.status.get()
    window.until(lambda: {each.plot for each in stored.get_presence(today(window), "8:00", "A")} == {1, 2}, "both")


def test_the_plot_after_a_save_is_asked_of_the_database(following: Window, stored: SQLModel) -> None:
    following.fill_readings()
    saves(stored, following, 3)
    enters(stored, following, 2)
    following.app.form.submit()  # nobody has told this window yet
    following.until(lambda: not following.app.form.saving, "the save")
    assert following.text(F.PLOT) == "4"


def test_a_plot_that_was_asked_for_is_shown_though_a_colleague_has_it(following: Window, stored: SQLModel) -> None:
    assert stored.claim_plot(today(following), "8:00", "A", 5, "P Taylor")
    following.app.navigation.go_to_plot(5)
    following.settle()
    remark = following.app.form.plot_panel.remark
    following.until(lambda: "is entering plot 5" in str(remark.cget("text")), "the remark")
    assert following.text(F.PLOT) == "5"
    shown = {each.who: each.plot for each in stored.get_presence(today(following), "8:00", "A")}
    assert shown["P Taylor"] == 5 and shown["J Simms"] is None


def test_of_many_claims_at_once_one_wins(database: dict[str, str]) -> None:
    models = [SQLModel.at(database) for _ in range(8)]
    day, wins = datetime.date(2026, 11, 26), []
    barrier = threading.Barrier(len(models))

    def claim(model: SQLModel) -> None:
        model.connect()
        barrier.wait(PATIENCE)
        wins.append(model.claim_plot(day, "8:00", "A", 1, "somebody"))
        barrier.wait(PATIENCE)  # a claim ends with the connection of its thread

    threads = [threading.Thread(target=claim, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(wins) == [False] * 7 + [True]
    for model in models:
        model.close()


def test_plots_typed_while_the_first_one_is_claimed_are_all_saved(window: Window, stored: SQLModel) -> None:
    window.type("8\na\n")
    window.until(lambda: window.app.form.check.known and window.text(F.PLOT) == "1", "the check")
    window.until_known()
    window.settle()
    model = window.app.data_model
    assert model is not None
    gate, claim = threading.Event(), model.claim_plot
    model.claim_plot = lambda *values: gate.wait(PATIENCE) and claim(*values)  # type: ignore[method-assign]
    window.app.form.inputs[F.TECHNICIAN].focus_set()
    plot = "24.09\n1.03\n22.01\n9\n21\n3\n1.67\n8.70\n2.73\n"
    window.type(f"j\n{plot}{plot}24.0")
    gate.set()
    window.until(lambda: (window.text(F.PLOT), window.text(F.HUMIDITY)) == ("3", "24.0"), "the third plot")
    window.settle()
    assert sorted(window.app.form.check.recorded) == [1, 2]


def test_keys_typed_while_a_plot_is_claimed_get_into_no_other_one(window: Window, stored: SQLModel) -> None:
    window.type("8\na\n")
    window.until(lambda: window.app.form.check.known and window.text(F.PLOT) == "1", "the check")
    window.until_known()
    window.settle()
    model = window.app.data_model
    assert model is not None and stored.claim_plot(today(window), "8:00", "A", 1, "P Taylor")
    gate, claim = threading.Event(), model.claim_plot
    model.claim_plot = lambda *values: gate.wait(PATIENCE) and claim(*values)  # type: ignore[method-assign]
    window.app.form.inputs[F.TECHNICIAN].focus_set()
    window.type("j\n24.09\n1")
    assert window.text(F.HUMIDITY) == ""
    gate.set()
    window.until(lambda: window.text(F.PLOT) == "2", "the plot that is free")
    window.settle()
    assert not window.app.form.changed and "24.09" in window.app.form.type_ahead.line.text
