"""Has the database changed by what somebody typed into a dialog, and keeps the words until it has taken them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from .messages import reason_of

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..models.undoing import By
    from .connection import Connection
    from .messages import Messages
    from .state import State

log = logging.getLogger(__name__)

_KEPT = "What you typed is kept: Try Again opens it."


class SendingActions(NamedTuple):
    """``by()``: who asks; ``means_away(error)``: whether the database is away; ``tell(words)`` says how it went, and
    ``look()`` looks up what there is now."""

    by: Callable[[], By]
    means_away: Callable[[BaseException], bool]
    tell: Callable[[str], object]
    look: Callable[[], object]


class Sending:
    """On the Tk thread."""

    def __init__(self, state: State, connection: Connection, messages: Messages, actions: SendingActions) -> None:
        self._state, self._connection, self._messages, self._actions = state, connection, messages, actions
        self.unsent: dict[tuple[str, object], tuple[str, ...]] = {}
        """What was typed and the database hasn't taken, by the dialog's title and what it is about: the dialog has it
        the next time."""

    def change(
        self,
        unsent: tuple[str, object],
        change: Callable[[SQLModel, By], object],
        told: str,
        again: Callable[[], object] | None,
    ) -> None:
        """Have it changed, and say ``told``; what was typed for it, under ``unsent``, stays until the database has it.
        ``again()`` opens the dialog once more; None: nothing was typed."""
        by, title = self._actions.by(), unsent[0]

        def done(_result: object) -> None:
            self.unsent.pop(unsent, None)
            self._actions.tell(told)
            self._actions.look()

        def refused(reason: str) -> None:
            kept = again is not None
            self._actions.tell("Nothing was changed" + ("; what you typed is kept" if kept else ""))
            detail = f"{reason}\n\n{_KEPT}" if kept else reason
            self._messages.failure(title, "Nothing was changed.", detail, again)

        def failed(error: BaseException) -> None:
            log.warning("%s: %s", title, type(error).__name__)
            self._actions.look()
            refused("The database is away." if self._actions.means_away(error) else reason_of(error))

        if self._state.reachable is None:
            refused("The database is away.")
        else:
            self._connection.ask(lambda model: change(model, by), done, failed, "database")
