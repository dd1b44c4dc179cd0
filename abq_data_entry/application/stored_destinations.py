"""The destinations of the database: fetched when the window opens and when they change, and offered in the menus."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..network.destinations import stored_in

if TYPE_CHECKING:
    from ..jobs import Jobs
    from ..stored_destination import StoredDestination
    from .preferences import Settings
    from .state import State

log = logging.getLogger(__name__)


class StoredDestinations:
    """Keeps `settings.stored` up to date; ``changed(found)`` is called when they have changed. On the Tk thread."""

    def __init__(
        self,
        state: State,
        jobs: Jobs,
        settings: Settings,
        changed: Callable[[Sequence[StoredDestination]], object],
    ) -> None:
        self._state, self._jobs, self._settings, self._changed = state, jobs, settings, changed

    def look(self, then: Callable[[], object] = lambda: None) -> None:
        """Fetch them from the database; ``then`` is called afterwards, also after a failure."""
        model = self._state.model
        if model is None:
            return

        def show(found: dict[str, StoredDestination]) -> None:
            if found != self._settings.stored:
                self._settings.stored = found
                self._changed(stored_in(self._settings.values()))
            then()

        def failed(error: BaseException) -> None:
            # Only logged, because the window itself reports that the database is away; the known ones stay.
            log.warning("the destinations of the database aren't known: %s", type(error).__name__)
            then()

        self._jobs.submit("records", model.get_destinations, done=show, failed=failed)
