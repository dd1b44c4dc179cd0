"""The window's message bar: what came up in the background, without taking a key from whoever types.

It has a line of its own at the foot of the window, always, so that nothing moves when a message comes: the status bar
keeps the height. In full the messages open above it, by F8 or a click.
"""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from tkinter.font import nametofont

from .focus import focused_widget, give_focus
from .message import Action, Message
from .message_panel import MessagePanel
from .shortened import shortened

UNREAD_SECONDS = 0.5  # a button that came under the mouse a moment ago wasn't meant
_LEAST_TEXT = 24  # digits of room below which the text has the line for itself
_GAP = 8


class MessageBar(ttk.Frame):
    """Holds the messages, the newest first. ``elsewhere()`` gives the focus to somebody when nobody had it."""

    def __init__(self, parent: tk.Misc, elsewhere: Callable[[], object]) -> None:
        super().__init__(parent, style="Bar.TFrame")
        self.columnconfigure(0, weight=1)
        self._elsewhere = elsewhere
        self._messages: list[Message] = []
        self._offered: list[ttk.Button] = []
        self._offer: Message | None = None
        self._since = 0.0
        self._came_from: tk.Misc | None = None
        self._open = False
        self._guest: tk.Widget | None = None
        self._label = ttk.Label(self, style="Warning.Bar.TLabel", anchor="w")
        self._label.grid(row=0, column=0, sticky="ew")
        self._label.bind("<Button-1>", lambda _event: self.enter())
        self._more = ttk.Button(self, style="Quiet.TButton", command=self.enter, takefocus=0)
        self._more.grid(row=0, column=9, padx=(_GAP, 0))
        self._more.grid_remove()
        self._panel = MessagePanel(self.winfo_toplevel(), self._press, self._step, self.leave)
        self.bind("<Configure>", lambda _event: self._show())
        self.winfo_toplevel().bind("<FocusIn>", self._focus_moved, add=True)
        self._show()

    def lend_room(self, guest: tk.Widget) -> None:
        """``guest`` is placed over the line while it is shown: it says what concerns the keys typed a moment ago. How
        many messages there are stays beside it."""
        self._guest = guest

    def guest_changed(self) -> None:
        """The guest has come or gone."""
        self._show()

    # -- what it holds ----------------------------------------------------------------------------------

    @property
    def messages(self) -> tuple[Message, ...]:
        """All that stand, the newest first."""
        return tuple(self._messages)

    @property
    def is_open(self) -> bool:
        """Whether a message is shown in full."""
        return self._open

    def text_of(self, key: str) -> str:
        """What is said about a subject; empty where nothing is."""
        return next((each.text for each in self._messages if each.key == key), "")

    def tell(self, message: Message) -> None:
        """Show the message; one about the same subject goes. A lasting one that stands already keeps its place."""
        place = next((at for at, each in enumerate(self._messages) if each.key == message.key), None)
        if place is not None:
            known = self._messages.pop(place)
        stays = place is not None and known.lasting and message.lasting
        self._messages.insert(place if stays and place is not None else 0, message)
        shown = self._panel.shown
        if self._open and shown is not None and shown.key == message.key:
            if [text for text, _ in shown.buttons] == [text for text, _ in message.buttons]:
                self._show_in_full(message)
            else:
                self._panel.show_gone()
        self._show()

    def settle(self, key: str) -> None:
        """There is nothing to tell about this subject any more."""
        if not self.text_of(key):
            return
        self._messages = [each for each in self._messages if each.key != key]
        if self._open and self._panel.shown is not None and self._panel.shown.key == key:
            self._panel.show_gone()
        self._show()

    # -- keys and mouse ---------------------------------------------------------------------------------

    def toggle(self) -> bool:
        """F8: to the newest message, or back to where one was; False if there is none."""
        if self._open:
            self.leave()
            return True
        self.enter()
        return self._open

    def enter(self) -> None:
        """Show the newest message in full and go to it: on its text, not on a button."""
        if not self._messages:
            return
        if not self._open:
            self._came_from = focused_widget(self)
        self._panel.place(in_=self, relx=0, rely=1, anchor="sw", relwidth=1)
        self._panel.lift()
        self._show_in_full(self._messages[0])
        give_focus(self._panel)  # before it counts as open: drawing it may find the focus still elsewhere
        self._open = True
        self.update_idletasks()  # the next key may be Tab, and goes to what is on the screen

    def leave(self) -> None:
        """Close what is shown in full; the focus goes back to where it was."""
        if not self._open:
            return
        self._open = False
        self._panel.place_forget()
        self._panel.shown = None
        if self._came_from is not None and self._came_from.winfo_exists() and self._came_from.winfo_viewable():
            self._came_from.focus_set()
        else:
            self._elsewhere()
        self._came_from = None

    def press(self, name: str) -> None:
        """Press the button of that name of the newest message that has one."""
        for message in self._messages:
            for text, action in message.buttons:
                if text == name:
                    self._press(message, action)
                    return
        raise KeyError(name)

    # -- inside -----------------------------------------------------------------------------------------

    def _press(self, message: Message, action: Action | None) -> None:
        self.leave()
        if not message.lasting:
            self.settle(message.key)
        if action is not None:
            action()

    def _step(self, steps: int) -> None:
        keys = [each.key for each in self._messages]
        if not keys:
            return
        shown = self._panel.shown
        at = keys.index(shown.key) + steps if shown is not None and shown.key in keys else 0
        self._show_in_full(self._messages[at % len(keys)])

    def _show_in_full(self, message: Message) -> None:
        self._panel.show(message, self._messages.index(message) + 1, len(self._messages))

    def _focus_moved(self, event: tk.Event) -> None:
        if self._open and not str(event.widget).startswith(str(self._panel)):
            self.after_idle(self._close_if_left)

    def _close_if_left(self) -> None:
        focus = focused_widget(self)
        if self._open and focus is not None and not str(focus).startswith(str(self._panel)):
            self._came_from = focus
            self.leave()

    def _show(self) -> None:
        """Bring the line up to date: the newest message, its buttons where there is room, and how many more."""
        count = len(self._messages)
        newest = self._messages[0] if count else None
        self._more.configure(text=f"{count} messages (F8)" if count > 1 else "More (F8)")
        if count:
            self._more.grid()
        else:
            self._more.grid_remove()
        if newest is None or self._offer is None or newest.key != self._offer.key:
            self._since = time.monotonic()
        if newest != self._offer:
            self._offer_buttons(newest)
        font = nametofont("TkDefaultFont", self)
        if self._guest is not None and self._guest.winfo_manager():
            self._more.configure(text=f"{count} message{'s' * (count != 1)} (F8)" if count else "")
            self._guest.place_configure(width=-(self._more.winfo_reqwidth() + _GAP) if count else 0)
        room = self.winfo_width() - self._more.winfo_reqwidth() - 2 * _GAP
        buttons = sum(each.winfo_reqwidth() + _GAP for each in self._offered)
        roomy = room - buttons >= _LEAST_TEXT * font.measure("0")
        for column, each in enumerate(self._offered, 1):
            if roomy:
                each.grid(row=0, column=column, padx=(_GAP, 0))
            else:
                each.grid_remove()
        text = f"⚠ {newest.line}" if newest is not None else ""
        self._label.configure(text=shortened(text, room - buttons * roomy, font.measure))

    def _offer_buttons(self, message: Message | None) -> None:
        before = [text for text, _ in self._offer.buttons] if self._offer is not None else []
        wanted = [text for text, _ in message.buttons] if message is not None else []
        if before != wanted:
            for each in self._offered:
                each.destroy()
            self._offered = [ttk.Button(self, text=text, style="Quiet.TButton", takefocus=0) for text in wanted]
        self._offer = message
        if message is not None:
            for button, (_, action) in zip(self._offered, message.buttons, strict=True):
                button.configure(command=lambda action=action: self._clicked(message, action))  # type: ignore[misc]

    def _clicked(self, message: Message, action: Action | None) -> None:
        if time.monotonic() - self._since >= UNREAD_SECONDS:
            self._press(message, action)
