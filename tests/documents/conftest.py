"""Homes, and a server of the kind that administrators.md describes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry.postgres.cluster import account_for, write_private
from tests import programs
from tests.fixtures.cluster import Node, own
from tests.fixtures.ports import free_port
from tests.fixtures.short_folders import short_folder
from tests.network.certificates import authority
from tests.test_installations import speaks_tls

PASSWORD = "right horse battery"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path; servers of homes in it are stopped at the end."""
    with short_folder() as made:
        yield made


@pytest.fixture
def encrypting_server(folder: Path) -> Iterator[Node]:
    """A PostgreSQL server with a certificate for `localhost`, as its administrator has made it: nothing is in it."""
    found = [each for each in programs.postgres_folders() if speaks_tls(each)]
    if not found:
        pytest.skip("no PostgreSQL server that speaks TLS (Debian's package postgresql)")
    own(folder / "server")
    account = account_for(folder / "server")
    node = Node(folder / "server/node", free_port(), account, PASSWORD, found[0], superuser="postgres")
    node.make("ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.pem'")
    write_private(node.folder / "server.pem", authority("laboratory", folder).issue("localhost").read_text(), account)
    node.start()
    try:
        yield node
    finally:
        node.kill()
