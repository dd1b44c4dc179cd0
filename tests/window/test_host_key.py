"""SFTP to a server that was never seen before: its key is shown once, and what is trusted is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.application.host_key import TITLE
from abq_data_entry.models import SQLModel
from abq_data_entry.outbox import Outbox
from abq_data_entry.views import Dialog
from abq_data_entry.views.remote_files import RemoteFilesWindow
from tests.fixtures.window import Window
from tests.network.real_servers import ShellServer, sshd
from tests.window.test_form import record
from tests.window.test_tools import EXTRACT, FTP_TITLE, TODAY, log_in, point_to, status, told

pytestmark = pytest.mark.takes(3)

SENT = f"{EXTRACT} successfully uploaded to FTP"


@pytest.fixture(scope="module")
def shell() -> Iterator[ShellServer]:
    with sshd() as running:
        yield running


@pytest.fixture
def known(tmp_path: Path) -> Path:
    return tmp_path / "ssh" / "known_hosts"


@pytest.fixture
def addresses(shell: ShellServer, known: Path) -> Iterator[dict[str, Any]]:
    yield {
        "abq_transfer": "sftp",
        "abq_ftp_host": "127.0.0.1",
        "abq_sftp_port": shell.port,
        "abq_sftp_key_file": str(shell.key_file),
        "abq_sftp_known_hosts": str(known),
    }
    for path in shell.folder.iterdir():
        path.unlink()


def states() -> list[str]:
    return [each.state for each in Outbox(Path(os.environ["ABQ_DATA_DIR"]) / "outbox").deliveries()]


def begin(window: Window, stored: SQLModel, shell: ShellServer, addresses: dict[str, Any]) -> None:
    stored.save_record(record(1, str(TODAY)))
    point_to(window, **addresses)
    window.app.callbacks["upload_to_corporate_ftp"]()
    log_in(window, FTP_TITLE, shell.username, "")


def question(window: Window) -> Dialog:
    window.until(lambda: window.dialogs and window.dialogs[-1].title() == TITLE, "the question")
    dialog = window.dialog()
    assert dialog.title() == TITLE
    return dialog


def test_what_is_trusted_is_sent_and_asked_for_once(
    window: Window, stored: SQLModel, shell: ShellServer, addresses: dict[str, Any], known: Path
) -> None:
    begin(window, stored, shell, addresses)
    dialog = question(window)
    assert dialog.message == "The server 127.0.0.1 isn't known yet."
    assert "SHA256:" in dialog.detail and "Compare it" in dialog.detail
    window.answer("Trust and Send")
    window.until(lambda: status(window) == SENT, "the delivery")
    assert (shell.folder / EXTRACT).is_file() and states() == ["delivered"]
    assert known.read_text() == f"[127.0.0.1]:{shell.port} {shell.host_key}\n"
    window.app.status.set("")
    window.app.callbacks["upload_to_corporate_ftp"]()
    window.until(lambda: status(window) == SENT, "the next delivery")
    assert not window.dialogs


@pytest.mark.parametrize("key", ["Return", "Escape"])
def test_enter_trusts_nobody(
    window: Window, stored: SQLModel, shell: ShellServer, addresses: dict[str, Any], known: Path, key: str
) -> None:
    begin(window, stored, shell, addresses)
    dialog = question(window)
    window.until(lambda: window.app.focus_get() is dialog.buttons[-1], "the focus")
    window.press(key)
    window.until(lambda: "isn't confirmed" in status(window), "the answer")
    window.settle()
    assert not list(shell.folder.iterdir()) and states() == ["failed"] and not known.exists()


def test_a_changed_key_is_no_question(
    window: Window, stored: SQLModel, shell: ShellServer, addresses: dict[str, Any], known: Path
) -> None:
    known.parent.mkdir()
    kind, text = shell.host_key.split()
    other = f"{text[:-6]}{'AAAAAA' if text[-6:] != 'AAAAAA' else 'BBBBBB'}"
    known.write_text(f"[127.0.0.1]:{shell.port} {kind} {other}\n")
    begin(window, stored, shell, addresses)
    window.until(lambda: window.dialogs and "has changed" in window.dialogs[-1].detail, "the refusal")
    told(window)
    assert not list(shell.folder.iterdir()) and states() == ["failed"]


def test_which_key_it_must_be_may_be_settled(
    window: Window, stored: SQLModel, shell: ShellServer, addresses: dict[str, Any]
) -> None:
    addresses["abq_sftp_host_key"] = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
    begin(window, stored, shell, addresses)
    window.until(lambda: window.dialogs and "pretending" in window.dialogs[-1].detail, "the refusal")
    assert window.dialogs[-1].title() != TITLE
    told(window)
    assert not list(shell.folder.iterdir()) and states() == ["failed"]


def test_the_remote_folder_asks_as_well(
    window: Window, shell: ShellServer, addresses: dict[str, Any], known: Path
) -> None:
    (shell.folder / "a.csv").write_text("x")
    point_to(window, **addresses)
    window.app.callbacks["show_remote_files"]()
    (files,) = [each for each in window.app.winfo_children() if isinstance(each, RemoteFilesWindow)]
    log_in(window, FTP_TITLE, shell.username, "")
    assert "SHA256:" in question(window).detail and not files.tree.get_children()
    window.answer("Trust")
    window.until(lambda: not files.running and len(files.tree.get_children()) == 1, "the list")
    assert known.read_text() == f"[127.0.0.1]:{shell.port} {shell.host_key}\n"
