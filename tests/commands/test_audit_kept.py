"""Whatever carries the database elsewhere keeps the audit: no entry more, and every chain whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry.models import SQLModel
from tests.commands.conftest import Outcome
from tests.models.records import record


@pytest.fixture
def audited(stored: SQLModel) -> Iterator[SQLModel]:
    """A database with records that were corrected, in two labs."""
    for plot in (1, 2, 3):
        stored.save_record(record(Plot=plot))
        stored.save_record(record(Plot=plot, Lab="B"))
    stored.save_record(record(Plot=1, Notes="größer\nand longer"))
    yield stored


def entries(stored: SQLModel) -> object:
    return stored.query("SELECT count(*) AS number, max(sequence) AS last FROM audit")


def test_a_restored_database_has_the_same_audit(
    line: Callable[..., Outcome], audited: SQLModel, tmp_path: Path
) -> None:
    before = entries(audited)
    assert line("db", "backup", tmp_path / "kept.dump").code == 0
    audited.save_record(record(Plot=4))
    audited.close()
    assert line("db", "restore", tmp_path / "kept.dump").code == 0
    assert entries(audited) == before
    verified = line("db", "verify")
    assert (verified.code, verified.errors) == (0, ""), verified
    # And goes on from there.
    audited.save_record(record(Plot=4))
    assert entries(audited) != before
    assert line("db", "verify").code == 0


def test_what_was_changed_behind_the_audit_is_found_after_a_restore_too(
    line: Callable[..., Outcome], audited: SQLModel, tmp_path: Path
) -> None:
    audited.query("ALTER TABLE plot_checks DISABLE TRIGGER USER")
    audited.query("UPDATE plot_checks SET fruit = fruit + 1 WHERE lab_id = 'B' AND plot = 2")
    audited.query("ALTER TABLE plot_checks ENABLE TRIGGER USER")
    assert line("db", "verify").code == 1
    assert line("db", "backup", tmp_path / "kept.dump").code == 0
    audited.close()
    assert line("db", "restore", tmp_path / "kept.dump").code == 0
    assert line("db", "verify").code == 1
