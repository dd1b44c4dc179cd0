"""Entering records: what happens between the form and the database."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import fields
from ..constants import CHECK_TIMES
from ..constants import FieldNames as F
from ..views import show_choice, show_failure
from ..views.check_panel import CheckView
from ..views.record_inputs import CheckKey
from .saving import Save, place

if TYPE_CHECKING:
    from .window import Application

log = logging.getLogger(__name__)
Record = dict[str, Any]


class RecordEntry:
    """Saves, opens, and moves between plots; asks before anything typed would be lost."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._agreed: set[tuple[CheckKey, str]] = set()
        self._then: Callable[[], object] | None = None
        self._after: int | None = None

    # -- the check ------------------------------------------------------------------------------------

    def check_chosen(self, date: datetime.date, time: str, lab: str) -> None:
        """The form has a date, a time and a lab: fetch what is known of that check."""
        model, key = self._app.data_model, (date, time, lab)
        if model is None or self._app.reconnecting.away:
            self._show_known(key)
            return

        def look_up() -> tuple[CheckView, Any]:
            progress = self._app.connection.lasting(lambda: model.get_check(*key))
            plots = model.choices().plots
            view = CheckView(
                key=key,
                plots=plots.get(lab, ()),
                technician=progress.technician,
                recorded=progress.recorded,
                previous=model.get_previous_readings(*key),
                known=True,
                following=following_check(key, tuple(plots)),
                version=progress.version,
            )
            return view, progress

        def show(found: tuple[CheckView, Any]) -> None:
            view, progress = found
            self._app.offline.check_loaded(key, progress, view.previous)
            self._app.form.show_check(self._app.offline.overlaid(view))

        job = self._app.jobs.submit("records", look_up, done=show, failed=lambda error: self._check_unknown(key, error))
        self._app.reconnecting.expect(job)

    def _show_known(self, key: CheckKey) -> None:
        """The database is away: what the last known copy says of the check."""
        unknown = CheckView(key=key, problem="What is recorded isn't known while the database is away.")
        self._app.form.show_check(self._app.offline.check(key) or unknown)

    def _check_unknown(self, key: CheckKey, error: BaseException) -> None:
        log.warning("the check couldn't be looked up", exc_info=error)
        if self._app.reconnecting.means_away(error) and self._app.offline.check(key) is not None:
            self._show_known(key)
            return
        self._app.form.show_check(CheckView(key=key, problem=f"The check couldn't be looked up: {error}"))

    def refresh_check(self) -> None:
        """Look the form's check up again."""
        if self._app.form.check_key is not None:
            self.check_chosen(*self._app.form.check_key)

    def next_check(self) -> None:
        """Begin the check that comes after a complete one."""
        following = self._app.form.check.following
        if following is not None:
            self.leave_form(lambda: self._begin_check(following))

    def _begin_check(self, key: CheckKey) -> None:
        self._app.form.set_check(*key)
        self._app.form.focus_first_empty()

    # -- saving ---------------------------------------------------------------------------------------

    def save(self, record: Record, opened: tuple[Any, ...] | None) -> None:
        """The form's record is right: ask about the technician where that is needed, then save."""
        form = self._app.form
        if self._app.data_model is None and not self._app.reconnecting.away:
            form.save_failed()
            self._app.status.set("Not saved: the database isn't open yet. What you typed stays in the form")
            return
        check, technician = form.check, record[F.TECHNICIAN]
        key = (record[F.DATE], record[F.TIME], record[F.LAB])
        others = [plot for plot, name in check.recorded.items() if name != technician and plot != record[F.PLOT]]
        known = check.recorded.get(record[F.PLOT]) if opened else check.technician
        if check.key == key and others and known != technician and (key, technician) not in self._agreed:
            self._ask_technician(record, opened, check, len(check.recorded))
        else:
            self._save(record, opened, whole_check=False)

    def _ask_technician(self, record: Record, opened: Any, check: CheckView, plots: int) -> None:
        technician, key = record[F.TECHNICIAN], (record[F.DATE], record[F.TIME], record[F.LAB])

        def answer(whole_check: bool) -> None:
            self._agreed.add((key, technician))
            self._save(record, opened, whole_check)

        show_choice(
            self._app,
            "Technician",
            f"This check was begun by {check.technician}; this plot says {technician}.",
            f"{plots} of its plots are recorded. Who recorded them stays as it is, unless you change the whole check.",
            (
                (f"Only This Plot: {technician}", lambda: answer(False)),
                (f"All {plots + (0 if opened else 1)} Plots: {technician}", lambda: answer(True)),
                ("Cancel", self._app.form.save_failed),
            ),
        )

    def _save(
        self, record: Record, opened: tuple[Any, ...] | None, whole_check: bool, over: Any = None, said: str = ""
    ) -> None:
        """Save the record over the version that was opened, or over a later one that was looked at since (`over`, a
        `models.VersionedRecord`); ``said``: what of it came from there."""
        app = self._app
        base = app.form.opened_record if opened else None
        former = over.record if over is not None else base.values() if base is not None else None
        version = over.version if over is not None else base.version if base is not None else None
        who = {"reason": app.form.reason.text, "author": app.form.person or app.connection.username or account()}
        updates, check_version = former is not None, app.form.check.version

        def conflict(theirs: Any, error: BaseException) -> None:
            from . import conflicts  # at the first one, for no start has any

            conflicts.resolve(
                app,
                conflicts.Conflict(record, former, theirs),
                lambda merged, words: self._save(merged, opened, whole_check, theirs, words),
                lambda: self._save_failed(record, error),
            )

        def failed(error: BaseException) -> None:
            theirs = getattr(error, "theirs", None)
            if theirs is not None and theirs.version:
                conflict(theirs, error)
            else:
                self._save_failed(record, error)

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
            lambda identifier: self.write(record, updates, version, whole_check, identifier, who, check_version),
            saved=lambda remark: self._saved(record, updates, whole_check, said=f"{said} {remark or ''}".strip()),
            kept=lambda: self._saved(record, updates, whole_check, waits=True),
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
        except (models.RecordExists, models.RecordConflict) as error:
            # A save whose answer was lost with the connection finds its own record.
            if error.theirs is None or error.theirs.record != record:
                raise
        if whole_check:
            check = (record[F.DATE], record[F.TIME], record[F.LAB])
            try:
                model.set_check_technician(*check, record[F.TECHNICIAN], expected_version=check_version, **who)
            except models.CheckChanged as error:
                return f"({error})"
        return ""

    def _saved(self, record: Record, updated: bool, whole_check: bool, waits: bool = False, said: str = "") -> None:
        app, then = self._app, self._then
        self._then = None
        app.draft_saved()
        key = tuple(record[name] for name in fields.RECORD_KEY)
        app.saved_records += 1
        count = f"{app.saved_records} record{'s' * (app.saved_records != 1)} saved"
        how = "kept on this computer until the database is back" if waits else "changes saved" if updated else "saved"
        app.status.set(f"{place(record)}: {how}{f' {said}' if said else ''} · {count} in this session")
        app.form.saved(record)
        app.deciding.saved(key)
        if waits:
            app.waiting.show_line()
        else:
            app.record_list.mark(key, "edited" if updated else "new")
            app.offline.record_saved(record)
            # The database answers again: so may the check that it didn't tell.
            if whole_check or app.form.check.problem:
                self.refresh_check()
            app.browsing.records_changed(key, inserted=not updated)
        if then is not None:
            then()

    def _save_failed(self, record: Record, error: BaseException) -> None:
        from .. import models

        self._then = None
        form = self._app.form
        if isinstance(error, models.RecordConflict):
            form.save_failed()
            form.show_changed(tuple(record[name] for name in fields.RECORD_KEY), error.theirs.changed_by)
            self._app.status.set(f"Not saved: {error}")
        elif isinstance(error, models.RecordExists):
            form.save_failed({F.PLOT: str(error)})
            self.refresh_check()
            self._app.status.set(f"Not saved: {error}")
        elif isinstance(error, models.RecordMissing):
            form.save_failed()
            form.make_new()
            self.refresh_check()
            self._app.status.set("Not saved: somebody deleted this record. Save makes a new one of what stands here")
        elif isinstance(error, models.RecordInvalid) and set(error.errors) & set(form.inputs):
            form.save_failed(error.errors)
            self._app.status.set("Not saved: see the marked fields")
        else:
            log.error("a record couldn't be saved", exc_info=error)
            form.save_failed()
            self._app.status.set(f"Plot {record[F.PLOT]} is not saved")
            show_failure(
                self._app,
                "Save Record",
                f"Plot {record[F.PLOT]} couldn't be saved. What you typed is still in the form.",
                reason_of(error),
                retry=form.submit,
            )

    # -- going somewhere else ---------------------------------------------------------------------------

    def leave_form(self, then: Callable[[], object]) -> None:
        """Do ``then``; where the form holds something unsaved, ask first, once."""
        form = self._app.form
        if form.saving:
            self._then = then
        elif not form.changed:
            then()
        else:
            plot = form.inputs[F.PLOT].text
            show_choice(
                self._app,
                "Unsaved Record",
                f"Plot {plot} isn't saved." if plot else "The record isn't saved.",
                "Save what you typed, or discard it?",
                (
                    ("Save", lambda: self._save_then(then)),
                    ("Discard", lambda: self._discard_then(then)),
                    ("Cancel", None),
                ),
            )

    def _save_then(self, then: Callable[[], object]) -> None:
        self._then = then
        self._app.form.submit()
        if not self._app.form.saving:  # errors: the user stays with them
            self._then = None

    def _discard_then(self, then: Callable[[], object]) -> None:
        self._app.form.begin_new()
        self._app.draft_saved()
        then()

    def new_record(self) -> None:
        """A new record for the next plot that isn't recorded; from the list, back to what was being typed."""
        if not self._app.shows_form and self._app.form.changed:
            self._app.show_form()
            self._app.form.focus_first_empty()
        else:
            self.leave_form(self._begin_new)

    def clear(self) -> None:
        """Empty the form; asks when something would be lost."""
        self.leave_form(self._begin_new)

    def _begin_new(self) -> None:
        self._app.show_form()
        self._app.form.begin_new()
        self._app.draft_saved()
        self._app.form.focus_first_empty()

    def go_to_plot(self, plot: int) -> None:
        """To that plot of the check: open its record, or begin one."""
        self.leave_form(lambda: self._show_plot(plot))

    def _show_plot(self, plot: int) -> None:
        form, check = self._app.form, self._app.form.check
        self._app.show_form()
        if plot not in check.plots:
            self._app.status.set(f"There is no plot {plot} to go to: choose date, time and lab first")
        elif plot in check.recorded and check.key is not None:
            self.open_record((*check.key, plot))
        else:
            form.begin_new(plot=plot)
            form.focus_first_empty()

    def move(self, steps: int) -> None:
        """To the next (1) or the previous (-1) plot of the check."""
        form = self._app.form
        plots, key = form.check.plots, form.key
        current = key[3] if key is not None else 0
        ahead = [plot for plot in plots if (plot > current if steps > 0 else plot < current)]
        if ahead:
            self.go_to_plot(min(ahead) if steps > 0 else max(ahead))
        else:
            self._app.status.set("This is the last plot" if steps > 0 else "This is the first plot")

    def next_missing(self) -> None:
        """To the next plot of the check that isn't recorded."""
        form = self._app.form
        key = form.key
        plot = form.check.next_missing(key[3] if key is not None else 0)
        if plot is None:
            left = form.check.left_to_others()
            entered = f"Only plot {left.plot} is missing: {left.named} is entering it" if left else ""
            self._app.status.set(entered or "No plot is missing")
        else:
            self.go_to_plot(plot)

    def open_row(self, row: Mapping[str, Any]) -> None:
        """Open the record of a row of the list."""
        key = tuple(row[name] for name in fields.RECORD_KEY)
        self.leave_form(lambda: self.open_record(key))

    def open_record(self, key: tuple[Any, ...]) -> None:
        """Fetch a record and show it for correction; one that waits here is shown as it waits."""
        model, waiting = self._app.data_model, self._app.waiting.latest(key)
        if waiting is not None and (waiting.state == "waiting" or self._app.reconnecting.away):
            self._opened(waiting.record)
            return
        if waiting is not None:
            self._app.deciding.open(waiting)
            return
        if model is None or self._app.reconnecting.away:
            self._open_known(key)
            return
        self._app.jobs.submit(
            "records",
            lambda: self._app.connection.lasting(lambda: model.get_versioned_record(*key)),
            done=lambda found: self._opened(found.record, found.version),
            failed=self._open_failed,
        )

    def _open_known(self, key: tuple[Any, ...]) -> None:
        known = self._app.offline.record(key)
        if known:
            self._opened(dict(known))
        else:
            self._app.status.set("This record can't be opened while the database is away")

    def _opened(self, record: Mapping[str, Any], version: int | None = None) -> None:
        if not record:
            self._app.status.set("This record no longer exists")
            self.refresh_check()
            return
        self._app.show_form()
        self._app.form.open_record(record, version)
        self._app.form.focus_correction()

    def _open_failed(self, error: BaseException) -> None:
        log.error("a record couldn't be opened", exc_info=error)
        if self._app.reconnecting.means_away(error):
            self._app.status.set("This record can't be opened while the database is away")
            return
        show_failure(self._app, "Open Record", "The record couldn't be opened.", reason_of(error))


def account() -> str:
    """Who is logged in to this computer: who corrects a colleague's record without having chosen a name isn't that
    colleague."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name
        return ""


def reason_of(error: BaseException) -> str:
    """The sentence for people, and below it what the server said, where that is known."""
    detail = getattr(error, "detail", "")
    return f"{error}\n\n{detail}" if detail else str(error)


def following_check(key: CheckKey, labs: tuple[str, ...]) -> CheckKey | None:
    """The check after ``key``: the next lab at the same time, after the last lab the next time of the day."""
    date, time, lab = key
    if lab in labs[:-1]:
        return date, time, labs[labs.index(lab) + 1]
    if time in CHECK_TIMES[:-1] and labs:
        return date, CHECK_TIMES[CHECK_TIMES.index(time) + 1], labs[0]
    return None
