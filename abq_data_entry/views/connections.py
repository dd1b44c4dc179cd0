"""The window that checks the connections: it shows each step when it is done, and what to do about a failure."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from tkinter.font import nametofont
from typing import NamedTuple

from ..widgets.scrolled import Flow
from .side_window import SideWindow

TITLE = "Check Connections"
_ABOUT = "Checks whether everything that this application works with can be reached. No record is ever sent."
_STARTING = "Beginning…"
_MARKS = {"ok": "✓", "slow": "⚠", "warning": "⚠", "failed": "✗"}
_COLUMNS = (2, 12, 31, 33)  # characters before the verdict, the step, the end of its time, its text


class ConnectionLine(NamedTuple):
    """One step: the destination, what was checked, the verdict, the time it took, what was found, and what to do.

    ``verdict``: ``ok``, ``slow``, ``warning`` or ``failed``.
    """


    destination: str
    what: str
    verdict: str
    time: str
    text: str
    advice: str = ""


class ConnectionCallbacks(NamedTuple):
    """Callbacks: ``begin(with_login, with_write)``, ``cancel()``, and ``copy()`` for everything that was found."""

    begin: Callable[[bool, bool], object]
    cancel: Callable[[], object]
    copy: Callable[[], object]


class ConnectionsWindow(SideWindow):
    """The window; the check begins when it opens. :meth:`show_lines` adds steps, :meth:`finish` ends the check."""

    def __init__(self, parent: tk.Misc, callbacks: ConnectionCallbacks) -> None:
        super().__init__(parent, TITLE)
        self._callbacks = callbacks
        self._destination = ""
        self.running = False
        self.with_login = tk.BooleanVar(self, value=False)
        self.with_write = tk.BooleanVar(self, value=False)
        self.room.columnconfigure(0, weight=1)
        self.room.rowconfigure(2, weight=1)
        about = ttk.Label(self.room, text=_ABOUT, justify="left", anchor="w")
        about.grid(row=0, column=0, columnspan=2, sticky="ew")
        self.boxes = self._make_boxes()
        self.list = self._make_list()
        self.progress, self.summary = self._make_progress()
        self.buttons = self._make_buttons()
        for label in (about, self.summary):
            label.bind("<Configure>", lambda event: event.widget.configure(wraplength=event.width))
        self.bind("<F5>", lambda _event: self.begin())
        self.bind("<<ThemeChanged>>", lambda _event: self._colour(), add=True)
        self.list.bind("<Configure>", lambda _event: self._colour())
        self._colour()
        self.show(self.list)
        self.begin()

    @property
    def text(self) -> str:
        """The whole text of the list."""
        return self.list.get("1.0", "end-1c")

    def begin(self) -> None:
        """Begin a check, with the options of the boxes."""
        if self.running:
            return
        self.running = True
        self._destination = ""
        self._write(lambda: self.list.delete("1.0", "end"))
        self.progress.grid()
        self.progress.start(40)
        self.show_status(_STARTING)
        self._update_buttons()
        self._callbacks.begin(self.with_login.get(), self.with_write.get())

    def show_lines(self, lines: Sequence[ConnectionLine]) -> None:
        """Add these steps, and scroll to them unless the user has scrolled up."""
        at_end = self.list.yview()[1] >= 1.0

        def add() -> None:
            for line in lines:
                self._add(line)

        self._write(add)
        if at_end:
            self.list.see("end")

    def show_status(self, text: str, style: str = "TLabel") -> None:
        """Show the progress of the check below the list."""
        self.summary.configure(text=text, style=style)

    def finish(self, text: str, failed: bool) -> None:
        """End the check, and show ``text`` as its result."""
        self.running = False
        self.progress.stop()
        self.progress.grid_remove()
        self.show_status(text, "Error.TLabel" if failed else "TLabel")
        held = self.focus_get() is self.buttons["Cancel"]
        self._update_buttons()
        if held:
            self.buttons["Check Again"].focus_set()

    def press(self, name: str) -> None:
        """Press the button of that name."""
        self.buttons[name].invoke()

    def destroy(self) -> None:
        """Close the window, and cancel a check that is running."""
        if self.running:
            self.running = False
            self._callbacks.cancel()
        self.progress.stop()
        super().destroy()

    # -- building ---------------------------------------------------------------------------------------

    def _make_boxes(self) -> dict[str, ttk.Checkbutton]:
        line = Flow(self.room, 3)
        line.grid(row=1, column=0, columnspan=2, sticky="ew", pady=(4, 12))
        line.bind("<Configure>", lambda event: line.fit(event.width))
        made = {
            "With login": ttk.Checkbutton(
                line, text="With login", variable=self.with_login, command=self._login_ticked
            ),
            "With write test": ttk.Checkbutton(
                line, text="With write test", variable=self.with_write, command=self._write_ticked
            ),
        }
        for box in made.values():
            line.add(box, 16, 4)
            box.bind("<Return>", lambda _event: self.begin())
        note = ttk.Label(line, text="A tiny file is stored and removed again.", style="Note.TLabel")
        line.add(note, 0, 4)
        return made

    def _make_list(self) -> tk.Text:
        text = tk.Text(self.room, width=104, height=22, wrap="word", relief="flat", borderwidth=0, font="TkDefaultFont")
        text.configure(state="disabled", padx=8, pady=8, highlightthickness=1, cursor="arrow", takefocus=1)
        down = ttk.Scrollbar(self.room, orient="vertical", command=text.yview)
        text.configure(yscrollcommand=down.set)
        text.grid(row=2, column=0, sticky="nsew")
        down.grid(row=2, column=1, sticky="ns")
        for key, amount, unit in (
            ("<Up>", -1, "units"), ("<Down>", 1, "units"), ("<Prior>", -1, "pages"), ("<Next>", 1, "pages"),
        ):  # fmt: skip
            text.bind(key, lambda _event, amount=amount, unit=unit: _scrolled(text, amount, unit))  # type: ignore[misc]
        text.bind("<Home>", lambda _event: _moved(text, 0.0))
        text.bind("<End>", lambda _event: _moved(text, 1.0))
        text.bind("<Tab>", lambda event: _focus_on(event.widget.tk_focusNext()))
        for key in ("<Shift-Tab>", "<ISO_Left_Tab>"):
            if key != "<ISO_Left_Tab>" or self.tk.call("tk", "windowingsystem") == "x11":
                text.bind(key, lambda event: _focus_on(event.widget.tk_focusPrev()))
        return text

    def _make_progress(self) -> tuple[ttk.Progressbar, ttk.Label]:
        line = ttk.Frame(self.room)
        line.grid(row=3, column=0, columnspan=2, sticky="ew", pady=(12, 0))
        line.columnconfigure(1, weight=1)
        bar = ttk.Progressbar(line, mode="indeterminate", length=120)
        bar.grid(row=0, column=0, padx=(0, 12))
        summary = ttk.Label(line, anchor="w", justify="left", font="TkDefaultFont")
        summary.grid(row=0, column=1, sticky="ew")
        return bar, summary

    def _make_buttons(self) -> dict[str, ttk.Button]:
        calls: dict[str, Callable[[], object]] = {
            "Copy": self._callbacks.copy,
            "Cancel": self._cancelled,
            "Check Again": self.begin,
            "Close": self.leave,
        }
        return self.add_buttons(4, calls)

    # -- inside -----------------------------------------------------------------------------------------

    def _add(self, line: ConnectionLine) -> None:
        if line.destination != self._destination:
            self._destination = line.destination
            self._add_line((line.destination, "heading"))
        mark = f"\t{_MARKS.get(line.verdict, '')} {line.verdict}"
        self._add_line((mark, f"step {line.verdict}"), (f"\t{line.what}\t{line.time}\t{line.text}", "step"))
        if line.advice:
            self._add_line((line.advice, "advice slow"))

    def _add_line(self, *parts: tuple[str, str]) -> None:
        if self.list.index("end-1c") != "1.0":
            self.list.insert("end", "\n")
        for text, tags in parts:
            self.list.insert("end", text, tuple(tags.split()))

    def _write(self, change: Callable[[], object]) -> None:
        self.list.configure(state="normal")
        change()
        self.list.configure(state="disabled")

    def _login_ticked(self) -> None:
        if not self.with_login.get():
            self.with_write.set(False)

    def _write_ticked(self) -> None:
        if self.with_write.get():
            self.with_login.set(True)

    def _cancelled(self) -> None:
        self.buttons["Cancel"].state(["disabled"])
        self.show_status("Cancelling…")
        self._callbacks.cancel()

    def _update_buttons(self) -> None:
        for name, may in (("Copy", not self.running), ("Cancel", self.running), ("Check Again", not self.running)):
            self.buttons[name].state(["!disabled" if may else "disabled"])

    def _colour(self) -> None:
        """Apply the colours and the font of the theme, because a text widget doesn't do that by itself."""
        style = ttk.Style(self)

        def colour(name: str, option: str = "foreground") -> str:
            return str(style.lookup(name, option))

        surface, line, accent = (
            colour("TFrame", "background"),
            colour("TEntry", "bordercolor"),
            colour(".", "focuscolor"),
        )
        self.list.configure(background=surface, foreground=colour("TLabel"))
        self.list.configure(highlightbackground=line or surface, highlightcolor=accent or colour("TLabel"))
        digit = nametofont("TkDefaultFont", self).measure("0")
        marks, what, end, text = (column * digit for column in _COLUMNS)
        tabs = (marks, "left", what, "left", end, "right", text, "left")
        width = self.list.winfo_width()
        # If the column of the texts would be too narrow, they continue below the step, over the whole width.
        below = text if width <= 1 or width >= 2 * text else 2 * marks
        self.list.tag_configure("step", tabs=tabs, lmargin2=below, spacing1=2)
        self.list.tag_configure("advice", lmargin1=below, lmargin2=below)
        self.list.tag_configure("heading", font="AbqStrong", spacing1=digit, spacing3=2)
        self.list.tag_configure("failed", foreground=colour("Error.TLabel"))
        for verdict in ("slow", "warning"):
            self.list.tag_configure(verdict, foreground=colour("Warning.TLabel"))


def _scrolled(text: tk.Text, amount: int, unit: str) -> str:
    text.yview("scroll", amount, unit)
    return "break"


def _moved(text: tk.Text, place: float) -> str:
    text.yview_moveto(place)
    return "break"


def _focus_on(widget: tk.Misc | None) -> str:
    if widget is not None:
        widget.focus_set()
    return "break"
