"""Withdraws and moves saved records, and brings back withdrawn ones, each time after asking for the reason."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .. import fields
from ..constants import CHECK_TIMES
from ..constants import FieldNames as F
from ..views.conflict import ConflictDialog, ConflictText
from ..views.reasoned import Asked, ReasonedDialog
from ..widgets.focus import focused_widget
from ..workflows.save_record import merge_versions
from .connection import NoAnswer
from .entry import Question, moment, question_of, resolve, shown
from .messages import reason_of
from .side_list import Sending, WindowContext
from .taking_back import UNDOES, LastAction

if TYPE_CHECKING:
    from ..models import SQLModel, VersionedRecord, Withdrawn
    from ..models.undoing import By, Place
    from ..views import DataRecordForm, RecordList
    from .navigation import Navigation
    from .outage import Reconnecting
    from .taking_back import TakingBack
    from .unsent import DialogKey

log = logging.getLogger(__name__)
Key = tuple[Any, Any, Any, Any]
Result = TypeVar("Result")
_WITHDRAWING = ("Typed twice", "Wrong plot", "Wrong check", "Not measured")
_MOVING = ("Wrong plot", "Wrong time", "Wrong day", "Wrong lab")
_BACK = ("It was right", "Withdrawn by mistake")


def place_taken(mine: Mapping[str, Any], theirs: VersionedRecord, doing: str, then: str) -> Question:
    """Return the question when another record is at the new place. ``doing``: what wasn't done; ``then``: what Save
    does."""
    question, when = question_of(merge_versions(mine, None, theirs)), moment(theirs.changed_at)
    words = ConflictText(
        f"There is a record of {named(key_of(mine))} already. {doing}",
        f"{question.by} saved it {when}. Choose for each field which value is right. {then}",
        f"{question.by}, {when.removeprefix('at ')}",
    )
    return question._replace(words=words)


class Asking(NamedTuple):
    """A change that a dialog asks about: the dialog's title, what it is about, and what opens it again."""

    title: str
    about: object
    again: Callable[[], object]

    @property
    def dialog_key(self) -> DialogKey:
        """The key under which what was typed is kept until the database has it."""
        return self.title, self.about


class Changes:
    """Changes saved records after asking for the reason; ``changed()`` is called afterwards. On the Tk thread."""

    def __init__(
        self,
        context: WindowContext,
        form: DataRecordForm,
        records: RecordList,
        taking_back: TakingBack,
        reconnecting: Reconnecting,
        navigation: Navigation,
        changed: Callable[[], object],
    ) -> None:
        self._window, self._state, self._connection, self._messages, self._show_status = context[:5]
        self._form, self._records = form, records
        self._taking_back, self._reconnecting, self._navigation = taking_back, reconnecting, navigation
        self._changed = changed
        self._sending = Sending(
            context, context.show_status, form.known.look_up, lambda typed: ", ".join(each for each in typed if each)
        )

    def withdraw(self, row: Mapping[str, Any] | None = None, then: Callable[[], object] = lambda: None) -> None:
        """Ask for a reason, then withdraw the record of that row, or the selected one; ``then()`` is called
        afterwards."""

        def ask(found: VersionedRecord, key: Key) -> None:
            asking = Asking("Withdraw Record", key, lambda: self.withdraw(row_of(key), then))
            self.ask(
                asking,
                f"Withdraw the record of {named(key)}?",
                f"{readings(found.record)}.\n\nIt disappears from all lists and extracts. The audit keeps it with the "
                "reason, and Edit ‣ Withdrawn Records brings it back.",
                "Withdraw",
                lambda _values, reason: self._withdraw(asking, key, found.version, reason, then),
                usual=_WITHDRAWING,
            )

        self.with_record(row, ask)

    def move(self, row: Mapping[str, Any] | None = None) -> None:
        """Ask for a place and a reason, then move the record of that row, or the selected one."""

        def ask(found: VersionedRecord, key: Key) -> None:
            def act(values: Mapping[str, Any], reason: str) -> None:
                to: Key = (values[F.DATE], values[F.TIME], values[F.LAB], values[F.PLOT])
                self._move(asking, found, key, to, reason)

            texts = dict(zip(fields.RECORD_KEY, key, strict=True))
            choices = self._form.choices
            asking = Asking("Move Record", key, lambda: self.move(row_of(key)))
            self.ask(
                asking,
                f"Where does the record of {named(key)} belong?",
                f"{readings(found.record)}.",
                "Move",
                act,
                [Asked(name, str(texts[name]), CHECK_TIMES if name == F.TIME else choices.get(name) if name == F.LAB
                       else None) for name in fields.RECORD_KEY],
                usual=_MOVING,
                check=lambda values: "It stands there already." if tuple(values.values()) == key else "",
            )  # fmt: skip

        self.with_record(row, ask)

    def move_check(self) -> None:
        """Ask for a check and a reason, then move all records of the form's check there."""
        check = self._form.check
        if not self.may_begin():
            return
        if check.key is None or not check.recorded:
            self._show_status("Choose a check with records first")
            return
        self._ask_move_check(check.key, len(check.recorded))

    def _ask_move_check(self, key: tuple[Any, Any, Any], count: int) -> None:
        asking = Asking("Move Check", key, lambda: self._ask_move_check(key, count))

        def act(values: Mapping[str, Any], reason: str) -> None:
            to = (values[F.DATE], values[F.TIME], values[F.LAB])
            self._move_check(asking, key, to, reason)

        texts = dict(zip(fields.RECORD_KEY, key, strict=False))
        self.ask(
            asking,
            f"Where do the {count} records of {key[0]} {key[1]}, lab {key[2]}, belong?",
            "Date, time and lab of all of them are changed; their plots stay.",
            "Move",
            act,
            [Asked(F.DATE, str(texts[F.DATE])), Asked(F.TIME, str(texts[F.TIME]), CHECK_TIMES),
             Asked(F.LAB, str(texts[F.LAB]), self._form.choices.get(F.LAB))],
            usual=_MOVING[1:],
            check=lambda values: "It stands there already." if tuple(values.values()) == key else "",
        )  # fmt: skip

    def bring_back(self, gone: Withdrawn, done: Callable[[], object]) -> None:
        """Ask for a reason, then restore the withdrawn record; ``done()`` is called when something has changed."""
        key = key_of(gone.record)
        asking = Asking("Bring Back", (key, gone.entry), lambda: self.bring_back(gone, done))

        def act(_values: Mapping[str, Any], reason: str) -> None:
            def change(model: SQLModel, by: By) -> None:
                model.bring_back_record(key, reason, entry=gone.entry, by=by)

            def back(_result: object) -> None:
                self.changed(f"The record of {named(key)} is back")
                done()

            def taken(theirs: VersionedRecord) -> None:
                over = place_taken(gone.record, theirs, "Nothing was brought back.", "Save keeps the result.")
                self._resolve(asking, over, reason)

            self.do(asking, change, back, taken)

        self.ask(
            asking,
            f"Bring back the record of {named(key)}?",
            f"{readings(gone.record)}.\n\n{gone.who} withdrew it: {gone.reason or 'no reason given'}.",
            "Bring Back",
            act,
            usual=_BACK,
        )

    def _withdraw(self, asking: Asking, key: Key, version: int, reason: str, then: Callable[[], object]) -> None:
        def change(model: SQLModel, by: By) -> None:
            model.withdraw_record(key, reason, expected_version=version, by=by)

        def done(_result: object) -> None:
            self._records.unmark(key)
            form = self._form
            if form.opened == key and not form.changed:
                form.begin_new(plot=key[3])
            self.changed(f"The record of {named(key)} is withdrawn. {UNDOES}")
            self.remember(LastAction(
                f"the withdrawal of {named(key)}",
                lambda model, by: model.bring_back_record(key, "taken back", by=by),
                lambda _result: self.changed(f"The record of {named(key)} is back"),
            ))  # fmt: skip
            then()

        self.do(asking, change, done)

    def _move(self, asking: Asking, found: VersionedRecord, key: Key, to: Key, reason: str) -> None:
        def change(model: SQLModel, by: By) -> None:
            model.move_record(key, to, reason, expected_version=found.version, by=by)

        def done(_result: object) -> None:
            self._records.unmark(key)
            form = self._form
            if form.opened == key and not form.changed:
                self._navigation.open_record(to)
            self.changed(f"The record of {named(key)} is that of {named(to)} now. {UNDOES}")
            self.remember(LastAction(
                f"the move to {named(to)}",
                lambda model, by: model.take_back(to, None, by=by),
                lambda _result: self.changed(f"The record is that of {named(key)} again"),
            ))  # fmt: skip

        def taken(theirs: VersionedRecord) -> None:
            mine = {**found.record, **dict(zip(fields.RECORD_KEY, to, strict=True))}
            then = f"Save keeps the result there, and withdraws the record of {named(key)}."
            over = place_taken(mine, theirs, "Nothing was moved.", then)
            self._resolve(asking, over, reason, (key, found.version))

        self.do(asking, change, done, taken)

    def _move_check(self, asking: Asking, key: tuple[Any, Any, Any], to: tuple[Any, Any, Any], reason: str) -> None:
        from ..models.undoing import place

        def change(model: SQLModel, by: By) -> list[Place]:
            plots = model.get_check(*key).recorded
            model.move_check(key, to, reason, by=by)
            return [place(dict(zip(fields.RECORD_KEY, (*to, plot), strict=True))) for plot in plots]

        def done(places: list[Place]) -> None:
            moved = len(places)
            if not self._messages.typed_since():
                self._navigation.leave_form(lambda: self._form.set_check(*to))
            where = f"{to[0]} {to[1]}, lab {to[2]}"
            self.changed(f"{moved} records are those of {where} now. {UNDOES}")
            self.remember(LastAction(
                f"the move of {moved} records",
                lambda model, by: model.take_back_records(places, by=by),
                lambda _: self.changed(f"{moved} records are those of {key[0]} {key[1]}, lab {key[2]} again"),
            ))  # fmt: skip

        self.do(asking, change, done)

    def ask(
        self,
        asking: Asking,
        message: str,
        detail: str,
        action: str,
        act: Callable[[Mapping[str, Any], str], object],
        asked: Sequence[Asked] = (),
        kind: Callable[..., ReasonedDialog] = ReasonedDialog,
        **more: Any,
    ) -> None:
        """Open a dialog that asks for values and the reason, with what was typed there in vain before."""

        def acted(values: Mapping[str, Any], reason: str, typed: tuple[str, ...]) -> None:
            self._sending.keep(asking.dialog_key, *typed)
            act(values, reason)

        def make(typed: tuple[str, ...]) -> ReasonedDialog:
            return kind(self._window, asking.title, message, detail, action, acted, asked, typed=typed, **more)

        self._sending.open(asking.dialog_key, message, make, len(asked) + 1, detail=detail)

    def with_record(self, row: Mapping[str, Any] | None, ask: Callable[[VersionedRecord, Key], object]) -> None:
        """Fetch the record as it is now, then call ``ask``."""
        key = key_of(row) if row is not None else self.attended()
        if not self.may_begin():
            return
        if key is None:
            self._show_status("Choose a saved record first: a row of the list, or a plot")
        elif self._state.latest_waiting(key) is not None:
            self._show_status("This record waits on this computer: it isn't in the database yet")
        else:
            wanted = key

            def fetched(found: VersionedRecord) -> None:
                if found.version:
                    ask(found, wanted)
                else:
                    self._show_status(f"There is no record of {named(wanted)}")

            self.look_up(
                f"the record of {named(wanted)}",
                lambda model: model.get_versioned_record(*wanted),
                fetched,
                "Saved Records",
            )

    def look_up(
        self, what: str, work: Callable[[SQLModel], Result], found: Callable[[Result], object], title: str
    ) -> None:
        """Look up what a dialog is to ask about, and say so meanwhile: the database may be slow to answer."""
        self._show_status(f"Looking up {what}…")

        def answered(result: Result) -> None:
            self._show_status("")
            found(result)

        self._connection.ask(work, answered, lambda error: self.failed(title, error))

    def do(
        self,
        asking: Asking,
        change: Callable[[SQLModel, By], Any],
        done: Callable[[Any], object],
        taken: Callable[[VersionedRecord], object] | None = None,
    ) -> None:
        """Change something on the database thread. ``taken(theirs)`` is called if another record is at that place.
        If it fails, a message says why, and offers what was typed again."""
        from .. import models

        def is_taken(error: BaseException) -> bool:
            theirs = error.theirs if isinstance(error, models.RecordExists) else None
            if taken is None or theirs is None or not theirs.version:
                return False
            taken(theirs)
            return True

        self._sending.ask(asking.dialog_key, change, done, asking.again, is_taken)

    def _resolve(self, asking: Asking, over: Question, reason: str, source: tuple[Key, int] | None = None) -> None:
        """Ask which values to keep, field by field, and save the result over the record that is there.

        ``source``: the record that was to come there, with its version, which is withdrawn then.
        """
        from ..models.errors import OutcomeUnknown

        author, key = self._state.person, key_of(over.conflict.mine)
        is_unknown = False  # whether it was saved; then the answer may come when the dialog has been closed

        unknown = f"The database hasn't answered yet whether the record of {named(key)} is saved"

        def save(result: Mapping[str, Any], dialog: ConflictDialog | None) -> None:
            def change(model: SQLModel, by: By) -> None:
                theirs = over.conflict.theirs
                version, changes = theirs.version, result != theirs.record
                if source is None:
                    if changes:
                        model.save_record(result, "update", expected_version=version, reason=reason, author=author)
                elif changes:
                    model.move_record_over(
                        source[0], result, reason, expected_version=source[1], over_version=version, by=by
                    )
                else:
                    model.withdraw_record(source[0], reason, expected_version=source[1], by=by)

            def done(_result: object) -> None:
                if dialog is not None and dialog.winfo_exists():
                    dialog.close()
                self.changed(f"The record of {named(key)} is saved as chosen")

            def refused(error: BaseException) -> bool:
                nonlocal is_unknown
                no_answer = isinstance(error, NoAnswer | OutcomeUnknown)
                is_unknown = no_answer or (is_unknown and isinstance(error, ConnectionError))  # asked again meanwhile
                if dialog is not None and dialog.winfo_exists():  # it stays open until it is answered
                    dialog.refuse(str(error) if is_unknown else f"Nothing was changed. {error}", is_unknown)
                    return True
                if is_unknown:
                    self._show_status(unknown)
                return is_unknown

            job = self._sending.ask(asking.dialog_key, change, done, asking.again, refused)
            if job is not None:  # after this, `done` or `refused` is called once the answer is here
                self._reconnecting.expect(job, partial(refused, NoAnswer("The database didn't answer in time.")))

        def cancel() -> None:
            self._show_status(unknown if is_unknown else "Nothing was changed; what you typed is kept")

        resolve(self._form, self._messages, self._show_status, over, save, cancel)

    def changed(self, result: str) -> None:
        """Report that saved records have changed; ``result`` says what was done."""
        self._changed()
        self._show_status(result)

    def failed(self, title: str, error: BaseException) -> None:
        """Report that nothing was changed, and why."""
        log.warning("%s: %s", title, type(error).__name__)
        if self._reconnecting.means_away(error):
            self._show_status("Nothing was changed: the database is away")
            return
        self._messages.failure(title, "Nothing was changed.", reason_of(error))

    def may_begin(self) -> bool:
        """Return whether saved records can be changed now; if not, the status line says why."""
        if self._state.reachable is None:
            self._show_status("Saved records can be changed when the database is back")
        return self._state.reachable is not None

    def attended(self) -> Key | None:
        """Return the selected record: the list's row if the focus is there, else the form's."""
        records, form = self._records, self._form
        if focused_widget(form) is records.page.tree and records.page.selected is not None:
            return key_of(records.page.selected)
        if form.opened is not None:
            return form.opened
        key = form.key
        return key if key is not None and key[3] in form.check.recorded else None

    def remember(self, action: LastAction) -> None:
        """Remember an action, so that it can be taken back."""
        self._taking_back.remember(action)


def key_of(record: Mapping[str, Any]) -> Key:
    """Return date, time, lab and plot of a record."""
    date, time, lab, plot = (record[name] for name in fields.RECORD_KEY)
    return date, time, lab, plot


def row_of(key: Key) -> dict[str, Any]:
    """Return date, time, lab and plot by field name."""
    return dict(zip(fields.RECORD_KEY, key, strict=True))


def named(key: Key) -> str:
    """Return the record's check, lab and plot in words."""
    date, time, lab, plot = key
    return f"{date} {time}, lab {lab}, plot {plot}"


def readings(record: Mapping[str, Any]) -> str:
    """Return the values of the record in one line."""
    told = [each for each in fields.FIELDS if each.name not in fields.RECORD_KEY]
    return ", ".join(
        f"{each.name} {shown(each, record[each.name])}"
        for each in told
        if record.get(each.name) not in (None, False, "")
    )
