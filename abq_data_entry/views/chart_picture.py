"""The picture of a chart: points can be chosen by key and mouse, and it can be zoomed and panned."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import TYPE_CHECKING

from ..widgets.focus import call_and_break

if TYPE_CHECKING:
    from ..charts.drawing import Drawing, DrawnPoint, Limits, Panel

_NEAR = 12  # pixels; a click within this distance of a point is on it
_DRAGGED = 6  # pixels; a mouse that has moved further is dragging, not clicking
_CLOSER = 0.6  # the part of the view that is left after zooming in by one step
_STEP = 0.25  # the part of the view by which one step pans
_RESIZED_MS = 200
_JUMPS = 10  # steps from the first point to the last by Page Down
_COMMAND_STATE = 0x4 | 0x8 | 0x40000


class ChartPicture(tk.Canvas):
    """Shows a drawing.

    `redraw(limits)` draws a new one, `show_status(text)` shows a point's description, `open_point(point)` opens one.
    ←, →, Page Up, Page Down, Home and End go along the points, Enter opens one. +, − and 0 zoom, and Shift with an
    arrow pans. The wheel zooms too, and dragging the mouse zooms to the part under it.
    """

    def __init__(
        self,
        parent: tk.Misc,
        redraw: Callable[[Limits], object],
        show_status: Callable[[str], object],
        open_point: Callable[[DrawnPoint], object],
    ) -> None:
        super().__init__(parent, highlightthickness=2, borderwidth=0, takefocus=1, width=320, height=180)
        self._redraw, self._show_status, self._open_point = redraw, show_status, open_point
        self.drawing: Drawing | None = None
        self.limits: Limits = {}
        self._image: tk.PhotoImage | None = None
        self._place = -1
        self._pressed: tuple[int, int] | None = None
        self._timer = ""
        self._bind_keys()
        self._bind_mouse()
        self.bind("<Configure>", lambda _event: self._redraw_soon())
        self.recolour()

    @property
    def extent(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        edge = 2 * int(str(self.cget("highlightthickness")))
        return max(240, self.winfo_width() - edge), max(150, self.winfo_height() - edge)

    @property
    def point(self) -> DrawnPoint | None:
        """The chosen point; ``None`` if there is none."""
        points = self.drawing.points if self.drawing is not None else ()
        return points[self._place] if 0 <= self._place < len(points) else None

    def show(self, drawing: Drawing) -> None:
        """Show this drawing; the chosen point stays chosen if the drawing has it."""
        before = self.point
        self.delete("all")
        self.drawing = drawing
        self._image = tk.PhotoImage(master=self, data=drawing.picture, format="ppm")
        edge = int(str(self.cget("highlightthickness")))
        self.create_image(edge, edge, image=self._image, anchor="nw")
        same = [place for place, each in enumerate(drawing.points) if before and each.words == before.words]
        self._place = same[0] if same else -1
        self._mark()

    def recolour(self) -> None:
        """Apply the colours of the theme."""
        style = ttk.Style(self)
        ground = style.lookup("TFrame", "background")
        self.configure(
            background=ground,
            highlightbackground=ground,
            highlightcolor=style.lookup("TEntry", "bordercolor", ["focus"]) or style.lookup("TLabel", "foreground"),
        )

    def zoom(self, factor: float, at: tuple[float, float] | None = None) -> None:
        """Show ``factor`` of the visible range, around ``at`` (pixels), else the chosen point, else the middle."""
        point = self.point
        place = at if at is not None else (point.x, point.y) if point is not None else None
        panel = self._panel_at(place)
        if panel is None:
            return
        number, box = panel
        x, y = place or ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
        width, height = (box.right - box.left) * factor, (box.bottom - box.top) * factor
        left, top = x - (x - box.left) * factor, y - (y - box.top) * factor
        self._zoom_to(number, box, (left, top, left + width, top + height))

    def pan(self, across: int, up: int) -> None:
        """Move the visible range by this many steps to the right and up; negative: left and down."""
        point = self.point
        panel = self._panel_at((point.x, point.y) if point is not None else None)
        if panel is not None:
            number, box = panel
            x, y = across * _STEP * (box.right - box.left), -up * _STEP * (box.bottom - box.top)
            self._zoom_to(number, box, (box.left + x, box.top + y, box.right + x, box.bottom + y))

    def show_all(self) -> None:
        """Show the whole range again."""
        if self.limits:
            self.limits = {}
            self._redraw({})

    def go(self, steps: int) -> None:
        """Choose the point this many steps further; if none is chosen, begin before the first, or after the last."""
        count = len(self.drawing.points) if self.drawing is not None else 0
        if count:
            start = self._place if self._place >= 0 else (-1 if steps > 0 else count)
            self._choose(min(max(start + steps, 0), count - 1))

    def destroy(self) -> None:
        """Destroy the canvas, stop its timer, and delete the image on this thread, because that calls Tk."""
        if self._timer:
            self.after_cancel(self._timer)
            self._timer = ""
        self._image = None
        super().destroy()

    # -- keys and mouse ---------------------------------------------------------------------------------

    def _bind_keys(self) -> None:
        for key, steps in (("Right", 1), ("Left", -1)):
            self.bind(f"<{key}>", lambda _event, steps=steps: call_and_break(lambda: self.go(steps)))  # type: ignore[misc]
        for key, sign in (("Next", 1), ("Prior", -1)):
            self.bind(f"<{key}>", lambda _event, sign=sign: call_and_break(lambda: self.go(sign * self._jump)))  # type: ignore[misc]
        for key, sign in (("Home", -1), ("End", 1)):
            self.bind(f"<{key}>", lambda _event, sign=sign: call_and_break(lambda: self.go(sign * 10**9)))  # type: ignore[misc]
        for key in ("<Return>", "<KP_Enter>", "<space>"):
            self.bind(key, lambda _event: call_and_break(self._open))
        for key, factor in (("plus", _CLOSER), ("KP_Add", _CLOSER), ("equal", _CLOSER), ("minus", 1 / _CLOSER),
                            ("KP_Subtract", 1 / _CLOSER)):  # fmt: skip
            self.bind(f"<{key}>", lambda event, factor=factor: self._key_zoom(event, factor))  # type: ignore[misc]
        for key in ("<Key-0>", "<KP_0>"):
            self.bind(key, lambda event: self._key_zoom(event, 0))
        for key, across, up in (("Left", -1, 0), ("Right", 1, 0), ("Up", 0, 1), ("Down", 0, -1)):
            self.bind(f"<Shift-{key}>", lambda _event, x=across, y=up: call_and_break(lambda: self.pan(x, y)))  # type: ignore[misc]

    def _bind_mouse(self) -> None:
        self.bind("<Button-1>", self._press)
        self.bind("<B1-Motion>", self._drag)
        self.bind("<ButtonRelease-1>", self._release)
        self.bind("<Motion>", self._hover)
        self.bind("<Button-4>", lambda event: self.zoom(_CLOSER, (event.x, event.y)))
        self.bind("<Button-5>", lambda event: self.zoom(1 / _CLOSER, (event.x, event.y)))
        self.bind(
            "<MouseWheel>",
            lambda event: self.zoom(_CLOSER if event.delta > 0 else 1 / _CLOSER, (event.x, event.y)),
        )

    @property
    def _jump(self) -> int:
        return max(1, len(self.drawing.points) // _JUMPS) if self.drawing is not None else 1

    def _key_zoom(self, event: tk.Event, factor: float) -> str | None:
        if isinstance(event.state, int) and event.state & _COMMAND_STATE:
            return None  # a command of the window, such as Larger Text
        return call_and_break(lambda: self.zoom(factor) if factor else self.show_all())

    def _press(self, event: tk.Event) -> None:
        self.focus_set()
        self._pressed = event.x, event.y

    def _drag(self, event: tk.Event) -> None:
        self.delete("part")
        if self._pressed is not None and self._is_far(event):
            colour = self.cget("highlightcolor")
            self.create_rectangle(*self._pressed, event.x, event.y, outline=colour, width=2, dash=(4, 3), tags="part")

    def _release(self, event: tk.Event) -> None:
        pressed = self._pressed
        self.delete("part")
        if pressed is None:
            return
        if self._is_far(event):
            panel = self._panel_at(pressed)
            if panel is not None:
                (left, right), (top, bottom) = sorted((pressed[0], event.x)), sorted((pressed[1], event.y))
                self._zoom_to(*panel, (left, top, right, bottom))
        else:
            place = self._nearest(event)
            if place is not None:
                self._choose(place)
                self._open()
        self._pressed = None

    def _is_far(self, event: tk.Event) -> bool:
        x, y = self._pressed or (event.x, event.y)
        return abs(event.x - x) > _DRAGGED and abs(event.y - y) > _DRAGGED

    def _hover(self, event: tk.Event) -> None:
        place = self._nearest(event)
        if place is not None and self.drawing is not None:
            self._show_status(self.drawing.points[place].words)
        elif self.point is not None:
            self._show_status(self.point.words)

    def _nearest(self, event: tk.Event) -> int | None:
        points = self.drawing.points if self.drawing is not None else ()
        near = [
            ((each.x - event.x) ** 2 + (each.y - event.y) ** 2, place)
            for place, each in enumerate(points)
            if abs(each.x - event.x) <= _NEAR and abs(each.y - event.y) <= _NEAR
        ]
        return min(near)[1] if near else None

    # -- points and parts -------------------------------------------------------------------------------

    def _choose(self, place: int) -> None:
        self._place = place
        self._mark()
        point = self.point
        if point is not None:
            self._show_status(point.words)

    def _mark(self) -> None:
        self.delete("mark")
        point = self.point
        if point is not None:
            x, y, reach = point.x, point.y, 7
            box = (x - reach, y - reach, x + reach, y + reach)
            self.create_oval(*box, outline=self.cget("highlightcolor"), width=3, tags="mark")

    def _open(self) -> None:
        if self.point is not None:
            self._open_point(self.point)

    def _panel_at(self, place: tuple[float, float] | None) -> tuple[int, Panel] | None:
        """Return the panel at ``place`` (else the first one) with its number; None if no panel can be zoomed."""
        panels = self.drawing.panels if self.drawing is not None else ()
        for number, box in enumerate(panels):
            if place and box.left <= place[0] <= box.right and box.top <= place[1] <= box.bottom:
                return number, box
        return (0, panels[0]) if panels else None

    def _zoom_to(self, number: int, box: Panel, part: tuple[float, float, float, float]) -> None:
        x0, x1, y0, y1 = box.limits
        wide, high = (x1 - x0) / (box.right - box.left), (y1 - y0) / (box.bottom - box.top)
        left, top, right, bottom = part
        self.limits = {
            number: (
                x0 + (left - box.left) * wide,
                x0 + (right - box.left) * wide,
                y0 + (box.bottom - bottom) * high,
                y0 + (box.bottom - top) * high,
            )
        }
        self._redraw(self.limits)

    def _redraw_soon(self) -> None:
        if self._timer:
            self.after_cancel(self._timer)
        self._timer = self.after(_RESIZED_MS, self._resized)

    def _resized(self) -> None:
        self._timer = ""
        if self.drawing is None or self.extent != (self.drawing.width, self.drawing.height):
            self._redraw(self.limits)
