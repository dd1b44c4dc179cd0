"""One message in full, over what stands above the bar: its reason and its buttons, for mouse and keys."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from tkinter.font import nametofont

from .flow import Flow
from .focus import give_focus, set_beside
from .message import Action, Message

_MOST_LINES = 8
_MOST_BUTTONS = 12
_GONE = "This is settled by now."


class MessagePanel(ttk.Frame):
    """``press(message, action)`` is called for a button of the message, ``step(1 or -1)`` to see another one, and
    ``leave()`` to go back to where one was."""

    def __init__(
        self,
        parent: tk.Misc,
        press: Callable[[Message, Action | None], object],
        step: Callable[[int], object],
        leave: Callable[[], object],
    ) -> None:
        super().__init__(parent, style="Message.TFrame", padding=12, takefocus=1)
        self._press, self._step, self._leave = press, step, leave
        self.columnconfigure(0, weight=1)
        self.shown: Message | None = None
        self.buttons: dict[str, ttk.Button] = {}
        self._text = ttk.Label(self, style="Section.Help.TLabel", justify="left")
        self._text.grid(row=0, column=0, sticky="ew")
        self._detail = tk.Text(self, width=20, height=1, wrap="word", relief="flat", borderwidth=0, takefocus=0)
        self._detail.configure(highlightthickness=0, font="TkDefaultFont", padx=0)
        self._flow = Flow(self, _MOST_BUTTONS, "Bar.TFrame")
        for key, steps in (("<Up>", -1), ("<Left>", -1), ("<Down>", 1), ("<Right>", 1)):
            self.bind(key, lambda _event, steps=steps: self._step(steps))  # type: ignore[misc]
        self.bind("<Escape>", lambda _event: self._leave())
        set_beside(self)  # who reads a message hasn't left the field
        self.bind("<Configure>", lambda _event: self._fit())

    def show(self, message: Message, place: int, count: int) -> None:
        """Show the message, which is at ``place`` (from 1) of ``count``."""
        had = self._focused_button()
        self.shown = message
        self._text.configure(text=f"⚠ {message.text}")
        self._show_detail(message.detail)
        self._make_buttons(message, place, count)
        self._fit()
        if had:
            give_focus(self.buttons.get(had, self))

    def show_gone(self) -> None:
        """The message shown is settled: nothing is offered any more that could be pressed by mistake."""
        if self.shown is not None:
            self.shown = None
            self._show_detail(_GONE)
            self._clear_buttons()
            self._add_button("Close (Esc)", self._leave)
            self._fit()

    def recolour(self) -> None:
        """The colours have changed."""
        style = ttk.Style(self)
        background = style.lookup("Help.TFrame", "background") or style.lookup("TFrame", "background")
        self._detail.configure(background=background, foreground=style.lookup("TLabel", "foreground"))

    def _show_detail(self, detail: str) -> None:
        self.recolour()
        self._detail.configure(state="normal")
        self._detail.replace("1.0", "end", detail)
        self._detail.configure(state="disabled")
        if detail:
            self._detail.grid(row=1, column=0, sticky="ew", pady=(8, 0))
        else:
            self._detail.grid_remove()

    def _focused_button(self) -> str:
        focus = str(self.tk.call("focus"))
        return next((text for text, button in self.buttons.items() if str(button) == focus), "")

    def _make_buttons(self, message: Message, place: int, count: int) -> None:
        self._clear_buttons()
        for text, action in message.buttons:
            self._add_button(text, lambda action=action: self._press(message, action))  # type: ignore[misc]
        if count > 1:
            self._add_button(f"Next ({place} of {count})", lambda: self._step(1))
        self._add_button("Close (Esc)", self._leave)

    def _clear_buttons(self) -> None:
        if self._focused_button():
            self.focus_set()
        for button in self.buttons.values():
            button.destroy()
        self.buttons = {}
        self._flow.clear()

    def _add_button(self, text: str, command: Action) -> None:
        button = ttk.Button(self, text=text, command=command)
        for key in ("<Return>", "<KP_Enter>"):
            button.bind(key, lambda event: event.widget.invoke())
        button.bind("<Escape>", lambda _event: self._leave())
        set_beside(button)
        self.buttons[text] = button
        self._flow.add(button, 8)

    def _fit(self) -> None:
        width = max(200, self.winfo_width() - 28)
        self._text.configure(wraplength=width)
        self._flow.grid(row=2, column=0, sticky="w", pady=(12, 0))
        self._flow.fit(width)
        digit = max(1, nametofont("TkDefaultFont", self).measure("0"))
        text = self._detail.get("1.0", "end-1c")
        lines = sum(1 + len(line) * digit // width for line in text.splitlines()) or 1
        self._detail.configure(height=min(_MOST_LINES, lines))
