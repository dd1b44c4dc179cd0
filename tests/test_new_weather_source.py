"""A new weather source works by its one file, as docs/architecture.md says: with real servers and a real database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents.recipes import copy_of_the_package, use


@pytest.mark.needs("server")
def test_a_new_weather_source_goes_from_the_settings_to_the_table(tmp_path: Path) -> None:
    use(copy_of_the_package(tmp_path, "a weather source"), "new_weather_source", tmp_path)
