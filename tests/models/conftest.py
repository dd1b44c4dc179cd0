"""A server of its own for what depends on logins and their rights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.cluster import Node
from tests.models.logins import server_programs, server_with_logins


@pytest.fixture(scope="module", params=["newest", "older"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A server with a login for each role; once of the newest PostgreSQL, once of the oldest that is here."""
    servers = server_programs()
    if request.param not in servers:
        pytest.skip("there is no older PostgreSQL on this machine")
    with server_with_logins(servers[request.param]) as made:
        yield made
