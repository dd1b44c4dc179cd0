"""Who else is entering the form's check, and telling the others that we are."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..constants import FieldNames as F
from ..retrying import PRESENCE, Retries
from ..views.form_content import Entering
from ..views.record_inputs import CheckKey

if TYPE_CHECKING:
    from ..jobs import Jobs
    from ..models import Presence, SQLModel
    from ..views import DataRecordForm
    from .messages import Say
    from .reconnecting import Reconnecting
    from .state import State

IDLE_SECONDS = 600.0  # so long a check counts as being entered after the last key
LOOK_SECONDS = 5.0  # how long somebody whose computer died is still shown
Held = tuple[CheckKey, "int | None", str]

log = logging.getLogger(__name__)


class CheckPresence:
    """Follows the form: a check is held from the moment somebody is confirmed at it, or types into it, until it is
    left, or left alone. A plot belongs to the window that came first."""

    def __init__(self, form: DataRecordForm, state: State, jobs: Jobs, say: Say, reconnecting: Reconnecting) -> None:
        self._form, self._state, self._jobs, self._say = form, state, jobs, say
        self._reconnecting = reconnecting
        self._check: CheckKey | None = None
        self.now: Callable[[], float] = time.monotonic
        """The clock, in seconds."""
        self._typed_at = self.now() - IDLE_SECONDS
        self._refused = False
        self._told: Held | None = None
        self._looked: CheckKey | None = None
        self._looked_at = 0.0
        self._looking = False
        self._retries = Retries(PRESENCE)

    def look(self) -> None:
        """Somebody came, moved on or left: look who is at the form's check now."""
        self._looked = None

    def tell_again(self) -> None:
        """The connection was lost, and with it what the others knew of us."""
        self._told = None
        self._retries.succeeded()
        self.look()

    def follow_form(self) -> bool:
        """Look what the form holds; tell the others when that has changed, and see who they are. Returns whether a plot
        is being claimed."""
        model = self._state.model
        if model is None:
            return False
        held = self._held()
        asks = held != self._told and self._retries.due
        if asks:
            self._told = held
            job = self._jobs.submit("records", _tell, model, held, done=self._answered, failed=self._unanswered)
            if held is not None:
                self._reconnecting.expect(job, self._form.awaiting.claim_answered)
        self._look_where_due(model)
        return asks and held is not None and not self._state.away

    def confirmed(self) -> bool:
        """Somebody has said who sits here: the plot in the form is claimed at once, if there is one; whether it is."""
        self._typed_at = self.now()
        return self.follow_form()

    def _answered(self, answer: Answer) -> None:
        """Where a claim was refused, the plot is somebody else's, and the form goes on to one that is free."""
        self._retries.succeeded()
        self._refused = not answer.is_ours
        if not answer.is_ours:
            self._give_way(answer)
        self._form.awaiting.claim_answered()

    def _unanswered(self, error: BaseException) -> None:
        self._told = None  # with its connection the database has forgotten us
        self._retries.failed()
        self._form.awaiting.claim_answered()
        _unknown(error)

    def _give_way(self, answer: Answer) -> None:
        if answer.held is None or answer.held[1] is None:
            return
        form, plot = self._form, answer.held[1]
        form.show_others(answer.held[0], answer.others)
        if form.check.key == answer.held[0] and form.known.give_way(plot):
            other = next((each.named for each in answer.others if each.plot == plot), "A colleague")
            self._say(f"{other} is entering plot {plot}; here the next one that is free")
            self.follow_form()

    def leave(self) -> None:
        """The window closes."""
        model = self._state.model
        if model is not None and self._told is not None:
            self._jobs.submit("database", model.leave_check, failed=_unknown)

    def _look_where_due(self, model: SQLModel) -> None:
        check = self._form.check
        # Whoever goes without a word is noticed while somebody is shown; else the database tells.
        due = check.others and self.now() - self._looked_at > LOOK_SECONDS
        if check.key is None or self._looking or (check.key == self._looked and not due):
            return
        if self._state.away:
            return
        key = self._looked = check.key
        self._looking, self._looked_at = True, self.now()

        def done(present: Sequence[Presence]) -> None:
            self._looking = False
            others = others_in(present)
            if self._refused and self._told is not None and self._told[1] not in {each.plot for each in others}:
                self._told = None  # the plot is free by now
            self._form.show_others(key, others)

        def failed(error: BaseException) -> None:
            self._looking = False
            if not self._reconnecting.means_away(error):  # then the last that was known stays
                self._form.show_others(key, ())
            _unknown(error)

        self._jobs.submit("records", model.get_presence, *key, done=done, failed=failed)

    def _held(self) -> Held | None:
        form = self._form
        recently = self.now() - self._typed_at <= IDLE_SECONDS
        if form.changed or form.saving:
            self._check, self._typed_at = form.check_key, self.now()
        elif form.person and form.check.known and form.opened is None and recently and not form.inputs.read_only:
            self._check = form.check_key
        if self._check is None or self._check != form.check_key or self.now() - self._typed_at > IDLE_SECONDS:
            self._check = None
            return None
        plot = form.inputs.value(F.PLOT)
        return self._check, plot if isinstance(plot, int) else None, self._state.person


class Answer(NamedTuple):
    """How a claim went; with the others at the check, where it was refused."""

    held: Held | None
    is_ours: bool
    others: tuple[Entering, ...] = ()


def others_in(present: Sequence[Presence]) -> tuple[Entering, ...]:
    """Who else is there."""
    return tuple(Entering(each.who, each.workstation, each.plot) for each in present if not each.own)


def _tell(model: SQLModel, held: Held | None) -> Answer:
    if held is None:
        model.leave_check()
        return Answer(held, True)
    check, plot, who = held
    if plot is None:
        model.enter_check(*check, plot, who)
        return Answer(held, True)
    if model.claim_plot(*check, plot, who):
        return Answer(held, True)
    return Answer(held, False, others_in(model.get_presence(*check)))


def _unknown(error: BaseException) -> None:
    log.info("who is entering what couldn't be told or asked: %s", type(error).__name__)
