"""The room on the disk: the packages, .venv, an empty database, a month of records with its audit, a backup."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from abq_data_entry.models import schema
from benchmarks import dataset, table
from benchmarks.options import CHECKOUT, Options

MONTH = 30 * dataset.RECORDS_A_DAY
_DATABASE = "abq_room"
_BLOCKS = 512  # bytes, in what stat calls blocks
_MEGABYTE = 1e6


def measure(options: Options) -> list[table.Row]:
    """What each takes, in MB of 1,000,000 bytes as they lie on the disk."""
    records = min(options.records, MONTH)
    share = "a month" if records == MONTH else "a part of a month"
    folder = Path(tempfile.mkdtemp(prefix="room-", dir=options.folder))
    folder.chmod(0o755)
    try:
        packages = [_fetched(folder / "packages", whole=records == MONTH), _installed(), _environment()]
        return [*packages, *_database(folder, records, share)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fetched(folder: Path, whole: bool) -> table.Row:
    what = "packages to fetch for the application, this platform and Python"
    if not whole:
        return table.not_measured(what, "it is missing with --quick", unit="MB")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps", "--no-cache-dir",
               "--no-build-isolation", "--requirement", str(CHECKOUT / "requirements.lock"),
               "--dest", str(folder)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        return table.not_measured(what, "what is fetched is missing: there is no network", unit="MB")
    return table.row(what, "MB", [_megabytes(folder)], remark=f"{len(list(folder.iterdir()))} packages")


def _installed() -> table.Row:
    what = "the application's packages, installed"
    names = re.findall(r"^([\w.-]+)==", (CHECKOUT / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    found = [each for each in map(_distribution, names) if each is not None]
    files = {file.locate() for each in found for file in each.files or ()}
    return table.row(what, "MB", [_sum(Path(str(file)) for file in files)], remark=f"{len(found)} packages")


def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:  # for another platform, or an older Python
        return None


def _environment() -> table.Row:
    what = ".venv with the application's packages and those of the tests"
    if sys.prefix == sys.base_prefix:
        return table.not_measured(what, "python3 abq_data_entry.py was never started here", unit="MB")
    return table.row(what, "MB", [_megabytes(Path(sys.prefix))])


def _database(folder: Path, records: int, share: str) -> list[table.Row]:
    with dataset.server(folder / "data") as server:
        server.create_database(_DATABASE)
        endpoint = server.endpoint(_DATABASE)
        schema.prepare(endpoint)
        cluster = folder / "data/postgres/cluster"
        _settle(endpoint)
        empty = _megabytes(cluster)
        dataset.fill(endpoint, records, audited=True)
        _settle(endpoint)
        full = _megabytes(cluster)
        file = folder / "a.dump"
        postgres.dump(endpoint, file)
        return [
            table.row("the embedded database, empty", "MB", [empty]),
            table.row(f"with {records:,} records and their audit ({share} of 5 labs)", "MB", [full]),
            table.row("of these the audit", "MB", [_of(endpoint, "audit")]),
            table.row("a backup of it", "MB", [_megabytes(file)]),
        ]


def _settle(endpoint: Mapping[str, str]) -> None:
    connection = psycopg2.connect(make_dsn(**endpoint))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    connection.close()


def _of(endpoint: Mapping[str, str], relation: str) -> float:
    connection = psycopg2.connect(make_dsn(**endpoint))
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size(%s::regclass)", [relation])
        ((size,),) = cursor.fetchall()
    connection.close()
    return float(size) / _MEGABYTE


def _megabytes(place: Path) -> float:
    return _sum([place] if place.is_file() else place.rglob("*"))


def _sum(files: Iterable[Path]) -> float:
    there = [each for each in files if each.exists() and not each.is_symlink()]
    return sum(each.stat().st_blocks for each in there) * _BLOCKS / _MEGABYTE
