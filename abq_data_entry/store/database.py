"""One SQLite file of this computer: a lock for each use, one transaction a use, what is damaged put aside and told.

Whoever uses the file holds its lock, opens it, and closes it before the lock is given back; its write-ahead log
(sqlite.org/wal.html) goes with that, and a change waits for five syncs of the disk. After a kill the log is there, and
the next one takes it over.

Who has many changes to make one after the other keeps it open in between (`Database.kept_open`): a change then waits
for one sync. Others go on using the file, which has a `-shm` beside it by then; SQLite leaves the log alone as long as
anybody has the file open. If somebody puts another file in its place meanwhile, that is seen before anything is
written. Nobody may read such a file but by SQLite: closing it would end the locks that the process has on it.

Of a damaged file is kept what can still be read: by SQLite from both ends, then from the bytes themselves.
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

from abq_data_entry.folders import made_durable, replacement, synced

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True)
class Layout:
    """What is in a file: `name` is what people call it, `version` its `user_version`, `tables` the statement of each.

    `row` and `anchor` find what a damaged file holds where SQLite can't read it any more. Such a row is a JSON text
    that begins with `anchor`, and its SHA-256 right behind it; `row` gives the table and the columns to insert. Then
    all rows are put in the order of the key `moment` of their texts, where they have one.
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
"""How SQLite's texts are read: bytes that were damaged are no reason not to read the others."""
_BESIDE = ("-wal", "-shm", "-journal")


def digest_of(content: object) -> str:
    """Return the SHA-256 of a row's content, as it stands behind it."""
    return hashlib.sha256(bytes_of(content)).hexdigest()


def bytes_of(value: object) -> bytes:
    """Return the bytes of what was read from a column, whatever they have become."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def _version_in(path: Path) -> int:
    """Return the `user_version` of a file, without a change to it or to what stands beside it; 0: there is none."""
    import sqlite3

    with suppress(sqlite3.Error, UnicodeError):
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
    return 0


def _copy_aside(path: Path, aside: Path) -> None:
    """Copy the file and what stands beside it to another name, on disk when this returns."""
    for suffix in ("", *_BESIDE):
        source = path.with_name(path.name + suffix)
        if source.exists() and suffix != "-shm":  # that one holds nothing of its own
            with replacement(aside.with_name(aside.name + suffix)) as temporary:
                shutil.copyfile(source, temporary)
                temporary.chmod(0o600)


def _put_in_place(fresh: Path, path: Path) -> None:
    """Let a new file take the place of a damaged one; what stands beside that belongs to it and goes first."""
    for suffix in _BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    fresh.replace(path)
    synced(path.parent)


def _remove(path: Path) -> None:
    """Remove a file and what stands beside it, where they are there."""
    for suffix in ("", *_BESIDE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _insert(connection: sqlite3.Connection, table: str, row: Row) -> None:
    """Insert a row under the names of its columns; one that is there already, or that breaks a rule, is passed over."""
    values = [bytes_of(each) if isinstance(each, str) and not _is_text(each) else each for each in row.values()]
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    # The names are those of a layout.
    connection.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # bytes that were damaged
        return False
    return True


def _rows_of(aside: Path, layout: Layout) -> list[tuple[str, Row]]:
    """Return (table, row) of all that a damaged file still holds, in order; rows get new numbers."""
    work = aside.with_name(f".{aside.name}.{os.urandom(4).hex()}.part")
    try:
        _copy_aside(aside, work)  # SQLite changes what it opens
        found = [
            (table, _put_right(table, row, layout))
            for table in layout.tables
            for row in _by_sqlite(work, table, _columns(layout, table))
        ]
    finally:
        _remove(work)
    known = {row["content"] for _table, row in found if "content" in row}
    lost = []
    for suffix in ("-wal", ""):  # the log has what is newer
        source = aside.with_name(aside.name + suffix)
        for content, digest in _in_bytes(source.read_bytes() if source.exists() else b"", layout.anchor):
            if content not in known:
                known.add(content)
                with suppress(ValueError, TypeError, KeyError):
                    lost.append(layout.row(content, digest))
    return sorted((*found, *lost), key=_moment) if lost else found


def _put_right(table: str, row: Row, layout: Layout) -> Row:
    """The row with what its content says, where that is whole: a column beside it may be damaged."""
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
    """The names that the table's columns should have: those in the file may be damaged as well."""
    import sqlite3

    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(layout.tables[table])
        return [name for _number, name, *_ in connection.execute(f"PRAGMA table_info({table})")]


def _by_sqlite(path: Path, table: str, names: list[str]) -> list[Row]:
    """The rows that SQLite reads from the beginning up to the damage, and from the end down to it."""
    import sqlite3

    # In the order in which they stand there, whatever has become of their numbers.
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


def _in_bytes(data: bytes, anchor: bytes) -> Iterator[tuple[str, str]]:
    """The contents that stand whole in the bytes: JSON with its SHA-256 right behind it."""
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
    """What was asked of the file can't be done; nothing was changed."""


class StoreBusy(StoreError):
    """Another process has had the file for too long."""


class StoreNewer(StoreError):
    """A newer version of the application wrote the file: it isn't ours to touch."""


# Those of which we know it. What isn't named, also one in user space, has the slower way that is safe anywhere.
_LOCAL = {
    "bcachefs", "btrfs", "ecryptfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "reiserfs", "tmpfs",
    "xfs", "zfs",
}  # fmt: skip
_DRIVE_REMOTE = 4


def is_local(folder: Path) -> bool:
    """Tell whether the folder is on a disk of this computer; False where that isn't known."""
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
    """Return the type of the folder's file system; `mounts` is what `/proc/self/mountinfo` says."""
    found, longest = "", -1
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        words = before.split()
        if len(words) < 5 or not after:
            continue
        place = words[4].encode("latin-1", "replace").decode("unicode_escape")  # a blank is \040
        if _is_below(folder, place) and len(place) >= longest:  # the later one lies over the earlier one
            found, longest = after.split()[0], len(place)
    return found


def is_local_on_bsd(folder: Path, mounts: str) -> bool:
    """Tell whether the folder is on a local disk; `mounts` is what `mount` says on macOS and its relatives."""
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

# SQLite's words where the file isn't damaged: somebody has it, or the disk refuses.
_REFUSALS = ("locked", "full", "I/O", "unable to open", "readonly", "memory")

Clock = Callable[[], datetime.datetime]


now: Clock = partial(datetime.datetime.now, datetime.timezone.utc)
"""The present moment, in UTC."""


class Database:
    """A file of one user. Several processes and threads may use it; `opened` raises `StoreError`."""

    def __init__(self, path: Path, layout: Layout, lock: Path, clock: Clock = now) -> None:
        self.path = path
        self.problems: list[str] = []
        """A sentence for each damage that was found."""
        self.was_mended = False
        self._layout = layout
        self._lock = lock
        self._in_use = f"Another window is using {_lowered(layout.name)} at the moment."
        self._clock = clock
        self._left: tuple[int, ...] = ()
        self._is_local: bool | None = None
        self._kept = threading.local()  # a connection of SQLite belongs to the thread that made it

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Let what this thread does with the file until the end of the block be done over one connection.

        Where a log isn't safe, or an open file can't be replaced (Windows), it is opened for each use all the same.
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
                    is_known = self._left == self._present()
                    connection.close()  # writes what is in the log into the file
                    self._left = self._present() if is_known else ()
                connection.close()  # where the lock couldn't be had: SQLite has locks of its own

    @contextmanager
    def opened(
        self, committed: Callable[[], object] | None = None, *, durable: bool = True
    ) -> Iterator[sqlite3.Connection]:
        """Have the file alone, in one transaction: on disk when the block has ended, undone where it raises.

        `committed` is called afterwards, under the same lock. Without `durable` it waits for fewer syncs, and a power
        cut may take the change back, but nothing else. On a disk that can only be read, what the file holds can still
        be read.
        """
        try:
            import sqlite3
        except ImportError as error:
            raise StoreError(f"{self._layout.name} can't be opened: this Python has no SQLite ({error}).") from None
        try:
            with self._locked() as is_writable:
                with self._connection(is_writable) as connection:
                    # EXTRA: the name of a rollback journal is gone from the disk as well.
                    level = "EXTRA" if not self._is_local else "FULL" if durable else "NORMAL"
                    connection.execute(f"PRAGMA synchronous = {level}")
                    connection.execute("BEGIN IMMEDIATE" if is_writable else "BEGIN")
                    try:
                        yield connection
                        connection.execute("COMMIT")
                    finally:
                        if connection.in_transaction:
                            connection.execute("ROLLBACK")
                self._left = self._present()
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
        """The connection for one use. One that is kept open stays so, unless the use fails."""
        kept = getattr(self._kept, "connection", None)
        left, self._left = self._left, ()
        is_known = left == self._present() != ()
        if kept is not None:
            self._kept.connection = None
            if not is_known or self._kept.log != self._present("-wal")[:1]:
                kept.close()  # where the file is another one by now, SQLite leaves what stands beside it alone
                kept = None
        connection = kept or (self._connect(is_writable) if is_known else self._checked_or_mended(is_writable))
        with ExitStack() as stack:
            stack.enter_context(closing(connection))
            yield connection
            if hasattr(self._kept, "connection") and self._is_local and is_writable:
                self._kept.connection, self._kept.log = connection, self._present("-wal")[:1]
                stack.pop_all()

    def _checked_or_mended(self, is_writable: bool) -> sqlite3.Connection:
        import sqlite3

        if self.path.exists() and self.path.stat().st_size > LARGEST:
            raise StoreError(f"{self._layout.name} is too large to be read: {self.path}.")
        self._refuse_newer(_version_in(self.path))
        try:
            with ExitStack() as stack:
                connection = stack.enter_context(closing(self._connect(is_writable)))
                if not (damage := self._damage(connection)):
                    stack.pop_all()
                    return connection
        except (sqlite3.DatabaseError, UnicodeError) as error:  # its text may be damaged, too
            if isinstance(error, sqlite3.OperationalError) and any(each in str(error) for each in _REFUSALS):
                raise
            damage = str(error)
        if not is_writable:
            raise StoreError(f"{self._layout.name} is damaged, and can't be mended here: {self.path}.")
        self._mend(damage)
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
            if not (self._is_local and (hasattr(self._kept, "connection") or self._present("-shm"))):
                # Nobody keeps it open. So it needs no `-shm` file, for which a full disk has no room.
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            if not self.path.stat().st_size:
                connection.execute("PRAGMA auto_vacuum = FULL")  # before anything is in it
            connection.execute(f"PRAGMA journal_mode = {'WAL' if self._is_local else 'DELETE'}")
            connection.execute("PRAGMA fullfsync = ON")  # macOS: to the disk, not into its memory
            connection.execute("PRAGMA checkpoint_fullfsync = ON")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA max_page_count = {LARGEST // PAGE}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _copied(self) -> sqlite3.Connection:
        """What the file holds, in memory, from a disk that can only be read: SQLite may need files beside it."""
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
            self._damage(memory)  # gives it the tables that a version before didn't have
        memory.execute("PRAGMA query_only = ON")
        return memory

    def _present(self, suffix: str = "") -> tuple[int, ...]:
        """Numbers that change with the file, or one beside it; empty where there is none."""
        try:
            status = self.path.with_name(self.path.name + suffix).stat()
        except OSError:
            return ()
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _damage(self, connection: sqlite3.Connection) -> str:
        """Check the file, and give a new one its tables; return what is wrong with it, '' if nothing is."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        self._refuse_newer(version)
        if _is_writable(connection) and _says_readonly(connection):
            return "it says that it can only be read"
        there = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        if version < self._layout.version and bool(version) == bool(there) and _is_writable(connection):
            self._lay_out(connection, there)  # a new file, or one of a version that had fewer tables
            return self._damage(connection)
        if version != self._layout.version or not self._layout.tables.items() <= there.items():
            return "its tables aren't what they should be"
        # Not `quick_check`: that one doesn't see an index that misses a row.
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

    def _mend(self, damage: str) -> None:
        """Put the file aside as it is, and go on with all that can be read of it."""
        name = f"damaged-{self._clock():%Y%m%dT%H%M%S}-{os.urandom(2).hex()}{self.path.suffix}"
        aside = self.path.with_name(name)
        try:
            _copy_aside(self.path, aside)
            rows = _rows_of(aside, self._layout)
            self._begin_anew(rows)
        except BaseException:
            _remove(aside)  # or each attempt would leave another copy
            raise
        self.was_mended = True
        count = "1 entry of it was" if len(rows) == 1 else f"{len(rows)} entries of it were"
        self._tell(
            f"{self._layout.name} was damaged ({' '.join(damage.split())}). {count} read; the file was put aside whole:"
            f" {aside}."
        )

    def _begin_anew(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Let a new file with these rows take the place of the damaged one."""
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
            _put_in_place(fresh, self.path)
        finally:
            _remove(fresh)

    def _tell(self, sentence: str) -> None:
        self.problems.append(sentence)
        log.error("%s", sentence)

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Have the file alone, and say whether it can be changed: where nobody can, no lock is needed."""
        if not self.path.exists():
            made_durable(self.path.parent)
        is_writable = may_write(self.path)
        with locked(self._lock, PATIENCE, self._in_use) if is_writable else nullcontext():
            yield is_writable


@contextmanager
def locked(path: Path, patience: float, in_use: str, kind: type[Exception] = StoreBusy) -> Iterator[None]:
    """Hold a lock that one process holds at a time; after `patience` seconds raises that kind of error, which says
    `in_use`."""
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
    """Tell whether SQLite may only read the file by what it says itself, which none of ours does."""
    import sqlite3

    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if "readonly" not in str(error):
            raise
        return True
    connection.execute("ROLLBACK")
    return False
