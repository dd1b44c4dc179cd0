"""The window offers only what the login may do in the database; the server enforces that itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ..network.destinations import KINDS
from .messages import ShowStatus

if TYPE_CHECKING:
    from ..jobs import Jobs
    from ..models import SQLModel
    from .state import State

log = logging.getLogger(__name__)

READ_ONLY = "This login may read records, not enter them. An administrator can give it the role abq_technician."
_NO_UPLOAD = "This login may not deliver extracts. An administrator can give it the role abq_technician."
_NO_WEATHER = "This login may not store the weather. An administrator can give it the role abq_technician."
_NO_ADMINISTRATION = "This is for supervisors. An administrator can give this login the role abq_supervisor."
_ENTERING = (
    "save_record", "new_record", "next_missing", "take_back", "withdraw_record", "move_record", "move_check",
    "correct_many", "write_note", "show_shift_messages",
)  # fmt: skip
NO_LABS = (
    "This login belongs to no lab, so it can't enter anything. An administrator can set its labs:"
    " abq-data-entry db set-labs."
)
_NO_MARKS = "Values are marked by QA. An administrator can give this login the role abq_qa."
_NO_BACKUP = "This login may not back up the whole database. The owner of the tables can, with the attribute CREATEDB."
_NO_RESTORE = "This login may not replace this database by a backup. Its owner can, with the attribute CREATEDB."
_UPLOADS = tuple(f"upload_to_corporate_{kind}" for kind in KINDS)


class Permissions:
    """The denied commands: a sentence by the name of the callback. ``changed(denied)`` is called when they change."""

    def __init__(
        self, state: State, jobs: Jobs, show_status: ShowStatus, changed: Callable[[Mapping[str, str]], object]
    ) -> None:
        self._state, self._jobs, self._show_status, self._changed = state, jobs, show_status, changed
        self.denied: Mapping[str, str] = {}
        self._privileges: Any = None

    def ask(self, model: SQLModel) -> None:
        """Ask the database what its login may do, then offer that."""
        self._jobs.submit("records", model.privileges, done=self.show, failed=_unknown)

    def show(self, privileges: Any) -> None:
        """Offer what `privileges` (a `models.Privileges`) allow."""
        if privileges == self._privileges:
            return
        self._privileges = privileges
        denied: dict[str, str] = {}
        if not privileges.may_enter:
            denied |= dict.fromkeys(_ENTERING, READ_ONLY)
        if not privileges.may_record_deliveries:
            denied |= dict.fromkeys(_UPLOADS, _NO_UPLOAD)
        if not privileges.may_store_weather:
            denied["update_weather_data"] = _NO_WEATHER
        if not privileges.may_manage:
            denied["show_administration"] = _NO_ADMINISTRATION
        if not privileges.may_mark:
            denied["mark_value"] = _NO_MARKS
        if not privileges.may_back_up:
            denied["back_up"] = _NO_BACKUP
        if not privileges.may_restore:
            denied["restore"] = _NO_RESTORE
        self.denied = denied
        reason = READ_ONLY if not privileges.may_enter else "" if privileges.has_labs else NO_LABS
        self._state.read_only = reason
        self._changed(denied)

    def guarded(self, name: str, callback: Callable[..., object]) -> Callable[..., object]:
        """Return a callback that, while it is denied, only says why; needed because keys work without the menu."""
        return partial(self.run, name, callback)

    def run(self, name: str, callback: Callable[..., object], *arguments: Any) -> object:
        """Call the callback of that name, or say why it is denied."""
        if name in self.denied:
            self._show_status(self.denied[name])
            return None
        return callback(*arguments)


def _unknown(error: BaseException) -> None:
    log.warning("what the login may do couldn't be found out", exc_info=error)
