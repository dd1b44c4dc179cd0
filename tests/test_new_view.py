"""A new view for QA works by the steps of docs/architecture.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents.recipes import copy_of_the_package, use


@pytest.mark.needs("server")
def test_a_new_view_for_qa_is_read_by_qa_and_covered_by_db_verify(tmp_path: Path) -> None:
    use(copy_of_the_package(tmp_path, "a view for QA"), "new_view", tmp_path, str(tmp_path / "own"))
