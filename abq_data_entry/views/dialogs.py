"""Dialogs for decisions and for failed commands; the window behind them goes on working.

A dialog takes no key in its first half second, nor while the user goes on typing: those keys go to the widget that had
the focus before. Whoever clicks into it has seen it: from then on it takes all keys.
"""

from __future__ import annotations

import datetime
import time
import tkinter as tk
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from tkinter import ttk
from tkinter.font import nametofont
from typing import Any, NamedTuple

from ..widgets.focus import collecting, exclude_from_count, focused_widget, select_text, typed_keys
from ..widgets.scrolled import AutoHideScrollbar, Scrolled

MARGIN = 16
FRAME_HEIGHT = 96  # a title bar and a desktop's panel


def within_screen(window: tk.Misc, width: int, height: int, x: int, y: int) -> str:
    """Return Tk's geometry for a window of that size (pixels), at ``x`` and ``y`` or as near as the screen allows."""
    x = min(x, window.winfo_screenwidth() - width - MARGIN)
    y = min(y, window.winfo_screenheight() - height - FRAME_HEIGHT // 2)
    return f"+{max(0, x)}+{max(0, y)}"


UNREAD_SECONDS = 0.5
_LOOK_MS = 50
_ROOM = 0.7  # a dialog whose content scrolls takes at most this part of the screen's height
_LINE = 62  # characters
_MOST_LINES = 16  # visible lines of a detail; a longer one scrolls
_LEAST_LINES = 2
_LINES_AROUND = 11  # lines that a dialog needs besides the detail, with a field and its error
_PADDING = 24


class Dialog(tk.Toplevel):
    """A window over its parent with a message, an optional detail, and buttons.

    ``buttons`` are (text, action) pairs: the first is the default (Enter), the last is Cancel (Escape and the window's
    close button). The dialog closes, then the action is called. If ``give_way`` is set and the user types before the
    dialog takes keys, it closes and calls ``give_way()`` instead. ``as_command(action)`` returns what a button calls.
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
        # A window that opens together with a dialog has no focus yet, but Tk knows which of its fields is to get it.
        self._parent = parent.winfo_toplevel()
        self._return_focus = focused_widget(parent) or self._parent.focus_lastfor()
        self._detail_box: tk.Text | None = None
        self.takes_keys = self._is_clicked = self._is_closing = False
        self.give_way: Callable[[], object] | None = None
        self.as_command: Callable[[Callable[[], object]], Callable[[], object]] = lambda action: action
        exclude_from_count(self)
        self.body = ttk.Frame(self, padding=_PADDING)
        self.body.grid(row=0, column=0, sticky="nsew")
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.body.columnconfigure(0, weight=1)
        ttk.Label(
            self.body, text=message, style="Section.TLabel", wraplength=line_width(self), justify="left"
        ).grid(row=0, column=0, sticky="w")
        if detail:
            # A long detail is wrapped, and can be selected and copied.
            self._add_detail(detail)
        self.make_body(self.body)
        self.buttons = self._add_buttons(buttons)
        self._show(parent)

    def make_body(self, body: ttk.Frame) -> None:
        """For subclasses: add widgets to ``body`` from row 2 on."""

    def place(self, room: tk.Canvas, content: ttk.Frame, top: int) -> Scrolled | None:
        """Show ``content``, a child of ``room``, ``top`` pixels below the message. If the dialog would be larger than
        the screen, ``content`` scrolls in the widget returned. Call this after everything else has been placed."""
        room.configure(background=ttk.Style(self).lookup("TFrame", "background"))
        room.configure(highlightthickness=0, borderwidth=0, takefocus=0)
        self.update_idletasks()
        place: dict[str, Any] = {"row": 2, "column": 0, "sticky": "nsew", "pady": (top, 0)}
        height = int(self.winfo_screenheight() * _ROOM) - self.body.winfo_reqheight()
        if content.winfo_reqheight() > height:
            height += self._give_way(content.winfo_reqheight() - height)
        width = self.winfo_screenwidth() - 2 * MARGIN - 2 * _PADDING
        if content.winfo_reqheight() <= height and content.winfo_reqwidth() <= width:
            room.grid(**place)
            room.columnconfigure(0, weight=1)
            content.grid(row=0, column=0, sticky="new")
            return None
        scrolled = Scrolled(self.body, room)
        scrolled.grid(**place)
        scrolled.hold(content)
        # The size set here determines the size of the dialog, not that of the content.
        scrolled.grid_propagate(False)
        beside = scrolled.down.winfo_reqwidth() + 8
        scrolled.configure(
            height=max(120, min(height, content.winfo_reqheight() + beside)),
            width=min(width, content.winfo_reqwidth() + beside),
        )
        return scrolled

    def first_focus(self) -> tk.Misc:
        """Return the widget that gets the focus first: the default button."""
        return self.buttons[0]

    def begin_in(self, field: tk.Misc) -> None:
        """Select the text of a field that has just got the focus, so that typing replaces it."""
        select_text(field)

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Close the dialog, give the focus back, then call ``action``."""
        if self._is_closing:  # such as the second click of two, which is handled while the keys are handed over
            return
        self._is_closing = True
        self.grab_release()
        if self._return_focus is None or not self._return_focus.winfo_exists():  # it was in a dialog that has closed
            self._return_focus = self._parent.focus_lastfor()
        heir = self._return_focus if self.takes_keys else focused_widget(self)
        if heir is not None:
            if self.tk.call("focus"):
                with collecting(heir, self):
                    pass
            else:
                heir.focus_set()
        self.destroy()
        if action is not None:
            self.as_command(action)()

    def _add_detail(self, detail: str) -> None:
        import textwrap  # few dialogs have a detail

        letters = line_width(self) // nametofont("TkDefaultFont", self).measure("0")
        lines = sum(max(1, len(textwrap.wrap(line, letters))) for line in detail.splitlines())
        room = ttk.Frame(self.body)
        room.grid(row=1, column=0, sticky="ew", pady=(8, 0))
        room.columnconfigure(0, weight=1)
        most = self.winfo_screenheight() // nametofont("TkDefaultFont", self).metrics("linespace") - _LINES_AROUND
        most = max(3, min(_MOST_LINES, most))
        height = max(1, min(most, lines))
        text = tk.Text(room, height=height, width=letters, wrap="word", relief="flat", borderwidth=0)
        style = ttk.Style(self)
        text.configure(
            background=style.lookup("TFrame", "background"),
            foreground=style.lookup("TLabel", "foreground"),
            highlightthickness=0,
            font="TkDefaultFont",
        )
        text.insert("1.0", detail)
        text.configure(state="disabled", takefocus=0)
        text.grid(row=0, column=0, sticky="ew")
        self._detail_box = text
        if lines > most - 4:  # a margin, because Tk breaks lines in its own way when it draws them
            self._let_scroll(text)

    def _let_scroll(self, text: tk.Text) -> None:
        if not text.cget("yscrollcommand"):
            bar = AutoHideScrollbar(text.master, orient="vertical", command=text.yview)
            bar.take_width_only(text.master, row=0, column=1)
            text.configure(yscrollcommand=bar.set)
            self.bind("<Next>", lambda _event: text.yview_scroll(1, "pages"))
            self.bind("<Prior>", lambda _event: text.yview_scroll(-1, "pages"))

    def _give_way(self, pixels: int) -> int:
        """Make the visible part of the detail this much lower, so that it scrolls; return by how many pixels it is."""
        text = self._detail_box
        if text is None:
            return 0
        line = nametofont("TkDefaultFont", self).metrics("linespace")
        shown = int(text.cget("height"))
        lines = max(min(shown, _LEAST_LINES), shown + -pixels // line)
        if lines < shown:
            text.configure(height=lines)
            self._let_scroll(text)
        return int(shown - lines) * int(line)

    def _add_buttons(self, buttons: Sequence[tuple[str, Callable[[], object] | None]]) -> list[ttk.Button]:
        bar = ttk.Frame(self.body)
        bar.grid(row=9, column=0, sticky="e", pady=(24, 0))
        made = []
        for position, (text, action) in enumerate(buttons):
            button = ttk.Button(bar, text=text, command=partial(self.close, action))
            if position == 0:
                button.configure(style="Accent.TButton")
            # The default button is at the right, as on most desktops; Tab still visits it first.
            button.grid(row=0, column=len(buttons) - position, padx=(8, 0))
            for key in ("<Return>", "<KP_Enter>"):
                button.bind(key, lambda event: event.widget.invoke())
            made.append(button)
        if sum(each.winfo_reqwidth() + 8 for each in made) > self.winfo_screenwidth() - 2 * MARGIN - 2 * _PADDING:
            for position, button in enumerate(made):  # the default is on top, because Tab begins with it
                button.grid(row=position, column=0, sticky="ew", pady=(4, 0))
        self.bind("<Escape>", lambda _event: made[-1].invoke())
        self.protocol("WM_DELETE_WINDOW", made[-1].invoke)
        return made

    def _show(self, parent: tk.Misc) -> None:
        top = parent.winfo_toplevel()
        self.resizable(False, False)
        self.configure(background=ttk.Style(self).lookup("TFrame", "background"))
        self.update_idletasks()
        over = self.winfo_reqheight() + FRAME_HEIGHT - self.winfo_screenheight()
        if over > 0 and self._give_way(over):
            self.update_idletasks()
        width, height = self.winfo_reqwidth(), self.winfo_reqheight()
        x = top.winfo_rootx() + max(0, (top.winfo_width() - width) // 2)
        y = top.winfo_rooty() + max(0, (top.winfo_height() - height) // 3)
        self.geometry(within_screen(self, width, height, x, y))
        if top.winfo_viewable():
            self.transient(top)
        self._typed = typed_keys(self)
        self.unread_until = time.monotonic() + UNREAD_SECONDS
        """Until when, by the monotonic clock, nobody can have read the dialog, so that it takes no keys yet."""
        # Bound before the dialog is shown, because some window managers give it the focus at once.
        self.bind("<FocusIn>", self._pass_on, add=True)
        self.bind("<Button-1>", self._clicked, add=True)
        self.deiconify()
        # A Tcl script that checks whether the dialog still exists, so that no timer has to be cancelled.
        self._look_soon = ("after", _LOOK_MS, f"if {{[winfo exists {self}]}} {self.register(self._look)}")
        self.tk.call(*self._look_soon)

    def _pass_on(self, _event: object) -> None:
        """Return the focus, which the window manager gives to a new window, at once: the user may be typing."""
        may_type_here = self.takes_keys or self._is_clicked
        if not may_type_here and self._return_focus is not None and self._return_focus.winfo_exists():
            self._return_focus.focus_force()

    def _clicked(self, _event: object) -> None:
        """Take the keys at once, in the widget that the click gave the focus to, and don't give way any more."""
        if not self.takes_keys:
            self._is_clicked = True
            self._look()

    def _grew(self, event: tk.Event) -> None:
        """Move up when an error below a field makes the dialog grow beyond the screen."""
        if event.widget is self and self.winfo_rooty() + event.height > self.winfo_screenheight():
            x, y = self.winfo_x(), self.winfo_y()
            place = within_screen(self, event.width, event.height, x, y)
            if place != f"+{x}+{y}":
                self.geometry(place)

    def _look(self) -> None:
        """Take the focus once there was time to read the dialog and nobody has typed for that long."""
        if self.takes_keys:  # since a click
            return
        typed = typed_keys(self)
        if typed != self._typed and not self._is_clicked:
            self._typed, self.unread_until = typed, time.monotonic() + UNREAD_SECONDS
            if self.give_way is not None:
                self.close(self.give_way)
                return
        focused = focused_widget(self)
        is_here = focused is not None and focused.winfo_toplevel() is self  # a click gave it the focus
        if not is_here:  # the user may have gone to another field in the meantime: that one gets the focus back later
            self._return_focus = focused or self._return_focus
        in_list = focused is None and bool(self.tk.call("focus"))
        is_unread = time.monotonic() < self.unread_until and not self._is_clicked
        if is_unread or in_list or not self.winfo_viewable():
            self.tk.call(*self._look_soon)
            return
        self.takes_keys = True
        self.bind("<Configure>", self._grew, add=True)
        here = bool(self.tk.call("focus"))  # otherwise the user is in another program, and stays there
        with suppress(tk.TclError):  # another program has a grab; the dialog works without one
            self.grab_set()
        if is_here:
            return
        first = self.first_focus()
        if here:
            first.focus_force()
        else:
            first.focus_set()
        self.begin_in(first)


class CarefulDialog(Dialog):
    """A dialog in which Enter alone changes nothing: at first the focus is on the last button, Cancel."""

    def first_focus(self) -> tk.Misc:
        """Return Cancel, the last button."""
        return self.buttons[-1]


class TypingDialog(Dialog):
    """A dialog into which somebody types. ``half_typed(*typed)`` is called when the texts have changed, and
    ``keep(*typed)`` by the window manager's close button, because that may be a mistake; both without texts if nothing
    is typed."""

    def __init__(self, *arguments: Any) -> None:
        self.half_typed: Callable[..., object] = lambda *typed: None
        self.keep: Callable[..., object] = lambda *typed: None
        self._reported: tuple[Any, ...] = ()
        super().__init__(*arguments)
        self.protocol("WM_DELETE_WINDOW", self.put_away)
        # Of any widget in it; the middle button of the mouse pastes when it is released.
        for event in ("<KeyRelease>", "<ButtonRelease>", "<<Modified>>", "<<ComboboxSelected>>"):
            self.bind(event, lambda _event: self._report_changes(), add=True)

    @property
    def typed(self) -> tuple[Any, ...]:
        """The present texts and choices."""
        raise NotImplementedError

    @property
    def has_text(self) -> bool:
        """Whether anything is typed."""
        return bool(self.typed[-1])

    def put_away(self) -> None:
        """Close the dialog as the window manager's button does, and keep what is typed."""
        self.keep(*self._texts_if_any())
        self.buttons[-1].invoke()

    def _texts_if_any(self) -> tuple[Any, ...]:
        return self.typed if self.has_text else ()

    def _report_changes(self) -> None:
        texts = self._texts_if_any()
        if texts != self._reported:
            self._reported = texts
            self.half_typed(*texts)


def line_width(widget: tk.Misc) -> int:
    """Return the width of a line of text in a dialog in pixels, for the current font and screen."""
    letter = nametofont("TkDefaultFont", widget).measure("0")
    room = widget.winfo_screenwidth() - 4 * MARGIN - 2 * _PADDING
    return letter * min(_LINE, max(10, room // letter))


def letters_in(widget: tk.Misc, most: int, beside: int) -> int:
    """Return how many letters a field in a dialog can show on this screen: at most ``most``, with ``beside`` letters
    before it."""
    return max(8, min(most, line_width(widget) // nametofont("TkDefaultFont", widget).measure("0") - beside))


_BESIDE = 14  # letters: the longer label and the gap


class Remember(NamedTuple):
    """The check box for storing the login in the keyring: whether it is ticked, or why it can't be used."""

    ticked: bool = False
    why_not: str = ""


class LoginDialog(Dialog):
    """``result`` is ``(username, password)``, or ``None`` after Cancel.

    With ``on_result`` the dialog returns at once and calls ``on_result(result)`` when it is closed; otherwise it
    returns only when it is closed. ``error`` is why an earlier attempt failed; ``username`` fills the first entry. With
    ``remember`` there is a box for storing the login in the keyring; ``remembers`` is whether it is ticked. With
    ``without`` there is a button to work without the database, which calls ``without()`` instead.
    """

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        error: str = "",
        username: str = "",
        on_result: Callable[[tuple[str, str] | None], object] | None = None,
        remember: Remember | None = None,
        without: Callable[[], object] | None = None,
    ) -> None:
        self.result: tuple[str, str] | None = None
        self.error = error
        self.username = tk.StringVar(parent, username)
        self.password = tk.StringVar(parent)
        self._on_result = on_result
        self._remember = remember
        self.remember_box = tk.BooleanVar(parent, remember is not None and remember.ticked and not remember.why_not)
        self.remembers = False
        self._without = without
        work = (("Work Without the Database", self._work_without),) if without is not None else ()
        buttons = (("Log In", self._logged_in), *work, ("Cancel", self._cancelled))
        super().__init__(parent, title, title, "", buttons)
        if on_result is None:
            self.wait_window()

    def make_body(self, body: ttk.Frame) -> None:
        """Add two labelled entries, and above them why the last attempt failed."""
        if self.error:
            reason = ttk.Label(body, text=f"✗ {self.error}", style="Error.TLabel", justify="left")
            reason.configure(wraplength=line_width(self))
            reason.grid(row=2, column=0, sticky="w", pady=(8, 0))
        grid = ttk.Frame(body)
        grid.grid(row=3, column=0, sticky="ew", pady=(16, 0))
        grid.columnconfigure(1, weight=1)
        ttk.Label(grid, text="User name").grid(row=0, column=0, sticky="w", padx=(0, 16), pady=4)
        letters = letters_in(self, 30, _BESIDE)
        self.user_entry = ttk.Entry(grid, textvariable=self.username, width=letters, font="TkTextFont")
        self.user_entry.grid(row=0, column=1, sticky="ew", pady=4)
        ttk.Label(grid, text="Password").grid(row=1, column=0, sticky="w", padx=(0, 16), pady=4)
        self.password_entry = ttk.Entry(
            grid, textvariable=self.password, show="•", width=letters, font="TkTextFont"
        )
        self.password_entry.grid(row=1, column=1, sticky="ew", pady=4)
        if self._remember is not None:
            self._add_box(grid, self._remember.why_not)
        self.user_entry.bind("<Return>", lambda _event: self.password_entry.focus_set())
        self.password_entry.bind("<Return>", lambda _event: self.buttons[0].invoke())

    def _add_box(self, grid: ttk.Frame, why_not: str) -> None:
        box = ttk.Checkbutton(grid, text="Remember in the keyring of this computer", variable=self.remember_box)
        box.grid(row=2, column=1, sticky="w", pady=(8, 0))
        if box.winfo_reqwidth() > self.user_entry.winfo_reqwidth():  # too wide for the column of the entries
            box.grid(column=0, columnspan=2)
        box.bind("<Return>", lambda _event: self.buttons[0].invoke())
        if why_not:
            box.state(["disabled"])
            note = ttk.Label(grid, text=why_not, style="Note.TLabel", justify="left")
            note.configure(wraplength=line_width(self) * 2 // 3)
            note.grid(row=3, column=1, sticky="w", pady=(4, 0))

    def first_focus(self) -> tk.Misc:
        """Return the first empty entry."""
        return self.password_entry if self.username.get() else self.user_entry

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Close the dialog; after Log In, ``result`` is what was typed."""
        if action == self._logged_in:
            self.result = (self.username.get(), self.password.get())
        super().close(action)

    def _logged_in(self) -> None:
        self._finish()

    def _cancelled(self) -> None:
        self._finish()

    def _work_without(self) -> None:
        self._on_result = None
        self._finish()
        if self._without is not None:
            self._without()

    def destroy(self) -> None:
        """Close the dialog, and forget what was typed."""
        self._forget()
        super().destroy()

    def _finish(self) -> None:
        if self._on_result is not None:
            self._on_result(self.result)

    def _forget(self) -> None:
        if "password" not in self.__dict__:
            return
        # The variable would keep the password for as long as the interpreter lives. All variables are deleted here,
        # because the garbage collector might delete them on a worker thread, which mustn't call Tk.
        self.password.set("")
        self.remembers = self.remember_box.get()
        del self.password, self.username, self.remember_box


WHICH_DAY = "The extract of which day?"


class DayDialog(Dialog):
    """Asks for a day, the latest chosen at first; arrows choose, Enter confirms. ``days`` has a text for each."""

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        command: str,
        days: Sequence[tuple[datetime.date, str]],
        chosen: Callable[[datetime.date], object],
        given_up: Callable[[], object] = lambda: None,
    ) -> None:
        self.days = days
        self._number = 0
        self.choices: list[ttk.Button] = []

        def take() -> None:
            chosen(days[self._number][0])

        super().__init__(parent, title, WHICH_DAY, "", ((command, take), ("Cancel", given_up)))

    def make_body(self, body: ttk.Frame) -> None:
        """Add the days, one below the other."""
        lines = ttk.Frame(body)
        lines.grid(row=2, column=0, sticky="w", pady=(8, 0))
        for number in range(len(self.days)):
            each = ttk.Button(lines, style="Line.Choice.TButton")
            each.configure(command=lambda number=number: self._choose(number))  # type: ignore[misc]
            each.grid(row=number, column=0, sticky="ew", pady=(4, 0))
            for key, step in (("<Up>", -1), ("<Down>", 1)):
                each.bind(key, lambda _event, step=step: self._choose(self._number + step))  # type: ignore[misc]
            for key in ("<Return>", "<KP_Enter>"):
                each.bind(key, lambda _event: self._take_day())
            self.choices.append(each)
        self._mark()

    def first_focus(self) -> tk.Misc:
        """Return the button of the chosen day."""
        return self.choices[self._number]

    def _choose(self, number: int) -> str:
        self._number = max(0, min(len(self.days) - 1, number))
        self._mark()
        self.choices[self._number].focus_set()
        return "break"

    def _take_day(self) -> str:
        self.buttons[0].invoke()
        return "break"

    def _mark(self) -> None:
        for number, (each, (date, words)) in enumerate(zip(self.choices, self.days, strict=True)):
            is_chosen = number == self._number
            each.configure(text=f"{'●' if is_chosen else '○'}  {date}: {words}", takefocus=is_chosen)
            each.state(["selected" if is_chosen else "!selected"])
