"""The fixtures of a file whose tests use one window after each other.

Such a file has `window, stored = one_window.window, one_window.stored`, in the place of those that open a new window.
"""

from __future__ import annotations

import pytest

from abq_data_entry.models import SQLModel
from tests.fixtures.window import Window


@pytest.fixture
def window(kept_window: Window) -> Window:
    """The file's window, with an empty form."""
    return kept_window


@pytest.fixture
def stored(kept_stored: SQLModel) -> SQLModel:
    """The model of that window's database."""
    return kept_stored
