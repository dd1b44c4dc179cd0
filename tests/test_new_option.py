"""A new option of a subcommand works by the steps of docs/architecture.md."""

from __future__ import annotations

from pathlib import Path

from tests.documents.recipes import copy_of_the_package, use


def test_a_new_option_of_a_subcommand_is_in_its_help_and_used(tmp_path: Path) -> None:
    use(copy_of_the_package(tmp_path, "an option of a subcommand"), "new_option", tmp_path)
