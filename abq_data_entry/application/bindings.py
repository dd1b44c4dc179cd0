"""What is bound to an event, by tag."""

from __future__ import annotations

import tkinter as tk


def bound(window: tk.Misc, tag: str, sequence: str) -> str:
    """The script that ``tag`` has for ``sequence``; empty where there is none, or one that does nothing.

    Tk's own classes have scripts of a comment only, to keep more general ones from being run.
    """
    script = str(window.tk.call("bind", tag, sequence))
    return script if any(line.strip()[:1] not in ("", "#") for line in script.splitlines()) else ""
