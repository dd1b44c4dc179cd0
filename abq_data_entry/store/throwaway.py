"""The file that may be thrown away: what is half typed in open windows, and the last known copy of the databases."""

from __future__ import annotations

import json
from pathlib import Path

from abq_data_entry.store.database import Database
from abq_data_entry.store.layout import Layout

_TABLES = {
    "drafts": """CREATE TABLE drafts (
    number INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL DEFAULT 0, -- which window's; 0: nobody's
    content TEXT NOT NULL,
    digest TEXT NOT NULL -- SHA-256 of the content
)""",
    "known": """CREATE TABLE known (
    database TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    digest TEXT NOT NULL
)""",
}


def opened_throwaway(folder: Path) -> Database:
    """The file of that folder; nothing is done with it yet."""
    layout = Layout("The file of half-typed plots", 1, _TABLES, b'{"place":"', _draft)
    return Database(folder / "drafts.sqlite", layout, folder / "drafts.lock")


def _draft(content: str, digest: str) -> tuple[str, dict[str, object]]:
    json.loads(content)["draft"]
    return "drafts", {"content": content, "digest": digest}
