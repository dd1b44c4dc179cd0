"""Several rows of a paged list chosen at once: they stay chosen on whatever page they are.

Shift with the arrows goes on choosing, Ctrl with the arrows moves without, Ctrl+Space chooses the row or not, Escape
none; with the mouse Shift and Ctrl as everywhere.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from .paged_list import PagedList, Row

_TAG = "chosen"


class RowMarks:
    """The rows of ``page`` that are chosen, by ``key_of(row)``, in the order in which they were.

    ``changed(count)`` is called after each change, ``all_wanted()`` on Ctrl+A.
    """

    def __init__(
        self,
        page: PagedList,
        key_of: Callable[[Row], object],
        changed: Callable[[int], object],
        all_wanted: Callable[[], object],
    ) -> None:
        self._page, self._key_of, self._changed = page, key_of, changed
        self._rows: dict[object, Row] = {}
        self._tagged = False
        page.drawn = self._show_tags
        tree = page.tree
        own = f"Marks{tree}"
        # In front of the list's own keys, which move and open.
        tree.bindtags((own, *tree.bindtags()))
        mac = str(tree.tk.call("tk", "windowingsystem")) == "aqua"
        for sequence, action in (
            ("<Shift-Up>", lambda: page.once_there(lambda: self._extend(-1))),
            ("<Shift-Down>", lambda: page.once_there(lambda: self._extend(1))),
            ("<Control-Up>", lambda: page.in_turn(lambda: page.step(-1))),
            ("<Control-Down>", lambda: page.in_turn(lambda: page.step(1))),
            ("<Control-space>", lambda: page.once_there(self._toggle)),
            ("<Command-a>" if mac else "<Control-a>", all_wanted),
            ("<<SelectAll>>", all_wanted),
        ):
            tree.bind_class(own, sequence, lambda _event, action=action: _done(action))  # type: ignore[misc]
        tree.bind_class(own, "<Escape>", lambda _event: self._escape())
        for sequence in ("<Up>", "<Down>", "<Prior>", "<Next>", "<Home>", "<End>"):
            tree.bind_class(own, sequence, lambda _event: page.in_turn(self.clear))
        tree.bind_class(own, "<Button-1>", lambda _event: self.clear())
        tree.bind_class(own, "<Shift-Button-1>", lambda event: self._clicked(event, through=True))
        tree.bind_class(own, "<Control-Button-1>", lambda event: self._clicked(event, through=False))

    @property
    def rows(self) -> list[Row]:
        """The chosen rows."""
        return list(self._rows.values())

    def holds(self, row: Row) -> bool:
        """Whether that row is chosen."""
        return self._key_of(row) in self._rows

    def choose(self, rows: list[Row]) -> None:
        """Choose these rows, and no others."""
        self._rows = {self._key_of(row): row for row in rows}
        self._draw()

    def clear(self) -> None:
        """Choose none."""
        if self._rows:
            self._rows = {}
            self._draw()

    def _escape(self) -> str | None:
        if not self._rows:
            return None
        self._page.in_turn(self.clear)
        return "break"

    def _extend(self, steps: int) -> None:
        left = self._page.selected
        if left is not None:
            self._page.step(steps, lambda: self._choose_next(left))

    def _choose_next(self, left: Row) -> None:
        """The keyboard has gone to the next row: it is chosen too; back on one that is, the row ``left`` isn't."""
        row = self._page.selected
        if row is None:
            return
        if self.holds(row) and self.holds(left) and self._key_of(row) != self._key_of(left):
            del self._rows[self._key_of(left)]
        else:
            self._rows[self._key_of(left)] = left
            self._rows[self._key_of(row)] = row
        self._draw()

    def _toggle(self) -> None:
        row = self._page.selected
        if row is None:
            return
        if self._rows.pop(self._key_of(row), None) is None:
            self._rows[self._key_of(row)] = row
        self._draw()

    def _clicked(self, event: tk.Event, through: bool) -> str:
        tree, page = self._page.tree, self._page
        clicked = tree.identify_row(event.y)
        before = page.selected
        if not clicked:
            return "break"
        index = int(clicked)
        if through and before is not None and before in page.rows:
            first = page.rows.index(before)
            for row in page.rows[min(first, index) : max(first, index) + 1]:
                self._rows[self._key_of(row)] = row
            page.select(index)
            self._draw()
        else:
            if before is not None and not self._rows:
                self._rows[self._key_of(before)] = before
            page.select(index)
            self._toggle()
        tree.focus_set()
        return "break"

    def _draw(self) -> None:
        self._page.replace(lambda row: row)
        self._show_tags()
        self._changed(len(self._rows))

    def _show_tags(self) -> None:
        if not self._rows and not self._tagged:
            return
        self._tagged = bool(self._rows)
        self._page.tree.tag_configure(_TAG, background=ttk.Style(self._page).lookup("Bar.TFrame", "background"))
        for index, row in enumerate(self._page.rows):
            self._page.tree.item(str(index), tags=(_TAG,) if self.holds(row) else ())


def _done(action: Callable[[], object]) -> str:
    action()
    return "break"
