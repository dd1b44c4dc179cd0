"""A new setting works by the steps of docs/architecture.md."""

from __future__ import annotations

from pathlib import Path

from tests.documents.recipes import copy_of_the_package, use


def test_a_new_setting_is_read_checked_and_used(tmp_path: Path) -> None:
    use(copy_of_the_package(tmp_path, "a setting"), "new_setting", tmp_path)
