"""Ask about the key of a server that was never seen before."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from .dialogs import CarefulDialog, Dialog


class HostKeyDialog(CarefulDialog):
    """The fingerprint can be selected and copied. Trust is nothing to come by an Enter."""

    def __init__(self, parent: tk.Misc, host: str, fingerprint: str, answered: Callable[[bool], object]) -> None:
        super().__init__(
            parent,
            "Unknown Server",
            f"The server {host} isn't known yet.",
            f"Its key has the fingerprint\n{fingerprint}\n\n"
            "Compare it with the one that the server's administrator tells you: whoever only pretends to be this "
            "server would get your password and the extract. If they are the same, the key is kept for next time.",
            (("Trust and Send", lambda: answered(True)), ("Cancel", lambda: answered(False))),
        )


def show_host_key(parent: tk.Misc, host: str, fingerprint: str, answered: Callable[[bool], object]) -> Dialog:
    """Show the fingerprint, and call ``answered(trusted)``."""
    return HostKeyDialog(parent, host, fingerprint, answered)
