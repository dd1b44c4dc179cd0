"""Text in a reserved place, so that nothing moves when it appears or goes; what doesn't fit is in a tooltip."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterable
from functools import partial
from tkinter import ttk

DELAY_MS = 500


class Tooltip:
    """Shows ``text`` after the mouse has rested on ``widget`` for half a second; an empty text shows nothing.

    It appears below the widget, or with ``at_pointer``, for a large widget, below the mouse.
    """

    def __init__(self, widget: tk.Widget, text: str = "", at_pointer: bool = False) -> None:
        self.text = text
        self._at_pointer = at_pointer
        self._widget = widget
        self._timer: str | None = None
        self._window: tk.Toplevel | None = None
        widget.bind("<Enter>", self._arrange, add=True)
        for event in ("<Leave>", "<ButtonPress>", "<Destroy>"):
            widget.bind(event, self._hide, add=True)

    def point_at(self, text: str) -> None:
        """Use this text for the part of the widget now below the mouse; it shows after another half second."""
        if text != self.text:
            self.text = text
            self._arrange()

    def _arrange(self, _event: object = None) -> None:
        self._hide()
        if self.text:
            self._timer = self._widget.after(DELAY_MS, self._show)

    def _show(self) -> None:
        self._timer = None
        self._window = window = tk.Toplevel(self._widget)
        window.wm_overrideredirect(True)
        ttk.Label(window, text=self.text, style="Tooltip.TLabel", justify="left", wraplength=420).pack()
        window.update_idletasks()
        x = min(self._widget.winfo_pointerx() + 12, window.winfo_screenwidth() - window.winfo_reqwidth())
        y = self._widget.winfo_rooty() + self._widget.winfo_height() + 4
        if self._at_pointer:
            pointer, height = self._widget.winfo_pointery(), window.winfo_reqheight()
            y = pointer + 20
            if y + height > window.winfo_screenheight():
                y = max(0, pointer - 12 - height)
        window.wm_geometry(f"+{max(0, x)}+{y}")

    def _hide(self, _event: object = None) -> None:
        if self._timer is not None:
            self._widget.after_cancel(self._timer)
            self._timer = None
        if self._window is not None:
            self._window.destroy()
            self._window = None


def shortened(text: str, width: int, measure: Callable[[str], int]) -> str:
    """Return ``text`` cut to one line of ``width`` pixels at most; ``measure`` returns the width of a text."""
    line = " ".join(text.split()) if "\n" in text else text
    if measure(line) <= width:
        return line
    low, high = 0, len(line)
    while low < high:  # binary search for the most characters that fit
        middle = (low + high + 1) // 2
        if measure(f"{line[:middle].rstrip()}…") <= width:
            low = middle
        else:
            high = middle - 1
    return f"{line[:low].rstrip()}…"


FONT = "AbqSmall"
_GAP = 12  # pixels before the text of the next field


def fitted(text: str, measure: Callable[[str], int], width: int, lines: int) -> str:
    """Return ``text`` in at most ``lines`` lines of ``width`` pixels; if it is cut, it ends with an ellipsis."""
    if measure(text) <= width:
        return text
    done: list[str] = []
    rest = text.split()
    while rest:
        count = 1
        while count < len(rest) and measure(" ".join(rest[: count + 1])) <= width:
            count += 1
        if len(done) == lines - 1:
            count = len(rest)  # the last line takes the whole rest, and is cut below
        line, rest = " ".join(rest[:count]), rest[count:]
        done.append(line if measure(line) <= width else shortened(line, width, measure))
    return "\n".join(done)


def measure_in(font: str, widget: tk.Misc) -> Callable[[str], int]:
    """Return a function that measures the width of a text in pixels, in that font; after the window is closed, in Tk's
    default font."""
    return partial(widget.tk.call, "font", "measure", font, "-displayof", str(widget))


class LineBelow:
    """The line below the field ``below``. Its text is aligned left, or right with ``aligned_with``.

    A text aligned left may extend over free space to the right, within ``within``, up to the next of ``others()`` that
    has a text. What doesn't fit is cut; the tooltip has the whole text.
    """

    def __init__(self, below: ttk.Frame, within: tk.Misc, aligned_with: tk.Misc) -> None:
        self.others: Callable[[], Iterable[LineBelow]] = lambda: ()
        self.within, self._aligned_with = within, aligned_with
        self.room = ttk.Label(below, style="Note.TLabel")  # its empty lines reserve the place
        self.label = ttk.Label(within, style="Note.TLabel", justify="left")
        self.tooltip = Tooltip(self.label)
        self._text, self._when, self._right, self._lines = "", "", False, 1
        self.room.bind("<Configure>", self.room.register(self._arrange))  # a Tcl script: tkinter makes no event object

    def reserve(self, lines: int) -> bool:
        """Reserve this number of lines; return whether the number has changed."""
        if lines == self._lines:
            return False
        self._lines = lines
        self.room.configure(text="\n" * (lines - 1))
        self._arrange()
        return True

    @property
    def text(self) -> str:
        """The whole text."""
        return self._text

    def show(self, text: str, style: str, when: str = "", right: bool = False) -> None:
        """Show this text; ``when`` is its tooltip, ``right`` aligns it right."""
        if (text, style, when, right) == (self._text, str(self.label.cget("style")), self._when, self._right):
            return
        came_or_went = bool(text) != bool(self._text)
        self._text, self._when, self._right = text, when, right
        self.label.configure(style=style)
        self._arrange()
        # A text to the left may now extend over this place, or no longer.
        if came_or_went:
            for other in self.others():
                if other is not self and other.within is self.within:
                    other._arrange()

    def _arrange(self) -> None:
        width = self.room.winfo_width()
        if not self._text:
            self.label.configure(text="")
            self.label.place_forget()
            return
        measure = measure_in(FONT, self.label)
        room = self._free_width() if width > 1 and not self._right else width
        shown = self._text if width <= 1 else fitted(self._text, measure, max(room, 1), self._lines)
        self.label.configure(text=shown)
        self.tooltip.text = self._when if shown.replace("\n", " ") == self._text else self._text
        if self._right and self._aligned_with.winfo_width() > 1:
            edge = self._aligned_with.winfo_x() + self._aligned_with.winfo_width() - self.room.winfo_x() - 4
            self.label.place(in_=self.room, x=edge, y=0, anchor="ne")
        else:
            self.label.place(in_=self.room, x=0, y=0, anchor="nw")
        self.label.lift()

    def _free_width(self) -> int:
        left, top = self.room.winfo_rootx(), self.room.winfo_rooty()
        ends = [
            other.room.winfo_rootx() - _GAP
            for other in self.others()
            if other.text and other.within is self.within and other.room.winfo_rooty() == top
        ]
        right = min((end for end in ends if end > left), default=self.within.winfo_rootx() + self.within.winfo_width())
        return max(right - left, self.room.winfo_width() if self.within is self.room.master else 1)


class OneLine(ttk.Frame):
    """A text in one line, cut to the width of the widget, which never requests more. The tooltip has the whole text."""

    def __init__(
        self, parent: tk.Misc, style: str, frame_style: str = "TFrame", words: tk.StringVar | None = None
    ) -> None:
        """``words``: a variable whose text is shown, now and whenever it changes."""
        super().__init__(parent, width=1, style=frame_style)
        self._words = words or tk.StringVar(self)
        # Keeps the frame as high as a line of this font, and takes no width.
        self._height = ttk.Label(self, style=style)
        self._height.grid(row=0, column=0, sticky="w")
        self.label = ttk.Label(self, style=style)
        self.label.place(x=0, y=0)
        self.tooltip = Tooltip(self.label)
        self._words.trace_add("write", self._arrange)
        self.bind("<Configure>", self._arrange)

    @property
    def text(self) -> str:
        """The whole text."""
        return self._words.get()

    def show(self, text: str) -> None:
        """Show this text."""
        if text != self._words.get():
            self._words.set(text)

    def _arrange(self, *_event: object) -> None:
        if not self.winfo_exists():  # the variable may live longer than this widget
            return
        text, width = self._words.get(), self.winfo_width()
        font = str(ttk.Style(self).lookup(str(self.label.cget("style")), "font") or "TkDefaultFont")
        shown = text if width <= 1 else shortened(text, width, measure_in(font, self))
        self.label.configure(text=shown)
        self.tooltip.text = "" if shown == text else text
