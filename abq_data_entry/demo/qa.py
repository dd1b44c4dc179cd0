"""What QA reads in the database with psql, and whether the day is there as it was typed."""

import datetime
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .. import fields, outbox, postgres
from ..constants import FieldNames as F
from ..models import SQLModel
from ..postgres.programs import environment, program
from . import DemoFailed
from .readings import PlotReading
from .story import Story

WEATHER = "SELECT * FROM local_weather"


def read(endpoint: dict[str, str], today: datetime.date, story: Story) -> None:
    """Ask for the weather and for the day's records, as QA does."""
    connection = postgres.dsn(endpoint)
    reader, psql = _psql()
    where = f"FROM data_record_view WHERE \"Date\" = '{today}' ORDER BY \"Plot\""
    few = f'SELECT "Time", "Technician", "Lab", "Plot", "Humidity", "Temperature", "Plants", "Notes" {where} LIMIT 8'
    weather = _answer(psql, connection, WEATHER)
    story.answer(reader, WEATHER, weather, weather)
    story.answer(reader, f"SELECT * {where}", _answer(psql, connection, f"SELECT * {where}"), "")
    story.answer(reader, few, *[_answer(psql, connection, few)] * 2)


def verify(
    endpoint: dict[str, str], today: datetime.date, typed: Sequence[PlotReading], head: Sequence[str], results: Path
) -> list[str]:
    """Check that the database holds what was typed and that all three deliveries equal its extract.

    `head`: time, lab and technician of the check. Returns what was verified, in sentences. Raises DemoFailed.
    """
    model = SQLModel.at(endpoint)
    try:
        _verify_records(model.get_all_records(), today, typed, head)
        weather = model.query(WEATHER) or []
        if len(weather) != 1:
            raise DemoFailed(f"local_weather holds {len(weather)} rows in place of one.")
        name = outbox.extract_name(today)
        extract = results / "extract" / name
        extract.parent.mkdir()
        model.export_records(extract, today)
    finally:
        model.close()
    for way in ("rest", "ftp", "share"):
        delivered = results / way / name
        if not delivered.is_file() or delivered.read_bytes() != extract.read_bytes():
            raise DemoFailed(f"The file delivered by {way} is not the extract of the day: {delivered}")
    return [
        f"The database holds the {len(typed)} records of {today}, each value as it was typed.",
        f"It holds one weather observation, of {weather[0]['datetime']}.",
        f"`{name}` in `rest`, `ftp` and `share` equals the extract, byte by byte ({extract.stat().st_size} bytes).",
    ]


def _verify_records(
    found: list[dict[str, object]], today: datetime.date, typed: Sequence[PlotReading], head: Sequence[str]
) -> None:
    if len(found) != len(typed):
        raise DemoFailed(f"The database holds {len(found)} records of today in place of {len(typed)}.")
    for record, reading in zip(found, typed, strict=True):
        expected = fields.parse_record(reading.record(today.isoformat(), *head))
        wrong = [name for name in expected if record[name] != expected[name]]
        if wrong:
            raise DemoFailed(f"Plot {reading.plot} is not as it was typed: {', '.join(wrong)} ({record[F.NOTES]!r}).")


def _psql() -> tuple[str, Path | None]:
    """Return the name of the reader for the report, and psql where there is one: ours first, else the machine's."""
    try:
        path = program(postgres.binaries(), "psql")
    except postgres.PostgresError:
        path = Path()
    if not path.is_file():
        on_path = shutil.which("psql")
        if on_path is None:
            return "psycopg2, for there is no psql on this machine", None
        path = Path(on_path)
    done = subprocess.run(
        [str(path), "--version"], capture_output=True, text=True, env=environment(path.parent), stdin=subprocess.DEVNULL
    )
    return (done.stdout.strip() or "psql"), path


def _answer(psql: Path | None, connection: str, query: str) -> str:
    if psql is None:
        return _answer_by_psycopg2(connection, query)
    done = subprocess.run(
        [str(psql), "--no-psqlrc", "--pset=pager=off", f"--dbname={connection}", f"--command={query}"],
        capture_output=True,
        encoding="utf-8",
        env={**environment(psql.parent), "PGCLIENTENCODING": "UTF8"},
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise DemoFailed(f"psql could not read the database: {' '.join(done.stderr.split())}")
    return done.stdout


def _answer_by_psycopg2(connection: str, query: str) -> str:
    import psycopg2

    session = psycopg2.connect(connection)
    try:
        with session.cursor() as cursor:
            cursor.execute(query)
            names = [column.name for column in cursor.description or ()]
            rows = [["" if value is None else str(value) for value in row] for row in cursor.fetchall()]
    finally:
        session.close()
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    lines = [" | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in (names, *rows)]
    return "\n".join([lines[0], "-+-".join("-" * width for width in widths), *lines[1:], f"({len(rows)} rows)"])
