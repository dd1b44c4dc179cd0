"""Shows messages, as a dialog or in the message bar. Only this module decides which.

A dialog opens only for a command of the user, and only if nobody has typed since the command was chosen. What a command
starts in the background belongs to that command (`jobs` passes this on). Timers, and the start of the program, belong
to no command: their messages go to the bar.
"""

from __future__ import annotations

import contextvars
import time
import tkinter as tk
from _tkinter import DONT_WAIT
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..constants import FieldNames as F
from ..views import CarefulDialog, Dialog
from ..views.dialogs import UNREAD_SECONDS
from ..widgets.focus import typed_keys
from ..widgets.status_bar import Message

if TYPE_CHECKING:
    from ..views.side_window import SideWindow
    from ..widgets.status_bar import MessageBar

Action = Callable[[], object]
Buttons = Sequence[tuple[str, Action | None]]
ShowStatus = Callable[[str], object]
"""Shows a sentence in the status line."""
Result = TypeVar("Result")

# The number of keys typed when the present command was chosen; None: this is no command of the user.
_CHOSEN: contextvars.ContextVar[int | None] = contextvars.ContextVar("chosen", default=None)
_COMMAND: contextvars.ContextVar[Callable[[], object] | None] = contextvars.ContextVar("command", default=None)
_PAUSE_SECONDS = 0.01


_CLOSED = ("bad window path name", "application has been destroyed")


class Messages:
    """On the Tk thread. A message's subject is its title, unless ``key`` names another one.

    ``bar`` is set once the window has its message bar.
    """

    bar: MessageBar

    def __init__(self, window: tk.Tk) -> None:
        self._window = window
        self._asks_file = False

    # -- commands of the user ---------------------------------------------------------------------------

    def command(self, function: Callable[..., Result]) -> Callable[..., Result]:
        """Return the function as a command of the user; each call counts as choosing it."""
        return partial(self.run, function)

    def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call the function as a command that the user has just chosen."""
        before = _CHOSEN.set(typed_keys(self._window))
        command = _COMMAND.set(partial(function, *arguments))
        try:
            return function(*arguments)
        finally:
            _CHOSEN.reset(before)
            _COMMAND.reset(command)

    def outside_commands(self, function: Callable[[], Result]) -> Result:
        """Call a function that waits for the user while the window goes on working; what happens until it returns
        doesn't belong to the present command."""
        return contextvars.Context().run(function)

    def ask_file(self, function: Callable[[], object]) -> str:
        """Open one of Tk's file dialogs outside of commands; return the chosen path, empty if none was chosen.

        None is chosen either if the dialog's window or the program is closed meanwhile, which Tk reports as an error.
        Such a dialog takes the keys as soon as it opens, so it opens only after half a second without a key. If the
        user types on, the bar offers the command again.
        """
        if self._asks_file:  # the command was chosen twice
            return ""
        self._asks_file = True
        try:
            if self._is_quiet():
                return str(self.outside_commands(function) or "")
            again = None if (command := _COMMAND.get()) is None else self.command(command)
            buttons = ("Choose…", again), ("Cancel", None)
            self.bar.show_message(Message("Choose a File", "Which file? You have gone on typing.", "", buttons))
            return ""
        except tk.TclError as error:
            if not any(each in str(error) for each in _CLOSED):
                raise
            return ""
        finally:
            self._asks_file = False

    def _is_quiet(self) -> bool:
        """Let the window go on for half a second; return whether nobody has typed since the command was chosen."""
        chosen, end = _CHOSEN.get(), time.monotonic() + UNREAD_SECONDS
        before = typed_keys(self._window) if chosen is None else chosen
        while typed_keys(self._window) == before and time.monotonic() < end:
            if not self.outside_commands(partial(self._window.tk.dooneevent, DONT_WAIT)):
                time.sleep(_PAUSE_SECONDS)
        return typed_keys(self._window) == before

    def typed_since(self) -> bool:
        """Return whether somebody has typed since the present command was chosen; then the form must stay where it is,
        because the next keys are meant for what it shows."""
        chosen = _CHOSEN.get()
        return chosen is not None and typed_keys(self._window) != chosen

    # -- messages ---------------------------------------------------------------------------------------

    def failure(self, title: str, message: str, detail: str, retry: Action | None = None) -> None:
        """Report that a command has failed; with ``retry``, offer to try again."""
        again: Buttons = () if retry is None else (("Try Again", retry),)
        self.choice(title, message, detail, (*again, ("Close" if again else "OK", None)))

    def warning(self, title: str, message: str, detail: str = "") -> None:
        """Say why a command can't be done."""
        self.choice(title, message, detail, (("OK", None),))

    def choice(
        self, title: str, message: str, detail: str, buttons: Buttons, *, careful: bool = False, key: str = ""
    ) -> None:
        """Ask for a decision. The last button changes nothing; with ``careful`` it has the focus in a dialog."""
        offered = tuple((text, self._as_command(action)) for text, action in buttons)
        kind = CarefulDialog if careful else Dialog
        self._show(
            Message(key or title, message, detail, offered),
            lambda: kind(self._window, title, message, detail, offered),
        )

    def open(
        self, key: str, message: str, detail: str, button: str, make: Callable[[], Dialog], instead: Action
    ) -> None:
        """Open a dialog that has more than a text and buttons, and that ``make()`` creates. In the bar, it is a message
        with a ``button`` that opens it; Cancel calls ``instead()`` there."""
        opened = self.command(lambda: self.open(key, message, detail, button, make, instead))
        self._show(Message(key, message, detail, ((button, opened), ("Cancel", self.command(instead)))), make)

    def note(self, key: str, message: str, detail: str = "") -> None:
        """Show in the bar what no command waits for, such as a password that isn't remembered, or a full disk."""
        self.bar.show_message(Message(key, message, detail))

    def show_in(self, window: SideWindow, key: str, text: str) -> None:
        """Show it in that window, or if that is closed by now, in the bar."""
        if window.winfo_exists():
            window.show_status(text)
        else:
            self.note(key, text)

    def settled(self, key: str) -> None:
        """Remove the message about this subject."""
        if self.bar.messages:  # usually there are none
            self.bar.settle(key)

    # -- inside -----------------------------------------------------------------------------------------

    def _show(self, message: Message, make: Callable[[], Dialog], waited: bool = False) -> None:
        """Open the dialog, now or once the open one is closed, because two at once would compete for the keyboard. The
        bar shows the message instead if there is no command, or if somebody has typed since it was chosen."""
        chosen = _CHOSEN.get()
        if chosen is None:
            self.bar.show_message(message)
            return
        other = next((each for each in self._window.winfo_children() if isinstance(each, Dialog)), None)
        # What was said about the subject before; what came while this waited stays until its dialog opens.
        if self.bar.messages and not (waited and other is not None):
            self.bar.settle(message.key)
        if other is not None:
            again = partial(contextvars.copy_context().run, self._show, message, make, True)

            def closed(event: tk.Event) -> None:
                if event.widget is other:
                    self._window.after_idle(again)

            other.bind("<Destroy>", closed, add=True)
        elif typed_keys(self._window) != chosen:
            self.bar.show_message(message)
        else:
            dialog = make()
            dialog.give_way, dialog.as_command = partial(self.bar.show_message, message), self.command

    def _as_command(self, action: Action | None) -> Action | None:
        return None if action is None else self.command(action)


def reason_of(error: BaseException) -> str:
    """Return the error's sentence for the user, and below it what the server said, if that is known."""
    detail = getattr(error, "detail", "")
    return f"{error}\n\n{detail}" if detail else str(error)


def place(record: Mapping[str, Any]) -> str:
    """Return the record's plot, lab and check in words."""
    return f"Plot {record[F.PLOT]}, lab {record[F.LAB]}, {record[F.TIME]}"
