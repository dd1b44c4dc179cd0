"""A database with four days of two labs, and notes that look like something else."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel
from tests.exporting.samples import TEXTS
from tests.qa.data import FIRST, fill, make_records, make_weather

DAYS = 4
DATABASE = "abq_exporting"


@pytest.fixture(scope="package")
def month(server: postgres.EmbeddedServer, database_template: str) -> Iterator[SQLModel]:
    """The model of that database."""
    name = DATABASE
    with closing(psycopg2.connect(make_dsn(**server.endpoint("postgres")))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {database_template}")
            model = SQLModel.at(server.endpoint(name))
            end = FIRST + datetime.timedelta(days=DAYS)
            records = [each for each in make_records(1) if each.date < end]
            weather = [each for each in make_weather(1) if each.moment.date() < end]
            fill(server.endpoint(name), records, weather)
            for text, each in zip(TEXTS, records, strict=False):
                model.query(
                    "UPDATE plot_checks SET notes = %s WHERE (date, time, lab_id, plot) = (%s, %s, %s, %s)",
                    (text, each.date, each.time, each.lab, each.plot),
                )
            yield model
            model.close()
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
