"""Parts of files that deliveries left at their destination which were cancelled before another attempt.

A part is kept there for the next attempt (`network.uploads`). If there is none any more, its name is noted here, and
the next delivery that logs in at the same place removes it.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..folders import replacement
from ..network.destination import Place
from ..network.destinations import destination
from ..network.uploads import KEPT_FROM, part_name
from .delivery import Delivery

if TYPE_CHECKING:
    from ..network import Uploads

FOLDER = "left-there"

log = logging.getLogger(__name__)


def note(outbox: Path, delivery: Delivery) -> None:
    """Note what a delivery that is given up may have left; its file must still be in the outbox."""
    if not destination(delivery.kind).keeps_parts or not delivery.attempts or delivery.size <= KEPT_FROM:
        return
    with suppress(OSError):  # then a part may stay there; nothing else depends on it
        name = part_name(outbox / delivery.identifier / delivery.name, delivery.identifier, delivery.sent_as)
        (outbox / FOLDER).mkdir(mode=0o700, exist_ok=True)
        content = json.dumps({"kind": delivery.kind, "address": delivery.address, "name": name})
        with replacement(outbox / FOLDER / f"{delivery.identifier}.json") as temporary:
            temporary.write_text(content, encoding="utf-8")


def discard(outbox: Path, place: Place, uploads: Uploads) -> None:
    """Remove what was left at this place; what can't be reached now waits for the next delivery."""
    for path in (outbox / FOLDER).glob("*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(path.read_text(encoding="utf-8"))
            if (content["kind"], content["address"]) != place:
                continue
            if not uploads.discard(str(content["name"])):
                return
            path.unlink(missing_ok=True)
            log.info("a part of delivery %s was removed at its destination", path.stem[:8])
