"""One save: into the database, or into the journal of this computer.

That is where the database can't be reached, takes too long, or stores nothing at the moment.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import fields
from ..constants import FieldNames as F
from ..views.record_inputs import Record
from . import reconnecting
from .connection import NoAnswer
from .database_changes import UPDATE

if TYPE_CHECKING:
    from .window import Application

log = logging.getLogger(__name__)
SLOW_MS = 300  # a save that takes longer says that it is under way


class Save:
    """Saves a record and reports once how it went: ``saved(result)``, ``kept()`` (it waits here) or ``failed(error)``.

    ``write(identifier)`` does it on the database thread, and gives the result; ``values`` is what the journal keeps
    besides (see `journal.new_entry`). Both carry the same identifier, so that a save whose answer was lost is done
    once.
    """

    def __init__(
        self,
        application: Application,
        record: Record,
        values: Mapping[str, Any],
        write: Callable[[str], object],
        saved: Callable[[Any], object],
        kept: Callable[[], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        self._app = application
        self._identifier = os.urandom(16).hex()
        self._record = record
        self._values = {"record": record, "identifier": self._identifier, **values}
        self._write = write
        self._saved, self._kept, self._failed = saved, kept, failed
        self._timer = ""
        self._slow = ""
        self._reported = False
        self._done = False

    def begin(self) -> None:
        """Save it; while the database is away, or an earlier record of the plot waits, in the journal."""
        self._slow = self._app.after(SLOW_MS, self._say_slow)
        key = tuple(self._record[name] for name in fields.RECORD_KEY)
        if self._app.reconnecting.away or self._app.data_model is None:
            self._keep(str(self._app.reconnecting.error or ""))
        elif self._app.shared.outdated:
            self._keep(UPDATE)
        elif key in self._app.waiting.in_line:
            self._keep("An earlier record of this plot waits.")
        else:
            self._timer = self._app.after(reconnecting.PATIENCE_MS, self._overdue)
            self._app.jobs.submit(
                "database", self._write, self._identifier, done=self._written, failed=self._not_written
            )

    def _written(self, result: Any) -> None:
        self._done = True
        self._end_waiting()
        if self._reported:  # it was kept meanwhile
            self._app.waiting.settle((self._identifier,), "saved")
            self._app.presence.tell_again()  # it claimed the plot that came after it then
        else:
            self._report(lambda: self._saved(result))

    def _not_written(self, error: BaseException) -> None:
        self._end_waiting()
        from ..models import WindowOutdated, WritesRefused

        if isinstance(error, WindowOutdated) and self._app.data_model is not None:
            self._app.database_changes.ask(self._app.data_model)
        later = self._app.reconnecting.means_away(error) or isinstance(error, WritesRefused)
        if self._reported:
            log.warning("a save that took too long failed: %s", type(error).__name__)
        elif later:
            log.warning("a record goes to the journal: %s", type(error).__name__)
            self._keep(str(error))
        else:
            self._report(lambda: self._failed(error))

    def _overdue(self) -> None:
        self._timer = ""
        if not self._reported:
            error = NoAnswer("The database didn't answer in time.")
            self._app.reconnecting.lost(error)
            self._keep(str(error))

    def _keep(self, cause: str) -> None:
        self._reported = True

        def kept() -> None:
            if self._done:  # the database was faster than the disk
                self._app.waiting.settle((self._identifier,), "saved")
            self._end_slow()
            self._kept()

        def failed(error: BaseException) -> None:
            self._end_slow()
            self._failed(error)

        self._app.waiting.keep({**self._values, "cause": cause}, kept, failed)

    def _report(self, how: Callable[[], object]) -> None:
        self._reported = True
        self._end_slow()
        how()

    def _say_slow(self) -> None:
        self._slow = ""
        self._app.status.set(f"Saving… {place(self._record)}")

    def _end_slow(self) -> None:
        if self._slow:
            self._app.after_cancel(self._slow)
            self._slow = ""

    def _end_waiting(self) -> None:
        if self._timer:
            self._app.after_cancel(self._timer)
            self._timer = ""


def place(record: Mapping[str, Any]) -> str:
    """Which record it is, for people."""
    return f"Plot {record[F.PLOT]}, lab {record[F.LAB]}, {record[F.TIME]}"
