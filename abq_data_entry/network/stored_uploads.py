"""Files at a server that keeps them by name (FTP, SFTP): what stays there of one that broke off, and is gone on with.

A session that has died between two files is replaced, once, by itself. A file whose connection broke is continued where
it stopped, and what a failed delivery left there is removed.
"""

from __future__ import annotations

import abc
import hashlib
import logging
import secrets
import threading
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from abq_data_entry.remote_names import folder_problem

from .failures import HostUnknown, HostUnreachable, InvalidInput
from .guard import Guard
from .uploads import SourceFile, Uploads, tidy

log = logging.getLogger(__name__)

KEPT_FROM = 1024 * 1024
"""Bytes; less of a file isn't worth keeping at the destination for the next attempt."""

MOST_BREAKS = 5
"""Broken connections in one attempt, after which the next one is the outbox's."""


def part_name(path: Path, identifier: str, name: str) -> str:
    """Return the name under which an attempt at this delivery may have left a part of the file, which is called `name`.

    Raises `OSError`.
    """
    status = path.stat()
    return f"{name}.{_mark(identifier, status.st_size, status.st_mtime)}.part"


def _mark(identifier: str, size: int, modified: float) -> str:
    return hashlib.sha256(f"{identifier} {size} {modified!r}".encode()).hexdigest()[:12]


class Part:
    """A file of which a part may be at the destination, by this attempt or by an earlier one.

    With the `identifier` of a delivery the names that it has until it is whole are the same for all its attempts, as
    long as our file is the same one; so a part that is found under them is a part of this very file.
    `found`: how much of it was there already when sending began.
    """

    step_back = 0
    """Bytes at the end of a part that can't be relied on, and are sent again."""

    def __init__(self, source: SourceFile, identifier: str | None = None) -> None:
        self.found = 0
        self._source = source
        self._name = source.name
        self._partial = ""  # a name under which a part of the file may be, by our doing
        self._moving = False  # the old file may be under the name `_aside`
        self._choose_names(identifier)

    def _choose_names(self, identifier: str | None) -> None:
        self._is_lasting = identifier is not None
        if identifier is None:
            mark = secrets.token_hex(4)
        else:
            mark = _mark(identifier, self._source.size, self._source.modified)
        self._temporary, self._aside = f"{self._name}.{mark}.part", f"{self._name}.{mark}.old"

    @property
    def unfinished(self) -> bool:
        """Whether this attempt may have left something to tidy."""
        return bool(self._partial) or self._moving

    @property
    def may_continue(self) -> bool:
        """Whether it makes sense to go on over another connection."""
        return not self._moving

    @property
    def may_be_there(self) -> bool:
        """Whether an earlier attempt may have left a part of the file, which is to be continued."""
        return self._is_lasting and self._source.size > KEPT_FROM

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the next attempt could go on with what is there, and would have much less to send."""
        kept = self._is_lasting and self._partial == self._temporary and not self._moving
        return kept and self._source.sent > KEPT_FROM + self.step_back


class Breaks:
    """Counts the broken connections of one attempt, and tells whether there is any point in another one."""

    def __init__(self) -> None:
        self._count = 0
        self._found = 0

    def may_connect_again(self, found: int) -> bool:
        """`found`: how much was there when what has just broken began; it must be more than the time before."""
        self._count += 1
        moved = self._count == 1 or found > self._found
        self._found = found
        return moved and self._count <= MOST_BREAKS


_TIDYING = 5.0  # seconds without any progress, when nobody's file depends on it

Session = TypeVar("Session")
Over = TypeVar("Over", contravariant=True)


def checked_folder(folder: str) -> str:
    """Return a folder at a destination that can be asked for; raises `InvalidInput`."""
    if problem := folder_problem(folder):
        raise InvalidInput(f"The setting 'abq_ftp_folder' {problem}. Nothing was sent.")
    return folder.rstrip("/") or folder[:1]


class Store(Protocol[Over]):
    """How one file is stored; knows what a failure leaves behind."""

    found: int
    """How much of the file was there already when the last `run` began."""

    @property
    def unfinished(self) -> bool:
        """Whether there may be something to tidy."""

    @property
    def may_continue(self) -> bool:
        """Whether `run` may be called again."""

    @property
    def may_be_there(self) -> bool:
        """Whether an earlier attempt may have left a part of the file."""

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the next attempt could go on with what is there, and would have much less to send."""

    def run(self, session: Over) -> None:
        """Store it and make sure that it is all there; after a break over another session, from there on."""

    def tidy(self, session: Over) -> None:
        """Remove what a failure left, over a new session."""


class StoredUploads(Uploads, Generic[Session]):
    """Uploads over a session with a server that keeps files by name (FTP, SFTP)."""

    errors: tuple[type[Exception], ...] = ()
    """What the library and the guard raise; everything else is the caller's own."""

    def __init__(self, timeout: float) -> None:
        super().__init__(timeout)
        self._session: Session | None = None

    @abc.abstractmethod
    def _log_in(self, guard: Guard) -> Session: ...

    @abc.abstractmethod
    def _continue(self, session: Session, guard: Guard) -> None:
        """Put a session of an earlier file under the guard of this one."""

    @abc.abstractmethod
    def _end(self, session: Session, politely: bool) -> None: ...

    @abc.abstractmethod
    def _new_store(self, source: SourceFile, identifier: str | None) -> Store[Session]: ...

    @abc.abstractmethod
    def _remove(self, session: Session, name: str) -> None: ...

    @abc.abstractmethod
    def _in_words(self, error: Exception) -> Exception:
        """Return the error in words for people, without its origin and without the password."""

    @abc.abstractmethod
    def _is_refusal(self, error: Exception) -> bool:
        """Tell whether a failed login was refused because of the user name or the password."""

    @abc.abstractmethod
    def _is_break(self, error: Exception) -> bool:
        """Tell whether a connection has died, or the server has said that it ends it."""

    def discard(self, name: str) -> bool:
        with Guard(None, _TIDYING) as guard:
            try:
                session = self._ready(guard)
            except self.errors:
                return False
            try:
                self._remove(session, name)
            except self.errors as error:
                if guard.verdict() or self._is_of_the_connection(error):
                    self._drop()
                    return False
            return True

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._end(session, politely=True)

    def _attempt(
        self, source: SourceFile, identifier: str | None, cancel: threading.Event | None
    ) -> BaseException | None:
        store = self._new_store(source, identifier)
        with Guard(cancel, self._timeout) as guard:
            left = kept = False
            try:
                self._run(store, source, guard)
                return None
            except self.errors as error:
                verdict = guard.verdict()
                is_transient = self._is_of_the_connection(verdict or error)
                kept = is_transient and store.is_worth_keeping
                left = not is_transient and store.may_be_there and self._refusal is None
                failure: BaseException = verdict or self._in_words(error)
            except BaseException as error:  # of the progress callback, or Ctrl-C
                failure = error
            self._drop()
        if (store.unfinished or left) and not kept:
            tidy(lambda guard: self._clear(store, guard), cancel)
        return failure

    def _is_of_the_connection(self, error: Exception) -> bool:
        """Tell whether the connection failed and nothing else, so that another attempt may go on with what is there."""
        return isinstance(error, TimeoutError | HostUnknown | HostUnreachable) or self._is_break(error)

    def _run(self, store: Store[Session], source: SourceFile, guard: Guard) -> None:
        """Store the file: once more if the session of an earlier file turns out to be dead, and on after a break."""
        may_be_dead, breaks = self._session is not None, Breaks()
        while True:
            try:
                store.run(self._ready(guard))
                return
            except self.errors as error:
                if guard.verdict() or not self._is_break(error):
                    raise
                was_dead, may_be_dead = may_be_dead and not source.sent, False
                in_the_file = store.unfinished and store.may_continue
                if not was_dead and not (in_the_file and breaks.may_connect_again(store.found)):
                    raise
                log.info("the connection broke after %d of %d bytes; another one", source.sent, source.size)
                self._drop()

    def _ready(self, guard: Guard) -> Session:
        if self._session is not None:
            self._continue(self._session, guard)
            return self._session
        try:
            self._session = self._log_in(guard)
        except self.errors as error:
            if not guard.verdict() and self._is_refusal(error):
                self._refusal = self._in_words(error)
            raise
        return self._session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._end(session, politely=False)

    def _clear(self, store: Store[Session], guard: Guard) -> None:
        session = self._log_in(guard)
        try:
            store.tidy(session)
        finally:
            self._end(session, politely=True)
