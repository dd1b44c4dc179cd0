"""Bring up to now what is kept for QA's views, while nobody waits for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from ..models import SQLModel

log = logging.getLogger(__name__)


def keep_views(model: SQLModel, cancel: threading.Event) -> None:
    """Do it where the login may, until `cancel` is set. What goes wrong is logged: the views only answer later then."""
    from ..models import DatabaseError, QueryCancelled

    try:
        model.refresh_kept(cancel)
    except QueryCancelled:
        log.info("what QA's views found was not kept up to now: cancelled")
    except DatabaseError as error:
        log.warning("what QA's views found was not kept up to now: %s", error)
