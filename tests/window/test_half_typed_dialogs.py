"""What is typed into dialogs is a draft like what is typed into the form: a kill, or a power cut, doesn't take it."""

from __future__ import annotations

import datetime
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from abq_data_entry.application.unsent import Texts, Unsent
from abq_data_entry.journal import database_name
from abq_data_entry.mainmenu import EDIT_COMMANDS, GO_COMMANDS
from abq_data_entry.models import SQLModel
from abq_data_entry.store.drafts import Content, DraftFile
from abq_data_entry.views.marks import TextDialog
from tests.fixtures.window import Window, write_settings
from tests.window.half_typed_dialogs import OPENERS, drafts, on_disk, opened, store_something, type_into, words_in
from tests.window.test_closing import close, is_there

ROOT = Path(__file__).resolve().parents[2]
MENUS = {"Edit": EDIT_COMMANDS, "Go": GO_COMMANDS}


@contextmanager
def typing(day: str, words: str, *titles: str) -> Iterator[subprocess.Popen[str]]:
    """A window of another process, into whose dialogs these words are being typed."""
    command = [sys.executable, "-m", "tests.window.half_typed_dialogs", day, words, *titles]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_typed(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "typed\n", process.stderr.read()


def test_each_dialog_has_what_was_typed_in_windows_that_were_killed(
    home: Path, database: dict[str, str], stored: SQLModel, open_window: Callable[[], Window]
) -> None:
    write_settings(home, {"db_name": database["dbname"], "weather_schedule": False})
    day = datetime.date.today().isoformat()
    store_something(stored, day)
    titles = list(OPENERS)
    half = len(titles) // 2
    with typing(day, "one", *titles[:half]) as one, typing(day, "two", *titles[half:]) as two:
        until_typed(one)
        until_typed(two)
        one.send_signal(signal.SIGKILL)
        two.send_signal(signal.SIGTERM)
        assert (one.wait(), two.wait()) == (-signal.SIGKILL, -signal.SIGTERM)
    window = open_window()
    window.until_open()
    told = window.message("What was typed in")
    assert all(each in told.text for each in titles)
    assert f"J Simms, Edit ‣ Withdraw Record ({day} 8:00, lab A, plot 1): one, Withdraw Record" in told.detail
    assert "J Simms, Go ‣ Questions from QA: two, Answer QA" in told.detail
    in_menus = {f"{menu} ‣ {each.text.rstrip('…')}" for menu, commands in MENUS.items() for each in commands}
    assert {re.split(r", | \(|: ", line)[1] for line in told.detail.splitlines()[:-1]} <= in_menus
    window.begin_check()
    (draft,) = (each for each in drafts() if '"title":"Write Message"' in each)
    for number, title in enumerate(titles):
        dialog = opened(window, title)
        assert words_in(dialog) == f"{'one' if number < half else 'two'}, {title}"
        if title == "Write Message":
            assert dialog.typed[0].person == "P Taylor"
        dialog.buttons[-1].invoke()  # Cancel: it is as it was
    assert stored.get_notes() == [], "nothing is sent by itself"
    _sends_two(window, stored, draft)
    _discards_the_others(window)


def _sends_two(window: Window, stored: SQLModel, draft: str) -> None:
    # Its number was kept with it: had it arrived before the kill, it would count once all the same.
    opened(window, "Write Message").buttons[0].invoke()
    window.until(lambda: stored.get_messages(), "the message")
    (sent,) = stored.get_messages()
    assert sent.words == "two, Write Message" and sent.id in draft
    dialog = opened(window, "Write Note")
    assert isinstance(dialog, TextDialog)
    window.until(lambda: window.app.focus_get() is dialog.box, "the focus in it")
    window.press("End")
    window.type(" and more")
    window.until(lambda: on_disk("Write Note", "two, Write Note and more"), "the keys on the disk")
    window.press("Return")
    window.until(lambda: [each.words for each in stored.get_notes()] == ["two, Write Note and more"], "the note")
    window.until(lambda: not on_disk("Write Note", ""), "the end of its draft")
    assert on_disk("Mark Value", "two, Mark Value") and not on_disk("Write Message", "")


def _discards_the_others(window: Window) -> None:
    close(window, window.app)
    window.answer("Quit and Discard")
    assert not is_there(window.app) and drafts() == []


def test_what_is_of_another_database_or_typed_again_by_now_is_for_a_later_window() -> None:
    of_another = {**draft_of("Answer QA", "No."), "database": "other"}
    earlier = draft_of("Close Mark", "Right.")
    unsent = unsent_of(["J Simms"])
    answer, close_mark = unsent.key(("Answer QA", 5)), unsent.key(("Close Mark", 5))
    unsent.half_typed(close_mark, Texts(("Wrong.",), "Wrong."))
    unsent.restore([of_another, earlier])
    assert unsent.get(answer) == unsent.get(close_mark) == ()
    now = {**earlier, "typed": ["Wrong."], "words": "Wrong."}
    assert unsent.found == [] and list(unsent.drafts) == [now, of_another, earlier]
    unsent.half_typed(close_mark, None)
    unsent.discard(unsent.left)
    assert list(unsent.drafts) == [of_another, earlier]


def test_what_somebody_typed_is_not_shown_to_others_and_not_theirs_to_discard() -> None:
    names = ["lab"]
    unsent = unsent_of(names)
    key = "Write Note", ""
    unsent.keep(unsent.key(key), Texts(("Wet.",), "Wet."))  # before a name was confirmed
    names[:] = "J Simms", "lab"
    simms = unsent.key(key)
    assert unsent.get(simms) == ("Wet.",) and [each.key for each in unsent.left] == [simms]
    asked = unsent.left
    names[:] = "P Taylor", "lab"
    taylor = unsent.key(key)
    assert unsent.get(taylor) == () and unsent.others(taylor) == ["J Simms"] and unsent.left == []
    unsent.keep(taylor, Texts(("Dry.",), "Dry."))
    assert [each.texts.words for each in unsent.left] == ["Dry."]
    later = unsent_of(["lab"])
    later.restore(unsent.drafts)
    lines = "J Simms, Edit ‣ Write Note: Wet.", "P Taylor, Edit ‣ Write Note: Dry."
    text, told = later.told(later.found)
    assert text == "What was typed in Write Note isn't sent yet." and told.startswith("\n".join(lines))
    unsent.send(taylor)
    unsent.keep(taylor, Texts(("Dry again.",), "Dry again."))  # not that which is being sent
    unsent.sent(taylor, taken=True)
    assert unsent.get(taylor) == ("Dry again.",)
    unsent.send(taylor)
    names[:] = "J Simms", "lab"
    unsent.sent(taylor, taken=True)  # whoever is at the window by then
    unsent.keep(simms, Texts(("Wet again.",), "Wet again."))
    quits: list[str] = []
    for is_taken in (False, True):
        unsent.send(simms)
        unsent.after_sending = lambda: quits.append("quit")
        assert unsent.left == [] and not quits
        unsent.sent(simms, taken=is_taken)
        assert bool(quits) is is_taken, "a refusal has to be seen"
        unsent.keep(simms, Texts(("Wet again.",), "Wet again."))
    unsent.discard(asked)  # only what that question named
    assert [each["words"] for each in unsent.drafts] == ["Wet again."]


def test_two_people_at_one_window(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    note = opened(window, "Write Note")
    type_into(note, "Wet.")
    note.put_away()
    window.app.form.confirmation.confirm("P Taylor")
    note = opened(window, "Write Note")
    assert words_in(note) == "" and "What J Simms typed in Write Note is kept for J Simms" in window.app.status.get()
    type_into(note, "Dry.")
    note.buttons[0].invoke()
    window.until(lambda: stored.get_notes(), "the note")
    window.until(lambda: on_disk("Write Note", "Wet.") and not on_disk("Write Note", "Dry."), "the one that is left")
    (sent,) = stored.get_notes()
    assert sent.written_by.startswith("P Taylor") and sent.words == "Dry."


def test_what_was_found_can_be_discarded(
    home: Path, database: dict[str, str], open_window: Callable[[], Window]
) -> None:
    settings = {"db_name": database["dbname"]}
    words = "Right.\nThat is how it was. " * 6
    gone = {**draft_of("Close Mark", words), "database": database_name(settings)}
    folder = Path(os.environ["ABQ_DATA_DIR"]) / "drafts"
    DraftFile(folder).write(Content(dialogs=(gone,)))
    window = open_window()
    window.message("What was typed in Close Mark")
    window.until_open()
    window.app.status_bar.show_trouble("The database is away.")
    for answer in ("Keep It", "Discard It"):
        assert "The database is away." in window.app.status_bar.messages.label.cget("text"), "it isn't hidden"
        assert window.message("What was typed").detail.splitlines()[0].endswith("…")
        window.press_message("Discard…")
        assert words in window.dialog().detail
        window.answer(answer)
        assert bool(window.app.drafts.unsent.found) is (answer == "Keep It")
    window.until(lambda: drafts() == [], "the end of the draft")
    assert not [each for each in window.messages if "Close Mark" in each]


def draft_of(title: str, words: str, person: str = "J Simms") -> dict[str, object]:
    return {"title": title, "about": "5", "person": person, "database": "abq", "typed": [words], "words": words}


def unsent_of(names: Sequence[str]) -> Unsent:
    unsent = Unsent(lambda: None, lambda: names)
    unsent.database = "abq"
    return unsent
