"""The bar at the foot of the window: what happened last, and what runs, with progress and Cancel."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from tkinter.font import nametofont
from typing import NamedTuple

from .message_bar import Message, MessageBar
from .note_line import OneLine, Tooltip

Commands = Sequence[tuple[str, Callable[[datetime.date], object]]]


class ShownDay(NamedTuple):
    """``state`` in a word or two, whether all of the day is ``out``, whether it is ``today``, and more in ``words``."""

    date: datetime.date
    state: str
    out: bool
    today: bool
    words: str

    @property
    def mark(self) -> str:
        """A day that is over and isn't out is told from today, which has time."""
        return "✓" if self.out else "○" if self.today else "✗"


class ExtractRow(ttk.Frame):
    """A button a day. Left and Right go along, Enter or a click opens the day's commands, Escape leaves.

    Each day has its mark; words stand with those that aren't out and the latest that is, where there is room for them
    (:meth:`fit`). ``leave()`` gives the focus back.
    """

    def __init__(self, parent: tk.Misc, leave: Callable[[], object]) -> None:
        super().__init__(parent, style="Bar.TFrame")
        self._leave = leave
        self.commands: Commands = ()
        """What can be done with the extract of a day: texts, and what they call with the date."""
        self._days: tuple[ShownDay, ...] = ()
        self._room = 0
        self._title = ttk.Label(self, text="Extracts", style="Bar.TLabel")
        self.buttons: list[ttk.Button] = []

    @property
    def days(self) -> tuple[ShownDay, ...]:
        """What is shown."""
        return self._days

    @property
    def texts(self) -> list[str]:
        """What the buttons say."""
        return [str(each.cget("text")) for each in self.buttons]

    def offer(self, commands: Commands) -> None:
        """What can be done with a day."""
        self.commands = commands

    def show(self, days: Sequence[ShownDay]) -> None:
        """Show these days, the earliest first; none: nothing."""
        if tuple(days) == self._days:
            return
        self._days = tuple(days)
        # The buttons stay, so that the one that has the focus keeps it.
        while len(self.buttons) < len(days):
            self._add_button(len(self.buttons))
        while len(self.buttons) > len(days):
            self.buttons.pop().destroy()
        self._title.grid(row=0, column=0, padx=(0, 4)) if days else self._title.grid_forget()
        self._write()

    def fit(self, room: int) -> None:
        """Show words as far as they fit into that many pixels; the marks always stand there."""
        if room != self._room:
            self._room = room
            self._write()

    def focus_set(self) -> None:
        """Put the focus on the first day that isn't out, else on the last one."""
        if self.buttons:
            waiting = [number for number, each in enumerate(self._days) if not each.out]
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
            button.bind(key, lambda _event: _done(lambda: self.open_commands(number)))
        button.bind("<Escape>", lambda _event: _done(self._leave))
        self.buttons.append(button)

    def _write(self) -> None:
        latest_out = next((each for each in reversed(self._days) if each.out), None)
        with_words = [
            [each for each in self._days if not each.out or each is latest_out],
            [each for each in self._days if not each.out and not each.today],
            [],
        ]
        texts = next(each for each in map(self._texts, with_words) if self._fits(each) or each == self._texts([]))
        for button, day, text in zip(self.buttons, self._days, texts, strict=True):
            button.configure(text=text, style="Quiet.TButton" if day.out or day.today else "Due.TButton")
            button.tip.text = f"{day.date}: {day.words}."  # type: ignore[attr-defined]

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


def _done(action: Callable[[], object]) -> str:
    action()
    return "break"


_DATABASE, _BACKUP = "database", "backup"
REFRESH_MS = 250  # a text that changes more often can't be read
ROOMY = 90  # digits that a bar is wide in which a line may say all it knows


class RunningLine(ttk.Frame):
    """One running job: its name, how far it is where the size is known, and Cancel.

    While it is ``roomy`` it says bytes, rate and time left beside the bar, else the percentage only.
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
        # What grows and shrinks stands at the left: the bar and Cancel stay where they are.
        for column, widget in enumerate((self._label, self.detail, self._bar, self.number, self.button)):
            widget.grid(row=0, column=column, padx=(8 if column else 0, 0))
        self.detail.grid_remove()
        self._bar.start(40)

    def show_progress(self, done: int, total: int) -> None:
        """Show ``done`` of ``total`` bytes; ``total`` 0: the size isn't known."""
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
        """Show ``done`` of ``total`` rows; ``total`` 0: how many there will be isn't known."""
        self._label.configure(text=f"{self.job_name}: {done:,} rows…")
        if total:
            self._bar.stop()
            self._bar.configure(mode="determinate", value=100 * done / total)
            self.number.configure(text=f"{100 * done // total} %")

    def destroy(self) -> None:
        """The job has ended: so do its timers."""
        self._bar.stop()
        if self._timer:
            self.after_cancel(self._timer)
            self._timer = ""
        super().destroy()

    def _refresh(self) -> None:
        """Say how it goes, also while nothing moves."""
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
    """Shows the variable ``status``, the ``extracts`` of the last days and a :class:`RunningLine` a job; above them
    ``messages``, the message bar.

    ``elsewhere()`` gives the focus to somebody when nobody had it before the messages.
    """

    def __init__(
        self, parent: tk.Misc, status: tk.StringVar, elsewhere: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(parent, style="Bar.TFrame", padding=(12, 4))
        self.columnconfigure(0, weight=1)
        self.messages = MessageBar(self, elsewhere)
        self.messages.grid(row=0, column=0, columnspan=4, sticky="ew")
        self.status_line = OneLine(self, "Bar.TLabel", "Bar.TFrame")
        self.status_line.follow(status)
        self.status_line.grid(row=1, column=0, sticky="ew")
        self.extracts = ExtractRow(self, elsewhere)
        self.extracts.grid(row=1, column=1, padx=(12, 0))
        self._connection = ttk.Label(self, style="Bar.TLabel")
        self._connection.grid(row=1, column=2, padx=(12, 0))
        self.jobs = ttk.Frame(self, style="Bar.TFrame")
        self.jobs.grid(row=1, column=3)
        self._one_button = ttk.Button(self, style="Quiet.TButton")  # never shown: both lines are as high as it
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
        """The job has ended."""
        line.destroy()
        self._share_room()
        if not self.jobs.winfo_children():
            # An empty frame keeps its last size until it is told otherwise.
            self.jobs.configure(width=1)

    def show_trouble(self, text: str, actions: Sequence[tuple[str, Callable[[], object]]] = ()) -> None:
        """Say in the message bar how the database is, with a button a remedy; an empty text when all is well."""
        self._show_condition(_DATABASE, text, actions)

    def show_backup_trouble(self, text: str, actions: Sequence[tuple[str, Callable[[], object]]] = ()) -> None:
        """Say in the message bar that there is no backup of the day; an empty text when there is one."""
        self._show_condition(_BACKUP, text, actions)

    @property
    def backup_trouble(self) -> str:
        """What :meth:`show_backup_trouble` says."""
        return self.messages.text_of(_BACKUP)

    @property
    def trouble(self) -> str:
        """What :meth:`show_trouble` says."""
        return self.messages.text_of(_DATABASE)

    def show_connection(self, text: str, warning: bool = False) -> None:
        """Say how the database is doing; an empty text when all is well."""
        self._connection.configure(text=text, style="Warning.Bar.TLabel" if warning else "Bar.TLabel")

    def _keep_height(self) -> None:
        """What comes and goes in these lines moves nothing above them."""
        self.rowconfigure((0, 1), minsize=self._one_button.winfo_reqheight())

    def _show_condition(self, key: str, text: str, actions: Sequence[tuple[str, Callable[[], object]]]) -> None:
        if text:
            self.messages.tell(Message(key, text, actions=tuple(actions), until_resolved=True))
        else:
            self.messages.settle(key)

    def _share_room(self) -> None:
        lines = [each for each in self.jobs.winfo_children() if isinstance(each, RunningLine)]
        width = self.winfo_width() / nametofont("TkDefaultFont", self).measure("0")
        # The status is what is read now: the row of days leaves it the larger part.
        self.extracts.fit(round(self.winfo_width() * (0.3 if lines else 0.55)))
        for each in lines:
            each.roomy = len(lines) == 1 and width >= ROOMY
