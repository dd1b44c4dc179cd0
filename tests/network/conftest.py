"""What several tests of this room need."""

import pytest

from .certificates import Authority, authority


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority whose certificates our side trusts, when told to."""
    return authority("Lab Authority", tmp_path_factory.mktemp("trusted"))
