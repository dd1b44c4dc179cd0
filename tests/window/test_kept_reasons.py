"""What was typed to withdraw, move or correct records is offered again when the database can't do it, or refuses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.models.undoing import By
from abq_data_entry.postgres.connections import connect
from abq_data_entry.views.reasoned import REASON, ManyDialog, ReasonedDialog
from tests.fixtures.cluster import Node, frozen
from tests.fixtures.window import Window
from tests.window.test_closing import close, is_there
from tests.window.test_form import open_plot, record, today
from tests.window.test_offline import online, password, remote, there
from tests.window.test_undoing import ended, listed, opened, reasoned

__all__ = ["listed", "online", "opened", "password", "remote", "there"]


def texts(dialog: ReasonedDialog) -> dict[str, str]:
    return {name: box.get() for name, box in dialog.boxes.items()}


def refused(window: Window, words: str) -> None:
    """Wait until the window says that nothing was changed, why, and that what was typed is kept."""
    window.until(lambda: any("Nothing was changed." in each.message for each in window.dialogs), "the refusal")
    assert words in window.dialog().detail and "What you typed is kept" in window.dialog().detail


COMMANDS = {
    "withdraw_record": ("Withdraw", {REASON: "typed twice"}, "plot 1 is withdrawn"),
    "move_record": ("Move", {F.PLOT: "20", REASON: " wrong  plot"}, "plot 20 now"),
    "move_check": ("Move", {F.LAB: "C", REASON: "wrong lab"}, "records are those of"),
}


@pytest.mark.parametrize(
    ("fault", "commands"),
    [("stopped", tuple(COMMANDS)), ("known to be away", tuple(COMMANDS)), ("frozen", ("move_check",))],
)
@pytest.mark.takes(10)
def test_an_outage_keeps_what_was_typed(
    online: Window, single: Node, there: SQLModel, fault: str, commands: tuple[str, ...]
) -> None:
    for plot in (1, 2):
        there.save_record(record(plot, today(online)), author="J Simms")
    online.begin_check()
    for plot, command in enumerate(commands, 1):
        open_plot(online, plot if plot < 3 else 20)
        online.settle()
        send_in_an_outage(online, single, fault, command)


def send_in_an_outage(window: Window, single: Node, fault: str, command: str) -> None:
    button, typed, result = COMMANDS[command]
    window.app.callbacks[command]()
    dialog = reasoned(window)
    for name, text in typed.items():
        dialog.boxes[name].set(text)
    before = texts(dialog)
    if fault == "frozen":
        with frozen(single):
            window.answer(button)
            assert window.app.status.get() == "Move Check: under way…"
            refused(window, "The database is away.")
    else:
        single.stop()
        if fault == "known to be away":
            window.app.reconnecting.lost(ConnectionError("a cable"), by_itself=False)
        window.answer(button)
        refused(window, "The database is away.")
        single.start()
    window.app.retry_database()
    window.until(lambda: window.app.shared.reachable is not None, "the database")
    window.answer("Try Again")
    again = reasoned(window)
    assert texts(again) == before
    window.answer(button)
    ended(window, result)
    assert not window.dialogs and window.app.drafts.unsent.left == []


_SLOW_COMMIT = """
    CREATE FUNCTION wait_long() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(600); RETURN NULL; END$$;
    CREATE CONSTRAINT TRIGGER wait_long AFTER DELETE ON plot_checks DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_long();
"""
_COMMITTING = "SELECT 1 FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'"


def test_a_commit_lost_with_the_server_is_called_unknown(online: Window, single: Node, there: SQLModel) -> None:
    window = online
    there.save_record(record(1, today(window)), author="J Simms")
    with closing(connect(single.endpoint())) as owner, owner.cursor() as cursor:
        owner.autocommit = True
        cursor.execute(_SLOW_COMMIT)
    window.begin_check()
    open_plot(window, 1)
    window.settle()
    window.app.callbacks["withdraw_record"]()
    reasoned(window).boxes[REASON].set("typed twice")
    window.answer("Withdraw")
    window.until(lambda: there.query(_COMMITTING), "the commit")
    single.kill()
    window.until(lambda: window.dialogs, "what is said of it")
    assert window.dialog().message == "It isn't known whether it was done."
    assert "What you typed is kept" in window.dialog().detail
    window.answer("Close")
    assert window.app.drafts.unsent.left[0].texts.words == "typed twice"


def test_typing_goes_on_behind_a_reason_that_was_kept(opened: Window, stored: SQLModel) -> None:
    opened.app.callbacks["withdraw_record"]()
    dialog = reasoned(opened)
    opened.type("typed")
    dialog.put_away()
    opened.app.callbacks["withdraw_record"]()
    assert texts(reasoned(opened)) == {REASON: "typed"}
    opened.type(" twice\n")
    ended(opened, "plot 2 is withdrawn")
    assert stored.get_history(today(opened), "8:00", "A", 2)[-1].reason == "typed twice"


def test_who_has_chosen_no_name_learns_how_to_see_what_is_kept(opened: Window) -> None:
    opened.app.callbacks["withdraw_record"]()
    dialog = reasoned(opened)
    opened.type("typed")
    dialog.put_away()
    opened.app.form.confirmation.forget()
    opened.app.callbacks["withdraw_record"]()
    assert texts(reasoned(opened)) == {REASON: ""}
    said = opened.app.status.get()
    assert said.endswith("is kept for J Simms. If that is you, choose the name in a new record first")
    opened.answer("Cancel")


def test_who_has_chosen_no_name_learns_where_to_choose_it(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window)), author="J Simms")
    page = window.app.record_list.page
    window.app.refresh()
    window.until(lambda: page.total == 1 and page.rows, "the list")
    window.app.show_record_list()
    window.until(lambda: window.app.focus_get() is page.tree, "the focus in the list")
    window.app.callbacks["withdraw_record"]()
    reasoned(window).boxes[REASON].set("typed twice")
    window.answer("Withdraw")
    refused(window, "J Simms entered the record")
    detail = window.dialog().detail
    assert "choose your name" in detail and "Nothing was changed" not in detail
    window.answer("Close")


def change(stored: SQLModel, key: tuple[Any, ...]) -> None:
    version = stored.get_versioned_record(*key).version
    stored.save_record(
        record(2, key[0], Fruit="8"), "update", expected_version=version, reason="recounted", author="P Taylor"
    )


def withdraw(stored: SQLModel, key: tuple[Any, ...]) -> None:
    stored.withdraw_record(key, "typed twice", by=By("P Taylor"))


def test_a_record_that_somebody_changed_meanwhile_is_shown_with_the_reason(opened: Window, stored: SQLModel) -> None:
    key = (today(opened), "8:00", "A", 2)
    opened.app.callbacks["withdraw_record"]()
    assert opened.app.status.get().startswith("Looking up the record of")
    reasoned(opened).boxes[REASON].set("typed twice")
    assert not opened.app.status.get()
    change(stored, key)
    opened.answer("Withdraw")
    refused(opened, "P Taylor changed the record")
    opened.answer("Try Again")
    again = reasoned(opened)
    assert texts(again) == {REASON: "typed twice"} and "Fruit 8" in again.detail
    opened.answer("Withdraw")
    ended(opened, "plot 2 is withdrawn")


def test_after_close_the_next_dialog_of_that_record_has_what_was_typed(opened: Window, stored: SQLModel) -> None:
    opened.app.callbacks["move_record"]()
    dialog = reasoned(opened)
    dialog.boxes[F.PLOT].set("20")
    dialog.boxes[REASON].set("wrong plot")
    withdraw(stored, (today(opened), "8:00", "A", 2))
    opened.answer("Move")
    refused(opened, "There is no record of")
    opened.answer("Close")
    opened.until(lambda: 2 not in opened.app.form.check.recorded, "the withdrawal to be heard of")
    stored.bring_back_record((today(opened), "8:00", "A", 2), "was right", by=By("P Taylor"))
    opened.until(lambda: 2 in opened.app.form.check.recorded, "the record to be back")
    opened.settle()
    open_plot(opened, 3)
    opened.app.callbacks["move_record"]()
    other = reasoned(opened)
    assert (other.boxes[F.PLOT].get(), other.boxes[REASON].get()) == ("3", "")
    opened.answer("Cancel")
    open_plot(opened, 2)
    opened.app.callbacks["move_record"]()
    again = reasoned(opened)
    assert (again.boxes[F.PLOT].get(), again.boxes[REASON].get()) == ("20", "wrong plot")
    opened.answer("Move")
    ended(opened, "plot 20 now")


def test_many_are_asked_about_again_with_the_preview(listed: Window, stored: SQLModel) -> None:
    listed.press("shift+Down", "shift+Down")
    listed.app.callbacks["correct_many"]()
    dialog = reasoned(listed)
    dialog.boxes[F.TECHNICIAN].set("Q Murphy")
    dialog.boxes[REASON].set("wrong badge")
    withdraw(stored, (today(listed), "8:00", "A", 11))
    listed.answer("Correct")
    refused(listed, "There is no record of")
    listed.answer("Try Again")
    again = reasoned(listed)
    assert isinstance(again, ManyDialog)
    assert (again.boxes[F.TECHNICIAN].get(), again.boxes[REASON].get()) == ("Q Murphy", "wrong badge")
    lines = [again.tree.item(each, "values")[1] for each in again.tree.get_children()]
    assert lines == ["Technician J Simms → Q Murphy"] * 2
    listed.answer("Correct")
    ended(listed, "2 records are corrected")


def test_a_dialog_closed_by_mistake_has_its_texts_when_it_is_opened_again(opened: Window) -> None:
    callback: Callable[[], object] = opened.app.callbacks["move_record"]
    callback()
    close(opened, reasoned(opened))
    assert opened.app.drafts.unsent.left == []  # nothing was typed
    callback()
    dialog = reasoned(opened)
    dialog.boxes[F.PLOT].set("2O")  # not even valid
    close(opened, dialog)
    assert "What you typed is kept: Move Record has it" in opened.app.status.get()
    callback()
    assert reasoned(opened).boxes[F.PLOT].get() == "2O"
    opened.press("Escape")
    opened.until(lambda: not opened.dialogs, "the end of the dialog")


def test_what_is_typed_there_keeps_the_program_open_until_somebody_decides(opened: Window, stored: SQLModel) -> None:
    opened.app.callbacks["withdraw_record"]()
    reasoned(opened)
    opened.type("typed twice")
    close(opened, opened.app)
    asked = opened.dialog()
    assert asked.title() == "Quit" and "Withdraw Record isn't sent yet" in asked.message
    assert asked.detail.endswith(", plot 2): typed twice")
    opened.answer("Cancel")
    opened.app.callbacks["withdraw_record"]()
    assert texts(reasoned(opened)) == {REASON: "typed twice"}
    opened.press("Return")
    ended(opened, "plot 2 is withdrawn")
    assert stored.get_record(today(opened), "8:00", "A", 2) == {}
    close(opened, opened.app)
    assert not is_there(opened.app)
