"""Who else is entering the form's check, and telling the others that we are."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..constants import FieldNames as F
from ..views.check_panel import Entering
from ..views.record_inputs import CheckKey
from .entry import person

if TYPE_CHECKING:
    from ..models import Presence, SQLModel
    from .window import Application

IDLE_SECONDS = 600.0  # so long a check counts as being entered after the last key
LOOK_SECONDS = 5.0  # how long somebody whose computer died is still shown
Held = tuple[CheckKey, "int | None", str]

log = logging.getLogger(__name__)


class CheckPresence:
    """Follows the form: a check is held from the first value typed into it until it is left, or left alone."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._check: CheckKey | None = None
        self._typed_at = 0.0
        self._told: Held | None = None
        self._looked: CheckKey | None = None
        self._looked_at = 0.0
        self._looking = False

    def look(self) -> None:
        """Somebody came, moved on or left: look who is at the form's check now."""
        self._looked = None

    def tell_again(self) -> None:
        """The connection was lost, and with it what the others knew of us."""
        self._told = None
        self.look()

    def follow_form(self) -> None:
        """Look what the form holds; tell the others when that has changed, and see who they are."""
        model = self._app.data_model
        if model is None:
            return
        held = self._held()
        if held != self._told:
            self._told = held
            self._app.jobs.submit("records", _tell, model, held, failed=_unknown)
        self._look_where_due(model)

    def leave(self) -> None:
        """The window closes."""
        model = self._app.data_model
        if model is not None and self._told is not None:
            self._app.jobs.submit("database", model.leave_check, failed=_unknown)

    def _look_where_due(self, model: SQLModel) -> None:
        check = self._app.form.check
        # Whoever goes without a word is noticed while somebody is shown; else the database tells.
        due = check.others and time.monotonic() - self._looked_at > LOOK_SECONDS
        if check.key is None or self._looking or (check.key == self._looked and not due):
            return
        key = self._looked = check.key
        self._looking, self._looked_at = True, time.monotonic()

        def done(present: Sequence[Presence]) -> None:
            self._looking = False
            others = (each for each in present if not each.own)
            self._app.form.show_others(key, tuple(Entering(each.who, each.workstation, each.plot) for each in others))

        def failed(error: BaseException) -> None:
            self._looking = False
            self._app.form.show_others(key, ())
            _unknown(error)

        self._app.jobs.submit("records", model.get_presence, *key, done=done, failed=failed)

    def _held(self) -> Held | None:
        form = self._app.form
        if form.changed or form.saving:
            self._check, self._typed_at = form.check_key, time.monotonic()
        if self._check is None or self._check != form.check_key or time.monotonic() - self._typed_at > IDLE_SECONDS:
            self._check = None
            return None
        plot = form.inputs.value(F.PLOT)
        return self._check, plot if isinstance(plot, int) else None, person(self._app)


def _tell(model: SQLModel, held: Held | None) -> None:
    if held is None:
        model.leave_check()
    else:
        check, plot, who = held
        model.enter_check(*check, plot, who)


def _unknown(error: BaseException) -> None:
    log.info("who is entering what couldn't be told or asked: %s", type(error).__name__)
