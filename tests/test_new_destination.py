"""A new kind of destination works by its one file, as docs/architecture.md says: JSON-RPC, with a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents.recipes import copy_of_the_package, use


@pytest.mark.takes(10)
def test_a_new_destination_goes_from_the_settings_to_the_receipt(display: str, tmp_path: Path) -> None:
    copy = copy_of_the_package(tmp_path, "a destination")
    use(copy, "new_destination", tmp_path, str(tmp_path / "own"), display=display)
