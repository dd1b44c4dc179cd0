"""A database for the views, made once: what it holds, Python knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from tests.qa.data import Data, fill, make_records, make_weather

_SEED = 1
_NAME = "abq_qa"


@pytest.fixture(scope="package")
def data(server: postgres.EmbeddedServer, database_template: str) -> Iterator[Data]:
    """A database with two labs of twelve plots, 100 days and the weather."""
    with closing(psycopg2.connect(make_dsn(**server.endpoint("postgres")))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {_NAME} TEMPLATE {database_template}")
            made = Data(server.endpoint(_NAME), make_records(_SEED), make_weather(_SEED))
            # Who was late in March is read from the audit, which takes most of the time; the rest does without.
            unaudited = {**made.endpoint, "options": "-c session_replication_role=replica"}
            fill(made.endpoint, [each for each in made.records if each.date.month == 3], [])
            fill(unaudited, [each for each in made.records if each.date.month != 3], made.weather)
            yield made
            cursor.execute(f"DROP DATABASE {_NAME} WITH (FORCE)")
