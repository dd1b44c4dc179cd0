"""The window of charts: which chart, of which records, its picture, and the commands for it."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from tkinter.font import nametofont
from typing import TYPE_CHECKING, NamedTuple

from .. import fields
from ..charts import CHARTS, PLOTS, QUANTITIES, Chart, ChartChoice, ChartLook
from ..constants import FieldNames as F
from ..fields.dates import DateReader
from ..themes import contrast
from ..widgets.editors import DateEntry, widen_list
from ..widgets.scrolled import Flow
from .chart_picture import ChartPicture
from .side_window import SideWindow

if TYPE_CHECKING:
    from ..charts.drawing import Drawing, DrawnPoint, Limits
    from ..charts.page import Key

ALL = "all"
_HINT = "←, → go from point to point, Enter opens the record; +, −, 0 zoom, Shift with an arrow moves the view"


class ChartRequest(NamedTuple):
    """Which chart to draw, and in which look. `again`: read the records again."""

    choice: ChartChoice
    look: ChartLook
    size: tuple[int, int]
    limits: Limits
    again: bool = False


class ChartCallbacks(NamedTuple):
    """Callbacks. `draw(request)` calls `show_drawing` or `show_problem` when done, `copy` and `save` `show_status`."""

    draw: Callable[[ChartRequest], object]
    cancel: Callable[[], object]
    open_records: Callable[[Key], object]
    save: Callable[[ChartRequest], object]
    copy: Callable[[ChartRequest], object]


class ChartsWindow(SideWindow):
    """The window, which stays open beside the form. `lab` is chosen at first; empty: all labs."""

    def __init__(self, parent: tk.Misc, callbacks: ChartCallbacks, reader: DateReader, lab: str = "") -> None:
        super().__init__(parent, "Charts")
        self._callbacks, self._reader = callbacks, reader
        self._asked: ChartRequest | None = None
        self.variables: dict[str, tk.StringVar] = {}
        self.boxes: dict[str, ttk.Combobox] = {}
        self._pieces: dict[str, ttk.Frame] = {}
        self.room.columnconfigure(0, weight=1)
        self.room.rowconfigure(1, weight=1)
        self._filters = Flow(self.room, 8)
        self._filters.grid(row=0, column=0, sticky="ew", pady=(0, 8))
        self._filters.bind("<Configure>", lambda event: self._filters.fit(event.width))
        self._make_filters(lab)
        self.picture = ChartPicture(self.room, lambda _limits: self.draw(), self.show_status, self._open)
        self.picture.grid(row=1, column=0, sticky="nsew")
        self.place_status(2, above=4)
        self.buttons = self.add_buttons(3, {
            "Zoom In": lambda: self.picture.zoom(0.6), "Zoom Out": lambda: self.picture.zoom(1 / 0.6),
            "Show All": self.picture.show_all, "Save…": self.save, "Copy": self.copy, "Cancel": self._cancel,
            "Close": self.leave,
        })  # fmt: skip
        self._bind_keys()
        self._suit_chart()
        self.picture.configure(width=self._letters(100), height=round(self._letters(100) * 0.52))
        self.show(self.boxes["chart"])
        self.bind("<<ThemeChanged>>", self._theme_changed, add=True)

    # -- choices ----------------------------------------------------------------------------------------

    @property
    def chart(self) -> Chart:
        """The chosen chart."""
        return next(each for each in CHARTS if each.title == self.variables["chart"].get())

    @property
    def choice(self) -> ChartChoice | None:
        """The chosen chart and filters; ``None`` while a date isn't valid."""
        dates = [self._date(each) for each in (self.first, self.last)]
        if ValueError in dates:
            return None
        text = {name: variable.get() for name, variable in self.variables.items()}
        kind = self.chart
        plot = int(text["plot"]) if kind.by_plot and text["plot"].isdecimal() else None
        columns = {each.name: each.column for each in QUANTITIES.values()}
        return ChartChoice(
            kind.name,
            "" if text["lab"] == ALL else text["lab"],
            plot,
            dates[0],  # type: ignore[arg-type]
            dates[1],  # type: ignore[arg-type]
            columns.get(text["field"], ""),
            columns.get(text["across"], "temperature"),
            columns.get(text["up"], "humidity"),
        )

    def draw(self, again: bool = False) -> None:
        """Request the chosen chart; ``again``: read the records again."""
        request = self._request(again)
        if request is None:
            self.show_status("This isn't a date. Type it like 2026-11-21, or leave it empty for all days")
            return
        if self._asked is None or request.choice != self._asked.choice:
            self.picture.limits = {}
            request = request._replace(limits={})
            self.show_status(f"Reading {self.chart.title.lower()} of {request.choice.words}…")
        self._asked = request
        self.buttons["Cancel"].state(["!disabled"])
        self._callbacks.draw(request)

    def show_labs(self, labs: Sequence[str]) -> None:
        """Offer these labs."""
        self.boxes["lab"].configure(values=[ALL, *labs])

    def show_drawing(self, drawing: Drawing) -> None:
        """Show the finished drawing."""
        if self.winfo_exists():
            self.buttons["Cancel"].state(["disabled"])
            self.picture.show(drawing)
            point = self.picture.point
            self.show_status(point.words if point else _HINT if drawing.points else drawing.title)

    def show_problem(self, words: str) -> None:
        """Show why the chart wasn't drawn, or that it was cancelled; F5 tries again."""
        if self.winfo_exists():
            self.buttons["Cancel"].state(["disabled"])
            self.show_status(words)
            self._asked = None

    def save(self) -> None:
        """Save the chart as a file."""
        request = self._request()
        if request is not None:
            self._callbacks.save(request)

    def copy(self) -> None:
        """Copy the picture, and its values as text."""
        request = self._request()
        if request is not None:
            self._callbacks.copy(request)

    def destroy(self) -> None:
        """Close the window, and cancel the query that is running."""
        self._callbacks.cancel()
        self.variables.clear()  # here, because the garbage collector may run on a thread that must not call Tk
        super().destroy()

    # -- building ---------------------------------------------------------------------------------------

    def _make_filters(self, lab: str) -> None:
        names = [each.name for each in QUANTITIES.values()]
        self._add_box("chart", "Chart", [each.title for each in CHARTS], CHARTS[0].title, 24)
        self._add_box("lab", "Lab", [ALL, lab] if lab else [ALL], lab or ALL, 4)
        self._add_box("plot", "Plot", [ALL, *map(str, PLOTS)], ALL, 4)
        self._add_box("field", "Field", [ALL], ALL, 12)
        self._add_box("across", "Across", names, QUANTITIES["temperature"].name, 14)
        self._add_box("up", "Up", names, QUANTITIES["humidity"].name, 14)
        self.first = self._add_date("first", "From")
        self.last = self._add_date("last", "To")
        self.first.set_text((self._reader.today() - datetime.timedelta(days=89)).isoformat())

    def _add_box(self, name: str, label: str, values: Sequence[str], usual: str, width: int) -> None:
        piece = self._add_piece(name, label)
        self.variables[name] = tk.StringVar(self, usual)
        box = ttk.Combobox(piece, textvariable=self.variables[name], values=list(values), width=width, state="readonly",
                           font="TkTextFont")  # fmt: skip
        box.configure(postcommand=lambda: widen_list(box))
        box.bind("<<ComboboxSelected>>", lambda _event: self._changed())
        box.pack(side="left")
        self.boxes[name] = box

    def _add_date(self, name: str, label: str) -> DateEntry:
        entry = DateEntry(self._add_piece(name, label), fields.field(F.DATE), 11, self._reader)
        for event in ("<Return>", "<KP_Enter>", "<FocusOut>"):
            entry.bind(event, lambda _event: self._date_left(entry), add=True)
        entry.pack(side="left")
        return entry

    def _add_piece(self, name: str, label: str) -> ttk.Frame:
        piece = ttk.Frame(self._filters)
        ttk.Label(piece, text=label).pack(side="left", padx=(0, 4))
        self._pieces[name] = piece
        return piece

    def _bind_keys(self) -> None:
        control = "Command" if str(self.tk.call("tk", "windowingsystem")) == "aqua" else "Control"
        self.bind("<F5>", lambda _event: self.draw(again=True))
        self.bind(f"<{control}-s>", lambda _event: self.save())
        self.picture.bind("<<Copy>>", lambda _event: self.copy())

    # -- events -----------------------------------------------------------------------------------------

    def _changed(self) -> None:
        self._suit_chart()
        choice = self.choice
        if choice is None or self._asked is None or choice != self._asked.choice:
            self.draw()

    def _suit_chart(self) -> None:
        """Show the filters of the chosen chart, and offer the fields that it can draw."""
        kind = self.chart
        named = [QUANTITIES[each].name if each else ALL for each in kind.measures]
        self.boxes["field"].configure(values=named)
        if named and self.variables["field"].get() not in named:
            self.variables["field"].set(named[0])
        shown = ["chart", "lab", *(["plot"] if kind.by_plot else []), *(["field"] if named else [])]
        shown += [*(["across", "up"] if kind.two_quantities else []), "first", "last"]
        self._filters.clear()
        for name, piece in self._pieces.items():
            piece.grid_forget()
            if name in shown:
                self._filters.add(piece, 12, 4)
        self._filters.fit(max(self._filters.winfo_width(), self._letters(40)))

    def _date_left(self, entry: DateEntry) -> None:
        entry.settle()
        if self.winfo_exists() and self.variables:
            self._changed()

    def _date(self, entry: DateEntry) -> datetime.date | type[ValueError] | None:
        if not entry.text:
            return None
        try:
            return self._reader.read(entry.text)
        except ValueError:
            return ValueError

    def _request(self, again: bool = False) -> ChartRequest | None:
        choice = self.choice
        return choice and ChartRequest(choice, self._look(), self.picture.extent, self.picture.limits, again)

    def _look(self) -> ChartLook:
        """Return the colours and the font of the window, for the chart."""
        style, font = ttk.Style(self), nametofont("TkDefaultFont", self).actual()
        ground, text, muted, line = (
            _hexadecimal(self, style.lookup(name, option) or usual)
            for name, option, usual in (
                ("TFrame", "background", "#ffffff"), ("TLabel", "foreground", "#000000"),
                ("Note.TLabel", "foreground", "#666666"), ("Line.TFrame", "background", "#cccccc"),
            )
        )  # fmt: skip
        look = ChartLook.dark(contrast(ground, "#ffffff") > contrast(ground, "#000000"))
        dots = float(self.winfo_fpixels("1i"))
        size = float(font["size"])
        points = size if size > 0 else -size * 72 / dots
        family = str(font["family"])
        return look._replace(
            ground=ground, text=text, muted=muted, line=line, family=family, points=points, dots=dots
        )

    def _open(self, point: DrawnPoint) -> None:
        if point.key is None:
            self.show_status(f"{point.words}: this point isn't a single record")
        else:
            self._callbacks.open_records(point.key)

    def _cancel(self) -> None:
        self._callbacks.cancel()
        self.show_problem("Cancelled. F5 reads it again")

    def _theme_changed(self, event: tk.Event) -> None:
        if event.widget is self and self._asked is not None:
            self.picture.recolour()
            if self._look() != self._asked.look:
                self.after_idle(self.draw)

    def _letters(self, count: int) -> int:
        return nametofont("TkDefaultFont", self).measure("0") * count


def _hexadecimal(widget: tk.Misc, colour: str) -> str:
    red, green, blue = (each >> 8 for each in widget.winfo_rgb(colour))
    return f"#{red:02x}{green:02x}{blue:02x}"
