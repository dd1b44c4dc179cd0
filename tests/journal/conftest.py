"""A journal in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from abq_data_entry.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")
