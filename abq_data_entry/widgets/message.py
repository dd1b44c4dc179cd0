"""What the window has to tell while somebody types: a text, the reason, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

Action = Callable[[], object]
DISMISS = "Dismiss"


class Message(NamedTuple):
    """``key`` names the subject: a later message of the same subject takes its place.

    ``actions`` are (text, function) pairs, of which none happens by itself; ``None`` only puts the message away. One
    that is ``lasting`` stays until its cause has gone, the others until somebody has done something about them.
    """

    key: str
    text: str
    detail: str = ""
    actions: tuple[tuple[str, Action | None], ...] = ()
    lasting: bool = False

    @property
    def buttons(self) -> tuple[tuple[str, Action | None], ...]:
        """The actions, and a way to put the message away where none of them is one."""
        names = tuple((DISMISS if text in ("OK", "Close") else text, action) for text, action in self.actions)
        # Of several the last one changes nothing.
        complete = self.lasting or len(names) > 1 or names[-1:] == ((DISMISS, None),)
        return names if complete else (*names, (DISMISS, None))

    @property
    def line(self) -> str:
        """The text and the beginning of the reason, for one line."""
        if not self.detail:
            return self.text
        end = "" if self.text.endswith((".", "?", "!", ":", "…")) else "."
        return f"{self.text}{end} {self.detail.splitlines()[0]}"
