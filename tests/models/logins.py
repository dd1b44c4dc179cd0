"""Logins with passwords at a server on TCP, one in each role, asked as people ask: by psql and by psycopg2."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

import tests.programs
from abq_data_entry import postgres
from abq_data_entry.models import SQLModel
from abq_data_entry.postgres import programs
from tests.fixtures.cluster import Node
from tests.fixtures.single import single_server
from tests.models.records import record

Endpoint = dict[str, str]

ROLES = ("abq_technician", "abq_supervisor", "abq_qa")
NOBODY = "abq_nobody"
EVERY = "abq_every"
_PSQL = postgres.binaries() / "psql"
PSQL = str(_PSQL) if _PSQL.exists() else shutil.which("psql")


@contextmanager
def server_with_logins(folder: Path | None = None) -> Iterator[Node]:
    """A server that wants passwords, with a record, a login in each role, one in all of them, and one without any."""
    with single_server(folder) as made:
        model = SQLModel.at(made.endpoint())
        model.save_record(record())
        model.close()
        for role in (*ROLES, NOBODY, EVERY):
            made.execute(f"CREATE ROLE login_of_{role} LOGIN PASSWORD '{secrets.token_hex(12)}'")
            if role != NOBODY:
                made.execute(f"GRANT {', '.join(ROLES) if role == EVERY else role} TO login_of_{role}")
        yield made


def server_programs() -> dict[str, Path | None]:
    """The servers on which privileges are tested: the newest, and an older one where there is one."""
    ours = programs.major_version(programs.binaries())
    older = [each for each in tests.programs.postgres_folders() if programs.major_version(each) < ours]
    return {"newest": None, **({"older": older[0]} if older else {})}


def programs_of(which: str) -> Path | None:
    """Those of the "newest" or the "older" server; the test is skipped where there is no older one."""
    servers = server_programs()
    if which not in servers:
        pytest.skip("there is no older PostgreSQL on this machine")
    return servers[which]


def login(node: Node, role: str) -> Endpoint:
    """The endpoint for the login in that role, which gets a new password for it."""
    password = secrets.token_hex(12)
    node.execute(f"SET password_encryption = 'scram-sha-256'; ALTER ROLE login_of_{role} PASSWORD '{password}'")
    return {**node.endpoint(), "user": f"login_of_{role}", "password": password}


def psql(endpoint: Endpoint, script: str) -> list[str]:
    """What psql prints; a statement that fails stops nothing."""
    assert PSQL is not None
    done = subprocess.run(
        [PSQL, "-X", "-q", "-t", "-A", "-d", postgres.dsn(endpoint)],
        env={**os.environ, "PGPASSWORD": endpoint["password"]},
        input=script, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


@contextmanager
def roles_of_lab_a(endpoint: Endpoint) -> Iterator[Callable[[str], Endpoint]]:
    """Make roles that belong to lab A, with the privileges that a statement gives (`{}`: the role); gone at the end.

    Each call returns the endpoint where everything is asked as that role.
    """
    made: list[str] = []

    def make(privileges: str) -> Endpoint:
        name = f"role_{len(made)}_of_{endpoint['dbname']}"
        run(endpoint, f"CREATE ROLE {name}; {privileges.format(name)}; INSERT INTO lab_members VALUES ('A', '{name}')")
        made.append(name)
        return {**endpoint, "options": f"-c role={name}"}

    yield make
    for name in made:
        run(endpoint, f"DROP OWNED BY {name}; DROP ROLE {name}")


def run(endpoint: Endpoint, statements: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(make_dsn(**endpoint))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statements)
        return cursor.fetchall() if cursor.description else []
