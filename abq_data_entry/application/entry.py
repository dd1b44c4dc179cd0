"""Entering records. What is half typed is kept as a draft of its plot until it is saved or discarded, even if the
window ends. A finished record goes to the database, or to the journal while that is away. If somebody else has saved
the record first, this asks which values to keep, and saves the answer."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import fields, folders
from ..constants import FieldNames as F
from ..constants import FieldTypes
from ..jobs import Jobs
from ..store.drafts import Content, Draft, DraftFile, DraftId, id_of
from ..views import DataRecordForm
from ..widgets.status_bar import Message
from . import outage
from .connection import NoAnswer
from .messages import Messages, place, reason_of
from .state import LastSave, State
from .unsent import NotSent, Unsent
from .which_database import UPDATE

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..views.conflict import ConflictDialog, ConflictText, Difference
    from ..views.form_content import RecordKey
    from ..workflows.save_record import Conflict, Save, Saved
    from .lookup import Browsing, KnownCopy
    from .outage import Reconnecting, WaitingRecords

log = logging.getLogger(__name__)
SLOW_MS = 300  # a save that takes longer is shown as running
KEPT_HERE = "kept on this computer until the database is back"
Record = Mapping[str, Any]
Key = tuple[Any, ...]


class Saver:
    """Saves into the database; if that can't be reached, takes too long or can't store anything, into the journal.

    Both get the same identifier, so that a save whose answer was lost is done only once. ``retry_after_restart(work)``,
    on a worker thread, returns ``work()``, which is repeated if the embedded server had to be restarted;
    ``ask_version(model)`` checks whether this program is too old for the database; ``claimed_late()`` is called if a
    save that took too long has claimed a plot. On the Tk thread.
    """

    def __init__(
        self,
        form: DataRecordForm,
        jobs: Jobs,
        state: State,
        show_status: Callable[[str], object],
        waiting_records: WaitingRecords,
        away: Reconnecting,
        retry_after_restart: Callable[[Callable[[], Any]], Any],
        ask_version: Callable[[SQLModel], object],
        claimed_late: Callable[[], object],
    ) -> None:
        self._form, self._jobs, self._state, self._show_status = form, jobs, state, show_status
        self._waiting_records, self._away, self._retry_after_restart = waiting_records, away, retry_after_restart
        self._ask_version, self._claimed_late = ask_version, claimed_late

    def save(
        self,
        save: Save,
        done: Callable[[Saved | None], object],
        conflict: Callable[[Conflict], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        """Save a record; into the journal while the database is away or an earlier record of the plot waits.

        One of these is called once: it is saved (``None``: it waits here), somebody has to decide, or it failed.
        """
        from ..workflows.save_record import Conflict, save_record

        state, model = self._state, self._state.model
        window = self._form.winfo_toplevel()  # timers set by the window must be cancelled by the window, as `jobs` does
        is_kept = saved_late = False

        say_slow = partial(self._show_status, f"Saving… {place(save.record)}")

        def written(outcome: Saved | Conflict) -> None:
            nonlocal saved_late
            if is_kept and isinstance(outcome, Conflict):
                log.warning("a save that took too long met another version")  # so will its replay
            elif isinstance(outcome, Conflict):
                conflict(outcome)
            elif is_kept:
                saved_late = True
                self._waiting_records.settle((save.identifier,), "saved")
                self._claimed_late()
            else:
                done(outcome)

        def not_written(error: BaseException) -> None:
            from ..models.errors import WindowOutdated, WritesRefused

            if isinstance(error, WindowOutdated) and model is not None:
                self._ask_version(model)
            later = self._away.means_away(error) or isinstance(error, WritesRefused)
            if is_kept:
                log.warning("a save that took too long failed: %s", type(error).__name__)
            elif later:
                log.warning("a record goes to the journal: %s", type(error).__name__)
                keep(str(error))
            else:
                failed(error)

        def overdue() -> None:
            error = NoAnswer("The database didn't answer in time.")
            self._away.lost(error)
            keep(str(error))

        def keep(cause: str) -> None:
            nonlocal is_kept
            is_kept = True

            def kept() -> None:
                if saved_late:  # the database answered before the journal was written
                    self._waiting_records.settle((save.identifier,), "saved")
                done(None)

            self._waiting_records.keep(save, cause, kept, failed).timers.append(window.after(SLOW_MS, say_slow))

        if state.away or model is None:
            keep(str(state.away_error or ""))
        elif state.outdated:
            keep(UPDATE)
        elif any(each.key == save.key and each.state == "waiting" for each in state.waiting):
            keep("An earlier record of this plot waits.")
        else:
            work = partial(save_record, model, save)
            job = self._jobs.submit("database", self._retry_after_restart, work, done=written, failed=not_written)
            job.timers += [window.after(SLOW_MS, say_slow), window.after(outage.PATIENCE_MS, overdue)]


class RecordEntry:
    """Saves the form's record, and updates form, list and status."""

    def __init__(
        self,
        form: DataRecordForm,
        state: State,
        messages: Messages,
        show_status: Callable[[str], object],
        saver: Saver,
        drafts: Drafts,
        waiting_records: WaitingRecords,
        copy: KnownCopy,
        browsing: Browsing,
    ) -> None:
        self._form, self._state, self._messages, self._saver = form, state, messages, saver
        self._show_status = show_status
        self._drafts, self._waiting_records, self._copy, self._browsing = drafts, waiting_records, copy, browsing
        self._typed: Save | None = None

    def save(self, record: Record, corrects: bool) -> None:
        """Save the form's valid record, as a correction of the opened one or as a new one."""
        from ..workflows.save_record import Save

        form, state = self._form, self._state
        if state.model is None and not state.away:
            form.save_failed()
            self._show_status("Not saved: the database isn't open yet. What you typed stays in the form")
            return
        base = form.opened_record if corrects else None
        self._typed = Save(
            record,
            "insert" if base is None else "update",
            None if base is None else base.record,
            None if base is None else base.version,
            state.person,
            form.reason.text,
            whole_check=form.check_panel.technician_line.wanted == (form.check_key, record[F.TECHNICIAN]),
            check_version=form.check.version,
            plots_after=tuple(plot for plot in form.check.missing_after(record[F.PLOT]) if plot != record[F.PLOT]),
        )
        self._save(self._typed)

    def _save(self, save: Save, merged: str = "", dialog: ConflictDialog | None = None) -> None:
        """Save. ``merged``: what was merged from another version, in words; ``dialog``: the open conflict dialog."""

        def conflict(found: Conflict) -> None:
            question = question_of(found, save.author)
            resolve(
                self._form,
                self._messages,
                self._show_status,
                question,
                lambda record, asked: self._save(save.over(found.theirs, record), question.merged_words, asked),
                lambda: self._decided_not_to(save, found),
                dialog,
            )

        def failed(error: BaseException) -> None:
            if dialog is not None:
                dialog.refuse(reason_of(error))
            else:
                self._save_failed(save.record, error)

        self._saver.save(save, partial(self._show_saved, save, merged, dialog), conflict, failed)

    def _show_saved(self, save: Save, merged: str, dialog: ConflictDialog | None, saved: Saved | None) -> None:
        if dialog is not None:
            dialog.close()
        form, state, then = self._form, self._state, self._form.after_save
        form.after_save = None
        if saved is not None and saved.merged is not None:
            merged = f"{merged} {question_of(saved.merged, save.author).merged_words}"
        remark = "" if saved is None else saved.remark
        waits, record = saved is None, save.record if saved is None else saved.record
        corrects = save.base is not None
        state.saved_records += 1
        state.last_save = LastSave(self._typed or save, None if saved is None else saved.version)
        count = f"{state.saved_records} record{'s' * (state.saved_records != 1)} saved"
        how = KEPT_HERE if waits else "changes saved" if corrects else "saved"
        done = " ".join(filter(None, (how, merged.strip(), remark)))
        self._show_status(f"{place(record)}: {done} · {count} in this session")
        self._drafts.saved()
        form.saved(record, None if saved is None else saved.claimed, leaves=then is not None)
        if decided := self._waiting_records.in_form.pop(save.key, ()):
            self._waiting_records.settle(decided, "decided")
        if waits:
            self._browsing.look_again()
        else:
            self._copy.record_saved(record)
            # The database answers again, so a check that couldn't be looked up can be fetched now.
            if save.whole_check or form.check.problem:
                self._form.known.look_up()
            self._browsing.record_saved(save.key, corrects)
        if then is not None:
            then()

    def _decided_not_to(self, save: Save, found: Conflict) -> None:
        """Keep everything as it was typed, because the dialog was cancelled."""
        self._form.after_save = None
        if save.base is None:
            self._form.save_failed({F.PLOT: found.reason})
            self._form.known.look_up()
        else:
            self._form.save_failed()
            self._form.shown_record.show_changed(save.key, found.theirs.changed_by)
        self._show_status(f"Not saved: {found.reason}")

    def _save_failed(self, record: Record, error: BaseException) -> None:
        from ..models.errors import RecordInvalid, RecordMissing

        self._form.after_save = None
        form = self._form
        if isinstance(error, RecordMissing):
            form.save_failed()
            form.shown_record.make_new()
            self._form.known.look_up()
            self._show_status(f"Not saved: {error} Save makes a new record of what is in the form")
        elif isinstance(error, RecordInvalid) and set(error.errors) & set(form.inputs):
            form.save_failed(error.errors)
            self._show_status("Not saved: see the marked fields")
        else:
            log.error("a record couldn't be saved", exc_info=error)
            form.save_failed()
            self._show_status(f"Plot {record[F.PLOT]} is not saved")
            self._messages.failure(
                "Save Record",
                f"Plot {record[F.PLOT]} couldn't be saved. What you typed is still in the form.",
                reason_of(error),
                retry=form.submit,
            )


class Question(NamedTuple):
    """A conflict in words.

    ``by``: who saved the other version; ``merged_words``: which fields were merged automatically, for the status line,
    empty if none were; ``words``: the texts of the dialog; ``differences``: the fields to choose, with both values.
    """

    conflict: Conflict
    by: str
    merged_words: str
    words: ConflictText
    differences: list[Difference]


def question_of(conflict: Conflict, me: str = "", waited: datetime.datetime | None = None) -> Question:
    """Return a conflict in words. ``me`` is who wants to save the record; ``waited`` is since when it has waited on
    this computer, if it has."""
    from ..views.conflict import ConflictText, Difference  # only for a conflict, not at the start

    base, merged, theirs = conflict.base, conflict.merged, conflict.theirs
    same_person = bool(me) and me == theirs.changed_by
    by = "You" if same_person else theirs.changed_by or "Somebody else"
    whose = "what you saved elsewhere:" if same_person else f"{by}'s"
    differences = [
        Difference(
            each.name,
            None if base is None else shown(each, base.get(each.name)),
            shown(each, conflict.mine.get(each.name)),
            shown(each, theirs.record.get(each.name)),
            each.type is FieldTypes.LONG_TEXT,
        )
        for each in fields.FIELDS
        if each.name in conflict.to_choose
    ]
    when = moment(theirs.changed_at)
    happened = "is recorded already" if base is None else "has changed since it was opened here"
    elsewhere = " in another window or on another computer" if same_person else ""
    began = f"What was typed here waited for the database, {since(waited)}. " if waited else ""
    taken_over = [each for each in fields.FIELDS if each.name in conflict.taken_over]
    taken = [f"{each.name} {shown(each, merged.get(each.name)) or 'empty'}" for each in taken_over]
    # Within a sentence a name keeps its capital letters.
    named = by if not same_person and theirs.changed_by else by[0].lower() + by[1:]
    words = ConflictText(
        f"{place(conflict.mine)} {happened}.",
        f"{began}{by} saved it {when}{elsewhere}. Choose for each field which value is right.",
        f"Saved by {named}, {when.removeprefix('at ')}",
        f"Changed only in what was saved: {', '.join(taken)}. That is kept." if taken and base is not None else "",
    )
    merged_words = f"together with {whose} {', '.join(conflict.taken_over)}" if conflict.taken_over else ""
    return Question(conflict, by, merged_words, words, differences)


def resolve(
    form: DataRecordForm,
    messages: Messages,
    show_status: Callable[[str], object],
    question: Question,
    save: Callable[[Record, ConflictDialog | None], object],
    cancel: Callable[[], object],
    former: ConflictDialog | None = None,
) -> None:
    """Save a record that merges without conflicts; otherwise ask first which side's values to keep.

    ``save(record, dialog)`` gets the merged record, to be saved over the version in the database, and the dialog in
    which the user chose, which is still open (``None`` if nothing had to be chosen). ``cancel()`` is called if the user
    gives up. ``former`` is the dialog of the previous attempt: it is closed, and its choices are kept where the other
    side's value is still the same.
    """
    if former is not None:
        former.close()
    conflict = question.conflict
    if not conflict.to_choose:
        save(conflict.merged, None)
        return
    from ..views.conflict import ConflictDialog

    words = question.words
    show_status(f"Not saved yet: {words.message}")
    form.type_ahead.undecided()

    messages.open(
        f"Conflict, {place(conflict.mine)}",
        words.message,
        words.detail,
        "Choose…",
        partial(
            ConflictDialog,
            form.winfo_toplevel(),
            words,
            question.differences,
            partial(conflict.chosen, form.choices),
            save,
            cancel,
            former,
        ),
        cancel,
    )


def shown(field: fields.Field, value: object) -> str:
    """Return a value with its unit, as it is shown; empty if there is none."""
    if field.type is FieldTypes.BOOLEAN:
        return "yes" if value else "no"
    text = fields.format_value(field, value)
    return f"{text} {field.unit}" if field.unit and isinstance(value, Decimal) else text


def since(at: datetime.datetime | None) -> str:
    """Return "since 10:42", in the time zone of this computer."""
    return f"since {moment(at).removeprefix('at ').removeprefix('on ')}"


def moment(at: datetime.datetime | None) -> str:
    """Return "at 10:42", in the time zone of this computer, with the date if that isn't today."""
    if at is None:
        return "meanwhile"
    local = at.astimezone() if at.tzinfo is not None else at
    today = local.date() == datetime.datetime.now().astimezone().date()
    return f"at {local:%H:%M}" if today else f"on {local:%Y-%m-%d} at {local:%H:%M}"


DELAY_MS = 150
_KEY = "Drafts"
_UNSENT = "Not Sent"


class Drafts:
    """The drafts of this window: the form's, written soon after each edit, other plots', and those of dialogs. On the
    Tk thread."""

    def __init__(
        self,
        form: DataRecordForm,
        jobs: Jobs,
        messages: Messages,
        show_status: Callable[[str], object],
        names: Callable[[], Sequence[str]],
    ) -> None:
        self._form, self._jobs, self._messages, self._show_status = form, jobs, messages, show_status
        self.file = DraftFile(folders.data_folder() / "drafts")
        self._kept: dict[DraftId, Draft] = {}
        self._shown: DraftId | None = None
        self._timer = self._not_kept = ""
        self._told_of: list[NotSent] = []
        self.unsent = Unsent(self._unsent_changed, names)
        self.greeting = "Ready"
        """The text of the status line when the database is open."""

    def begin(self, database: str) -> None:
        """Take over the drafts of windows that have ended, and show in the form what was being typed. ``database``: the
        name of the one that is being opened."""
        self.unsent.database = database
        self._jobs.submit("files", self.file.take_over, done=self._restore, failed=self._failed)

    def edited(self) -> None:
        """Write the draft soon, because something was typed; a draft shown in the form is the form's from now on."""
        if self._shown is not None:
            self._kept.pop(self._shown, None)
            self._shown = None
            self._show()
        if not self._timer:
            self._timer = self._form.after(DELAY_MS, self.keep)

    def keep(self) -> None:
        """Write the drafts now."""
        if self._timer:
            self._form.after_cancel(self._timer)
            self._timer = ""
        self._jobs.submit("files", self.file.write, self._content(), done=self._written, failed=self._failed)

    @property
    def not_kept(self) -> str:
        """Why what is half typed can't be kept on the disk; empty if it is there, or if nothing is half typed."""
        return self._not_kept if self._content() is not None else ""

    def put_away(self) -> bool:
        """Keep what is half typed as a draft of its plot, because the user leaves the form; return whether that worked.

        Values without a plot couldn't be found again, so they aren't kept, and the focus goes to what is missing.
        """
        draft = self._form.draft()
        if draft is None:
            return True
        if not self.put(draft):
            self._form.focus_key()
            self._show_status("First say which plot these values belong to, or discard them")
            return False
        self._form.shown_record.leave()
        return True

    def put(self, draft: Mapping[str, Any], more: str = "") -> bool:
        """Keep a draft for its plot; return False if it has no plot, or that has another draft. ``more`` is added to
        the status."""
        identity = id_of(draft)
        if identity is None or (identity in self._kept and identity != self._shown):
            return False
        date, time, lab, plot = identity.key
        self._kept[identity] = dict(draft)
        self._shown = None
        self._show_status(f"Plot {plot}, lab {lab}, {time} of {date} stays half typed, and is kept{more}")
        self._show()
        self.keep()
        return True

    def stay_behind(self, draft: Mapping[str, Any]) -> bool:
        """Keep a draft for its plot when another check is chosen; return False if the plot has another one."""
        return self.put(draft, ". Ctrl+Z goes back to it")

    def is_other(self, key: RecordKey, corrects: bool) -> bool:
        """Return whether the plot has a draft other than what is in the form."""
        identity = DraftId(key, corrects)
        return identity in self._kept and identity != self._shown

    def find(self, key: RecordKey) -> Draft | None:
        """Return the draft of that plot to show in the form: of a correction, else of a new record."""
        return self.find_correction(key) or self._take(DraftId(key, False))

    def find_correction(self, key: RecordKey) -> Draft | None:
        """Return the draft of a correction of that plot to show in the form."""
        return self._take(DraftId(key, True))

    def saved(self) -> None:
        """Drop the draft of the form, because its record is saved; the file follows once the next plot is shown."""
        if self._shown is not None:
            self._kept.pop(self._shown, None)
            self._shown = None
            self._show()
        if self._timer:
            self._form.after_cancel(self._timer)
        self._timer = self._form.after(1, self.keep)

    def discard(self) -> None:
        """Discard what is half typed in the form, because the user asks for it."""
        form = self._form
        if self._shown is not None:
            self._kept.pop(self._shown, None)
            self._shown = None
        if not form.changed:
            return
        plot = form.inputs[F.PLOT].text
        form.shown_record.discard()
        self._show()
        self.keep()
        form.focus_first_empty()
        self._show_status(f"What was typed for plot {plot} is discarded" if plot else "What was typed is discarded")

    def end(self) -> None:
        """Stop when the window closes, and let another one take its place."""
        self._jobs.submit("files", self.file.release)

    # -- inside -----------------------------------------------------------------------------------------

    def _content(self) -> Content | None:
        draft, ahead = self._form.draft(), tuple(self._form.type_ahead.draft())
        kept, dialogs = dict(self._kept), self.unsent.drafts
        if draft is not None and self._shown is not None:
            kept.pop(self._shown, None)
        is_any = draft is not None or kept or ahead or dialogs
        return Content(tuple(kept.values()), draft, ahead, dialogs) if is_any else None

    def _take(self, identity: DraftId) -> Draft | None:
        """Return a draft that the form will show; it is kept until it is changed there."""
        if identity not in self._kept:
            return None
        self._shown = identity
        return self._kept[identity]

    def _restore(self, found: Content) -> None:
        if self.file.problems:  # in one message: a second one of that title would replace it
            self._messages.warning("Half-Typed Plots", self.file.problems[0], "\n\n".join(self.file.problems[1:]))
        self._form.type_ahead.restore(found.ahead)
        for draft in found.kept:
            if (of_plot := id_of(draft)) is not None:
                self._kept.setdefault(of_plot, draft)
        identity = id_of(found.in_form) if found.in_form is not None else None
        # What has been typed since the start stays in the form; only a draft without a plot must go there.
        is_free = not self._form.changed and (identity is None or not self._form.draft_keeper.head_is_typed)
        if found.in_form is not None and is_free:
            self._form.draft_keeper.restore(found.in_form)
            self._form.focus_first_empty()
            # Shown again when the database is open, which may be later.
            self.greeting = "What you were typing when the program ended is back in the form"
        elif found.in_form is not None and identity is not None:
            self._kept.setdefault(identity, found.in_form)
        if self._kept:
            self.greeting = f"{self.greeting}. Half typed, and kept: {self._named()}".removeprefix("Ready. ")
        self._show()
        if self.greeting != "Ready":
            self._show_status(self.greeting)
        self.unsent.restore(found.dialogs)
        self._show_found()

    def _unsent_changed(self) -> None:
        if not self._timer:
            self._timer = self._form.after(DELAY_MS, self.keep)
        if self._told_of and self.unsent.found != self._told_of:
            is_shown = self._messages.bar.text_of(_UNSENT)
            self._messages.settled(_UNSENT)
            if is_shown:
                self._show_found()

    def _show_found(self) -> None:
        """Name in the message bar what was typed before the start and isn't sent."""
        self._told_of = found = self.unsent.found
        if found:
            discard = self._messages.command(partial(self._ask_to_discard, found))
            text, lines = self.unsent.told(found)
            message = Message(_UNSENT, text, lines, (("Discard…", discard),))
            self._messages.bar.show_message(message, behind=True)

    def _ask_to_discard(self, found: Sequence[NotSent]) -> None:
        text, lines = self.unsent.told(found, in_full=True)  # perhaps the only place to copy it from
        discard = partial(self.unsent.discard, found)
        buttons = ("Discard It", discard), ("Keep It", self._show_found)
        self._messages.choice(_UNSENT, f"{text} Discard it?", lines, buttons, careful=True)

    def _named(self) -> str:
        places = [f"plot {plot}, lab {lab}, {time} of {date}" for (date, time, lab, plot), _corrects in self._kept]
        return "; ".join(places[:2]) + (f" and {len(places) - 2} more" if len(places) > 2 else "")

    def _show(self) -> None:
        self._form.show_drafts({identity.key for identity in self._kept})

    def _failed(self, error: BaseException) -> None:
        log.warning("the drafts couldn't be read or kept", exc_info=error)
        if str(error) != self._not_kept:
            self._not_kept = str(error)
            self._messages.note(_KEY, "What you are typing can't be kept on the disk at the moment.", str(error))

    def _written(self, _result: object) -> None:
        if self._not_kept:
            self._not_kept = ""
            self._messages.settled(_KEY)
