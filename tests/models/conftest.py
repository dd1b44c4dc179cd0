"""A server of its own for what depends on logins and their privileges."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.cluster import Node
from tests.models.logins import programs_of, server_with_logins


@pytest.fixture(scope="module", params=["newest", "older"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A server with a login for each role; once of the newest PostgreSQL, once of the oldest that is here."""
    with server_with_logins(programs_of(request.param)) as made:
        yield made
