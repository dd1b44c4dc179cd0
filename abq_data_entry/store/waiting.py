"""The file of what waits on this computer: records that the database doesn't have yet, and deliveries.

`journal` and `outbox` each use their own tables in it. It must not be deleted.
"""

from __future__ import annotations

import json
from pathlib import Path

from abq_data_entry.store.database import Clock, Database, Layout

_TABLES = {
    "waiting": """CREATE TABLE waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- the order in which they were kept
    id TEXT NOT NULL UNIQUE,
    content TEXT NOT NULL, -- the record, by whom, over what; as JSON
    digest TEXT NOT NULL, -- SHA-256 of the content
    remark TEXT -- why somebody has to decide; NULL: it waits for the database
)""",
    "deliveries": """CREATE TABLE deliveries (
    file TEXT NOT NULL, -- the kind of destination and the name of the file: its versions have the same
    id TEXT NOT NULL,
    recorded INTEGER NOT NULL DEFAULT 0, -- the revision that the database is known to have
    content TEXT NOT NULL, -- the delivery with its attempts; as JSON
    digest TEXT NOT NULL, -- SHA-256 of the content
    PRIMARY KEY (file, id)
)""",
    "orphaned_parts": """CREATE TABLE orphaned_parts (
    id TEXT PRIMARY KEY, -- of the delivery that left it
    content TEXT NOT NULL, -- its name at which destination; as JSON
    digest TEXT NOT NULL -- SHA-256 of the content
)""",
}


def open_waiting_file(folder: Path, clock: Clock) -> Database:
    """Return the file in that folder; it isn't opened yet."""
    layout = Layout("The journal of this computer", 2, _TABLES, b'{"id":"', _row)
    # Windows of earlier versions hold the same lock when they write `journal.log`.
    return Database(folder / "waiting.sqlite", layout, folder / "writing.lock", clock)


def _row(content: str, digest: str) -> tuple[str, dict[str, object]]:
    said = json.loads(content)
    row = {"id": said["id"], "content": content, "digest": digest}
    if "sha256" in said:
        return "deliveries", {**row, "file": f"{said['kind']}/{said['name']}"}
    return ("orphaned_parts" if "part" in said else "waiting"), row
