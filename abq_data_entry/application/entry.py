"""Entering records: what happens between the form and the database, or the journal while that isn't there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ..constants import FieldNames as F
from ..jobs import Jobs
from ..views import DataRecordForm
from . import reconnecting
from .connection import NoAnswer
from .messages import Messages, place, reason_of
from .state import LastSave, State
from .which_database import UPDATE

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..views.conflict import ConflictDialog
    from ..workflows.save_record import Conflict, Save, Saved
    from .browsing import Browsing
    from .checks import Offline
    from .drafts import Drafts
    from .reconnecting import Reconnecting
    from .waiting import Waiting

log = logging.getLogger(__name__)
SLOW_MS = 300  # a save that takes longer says that it is under way
Record = Mapping[str, Any]
Key = tuple[Any, ...]


class Saver:
    """Saves into the database; where that can't be reached, takes too long or stores nothing, into the journal.

    Both carry the same identifier, so that a save whose answer was lost is done once. ``retry_after_restart(work)``
    runs it on the database's thread; ``ask_version(model)`` finds out whether this program is too old;
    ``claimed_late()`` is called where a plot was claimed by a save that nobody waits for any more. On the Tk thread.
    """

    def __init__(
        self,
        form: DataRecordForm,
        jobs: Jobs,
        state: State,
        say: Callable[[str], object],
        waiting: Waiting,
        away: Reconnecting,
        retry_after_restart: Callable[[Callable[[], Any]], Any],
        ask_version: Callable[[SQLModel], object],
        claimed_late: Callable[[], object],
    ) -> None:
        self._form, self._jobs, self._state, self._say = form, jobs, state, say
        self._waiting, self._away, self._retry_after_restart = waiting, away, retry_after_restart
        self._ask_version, self._claimed_late = ask_version, claimed_late

    def save(
        self,
        save: Save,
        done: Callable[[Saved | None], object],
        conflict: Callable[[Conflict], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        """Save it; while the database is away, or an earlier record of the plot waits, in the journal.

        One of these is called once: it is saved (``None``: it waits here), somebody has to decide, or it failed.
        """
        from ..workflows.save_record import Conflict, save_record

        state, form, model = self._state, self._form, self._state.model
        reported = saved_late = False
        timers = [form.after(SLOW_MS, lambda: self._say(f"Saving… {place(save.record)}"))]

        def report(how: Callable[[Any], object], what: object) -> None:
            nonlocal reported
            reported = True
            for timer in timers:
                form.after_cancel(timer)
            how(what)

        def written(outcome: Saved | Conflict) -> None:
            nonlocal saved_late
            if not reported:
                report(conflict if isinstance(outcome, Conflict) else done, outcome)
            elif isinstance(outcome, Conflict):
                log.warning("a save that took too long met another version")  # so will its replay
            else:  # it was kept meanwhile
                saved_late = True
                self._waiting.settle((save.identifier,), "saved")
                self._claimed_late()

        def not_written(error: BaseException) -> None:
            from ..models.errors import WindowOutdated, WritesRefused

            if isinstance(error, WindowOutdated) and model is not None:
                self._ask_version(model)
            later = self._away.means_away(error) or isinstance(error, WritesRefused)
            if reported:
                log.warning("a save that took too long failed: %s", type(error).__name__)
            elif later:
                log.warning("a record goes to the journal: %s", type(error).__name__)
                keep(str(error))
            else:
                report(failed, error)

        def overdue() -> None:
            if not reported:
                error = NoAnswer("The database didn't answer in time.")
                self._away.lost(error)
                keep(str(error))

        def keep(cause: str) -> None:
            nonlocal reported
            reported = True

            def kept() -> None:
                if saved_late:  # the database was faster than the disk
                    self._waiting.settle((save.identifier,), "saved")
                report(done, None)

            self._waiting.keep(save, cause, kept, lambda error: report(failed, error))

        if state.away or model is None:
            keep(str(state.away_error or ""))
        elif state.outdated:
            keep(UPDATE)
        elif any(each.key == save.key and each.state == "waiting" for each in state.waiting):
            keep("An earlier record of this plot waits.")
        else:
            timers.append(form.after(reconnecting.PATIENCE_MS, overdue))
            work = partial(save_record, model, save)
            self._jobs.submit("database", self._retry_after_restart, work, done=written, failed=not_written)


class RecordEntry:
    """Saves the form's record, and brings form, list and status up to date with it."""

    def __init__(
        self,
        form: DataRecordForm,
        state: State,
        messages: Messages,
        say: Callable[[str], object],
        saver: Saver,
        drafts: Drafts,
        waiting: Waiting,
        copy: Offline,
        browsing: Browsing,
    ) -> None:
        self._form, self._state, self._messages, self._say, self._saver = form, state, messages, say, saver
        self._drafts, self._waiting, self._copy, self._browsing = drafts, waiting, copy, browsing
        self._typed: Save | None = None

    def save(self, record: Record, opened: Key | None) -> None:
        """The form's record is right: save it."""
        from ..workflows.save_record import Save

        form, state = self._form, self._state
        if state.model is None and not state.away:
            form.save_failed()
            self._say("Not saved: the database isn't open yet. What you typed stays in the form")
            return
        base = form.opened_record if opened else None
        self._typed = Save(
            record,
            "insert" if base is None else "update",
            None if base is None else base.record,
            None if base is None else base.version,
            state.person,
            form.reason.text,
            whole_check=form.check_panel.technician_line.wants_all(form.check_key, str(record[F.TECHNICIAN])),
            check_version=form.check.version,
            plots_after=tuple(plot for plot in form.check.missing_after(record[F.PLOT]) if plot != record[F.PLOT]),
        )
        self._save(self._typed)

    def _save(self, save: Save, said: str = "", dialog: ConflictDialog | None = None) -> None:
        """``said``: what of it came from another version; ``dialog``: where that was chosen, open until it is saved."""

        def conflict(found: Conflict) -> None:
            from . import conflicts  # at the first one, for no start has any

            conflicts.resolve(
                self._form,
                self._messages,
                self._say,
                conflicts.Question(found, save.author),
                lambda merged, words, asked: self._save(save.over(found.theirs, merged), words, asked),
                lambda: self._decided_not_to(save, found),
                dialog,
            )

        def failed(error: BaseException) -> None:
            if dialog is not None:
                dialog.refuse(reason_of(error))
            else:
                self._save_failed(save.record, error)

        self._saver.save(save, partial(self._ended, save, said, dialog), conflict, failed)

    def _ended(self, save: Save, said: str, dialog: ConflictDialog | None, saved: Saved | None) -> None:
        if dialog is not None:
            dialog.close()
        form, state, then = self._form, self._state, self._form.after_save
        form.after_save = None
        if saved is not None and saved.merged is not None:
            from .conflicts import Question

            said = f"{said} {Question(saved.merged, save.author).merged_words}"
        remark = "" if saved is None else saved.remark
        waits, record = saved is None, save.record if saved is None else saved.record
        corrects = save.base is not None
        state.saved_records += 1
        state.last_save = LastSave(self._typed or save, None if saved is None else saved.version)
        count = f"{state.saved_records} record{'s' * (state.saved_records != 1)} saved"
        how = "kept on this computer until the database is back" if waits else "changes saved" if corrects else "saved"
        self._say(f"{place(record)}: {' '.join(filter(None, (how, said.strip(), remark)))} · {count} in this session")
        self._drafts.saved()
        form.saved(record, None if saved is None else saved.claimed, leaves=then is not None)
        self._drafts.keep()  # what the form shows by now
        if decided := self._waiting.in_form.pop(save.key, ()):
            self._waiting.settle(decided, "decided")
        if waits:
            self._browsing.show_source()
        else:
            self._copy.record_saved(record)
            # The database answers again: so may the check that it didn't tell.
            if save.whole_check or form.check.problem:
                self._form.known.look_up()
            self._browsing.record_saved(save.key, corrects)
        if then is not None:
            then()

    def _decided_not_to(self, save: Save, found: Conflict) -> None:
        """Nobody has chosen between both versions: all stays as it was typed."""
        self._form.after_save = None
        if save.base is None:
            self._form.save_failed({F.PLOT: found.reason})
            self._form.known.look_up()
        else:
            self._form.save_failed()
            self._form.opening.show_changed(save.key, found.theirs.changed_by)
        self._say(f"Not saved: {found.reason}")

    def _save_failed(self, record: Record, error: BaseException) -> None:
        from ..models.errors import RecordInvalid, RecordMissing

        self._form.after_save = None
        form = self._form
        if isinstance(error, RecordMissing):
            form.save_failed()
            form.opening.make_new()
            self._form.known.look_up()
            self._say(f"Not saved: {error} Save makes a new record of what stands here")
        elif isinstance(error, RecordInvalid) and set(error.errors) & set(form.inputs):
            form.save_failed(error.errors)
            self._say("Not saved: see the marked fields")
        else:
            log.error("a record couldn't be saved", exc_info=error)
            form.save_failed()
            self._say(f"Plot {record[F.PLOT]} is not saved")
            self._messages.failure(
                "Save Record",
                f"Plot {record[F.PLOT]} couldn't be saved. What you typed is still in the form.",
                reason_of(error),
                retry=form.submit,
            )
