"""Which of our settings somebody may have meant, and where a name stands in the file."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MOST_LETTERS = 2


def likely(name: str, names: Iterable[str]) -> str | None:
    """Return the name that `name` differs from by two letters at most (one more, less, another, or two exchanged)."""
    wanted = _folded(name)
    distances = {each: _distance(wanted, _folded(each)) for each in names}
    best = min(distances, key=lambda each: distances[each], default=None)
    return best if best is not None and distances[best] <= _MOST_LETTERS else None


def line_of(name: str, text: str) -> int | None:
    """Return the number of the line that the name of a setting stands on, 1 for the first; None if it isn't found."""
    found = re.search(rf'"{re.escape(name)}"\s*:', text)
    return None if found is None else text.count("\n", 0, found.start()) + 1


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.casefold().strip())


def _distance(one: str, other: str) -> int:
    """Return by how many letters two words differ; more than two are all the same."""
    if abs(len(one) - len(other)) > _MOST_LETTERS:
        return _MOST_LETTERS + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        earlier, before = before, row
        row = [place]
        for column, another in enumerate(other, 1):
            least = min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != another))
            if place > 1 and column > 1 and letter == other[column - 2] and one[place - 2] == another:
                least = min(least, earlier[column - 2] + 1)
            row.append(least)
    return row[-1]
