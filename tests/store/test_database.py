"""A SQLite file of this computer: private, alone, on disk; newer, damaged, full, read-only, on a network."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from abq_data_entry.store import database as room
from abq_data_entry.store.database import Database, Layout, StoreBusy, StoreError, StoreNewer, digest_of
from tests.fixtures.disks import filled, read_only, small_disk

ROOT = Path(__file__).resolve().parents[2]
TABLE = (
    "CREATE TABLE things"
    " (number INTEGER PRIMARY KEY AUTOINCREMENT, content TEXT NOT NULL UNIQUE, digest TEXT NOT NULL)"
)
LAYOUT = Layout("The file of things", 1, {"things": TABLE}, b'{"thing":', lambda content, digest: (
    "things", {"content": content, "digest": digest}))  # fmt: skip


def of(folder: Path) -> Database:
    return Database(folder / "things.sqlite", LAYOUT, folder / "things.lock")


def put(file: Database, *numbers: int) -> None:
    with file.opened() as connection:
        for number in numbers:
            text = json.dumps({"thing": number, "moment": f"{number:04}", "note": "ü" * 200}, ensure_ascii=False)
            content = text.replace(": ", ":")
            connection.execute("INSERT INTO things (content, digest) VALUES (?, ?)", (content, digest_of(content)))


def whole(file: Database) -> list[int]:
    """What is there and as it was written, in order."""
    with file.opened() as connection:
        rows = connection.execute("SELECT content, digest FROM things ORDER BY number").fetchall()
    return [json.loads(content)["thing"] for content, digest in rows if digest_of(content) == digest]


def test_what_is_written_is_there_in_order_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "by it"
    file = of(folder)
    put(file, 2, 1)
    put(file, 3)
    assert whole(of(folder)) == [2, 1, 3] and not file.problems
    assert os.name != "posix" or {stat.S_IMODE(each.stat().st_mode) for each in (folder, file.path)} == {0o700, 0o600}
    # Nothing but the file and its lock is left when nobody uses it.
    assert {each.name for each in folder.iterdir()} <= {"things.sqlite", "things.lock"}
    with closing(sqlite3.connect(file.path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_raises_is_undone(tmp_path: Path) -> None:
    file = of(tmp_path)
    put(file, 1)
    with pytest.raises(ZeroDivisionError), file.opened() as connection:
        connection.execute("DELETE FROM things")
        raise ZeroDivisionError
    with pytest.raises(StoreError, match="file of things can't be used"):
        put(file, 2, 1)  # the second one is there already
    assert whole(file) == [1]


def test_on_a_network_no_write_ahead_log_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = of(tmp_path)
    put(file, 1)
    monkeypatch.setattr(room, "is_local", lambda folder: False)  # the folder was moved there
    put(of(tmp_path), 2)
    with of(tmp_path).opened() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (3,)
    monkeypatch.undo()
    assert whole(of(tmp_path)) == [1, 2]


def test_a_newer_versions_file_is_refused_and_not_touched(tmp_path: Path) -> None:
    file = of(tmp_path)
    put(file, 1)
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    before = file.path.read_bytes()
    for each in (file, of(tmp_path)):
        with pytest.raises(StoreNewer, match="newer version of ABQ Data Entry wrote the file of things"):
            put(each, 2)
    assert file.path.read_bytes() == before and [each.name for each in tmp_path.glob("*.sqlite*")] == [file.path.name]


def test_one_waits_for_the_other_and_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PATIENCE", 0.05)
    put(of(tmp_path), 1)
    with of(tmp_path).opened(), pytest.raises(StoreBusy, match="using the file of things"):
        put(of(tmp_path), 2)
    put(of(tmp_path), 2)


def test_processes_write_at_the_same_time(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.store.test_database import of, put\n"
        "for number in range(20): put(of(Path(sys.argv[1])), int(sys.argv[2]) + number)"
    )
    starts = (0, 100, 200)
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(each)], cwd=ROOT) for each in starts]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    there = whole(of(tmp_path))
    for start in starts:
        assert [each for each in there if start <= each < start + 100] == list(range(start, start + 20))


def test_a_disk_that_can_only_be_read_can_be_read(tmp_path: Path) -> None:
    with small_disk(tmp_path, "1m"):
        put(of(tmp_path), 1)
        with read_only(tmp_path):
            assert whole(of(tmp_path)) == [1]
            with pytest.raises(StoreError, match="can't be used"):
                put(of(tmp_path), 2)
        put(of(tmp_path), 3)
        assert whole(of(tmp_path)) == [1, 3]


def test_a_full_disk_leaves_nothing_half_done_and_can_be_read(tmp_path: Path) -> None:
    with small_disk(tmp_path, "256k"):
        file = of(tmp_path)
        put(file, 1)
        filler = tmp_path / "filler"
        filled(filler)
        with pytest.raises(StoreError, match="can't be used"):
            put(file, *range(2, 40))
        assert whole(of(tmp_path)) == [1]
        filler.unlink()
        put(file, 3)
        assert whole(of(tmp_path)) == [1, 3] and not file.problems


@pytest.mark.parametrize("seed", range(40))
def test_bytes_that_were_changed_cost_no_more_than_they_touch(tmp_path: Path, seed: int) -> None:
    """Whatever is readable is kept, in order; what was damaged is told and put aside whole, or seen by its digest."""
    chance = random.Random(seed)
    put(of(tmp_path), *range(60))
    path = of(tmp_path).path
    data = bytearray(path.read_bytes())
    pages = len(data) // room.PAGE
    touched = chance.sample(range(pages), chance.choice([1, 1, 2, 3]))
    for page in touched:
        for _ in range(chance.choice([1, 4, 200])):
            data[page * room.PAGE + chance.randrange(room.PAGE)] = chance.randrange(256)
    path.write_bytes(data)
    file = of(tmp_path)
    try:
        there = whole(file)
    except StoreNewer:
        assert path.read_bytes() == data  # the number of the version was hit
        return
    assert there == sorted(there), "in order"
    assert len(there) >= 60 - 9 * len(touched), "at most what stood in those pages is gone"  # 8 fit into one
    if file.problems:
        (aside,) = tmp_path.glob("damaged-*.sqlite")
        assert aside.read_bytes() == data and str(aside) in file.problems[0]
        assert f"{len(there)} entries" in file.problems[0] or len(there) < 60
    again = of(tmp_path)
    assert whole(again) == there and not again.problems
    put(again, 1000)
    assert whole(again)[-1] == 1000


@pytest.mark.parametrize("damage", ["cut", "no database", "other tables", "first page"])
def test_a_damaged_file_is_put_aside_whole_and_reported(tmp_path: Path, damage: str) -> None:
    file = of(tmp_path)
    put(file, *range(60))
    data = file.path.read_bytes()
    if damage == "other tables":
        with closing(sqlite3.connect(file.path)) as connection:
            connection.execute("ALTER TABLE things RENAME TO others")
    else:
        file.path.write_bytes({"cut": data[: len(data) // 2], "no database": b"rubbish" * 999,
                               "first page": bytes(4096) + data[4096:]}[damage])  # fmt: skip
    damaged = file.path.read_bytes()
    there = whole(file)
    (aside,) = tmp_path.glob("damaged-*.sqlite")
    assert aside.read_bytes() == damaged and str(aside) in file.problems[0]
    least = {"cut": 20, "no database": 0, "other tables": 60, "first page": 60}[damage]
    assert len(there) >= least and there == sorted(there)


def test_a_window_that_was_killed_leaves_its_log_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from tests.store.test_database import of, put\n"
        "file = of(Path(sys.argv[1])); put(file, 1)\n"
        "connection = file._connect(True)\n"
        "connection.execute(\"INSERT INTO things (content, digest) VALUES ('{}', '')\")\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, timeout=60, check=False)
    assert (tmp_path / "things.sqlite-wal").stat().st_size
    with of(tmp_path).opened() as connection:
        assert connection.execute("SELECT count(*) FROM things").fetchone() == (2,)


def test_a_damage_that_a_full_disk_leaves_no_room_to_mend_stays_as_it_is(tmp_path: Path) -> None:
    with small_disk(tmp_path, "512k"):
        file = of(tmp_path)
        put(file, *range(60))
        data = bytearray(file.path.read_bytes())
        data[: room.PAGE] = bytes(room.PAGE)
        file.path.write_bytes(data)
        filled(tmp_path / "filler")
        for _ in range(2):
            with pytest.raises(StoreError):
                whole(file)
            assert file.path.read_bytes() == data and not list(tmp_path.glob("*damaged*"))
        (tmp_path / "filler").unlink()
        assert whole(file) == list(range(60)) and len(file.problems) == 1


def files_of(file: Database) -> set[str]:
    return {each.name for each in file.path.parent.glob(f"{file.path.name}*")}


@pytest.mark.skipif(os.name != "posix", reason="an open file can't be replaced here")
def test_who_keeps_it_open_and_others_see_what_each_of_them_writes(tmp_path: Path) -> None:
    file, other = of(tmp_path), of(tmp_path)
    put(other, 1)
    with file.kept_open():
        put(file, 2)
        log = file.path.with_name(f"{file.path.name}-wal").stat().st_ino
        put(other, 3)
        put(of(tmp_path), 4)  # looks through the whole file, in the same process
        program = "import sys; from pathlib import Path; from tests.store.test_database import of, put\n"
        words = [sys.executable, "-c", f"{program}put(of(Path(sys.argv[1])), 5)", str(tmp_path)]
        subprocess.run(words, cwd=ROOT, timeout=60, check=True)
        assert whole(file) == whole(other) == [1, 2, 3, 4, 5]
        assert file.path.with_name(f"{file.path.name}-wal").stat().st_ino == log, "nobody took its log away"
        with pytest.raises(ZeroDivisionError), file.opened() as connection:
            connection.execute("DELETE FROM things")
            raise ZeroDivisionError
        put(file, 6)
    assert files_of(file) == {file.path.name} and whole(of(tmp_path)) == [1, 2, 3, 4, 5, 6]
    assert not file.problems + other.problems


@pytest.mark.skipif(os.name != "posix", reason="an open file can't be replaced here")
def test_who_keeps_a_file_open_goes_on_with_the_one_that_took_its_place(tmp_path: Path) -> None:
    file, mender = of(tmp_path), of(tmp_path)
    with file.kept_open():
        put(file, 1, 2)
        with mender.kept_open():
            with closing(sqlite3.connect(file.path)) as connection:
                connection.execute("ALTER TABLE things RENAME TO others")
            put(of(tmp_path), 3)  # nobody's table: it is mended
            put(mender, 4)
            put(file, 5)  # closes the one it had, and must not take the new one's log with it
            put(mender, 6)
            assert whole(file) == whole(mender)
    assert files_of(file) == {file.path.name} and {3, 4, 5, 6} <= set(whole(of(tmp_path)))
    assert list(tmp_path.glob("damaged-*.sqlite"))


@pytest.mark.skipif(os.name != "posix", reason="it isn't kept open here")
def test_killed_while_it_was_kept_open_loses_nothing(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from tests.store.test_database import of, put\n"
        "file = of(Path(sys.argv[1]))\n"
        "with file.kept_open(): put(file, 1); put(file, 2); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, timeout=60, check=False)
    file = of(tmp_path)
    assert files_of(file) == {file.path.name, f"{file.path.name}-wal", f"{file.path.name}-shm"}
    put(file, 3)
    assert whole(file) == [1, 2, 3] and files_of(file) == {file.path.name} and not file.problems
