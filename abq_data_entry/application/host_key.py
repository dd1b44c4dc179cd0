"""The question whether to trust the key of a server that is connected to for the first time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .messages import Messages

TITLE = "Unknown Server"


def ask_for_trust(
    messages: Messages,
    host: str,
    fingerprint: str,
    at_stake: str,
    button: tuple[str, Callable[[], object]],
    refused: Callable[[], object],
) -> None:
    """Show the fingerprint of a host's key and ask. `at_stake`: what a false server would get."""
    # Enter alone must not confirm trust.
    messages.choice(
        TITLE,
        f"The server {host} isn't known yet.",
        f"Its key has the fingerprint\n{fingerprint}\n\n"
        "Compare it with the one that the server's administrator gives you: a server that only pretends "
        f"to be this one would get {at_stake}. If they are the same, the key is kept for next time.",
        (button, ("Cancel", refused)),
        careful=True,
    )
