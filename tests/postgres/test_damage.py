"""Clusters that were really damaged: told as that, left as they are, and the way back works."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest

from abq_data_entry import postgres
from abq_data_entry.postgres import EmbeddedServer
from abq_data_entry.postgres.cluster import running
from abq_data_entry.postgres.connections import cursor_at
from tests.postgres.tables import OURS

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def state(cluster: Path) -> dict[str, bytes]:
    """All files of a cluster that doesn't run, but those that each start writes anew."""
    names = (path for path in sorted(cluster.rglob("*")) if path.is_file())
    written = ("abq.conf", "postmaster.opts", "postmaster.pid")
    return {str(path.relative_to(cluster)): path.read_bytes() for path in names if path.name not in written}


def lose_version(cluster: Path) -> None:
    (cluster / "PG_VERSION").unlink()


def empty_version(cluster: Path) -> None:
    (cluster / "PG_VERSION").write_text("")


def scribble_version(cluster: Path) -> None:
    (cluster / "PG_VERSION").write_bytes(b"\xff\x00\xfe")


def lose_control(cluster: Path) -> None:
    (cluster / "global/pg_control").unlink()


def damage_control(cluster: Path) -> None:
    file = cluster / "global/pg_control"
    content = bytearray(file.read_bytes())
    content[40:60] = b"x" * 20
    file.write_bytes(content)


def lose_log(cluster: Path) -> None:
    for segment in (cluster / "pg_wal").glob("0000*"):
        segment.unlink()


def lose_everything_but_the_version(cluster: Path) -> None:
    for path in cluster.iterdir():
        if path.name != "PG_VERSION":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        lose_version,
        empty_version,
        scribble_version,
        lose_control,
        damage_control,
        lose_log,
        lose_everything_but_the_version,
    ],
)
def test_damage_is_reported_and_left_as_it_is(data_folder: Path, damage: Callable[[Path], None]) -> None:
    cluster = data_folder / "postgres/cluster"
    damage(cluster)
    before = state(cluster)
    for _ in range(2):
        with pytest.raises(postgres.Damaged, match=rf"The database in {cluster} is damaged: .*Nothing was changed"):
            postgres.start(data_folder)
    assert state(cluster) == before
    assert running(cluster) is None


def test_a_broken_page_is_found_by_its_checksum(data_folder: Path) -> None:
    server = postgres.start(data_folder)
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SHOW data_checksums")
        assert cursor.fetchall() == [("on",)]
        cursor.execute(OURS)
        cursor.execute("CREATE TABLE kept AS SELECT number FROM generate_series(1, 1000) AS number; CHECKPOINT")
        cursor.execute("SELECT pg_relation_filepath('kept')")
        file = data_folder / "postgres/cluster" / str(cursor.fetchall()[0][0])
    server.stop()
    page = bytearray(file.read_bytes())
    page[5000] ^= 0xFF
    file.write_bytes(page)
    server = postgres.start(data_folder)
    damaged = pytest.raises(psycopg2.errors.DataCorrupted, match="invalid page")
    with cursor_at(server.endpoint("postgres")) as cursor, damaged:
        cursor.execute("SELECT count(*) FROM kept")
    # And no backup of it takes the place of a good one.
    good = data_folder / "good.dump"
    good.write_text("good")
    with pytest.raises(postgres.PostgresError, match=r"backup was not made.*invalid page"):
        postgres.dump(server.endpoint("postgres"), good, verify=True)
    assert good.read_text() == "good"


@pytest.mark.skipif(not ROOT, reason="only root can give files to somebody else")
def test_files_of_somebody_else(data_folder: Path) -> None:
    cluster = data_folder / "postgres/cluster"
    owner = cluster.stat().st_uid
    os.chown(cluster, 12345, 12345)
    with pytest.raises(postgres.PostgresError, match=r"don't belong to the user .*chown -R") as caught:
        postgres.start(data_folder)
    assert not isinstance(caught.value, postgres.Damaged)
    os.chown(cluster, owner, owner)
    postgres.start(data_folder).stop()


def filled(text: str) -> Callable[[EmbeddedServer], None]:
    """Fills a new cluster with one row."""

    def fill(server: EmbeddedServer) -> None:
        with cursor_at(server.endpoint("postgres")) as cursor:
            cursor.execute("CREATE TABLE kept (text text)")
            cursor.execute("INSERT INTO kept VALUES (%s)", [text])

    return fill


def test_another_cluster_in_its_place(data_folder: Path) -> None:
    cluster = data_folder / "postgres/cluster"
    lose_control(cluster)
    before = state(cluster)
    aside = postgres.replace_cluster(data_folder, filled("brought back"))
    assert state(aside) == before
    assert sorted(path.name for path in data_folder.iterdir()) == ["postgres"]
    server = postgres.start(data_folder)
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SELECT text FROM kept")
        assert cursor.fetchall() == [("brought back",)]


def test_a_cluster_with_a_password(folder: Path) -> None:
    postgres.start(folder / "data", over_tcp=True).stop()
    before = (folder / "data/postgres/passfile").read_text()
    postgres.replace_cluster(folder / "data", filled("brought back"))
    assert (folder / "data/postgres/passfile").read_text() != before
    server = postgres.start(folder / "data")
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SELECT text FROM kept")
        assert cursor.fetchall() == [("brought back",)]


def test_what_fails_on_the_way_changes_nothing(data_folder: Path) -> None:
    def fail(server: EmbeddedServer) -> None:
        raise postgres.PostgresError("The backup can't be read.")

    server = postgres.start(data_folder)
    filled("as it was")(server)
    with pytest.raises(postgres.PostgresError, match="can't be read"):
        postgres.replace_cluster(data_folder, fail)
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SELECT text FROM kept")
        assert cursor.fetchall() == [("as it was",)]
    assert sorted(path.name for path in data_folder.iterdir()) == ["postgres"]


def test_no_empty_database_is_made_beside_one_that_was_put_aside(data_folder: Path) -> None:
    """As after a crash between putting the old one aside and giving the new one its name."""
    cluster = data_folder / "postgres/cluster"
    cluster.rename(cluster.with_name("cluster.put-aside-2026-11-25T120000"))
    with pytest.raises(postgres.PostgresError, match=r"only one that was put aside .*Run the command again"):
        postgres.start(data_folder)
    assert not cluster.exists()
    postgres.replace_cluster(data_folder, filled("brought back"))
    postgres.start(data_folder).stop()
