"""Entering records: what happens between the form and the database."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import fields
from ..constants import FieldNames as F
from . import reconnecting
from .connection import NoAnswer
from .messages import reason_of
from .which_database import UPDATE

if TYPE_CHECKING:
    from ..views.conflict import ConflictDialog
    from .window import Application

log = logging.getLogger(__name__)
SLOW_MS = 300  # a save that takes longer says that it is under way
Record = dict[str, Any]


class Written(NamedTuple):
    """What a save says, and the plot that comes next; see `DataRecordForm.saved`."""

    remark: str
    claimed: int | None


class RecordEntry:
    """Saves the form's record; what is to be done after that is ``after_save``."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self.after_save: Callable[[], object] | None = None
        self._version: tuple[tuple[Any, ...], int | None] = ((), None)

    def version_of(self, key: tuple[Any, ...]) -> int | None:
        """The version that the last save made of that record; ``None`` where it isn't known."""
        return self._version[1] if self._version[0] == key else None

    def save(self, record: Record, opened: tuple[Any, ...] | None) -> None:
        """The form's record is right: save it."""
        form = self._app.form
        if self._app.data_model is None and not self._app.reconnecting.away:
            form.save_failed()
            self._app.status.set("Not saved: the database isn't open yet. What you typed stays in the form")
            return
        self._save(record, opened, form.whole_check)

    def _save(
        self,
        record: Record,
        opened: tuple[Any, ...] | None,
        whole_check: bool,
        over: Any = None,
        said: str = "",
        dialog: ConflictDialog | None = None,
    ) -> None:
        """Save the record over the version that was opened, or over a later one that was looked at since (`over`, a
        `models.VersionedRecord`); ``said``: what of it came from there; ``dialog``: in which that was chosen, which
        stays until it is saved."""
        app = self._app
        base = app.form.opened_record if opened else None
        former = over.record if over is not None else base.values() if base is not None else None
        version = over.version if over is not None else base.version if base is not None else None
        who = {"reason": app.form.reason.text, "author": app.shared.person}
        updates, check_version = former is not None, app.form.check.version
        plots = app.form.plots_after(record[F.PLOT])

        def conflict(theirs: Any, error: BaseException) -> None:
            from . import conflicts  # at the first one, for no start has any

            conflicts.resolve(
                app,
                conflicts.Conflict(record, former, theirs, who["author"]),
                lambda merged, words, asked: self._save(merged, opened, whole_check, theirs, words, asked),
                lambda: self._save_failed(record, error),
                dialog,
            )

        def failed(error: BaseException) -> None:
            theirs = getattr(error, "theirs", None)
            if theirs is not None and theirs.version:
                conflict(theirs, error)
            elif dialog is not None:
                dialog.refuse(reason_of(error))
            else:
                self._save_failed(record, error)

        def ended(written: Written | None) -> None:
            if dialog is not None:
                dialog.close()
            remark, claimed = (written.remark, written.claimed) if written is not None else ("", None)
            words = f"{said} {remark}".strip()
            self._saved(record, updates, whole_check, waits=written is None, said=words, claimed=claimed)

        Save(
            app,
            record,
            {
                "write": "update" if updates else "insert",
                "base": former,
                "version": version,
                "whole_check": whole_check,
                **who,
            },
            lambda identifier: Written(
                self.write(record, updates, version, whole_check, identifier, who, check_version),
                self._claim_next(record, plots),
            ),
            saved=ended,
            kept=lambda: ended(None),
            failed=failed,
        ).begin()

    def write(
        self,
        record: Record,
        updates: bool,
        version: int | None,
        whole_check: bool,
        identifier: str,
        who: Mapping[str, str],
        check_version: int | None = None,
    ) -> str:
        """Save the record and its check; on the database's thread. Returns why the check stays as it is, if it does."""
        from .. import models

        model = self._app.data_model
        assert model is not None
        write: models.saving.Write = "update" if updates else "insert"
        try:
            self._app.connection.lasting(
                lambda: model.save_record(record, write, expected_version=version, entry=identifier, **who)
            )
            self._version = tuple(record[name] for name in fields.RECORD_KEY), model.saved_version
        except (models.RecordExists, models.RecordConflict) as error:
            # A save whose answer was lost with the connection finds its own record.
            if error.theirs is None or error.theirs.record != record:
                raise
            self._version = tuple(record[name] for name in fields.RECORD_KEY), error.theirs.version
        if whole_check:
            check = (record[F.DATE], record[F.TIME], record[F.LAB])
            try:
                model.set_check_technician(*check, record[F.TECHNICIAN], expected_version=check_version, **who)
            except models.CheckChanged as error:
                return f"({error})"
        return ""

    def _claim_next(self, record: Record, plots: tuple[int, ...]) -> int | None:
        """The next plot that nobody else has open, 0 for none, ``None`` if that couldn't be found out; on the
        database's thread, before the form goes there."""
        from .. import models

        model = self._app.data_model
        assert model is not None
        try:
            return model.claim_next_plot(record[F.DATE], record[F.TIME], record[F.LAB], plots) or 0
        except models.DatabaseError as error:  # it is saved; what comes next can be decided without
            log.info("the next plot couldn't be claimed: %s", type(error).__name__)
            return None

    def _saved(
        self,
        record: Record,
        updated: bool,
        whole_check: bool,
        waits: bool = False,
        said: str = "",
        claimed: int | None = None,
    ) -> None:
        app, then = self._app, self.after_save
        self.after_save = None
        key: Any = tuple(record[name] for name in fields.RECORD_KEY)
        app.shared.saved_records += 1
        app.taking_back.saved(record)
        count = f"{app.shared.saved_records} record{'s' * (app.shared.saved_records != 1)} saved"
        how = "kept on this computer until the database is back" if waits else "changes saved" if updated else "saved"
        app.status.set(f"{place(record)}: {how}{f' {said}' if said else ''} · {count} in this session")
        app.drafts.saved()
        app.form.saved(record, claimed, leaves=then is not None)
        app.drafts.keep()
        app.deciding.saved(key)
        if waits:
            app.waiting.show_line()
            app.browsing.show_copy()
        else:
            app.record_list.mark(key, "edited" if updated else "new")
            app.offline.record_saved(record)
            # The database answers again: so may the check that it didn't tell.
            if whole_check or app.form.check.problem:
                self._app.checks.refresh()
            app.browsing.records_changed(key, inserted=not updated)
        if then is not None:
            then()

    def _save_failed(self, record: Record, error: BaseException) -> None:
        from .. import models

        self.after_save = None
        form = self._app.form
        if isinstance(error, models.RecordConflict):
            form.save_failed()
            form.show_changed(tuple(record[name] for name in fields.RECORD_KEY), error.theirs.changed_by)
            self._app.status.set(f"Not saved: {error}")
        elif isinstance(error, models.RecordExists):
            form.save_failed({F.PLOT: str(error)})
            self._app.checks.refresh()
            self._app.status.set(f"Not saved: {error}")
        elif isinstance(error, models.RecordMissing):
            form.save_failed()
            form.make_new()
            self._app.checks.refresh()
            self._app.status.set(f"Not saved: {error} Save makes a new record of what stands here")
        elif isinstance(error, models.RecordInvalid) and set(error.errors) & set(form.inputs):
            form.save_failed(error.errors)
            self._app.status.set("Not saved: see the marked fields")
        else:
            log.error("a record couldn't be saved", exc_info=error)
            form.save_failed()
            self._app.status.set(f"Plot {record[F.PLOT]} is not saved")
            self._app.messages.failure(
                "Save Record",
                f"Plot {record[F.PLOT]} couldn't be saved. What you typed is still in the form.",
                reason_of(error),
                retry=form.submit,
            )


class Save:
    """One save: into the database, or into the journal of this computer where that can't be reached, takes too long, or
    stores nothing at the moment.

    Saves a record and reports once how it went: ``saved(result)``, ``kept()`` (it waits here) or ``failed(error)``.

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
