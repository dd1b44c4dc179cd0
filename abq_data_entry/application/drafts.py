"""Half-typed plots are kept, each as a draft of its plot, until it is saved or discarded; also when the window ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import folders
from ..constants import FieldNames as F
from ..jobs import Jobs
from ..store.drafts import Content, Draft, DraftFile, DraftId, id_of
from ..views import DataRecordForm
from .messages import Messages

if TYPE_CHECKING:
    from ..views.form_content import RecordKey

log = logging.getLogger(__name__)
DELAY_MS = 150
_KEY = "Drafts"


class Drafts:
    """The drafts of this window: that of the form, written soon after each edit, and those left behind. On the Tk
    thread."""

    def __init__(self, form: DataRecordForm, jobs: Jobs, messages: Messages, say: Callable[[str], object]) -> None:
        self._form, self._jobs, self._messages, self._say = form, jobs, messages, say
        self.file = DraftFile(folders.data_folder() / "drafts")
        self._kept: dict[DraftId, Draft] = {}
        self._shown: DraftId | None = None
        self._timer = self._not_kept = ""
        self.greeting = "Ready"
        """What is said when the database is open."""

    def begin(self) -> None:
        """Look for the drafts of windows that ended, and show in the form what was being typed."""
        self._jobs.submit("files", self.file.take_over, done=self._restore, failed=self._failed)

    def edited(self) -> None:
        """Something was typed: from now on the form has it, where it was a draft before."""
        if self._shown is not None:
            self._kept.pop(self._shown, None)
            self._shown = None
            self._show()
        if not self._timer:
            self._timer = self._form.after(DELAY_MS, self.keep)

    def keep(self) -> None:
        """Write down now what is half typed."""
        if self._timer:
            self._form.after_cancel(self._timer)
            self._timer = ""
        draft, ahead = self._form.draft(), tuple(self._form.type_ahead.draft())
        kept = dict(self._kept)
        if draft is not None and self._shown is not None:
            kept.pop(self._shown, None)
        content = Content(tuple(kept.values()), draft, ahead) if draft is not None or kept or ahead else None
        self._jobs.submit("files", self.file.write, content, done=self._written, failed=self._failed)

    def put_away(self) -> bool:
        """The form is left: what is half typed there becomes a draft of its plot. False: it can't be left so.

        Values without a plot have nowhere to be found again: the focus goes to what is missing.
        """
        draft = self._form.draft()
        if draft is None:
            return True
        if not self.put(draft):
            self._form.focus_key()
            self._say("First say which plot these values belong to, or discard them")
            return False
        self._form.opening.leave()
        return True

    def put(self, draft: Mapping[str, Any], more: str = "") -> bool:
        """Keep that as the draft of its plot; False: it has no plot, or one with another draft, which stays. ``more``
        is said as well."""
        identity = id_of(draft)
        if identity is None or (identity in self._kept and identity != self._shown):
            return False
        date, time, lab, plot = identity.key
        self._kept[identity] = dict(draft)
        self._shown = None
        self._say(f"Plot {plot}, lab {lab}, {time} of {date} stays half typed, and is kept{more}")
        self._show()
        self.keep()
        return True

    def stay_behind(self, draft: Mapping[str, Any]) -> bool:
        """Keep that as the draft of its plot, as another check was chosen; False: the plot has another one."""
        return self.put(draft, ". Ctrl+Z goes back to it")

    def is_other(self, key: RecordKey, corrects: bool) -> bool:
        """Whether something else than what the form holds is half typed of that plot."""
        identity = DraftId(key, corrects)
        return identity in self._kept and identity != self._shown

    def find(self, key: RecordKey) -> Draft | None:
        """The draft of that plot, to be shown in the form: of a correction, else of a new record."""
        return self.find_correction(key) or self._take(DraftId(key, False))

    def find_correction(self, key: RecordKey) -> Draft | None:
        """The draft of a correction of that plot, to be shown in the form."""
        return self._take(DraftId(key, True))

    def saved(self) -> None:
        """The record in the form is saved: it is half typed no more."""
        if self._shown is not None:
            self._kept.pop(self._shown, None)
            self._shown = None
            self._show()

    def discard(self) -> None:
        """What is half typed in the form is given up, at somebody's wish."""
        form = self._form
        if self._shown is not None:
            self._kept.pop(self._shown, None)
            self._shown = None
        if not form.changed:
            return
        plot = form.inputs[F.PLOT].text
        form.opening.discard()
        self._show()
        self.keep()
        form.focus_first_empty()
        self._say(f"What was typed for plot {plot} is discarded" if plot else "What was typed is discarded")

    def end(self) -> None:
        """The window closes: another one may have its place."""
        self._jobs.submit("files", self.file.release)

    # -- inside -----------------------------------------------------------------------------------------

    def _take(self, identity: DraftId) -> Draft | None:
        """A draft that the form shows from now on; it is kept until something of it is changed there."""
        if identity not in self._kept:
            return None
        self._shown = identity
        return self._kept[identity]

    def _restore(self, found: Content) -> None:
        for problem in self.file.problems:
            self._messages.warning("Half-Typed Plots", problem)
        self._form.type_ahead.restore(found.ahead)
        for draft in found.kept:
            if (identity := id_of(draft)) is not None:
                self._kept.setdefault(identity, draft)
        if found.in_form is not None and not self._form.changed:
            self._form.half_typed.restore(found.in_form)
            self._form.focus_first_empty()
            # Shown once more when the database is open, which may come later.
            self.greeting = "What you were typing when the program ended is back in the form"
        elif found.in_form is not None and (identity := id_of(found.in_form)) is not None:
            self._kept.setdefault(identity, found.in_form)
        if self._kept:
            self.greeting = f"{self.greeting}. Half typed, and kept: {self._named()}".removeprefix("Ready. ")
        self._show()
        if self.greeting != "Ready":
            self._say(self.greeting)

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
