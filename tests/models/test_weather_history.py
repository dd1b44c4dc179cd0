"""The weather of a longer time: its holes, many observations at once, what a model computed, one workstation a time."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import psycopg2
import pytest

from abq_data_entry.models import SQLModel
from abq_data_entry.models.weather import Counts
from abq_data_entry.observation import time_text
from abq_data_entry.postgres.connections import cursor_at

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 11, 1, 12, tzinfo=UTC)


def seen(
    hours: float, temperature: str | None = "10", kind: str = "observed", **more: str | None
) -> dict[str, str | None]:
    """An observation so many hours after noon; of a model: for no station."""
    moment = NOON + datetime.timedelta(hours=hours)
    station = None if kind == "model" else "KABQ"
    return {
        "observation_time_rfc822": time_text(moment), "temp_c": temperature, "relative_humidity": None,
        "pressure_mb": None, "weather": "Fair", "station": station, "source": "s", "kind": kind, **more,
    }  # fmt: skip


def rows(model: SQLModel, columns: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in model.query(f"SELECT {columns} FROM local_weather ORDER BY datetime") or []]


def holes(model: SQLModel, begin: float, end: float, computed: bool = False) -> Sequence[tuple[float, float]]:
    hour = datetime.timedelta(hours=1)
    found = model.weather_history.gaps(NOON + begin * hour, NOON + end * hour, computed)
    return [((first - NOON) / hour, (last - NOON) / hour) for first, last in found]


def test_holes_observations_and_what_a_model_computed(model: SQLModel) -> None:
    history = model.weather_history
    assert history.newest() is history.first() is None and holes(model, 0, 10) == [(0, 10)]
    many = [seen(0), seen(1), seen(2), seen(6, None), seen(9, kind="model"), seen(10), seen(0), seen(0, "99")]
    assert history.store(many) == Counts(new=6, filled=0, known=2, refused=0)
    assert history.newest() == NOON + datetime.timedelta(hours=10) and history.first() == NOON
    assert holes(model, 0, 11) == [(2, 10)]  # neither without a temperature, nor computed
    assert holes(model, 0, 11, computed=True) == [(2, 9)]
    assert holes(model, 0, 3) == [] and holes(model, 5, 4) == []

    # an observation takes the place of what a model computed, all of it; never the other way
    assert history.store([seen(9, "11", pressure_mb="1000"), seen(10, "50", "model", pressure_mb="990")]).new == 1
    last = rows(model, "temperature, pressure, station, kind")[-2:]
    assert [str(row[0]) for row in last] == ["11.00", "10.00"]
    assert [row[1:] for row in last] == [(1000, "KABQ", "observed"), (None, "KABQ", "observed")]

    # what was empty is filled, and the audit knows of it, as of the rest
    assert history.store([seen(6, "8", relative_humidity="40")]) == Counts(filled=1)
    assert history.store([seen(6, "8", station="KDEN"), seen(-1, observation_time_rfc822="x")]).refused == 2
    told = model.query("SELECT operation FROM audit WHERE table_name = 'local_weather' ORDER BY sequence") or []
    assert [row["operation"] for row in told] == ["INSERT"] * 6 + ["UPDATE"] * 2
    assert not model.verify_audit().breaks


def test_nights_when_the_clock_is_changed_have_no_hole_and_no_double(model: SQLModel) -> None:
    feed = ["Sun, 01 Nov 2026 00:53:00 -0600", "Sun, 01 Nov 2026 01:53:00 -0600", "Sun, 01 Nov 2026 01:53:00 -0700"]
    feed += ["Sun, 08 Mar 2026 01:53:00 -0700", "Sun, 08 Mar 2026 03:53:00 -0600"]
    found = model.weather_history.store([seen(0, observation_time_rfc822=text) for text in feed])
    assert found == Counts(new=5)
    autumn, spring = (datetime.datetime(2026, *of, 53, tzinfo=UTC) for of in ((11, 1, 6), (3, 8, 8)))
    assert model.weather_history.gaps(autumn, autumn + datetime.timedelta(hours=2)) == []
    assert model.weather_history.gaps(spring, spring + datetime.timedelta(hours=1)) == []
    model.query("UPDATE lab_settings SET time_zone = 'America/Denver'")
    day = datetime.date(2026, 11, 1)
    begin, end = model.weather_history.span_of_days(day, day)
    assert (end - begin, begin.astimezone(UTC).hour, end.astimezone(UTC).hour) == (datetime.timedelta(hours=25), 6, 7)


def test_one_workstation_at_a_time(model: SQLModel, database: dict[str, str]) -> None:
    other = SQLModel.at(database)
    with model.weather_history.try_lock() as first, other.weather_history.try_lock() as second:
        assert (first, second) == (True, False)
    with other.weather_history.try_lock() as third:
        assert third
    with cursor_at(database) as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchone() == (0,)
    other.close()


def test_a_technician_fills_and_replaces_but_changes_nothing(model: SQLModel, database: dict[str, str]) -> None:
    model.weather_history.store([seen(0, kind="model"), seen(1, None)])
    with cursor_at(database) as cursor:
        cursor.execute("SET ROLE abq_technician")
        observed = "kind = 'observed', temperature = 12, station = 'KABQ'"
        cursor.execute(f"UPDATE local_weather SET {observed} WHERE kind = 'model'")
        cursor.execute("UPDATE local_weather SET temperature = 13 WHERE temperature IS NULL")
        for change in ("temperature = 1", "kind = 'model'", "station = NULL"):
            with pytest.raises(psycopg2.Error, match="stays as it was recorded"):
                cursor.execute(f"UPDATE local_weather SET {change} WHERE station IS NOT NULL")
    assert [str(row[0]) for row in rows(model, "temperature")] == ["12.00", "13.00"]
