"""Space for widgets that may need more than the window has: line wrapping, scrollbars that hide, the wheel."""

from __future__ import annotations

import re
import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Any

from ..themes import TK_9, Look
from .focus import focused_widget


def pieces_per_line(widths: Sequence[int], room: int) -> list[int]:
    """Return how many pieces of these widths go into each line of ``room`` pixels: as many as fit, at least one."""
    counts: list[int] = []
    left = 0
    for width in widths:
        if counts and width <= left:
            counts[-1] += 1
            left -= width
        else:
            counts.append(1)
            left = room - width
    return counts


class Flow(ttk.Frame):
    """Arranges pieces in lines, as a paragraph arranges words.

    Create the pieces as children of the flow, then :meth:`add` them in order. It has at most ``most`` lines.
    ``overflow`` is the widget (the flow or one around it) over which the text of a piece may extend to the right.
    """

    def __init__(
        self, parent: tk.Misc, most: int, style: str = "TFrame", overflow: tk.Misc | None = None
    ) -> None:
        super().__init__(parent, style=style)
        self.overflow: tk.Misc = self if overflow is None else overflow
        # Created before the pieces, so that the pieces are drawn over them.
        self._lines = [ttk.Frame(self, style=style) for _ in range(most)]
        for row, line in enumerate(self._lines):
            line.grid(row=row, column=0, sticky="w")
        self._pieces: list[tk.Widget] = []
        self._counts: list[int] = []

    def add(self, piece: tk.Widget, gap: int, above: int = 0) -> None:
        """Add a piece, with ``gap`` pixels after it and ``above`` pixels between it and the line above."""
        place = len(self._pieces)
        piece.grid(in_=self._lines[0], row=0, column=place, sticky="nw", padx=(0, gap), pady=(above, 0))
        self._pieces.append(piece)
        self._counts = [len(self._pieces)]

    def clear(self) -> None:
        """Forget the pieces; the caller destroys them."""
        self._pieces, self._counts = [], []

    def fit(self, room: int) -> bool:
        """Arrange the pieces for a width of ``room`` pixels; return whether anything has changed."""
        counts = pieces_per_line([occupied_width(each) for each in self._pieces], room)
        if counts == self._counts:
            return False
        self._counts = counts
        pieces = iter(self._pieces)
        for line, count in zip(self._lines, counts, strict=False):
            for column in range(count):
                next(pieces).grid(in_=line, row=0, column=column)
        for line in self._lines[len(counts) :]:
            line.configure(height=1)  # an empty frame would keep its last size
        return True


def occupied_width(piece: tk.Widget) -> int:
    """Return the width in pixels of a widget in a grid, with the gaps beside it, at the current scaling."""
    padding = piece.grid_info()["padx"]
    return piece.winfo_reqwidth() + (padding[0] + padding[1] if isinstance(padding, tuple) else 2 * int(padding))


NOTCH = 120
DOTS_A_LINE = 12
LINES_A_NOTCH = 3
_OLD_X11 = (("<Button-4>", NOTCH), ("<Button-5>", -NOTCH))
_OF_A_WHEEL = re.compile(r"MouseWheel|TouchpadScroll|\bButton(Press)?-[4-7]\b")

_SHIFT = 0x0001

Scroll = Callable[[tk.Event, int], object]
"""Called with the event and the number of lines to scroll; negative: up."""


class Wheel:
    """Scrolls by mouse wheel and touchpad on all platforms. Create it once for a widget or for a bind tag.

    Tk 8.6 sends Button-4 and Button-5 on X11, MouseWheel elsewhere (on macOS with small numbers). Tk 9 sends MouseWheel
    everywhere, 120 for a notch and less for fine wheels, and TouchpadScroll in pixels for Apple's touchpads. All of
    these become whole lines here; the fraction of a line that is left over is kept for the next event.
    """

    def __init__(
        self,
        widget: tk.Misc,
        scroll: Scroll,
        lines: int = LINES_A_NOTCH,
        tag: str = "",
        across: Callable[[int], object] | None = None,
    ) -> None:
        """Scroll ``lines`` lines for each notch over ``widget``, or over all widgets with the bind tag ``tag``.

        ``across`` is called with pixels to the right (negative: left), for a wheel with Shift and for touchpads.
        """
        self._scroll, self._across = scroll, across
        self._lines = lines
        self._left = 0.0
        self._aqua_units = widget.tk.call("tk", "windowingsystem") == "aqua" and not TK_9

        def bind(sequence: str, action: Callable[[tk.Event], object]) -> None:
            if tag:
                widget.bind_class(tag, sequence, action)
            else:
                widget.bind(sequence, action)

        bind("<MouseWheel>", self.turned)
        if not TK_9:
            for sequence, delta in _OLD_X11:
                bind(sequence, lambda event, delta=delta: self._turned(event, delta / NOTCH))  # type: ignore[misc]
        else:
            bind("<TouchpadScroll>", self.touched)

    def turned(self, event: tk.Event) -> object:
        """Handle a turn of the wheel; ``event.delta`` is positive if it was turned away from the user."""
        return self._turned(event, event.delta / (1 if self._aqua_units else NOTCH))

    def touched(self, event: tk.Event) -> object:
        """Handle scrolling with two fingers; the upper 16 bits of ``event.delta`` are pixels across, the lower down."""
        across, down = dots(event.delta)
        if across and self._across is not None:
            self._across(-across)
        return self._go(event, -down / DOTS_A_LINE)

    def _turned(self, event: tk.Event, notches: float) -> object:
        if self._across is not None and isinstance(event.state, int) and event.state & _SHIFT:
            self._across(int(-notches * self._lines * DOTS_A_LINE))
            return "break"
        return self._go(event, -notches * self._lines)

    def _go(self, event: tk.Event, lines: float) -> object:
        if (lines < 0) is not (self._left < 0):
            self._left = 0.0  # the direction has changed: what was left over from the old one is dropped
        self._left = round(self._left + lines, 6)  # rounded, so that twelve twelfths of a line are one
        whole = int(self._left)
        self._left -= whole
        return self._scroll(event, whole) if whole else "break"


def dots(delta: int) -> tuple[int, int]:
    """Return the pixels across and down of a TouchpadScroll event, as Tk's ``tk::PreciseScrollDeltas`` reads them."""
    high, low = (delta >> 16) & 0xFFFF, delta & 0xFFFF
    return _signed(high), _signed(low)


def _signed(word: int) -> int:
    return word - 0x10000 if word >= 0x8000 else word


def ignore_wheel(widget: tk.Misc, class_name: str) -> None:
    """Remove the wheel bindings of the class ``class_name``, such as comboboxes, where they would change the value."""
    for sequence in widget.bind_class(class_name):
        if _OF_A_WHEEL.search(sequence):  # also those with Shift, Option or Control
            widget.unbind_class(class_name, sequence)


class AutoHideScrollbar(ttk.Scrollbar):
    """A scrollbar that hides while everything is visible. Place it once, with ``grid`` or :meth:`take_width_only`."""

    _room: ttk.Frame | None = None

    def set(self, first: float | str, last: float | str) -> None:
        """Set the visible part, from 0 to 1, as Tk reports it."""
        super().set(first, last)
        parts = (self,) if self._room is None else (self._room, self)
        for each in parts:
            if float(first) <= 0 and float(last) >= 1:
                each.grid_remove()
            else:
                each.grid()
        if self._room is not None:
            self._room.configure(width=self.winfo_reqwidth())

    def take_width_only(self, parent: tk.Misc, **place: Any) -> None:
        """Place the bar with ``grid`` so that it requests no height: with arrows, it would be higher than two lines."""
        self._room = ttk.Frame(parent, height=1)
        self._room.grid(sticky="ns", **place)
        self._room.grid_propagate(False)
        self._room.rowconfigure(0, weight=1)
        self.grid(in_=self._room, row=0, column=0, sticky="ns")
        self.lift()


_FOCUSABLE = (ttk.Entry, ttk.Button, ttk.Checkbutton, ttk.Treeview, tk.Text, tk.Canvas)
_OWN_WHEEL = (tk.Text, ttk.Treeview)
_MARGIN = 8


class Scrolled(ttk.Frame):
    """Scrolls a widget that needs more space than there is.

    Create the widget with ``inside`` as its parent, then pass it to :meth:`hold`. ``inside`` may be an existing canvas.
    The event ``<<NeedsChanged>>`` is sent when the content needs another size, even if it gets the same as before.
    """

    def __init__(self, parent: tk.Misc, inside: tk.Canvas | None = None) -> None:
        super().__init__(parent)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.inside = tk.Canvas(self, highlightthickness=0, borderwidth=0, takefocus=0) if inside is None else inside
        self.inside.grid(in_=self, row=0, column=0, sticky="nsew")
        if inside is not None:
            self.lower(inside)
        self.down = ttk.Scrollbar(self, orient="vertical", command=self.inside.yview)
        self.across = ttk.Scrollbar(self, orient="horizontal", command=self.inside.xview)
        self.inside.configure(yscrollcommand=self.down.set, xscrollcommand=self.across.set)
        self._arranging = self._scrolls = False
        self._sizes: tuple[int, ...] = ()
        self._needs = (0, 0)
        self._follows: dict[str, str] = {}
        """The bindings for keys and the focus, by event, that apply while something can be scrolled."""

    def hold(self, content: tk.Widget, fit: Callable[[int], bool] | None = None) -> None:
        """Show ``content`` in the size of the visible area, or in the size that it needs if that is larger.

        ``fit(width)`` arranges it for a width in pixels, and returns whether anything has changed.
        """
        self._content = content
        self._fit = fit
        self._item = self.inside.create_window(0, 0, window=content, anchor="nw")
        # A Tcl script, so that tkinter makes no event object for each of the many frames of a large form.
        arrange_soon = self.register(self._arrange_soon)
        self.bind("<Configure>", arrange_soon)
        # Otherwise Tk would show the content only with the next expose event, too late for a widget that gets focus.
        self.inside.bind("<Map>", lambda _event: self.inside.itemconfigure(self._item, state="normal"))
        # Whatever makes the content need more space (a font, an error message) moves or resizes a part of it.
        tag = f"inside-{self}"
        # Each part gets a bind tag, because Tk reports the size and the focus of a widget only to that widget.
        for each in with_all_inside(content):
            tags = (f"{tag}-frame",) if isinstance(each, ttk.Frame) else ()
            each.bindtags((*each.bindtags(), *tags, tag))
        self.bind_class(f"{tag}-frame", "<Configure>", arrange_soon)
        self._tag = tag
        for sequence, action in (("<FocusIn>", self._focused), ("<Key>", self._typed)):
            self.bind_class(tag, sequence, action)
            self._follows[sequence] = str(self.bind_class(tag, sequence))
            self.bind_class(tag, sequence, "")  # nothing to do until something is out of sight
        self.wheel = Wheel(self, self._wheel, lines=1, tag=tag)

    def show_look(self, look: Look) -> None:
        """Apply the colours of the theme."""
        self.inside.configure(background=look.palette.surface)

    def arrange(self) -> None:
        """Set the size of the content, and show the scrollbars that it needs."""
        self._arranging = False
        if not self.winfo_exists():
            return
        bar = self.down.winfo_reqwidth()
        if self._fit is not None and self.winfo_width() > 1 and self._fit(self.winfo_width() - bar):
            self._content.update_idletasks()  # the size that it needs is known only afterwards
        needs = width, height = self._content.winfo_reqwidth(), self._content.winfo_reqheight()
        self.inside.configure(width=width, height=height)
        if self.winfo_height() <= 1:  # not on the screen yet
            return
        room_across, room_down = self.winfo_width(), self.winfo_height()
        down = height > room_down
        across = width > room_across - bar * down
        down = height > room_down - bar * across
        self._show_bar(self.down, down, row=0, column=1, sticky="ns")
        self._show_bar(self.across, across, row=1, column=0, sticky="ew")
        width, height = max(width, room_across - bar * down), max(height, room_down - bar * across)
        self.inside.itemconfigure(self._item, width=width, height=height)
        self.inside.configure(scrollregion=(0, 0, width, height))
        if self._scrolls != (down or across):
            self._scrolls = down or across
            for sequence, script in self._follows.items():
                self.bind_class(self._tag, sequence, script if self._scrolls else "")
        if needs != self._needs:
            self._needs = needs
            self.after_idle(self._send_needs_changed)
        sizes = (width, height, room_across, room_down)
        if sizes != self._sizes:
            self._sizes = sizes
            self.after_idle(self._keep_focus_in_sight)

    def _send_needs_changed(self) -> None:
        if self.winfo_exists():
            self.event_generate("<<NeedsChanged>>")

    def show_part(self, part: tk.Misc, is_placed: bool = False) -> None:
        """Scroll as little as possible to show all of ``part``, or its beginning if it is too large.

        ``is_placed``: the layout hasn't changed since ``part`` was drawn.
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

    def _arrange_soon(self) -> None:
        if not self._arranging:
            self._arranging = True
            self.after_idle(self.arrange)

    def _focused(self, event: tk.Event) -> None:
        if isinstance(event.widget, _FOCUSABLE):
            self.show_part(_labelled_field(event.widget))

    def _typed(self, event: tk.Event) -> None:
        """Scroll to the field that gets this key, if it is out of sight."""
        if not self.winfo_exists():  # the key has closed the dialog
            return
        if self.down.winfo_manager() and isinstance(event.widget, _FOCUSABLE):
            self.show_part(_labelled_field(event.widget), is_placed=True)

    def _keep_focus_in_sight(self) -> None:
        focused = focused_widget(self) if self.winfo_exists() else None
        if isinstance(focused, _FOCUSABLE) and str(focused).startswith(f"{self._content}."):
            self.show_part(_labelled_field(focused))

    def _wheel(self, event: tk.Event, steps: int) -> None:
        if self.down.winfo_manager() and not isinstance(event.widget, _OWN_WHEEL):
            self.inside.yview_scroll(steps, "units")


def _labelled_field(widget: tk.Misc) -> tk.Misc:
    """Return the frame that holds a field together with its label and the line below it."""
    return widget if isinstance(widget, ttk.Button) else widget.nametowidget(widget.winfo_parent())


def with_all_inside(widget: tk.Misc) -> list[tk.Misc]:
    """Return the widget and all widgets inside it, from tkinter's own records, without asking Tk for each."""
    found = [widget]
    for each in found:  # the list grows while this runs
        found.extend(each.children.values())
    return found
