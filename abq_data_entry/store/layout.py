"""What is in an SQLite file of this computer, and how its rows are known in one that is damaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


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
