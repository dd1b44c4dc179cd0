"""Room for a widget that may be larger than the window: scrollbars where they are needed, following the focus."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterator
from tkinter import ttk

from ..themes import Look
from .focus import focused_widget
from .wheel import Wheel

_FOCUSABLE = (ttk.Entry, ttk.Button, ttk.Checkbutton, tk.Text, tk.Canvas)
_MARGIN = 8


class Scrolled(ttk.Frame):
    """Make a widget with ``inside`` as its parent, then hand it to :meth:`hold`."""

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.inside = tk.Canvas(self, highlightthickness=0, borderwidth=0, takefocus=0)
        self.inside.grid(row=0, column=0, sticky="nsew")
        self._down = ttk.Scrollbar(self, orient="vertical", command=self.inside.yview)
        self._across = ttk.Scrollbar(self, orient="horizontal", command=self.inside.xview)
        self.inside.configure(yscrollcommand=self._down.set, xscrollcommand=self._across.set)
        self._arranging = False
        self._sizes: tuple[int, ...] = ()

    def hold(self, content: tk.Widget, fit: Callable[[int], bool] | None = None) -> None:
        """Show ``content``, as large as the room or as it needs, whichever is more.

        ``fit(width)`` arranges it for a width, if it can, and tells whether anything has changed.
        """
        self._content = content
        self._fit = fit
        self._item = self.inside.create_window(0, 0, window=content, anchor="nw")
        self.bind("<Configure>", self._arrange_soon)
        # Tk shows the content again only with the next expose: whoever wants the focus in it can't wait for that.
        self.inside.bind("<Map>", lambda _event: self.inside.itemconfigure(self._item, state="normal"))
        # Whatever makes the content need more room (a font, an error in words) moves or sizes a part of it.
        tag = f"inside-{self}"
        for each in _with_descendants(content):
            tags = (f"{tag}-frame",) if isinstance(each, ttk.Frame) else ()
            each.bindtags((*each.bindtags(), *tags, tag))
        self.bind_class(f"{tag}-frame", "<Configure>", self._arrange_soon)
        self.bind_class(tag, "<FocusIn>", self._focused)
        self.bind_class(tag, "<Key>", self._typed)
        self.wheel = Wheel(self, self._wheel, lines=1, tag=tag)

    def show_look(self, look: Look) -> None:
        """The colours have changed."""
        self.inside.configure(background=look.palette.surface)

    def arrange(self) -> None:
        """Give the content its size, and show the scrollbars that this takes."""
        self._arranging = False
        if not self.winfo_exists():
            return
        bar = self._down.winfo_reqwidth()
        if self._fit is not None and self.winfo_width() > 1 and self._fit(self.winfo_width() - bar):
            self._content.update_idletasks()  # what it needs now is known only then
        width, height = self._content.winfo_reqwidth(), self._content.winfo_reqheight()
        self.inside.configure(width=width, height=height)
        if self.winfo_height() <= 1:  # not on the screen yet
            return
        room_across, room_down = self.winfo_width(), self.winfo_height()
        down = height > room_down
        across = width > room_across - bar * down
        down = height > room_down - bar * across
        self._show_bar(self._down, down, row=0, column=1, sticky="ns")
        self._show_bar(self._across, across, row=1, column=0, sticky="ew")
        width, height = max(width, room_across - bar * down), max(height, room_down - bar * across)
        self.inside.itemconfigure(self._item, width=width, height=height)
        self.inside.configure(scrollregion=(0, 0, width, height))
        sizes = (width, height, room_across, room_down)
        if sizes != self._sizes:
            self._sizes = sizes
            self.after_idle(self._keep_focus_in_sight)

    def show_part(self, part: tk.Misc, is_placed: bool = False) -> None:
        """Scroll as little as it takes to have all of ``part`` in sight; its beginning where it is too large.

        ``is_placed``: nothing has been arranged anew since it was drawn.
        """
        if not is_placed:
            self.update_idletasks()
        for axis, view in (("x", self.inside.xview), ("y", self.inside.yview)):
            x = axis == "x"
            whole = self._content.winfo_width() if x else self._content.winfo_height()
            room = self.inside.winfo_width() if x else self.inside.winfo_height()
            origin = self._content.winfo_rootx() if x else self._content.winfo_rooty()
            start = (part.winfo_rootx() if x else part.winfo_rooty()) - origin - _MARGIN
            end = start + (part.winfo_width() if x else part.winfo_height()) + 2 * _MARGIN
            seen = view()[0] * whole
            wanted = min(max(seen, end - room), start)
            if whole > room and wanted != seen:
                view("moveto", max(0.0, wanted) / whole)

    def _show_bar(self, bar: ttk.Scrollbar, needed: bool, **place: object) -> None:
        if needed:
            bar.grid(**place)  # type: ignore[arg-type]
        else:
            bar.grid_remove()

    def _arrange_soon(self, _event: object) -> None:
        if not self._arranging:
            self._arranging = True
            self.after_idle(self.arrange)

    def _focused(self, event: tk.Event) -> None:
        if isinstance(event.widget, _FOCUSABLE):
            self.show_part(_with_its_words(event.widget))

    def _typed(self, event: tk.Event) -> None:
        """A key for a field that was scrolled out of sight brings it back."""
        if not self.winfo_exists():  # the key has closed the dialog
            return
        if self._down.winfo_manager() and isinstance(event.widget, _FOCUSABLE):
            self.show_part(_with_its_words(event.widget), is_placed=True)

    def _keep_focus_in_sight(self) -> None:
        focused = focused_widget(self) if self.winfo_exists() else None
        if isinstance(focused, _FOCUSABLE) and str(focused).startswith(f"{self._content}."):
            self.show_part(_with_its_words(focused))

    def _wheel(self, event: tk.Event, steps: int) -> None:
        if self._down.winfo_manager() and not isinstance(event.widget, tk.Text):
            self.inside.yview_scroll(steps, "units")


def _with_its_words(widget: tk.Misc) -> tk.Misc:
    """A field with its label and the line below it, which are its parent's."""
    return widget if isinstance(widget, ttk.Button) else widget.nametowidget(widget.winfo_parent())


def _with_descendants(widget: tk.Misc) -> Iterator[tk.Misc]:
    yield widget
    for each in widget.winfo_children():
        yield from _with_descendants(each)
