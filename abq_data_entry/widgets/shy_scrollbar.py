"""A scrollbar that is there only where there is something to scroll."""

from __future__ import annotations

from tkinter import ttk


class ShyScrollbar(ttk.Scrollbar):
    """To be placed once with ``grid``; then it comes and goes by itself."""

    def set(self, first: float | str, last: float | str) -> None:
        """What part is in sight, from 0 to 1, as Tk tells it."""
        super().set(first, last)
        if float(first) <= 0 and float(last) >= 1:
            self.grid_remove()
        else:
            self.grid()
