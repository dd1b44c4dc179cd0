"""One SQLite file of this computer: each use takes a lock and is one transaction; a damaged file is put aside.

A use takes the lock, opens the file, and closes it before it releases the lock. Closing removes the write-ahead log
(WAL, sqlite.org/wal.html), so a change waits for five syncs of the disk. After a kill the WAL is still there, and the
next use recovers it.

For many changes in a row the file can be kept open in between (`Database.kept_open`): each change then waits for one
sync. Others can still use the file; SQLite doesn't remove the WAL while anybody has the file open. If somebody replaces
the file meanwhile, that is noticed before anything is written. An open file must be read through SQLite only: closing
any other handle of it would release the POSIX locks that this process has on it (sqlite.org/howtocorrupt.html, 2.2).

Of a damaged file, all rows that can still be read are kept: by SQLite from both ends, then from the raw bytes.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from abq_data_entry.folders import create_durably, replacement, sync_to_disk

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True)
class Layout:
    """What is in a file: its `name` in messages, `version` (its `user_version`), `tables` (each one's CREATE TABLE).

    `anchor` and `row` recover what SQLite can no longer read of a damaged file. There, a row is a JSON text that begins
    with `anchor`, followed by its SHA-256; `row(content, digest)` returns the table and the columns to insert. All rows
    are then sorted by the key `moment` of their texts, if they have one.
    """

    name: str
    version: int
    tables: Mapping[str, str]
    anchor: bytes
    row: Callable[[str, str], tuple[str, dict[str, object]]]


Row = Mapping[str, object]
_DIGEST = 64
_LONGEST = 256 * 1024  # a row
_TEXT = partial(str, encoding="utf-8", errors="surrogateescape")
"""How texts are decoded: invalid bytes in one of them must not keep the others from being read."""
_BESIDE = ("-wal", "-shm", "-journal")


def digest_of(content: object) -> str:
    """Return the SHA-256 of a row's content in hexadecimal, as its column `digest` has it."""
    return hashlib.sha256(bytes_of(content)).hexdigest()


def bytes_of(value: object) -> bytes:
    """Return the bytes of a column's value, even if they are no longer a valid text."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def _version_in(path: Path) -> int:
    """Return the `user_version` of a file, 0 if it has none. Neither it nor its WAL is changed."""
    import sqlite3

    with suppress(sqlite3.Error, UnicodeError):
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
    return 0


def _copy_aside(path: Path, aside: Path) -> None:
    """Copy the file and its WAL or rollback journal to another name; synced to disk."""
    for suffix in ("", *_BESIDE):
        source = path.with_name(path.name + suffix)
        if source.exists() and suffix != "-shm":  # the -shm is only an index of the WAL
            with replacement(aside.with_name(aside.name + suffix)) as temporary:
                shutil.copyfile(source, temporary)
                temporary.chmod(0o600)


def _replace_damaged(fresh: Path, path: Path) -> None:
    """Replace a damaged file by a new one. The damaged one's WAL goes first: SQLite would apply it to the new one."""
    for suffix in _BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    fresh.replace(path)
    sync_to_disk(path.parent)


def _remove(path: Path) -> None:
    """Remove a file with its WAL, -shm and rollback journal, if they exist."""
    for suffix in ("", *_BESIDE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _insert(connection: sqlite3.Connection, table: str, row: Row) -> None:
    """Insert a row by the names of its columns; a row that is there already, or violates a constraint, is ignored."""
    values = [bytes_of(each) if isinstance(each, str) and not _is_text(each) else each for each in row.values()]
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    # Table and columns are names of a layout, not input.
    connection.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # it has damaged bytes (surrogates)
        return False
    return True


def _rows_of(aside: Path, layout: Layout) -> list[tuple[str, Row]]:
    """Return (table, row) for all rows that can be recovered from a damaged file, in order, without their rowids."""
    work = aside.with_name(f".{aside.name}.{os.urandom(4).hex()}.part")
    try:
        _copy_aside(aside, work)  # SQLite changes what it opens
        found = [
            (table, _restore_columns(table, row, layout))
            for table in layout.tables
            for row in _rows_by_sqlite(work, table, _columns(layout, table))
        ]
    finally:
        _remove(work)
    known = {row["content"] for _table, row in found if "content" in row}
    lost = []
    for suffix in ("-wal", ""):  # the WAL first: what it has is newer
        source = aside.with_name(aside.name + suffix)
        for content, digest in _contents_in_bytes(source.read_bytes() if source.exists() else b"", layout.anchor):
            if content not in known:
                known.add(content)
                with suppress(ValueError, TypeError, KeyError):
                    lost.append(layout.row(content, digest))
    return sorted((*found, *lost), key=_moment) if lost else found


def _restore_columns(table: str, row: Row, layout: Layout) -> Row:
    """Return the row with its columns taken from its content, if that is undamaged: another column may be damaged."""
    content, digest = row.get("content"), row.get("digest")
    with suppress(ValueError, TypeError, KeyError):
        if digest_of(content) == digest:
            named, said = layout.row(str(content), str(digest))
            return {**row, **said} if named == table else row
    return row


def _moment(entry: tuple[str, Row]) -> str:
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(str(entry[1]["content"]))["moment"])
    return ""


def _columns(layout: Layout, table: str) -> list[str]:
    """Return the names of the table's columns by the layout, because those in the file may be damaged."""
    import sqlite3

    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(layout.tables[table])
        return [name for _number, name, *_ in connection.execute(f"PRAGMA table_info({table})")]


def _rows_by_sqlite(path: Path, table: str, names: list[str]) -> list[Row]:
    """Return the rows that SQLite can read forwards up to the damage, and backwards down to it."""
    import sqlite3

    # In the order of the table's B-tree, even if their rowids are damaged.
    ways: dict[str, dict[tuple[object, ...], Row]] = {"ASC": {}, "DESC": {}}
    for order, found in ways.items():
        # An error's text may be damaged, too.
        with suppress(sqlite3.Error, UnicodeError), closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.text_factory = _TEXT
            rows = connection.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid {order}")  # noqa: S608
            for number, *values in rows:
                key = (number, *values)
                found[key] = {name: each for name, each in zip(names, values, strict=False) if name != "number"}
    rest = [row for key, row in reversed(ways["DESC"].items()) if key not in ways["ASC"]]
    return [*ways["ASC"].values(), *rest]


def _contents_in_bytes(data: bytes, anchor: bytes) -> Iterator[tuple[str, str]]:
    """The undamaged (content, digest) pairs in raw bytes: JSON directly followed by its SHA-256."""
    decoder, place = json.JSONDecoder(), data.find(anchor)
    while place >= 0:
        with suppress(ValueError, RecursionError):
            _value, length = decoder.raw_decode(data[place : place + _LONGEST].decode("latin-1"))  # a byte a character
            content, end = data[place : place + length], place + length
            digest = hashlib.sha256(content).hexdigest()
            if data[end : end + _DIGEST] == digest.encode("ascii"):
                yield content.decode("utf-8"), digest
        place = data.find(anchor, place + 1)


class StoreError(Exception):
    """The operation on the file failed; nothing was changed."""


class StoreBusy(StoreError):
    """Another process has held the file's lock for too long."""


class StoreNewer(StoreError):
    """A newer version of the application wrote the file, so this version must not change it."""


# File systems known to be local. On others, such as FUSE, a rollback journal is used: slower, but safe anywhere.
_LOCAL = {
    "bcachefs", "btrfs", "ecryptfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "reiserfs", "tmpfs",
    "xfs", "zfs",
}  # fmt: skip
_DRIVE_REMOTE = 4


def is_local(folder: Path) -> bool:
    """Tell whether the folder is on a local disk; False if that isn't known. A WAL isn't safe on a network share."""
    folder = folder.resolve()
    if os.name == "nt":
        return not _is_remote_drive(folder)
    try:
        if (mounts := Path("/proc/self/mountinfo")).exists():
            return kind_on_linux(folder, mounts.read_text("utf-8", "replace")) in _LOCAL
        done = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5, check=True)
        return is_local_on_bsd(folder, done.stdout)
    except (OSError, subprocess.SubprocessError):
        return False


def kind_on_linux(folder: Path, mounts: str) -> str:
    """Return the type of the folder's file system; `mounts` is the content of `/proc/self/mountinfo`."""
    found, longest = "", -1
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        words = before.split()
        if len(words) < 5 or not after:
            continue
        place = words[4].encode("latin-1", "replace").decode("unicode_escape")  # a blank is \040
        if _is_below(folder, place) and len(place) >= longest:  # of equal mount points the later one covers the earlier
            found, longest = after.split()[0], len(place)
    return found


def is_local_on_bsd(folder: Path, mounts: str) -> bool:
    """Tell whether the folder is on a local disk; `mounts` is the output of `mount` on macOS or a BSD."""
    local, longest = False, -1
    for line in mounts.splitlines():
        before, _, words = line.rpartition(" (")
        place = before.partition(" on ")[2]
        if place and _is_below(folder, place) and len(place) >= longest:
            local, longest = "local" in words.rstrip(")").split(", "), len(place)
    return local


def _is_below(folder: Path, place: str) -> bool:
    return os.path.commonpath([place, str(folder)]) == place if place.startswith("/") else False


def _is_remote_drive(folder: Path) -> bool:
    import ctypes

    if folder.drive.startswith("\\\\"):
        return True
    return bool(ctypes.windll.kernel32.GetDriveTypeW(folder.anchor) == _DRIVE_REMOTE)  # type: ignore[attr-defined,unused-ignore]


log = logging.getLogger(__name__)

LARGEST = 64 * 1024 * 1024
PAGE = 4096
PATIENCE = 20.0
"""Seconds to wait for another window."""

_APPLICATION_ID = 0x41425131  # "ABQ1", as `file` sees it

# Words in errors of SQLite that don't mean damage: another process has the file, or the disk fails.
_REFUSALS = ("locked", "full", "I/O", "unable to open", "readonly", "memory")

Clock = Callable[[], datetime.datetime]


now: Clock = partial(datetime.datetime.now, datetime.timezone.utc)
"""The present moment, in UTC."""


class Database:
    """A file of one user, which several processes and threads may use. `opened` raises `StoreError`."""

    def __init__(self, path: Path, layout: Layout, lock: Path, clock: Clock = now) -> None:
        self.path = path
        self.problems: list[str] = []
        """A sentence for each damage that was found."""
        self.was_repaired = False
        self._layout = layout
        self._lock = lock
        self._in_use = f"Another window is using {_lowered(layout.name)} at the moment."
        self._clock = clock
        self._left: tuple[int, ...] = ()
        self._is_local: bool | None = None
        self._kept = threading.local()  # a connection of SQLite belongs to the thread that made it

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Use one connection for all uses of the file by this thread in the block.

        Where a WAL isn't safe, or an open file can't be replaced (Windows), each use opens the file all the same.
        """
        if hasattr(self._kept, "connection") or os.name != "posix":
            yield
            return
        self._kept.connection = None
        try:
            yield
        finally:
            connection = self._kept.connection
            del self._kept.connection
            if connection is not None:
                with suppress(StoreError, OSError), self._locked():
                    is_known = self._left == self._fingerprint()
                    connection.close()  # checkpoints the WAL
                    self._left = self._fingerprint() if is_known else ()
                connection.close()  # if our lock wasn't free; SQLite's own locks protect the file

    @contextmanager
    def opened(
        self, committed: Callable[[], object] | None = None, *, durable: bool = True
    ) -> Iterator[sqlite3.Connection]:
        """Hold the lock for one transaction: committed to disk at the end of the block, rolled back if that raises.

        `committed` is called after the commit, under the same lock. Without `durable` the commit waits for fewer syncs:
        a power cut may undo it, but nothing else. On a read-only disk, the file can still be read.
        """
        try:
            import sqlite3
        except ImportError as error:
            raise StoreError(f"{self._layout.name} can't be opened: this Python has no SQLite ({error}).") from None
        try:
            with self._locked() as is_writable:
                with self._connection(is_writable) as connection:
                    # EXTRA also syncs the folder after the rollback journal was deleted: else it might come back.
                    level = "EXTRA" if not self._is_local else "FULL" if durable else "NORMAL"
                    connection.execute(f"PRAGMA synchronous = {level}")
                    connection.execute("BEGIN IMMEDIATE" if is_writable else "BEGIN")
                    try:
                        yield connection
                        connection.execute("COMMIT")
                    finally:
                        if connection.in_transaction:
                            connection.execute("ROLLBACK")
                self._left = self._fingerprint()
                if committed is not None and is_writable:
                    committed()
        except sqlite3.Error as error:
            done = "opened" if str(error).startswith("unable to open") else "used"  # the code has a name from 3.11 on
            raise StoreError(f"{self._layout.name} can't be {done}: {error}: {self.path}.") from error
        except OSError as error:
            raise StoreError(f"{self._layout.name} can't be opened: {error.strerror or error}: {self.path}.") from error

    # ------------------------------------------------------------------------------------------------ inside

    @contextmanager
    def _connection(self, is_writable: bool) -> Iterator[sqlite3.Connection]:
        """The connection for one use. One that is kept open stays open, unless the use fails."""
        kept = getattr(self._kept, "connection", None)
        left, self._left = self._left, ()
        is_known = left == self._fingerprint() != ()
        if kept is not None:
            self._kept.connection = None
            if not is_known or self._kept.log != self._fingerprint("-wal")[:1]:
                kept.close()  # if the file was replaced, SQLite leaves the new one's WAL alone
                kept = None
        connection = kept or (self._connect(is_writable) if is_known else self._checked_or_repaired(is_writable))
        with ExitStack() as stack:
            stack.enter_context(closing(connection))
            yield connection
            if hasattr(self._kept, "connection") and self._is_local and is_writable:
                self._kept.connection, self._kept.log = connection, self._fingerprint("-wal")[:1]
                stack.pop_all()

    def _checked_or_repaired(self, is_writable: bool) -> sqlite3.Connection:
        import sqlite3

        if self.path.exists() and self.path.stat().st_size > LARGEST:
            raise StoreError(f"{self._layout.name} is too large to be read: {self.path}.")
        self._refuse_newer(_version_in(self.path))
        try:
            with ExitStack() as stack:
                connection = stack.enter_context(closing(self._connect(is_writable)))
                if not (damage := self._find_damage(connection)):
                    stack.pop_all()
                    return connection
        except (sqlite3.DatabaseError, UnicodeError) as error:  # the error's text may quote damaged bytes
            if isinstance(error, sqlite3.OperationalError) and any(each in str(error) for each in _REFUSALS):
                raise
            damage = str(error)
        if not is_writable:
            raise StoreError(f"{self._layout.name} is damaged, and can't be repaired here: {self.path}.")
        self._repair(damage)
        return self._connect(is_writable)

    def _connect(self, is_writable: bool) -> sqlite3.Connection:
        import sqlite3

        if not is_writable:
            return self._copied()
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        try:
            connection.text_factory = _TEXT
            if self._is_local is None:
                self._is_local = is_local(self.path.parent)
            if not (self._is_local and (hasattr(self._kept, "connection") or self._fingerprint("-shm"))):
                # Nobody else has it open: then no -shm file is needed, for which a full disk would have no room.
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            if not self.path.stat().st_size:
                connection.execute("PRAGMA auto_vacuum = FULL")  # has to be set before the first table is created
            connection.execute(f"PRAGMA journal_mode = {'WAL' if self._is_local else 'DELETE'}")
            connection.execute("PRAGMA fullfsync = ON")  # macOS: flush the drive's cache, too
            connection.execute("PRAGMA checkpoint_fullfsync = ON")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA max_page_count = {LARGEST // PAGE}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _copied(self) -> sqlite3.Connection:
        """Return a copy of the file in memory, if its disk is read-only: SQLite might have to create files beside
        it."""
        import sqlite3
        import tempfile

        memory = sqlite3.connect(":memory:", isolation_level=None)
        memory.text_factory = _TEXT
        if not self.path.exists() or not self.path.stat().st_size:
            self._lay_out(memory)
        else:
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / self.path.name
                _copy_aside(self.path, copy)
                with closing(sqlite3.connect(copy)) as connection:
                    connection.backup(memory)
            self._find_damage(memory)  # creates the tables that an earlier version didn't have
        memory.execute("PRAGMA query_only = ON")
        return memory

    def _fingerprint(self, suffix: str = "") -> tuple[int, ...]:
        """Numbers that change with the file (or the file with `suffix`); empty if it doesn't exist."""
        try:
            status = self.path.with_name(self.path.name + suffix).stat()
        except OSError:
            return ()
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _find_damage(self, connection: sqlite3.Connection) -> str:
        """Check the file, after creating missing tables; return what is damaged, '' if nothing is."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        self._refuse_newer(version)
        if _is_writable(connection) and _says_readonly(connection):
            return "it says that it can only be read"
        there = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        if version < self._layout.version and bool(version) == bool(there) and _is_writable(connection):
            self._lay_out(connection, there)  # a new file, or one of an earlier version with fewer tables
            return self._find_damage(connection)
        if version != self._layout.version or not self._layout.tables.items() <= there.items():
            return "its tables aren't what they should be"
        # Not `quick_check`: it doesn't notice that an index lacks a row.
        (said, *_more) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        return "" if said == "ok" else str(said)

    def _lay_out(self, connection: sqlite3.Connection, there: Iterable[str] = ()) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for name in self._layout.tables.keys() - set(there):
            connection.execute(self._layout.tables[name])
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {self._layout.version}")
        connection.execute("COMMIT")

    def _refuse_newer(self, version: int) -> None:
        if version > self._layout.version:
            raise StoreNewer(
                f"A newer version of ABQ Data Entry wrote {_lowered(self._layout.name)}: {self.path}."
                " Install the newer version here."
            )

    def _repair(self, damage: str) -> None:
        """Put the file aside as it is, and go on with a new one that has all rows that can be recovered."""
        name = f"damaged-{self._clock():%Y%m%dT%H%M%S}-{os.urandom(2).hex()}{self.path.suffix}"
        aside = self.path.with_name(name)
        try:
            _copy_aside(self.path, aside)
            rows = _rows_of(aside, self._layout)
            self._start_over(rows)
        except BaseException:
            _remove(aside)  # otherwise each attempt would leave a copy
            raise
        self.was_repaired = True
        count = "1 entry of it was" if len(rows) == 1 else f"{len(rows)} entries of it were"
        self._report_problem(
            f"{self._layout.name} was damaged ({' '.join(damage.split())}). {count} read; the file was put aside whole:"
            f" {aside}."
        )

    def _start_over(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Replace the damaged file by a new one with these rows."""
        import sqlite3

        fresh = self.path.with_name(f".{self.path.name}.{os.urandom(8).hex()}.part")
        try:
            os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
                connection.execute("PRAGMA auto_vacuum = FULL")
                self._lay_out(connection)
                connection.execute("BEGIN")
                for table, row in rows:
                    _insert(connection, table, row)
                connection.execute("COMMIT")
            _replace_damaged(fresh, self.path)
        finally:
            _remove(fresh)

    def _report_problem(self, sentence: str) -> None:
        self.problems.append(sentence)
        log.error("%s", sentence)

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Hold the lock; yield whether the file can be written. If nobody can write it, no lock is taken."""
        if not self.path.exists():
            create_durably(self.path.parent)
        is_writable = may_write(self.path)
        with locked(self._lock, PATIENCE, self._in_use) if is_writable else nullcontext():
            yield is_writable


@contextmanager
def locked(path: Path, patience: float, in_use: str, kind: type[Exception] = StoreBusy) -> Iterator[None]:
    """Hold a lock file, which one process at a time can hold. Raises `kind(in_use)` after `patience` seconds."""
    import filelock

    lock = filelock.FileLock(path, timeout=patience, poll_interval=0.02)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise kind(in_use) from None
    try:
        yield
    finally:
        lock.release()


def _lowered(name: str) -> str:
    return name[0].lower() + name[1:]


def may_write(path: Path) -> bool:
    """Tell whether this user may change the file and its folder."""
    as_who = {"effective_ids": True} if os.access in os.supports_effective_ids else {}
    return all(os.access(each, os.W_OK, **as_who) for each in (path.parent, path) if each != path or path.exists())


def _is_writable(connection: sqlite3.Connection) -> bool:
    return not connection.execute("PRAGMA query_only").fetchone()[0]


def _says_readonly(connection: sqlite3.Connection) -> bool:
    """Tell whether the file's header (bytes 18 and 19) lets SQLite only read it, which is damage in a file of ours."""
    import sqlite3

    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if "readonly" not in str(error):
            raise
        return True
    connection.execute("ROLLBACK")
    return False
