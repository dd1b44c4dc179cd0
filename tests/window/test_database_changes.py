"""An open window, while somebody brings its database to a newer version, or puts a backup in its place."""

from __future__ import annotations

import os
from pathlib import Path

from abq_data_entry import postgres
from abq_data_entry.constants import SCHEMA_VERSION
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.journal import Journal
from abq_data_entry.models import SQLModel
from tests.fixtures.window import Window
from tests.models.records import record

TELLS = f"INSERT INTO schema_version (version) VALUES ({SCHEMA_VERSION + 1})"
FORGETS = f"DELETE FROM schema_version WHERE version > {SCHEMA_VERSION}"


def journal() -> Journal:
    return Journal(Path(os.environ["ABQ_DATA_DIR"]) / "journal")


def messages(window: Window) -> str:
    return " ".join(window.messages)


def test_a_newer_version_is_reported_and_what_is_saved_waits(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    stored.query(TELLS)
    window.until(lambda: "must be updated" in messages(window), "the message")
    for number in (1, 2):
        window.fill_readings()
        window.save()
        window.until(lambda number=number: len(journal().entries()) == number, "the journal")  # type: ignore[misc]
    window.settle()
    assert stored.get_all_records() == [] and not window.dialogs
    assert window.app.form.check.waiting == {1, 2} and window.text(F.PLOT) == "3"
    # Whoever opens it with the newer version has them saved; here the tables become those of this version again.
    stored.query(FORGETS)
    window.app.database_changes.ask(window.app.data_model)  # type: ignore[arg-type]
    window.until(lambda: not journal().entries(), "the replay")
    window.settle()
    assert [each[F.PLOT] for each in stored.get_all_records()] == [1, 2]
    assert "must be updated" not in messages(window)


def test_a_newer_version_is_noticed_with_a_new_connection(window: Window, stored: SQLModel) -> None:
    window.app.following.stop_listening()  # it hears nothing any more
    window.app.following.close()
    stored.query(TELLS)
    window.settle()
    assert "must be updated" not in messages(window)
    window.app.data_model.close()  # type: ignore[union-attr]
    window.app.refresh()
    window.until(lambda: "must be updated" in messages(window), "the message")


def test_a_restore_under_the_window_is_reported_there(window: Window, stored: SQLModel, tmp_path: Path,
                                                  database: dict[str, str]) -> None:  # fmt: skip
    backup = tmp_path / "before.dump"
    postgres.dump(database, backup)
    today = str(window.app.shared.today())
    stored.save_record(record(Date=today, Plot="1"))
    window.begin_check(lab="B")
    window.until(lambda: window.app.record_list.page.total == 1, "the record")
    stored.close()
    postgres.restore(database, backup)
    window.until(lambda: "replaced by a backup" in messages(window), "the message")
    window.until(lambda: window.app.record_list.page.total == 0, "the list")
    window.press_message("Understood")
    window.until(lambda: not window.app.reconnecting.away, "the database")
    window.fill_readings()
    window.save()
    window.until(lambda: stored.get_all_records(), "the save")
    assert [(each[F.LAB], each[F.PLOT]) for each in stored.get_all_records()] == [("B", 1)]
    assert "replaced" not in messages(window)


def test_the_window_that_restores_reports_no_replacement(window: Window, stored: SQLModel, tmp_path: Path,
                                                    database: dict[str, str]) -> None:  # fmt: skip
    backup = tmp_path / "before.dump"
    postgres.dump(database, backup)
    stored.close()
    window.app.backups.restore(backup)
    window.until(lambda: "The database is as it was in" in window.app.status.get(), "the restore", 60)
    window.settle()
    window.app.refresh()
    window.settle()
    assert "replaced" not in messages(window)
