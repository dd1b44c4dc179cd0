"""What version 1.0 keeps in the outbox: a file `delivery.json` for each delivery, and notes behind its content."""

from __future__ import annotations

import json
from pathlib import Path

from abq_data_entry.outbox import Delivery, Outbox
from abq_data_entry.outbox.delivery import to_text
from tests.outbox.conftest import rewrite


def entry_of(delivery: Delivery) -> str:
    """The delivery as that version writes it."""
    content = {**json.loads(to_text(delivery)), "format": 3}
    del content["id"]
    return json.dumps(content, indent=1)


def left_by_the_version_before(box: Outbox, delivery: Delivery) -> Path:
    """Let a delivery be one that a window of that version has put in; return its entry."""
    rewrite(box, "DELETE FROM deliveries WHERE id = ?", delivery.identifier)
    entry = box.file_of(delivery).parent / "delivery.json"
    entry.write_text(entry_of(delivery), encoding="utf-8")
    return entry
