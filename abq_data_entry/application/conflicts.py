"""Decisions about records that waited on this computer, when the database has another version."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import fields
from ..jobs import Jobs
from ..views import DataRecordForm
from ..workflows.save_record import Conflict, Save, Saved, merge_versions
from .entry import KEPT_HERE, question_of, resolve
from .messages import Messages, place, reason_of
from .state import State

if TYPE_CHECKING:
    from ..journal import Entry
    from ..models import VersionedRecord
    from ..views.conflict import ConflictDialog
    from .outage import Reconnecting, WaitingRecords

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


class WaitingDecisions:
    """Opens waiting records that need a decision; they leave the journal once the decision is saved.

    ``save`` is `Saver.save`; ``open_record(key)`` shows a record that waits, ``leave_form(then)`` calls ``then()`` once
    what is half typed is kept; ``show_form()`` brings the form to the front; ``decided(record, key)`` is called once
    the database has the decision, with ``None`` as the record if the decision waits here. On the Tk thread.
    """

    def __init__(
        self,
        form: DataRecordForm,
        jobs: Jobs,
        state: State,
        messages: Messages,
        show_status: Callable[[str], object],
        waiting_records: WaitingRecords,
        save: SaveRecord,
        reconnecting: Reconnecting,
        open_record: Callable[[tuple[Any, ...]], object],
        leave_form: Callable[[Callable[[], object]], object],
        show_form: Callable[[], object],
        decided: Callable[[Record | None, tuple[Any, ...]], object],
    ) -> None:
        self._form, self._jobs, self._state, self._messages = form, jobs, state, messages
        self._show_status = show_status
        self._waiting_records, self._save_record = waiting_records, save
        self._reconnecting, self._open_record, self._leave_form = reconnecting, open_record, leave_form
        self._show_form, self._decided = show_form, decided

    def open(self, entry: Entry) -> bool:
        """Show a waiting record, and beside it the database's version if it needs a decision. Return False if that
        can't be done now."""
        model = self._state.reachable
        if entry.unknown:
            self._show_status(f"{entry.title}: {entry.remark}")
        elif entry.state != "undecided":
            self._open_record(entry.key)
        elif model is None:
            self._show_status("This can be decided when the database is back: its version is needed too")
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
        """Discard what was recorded here, after a confirmation."""
        self._messages.choice(
            "Discard Record",
            f"Discard what was recorded here of {entry.title}?",
            "What the database has stays as it is. What was recorded here can't be brought back.",
            (("Keep", None), ("Discard", lambda: self._discard(entry)), ("Cancel", None)),
        )

    def _discard(self, entry: Entry) -> None:
        self._waiting_records.settle((entry.identifier,), "discarded")
        self._show_status(f"{entry.title}: what was recorded here is discarded")
        self._form.known.look_up()

    def _show(self, entry: Entry, found: VersionedRecord) -> None:
        # Later corrections of the same plot wait as well: the last one is the right one.
        same = [each for each in self._waiting_records.undecided if each.key == entry.key] or [entry]
        if not found.version and self._messages.typed_since():
            self._show_status(f"{entry.title} isn't opened: you typed on. Open it again from the records that wait")
            return
        if not found.version:
            self._leave_form(lambda: self._show_in_form(same))
            return
        base = same[0].base if same[0].write == "update" else None
        last = same[-1]
        save = Save(last.record, "update", author=last.author, reason=last.reason, whole_check=last.whole_check,
                    typed=last.moment)  # fmt: skip
        self._ask(same, save, merge_versions(last.record, base, found))

    def _ask(self, same: list[Entry], save: Save, found: Conflict, former: ConflictDialog | None = None) -> None:
        question = question_of(found, save.author, same[-1].moment)
        resolve(
            self._form,
            self._messages,
            self._show_status,
            question,
            lambda record, dialog: self._save(same, save.over(found.theirs, record), question.merged_words, dialog),
            lambda: self._show_status("Nothing was decided: the record goes on waiting here"),
            former,
        )

    def _show_in_form(self, same: list[Entry]) -> None:
        """Show it in the form as a new record, because there is no other version but something to correct."""
        form, last = self._form, same[-1]
        self._waiting_records.in_form[last.key] = tuple(each.identifier for each in same)
        self._show_form()
        form.begin_new()
        form.fill({each.name: fields.format_value(each, last.record[each.name]) for each in fields.FIELDS})
        form.focus_first_empty()
        self._show_status(f"{last.remark} Correct it, and save it as a new record")

    def _save(self, same: list[Entry], save: Save, said: str, dialog: ConflictDialog | None) -> None:
        def ended(saved: Saved | None) -> None:
            if dialog is not None:
                dialog.close()
            self._waiting_records.settle(tuple(each.identifier for each in same), "decided")
            conflict = None if saved is None else saved.merged
            merged = "" if conflict is None else question_of(conflict, save.author).merged_words
            how = KEPT_HERE if saved is None else "saved"
            self._show_status(" ".join(filter(None, (f"{place(save.record)}: {how}", said, merged))))
            self._decided(None if saved is None else saved.record, save.key)

        def failed(error: BaseException) -> None:
            if dialog is not None:
                dialog.refuse(reason_of(error))
            else:
                log.error("a decision couldn't be saved", exc_info=error)
                self._messages.failure("Save Record", f"{place(save.record)} couldn't be saved.", str(error))

        # If somebody else has saved again, both versions are shown again.
        self._save_record(save, ended, lambda found: self._ask(same, save, found, dialog), failed)

    def _not_fetched(self, error: BaseException) -> None:
        log.warning("a record couldn't be fetched for a decision", exc_info=error)
        self._reconnecting.means_away(error)
        self._show_status(f"The version of the database couldn't be fetched: {error}")
