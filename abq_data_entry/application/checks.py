"""The form's check: what is known of it, looked up when it is chosen, and the one that comes after it."""

from __future__ import annotations

import datetime
import logging
from typing import TYPE_CHECKING, Any

from ..constants import CHECK_TIMES
from ..views.form_content import CheckView
from ..views.record_inputs import CheckKey
from .presence import others_in

if TYPE_CHECKING:
    from .window import Application

log = logging.getLogger(__name__)


class Checks:
    """Looks checks up and shows them in the form; without the database, from the last known copy."""

    def __init__(self, application: Application) -> None:
        self._app = application

    def chosen(self, date: datetime.date, time: str, lab: str) -> None:
        """The form has a date, a time and a lab: fetch what is known of that check."""
        model, key, saved = self._app.data_model, (date, time, lab), self._app.shared.saved_records
        if model is None and self._app.shared.opening and not self._app.reconnecting.away:
            return  # looked up when it is open
        if model is None or self._app.reconnecting.away:
            self._show_known(key)
            return

        def look_up() -> tuple[CheckView, Any]:
            progress = self._app.connection.lasting(lambda: model.get_check(*key))
            plots = model.choices().plots
            view = CheckView(
                key=key,
                technician=progress.technician,
                recorded=progress.recorded,
                previous=model.get_previous_readings(*key),
                known=True,
                following=following_check(key, tuple(plots)),
                version=progress.version,
                others=others_in(model.get_presence(*key)),
            )
            return view.with_plots(plots.get(lab, ())), progress

        def show(found: tuple[CheckView, Any]) -> None:
            view, progress = found
            if self._app.shared.saved_records != saved:  # looked up before that save was done: it would be missing
                self.chosen(*key)
                return
            self._app.offline.check_loaded(key, progress, view.previous)
            self._app.form.show_check(self._app.offline.overlaid(view))
            self._app.presence.follow_form()

        job = self._app.jobs.submit("records", look_up, done=show, failed=lambda error: self._unknown(key, error))
        self._app.reconnecting.expect(job)

    def _show_known(self, key: CheckKey) -> None:
        """The database is away: what the last known copy says of the check."""
        unknown = CheckView(key=key, problem="What is recorded isn't known while the database is away.")
        shown, before = self._app.offline.check(key) or unknown, self._app.form.check
        # Who was last seen at a plot is most likely still there: the next plot isn't that one.
        others = before.others if before.key == key else ()
        self._app.form.show_check(shown._replace(others=others))

    def _unknown(self, key: CheckKey, error: BaseException) -> None:
        log.warning("the check couldn't be looked up", exc_info=error)
        if self._app.reconnecting.means_away(error) and self._app.offline.check(key) is not None:
            self._show_known(key)
            return
        self._app.form.show_check(CheckView(key=key, problem=f"The check couldn't be looked up: {error}"))

    def refresh(self) -> None:
        """Look the form's check up again."""
        if self._app.form.check_key is not None:
            self.chosen(*self._app.form.check_key)

    def begin_next(self) -> None:
        """Begin the check that comes after a complete one."""
        following = self._app.form.check.following
        if following is not None:
            self._app.navigation.leave_form(lambda: self._begin(following))

    def _begin(self, key: CheckKey) -> None:
        self._app.form.set_check(*key)
        self._app.form.focus_first_empty()


def following_check(key: CheckKey, labs: tuple[str, ...]) -> CheckKey | None:
    """The check after ``key``: the next lab at the same time, after the last lab the next time of the day."""
    date, time, lab = key
    if lab in labs[:-1]:
        return date, time, labs[labs.index(lab) + 1]
    if time in CHECK_TIMES[:-1] and labs:
        return date, CHECK_TIMES[CHECK_TIMES.index(time) + 1], labs[0]
    return None
