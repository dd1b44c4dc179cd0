"""Alarms in the window: a line that takes no key, once for each; the list, and ending one, by keys."""

from __future__ import annotations

import json

import pytest

from abq_data_entry.application.alarms import KEY
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.models.alarms import WEBHOOK, Finding, Receiver
from abq_data_entry.models.undoing import By
from abq_data_entry.views.alarms import END, AlarmsWindow
from abq_data_entry.views.marks import TextDialog
from abq_data_entry.workflows import local_findings
from abq_data_entry.workflows.status import Limits
from tests.fixtures.window import Window
from tests.network.test_webhook import serving

BENCH = By("", "bench")
FULL = Finding("disk", "/data", "Only 3 MiB are free on the disk of /data.")
BROKEN = Finding("audit", "", "The audit is broken.")


def line(window: Window) -> str:
    """What the message bar says of alarms."""
    return window.app.status_bar.messages.text_of(KEY)


def listed(window: Window) -> AlarmsWindow:
    """The open list, with the keyboard."""
    found: list[AlarmsWindow] = []

    def is_there() -> bool:
        found[:] = [each for each in window.app.winfo_children() if isinstance(each, AlarmsWindow)]
        return bool(found) and window.app.focus_get() is found[0].tree

    window.until(is_there, "the list with the focus")
    return found[0]


@pytest.mark.needs("network")
def test_alarms_are_shown_sent_and_ended(
    window: Window, stored: SQLModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_findings, "LIMITS", Limits(free_mib=0))  # however full the disk of the tests is
    app = window.app
    window.until(lambda: "alarm_list" in vars(app), "the part to be made")
    with serving() as posts:
        stored.add_receiver(Receiver("chat", WEBHOOK, posts.url))
        stored.look_for_alarms([FULL], by=BENCH)
        window.begin_check()
        app.form.inputs[F.NOTES].focus_set()
        app.alarm_list.look_and_notify()
        window.type("abc")
        window.until(lambda: line(window) == "1 alarm is open", "the line")
        assert (window.focus, window.text(F.NOTES)) == (F.NOTES, "abc") and not window.dialogs
        assert FULL.words in window.message("1 alarm").detail
        assert [json.loads(body)["event"] for _headers, body in posts.kept] == ["begin"]

        # Who has put the line away isn't told of the same again; of another one, yes.
        app.status_bar.messages.settle(KEY)
        app.alarm_list.look_and_notify()
        window.until(lambda: not app.alarm_list.is_looking, "the second look")
        window.settle()
        assert not line(window)
        stored.look_for_alarms([BROKEN], by=BENCH)
        app.alarm_list.look()
        window.until(lambda: line(window) == "2 alarms are open", "the line of both")

        app.callbacks["show_alarms"]()
        page = listed(window)
        window.until(lambda: len(page.tree.get_children()) == 2 and END in page.allowed, "both, one chosen")
        assert "The audit is broken." in page.detail.text.get("1.0", "end")
        window.press("alt+e")
        window.until(lambda: window.dialogs and isinstance(window.dialogs[-1], TextDialog), "the dialog")
        dialog = window.dialogs[-1]
        assert isinstance(dialog, TextDialog)
        window.until(lambda: app.focus_get() is dialog.box, "the focus in it")
        window.type("restored")
        window.press("Return")
        window.until(lambda: len(page.tree.get_children()) == 1, "it to go from the list")
        window.until(lambda: line(window) == "1 alarm is open", "the line of the other")
        (ended,) = [each for each in stored.get_alarms(ended_days=1) if each.ended is not None]
        assert ended.kind == "audit" and ended.ended_words.endswith(": restored")

        # It ends by itself: the line goes, and the end is told.
        stored.look_for_alarms([FULL._replace(words="", ending="900 MiB are free again")], by=BENCH)
        app.alarm_list.look_and_notify()
        window.until(lambda: not line(window), "the line to go")
        window.until(lambda: not page.tree.get_children(), "the list to be empty")
        events = [(json.loads(body)["event"], json.loads(body)["kind"]) for _headers, body in posts.kept]
        assert ("end", "disk") in events and len(events) == len(set(events))
        page.everything.set(True)
        page.refresh()
        window.until(lambda: len(page.tree.get_children()) == 2, "those that ended")
