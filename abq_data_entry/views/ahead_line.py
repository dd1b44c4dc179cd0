"""Keys that were typed ahead and couldn't be typed where they belong: a line with their text, to place them by hand."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from ..widgets import Tooltip
from ..widgets.focus import focused_widget, give_focus, set_beside
from .typed_keys import TypedKey

QUIET_SECONDS = 1.0
_LEAVING = ("Tab", "ISO_Left_Tab", "Escape")


class AheadLine(ttk.Frame):
    """``Typed ahead for plot 8: 24.09 ⏎ 1.03``, and what can be done with it; hidden while there is nothing.

    While it has the focus it takes what is typed, at the end of its text, by ``more(key)``: whoever looks at the paper
    goes on typing. Tab and Escape leave it once no key has come for a second. Commands of the window
    pass. It stands over ``host``, so that nothing moves when it comes, and calls
    ``comes_or_goes()``.
    """

    def __init__(
        self,
        parent: tk.Misc,
        place: Callable[[], object],
        copy: Callable[[], object],
        discard: Callable[[], object],
        more: Callable[[TypedKey], object],
        back: Callable[[], object],
    ) -> None:
        super().__init__(parent, style="Bar.TFrame")
        self.host: tk.Misc = parent
        self.comes_or_goes: Callable[[], object] = lambda: None
        self._more, self._back = more, back
        self._last = 0.0
        self.columnconfigure(1, weight=1)
        self._label = ttk.Label(self, style="Warning.Bar.TLabel")
        self._label.grid(row=0, column=0, padx=(0, 8))
        self._text = tk.StringVar(self)
        self.box = ttk.Entry(self, textvariable=self._text, state="readonly", font="TkTextFont", width=10)
        self.box.grid(row=0, column=1, sticky="ew")
        self._tooltip = Tooltip(self.box)
        self.buttons: dict[str, ttk.Button] = {}
        commands = (
            ("Place Here", place, "Types it into the plot above, up to the save; F9 goes to this button"),
            ("Copy", copy, "As a text, a value a line"),
            ("Discard", discard, "It can't be brought back"),
        )
        for column, (name, command, words) in enumerate(commands, 2):
            button = ttk.Button(self, text=name, style="Quiet.TButton", command=command)
            button.bind("<Return>", lambda event: event.widget.invoke())
            button.bind("<Escape>", self._leave)
            button.grid(row=0, column=column, padx=(8, 0))
            self.buttons[name] = button
            Tooltip(button, words)
        tag = f"ahead-{self.box}"
        self.box.bindtags((tag, *self.box.bindtags()))
        self.bind_class(tag, "<Key>", self._typed)
        for widget in (self.box, *self.buttons.values()):
            set_beside(widget)

    @property
    def is_shown(self) -> bool:
        """Whether there is something to place."""
        return bool(self.winfo_manager())

    @property
    def title(self) -> str:
        """What the line says before the keys."""
        return str(self._label.cget("text"))

    @property
    def text(self) -> str:
        """The keys as they are shown."""
        return self._text.get()

    @property
    def has_focus(self) -> bool:
        """Whether keys go to the line, or to one of its buttons."""
        focused = focused_widget(self)
        return focused is not None and str(focused).startswith(str(self))

    def show(self, title: str, text: str) -> None:
        """Show these keys; an empty text hides the line."""
        self._label.configure(text=f"⚠ {title}" if title else "")
        self._text.set(text)
        self.box.icursor(tk.END)
        self.box.xview_moveto(1.0 if self.has_focus else 0.0)
        self._tooltip.text = text
        if text and not self.is_shown:
            self.place(in_=self.host, relx=0, rely=1, relwidth=1, anchor="sw")
            self.lift()
            self.comes_or_goes()
        elif not text and self.is_shown:
            self.place_forget()
            self.comes_or_goes()

    def offer(self, can_place: bool) -> None:
        """Whether the form can take the keys now."""
        self.buttons["Place Here"].state(["!disabled" if can_place else "disabled"])

    def take_focus(self) -> None:
        """Take the focus, in the middle of typing: for the next second each key belongs to the text."""
        self._last = time.monotonic()
        give_focus(self.box)

    def focus_buttons(self) -> None:
        """Put the focus on the first button that can be pressed."""
        give_focus(next(each for each in self.buttons.values() if each.instate(["!disabled"])))

    def _typed(self, event: tk.Event) -> str | None:
        key = TypedKey.of(event, str(self.tk.call("tk", "windowingsystem")))
        if key.is_modifier or not (key.edits or key.keysym == "Escape"):
            return None
        now, last = time.monotonic(), self._last
        if key.keysym in _LEAVING and now - last > QUIET_SECONDS:
            return self._leave() if key.keysym == "Escape" else None
        self._last = now
        self._more(key)
        return "break"

    def _leave(self, _event: object = None) -> str:
        self._back()
        return "break"
