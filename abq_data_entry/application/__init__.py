"""The application connects the window to workflows and jobs; only this package may import all others."""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, without an import
if TYPE_CHECKING:
    from .window import Application

__all__ = ["Application"]


def __getattr__(name: str) -> object:
    # Tk is loaded while this is being imported: importing :mod:`.interpreter` doesn't wait for it.
    if name == "Application":
        from .window import Application

        return Application
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
