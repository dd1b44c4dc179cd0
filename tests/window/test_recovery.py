"""The window on an embedded server of its own: its first start, and a server that is killed under it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.application import Application
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.views.export_dialog import ExportDialog
from tests.fixtures.window import Window, close


@pytest.fixture
def own_data_folder(display: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="abq-own-"))
    monkeypatch.setenv("ABQ_DATA_DIR", str(folder / "data"))
    monkeypatch.setenv("ABQ_CONFIG_DIR", str(folder / "config"))
    yield folder / "data"
    shutil.rmtree(folder)


def postmaster(data_folder: Path) -> int:
    """The number of the server's process; 0 while none runs."""
    try:
        number = int((data_folder / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])
        os.kill(number, 0)
    except (OSError, ValueError, IndexError):
        return 0
    return number


def kill_server(window: Window, data_folder: Path) -> None:
    """End it as the system does that runs out of memory."""
    # One that was killed before may not have been missed yet: its last connections live a moment longer.
    window.until(lambda: postmaster(data_folder), "a server", 60)
    number = postmaster(data_folder)
    os.kill(number, signal.SIGKILL)
    window.until(lambda: postmaster(data_folder) != number, "its end", 60)


def test_first_start_then_the_server_is_killed_under_the_window(own_data_folder: Path) -> None:
    problems: list[str] = []
    window = Window(Application(), problems)
    try:
        window.until_open(60)
        window.begin_check()
        window.fill_readings()
        window.save()
        kill_server(window, own_data_folder)
        window.fill_readings()
        window.save()
        # On a slow machine the record waits in the journal until the server is there again.
        app = window.app
        window.until(lambda: not app.waiting_records.entries and not app.reconnecting.away, "the server", 60)
        window.settle()
        assert not window.dialogs
        assert sorted(window.app.form.check.recorded) == [1, 2]
        kill_server(window, own_data_folder)
        window.app.callbacks["export_view"]()  # starts it again too, whoever is first to ask
        assert isinstance(window.dialog(), ExportDialog)
        window.answer("Cancel")
        window.until(lambda: not window.app.reconnecting.away, "the server once more", 60)
        window.settle()
    finally:
        close(window)

    server = postgres.start(own_data_folder)
    try:
        model = SQLModel.at(server.endpoint("abq"))
        assert [record[F.PLOT] for record in model.get_all_records()] == [1, 2]
        model.close()
    finally:
        server.stop()


def test_a_database_that_cannot_be_opened_is_reported_and_can_be_tried_again(own_data_folder: Path) -> None:
    own_data_folder.mkdir(parents=True)
    cluster = own_data_folder / "postgres" / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("9.6\n")
    problems: list[str] = []
    window = Window(Application(), problems)
    try:
        window.until(lambda: "couldn't be opened" in window.app.status.get(), "the reason")
        assert "9.6" in str(window.app.record_list.page.message_text.cget("text"))
        assert not window.dialogs  # nothing steals the keys of the form
        window.type("8")
        assert window.text(F.TIME) == "8:00"
        shutil.rmtree(own_data_folder / "postgres")
        window.app.record_list.page.message_button.invoke()
        window.until_open(60)
        assert json.dumps(window.app.form.inputs.texts())
    finally:
        close(window)
