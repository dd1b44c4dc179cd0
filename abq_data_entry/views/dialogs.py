"""Dialogs for decisions, and for failures of what was asked; none of them stops the window behind it."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from tkinter.font import nametofont

from ..widgets.focus import focused_widget
from ..widgets.scrolled import Scrolled
from .placing import within_screen

UNREAD_SECONDS = 0.4
_ROOM = 0.7  # of the screen's height, at most, for what can be scrolled and what is around it
_LINE = 62  # characters


class Dialog(tk.Toplevel):
    """A window over its parent with a message, an optional detail, and buttons.

    ``buttons`` are (text, action) pairs: the first is the default (Enter), the last is Cancel (Escape and
    the window's close button). The dialog closes, then the action is called.
    """

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        message: str,
        detail: str = "",
        buttons: Sequence[tuple[str, Callable[[], object] | None]] = (("OK", None),),
    ) -> None:
        super().__init__(parent)
        self.withdraw()
        self.title(title)
        self.message, self.detail = message, detail
        # A window that comes up with a dialog never had the keyboard, but knows which field is to have it.
        self._parent = parent.winfo_toplevel()
        self._return_focus = focused_widget(parent) or self._parent.focus_lastfor()
        self._readable_from = time.monotonic() + UNREAD_SECONDS
        self.body = ttk.Frame(self, padding=24)
        self.body.grid(row=0, column=0, sticky="nsew")
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.body.columnconfigure(0, weight=1)
        ttk.Label(
            self.body, text=message, style="Section.TLabel", wraplength=line_width(self), justify="left"
        ).grid(row=0, column=0, sticky="w")
        if detail:
            # Long reasons wrap and can be selected and copied.
            self._add_detail(detail)
        self.make_body(self.body)
        self._buttons = self._add_buttons(buttons)
        self._show(parent)

    def make_body(self, body: ttk.Frame) -> None:
        """For subclasses: add widgets to ``body`` from row 2 on."""

    def add_room(self, body: ttk.Frame, top: int) -> Scrolled:
        """Room, ``top`` pixels below the message, for what may be larger than the screen; see :meth:`limit`."""
        room = Scrolled(body)
        room.grid(row=2, column=0, sticky="nsew", pady=(top, 0))
        room.inside.configure(background=ttk.Style(self).lookup("TFrame", "background"))
        return room

    def limit(self, room: Scrolled, content: tk.Misc) -> None:
        """Where the dialog would be larger than the screen, scroll ``content``, which ``room`` holds."""
        self.update_idletasks()
        height = int(self.winfo_screenheight() * _ROOM) - self.body.winfo_reqheight() + content.winfo_reqheight()
        if content.winfo_reqheight() > height:
            # Scrolled asks for as much as its content: the room's own size is what the dialog then has.
            room.grid_propagate(False)
            room.configure(height=max(120, height), width=content.winfo_reqwidth() + 24)

    def first_focus(self) -> tk.Misc:
        """The widget that has the focus first: the default button."""
        return self._buttons[0]

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Close the dialog, give the focus back, then do ``action``."""
        self.grab_release()
        self.destroy()
        if self._return_focus is None or not self._return_focus.winfo_exists():  # a dialog that is closed by now
            self._return_focus = self._parent.focus_lastfor()
        if self._return_focus is not None:
            self._return_focus.focus_set()
        if action is not None:
            action()

    def _add_detail(self, detail: str) -> None:
        lines = min(16, sum(1 + len(line) // _LINE for line in detail.splitlines()) or 1)
        text = tk.Text(self.body, height=lines, width=_LINE, wrap="word", relief="flat", borderwidth=0)
        style = ttk.Style(self)
        text.configure(
            background=style.lookup("TFrame", "background"),
            foreground=style.lookup("TLabel", "foreground"),
            highlightthickness=0,
            font="TkDefaultFont",
        )
        text.insert("1.0", detail)
        text.configure(state="disabled", takefocus=0)
        text.grid(row=1, column=0, sticky="ew", pady=(8, 0))

    def _add_buttons(self, buttons: Sequence[tuple[str, Callable[[], object] | None]]) -> list[ttk.Button]:
        bar = ttk.Frame(self.body)
        bar.grid(row=9, column=0, sticky="e", pady=(24, 0))
        made = []
        for position, (text, action) in enumerate(buttons):
            button = ttk.Button(bar, text=text, command=lambda action=action: self.close(action))  # type: ignore[misc]
            if position == 0:
                button.configure(style="Accent.TButton")
            # The default stands at the right, as on most desktops; Tab still begins with it.
            button.grid(row=0, column=len(buttons) - position, padx=(8, 0))
            button.bind("<Return>", lambda event: self._pressed(event.widget))
            made.append(button)
        self.bind("<Escape>", lambda _event: self._pressed(made[-1]))
        self.protocol("WM_DELETE_WINDOW", made[-1].invoke)
        return made

    def _pressed(self, button: ttk.Button) -> None:
        # Enter typed for a field a moment ago is no answer to a question nobody has read yet.
        if time.monotonic() >= self._readable_from:
            button.invoke()

    def _show(self, parent: tk.Misc) -> None:
        top = parent.winfo_toplevel()
        self.resizable(False, False)
        self.configure(background=ttk.Style(self).lookup("TFrame", "background"))
        self.update_idletasks()
        width, height = self.winfo_reqwidth(), self.winfo_reqheight()
        x = top.winfo_rootx() + max(0, (top.winfo_width() - width) // 2)
        y = top.winfo_rooty() + max(0, (top.winfo_height() - height) // 3)
        self.geometry(within_screen(self, width, height, x, y))
        if top.winfo_viewable():
            self.transient(top)
        self.deiconify()
        # A window that isn't on the screen yet can't grab.
        self.bind("<Visibility>", self._grab)
        self.first_focus().focus_set()

    def _grab(self, _event: object) -> None:
        self.unbind("<Visibility>")
        try:
            self.grab_set()
        except tk.TclError:  # another program holds a grab: the dialog works without
            return
        self.first_focus().focus_set()


class CarefulDialog(Dialog):
    """Enter alone changes nothing: the focus is on the last button, Cancel, at first."""

    def first_focus(self) -> tk.Misc:
        """Cancel."""
        return self._buttons[-1]


def line_width(widget: tk.Misc) -> int:
    """The width of a line of a dialog in pixels, by the present font."""
    return nametofont("TkDefaultFont", widget).measure("0") * _LINE


def after_other_dialogs(window: tk.Misc, show: Callable[[], object]) -> None:
    """Call ``show`` at once, or when the dialog that is open is closed: two at once would share the keyboard badly."""
    other = next((each for each in window.winfo_children() if isinstance(each, Dialog)), None)
    if other is None:
        show()
        return

    def closed(event: tk.Event) -> None:
        if event.widget is other:
            window.after_idle(after_other_dialogs, window, show)

    other.bind("<Destroy>", closed, add=True)


def show_failure(
    parent: tk.Misc, title: str, message: str, detail: str, retry: Callable[[], object] | None = None
) -> Dialog:
    """Tell a failure of what the user asked for; with ``retry``, offer to try again."""
    if retry is None:
        return Dialog(parent, title, message, detail)
    return Dialog(parent, title, message, detail, (("Try Again", retry), ("Close", None)))


def show_warning(parent: tk.Misc, title: str, message: str, detail: str = "") -> Dialog:
    """Tell what stands in the way of what the user asked for."""
    return Dialog(parent, title, message, detail)


def show_choice(
    parent: tk.Misc,
    title: str,
    message: str,
    detail: str,
    buttons: Sequence[tuple[str, Callable[[], object] | None]],
    careful: bool = False,
) -> Dialog:
    """Ask for a decision; the last button is the one that changes nothing, and with ``careful`` it has the focus."""
    return (CarefulDialog if careful else Dialog)(parent, title, message, detail, buttons)
