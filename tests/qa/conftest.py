"""Two databases for the views, each made once: what they hold, Python knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from tests.qa.data import Data, fill, make_records, make_weather


@pytest.fixture(scope="package", params=[1, 2])
def data(request: pytest.FixtureRequest, server: postgres.EmbeddedServer, database_template: str) -> Iterator[Data]:
    """A database with two labs of twelve plots, 100 days and the weather."""
    name = f"abq_qa_{request.param}"
    with closing(psycopg2.connect(make_dsn(**server.endpoint("postgres")))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {database_template}")
            made = Data(server.endpoint(name), make_records(request.param), make_weather(request.param))
            fill(made.endpoint, made.records, made.weather)
            yield made
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
