"""Plays keys and menu commands to the window, whose events go on while the script waits; and takes its pictures."""

import os
import sys
import time
import tkinter as tk
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from . import DemoFailed
from .story import Story

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..application import Application

PATIENCE = 5.0  # seconds for any condition, on a busy machine
_KEYSYMS = {
    " ": "space", ".": "period", ",": "comma", "-": "minus", "_": "underscore", ":": "colon", "/": "slash",
}  # fmt: skip


class Stage:
    """Plays keys and menu commands to the application's window, and waits for their results.

    Every wait raises DemoFailed if an error happened in the window, if it was closed, or if the time is up.
    """

    def __init__(self, window: "Application") -> None:
        self.window = window
        self.keys = 0
        self._error: BaseException | None = None
        # Otherwise the window would only show the error, and the demo would report the failed step as done.
        window.report_callback_exception = self._note_error  # type: ignore[assignment,method-assign]

    def play(self, seconds: float) -> None:
        """Handle the window's events for so long."""
        end = time.monotonic() + seconds
        while True:
            self._update()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(0.005, left))

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Handle the window's events until the condition holds; `what` ends the sentence "… did not come true"."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self._update()
            if condition():
                return
            if time.monotonic() > deadline:
                raise DemoFailed(f"{what} did not come true within {PATIENCE:.0f} s: {self.window.status.get()!r}")
            time.sleep(0.002)

    def write(self, text: str, seconds_a_key: float = 0.0) -> None:
        """Type a text, key by key."""
        for character in text:
            self.press(_KEYSYMS.get(character, character), seconds_a_key)

    def press(self, keysym: str, seconds: float = 0.0) -> None:
        """Press and release a key on the widget with the focus, then wait a little."""
        target = self._focus()
        self.keys += 1
        target.event_generate(f"<KeyPress-{keysym}>")
        if target.winfo_exists():  # the key may have closed the dialog that it was typed into
            target.event_generate(f"<KeyRelease-{keysym}>")
        self.play(seconds)

    def choose(self, *texts: str) -> None:
        """Choose a command from the window's menu, by its texts from menu to menu."""
        *menus, command = texts
        chosen = self.window.nametowidget(self.window.cget("menu"))
        for each in menus:
            chosen = self.window.nametowidget(chosen.entrycget(_position(chosen, each), "menu"))
        chosen.invoke(_position(chosen, command))
        self._update()

    def take_focus(self) -> None:
        """Take the keyboard's focus back from another program, to where it was last in this window."""
        if self.window.focus_get() is None:
            (self.window.focus_lastfor() or self.window).focus_force()
            self._update()

    def _focus(self) -> tk.Misc:
        self.take_focus()
        focused = self.window.focus_get()
        if focused is None:
            raise DemoFailed("The window can't get the keyboard's focus.")
        return focused

    def _update(self) -> None:
        try:
            self.window.update()
            exists = self.window.winfo_exists()
        except tk.TclError:
            exists = False
        if self.window.interrupted:
            raise KeyboardInterrupt
        if self._error is not None:
            raise self._error
        if not exists:
            raise DemoFailed("The window was closed before the day was over.")

    def _note_error(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """The first error in a callback of the window ends the demo: the script raises it."""
        self._error = self._error or error


def _position(menu: tk.Menu, text: str) -> int:
    last = menu.index("end")
    for position in range(0 if last is None else last + 1):
        if menu.type(position) in ("cascade", "command") and menu.entrycget(position, "label") == text:
            return position
    raise DemoFailed(f"The menu has no entry {text!r}.")


Box = tuple[int, int, int, int]
_TITLE_AND_MENU = 48
_SETTLED = 0.25  # seconds until what was drawn is on the screen


class Photographer:
    """Takes numbered pictures.

    `alone`: the display is our own, with nothing else on it. Then a picture that can't be taken is a failure; on
    somebody's desktop, it is a note in the report.
    """

    def __init__(self, stage: Stage, story: Story, alone: bool) -> None:
        self._stage = stage
        self._story = story
        self._alone = alone

    def take(self, name: str, text: str, of: tk.Toplevel | None = None) -> None:
        """Take a picture of the window with its dialogs, or of one of these alone; `text` says in the report what it
        shows."""
        window = self._stage.window
        self._stage.play(_SETTLED)
        try:
            if of is not None:
                picture = _grab(_on_screen(of))
            else:
                picture = _without_desktop(_grab(None)) if self._alone else _grab(_frame(window))
        except (OSError, ValueError, ImportError) as error:
            self._missing(str(error))
            return
        if _is_blank(picture):
            self._missing("this desktop gives only an empty picture to other programs")
            return
        path = self._story.next_picture(name)
        picture.save(path)
        self._story.picture_taken(path, text)

    def _missing(self, why: str) -> None:
        reason = " ".join(why.split())
        if self._alone:
            raise DemoFailed(f"The picture of the window could not be taken: {reason}.")
        self._story.note(f"No pictures: {reason}. Without a display the demo brings one that can be photographed.")


def _frame(window: tk.Tk) -> Box:
    """Return the window with its title and menu, together with the dialogs over it, within the screen."""
    boxes = [_outline(window)]
    for child in window.winfo_children():
        if isinstance(child, tk.Toplevel) and child.winfo_viewable():
            boxes.append(_outline(child))
    left, top, right, bottom = zip(*boxes, strict=True)
    width, height = window.winfo_screenwidth(), window.winfo_screenheight()
    return max(0, min(left)), max(0, min(top)), min(width, max(right)), min(height, max(bottom))


def _on_screen(dialog: tk.Toplevel) -> Box:
    """Return a dialog with its title, within the screen."""
    border = max(0, dialog.winfo_rootx() - dialog.winfo_x())
    right = dialog.winfo_rootx() + dialog.winfo_width() + border
    bottom = dialog.winfo_rooty() + dialog.winfo_height() + border
    width, height = dialog.winfo_screenwidth(), dialog.winfo_screenheight()
    return max(0, dialog.winfo_x()), max(0, dialog.winfo_y()), min(width, right), min(height, bottom)


def _outline(window: tk.Tk | tk.Toplevel) -> Box:
    border = max(0, window.winfo_rootx() - window.winfo_x())
    # Some window managers don't tell Tk about the frame that they put around it.
    top = min(window.winfo_y(), window.winfo_rooty() - _TITLE_AND_MENU)
    right = window.winfo_rootx() + window.winfo_width() + border
    bottom = window.winfo_rooty() + window.winfo_height() + border
    return window.winfo_x(), top, right, bottom


def _without_desktop(picture: "Image") -> "Image":
    """Return the picture without the black margin that our own display has."""
    return picture.crop(picture.convert("RGB").getbbox())


def _grab(box: Box | None) -> "Image":
    from PIL import ImageGrab

    if sys.platform != "linux":
        return ImageGrab.grab(box)
    try:
        return ImageGrab.grab(box, xdisplay=os.environ.get("DISPLAY", ""))
    except OSError:
        return ImageGrab.grab(box)  # by the desktop's own program, where Pillow knows it


def _is_blank(picture: "Image") -> bool:
    colours = picture.convert("RGB").getcolors(maxcolors=8)
    return colours is not None
