"""Continuing where a broken connection stopped: under which name, from how much on, and how often."""

import hashlib
import secrets

from .source import SourceFile

KEPT_FROM = 1024 * 1024
"""Bytes; less of a file isn't worth keeping at the destination for the next attempt."""

MOST_BREAKS = 5
"""Broken connections in one attempt, after which the next one is the outbox's."""


class Names:
    """The names that a file has at the destination until it is whole.

    With the `identifier` of a delivery they are the same for all its attempts, as long as our file is the same one; so
    a part that is found under them is a part of this very file.
    """

    def __init__(self, source: SourceFile, identifier: str | None) -> None:
        self.are_lasting = identifier is not None
        mark = secrets.token_hex(4)
        if self.are_lasting:
            state = f"{identifier} {source.size} {source.modified!r}"
            mark = hashlib.sha256(state.encode()).hexdigest()[:12]
        self.temporary = f"{source.name}.{mark}.part"
        self.aside = f"{source.name}.{mark}.old"


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
