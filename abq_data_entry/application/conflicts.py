"""Two versions of one record: what the dialog asks, and what comes of the answer; also for records that waited here and
met another version in the database."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import fields
from ..constants import FieldTypes
from ..jobs import Jobs
from ..views import DataRecordForm
from ..views.conflict import ConflictDialog, ConflictText, Difference
from ..workflows.save_record import Conflict, Save, Saved, bring_together
from .messages import Messages, place, reason_of
from .state import State

if TYPE_CHECKING:
    from ..journal import Entry
    from ..models import VersionedRecord
    from .outage import Reconnecting, Waiting

    SaveRecord = Callable[
        [
            Save,
            Callable[[Saved | None], object],
            Callable[[Conflict], object],
            Callable[[BaseException], object],
        ],
        object,
    ]

log = logging.getLogger(__name__)
Record = Mapping[str, Any]


class Question:
    """A conflict as it is put to people. ``me`` is who wants to save the record; ``waited`` since when it waited on
    this computer, if it did."""

    def __init__(self, conflict: Conflict, me: str = "", waited: datetime.datetime | None = None) -> None:
        self.conflict = conflict
        self.mine, self.theirs, self.to_choose = conflict.mine, conflict.theirs, conflict.to_choose
        self._same_person = bool(me) and me == conflict.theirs.changed_by
        self._waited = waited
        self.by = "You" if self._same_person else self.theirs.changed_by or "Somebody else"
        """Who saved the other version."""
        whose = "what you saved elsewhere:" if self._same_person else f"{self.by}'s"
        self.merged_words = f"together with {whose} {', '.join(conflict.taken_over)}" if conflict.taken_over else ""
        """What came together by itself, for the status line; empty where nothing did."""

    def differences(self) -> list[Difference]:
        """What is to be chosen, as texts."""
        base = self.conflict.base
        return [
            Difference(
                each.name,
                None if base is None else shown(each, base.get(each.name)),
                shown(each, self.mine.get(each.name)),
                shown(each, self.theirs.record.get(each.name)),
                each.type is FieldTypes.LONG_TEXT,
            )
            for each in fields.FIELDS
            if each.name in self.to_choose
        ]

    def words(self) -> ConflictText:
        """What the dialog says."""
        when, base, merged = moment(self.theirs.changed_at), self.conflict.base, self.conflict.merged
        happened = "is recorded already" if base is None else "has changed since it was opened here"
        elsewhere = " in another window or on another computer" if self._same_person else ""
        waited = f"What was typed here waited for the database, {since(self._waited)}. " if self._waited else ""
        taken_over = [each for each in fields.FIELDS if each.name in self.conflict.taken_over]
        taken = [f"{each.name} {shown(each, merged.get(each.name)) or 'empty'}" for each in taken_over]
        # Within a sentence a name stays as it is.
        named = self.by if not self._same_person and self.theirs.changed_by else self.by[0].lower() + self.by[1:]
        return ConflictText(
            f"{place(self.mine)} {happened}.",
            f"{waited}{self.by} saved it {when}{elsewhere}. Choose for each field which value is right.",
            f"Saved by {named}, {when.removeprefix('at ')}",
            f"Changed only in what was saved: {', '.join(taken)}. That is kept." if taken and base is not None else "",
        )


def resolve(
    form: DataRecordForm,
    messages: Messages,
    say: Callable[[str], object],
    question: Question,
    save: Callable[[Record, ConflictDialog | None], object],
    cancel: Callable[[], object],
    former: ConflictDialog | None = None,
) -> None:
    """Save what comes together by itself; where somebody has to choose, ask first.

    ``save(record, dialog)``: the record that both sides give, to be saved over ``theirs``, and the dialog that is still
    open, if there is one. ``former`` is the dialog of an attempt before this one, which is closed; what was chosen
    there stays chosen where it can.
    """
    if former is not None:
        former.close()
    conflict = question.conflict
    if not conflict.to_choose:
        save(conflict.merged, None)
        return
    words = question.words()
    say(f"Not saved yet: {words.message}")
    form.type_ahead.undecided()

    messages.open(
        f"Conflict, {place(question.mine)}",
        words.message,
        words.detail,
        "Choose…",
        partial(
            ConflictDialog,
            form.winfo_toplevel(),
            words,
            question.differences(),
            partial(conflict.chosen, form.choices),
            save,
            cancel,
            former,
        ),
        cancel,
    )


def shown(field: fields.Field, value: object) -> str:
    """A value as people read it, with its unit; empty where there is none."""
    if field.type is FieldTypes.BOOLEAN:
        return "yes" if value else "no"
    text = fields.format_value(field, value)
    return f"{text} {field.unit}" if field.unit and isinstance(value, Decimal) else text


def since(at: datetime.datetime | None) -> str:
    """From when on it was, by the clock on this desk: "since 10:42"."""
    return f"since {moment(at).removeprefix('at ').removeprefix('on ')}"


def moment(at: datetime.datetime | None) -> str:
    """When it was, by the clock on this desk: "at 10:42", with the day if that isn't today."""
    if at is None:
        return "meanwhile"
    local = at.astimezone() if at.tzinfo is not None else at
    today = local.date() == datetime.datetime.now().astimezone().date()
    return f"at {local:%H:%M}" if today else f"on {local:%Y-%m-%d} at {local:%H:%M}"


class Deciding:
    """Opens what waits and met another version; what was decided on leaves the journal once the decision is saved.

    ``save`` is `Saver.save`; ``open_record(key)`` shows a record that waits, ``leave_form(then)`` does ``then`` once
    what is half typed is kept; ``show_form()`` brings the form to the front; ``decided(record, key)`` is called once
    the database has the decision. On the Tk thread.
    """

    def __init__(
        self,
        form: DataRecordForm,
        jobs: Jobs,
        state: State,
        messages: Messages,
        say: Callable[[str], object],
        waiting: Waiting,
        save: SaveRecord,
        reconnecting: Reconnecting,
        open_record: Callable[[tuple[Any, ...]], object],
        leave_form: Callable[[Callable[[], object]], object],
        show_form: Callable[[], object],
        decided: Callable[[Record, tuple[Any, ...]], object],
    ) -> None:
        self._form, self._jobs, self._state, self._messages, self._say = form, jobs, state, messages, say
        self._waiting, self._save_record = waiting, save
        self._reconnecting, self._open_record, self._leave_form = reconnecting, open_record, leave_form
        self._show_form, self._decided = show_form, decided

    def open(self, entry: Entry) -> bool:
        """Show the record as it waits; where it needs a decision, beside what the database has now. False where that
        can't be done now."""
        model = self._state.reachable
        if entry.unknown:
            self._say(f"{entry.title}: {entry.remark}")
        elif entry.state != "undecided":
            self._open_record(entry.key)
        elif model is None:
            self._say("This can be decided when the database is back: its version is needed too")
            return False
        else:
            self._jobs.submit(
                "records",
                lambda: model.get_versioned_record(*entry.key),
                done=lambda found: self._show(entry, found),
                failed=self._not_fetched,
            )
        return True

    def discard(self, entry: Entry) -> None:
        """Give up what was recorded here, after a question."""
        self._messages.choice(
            "Discard Record",
            f"Discard what was recorded here of {entry.title}?",
            "What the database has stays as it is. What was recorded here can't be brought back.",
            (("Keep", None), ("Discard", lambda: self._discard(entry)), ("Cancel", None)),
        )

    def _discard(self, entry: Entry) -> None:
        self._waiting.settle((entry.identifier,), "discarded")
        self._say(f"{entry.title}: what was recorded here is discarded")
        self._form.known.look_up()

    def _show(self, entry: Entry, found: VersionedRecord) -> None:
        # Later corrections of the same plot wait behind it: the last one is what was meant.
        same = [each for each in self._waiting.undecided if each.key == entry.key] or [entry]
        if not found.version and self._messages.typed_since():
            self._say(f"{entry.title} isn't opened: you typed on. Open it again from the records that wait")
            return
        if not found.version:
            self._leave_form(lambda: self._show_in_form(same))
            return
        base = same[0].base if same[0].write == "update" else None
        last = same[-1]
        save = Save(last.record, "update", author=last.author, reason=last.reason, whole_check=last.whole_check,
                    typed=last.moment)  # fmt: skip
        self._ask(same, save, bring_together(last.record, base, found))

    def _ask(self, same: list[Entry], save: Save, found: Conflict, former: ConflictDialog | None = None) -> None:
        question = Question(found, save.author, same[-1].moment)
        resolve(
            self._form,
            self._messages,
            self._say,
            question,
            lambda record, dialog: self._save(same, save.over(found.theirs, record), question.merged_words, dialog),
            lambda: self._say("Nothing was decided: the record goes on waiting here"),
            former,
        )

    def _show_in_form(self, same: list[Entry]) -> None:
        """There is nothing to decide between, but something to put right: the form has it as a new record."""
        form, last = self._form, same[-1]
        self._waiting.in_form[last.key] = tuple(each.identifier for each in same)
        self._show_form()
        form.begin_new()
        form.fill({each.name: fields.format_value(each, last.record[each.name]) for each in fields.FIELDS})
        form.focus_first_empty()
        self._say(f"{last.remark} Correct it, and save it as a new record")

    def _save(self, same: list[Entry], save: Save, said: str, dialog: ConflictDialog | None) -> None:
        def ended(saved: Saved | None) -> None:
            if dialog is not None:
                dialog.close()
            self._waiting.settle(tuple(each.identifier for each in same), "decided")
            merged = "" if saved is None or saved.merged is None else Question(saved.merged, save.author).merged_words
            self._say(" ".join(filter(None, (f"{place(save.record)}: saved", said, merged))))
            self._decided(save.record if saved is None else saved.record, save.key)

        def failed(error: BaseException) -> None:
            if dialog is not None:
                dialog.refuse(reason_of(error))
            else:
                log.error("a decision couldn't be saved", exc_info=error)
                self._messages.failure("Save Record", f"{place(save.record)} couldn't be saved.", str(error))

        # Where somebody was quicker once more, both are shown once more.
        self._save_record(save, ended, lambda found: self._ask(same, save, found, dialog), failed)

    def _not_fetched(self, error: BaseException) -> None:
        log.warning("a record couldn't be fetched for a decision", exc_info=error)
        self._reconnecting.means_away(error)
        self._say(f"The version of the database couldn't be fetched: {error}")
