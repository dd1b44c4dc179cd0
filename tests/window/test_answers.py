"""What receivers answer, in the window: read from a real mailbox, told, shown in Deliveries, and sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.application import receipts
from abq_data_entry.models import SQLModel
from abq_data_entry.outbox import deliver
from abq_data_entry.outbox import record as told_to_database
from tests.commands.test_deliveries import Service
from tests.commands.test_receipts import answer
from tests.fixtures.secret_files import secret
from tests.fixtures.window import Window
from tests.network.certificates import authority
from tests.network.mailbox_server import PASSWORD, USERNAME, Mailbox, mailbox_server
from tests.outbox.test_sending import arriving
from tests.window.test_deliveries import box, cells, deliveries_window, press, put_in, service  # noqa: F401
from tests.window.test_logins import asked, failure
from tests.window.test_logins import box as remember
from tests.window.test_tools import EXTRACT, REST_TITLE, log_in, status

TITLE = "Login to the Mailbox of Answers"
pytestmark = pytest.mark.needs("network")


@contextmanager
def refused_delivery(
    folder: Path, stored: SQLModel, settings: dict[str, Any], addresses: dict[str, Any]
) -> Iterator[Mailbox]:
    """A mailbox in the settings, with the answer that refuses the extract that was delivered last."""
    trusted = authority("laboratory", folder)
    with mailbox_server(trusted.issue("127.0.0.1")) as mailbox:
        settings.update(
            addresses, abq_answers_mailbox=mailbox.address("imap"), abq_answers_username=USERNAME,
            abq_answers_from="data@example.com", abq_ca_file=str(trusted.file),
        )  # fmt: skip
        put_in(stored, addresses)
        (sent,) = box().deliveries()
        deliver(box(), sent, arriving)
        told_to_database(box(), stored)
        mailbox.put(answer(f"REFUSED: plot 1 is missing\n{sent.sha256}  {EXTRACT}", sender="data@example.com"))
        yield mailbox


def test_an_answer_is_shown_and_what_was_refused_is_sent_again(
    open_window: Callable[[], Window], stored: SQLModel, settings: dict[str, Any], home: Path, tmp_path: Path,
    service: tuple[Service, dict[str, Any]], monkeypatch: pytest.MonkeyPatch,  # noqa: F811
) -> None:  # fmt: skip
    monkeypatch.setattr(receipts, "LOOK_MS", 50)
    monkeypatch.setattr(receipts, "SHOWN_SECONDS", 0.1)
    there, addresses = service
    there.recover()
    with refused_delivery(tmp_path, stored, settings, addresses) as mailbox:
        secret(home, "answers", PASSWORD)
        window = open_window()
        window.until_open()
        window.app.answers.look()
        message = window.message(f"{EXTRACT} was refused by its receiver. Your records are safe in the database.")
        assert "REFUSED: plot 1 is missing" in message.detail
        assert box().deliveries()[0].state == "failed"

        shown = deliveries_window(window)
        refused = "Answer: Refused by data@example.com"
        window.until(lambda: refused in shown.receipt.text.get("1.0", "end"), "the answer")
        assert cells(shown)[0][3] == "failed" and "plot 1 is missing" in cells(shown)[0][5]
        press(window, shown, "Try Again")
        log_in(window, REST_TITLE, "test", "test")
        sent_again = [("2", "REST", "delivered"), ("1", "REST", "cancelled")]
        window.until(lambda: [row[1:4] for row in cells(shown)] == sent_again, "the next version")

        # The server tells that mail has come: nobody waits for the next hour.
        again = box().deliveries()[1]
        mailbox.put(answer(f"Accepted.\n{again.sha256}  {EXTRACT}", sender="data@example.com"))
        window.until(lambda: "Accepted by data@example.com" in cells(shown)[0][5], "the other answer")
        assert box().deliveries()[1].state == "delivered" and len(there.received) == 1


def test_a_person_who_looks_is_asked_for_the_password_that_nobody_kept(
    open_window: Callable[[], Window], stored: SQLModel, settings: dict[str, Any], tmp_path: Path,
    service: tuple[Service, dict[str, Any]], known_passwords: dict[tuple[str, str], str],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(receipts, "LOOK_MS", 50)
    with refused_delivery(tmp_path, stored, settings, service[1]):
        window = open_window()
        window.until_open()
        window.app.answers.look(now=True)
        window.until(lambda: not window.app.answers.is_reading, "the look of nobody")
        assert not window.dialogs and box().deliveries()[0].state == "delivered"

        shown = deliveries_window(window)
        shown.buttons["Look for Answers"].invoke()
        asked(window)
        window.answer("Cancel")
        window.until(lambda: shown.status_label.cget("text") == "The mailbox wasn't read", "the word on it")
        shown.buttons["Look for Answers"].invoke()
        log_in(window, TITLE, USERNAME, "wrong")
        assert "refused" in failure(window)
        window.answer("Try Again")
        dialog = asked(window)
        assert "refused" in dialog.error and dialog.username.get() == USERNAME and not known_passwords
        remember(dialog).invoke()
        dialog.password_entry.insert(0, PASSWORD)  # not every keyboard has its letters
        window.answer("Log In")
        window.until(lambda: shown.status_label.cget("text") == "New mails: 1, answers to deliveries: 1", "what came")
        assert box().deliveries()[0].state == "failed" and "was refused by its receiver" in failure(window)
        window.answer("Close")
        window.until(lambda: known_passwords.get(("abq-data-entry:answers", USERNAME)) == PASSWORD, "the keyring")

        known_passwords.clear()
        shown.buttons["Look for Answers"].invoke()  # it is known until the window closes
        none = "New mails: 0, answers to deliveries: 0"
        window.until(lambda: shown.status_label.cget("text") == none, "the second look")
        shown.buttons["Forget Logins"].invoke()
        window.until(lambda: "are forgotten" in status(window), "that it is forgotten")
        shown.buttons["Look for Answers"].invoke()
        asked(window)
        window.answer("Cancel")


def test_without_a_mailbox_there_is_no_command_for_it(window: Window) -> None:
    assert "Look for Answers" not in deliveries_window(window).buttons
