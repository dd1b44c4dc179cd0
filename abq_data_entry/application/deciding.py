"""Records that waited here and met another version in the database: somebody looks at both and decides."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from .. import fields
from .entry import Save, place
from .messages import reason_of

if TYPE_CHECKING:
    from ..journal import Entry
    from ..models import VersionedRecord
    from ..views.conflict import ConflictDialog
    from .window import Application

log = logging.getLogger(__name__)


class Deciding:
    """Opens what waits; what was decided on leaves the journal once the decision is saved. On the Tk thread."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._under_decision: dict[tuple[Any, ...], tuple[str, ...]] = {}

    def open(self, entry: Entry) -> bool:
        """Show the record as it waits; where it needs a decision, beside what the database has now. False where that
        can't be done now."""
        model = self._app.data_model
        if entry.unknown:
            self._app.status.set(f"{entry.title}: {entry.remark}")
        elif entry.state != "undecided":
            self._app.navigation.open_record(entry.key)
        elif model is None or self._app.reconnecting.away:
            self._app.status.set("This can be decided when the database is back: its version is needed too")
            return False
        else:
            self._app.jobs.submit(
                "records",
                lambda: model.get_versioned_record(*entry.key),
                done=lambda found: self._show(entry, found),
                failed=self._not_fetched,
            )
        return True

    def discard(self, entry: Entry) -> None:
        """Give up what was recorded here, after a question."""
        self._app.messages.choice(
            "Discard Record",
            f"Discard what was recorded here of {entry.title}?",
            "What the database has stays as it is. What was recorded here can't be brought back.",
            (("Keep", None), ("Discard", lambda: self._discard(entry)), ("Cancel", None)),
        )

    def saved(self, key: tuple[Any, ...]) -> None:
        """The record of that key is saved: what was decided on with it waits no more."""
        decided = self._under_decision.pop(key, ())
        if decided:
            self._app.waiting.settle(decided, "decided")

    def _discard(self, entry: Entry) -> None:
        self._app.waiting.settle((entry.identifier,), "discarded")
        self._app.checks.refresh()

    def _show(self, entry: Entry, found: VersionedRecord, former: ConflictDialog | None = None) -> None:
        # Later corrections of the same plot wait behind it: the last one is what was meant.
        same = [each for each in self._app.waiting.undecided if each.key == entry.key] or [entry]
        if not found.version:
            self._show_in_form(same)
            return
        base = same[0].base if same[0].write == "update" else None
        from . import conflicts  # at the first one, for no start has any

        conflicts.resolve(
            self._app,
            conflicts.Conflict(same[-1].record, base, found, entry.author, entry.moment),
            lambda record, said, dialog: self._save(same, record, found, said, dialog),
            lambda: self._app.status.set("Nothing was decided: the record goes on waiting here"),
            former,
        )

    def _show_in_form(self, same: list[Entry]) -> None:
        """There is nothing to decide between, but something to put right: the form has it as a new record."""
        form, last = self._app.form, same[-1]
        self._under_decision[last.key] = tuple(each.identifier for each in same)
        self._app.show_form()
        form.begin_new()
        form.fill({each.name: fields.format_value(each, last.record[each.name]) for each in fields.FIELDS})
        form.focus_first_empty()
        self._app.status.set(f"{last.remark} Put it right, and save it as a new record")

    def _save(
        self,
        same: list[Entry],
        record: dict[str, Any],
        found: VersionedRecord,
        said: str,
        dialog: ConflictDialog | None,
    ) -> None:
        last = same[-1]
        who = {"reason": last.reason, "author": last.author}

        def decided() -> None:
            if dialog is not None:
                dialog.close()
            self._app.waiting.settle(tuple(each.identifier for each in same), "decided")
            self._app.status.set(f"{place(record)}: saved {said}".rstrip())
            self._app.offline.record_saved(record)
            self._app.checks.refresh()
            self._app.browsing.records_changed(last.key, inserted=False)

        def failed(error: BaseException) -> None:
            theirs = getattr(error, "theirs", None)
            if theirs is not None and theirs.version:  # somebody was quicker once more
                self._show(last, theirs, dialog)
            elif dialog is not None:
                dialog.refuse(reason_of(error))
            else:
                log.error("a decision couldn't be saved", exc_info=error)
                self._app.messages.failure("Save Record", f"{place(record)} couldn't be saved.", str(error))

        details = {"write": "update", "base": found.record, "version": found.version, "whole_check": last.whole_check}
        Save(
            self._app,
            record,
            {**details, **who},
            lambda identifier: self._app.entry.write(record, True, found.version, last.whole_check, identifier, who),
            saved=lambda _: decided(),
            kept=decided,
            failed=failed,
        ).begin()

    def _not_fetched(self, error: BaseException) -> None:
        log.warning("a record couldn't be fetched for a decision", exc_info=error)
        self._app.reconnecting.means_away(error)
        self._app.status.set(f"The version of the database couldn't be fetched: {error}")
