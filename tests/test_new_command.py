"""A new command of the Tools menu works by the steps of docs/architecture.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents.recipes import copy_of_the_package, use


@pytest.mark.takes(10)
def test_a_new_command_is_in_the_menu_and_runs_by_its_key(display: str, tmp_path: Path) -> None:
    use(copy_of_the_package(tmp_path, "a command in the Tools menu"), "new_command", tmp_path, display=display)
