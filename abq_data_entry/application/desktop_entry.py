"""The entry in the desktop's menu of programs: offered by the window, once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .. import folders
from ..constants import APPLICATION_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from .window import Application

log = logging.getLogger(__name__)

_FILE = "desktop-entry-offered"
_TITLE = "Menu of Programs"


class DesktopEntry:
    """Offers to make the entry, in the message bar. On the Tk thread."""

    def __init__(self, application: Application) -> None:
        self._app = application

    def offer(self) -> None:
        """Offer it to somebody who has none and was never asked. Not in folders of a trial: the entry opens the usual
        ones."""
        if folders.are_usual():
            self._app.jobs.submit("files", _to_be_offered, done=self._tell, failed=_not_offered)

    def _tell(self, to_be_offered: bool) -> None:
        if not to_be_offered:
            return
        self._app.messages.choice(
            _TITLE,
            f"Put {APPLICATION_NAME} into this computer's menu of programs?",
            "You can start it there with a click, like other programs. It concerns you only; "
            "`abq-data-entry desktop remove` takes it out again. This is asked once.",
            (("Put It There", self._make), ("No, Thanks", None)),
        )

    def _make(self) -> None:
        self._app.jobs.submit("files", _made, done=self._say_made, failed=self._say_failed)

    def _say_made(self, _paths: list[Path]) -> None:
        self._app.status.set(f"{APPLICATION_NAME} is in the menu of programs")

    def _say_failed(self, error: BaseException) -> None:
        log.error("no entry in the menu of programs", exc_info=error)
        self._app.messages.failure(_TITLE, "The entry could not be made", str(error), retry=self._make)


def _to_be_offered() -> bool:
    """Whether to offer it; from now on it was offered."""
    from .. import shortcuts

    mark = folders.data_folder(create=True) / _FILE
    if mark.exists() or shortcuts.is_installed():
        return False
    mark.touch(mode=0o600)
    return True


def _not_offered(error: BaseException) -> None:
    log.warning("whether the entry in the menu of programs was offered can't be noted: %s", error)


def _made() -> list[Path]:
    from .. import shortcuts

    return shortcuts.install()
