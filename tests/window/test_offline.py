"""The window without its database: a check goes on, what is saved waits here, and nothing of it is lost or doubled."""

from __future__ import annotations

import datetime
import itertools
import os
import signal
import sys
import time as clock
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.journal import Journal, database_name, new_entry
from abq_data_entry.models import SQLModel
from abq_data_entry.views import Dialog, LoginDialog
from abq_data_entry.views.conflict import ConflictDialog
from abq_data_entry.views.reasoned import REASON, ReasonedDialog
from abq_data_entry.views.record_windows import WaitingWindow
from tests.commands.test_waits_announced import table_locked
from tests.fixtures import journal_1_0
from tests.fixtures.cluster import OWNER, Node, frozen
from tests.fixtures.window import Window
from tests.models.records import record
from tests.window.test_form import open_plot
from tests.window.test_form import record as form_record
from tests.window.test_login import type_login

READINGS = "24.09\n1.03\n22.01\n9\n21\n3\n1.67\n8.70\n2.73\n"


@pytest.fixture
def password(single: Node) -> str:
    return single.endpoint()["password"]


@pytest.fixture
def remote(single: Node, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that lead to the server of the test."""
    settings.update(db_host="127.0.0.1", db_port=str(single.port), db_name="abq")
    return settings


@pytest.fixture
def online(remote: dict[str, Any], password: str, open_window: Callable[[], Window]) -> Window:
    """A window that is logged in there; its copy of the database is complete."""
    window = open_window()
    type_login(window, OWNER, password)
    window.until_open()
    return window


@pytest.fixture
def there(single: Node) -> Iterator[SQLModel]:
    """A second look into that database."""
    model = SQLModel.at(single.endpoint())
    yield model
    model.close()


def type_check(window: Window) -> None:
    """Begin the check of lab A at 8:00 by keyboard; the focus is on Humidity."""
    window.type("8\na\n")
    window.until_known()
    window.type("j\n")
    window.until(lambda: window.focus == F.HUMIDITY, "the first reading")


def save_one_without(window: Window, single: Node) -> None:
    """Begin a check, stop the server, and save the first plot."""
    window.begin_check()
    single.stop()
    window.fill_readings()
    window.save()


def journal() -> Journal:
    return Journal(Path(os.environ["ABQ_DATA_DIR"]) / "journal")


def trouble(window: Window) -> str:
    return window.app.status_bar.trouble


def wait_until_all_is_saved(window: Window) -> None:
    window.press_message("Retry Now")
    window.until(lambda: not trouble(window), "the replay")
    window.settle()


def fruit(there: SQLModel) -> list[tuple[Any, Any]]:
    return [(each[F.PLOT], each[F.FRUIT]) for each in there.get_all_records()]


def test_a_whole_check_without_the_database_and_its_way_into_it(
    online: Window, single: Node, there: SQLModel
) -> None:
    window, app = online, online.app
    type_check(window)
    window.type(READINGS)
    window.until(lambda: app.form.check.recorded, "the first plot")
    single.kill()
    for plot in range(2, 21):
        window.until(lambda plot=plot: window.text(F.PLOT) == str(plot) and window.focus == F.HUMIDITY, f"plot {plot}")  # type: ignore[misc]
        window.type(READINGS)
    window.until(lambda: app.form.check.complete, "the whole check")
    assert not window.dialogs
    assert app.form.check.waiting == frozenset(range(2, 21))
    assert "Database away since" in trouble(window) and "19 records waiting here" in trouble(window)
    assert "Next: lab B" in str(app.form.check_panel.next_button.cget("text"))
    assert len(journal().entries()) == 19
    single.start()
    wait_until_all_is_saved(window)
    assert [plot for plot, _ in fruit(there)] == list(range(1, 21))
    assert journal().entries() == [] and not app.form.check.waiting
    assert "19 records that waited here are in the database now" in app.status.get()
    # The list has them all, as what was saved here, without being asked.
    page = app.record_list.page
    window.until(lambda: page.total == 20 and page.agrees and not page.waiting, "the list")
    assert app.record_list.count_label.cget("text") == "20 records"
    assert {page.tree.set(row, "Mark") for row in page.tree.get_children()} == {"new"}


def reload_settings(window: Window, single: Node) -> None:
    """Let the server read its settings, and wait until the connection that saves has done so."""
    model = window.app.data_model
    heard: list[dict[str, Any]] = []
    assert model is not None

    def ask() -> None:
        heard.extend(model.query("SHOW default_transaction_read_only") or ())

    single.execute("SELECT pg_reload_conf()")
    while {"default_transaction_read_only": "on"} not in heard:
        window.app.jobs.submit("database", ask)
        window.settle()


FULL = (
    "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;"
    " CREATE TRIGGER no_room BEFORE INSERT ON plot_checks EXECUTE FUNCTION no_room()"
)


@pytest.mark.parametrize(
    ("refuse", "relent", "reason"),
    [
        (FULL, "DROP TRIGGER no_room ON plot_checks; DROP FUNCTION no_room", "The disk of the database is full."),
        ("ALTER SYSTEM SET default_transaction_read_only = on", "ALTER SYSTEM RESET default_transaction_read_only",
         "This database can only be read"),
    ],
    ids=["full disk", "read only"],
)  # fmt: skip
def test_a_database_that_answers_but_stores_nothing(
    online: Window, single: Node, there: SQLModel, refuse: str, relent: str, reason: str
) -> None:
    """The check goes on, the reason is shown, no dialog is in the way; all is saved as soon as there is room."""
    window = online
    window.begin_check()
    single.execute(refuse, "abq")
    if refuse != FULL:
        reload_settings(window, single)
    try:
        for number in (1, 2):
            window.fill_readings()
            window.save()
            window.until(lambda number=number: len(journal().entries()) == number, "the journal")  # type: ignore[misc]
        window.until(lambda: reason in trouble(window), "the reason")
        assert "2 records waiting here" in trouble(window) and not window.dialogs
        assert window.app.form.check.waiting == {1, 2} and window.text(F.PLOT) == "3"
        assert fruit(there) == []
    finally:
        single.execute(relent, "abq")
        single.execute("SELECT pg_reload_conf()")
    window.until(lambda: not trouble(window), "the replay")
    window.settle()
    assert fruit(there) == [(1, 3), (2, 3)] and journal().entries() == []


def test_a_database_that_refuses_is_not_asked_again_and_again(
    online: Window, single: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    from abq_data_entry.application import outage

    window = online
    asked: list[float] = []
    replay = outage._replay

    def asks(*each: Any) -> Any:
        asked.append(clock.monotonic())
        return replay(*each)

    monkeypatch.setattr(outage, "_replay", asks)
    window.begin_check()
    single.execute(FULL, "abq")
    window.fill_readings()
    window.save()
    window.until(lambda: asked, "the first attempt")
    until = clock.monotonic() + 6
    window.until(lambda: clock.monotonic() > until, "some seconds")
    assert 2 <= len(asked) <= 5
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert pauses == sorted(pauses) and pauses[0] >= 0.9


def test_it_comes_back_by_itself(online: Window, single: Node, there: SQLModel) -> None:
    window = online
    save_one_without(window, single)
    assert "1 record waiting here; trying again" in trouble(window)
    single.start()
    window.until(lambda: not trouble(window), "the way back")
    window.settle()
    assert fruit(there) == [(1, 3)]
    window.fill_readings()
    window.save()
    assert fruit(there) == [(1, 3), (2, 3)]


def test_started_without_the_database_it_works_from_the_last_known_copy(
    online: Window, single: Node, there: SQLModel, password: str, open_window: Callable[[], Window]
) -> None:
    there.save_record(record(Date=str(datetime.date.today() - datetime.timedelta(1)), Plot="2", Humidity="23.90"))
    online.app.known_copy._fetch()
    online.settle()
    online.app.end()
    single.stop()
    window = open_window()
    type_login(window, OWNER, password)
    window.until(lambda: window.dialogs and getattr(window.dialogs[-1], "error", ""), "the reason")
    window.answer("Work Without the Database")
    window.until(lambda: window.app.form.choices.get(F.LAB), "the lists of the copy")
    type_check(window)
    window.type(READINGS)
    window.until(lambda: window.text(F.PLOT) == "2", "the next plot")
    assert window.text(F.SEED_SAMPLE) == there_seed(window)
    assert window.app.form.check.previous[2][F.HUMIDITY].as_tuple().digits == (2, 3, 9, 0)
    assert "1 record waiting here" in trouble(window)
    single.start()
    window.until_open(30)
    window.until(lambda: not trouble(window), "the replay")
    assert fruit(there) == [(1, 3)]


def there_seed(window: Window) -> str:
    known = window.app.known_copy.known
    assert known is not None
    return known.choices.seed_samples["A", 2]


def test_a_waiting_record_can_be_corrected_while_it_waits(online: Window, single: Node, there: SQLModel) -> None:
    window = online
    save_one_without(window, single)
    window.app.navigation.go_to_plot(1)
    window.until(lambda: window.app.form.opened is not None, "the record")
    window.fill(Fruit="7")
    window.save()
    assert [each.write for each in journal().entries()] == ["insert", "update"]
    single.start()
    wait_until_all_is_saved(window)
    assert fruit(there) == [(1, 7)]


def record_what_another_records(window: Window, there: SQLModel) -> None:
    """Record plot 1 during an outage, and another one there meanwhile: it waits for a decision afterwards."""
    window.begin_check()
    window.app.reconnecting.lost(ConnectionError("a cable"), by_itself=False)
    window.fill_readings()
    window.save()
    there.save_record(record(Date=str(datetime.date.today()), Plot="1", Fruit="8"))
    window.app.retry_database()
    window.until(lambda: window.app.waiting_records.undecided, "the conflict")
    window.settle()


def test_what_somebody_else_recorded_is_shown_and_decided_on(online: Window, single: Node, there: SQLModel) -> None:
    window = online
    record_what_another_records(window, there)
    assert "1 record waiting here for your decision" in trouble(window)
    assert fruit(there) == [(1, 8)]
    window.press_message("Show Records")
    shown = waiting_window(window)
    assert "recorded this plot meanwhile" in str(shown.detail.cget("text"))
    shown.press("Open")
    dialog = window.dialog()
    assert isinstance(dialog, ConflictDialog)
    dialog.take_all("mine")
    window.answer("Save")
    window.settle()
    window.until(lambda: not trouble(window), "the decision")
    assert fruit(there) == [(1, 3)] and journal().entries() == []


@pytest.mark.parametrize("fault", ["stopped", "frozen"])
def test_a_decision_that_has_to_wait_itself_is_not_called_saved(
    online: Window, single: Node, there: SQLModel, fault: str
) -> None:
    """The server goes away while the dialog is open: what was decided waits here, and is saved later."""
    window = online
    record_what_another_records(window, there)
    window.press_message("Show Records")
    waiting_window(window).press("Open")
    dialog = window.dialog()
    assert isinstance(dialog, ConflictDialog)
    dialog.take_all("mine")
    if fault == "stopped":
        single.stop()
        window.answer("Save")
        window.until(lambda: not dialog.winfo_exists(), "the decision to be kept")
        status = window.app.status.get()
        single.start()
    else:
        with frozen(single):
            window.answer("Save")
            window.until(lambda: not dialog.winfo_exists(), "the decision to be kept")
            status = window.app.status.get()
    assert status.startswith("Plot 1, lab A, 8:00: kept on this computer until the database is back")
    if trouble(window):
        window.app.retry_database()
    window.until(lambda: not trouble(window), "the decision in the database")
    window.settle()
    assert fruit(there) == [(1, 3)] and journal().entries() == []


def move_over_another(window: Window, there: SQLModel) -> ConflictDialog:
    """Move plot 1 to plot 2, which has a record too, and choose what was typed here; the dialog waits for Save."""
    today = str(datetime.date.today())
    there.save_record(record(Date=today, Plot="1"))
    there.save_record(record(Date=today, Plot="2", Fruit="8"))
    window.begin_check()
    open_plot(window, 1)
    window.settle()
    window.app.callbacks["move_record"]()
    dialog = window.dialog()
    assert isinstance(dialog, ReasonedDialog)
    dialog.boxes[F.PLOT].set("2")
    dialog.boxes[REASON].set("wrong plot")
    window.answer("Move")
    both = window.dialog()
    assert isinstance(both, ConflictDialog)
    both.take_all("mine")
    return both


@pytest.mark.parametrize("is_noticed", [True, False])
def test_a_move_over_another_record_can_be_answered_while_the_database_is_away(
    online: Window, single: Node, there: SQLModel, is_noticed: bool
) -> None:
    """The server stops while the dialog of two versions is open: it says so, stays, and saves when asked again."""
    window = online
    both = move_over_another(window, there)
    single.stop()
    if is_noticed:
        window.app.reconnecting.lost(ConnectionError("a cable"), by_itself=False)
    window.answer("Save")
    window.until(lambda: "Not saved: Nothing was changed." in both.state_label.cget("text"), "the refusal")
    assert both.choices == {F.FRUIT: "mine"}
    window.until(lambda: window.app.reconnecting.away, "the outage to be noticed")
    single.start()
    window.app.retry_database()
    window.until(lambda: not window.app.reconnecting.away, "the database")
    window.answer("Save")
    window.until(lambda: not both.winfo_exists(), "the save")
    window.settle()
    assert fruit(there) == [(2, 3)]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP there")
@pytest.mark.parametrize("then", ["waits", "cancels", "asks again", "cancels, and the server ends"])
def test_a_move_over_another_record_is_answered_late(online: Window, single: Node, there: SQLModel, then: str) -> None:
    """The server freezes during Save: the dialog says that nothing is known yet, and the answer is shown later."""
    window = online
    both = move_over_another(window, there)
    status = window.app.status
    with frozen(single):
        window.answer("Save")
        window.app.quit_application()
        assert both.saving and status.get().startswith("A record is just being saved.")
        window.until(lambda: "Not known yet whether it is saved" in both.state_label.cget("text"), "the time limit")
        assert window.app.reconnecting.away and both.choices == {F.FRUIT: "mine"}
        if then == "asks again":
            window.answer("Save")
            assert "Not known yet whether it is saved" in both.state_label.cget("text")
            window.answer("Cancel")
        elif then.startswith("cancels"):
            window.answer("Cancel")
        if then != "waits":
            assert not both.winfo_exists()
            assert status.get().startswith("The database hasn't answered yet whether the record of ")
        if then.endswith("the server ends"):
            single.kill()
    if then.endswith("the server ends"):
        window.until(lambda: not window.app.jobs.busy, "the end of the connection")
        assert status.get() == "Nothing was changed; what you typed is kept"
        assert "The database is away." in window.dialog().detail
        return
    window.until(lambda: "is saved as chosen" in status.get(), "the answer")
    assert not both.winfo_exists()
    window.until(lambda: not window.app.reconnecting.away, "the database")
    window.settle()
    assert fruit(there) == [(2, 3)]


def test_what_the_database_refuses_is_put_right_in_the_form(
    online: Window, single: Node, there: SQLModel
) -> None:
    window = online
    settings = {"db_host": "127.0.0.1", "db_port": str(single.port), "db_name": "abq"}
    today = str(datetime.date.today())
    journal().keep(new_entry(database_name(settings), record(Date=today, Plot="1", Technician="Nobody N"), "insert"))
    window.app.waiting_records._look_once()
    window.until(lambda: window.app.waiting_records.undecided, "the refusal")
    window.settle()
    window.app.waiting_records.show()
    shown = waiting_window(window)
    assert "Nobody N is not known" in str(shown.detail.cget("text"))
    window.app.focus_force()
    window.fill(Time="8:00", Lab="B")
    window.until_known()
    with table_locked(single.endpoint(), "plot_checks"):
        shown.press("Open")
        window.app.focus_force()
        window.app.form.inputs[F.HUMIDITY].focus_set()
        window.until(lambda: window.focus == F.HUMIDITY, "the form")
        window.type("24.0")
    window.until(lambda: "isn't opened: you typed on" in window.app.status.get(), "what was typed to have its place")
    assert (window.text(F.LAB), window.text(F.HUMIDITY)) == ("B", "24.0")
    window.app.waiting_records.show()
    shown = waiting_window(window)
    shown.press("Open")
    window.until(lambda: window.text(F.TECHNICIAN) == "Nobody N", "the record in the form")
    window.until(lambda: not shown.winfo_exists(), "the list to give way to the form")
    window.settle()
    window.fill(Technician="P Taylor")
    window.save()
    window.settle()
    window.until(lambda: not trouble(window), "the end of it")
    assert there.get_record(today, "8:00", "A", 1)[F.TECHNICIAN] == "P Taylor" and journal().entries() == []


def test_an_extract_that_would_lack_what_waits_is_asked_about(online: Window, single: Node) -> None:
    window = online
    save_one_without(window, single)
    for name in ("upload_to_corporate_rest", "export_extract"):
        window.app.callbacks[name]()
        assert "1 record of today waits on this computer" in window.dialog().message
        window.answer("Cancel")
    window.app.callbacks["upload_to_corporate_ftp"]()
    window.answer("Without What Waits")
    window.until(lambda: window.dialogs, "what the database says to that")
    assert "couldn't be sent by FTP" in window.dialog().message


def test_a_waiting_record_that_needs_a_decision_can_be_given_up(online: Window, single: Node, there: SQLModel) -> None:
    window = online
    settings = {"db_host": "127.0.0.1", "db_port": str(single.port), "db_name": "abq"}
    there.save_record(record(Plot="1", Fruit="8"))
    journal().keep(new_entry(database_name(settings), record(Plot="1"), "insert"))
    window.app.waiting_records._look_once()
    window.until(lambda: window.app.waiting_records.undecided, "the conflict")
    window.app.waiting_records.show()
    waiting_window(window).press("Discard…")
    window.answer("Discard")
    window.settle()
    window.until(lambda: journal().entries() == [], "the end of it")
    assert not trouble(window)
    assert "is discarded" in window.app.status.get()
    assert there.get_record(record()["Date"], "8:00", "A", 1)[F.FRUIT] == 8


def test_what_waits_for_another_database_stays_there(online: Window, there: SQLModel) -> None:
    window = online
    journal().keep(new_entry("db9:5432/abq", record(Plot="1"), "insert"))
    window.app.waiting_records._look_once()
    window.until(lambda: "waiting here for another database" in trouble(window), "the line")
    window.app.waiting_records.show()
    shown = waiting_window(window)
    assert "db9:5432/abq" in str(shown.detail.cget("text"))
    assert there.get_all_records(all_dates=True) == []


def waiting_window(window: Window) -> WaitingWindow:
    window.until(lambda: [each for each in window.app.winfo_children() if isinstance(each, WaitingWindow)], "the list")
    (found,) = [each for each in window.app.winfo_children() if isinstance(each, WaitingWindow)]
    window.app.update()
    return found


def test_two_windows_share_what_waits(
    online: Window, single: Node, there: SQLModel, password: str, open_window: Callable[[], Window]
) -> None:
    second = open_window()
    type_login(second, OWNER, password)
    second.until_open()
    single.stop()
    for window, time in ((online, "8:00"), (second, "12:00")):
        window.begin_check(time)
        for _plot in range(3):
            window.fill_readings()
            window.save()
    online.app.waiting_records._look_once()
    online.until(lambda: "6 records waiting here" in trouble(online), "all that waits")
    single.start()
    for window in (online, second):
        window.app.retry_database()
    for window in (online, second):
        window.until(lambda window=window: not window.app.reconnecting.away, "the database")  # type: ignore[misc]
    online.until(lambda: journal().entries() == [], "the replay")
    for window in (online, second):
        window.settle()
        window.app.waiting_records._look_once()
        window.until(lambda window=window: not trouble(window), "the end of the line")  # type: ignore[misc]
    assert len(there.get_all_records()) == 6


def test_quitting_says_that_what_waits_is_kept_and_the_next_start_saves_it(
    online: Window, single: Node, there: SQLModel, password: str, open_window: Callable[[], Window]
) -> None:
    window = online
    save_one_without(window, single)
    window.settle()
    window.app.quit_application()
    dialog: Dialog = window.dialog()
    assert "1 record of this computer is not in the database yet" in dialog.message
    assert "kept here" in dialog.detail
    window.answer("Quit")
    single.start()
    second = open_window()
    type_login(second, OWNER, password)
    second.until(lambda: there.get_all_records(), "the replay")
    second.settle()
    assert fruit(there) == [(1, 3)]


def test_a_password_that_changed_meanwhile_is_asked_for_again(
    online: Window, single: Node, there: SQLModel
) -> None:
    window = online
    save_one_without(window, single)
    single.start()
    single.execute(f"ALTER ROLE {OWNER} PASSWORD 'another'")
    window.until(lambda: "no longer accepts the login" in trouble(window), "the refusal")
    window.press_message("Log In…")
    dialog = window.dialog()
    assert isinstance(dialog, LoginDialog)
    assert dialog.username.get() == OWNER and "password is wrong" in dialog.error
    type_login(window, OWNER, "another")
    window.until(lambda: not trouble(window), "the replay")


def test_a_save_that_takes_too_long_waits_here_and_is_done_once(
    online: Window, single: Node, there: SQLModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abq_data_entry.application.outage.PATIENCE_MS", 300)
    window = online
    window.begin_check()
    window.fill_readings()
    with there._connections._connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE plot_checks IN EXCLUSIVE MODE")
        window.app.form.submit()
        window.until(lambda: window.text(F.PLOT) == "2", "the next plot")
        assert len(journal().entries()) == 1
        cursor.execute("ROLLBACK")
    window.until(lambda: not trouble(window), "the save")
    window.settle()
    assert fruit(there) == [(1, 3)] and journal().entries() == []


def test_without_the_right_to_save_what_waits_stays_and_says_why(
    online: Window, single: Node, there: SQLModel
) -> None:
    window = online
    save_one_without(window, single)
    single.start()
    single.execute("ALTER TABLE plot_checks RENAME TO plots_of_others", "abq")
    window.until(lambda: "1 record waiting here (" in trouble(window), "the reason")
    assert len(journal().entries()) == 1 and not window.dialogs
    single.execute("ALTER TABLE plots_of_others RENAME TO plot_checks", "abq")
    window.app.waiting_records.replay()
    window.until(lambda: not trouble(window), "the replay")
    assert fruit(there) == [(1, 3)]


def test_a_first_start_without_the_database_knows_nothing_and_keeps_everything(
    single: Node, there: SQLModel, remote: dict[str, Any], password: str, open_window: Callable[[], Window]
) -> None:
    single.stop()
    window = open_window()
    type_login(window, OWNER, password)
    window.until(lambda: window.dialogs and getattr(window.dialogs[-1], "error", ""), "the reason")
    window.answer("Work Without the Database")
    window.fill(Time="8:00", Lab="A", Technician="J Simms", Plot="3", Seed_sample="AXM479")
    window.until(lambda: "isn't known while the database is away" in window.app.form.check.problem, "the check")
    window.fill_readings()
    window.save()
    assert "1 record waiting here" in trouble(window)
    single.start()
    window.until(lambda: window.app.data_model is not None and not trouble(window), "the replay")
    assert fruit(there) == [(3, 3)]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP there")
def test_a_server_that_takes_requests_and_never_answers_does_not_stop_the_check(
    online: Window, single: Node, there: SQLModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abq_data_entry.application.outage.PATIENCE_MS", 400)
    window = online
    window.begin_check()
    pids = server_processes(single)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        for _plot in range(3):
            window.fill_readings()
            window.save()
        assert "3 records waiting here; trying" in trouble(window)
        window.begin_check("12:00", "B")
        window.fill_readings()
        window.save()
        assert window.app.form.check.waiting == {4}
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    window.until(lambda: not trouble(window), "the answers")
    window.settle()
    assert fruit(there) == [(1, 3), (2, 3), (3, 3), (4, 3)]
    versions = there.query("SELECT max(version) AS highest FROM plot_checks")
    assert versions == [{"highest": 1}]


def server_processes(single: Node) -> list[int]:
    postmaster = psutil.Process(int((single.folder / "postmaster.pid").read_text().split()[0]))
    return [postmaster.pid, *(each.pid for each in postmaster.children(recursive=True))]


def test_a_full_disk_without_a_database_keeps_the_form(online: Window, single: Node) -> None:
    window = online
    window.begin_check()
    single.stop()
    folder = journal().folder
    for name in ("waiting.sqlite", "writing.lock"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()
    try:
        window.fill_readings()
        window.app.form.submit()
        assert "journal of this computer" in window.dialog().detail
        window.answer("Close")
        assert window.text(F.HUMIDITY) == "24.09" and window.text(F.PLOT) == "1"
    finally:
        for name in ("waiting.sqlite", "writing.lock"):
            (folder / name).rmdir()


def test_the_list_and_the_recorded_plots_are_shown_as_they_were_known(
    online: Window, single: Node, there: SQLModel
) -> None:
    """And a jump to a plot that isn't known types into no other one."""
    app, page = online.app, online.app.record_list.page
    for plot in (1, 2, 3):
        there.save_record(form_record(plot, online.text(F.DATE), Fruit=str(plot)), author="P Taylor")
    online.begin_check()
    online.until(lambda: page.total == 3 and len(page.rows) == 3, "the list")
    app.known_copy._fetch()
    online.settle()
    there.save_record(form_record(4, online.text(F.DATE)), author="P Taylor")
    online.until(lambda: 4 in app.form.check.recorded, "a plot that the copy has no values of")
    online.settle()
    there.close()
    single.stop()
    online.until(lambda: app.form.check.key is not None, "the check")
    app.form.known.look_up()
    count = app.record_list.count_label
    online.until(lambda: app.reconnecting.away and "as known at" in count.cget("text"), "the copy")
    assert [row[F.PLOT] for row in page.rows] == [3, 2, 1]
    assert "as known at" in app.form.check_panel.summary.text
    online.xdotool("keydown", "ctrl", "key", "1", "keyup", "ctrl")
    assert (online.text(F.PLOT), online.text(F.FRUIT)) == ("1", "1")
    assert "As this computer knew it at" in str(app.form.plot_panel.remark.cget("text"))
    online.xdotool("keydown", "ctrl", "key", "4", "keyup", "ctrl")
    assert app.form.shown_record.closed is not None and online.text(F.PLOT) == "4"
    online.type("30")
    assert online.text(F.PLOT) == "4" and not app.form.changed
    assert all(online.text(name) == "" for name in (F.HUMIDITY, F.LIGHT, F.TEMPERATURE))
    # What is saved meanwhile is in the list, too.
    online.xdotool("keydown", "ctrl", "key", "5", "keyup", "ctrl")
    online.until(lambda: online.text(F.PLOT) == "5", "plot 5")
    online.type(READINGS)
    online.until(lambda: [row[F.PLOT] for row in page.rows] == [5, 3, 2, 1], "what was saved here")
    app.record_list.sort_by(F.PLOT)
    online.until(lambda: [row[F.PLOT] for row in page.rows] == [1, 2, 3, 5], "another order")
    online.xdotool("keydown", "ctrl", "key", "4", "keyup", "ctrl")
    single.start()
    wait_until_all_is_saved(online)
    online.until(lambda: app.form.opened is not None and app.form.opened[3] == 4, "the record that was asked for")
    online.until(lambda: page.total == 5 and "As known" not in app.record_list.count_label.cget("text"), "the list")


def test_after_an_outage_nobody_sits_at_a_colleagues_plot_and_all_is_shown_as_it_is(
    online: Window, single: Node, there: SQLModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the colleague was is remembered; a save that the frozen server did later is one of this session."""
    monkeypatch.setattr("abq_data_entry.application.outage.PATIENCE_MS", 400)
    window, records = online, online.app.record_list
    window.begin_check()
    assert there.claim_plot(window.text(F.DATE), "8:00", "A", 2, "P Taylor")
    window.until(lambda: window.app.form.check.others, "the colleague")
    pids = server_processes(single)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        window.fill_readings()
        window.save()
        assert "Database away" in trouble(window) and window.text(F.PLOT) == "3"
        window.until(lambda: "as known at" in records.count_label.cget("text"), "the copy")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    window.until(lambda: not trouble(window), "the answers")
    window.until(lambda: records.count_label.cget("text") == "1 record", "the list")
    assert list(records.saved_marks.values()) == ["new"]


def test_a_plot_that_a_colleague_recorded_during_the_outage_is_left(
    online: Window, single: Node, there: SQLModel
) -> None:
    window = online
    save_one_without(window, single)
    assert window.text(F.PLOT) == "2"
    there.close()
    single.start()
    there.save_record(form_record(2, window.text(F.DATE)), author="P Taylor")
    wait_until_all_is_saved(window)
    window.until(lambda: window.text(F.PLOT) == "3", "the next plot")
    assert window.focus == F.HUMIDITY and window.app.form.opened is None


def test_drafts_that_cannot_be_kept_are_reported_until_they_can(window: Window) -> None:
    lock = Path(os.environ["ABQ_DATA_DIR"]) / "drafts" / "drafts.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    try:
        window.fill(Humidity="24.09")
        window.message("What you are typing can't be kept on the disk")
    finally:
        lock.rmdir()
    window.fill(Light="1.03")
    window.until(lambda: not window.messages, "the drafts")


def test_a_journal_that_cannot_be_read_is_reported_until_it_can(window: Window) -> None:
    folder = journal().folder
    folder.mkdir(parents=True, exist_ok=True)
    file, aside = folder / "waiting.sqlite", folder / "aside"
    if file.exists():  # the deliveries stand there too
        file.rename(aside)
    file.mkdir()
    try:
        window.app.waiting_records._look_once()
        window.message("What waits on this computer can't be read")
    finally:
        file.rmdir()
        if aside.exists():
            aside.rename(file)
    window.app.waiting_records._look_once()
    window.until(lambda: not window.messages, "the journal")


def test_what_a_window_of_an_older_version_keeps_meanwhile_is_saved(online: Window, there: SQLModel) -> None:
    window = online
    older = journal_1_0.Journal(journal().folder)
    for plot in (7, 8):
        record = form_record(plot, window.text(F.DATE), Fruit=str(plot))
        older.keep(new_entry(window.app.waiting_records._database, record, "insert", author="P Taylor"))
    window.app.waiting_records._look_once()
    window.until(lambda: sorted(fruit(there)) == [(7, 7), (8, 8)], "the records")
    window.until(lambda: not trouble(window), "the replay")
    assert journal().entries() == [] and older.entries() == [] and not older.problems
