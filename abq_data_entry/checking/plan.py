"""The list of all checks, in their order, by the settings."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping

from ..network.guard import Guard
from .database import START_SECONDS, Embedded, configured_database, embedded_database
from .steps import Ended, Step, Steps, Terms, Wanted


def check_connections(
    settings: Mapping[str, object], embedded: Embedded, wanted: Wanted, cancel: threading.Event
) -> Iterator[Step]:
    """Check what is wanted and yield each step when it is done; a destination ends with a step that its next ones need.

    `embedded()`: our own database server, running within the block, as libpq's keywords. Raises `Cancelled` soon after
    `cancel` is set, and nothing else.
    """
    for kind in wanted.only:
        is_embedded = kind == "database" and not settings["db_host"]
        with Guard(cancel, START_SECONDS if is_embedded else wanted.wait) as guard:
            terms = Terms(settings, wanted, guard, cancel)
            with contextlib.suppress(Ended):  # its last step says why
                yield from embedded_database(terms, embedded) if is_embedded else _steps(kind, terms)


def _steps(kind: str, terms: Terms) -> Steps[None]:
    from .ftp import ftp
    from .rest import rest
    from .sftp import sftp
    from .web import weather

    files = sftp if terms.settings["abq_transfer"] == "sftp" else ftp
    return {"database": configured_database, "weather": weather, "rest": rest, "ftp": files}[kind](terms)
