"""A window that stays open beside the form until Escape or Ctrl+W closes it, and a read-only text for it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from tkinter.font import nametofont
from typing import TypeVar

from ..widgets.focus import await_focus, collecting, focused_widget, select_text
from ..widgets.scrolled import AutoHideScrollbar, Flow
from .dialogs import FRAME_HEIGHT, MARGIN, within_screen

_LINES = 8


class Receipt(ttk.Frame):
    """A read-only text; Tab leaves it."""

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.text = tk.Text(self, height=_LINES, width=80, wrap="word", relief="flat", borderwidth=0)
        self.text.configure(font="TkDefaultFont", state="disabled", takefocus=1, padx=4, pady=4)
        bar = AutoHideScrollbar(self, orient="vertical", command=self.text.yview)
        self.text.configure(highlightthickness=1)
        self.text.configure(yscrollcommand=bar.set)
        self.text.grid(row=0, column=0, sticky="nsew")
        bar.grid(row=0, column=1, sticky="ns")
        self.text.bind("<<ThemeChanged>>", lambda _event: self._colour())  # a text doesn't follow by itself
        self._colour()
        # In a text widget Tab inserts a tab; this one is read-only, so Tab moves the focus.
        self.text.bind("<Tab>", lambda event: self._leave(event.widget.tk_focusNext()))
        for back in ("<Shift-Tab>", "<ISO_Left_Tab>"):
            # The name of Shift+Tab on X11; on other platforms Tk refuses to bind it.
            if back != "<ISO_Left_Tab>" or str(self.tk.call("tk", "windowingsystem")) == "x11":
                self.text.bind(back, lambda event: self._leave(event.widget.tk_focusPrev()))

    def show(self, text: str) -> None:
        """Show this text; if it is the same as before, the scroll position stays."""
        if self.text.get("1.0", "end-1c") != text:
            self.text.configure(state="normal")
            self.text.replace("1.0", "end", text)
            self.text.configure(state="disabled")

    def _colour(self) -> None:
        style = ttk.Style(self)
        background, foreground = style.lookup("TFrame", "background"), style.lookup("TLabel", "foreground")
        self.text.configure(
            background=background,
            foreground=foreground,
            highlightbackground=background,
            highlightcolor=style.lookup("TEntry", "bordercolor", ["focus"]) or foreground,
        )

    def _leave(self, widget: tk.Misc | None) -> str:
        if widget is not None:
            widget.focus_set()
        return "break"


class Head(ttk.Frame):
    """The head of a list: a check box, and the number of rows beside it, or below it if there is too little width."""

    def __init__(self, parent: tk.Misc, text: str, variable: tk.Variable, call: Callable[[], object]) -> None:
        super().__init__(parent)
        self.columnconfigure(0, weight=1)
        self._box = ttk.Checkbutton(self, text=text, variable=variable, command=call)
        self._box.grid(row=0, column=0, sticky="w")
        self.count = ttk.Label(self, style="Note.TLabel")
        self.count.grid(row=0, column=1, sticky="e")
        for each in (self, self.count):
            each.bind("<Configure>", lambda _event: self._arrange())

    def _arrange(self) -> None:
        beside = self._box.winfo_reqwidth() + _GAP + self.count.winfo_reqwidth() <= self.winfo_width()
        if beside != (int(self.count.grid_info()["row"]) == 0):
            self.count.grid(row=int(not beside), column=int(beside), sticky="e" if beside else "w")


_GAP = 16
_OFFSET = 32
_LITTLE_ROOM = 0.85  # of the height that the window requests; below it, buttons are made lower

Window = TypeVar("Window", bound="SideWindow")


class SideWindow(tk.Toplevel):
    """A window beside the form. ``room`` is the frame for its widgets; call :meth:`show` once they are created."""

    def __init__(self, parent: tk.Misc, title: str) -> None:
        super().__init__(parent)
        # Hidden until it has its size, so that nobody sees it grow.
        self.withdraw()
        self.title(title)
        self._colour_ground()
        self.bind("<<ThemeChanged>>", lambda _event: self._colour_ground(), add=True)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.room = ttk.Frame(self, padding=16)
        self.room.grid(row=0, column=0, sticky="nsew")
        # The window above which this one stays.
        self._over = parent.winfo_toplevel()
        self._timer = ""
        self._bar: Flow | None = None
        self._buttons: Sequence[ttk.Button] = ()
        self._wanted_lines = 0.0
        self._is_low = self._has_line = False
        self.status_label = ttk.Label(self.room, style="Note.TLabel", justify="left")
        self.status_label.bind("<Configure>", lambda event: event.widget.configure(wraplength=event.width))
        self.room.bind("<Configure>", lambda event: self._suit_height(event.height))
        # These keys close it from anywhere inside; the form gets the focus back.
        for key in ("<Escape>", "<Control-w>", "<Command-w>"):
            self.bind(key, lambda _event: self.leave())
        self.protocol("WM_DELETE_WINDOW", self.leave)

    def _colour_ground(self) -> None:
        self.configure(background=ttk.Style(self).lookup("TFrame", "background"))

    def share_room(self, list_row: int, text_row: int) -> None:
        """In a small window, keep some lines of the list, and shrink the text below it."""
        lines = 4 * int(ttk.Style(self).lookup("Treeview", "rowheight"))
        self.room.rowconfigure(list_row, weight=3, minsize=lines)
        self.room.rowconfigure(text_row, weight=1)

    def add_buttons(self, row: int, calls: Mapping[str, Callable[[], object]]) -> dict[str, ttk.Button]:
        """Add buttons, in as many lines as the width requires; return them by their texts."""
        self._bar = bar = Flow(self.room, len(calls))
        bar.grid(row=row, column=0, columnspan=2, sticky="ew", pady=(12, 0))
        made = {text: ttk.Button(bar, text=text, command=call) for text, call in calls.items()}
        self._buttons = list(made.values())
        for button in self._buttons:
            bar.add(button, 8, 4)
        bar.bind("<Configure>", lambda event: bar.fit(event.width))
        return made

    def _suit_height(self, height: int) -> None:
        """In a low window, make the buttons as low as their texts, which leaves more space to the list and the text."""
        is_low = height < _LITTLE_ROOM * self._wanted_lines * self._line_height
        bar = self._bar
        if bar is None or is_low == self._is_low:
            return
        self._is_low = is_low
        for button in self._buttons:
            button.configure(style="Quiet.TButton" if is_low else "TButton")
        self._place_status_label()
        self.after_idle(lambda: bar.winfo_exists() and bar.fit(bar.winfo_width()))

    def place_status(self, row: int, above: int = 8) -> None:
        """Reserve a line for :meth:`show_status` in that row, with ``above`` pixels above it."""
        self._has_line = True
        self.status_label.grid(row=row, column=0, sticky="ew", pady=(above, 0))

    def show_status(self, text: str) -> None:
        """Show below the list what was done, or why it wasn't."""
        if self.winfo_exists():
            self.status_label.configure(text=text)
            self._place_status_label()

    def _place_status_label(self) -> None:
        """Show the status line, except an empty one in a low window, where it would waste space."""
        if self._is_low and not self.status_label.cget("text"):
            self.status_label.grid_remove()
        elif self._has_line:
            self.status_label.grid()

    @property
    def _line_height(self) -> int:
        return int(nametofont("TkDefaultFont", self).metrics("linespace"))

    def go_behind(self) -> None:
        """Bring the window to which this one belongs to the front, because it shows what the user asked for."""
        self.tk.call("wm", "transient", self, "")  # tkinter's method doesn't accept an empty master
        self._over.lift()

    def come_back(self) -> None:
        """Bring this window to the front again, above the one to which it belongs."""
        if self._over.winfo_viewable():
            self.transient(self._over)
        self.lift()

    def repeat(self, milliseconds: int, action: Callable[[], object]) -> None:
        """Call ``action`` now and then every ``milliseconds``, as long as the window is open."""
        action()
        self._timer = self.after(milliseconds, self.repeat, milliseconds, action)

    def leave(self) -> None:
        """Close the window, because the user asks for it; the window to which it belongs gets the focus back."""
        focused, heir = focused_widget(self), self._over.focus_lastfor()
        if focused is not None and heir is not None and focused.winfo_toplevel() is self:
            with collecting(heir, self):
                pass
        if self.winfo_exists():  # a second Ctrl+W may have closed it meanwhile
            self.destroy()

    def destroy(self) -> None:
        """End what goes on in the window, and remove it."""
        if self._timer:
            self.after_cancel(self._timer)
            self._timer = ""
        super().destroy()

    def show(self, first_focus: tk.Misc) -> None:
        """Show this window near the one to which it belongs, within the screen, with the focus on ``first_focus``."""
        self.update_idletasks()
        self._wanted_lines = self.winfo_reqheight() / self._line_height
        width = min(self.winfo_reqwidth(), self.winfo_screenwidth() - 2 * MARGIN)
        height = min(self.winfo_reqheight(), self.winfo_screenheight() - FRAME_HEIGHT)
        x, y = self._over.winfo_rootx() + _OFFSET, self._over.winfo_rooty() + _OFFSET
        self.geometry(f"{width}x{height}{within_screen(self, width, height, x, y)}")
        # A transient of a hidden window would stay hidden as well.
        if self._over.winfo_viewable():
            self.transient(self._over)
        await_focus(self)
        self.deiconify()
        first_focus.focus_set()
        select_text(first_focus)


def brought_up(parent: tk.Misc, kind: type[Window]) -> Window | None:
    """Bring the open window of that kind to the front and return it; ``None`` if there is none."""
    shown = next((each for each in parent.winfo_children() if isinstance(each, kind)), None)
    if shown is not None:
        shown.come_back()
    return shown
