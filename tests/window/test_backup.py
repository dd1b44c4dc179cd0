"""Backups from the window: to a file, back, one a day, and out of a damaged database."""

from __future__ import annotations

import datetime
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tkinter import filedialog
from typing import Any

import pytest

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel, schema
from abq_data_entry.postgres.cluster import home_in, locked
from abq_data_entry.postgres.server import stop_server
from tests.commands.test_waits_announced import table_locked
from tests.fixtures.window import Window
from tests.models.records import record


def plots(stored: SQLModel) -> list[object]:
    return [each["Plot"] for each in stored.get_all_records(all_dates=True)]


def until_ended(window: Window, name: str) -> None:
    window.until(lambda: name not in window.app.commands.running, f"{name} to end", seconds=60)


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """What the system's file dialogs answer: they belong to Tk, which tests them."""

    def answer(path: Path) -> None:
        for dialog in ("asksaveasfilename", "askopenfilename"):
            monkeypatch.setattr(filedialog, dialog, lambda **_options: str(path))

    return answer


def test_backup_and_restore(
    window: Window, stored: SQLModel, tmp_path: Path, choose: Callable[[Path], None]
) -> None:
    file = tmp_path / "a backup.dump"
    choose(file)
    stored.save_record(record(Plot=1))
    window.app.callbacks["back_up"]()
    assert "Backup" in window.app.commands.running
    until_ended(window, "Backup")
    assert window.app.status.get().startswith(f"Backed up in {file}: ")
    stored.save_record(record(Plot=2))
    stored.close()
    window.app.callbacks["restore"]()
    dialog = window.dialog()
    assert dialog.message.startswith("Replace the present database with the backup of ") and str(file) in dialog.detail
    window.press("Return")  # a habit restores nothing
    window.until(lambda: not window.dialogs, "the end of the question")
    assert plots(stored) == [1, 2] and not window.app.commands.running
    stored.close()
    window.app.callbacks["restore"]()
    window.answer("Restore")
    until_ended(window, "Restore")
    window.settle()
    assert plots(stored) == [1]
    assert f"The database is as it was in {file}" in window.app.status.get()
    (before,) = postgres.backups_of({"db_name": window.app.settings["db_name"].get()}, _data_folder()).folder.iterdir()
    assert "before-restore" in before.name
    # The window goes on with the database that it has now.
    window.begin_check()
    window.fill_readings()
    window.save()
    assert len(plots(stored)) == 2


def _data_folder() -> Path:
    return Path(os.environ["ABQ_DATA_DIR"])


def test_a_file_that_is_no_backup(window: Window, stored: SQLModel, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no backup")
    window.app.messages.command(window.app.backups.restore)(tmp_path / "notes.txt")
    dialog = window.dialog()
    assert dialog.message == "The database is as it was." and "can't be read as a backup" in dialog.detail
    assert not (_data_folder() / "backups").exists()
    window.answer("Close")


def test_cancelled_backup(window: Window, database: dict[str, str], tmp_path: Path) -> None:
    with table_locked(database, "plot_checks"):
        window.app.backups.back_up(tmp_path / "file.dump")
        lines: Any = window.app.status_bar.jobs.winfo_children
        window.until(lines, "its line")
        lines()[-1].button.invoke()
        until_ended(window, "Backup")
    assert "cancelled" in window.app.status.get()
    assert not list(tmp_path.glob("*.dump*"))


def test_the_days_backup_is_made_by_itself(window: Window) -> None:
    folder = _data_folder() / "backups"
    window.app.backups.make_daily()
    window.until(lambda: list(folder.glob("*.dump")), "the backup", seconds=60)
    window.settle()
    (made,) = folder.glob("*.dump")
    assert datetime.date.today().isoformat() in made.name
    moment = made.stat().st_mtime_ns
    window.app.backups.make_daily()
    window.settle()
    assert [path.stat().st_mtime_ns for path in folder.glob("*.dump")] == [moment]
    assert window.app.status_bar.backup_trouble == ""


def test_a_daily_backup_that_fails_is_seen(settings: dict[str, Any], open_window: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings["backup_folder"] = str(tmp_path / "file" / "backups")
    window = open_window()
    window.until(lambda: window.app.data_model, "the database")
    window.app.backups.make_daily()
    window.until(lambda: window.app.status_bar.backup_trouble, "the warning")
    assert window.app.status_bar.backup_trouble.startswith("The daily backup was not made: The folder of backups ")
    (tmp_path / "file").unlink()
    window.press_message("Try Again")
    window.until(lambda: not window.app.status_bar.backup_trouble, "the warning to go", seconds=60)
    assert len(list((tmp_path / "file" / "backups").glob("*.dump"))) == 1


def test_switched_off(settings: dict[str, Any], open_window: Any) -> None:
    settings["backup_keep"] = 0
    window = open_window()
    window.until(lambda: window.app.data_model, "the database")
    window.app.backups.make_daily()
    window.settle()
    assert not (_data_folder() / "backups").exists()


# -- a damaged database -------------------------------------------------------------------------------------


@pytest.fixture
def own_data(display: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder with an embedded database of its own: one record in it, and a backup."""
    made = Path(tempfile.mkdtemp(prefix="abq-test-"))
    made.chmod(0o755)
    data = made / "data"
    monkeypatch.setenv("ABQ_DATA_DIR", str(data))
    try:
        server = postgres.start(data)
        server.create_database()
        schema.prepare(server.endpoint())
        model = SQLModel.at(server.endpoint())
        model.save_record(record(Plot=7, Date=datetime.date.today()))
        model.close()
        postgres.backups_of({}, data).make_before(server.endpoint(), "test")
        server.stop()
        yield data
    finally:
        left = home_in(data)
        with locked(left.lock):
            stop_server(left)
        with locked(left.watcher_lock):
            pass
        shutil.rmtree(made)


def test_the_way_back_from_a_damaged_database(own_data: Path, settings: dict[str, Any], open_window: Any) -> None:
    cluster = own_data / "postgres/cluster"
    (cluster / "global/pg_control").unlink()
    settings["db_name"] = "abq"
    window = open_window()
    message = window.message("The database on this computer is damaged.")
    assert "global/pg_control is missing. Nothing was changed." in message.detail
    assert "The newest backup is of " in message.detail
    assert not (cluster / "global/pg_control").exists()
    window.press_message("Restore It")
    window.until(lambda: window.app.data_model, "the database", seconds=60)
    window.settle()
    assert plots(window.app.data_model) == [7]
    assert len(list(cluster.parent.glob("cluster.put-aside-*"))) == 1


def test_without_any_backup(own_data: Path, settings: dict[str, Any], open_window: Any) -> None:
    shutil.rmtree(own_data / "backups")
    (own_data / "postgres/cluster/PG_VERSION").write_text("")
    settings["db_name"] = "abq"
    window = open_window()
    message = window.message("The database on this computer is damaged.")
    assert f"There is no backup in {own_data / 'backups'}" in message.detail
    window.press_message("Dismiss")
    assert window.app.data_model is None


def test_a_page_that_breaks_while_the_window_is_open_names_the_way_back(
    own_data: Path, settings: dict[str, Any], open_window: Any
) -> None:
    server = postgres.start(own_data)
    model = SQLModel.at(server.endpoint())
    ((path,),) = [tuple(row.values()) for row in model.query("SELECT pg_relation_filepath('plot_checks')") or []]
    model.query("CHECKPOINT")
    model.close()
    server.stop()
    file = own_data / "postgres/cluster" / str(path)
    page = bytearray(file.read_bytes())
    page[8000] ^= 0xFF
    file.write_bytes(page)
    settings["db_name"] = "abq"
    window = open_window()

    def told() -> str:
        return str(window.app.record_list.page.message_text.cget("text"))

    window.until(lambda: "damaged" in told(), "the problem in the list")
    assert "db restore --put-aside" in told()
