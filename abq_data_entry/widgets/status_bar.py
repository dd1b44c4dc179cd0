"""The bar at the foot of the window: the last event, running jobs with progress and Cancel, the extracts of the last
days, and the message bar.

The message bar shows what happened in the background, without taking keys from the user. It always has a line of its
own, so that nothing moves when a message comes. F8 or a click opens the messages in full above it.
"""

from __future__ import annotations

import datetime
import time
import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from tkinter.font import nametofont
from typing import NamedTuple

from .focus import call_and_break, exempt_from_leaving, focused_widget, give_focus
from .scrolled import Flow
from .text_lines import OneLine, Tooltip, shortened

Action = Callable[[], object]
DISMISS = "Dismiss"


class Message(NamedTuple):
    """A message. ``key`` names its subject: a later message of the same subject replaces it.

    ``actions`` are pairs of a button's text and its function; ``None`` as function only dismisses the message. A
    message that is ``until_resolved`` stays until its cause has gone, any other one until a button is pressed.
    """

    key: str
    text: str
    detail: str = ""
    actions: tuple[tuple[str, Action | None], ...] = ()
    until_resolved: bool = False

    @property
    def buttons(self) -> tuple[tuple[str, Action | None], ...]:
        """The actions, with one that dismisses the message if there is none."""
        names = tuple((DISMISS if text in ("OK", "Close") else text, action) for text, action in self.actions)
        # The last one of several changes nothing, so it dismisses the message.
        complete = self.until_resolved or len(names) > 1 or names[-1:] == ((DISMISS, None),)
        return names if complete else (*names, (DISMISS, None))

    @property
    def line(self) -> str:
        """The text and the first line of the detail, in one line."""
        if not self.detail:
            return self.text
        end = "" if self.text.endswith((".", "?", "!", ":", "…")) else "."
        return f"{self.text}{end} {self.detail.splitlines()[0]}"


_MOST_LINES = 8
_BORDER = 2  # pixels
_MOST_BUTTONS = 12
_GONE = "This has been resolved."


class MessagePanel(ttk.Frame):
    """Shows one message in full.

    ``press(message, action)`` is called for a button of the message, ``step(1 or -1)`` to show another message, and
    ``leave()`` to return to where the user was.
    """

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
        self._let_scroll(self)
        exempt_from_leaving(self)  # reading a message doesn't count as leaving the field
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
        """Show that the message is resolved, and remove its buttons, so that none is pressed by mistake."""
        if self.shown is not None:
            self.shown = None
            self._show_detail(_GONE)
            self._clear_buttons()
            self._add_button("Close (Esc)", self._leave)
            self._fit()

    def recolour(self) -> None:
        """Apply the colours of the theme."""
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
        self._let_scroll(button)
        exempt_from_leaving(button)
        self.buttons[text] = button
        self._flow.add(button, 8, 2)

    def _let_scroll(self, widget: tk.Misc) -> None:
        """Bind the paging keys to ``widget``, because the text itself never gets the focus."""
        for key, pages in (("<Prior>", -1), ("<Next>", 1)):
            widget.bind(key, lambda _event, pages=pages: self._detail.yview_scroll(pages, "pages"))  # type: ignore[misc]

    def _fit(self) -> None:
        around = self.winfo_pixels(str(self.tk.splitlist(self.cget("padding"))[0]))  # grows with the font
        width = max(200, self.winfo_width() - 2 * (around + _BORDER))
        self._text.configure(wraplength=width)
        self._flow.grid(row=2, column=0, sticky="w", pady=(12, 0))
        self._flow.fit(width)
        digit = max(1, nametofont("TkDefaultFont", self).measure("0"))
        text = self._detail.get("1.0", "end-1c")
        lines = sum(1 + len(line) * digit // width for line in text.splitlines()) or 1
        self._detail.configure(height=min(_MOST_LINES, lines))


UNREAD_SECONDS = 0.5  # a click within this time after a button has appeared was meant for something else
_LEAST_TEXT = 24  # digits; with less space for the text, the buttons are hidden
_GAP = 8


def _return_focus(came_from: tk.Misc | None, otherwise: Callable[[], object]) -> None:
    """Put the focus back where it was; if that is gone or hidden, call ``otherwise()``."""
    if came_from is not None and came_from.winfo_exists() and came_from.winfo_viewable():
        came_from.focus_set()
    else:
        otherwise()


class MessageBar(ttk.Frame):
    """Holds the messages, the newest first. ``elsewhere()`` moves the focus on if no widget had it before."""

    def __init__(self, parent: tk.Misc, elsewhere: Callable[[], object]) -> None:
        super().__init__(parent, style="Bar.TFrame")
        self.columnconfigure(0, weight=1)
        self._elsewhere = elsewhere
        self.messages: tuple[Message, ...] = ()
        """All messages in the bar, the newest first, and those that aren't urgent last."""
        self.offered: list[ttk.Button] = []
        self._buttons: Sequence[tuple[str, Action | None]] = ()  # the actions of `offered`
        self._offer: Message | None = None
        self._since = 0.0
        self._came_from: tk.Misc | None = None
        self._open = False
        self._overlay: tk.Widget | None = None
        self.label = ttk.Label(self, style="Warning.Bar.TLabel", anchor="w")
        self.label.grid(row=0, column=0, sticky="ew")
        self.label.bind("<Button-1>", lambda _event: self.enter())
        self.more_button = ttk.Button(self, style="Quiet.TButton", command=self.enter, takefocus=0)
        self.more_button.grid(row=0, column=9, padx=(_GAP, 0))
        self.more_button.grid_remove()
        self.panel = MessagePanel(self.winfo_toplevel(), self._press, self._step, self.leave)
        self.bind("<Configure>", lambda _event: self._show())
        # A Tcl script, so that Python is called for a move of the focus only while a message is shown in full.
        moved = f"+if {{[winfo ismapped {self.panel}]}} {{{self.register(self._focus_moved)} %W}}"
        self.tk.call("bind", self.winfo_toplevel(), "<FocusIn>", moved)
        self._show()

    def set_overlay(self, overlay: tk.Widget) -> None:
        """Set the widget that is placed over the line while it has something to show.

        It shows keys typed ahead, which matter more to the user. The number of messages stays visible beside it.
        """
        self._overlay = overlay

    def overlay_changed(self) -> None:
        """Adapt the line after the overlay has been shown or hidden."""
        self._show()

    # -- messages ---------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether a message is shown in full."""
        return self._open

    def text_of(self, key: str) -> str:
        """Return the text of the message about a subject; empty if there is none."""
        return next((each.text for each in self.messages if each.key == key), "")

    def show_message(self, message: Message, *, behind: bool = False) -> None:
        """Show the message in place of one about the same subject; an ``until_resolved`` one keeps its position. One
        that isn't urgent comes ``behind`` the others, so that it doesn't hide an outage."""
        place = next((at for at, each in enumerate(self.messages) if each.key == message.key), None)
        stays = place is not None and self.messages[place].until_resolved and message.until_resolved
        others = [each for each in self.messages if each.key != message.key]
        others.insert(place if stays and place is not None else len(others) if behind else 0, message)
        self.messages = tuple(others)
        shown = self.panel.shown
        if self._open and shown is not None and shown.key == message.key:
            # Only with the same buttons: the user may be about to press one, and would press another by mistake.
            if [text for text, _ in shown.buttons] == [text for text, _ in message.buttons]:
                self._show_in_full(message)
            else:
                self.panel.show_gone()
        self._show()

    def settle(self, key: str) -> None:
        """Remove the message about this subject, if there is one."""
        left = tuple(each for each in self.messages if each.key != key)
        if len(left) == len(self.messages):
            return
        self.messages = left
        if self._open and self.panel.shown is not None and self.panel.shown.key == key:
            self.panel.show_gone()
        self._show()

    # -- keys and mouse ---------------------------------------------------------------------------------

    def toggle(self) -> bool:
        """Go to the newest message, or back to where the user was (F8); return False if there is no message."""
        if self._open:
            self.leave()
            return True
        self.enter()
        return self._open

    def enter(self) -> None:
        """Show the newest message in full, with the focus on its text, not on a button."""
        if not self.messages:
            return
        if not self._open:
            self._came_from = focused_widget(self)
        self.panel.place(in_=self, relx=0, rely=1, anchor="sw", relwidth=1)
        self.panel.lift()
        self._show_in_full(self.messages[0])
        give_focus(self.panel)  # before `_open` is set: while it is drawn, the focus may still be on another widget
        self._open = True
        self.update_idletasks()  # the next key may be Tab, which skips buttons that aren't drawn yet

    def leave(self) -> None:
        """Close the message shown in full; the focus goes back to where it was."""
        if not self._open:
            return
        self._open = False
        self.panel.place_forget()
        self.panel.shown = None
        _return_focus(self._came_from, self._elsewhere)
        self._came_from = None

    def press(self, name: str) -> None:
        """Press the button with that text, of the newest message that has one. Raises ``KeyError`` if none has."""
        for message in self.messages:
            for text, action in message.buttons:
                if text == name:
                    self._press(message, action)
                    return
        raise KeyError(name)

    # -- inside -----------------------------------------------------------------------------------------

    def _press(self, message: Message, action: Action | None) -> None:
        self.leave()
        if not message.until_resolved:
            self.settle(message.key)
        if action is not None:
            action()

    def _step(self, steps: int) -> None:
        keys = [each.key for each in self.messages]
        if not keys:
            return
        shown = self.panel.shown
        at = keys.index(shown.key) + steps if shown is not None and shown.key in keys else 0
        self._show_in_full(self.messages[at % len(keys)])

    def _show_in_full(self, message: Message) -> None:
        self.panel.show(message, self.messages.index(message) + 1, len(self.messages))

    def _focus_moved(self, widget: str) -> None:
        if self._open and not widget.startswith(str(self.panel)):
            self.after_idle(self._close_if_left)

    def _close_if_left(self) -> None:
        focus = focused_widget(self)
        if self._open and focus is not None and not str(focus).startswith(str(self.panel)):
            self._came_from = focus
            self.leave()

    def _show(self) -> None:
        """Update the line: the newest message, its buttons if there is space, and the number of messages."""
        count = len(self.messages)
        newest = self.messages[0] if count else None
        self.more_button.configure(text=f"{count} messages (F8)" if count > 1 else "More (F8)")
        if count:
            self.more_button.grid()
        else:
            self.more_button.grid_remove()
        if newest is None or self._offer is None or newest.key != self._offer.key:
            self._since = time.monotonic()
        buttons = newest.buttons if newest is not None else ()
        if buttons != self._buttons:
            self._offer_buttons(buttons)
        self._offer = newest
        font = nametofont("TkDefaultFont", self)
        if self._overlay is not None and self._overlay.winfo_manager():
            self.more_button.configure(text=f"{count} message{'s' * (count != 1)} (F8)" if count else "")
            self._overlay.place_configure(width=-(self.more_button.winfo_reqwidth() + _GAP) if count else 0)
        room = self.winfo_width() - self.more_button.winfo_reqwidth() - 2 * _GAP
        taken = sum(each.winfo_reqwidth() + _GAP for each in self.offered)
        roomy = room - taken >= _LEAST_TEXT * font.measure("0")
        for column, each in enumerate(self.offered, 1):
            if roomy:
                each.grid(row=0, column=column, padx=(_GAP, 0))
            else:
                each.grid_remove()
        text = f"⚠ {newest.line}" if newest is not None else ""
        self.label.configure(text=shortened(text, room - taken * roomy, font.measure))

    def _offer_buttons(self, buttons: Sequence[tuple[str, Action | None]]) -> None:
        wanted = [text for text, _ in buttons]
        if wanted != [text for text, _ in self._buttons]:
            for each in self.offered:
                each.destroy()
            self.offered = [ttk.Button(self, text=text, style="Quiet.TButton", takefocus=0) for text in wanted]
        self._buttons = buttons
        for button, (_, action) in zip(self.offered, buttons, strict=True):
            button.configure(command=lambda action=action: self._clicked(action))  # type: ignore[misc]

    def _clicked(self, action: Action | None) -> None:
        if self._offer is not None and time.monotonic() - self._since >= UNREAD_SECONDS:
            self._press(self._offer, action)


Commands = Sequence[tuple[str, Callable[[datetime.date], object]]]


class ShownDay(NamedTuple):
    """The extract of a day: its ``state`` in a word or two, whether it is ``delivered``, ``details`` for the tooltip.

    ``today``: whether the day is today.
    """

    date: datetime.date
    state: str
    delivered: bool
    today: bool
    details: str

    @property
    def mark(self) -> str:
        """✓ if delivered, ✗ if not, and ○ for today, whose extract isn't overdue yet."""
        return "✓" if self.delivered else "○" if self.today else "✗"


class ExtractRow(ttk.Frame):
    """A row of buttons, one for each day. Left and Right move, Enter or a click opens the day's menu, Escape leaves.

    Each day shows a symbol. If there is space (:meth:`fit`), the days that aren't delivered, and the latest that is,
    show their state too. Escape goes back to where the focus was; if that is gone, it calls ``leave()``.
    """

    def __init__(self, parent: tk.Misc, leave: Callable[[], object]) -> None:
        super().__init__(parent, style="Bar.TFrame")
        self._leave = leave
        self._came_from: tk.Misc | None = None
        self.commands: Commands = ()
        """The commands for the extract of a day: pairs of a text and a function of the date."""
        self._days: tuple[ShownDay, ...] = ()
        self._room = 0
        self._title = ttk.Label(self, text="Extracts", style="Bar.TLabel")
        self.buttons: list[ttk.Button] = []

    @property
    def days(self) -> tuple[ShownDay, ...]:
        """The days shown."""
        return self._days

    @property
    def texts(self) -> list[str]:
        """The texts of the buttons."""
        return [str(each.cget("text")) for each in self.buttons]

    def offer(self, commands: Commands) -> None:
        """Set the commands for a day."""
        self.commands = commands

    def show(self, days: Sequence[ShownDay]) -> None:
        """Show these days, the earliest first."""
        if tuple(days) == self._days:
            return
        self._days = tuple(days)
        # Buttons are reused, so that the one with the focus keeps it.
        while len(self.buttons) < len(days):
            self._add_button(len(self.buttons))
        while len(self.buttons) > len(days):
            self.buttons.pop().destroy()
        self._title.grid(row=0, column=0, padx=(0, 4)) if days else self._title.grid_forget()
        self._write()

    def fit(self, room: int) -> None:
        """Show as many states as fit into ``room`` pixels; the symbols are always shown."""
        if room != self._room:
            self._room = room
            self._write()

    def focus_set(self) -> None:
        """Put the focus on the first day that isn't delivered, else on the last one."""
        if self.buttons:
            if (focused := focused_widget(self)) not in self.buttons:
                self._came_from = focused
            waiting = [number for number, each in enumerate(self._days) if not each.delivered]
            self.buttons[waiting[0] if waiting else -1].focus_set()

    def open_commands(self, number: int) -> None:
        """Open the menu of a day."""
        if not self.commands or number >= len(self._days):
            return
        date = self._days[number].date
        menu = tk.Menu(self, tearoff=False)
        for text, command in self.commands:
            menu.add_command(label=f"{text}: {date}", command=lambda command=command: command(date))  # type: ignore[misc]
        button = self.buttons[number]
        menu.bind("<Unmap>", lambda _event: self.after_idle(menu.destroy))
        menu.tk_popup(button.winfo_rootx(), button.winfo_rooty() - menu.winfo_reqheight(), 0)

    def _add_button(self, number: int) -> None:
        button = ttk.Button(self, command=lambda: self.open_commands(number), takefocus=0)
        button.grid(row=0, column=number + 1, padx=(2, 0))
        button.tip = Tooltip(button)  # type: ignore[attr-defined]
        for key, step in (("<Left>", -1), ("<Right>", 1)):
            button.bind(key, lambda _event, step=step: self._step(number + step))  # type: ignore[misc]
        for key in ("<Return>", "<KP_Enter>", "<Down>", "<Up>"):
            button.bind(key, lambda _event: call_and_break(lambda: self.open_commands(number)))
        button.bind("<Escape>", lambda _event: call_and_break(self._go_back))
        self.buttons.append(button)

    def _go_back(self) -> None:
        came_from, self._came_from = self._came_from, None
        _return_focus(came_from, self._leave)

    def _write(self) -> None:
        latest_out = next((each for each in reversed(self._days) if each.delivered), None)
        with_words = [
            [each for each in self._days if not each.delivered or each is latest_out],
            [each for each in self._days if not each.delivered and not each.today],
            [],
        ]
        texts = next(each for each in map(self._texts, with_words) if self._fits(each) or each == self._texts([]))
        for button, day, text in zip(self.buttons, self._days, texts, strict=True):
            button.configure(text=text, style="Quiet.TButton" if day.delivered or day.today else "Due.TButton")
            button.tip.text = f"{day.date}: {day.details}."  # type: ignore[attr-defined]

    def _texts(self, with_words: Sequence[ShownDay]) -> list[str]:
        names = ["today" if each.today else f"{each.date:%a} {each.date.day}" for each in self._days]
        return [
            f"{name} {each.mark} {each.state if each in with_words else ''}".rstrip()
            for name, each in zip(names, self._days, strict=True)
        ]

    def _fits(self, texts: Sequence[str]) -> bool:
        measure = nametofont("TkDefaultFont", self).measure
        return measure("Extracts") + sum(measure(each) + 2 * measure("0") for each in texts) <= self._room

    def _step(self, number: int) -> str:
        if 0 <= number < len(self.buttons):
            self.buttons[number].focus_set()
        return "break"


DATABASE, BACKUP = "database", "backup"
REFRESH_MS = 250  # a text that changes more often can't be read
ROOMY = 90  # digits; in a bar of this width a line shows all details


class RunningLine(ttk.Frame):
    """One running job: its name, its progress if the size is known, and Cancel.

    If it is ``roomy``, it shows bytes, rate and time left beside the progress bar, else only the percentage.
    """

    def __init__(self, parent: tk.Misc, name: str, cancel: Callable[[], object]) -> None:
        from ..transfer import TransferProgress

        super().__init__(parent, style="Bar.TFrame")
        self.roomy = False
        self.job_name = name
        self._progress = TransferProgress()
        self._timer = ""
        self._label = ttk.Label(self, text=f"{name}…", style="Bar.TLabel")
        self.detail = ttk.Label(self, style="Bar.TLabel")
        self._bar = ttk.Progressbar(self, length=120, mode="indeterminate", maximum=100)
        self.number = ttk.Label(self, text="", width=6, style="Bar.TLabel", anchor="e")
        self.button = ttk.Button(self, text="Cancel", style="Quiet.TButton", command=self._cancelled, takefocus=1)
        self._cancel = cancel
        # The texts, whose width changes, are at the left, so that the bar and Cancel don't move.
        for column, widget in enumerate((self._label, self.detail, self._bar, self.number, self.button)):
            widget.grid(row=0, column=column, padx=(8 if column else 0, 0))
        self.detail.grid_remove()
        self._bar.start(40)

    def show_progress(self, done: int, total: int) -> None:
        """Show ``done`` of ``total`` bytes; a ``total`` of 0 means that the size isn't known."""
        self._progress.note(done, total)
        percent = self._progress.percent
        if percent is None:
            self.number.configure(text="")
            return
        if str(self._bar.cget("mode")) == "indeterminate":
            self._bar.stop()
            self._bar.configure(mode="determinate")
        self._bar.configure(value=percent)
        self.number.configure(text=f"{percent} %")
        if not self._timer:
            self._refresh()

    def show_rows(self, done: int, total: int) -> None:
        """Show ``done`` of ``total`` rows; a ``total`` of 0 means that their number isn't known."""
        self._label.configure(text=f"{self.job_name}: {done:,} rows…")
        if total:
            self._bar.stop()
            self._bar.configure(mode="determinate", value=100 * done / total)
            self.number.configure(text=f"{100 * done // total} %")

    def destroy(self) -> None:
        """Destroy the line and stop its timers."""
        self._bar.stop()
        if self._timer:
            self.after_cancel(self._timer)
            self._timer = ""
        super().destroy()

    def _refresh(self) -> None:
        """Update rate and time left, also while no data moves."""
        self._timer = self.after(REFRESH_MS, self._refresh)
        text = self._progress.text
        self.detail.configure(text=text)
        if self.roomy and text:
            self.detail.grid()
        else:
            self.detail.grid_remove()

    def _cancelled(self) -> None:
        self.button.state(["disabled"])
        self._label.configure(text=f"{self.job_name}: cancelling…")
        self._cancel()


class StatusBar(ttk.Frame):
    """Shows the variable ``status``, the ``extracts`` of the last days and a :class:`RunningLine` for each job; above
    them ``messages``, the message bar.

    ``elsewhere()`` moves the focus on when the messages are left and no widget had it before.
    """

    def __init__(
        self, parent: tk.Misc, status: tk.StringVar, elsewhere: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(parent, style="Bar.TFrame", padding=(12, 4))
        self.columnconfigure(0, weight=1)
        self.messages = MessageBar(self, elsewhere)
        self.messages.grid(row=0, column=0, columnspan=4, sticky="ew")
        self.status_line = OneLine(self, "Bar.TLabel", "Bar.TFrame", status)
        self.status_line.grid(row=1, column=0, sticky="ew")
        self.extracts = ExtractRow(self, elsewhere)
        self.extracts.grid(row=1, column=1, padx=(12, 0))
        self._connection = ttk.Label(self, style="Bar.TLabel")
        self._connection.grid(row=1, column=2, padx=(12, 0))
        self.jobs = ttk.Frame(self, style="Bar.TFrame")
        self.jobs.grid(row=1, column=3)
        self._one_button = ttk.Button(self, style="Quiet.TButton")  # never shown: its height is that of both lines
        self._keep_height()
        self.winfo_toplevel().bind("<<LookChanged>>", lambda _event: self._keep_height(), add=True)
        self.bind("<Configure>", lambda _event: self._share_room())

    def add_job(self, name: str, cancel: Callable[[], object]) -> RunningLine:
        """Show that ``name`` runs; ``cancel()`` is called when the user presses Cancel."""
        line = RunningLine(self.jobs, name, cancel)
        line.pack(side="left", padx=(16, 0))
        self._share_room()
        return line

    def remove_job(self, line: RunningLine) -> None:
        """Remove the line of a job that has ended."""
        line.destroy()
        self._share_room()
        if not self.jobs.winfo_children():
            # An empty frame would keep its last size.
            self.jobs.configure(width=1)

    def show_trouble(
        self, text: str, actions: Sequence[tuple[str, Callable[[], object]]] = (), subject: str = DATABASE
    ) -> None:
        """Show in the message bar what is wrong with the database or the daily backup, with a button for each remedy.

        An empty text removes the message.
        """
        if text:
            self.messages.show_message(Message(subject, text, actions=tuple(actions), until_resolved=True))
        else:
            self.messages.settle(subject)

    @property
    def backup_trouble(self) -> str:
        """The message about the daily backup that :meth:`show_trouble` shows; empty if there is none."""
        return self.messages.text_of(BACKUP)

    @property
    def trouble(self) -> str:
        """The message about the database that :meth:`show_trouble` shows; empty if there is none."""
        return self.messages.text_of(DATABASE)

    def show_connection(self, text: str, warning: bool = False) -> None:
        """Show the state of the connection to the database; an empty text if all is well."""
        self._connection.configure(text=text, style="Warning.Bar.TLabel" if warning else "Bar.TLabel")

    def _keep_height(self) -> None:
        """Fix the height of these lines, so that nothing above them moves."""
        self.rowconfigure((0, 1), minsize=self._one_button.winfo_reqheight())

    def _share_room(self) -> None:
        lines = [each for each in self.jobs.winfo_children() if isinstance(each, RunningLine)]
        width = self.winfo_width() / nametofont("TkDefaultFont", self).measure("0")
        # The status is read more often, so the row of days leaves it the larger part.
        self.extracts.fit(round(self.winfo_width() * (0.3 if lines else 0.55)))
        for each in lines:
            each.roomy = len(lines) == 1 and width >= ROOMY
