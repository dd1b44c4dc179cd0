"""Ask about the key of a server that was never seen before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .messages import Messages

TITLE = "Unknown Server"


def ask_about_key(messages: Messages, host: str, fingerprint: str, answered: Callable[[bool], object]) -> None:
    """Show the fingerprint, which can be copied, and call ``answered(trusted)``. Trust doesn't come by an Enter."""
    messages.choice(
        TITLE,
        f"The server {host} isn't known yet.",
        f"Its key has the fingerprint\n{fingerprint}\n\n"
        "Compare it with the one that the server's administrator gives you: whoever only pretends to be this "
        "server would get your password and the extract. If they are the same, the key is kept for next time.",
        (("Trust and Send", lambda: answered(True)), ("Cancel", lambda: answered(False))),
        careful=True,
    )
