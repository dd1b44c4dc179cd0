"""Refresh the stored results of QA's views in the background."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from ..models import SQLModel

log = logging.getLogger(__name__)


def keep_views(model: SQLModel, cancel: threading.Event) -> None:
    """Refresh them, if the login may; `cancel` ends it. Failures are only logged, because the views then still work,
    only slower."""
    from ..models import DatabaseError, QueryCancelled

    try:
        model.refresh_kept(cancel)
    except QueryCancelled:
        log.info("the kept results of QA's views weren't refreshed: cancelled")
    except DatabaseError as error:
        log.warning("the kept results of QA's views weren't refreshed: %s", error)
