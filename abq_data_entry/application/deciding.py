"""Records that waited here and met another version in the database: somebody looks at both and decides."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from .. import fields
from ..constants import FieldNames as F
from ..views import show_choice

if TYPE_CHECKING:
    from ..journal import Entry
    from .window import Application

log = logging.getLogger(__name__)


class Deciding:
    """Opens what waits; what was decided on leaves the journal once the decision is saved. On the Tk thread."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._under_decision: dict[tuple[Any, ...], tuple[str, ...]] = {}

    def open(self, entry: Entry) -> None:
        """Show the record in the form: as it waits, or, where it needs a decision, over what the database has now."""
        model = self._app.data_model
        if entry.state != "undecided":
            self._app.entry.open_record(entry.key)
        elif model is None or self._app.reconnecting.away:
            self._app.status.set("This can be decided when the database is back: its version is needed too")
        else:
            self._app.jobs.submit(
                "records",
                lambda: model.get_record(*entry.key),
                done=lambda found: self._show(entry, found),
                failed=self._not_fetched,
            )

    def discard(self, entry: Entry) -> None:
        """Give up what was recorded here, after a question."""
        show_choice(
            self._app,
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
        self._app.entry.refresh_check()

    def _show(self, entry: Entry, found: dict[str, object]) -> None:
        app, form = self._app, self._app.form
        # Later corrections of the same plot wait behind it: the last one is what was meant.
        same = [each for each in app.waiting.undecided if each.key == entry.key]
        self._under_decision[entry.key] = tuple(each.identifier for each in same)
        app.show_form()
        mine = {each.name: fields.format_value(each, same[-1].record[each.name]) for each in fields.FIELDS}
        if found:
            form.open_record(found)
            differing = [name for name, text in form.texts().items() if text != mine[name]]
        else:
            form.begin_new()
            differing = []
        form.fill(mine)
        app.status.set(
            f"Yours differs in {', '.join(differing)}; the line below each field is unchanged. Save keeps yours"
            if differing
            else f"{entry.remark} Correct it and save"
        )
        form.inputs[differing[0] if differing else F.TECHNICIAN].focus_set()

    def _not_fetched(self, error: BaseException) -> None:
        log.warning("a record couldn't be fetched for a decision", exc_info=error)
        self._app.reconnecting.means_away(error)
        self._app.status.set(f"The version of the database couldn't be fetched: {error}")
