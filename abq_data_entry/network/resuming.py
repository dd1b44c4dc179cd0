"""Continuing where a broken connection stopped: under which name, from how much on, and how often."""

import hashlib
import secrets
from pathlib import Path

from .source import SourceFile

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
