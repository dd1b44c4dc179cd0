"""Alarms: a line in the message bar for each, the list, and this window's share in looking for and sending them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..counting import counted, one_line
from ..jobs import ANY, Job, Jobs
from ..widgets.status_bar import Message
from .side_list import SideList, WindowContext

if TYPE_CHECKING:

    from ..models import SQLModel
    from ..models.alarms import Alarm
    from ..views.action_list import ActionRow
    from ..views.alarms import AlarmsWindow
    from ..workflows.alarms import AlarmsChecked
    from .preferences import Settings

log = logging.getLogger(__name__)

KEY = "alarms"
"""The subject of the line in the message bar."""
FIRST_LOOK_MS = 60_000  # later than the start, because the user wants to type then
LOOK_MS = 150_000
_TITLE = "End Alarm"
_DAYS = 30


class AlarmList(SideList["Alarm", "AlarmsWindow"]):
    """The alarms of the last days, as of the last look. Every few minutes, one workstation at a time looks for alarms
    and notifies the receivers in the background. On the Tk thread. ``keyring_silent()`` returns why the keyring isn't
    asked for passwords, empty if it is."""

    subject = "the alarms"
    away = "The database is away: alarms can be ended when it is back."
    unknown = "The alarms aren't known while the database is away. F5 tries again."

    def __init__(
        self, context: WindowContext, jobs: Jobs, settings: Settings, keyring_silent: Callable[[], str]
    ) -> None:
        super().__init__(context)
        self._jobs, self._settings, self._keyring_silent = jobs, settings, keyring_silent
        self._announced: frozenset[int] = frozenset()
        self._job: Job | None = None
        self._open_list = self._messages.command(self.show)
        self._timer: str | None = None

    def begin(self) -> None:
        """Start to look every few minutes."""
        if self._timer is None:
            self._timer = self._window.after(FIRST_LOOK_MS, self._tick)

    def end(self) -> None:
        """Stop when the window closes; the next workstation that looks sends what this one hasn't sent."""
        if self._timer is not None:
            self._window.after_cancel(self._timer)
        if self._job is not None:
            self._job.cancel.set()

    def _tick(self) -> None:
        self._timer = self._window.after(LOOK_MS, self._tick)
        self.look_and_notify()

    @property
    def is_looking(self) -> bool:
        """Whether it is looking for alarms or sending them now."""
        return self._job is not None and not self._job.finished

    def look_and_notify(self) -> None:
        """Look for alarms in the background and notify the receivers, unless another workstation does so."""
        model, values = self._state.reachable, self._settings.values()
        if self.is_looking or model is None or self._state.outdated:
            return
        by, silent, is_own = self._who_asks(), self._keyring_silent(), self._settings.is_own_database

        def known(key: str, username: str, place: str) -> tuple[str, str] | None:
            from .logins import look_up

            return look_up(key, username, place, silent).login

        def work(job: Job) -> AlarmsChecked:
            from ..workflows.alarms import look, verified  # imported here, so that it doesn't slow the start

            return look(model, values, known, by, job.cancel, verified(model, values) if is_own else ())

        self._job = self._jobs.submit(
            ANY, work, name="alarms", done=self._checked, failed=self._check_failed, with_job=True
        )

    def _checked(self, checked: AlarmsChecked) -> None:
        for problem in checked.problems:
            log.warning("%s", problem)
        self.look()

    def _check_failed(self, error: BaseException) -> None:
        # Only logged: the window itself reports problems of the database, and the next look may succeed.
        log.warning("the alarms aren't known: %s: %s", type(error).__name__, error)

    # -- what was found -----------------------------------------------------------------------------------

    def _window_class(self) -> type[AlarmsWindow]:
        from ..views.alarms import AlarmsWindow

        return AlarmsWindow

    def _new_window(self) -> AlarmsWindow:
        from ..views.action_list import RowCallbacks

        return self._window_class()(self._window, RowCallbacks(self._list, self._messages.command(self._act)))

    def _fetch(self, model: SQLModel) -> Sequence[Alarm]:
        return model.get_alarms(ended_days=_DAYS)

    def _know(self, found: Sequence[Alarm], before: Sequence[Alarm] | None) -> None:
        were_open = {each.id for each in before or () if each.ended is None}
        for each in found:
            if each.id in were_open and each.ended is not None:
                self._show_status(f"Alarm ended: {each.line} {one_line(each.ended_words)}.")
        self._announce_new([each for each in found if each.ended is None])

    def _announce_new(self, found: Sequence[Alarm]) -> None:
        """Announce new alarms once; a line that was dismissed doesn't come back for the same ones."""
        now = frozenset(each.id for each in found)
        is_new, self._announced = not now <= self._announced, self._announced | now
        if not now:
            self._messages.settled(KEY)
        elif is_new or self._messages.bar.text_of(KEY):
            is_one = len(now) == 1
            text = f"{counted(len(now), 'alarm')} {'is' if is_one else 'are'} open"
            actions = (("Show", self._open_list), ("Close", None))
            self._messages.bar.show_message(Message(KEY, text, found[0].line, actions))

    def _list(self, everything: bool) -> None:
        self._look_up(self._fetch, self._show_rows, everything)

    def _show_rows(self, items: Sequence[Alarm], remark: str = "") -> None:
        shown = self._shown()
        if shown is None:
            return
        everything = bool(shown.everything.get())
        listed = [each for each in items if everything or each.ended is None]
        self._listed = {str(each.id): each for each in listed}
        waiting = sum(each.ended is None for each in listed)
        rows = [self._row(each, away=bool(remark)) for each in listed]
        shown.show_rows(rows, f"{len(listed):,} listed, {waiting:,} open" if listed else "", remark)

    def _row(self, alarm: Alarm, away: bool) -> ActionRow:
        from ..views.action_list import ActionRow
        from ..views.alarms import END

        found = f"{alarm.raised.astimezone():%Y-%m-%d %H:%M}"
        state = "open" if alarm.ended is None else one_line(alarm.ended_words)
        where = f", on {one_line(alarm.workstation)}" if alarm.workstation else ""
        lines = [f"Alarm {alarm.id}, {alarm.kind}, found {found}{where}:", alarm.line]
        if alarm.ended is not None:
            lines.append(f"{alarm.ended.astimezone():%Y-%m-%d %H:%M} ended: {state}.")
        lines += [f"Not told: {one_line(each)}." for each in alarm.failed_notices]
        allowed = frozenset((END,)) if alarm.ended is None and not away else frozenset[str]()
        return ActionRow(str(alarm.id), (alarm.kind, state, found, alarm.line), "\n".join(lines), allowed)

    # -- what is done about them ----------------------------------------------------------------------------

    def _act(self, _button: str, identifier: str) -> None:
        alarm = self._listed.get(identifier)
        if alarm is not None and self._may_begin("Alarms can be ended"):
            self._ask_end(alarm)

    def _ask_end(self, alarm: Alarm) -> None:
        from ..views.marks import TextDialog

        dialog_key = _TITLE, alarm.id

        def act(said: str) -> None:
            self._sending.keep(dialog_key, said)
            self._sending.change(
                dialog_key,
                lambda model, by: model.end_alarm(alarm.id, said, by=by),
                f"Alarm {alarm.id} has ended",
                lambda: self._ask_end(alarm),
            )

        detail = f"{alarm.line}\n\nIt ends for everybody. Nobody is told again unless it ends by itself and comes back."
        message = f"End alarm {alarm.id}?"
        self._sending.open(
            dialog_key, message,
            lambda typed: TextDialog(self._window, _TITLE, message, detail, "End", act, "What was done", False, *typed),
        )  # fmt: skip
