"""A calendar of one month below an entry: arrows or the mouse move, Enter takes the day, Escape closes it."""

from __future__ import annotations

import calendar
import datetime
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from tkinter.font import nametofont

from .focus import call_and_break

_WEEKS = 6
_HINT = "Enter takes it, Esc leaves; Page Up and Down: months"


class CalendarPopup(ttk.Frame):
    """A calendar over the window, below its ``entry``. The entry keeps the focus; its keys go to the calendar first.

    ``take(date)`` is called with the chosen day. Any key that isn't one of the calendar's closes it and goes to the
    entry.
    """

    def __init__(
        self, entry: ttk.Entry, date: datetime.date, today: datetime.date, take: Callable[[datetime.date], object]
    ) -> None:
        window = entry.winfo_toplevel()
        super().__init__(window, style="Help.TFrame", padding=8, relief="solid", borderwidth=1)
        self.date = date
        self._entry, self._today, self._take = entry, today, take
        self._window = window
        self.days: dict[int, datetime.date] = {}
        self._build()
        self._show()
        self._place()
        # First among the entry's bind tags while the calendar is open, so that the calendar gets keys before the entry.
        self._tag = f"Calendar{self}"
        entry.bindtags((self._tag, *entry.bindtags()))
        self._bind_keys()

    def close(self) -> None:
        """Close the calendar."""
        self._entry.bindtags(tuple(each for each in self._entry.bindtags() if each != self._tag))
        for sequence in self._window.bind_class(self._tag):
            self._window.unbind_class(self._tag, sequence)
        # Before Python 3.13, tkinter's own unbind would also remove what others have bound there.
        others = [line for line in self._window.bind("<Button-1>").splitlines() if self._clicked_id not in line]
        self._window.bind("<Button-1>", "\n".join(others))
        self._window.deletecommand(self._clicked_id)
        self.destroy()

    def move(self, days: int) -> None:
        """Go this many days forward; negative: back."""
        self._go_to(self.date.toordinal() + days)

    def move_months(self, months: int) -> None:
        """Go this many months forward (negative: back), to the same day, or to the last one if the month is shorter."""
        number = self.date.year * 12 + self.date.month - 1 + months
        year, month = number // 12, number % 12 + 1
        if datetime.MINYEAR <= year <= datetime.MAXYEAR:
            day = min(self.date.day, calendar.monthrange(year, month)[1])
            self._go_to(datetime.date(year, month, day).toordinal())

    def _go_to(self, ordinal: int) -> None:
        if datetime.date.min.toordinal() <= ordinal <= datetime.date.max.toordinal():
            self.date = datetime.date.fromordinal(ordinal)
            self._show()

    def _choose(self) -> None:
        date = self.date
        self.close()
        self._take(date)

    # -- how it looks -----------------------------------------------------------------------------------

    def _build(self) -> None:
        font = nametofont("TkDefaultFont")
        self.cell = (font.measure("00") + 16, font.metrics("linespace") + 8)
        head = ttk.Frame(self, style="Bar.TFrame")
        head.grid(row=0, column=0, sticky="ew")
        head.columnconfigure(1, weight=1)
        self._title = ttk.Label(head, style="Bar.TLabel", font="AbqStrong", anchor="center")
        self._title.grid(row=0, column=1, sticky="ew")
        for column, text, months in ((0, "‹", -1), (2, "›", 1)):
            button = ttk.Label(head, text=text, style="Bar.TLabel", font="AbqStrong", padding=(12, 2), cursor="hand2")
            button.grid(row=0, column=column)
            button.bind("<Button-1>", lambda _event, months=months: self.move_months(months))  # type: ignore[misc]
        width, height = self.cell[0] * 7, self.cell[1] * (_WEEKS + 1)
        self.canvas = tk.Canvas(self, width=width, height=height, highlightthickness=0, borderwidth=0)
        self.canvas.grid(row=1, column=0, pady=4)
        self.canvas.bind("<Button-1>", self._pick)
        ttk.Label(self, text=_HINT, style="Bar.TLabel", font="AbqSmall", wraplength=width, justify="left").grid(
            row=2, column=0, sticky="w"
        )

    def _show(self) -> None:
        canvas, colours = self.canvas, _Colours(self)
        canvas.configure(background=colours.surface)
        canvas.delete("all")
        self.days.clear()
        self._title.configure(text=f"{calendar.month_name[self.date.month]} {self.date.year:04}")
        for column, name in enumerate(calendar.day_abbr):
            self._text(0, column, name[:2], colours.muted, "AbqSmall")
        first = self.date.replace(day=1)
        start = first.toordinal() - first.weekday()
        for place in range(7 * _WEEKS):
            if datetime.date.min.toordinal() <= start + place <= datetime.date.max.toordinal():
                self._draw(place, datetime.date.fromordinal(start + place), colours)

    def _draw(self, place: int, day: datetime.date, colours: _Colours) -> None:
        row, column = place // 7 + 1, place % 7
        width, height = self.cell
        self.days[place] = day
        colour = colours.text if day.month == self.date.month else colours.muted
        box = (column * width + 2, row * height + 1, (column + 1) * width - 2, (row + 1) * height - 1)
        if day == self.date:
            colour = colours.on_accent
            self.canvas.create_rectangle(*box, fill=colours.accent, outline=colours.accent)
        if day == self._today:
            # Not marked by colour alone: also by a frame and a bold number.
            self.canvas.create_rectangle(*box, outline=colours.text, width=2)
        self._text(row, column, str(day.day), colour, "AbqStrong" if day == self._today else "TkDefaultFont")

    def _text(self, row: int, column: int, text: str, colour: str, font: str) -> None:
        width, height = self.cell
        place = (column * width + width // 2, row * height + height // 2)
        self.canvas.create_text(*place, text=text, fill=colour, font=font)

    def _place(self) -> None:
        """Place the calendar below the entry, or above or beside it if the window has no room there."""
        self.update_idletasks()
        window, entry = self._window, self._entry
        x = entry.winfo_rootx() - window.winfo_rootx()
        below = entry.winfo_rooty() - window.winfo_rooty() + entry.winfo_height() + 2
        x = max(0, min(x, window.winfo_width() - self.winfo_reqwidth()))
        y = max(0, min(below, window.winfo_height() - self.winfo_reqheight()))
        if y < below:
            right = entry.winfo_rootx() - window.winfo_rootx() + entry.winfo_width() + 2
            x = max(0, min(right, window.winfo_width() - self.winfo_reqwidth()))
        self.place(x=x, y=y)
        self.lift()

    # -- keys and mouse ---------------------------------------------------------------------------------

    def _bind_keys(self) -> None:
        keys: dict[str, Callable[[], object]] = {
            "Left": lambda: self.move(-1),
            "Right": lambda: self.move(1),
            "Up": lambda: self.move(-7),
            "Down": lambda: self.move(7),
            "Prior": lambda: self.move_months(-1),
            "Next": lambda: self.move_months(1),
            "Shift-Prior": lambda: self.move_months(-12),
            "Shift-Next": lambda: self.move_months(12),
            "Home": lambda: self._go_to(self._today.toordinal()),
            "Return": self._choose,
            "KP_Enter": self._choose,
            "space": self._choose,
            "Escape": self.close,
            "Alt-Down": self.close,
            "Alt-Up": self.close,
        }
        # The number pad without Num Lock.
        keys |= {f"KP_{key}": keys[key] for key in ("Left", "Right", "Up", "Down", "Prior", "Next", "Home")}
        for key, action in keys.items():
            self._window.bind_class(self._tag, f"<{key}>", lambda _event, action=action: call_and_break(action))  # type: ignore[misc]
        self._window.bind_class(self._tag, "<Key>", self._other_key)
        self._window.bind_class(self._tag, "<FocusOut>", lambda _event: self.close())
        self._clicked_id = self._window.bind("<Button-1>", self._clicked, add=True)

    def _other_key(self, event: tk.Event) -> None:
        if not event.keysym.startswith(("Shift", "Control", "Alt", "Meta", "Super", "ISO_", "Caps", "Num_")):
            self.close()

    def _clicked(self, event: tk.Event) -> None:
        if self.winfo_exists() and not str(event.widget).startswith(str(self)):
            self.close()

    def _pick(self, event: tk.Event) -> None:
        width, height = self.cell
        day = self.days.get((event.y // height - 1) * 7 + event.x // width) if event.y >= height else None
        if day is not None:
            self.date = day
            self._choose()


class _Colours:
    """The colours of the current theme, looked up in its styles."""

    def __init__(self, widget: tk.Misc) -> None:
        style = ttk.Style(widget)
        chosen = ["selected", "focus"]
        self.surface = style.lookup("Bar.TLabel", "background") or "#ffffff"
        self.text = style.lookup("TLabel", "foreground") or "#000000"
        self.muted = style.lookup("Note.TLabel", "foreground") or "#555555"
        self.accent = style.lookup("Treeview", "background", chosen) or "#0a6a4e"
        self.on_accent = style.lookup("Treeview", "foreground", chosen) or "#ffffff"
