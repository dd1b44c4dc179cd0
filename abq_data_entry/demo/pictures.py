"""Pictures of the window, as it stands on the screen."""

import os
import sys
import tkinter as tk
from typing import TYPE_CHECKING

from . import DemoFailed
from .stage import Stage
from .story import Story

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[int, int, int, int]
_TITLE_AND_MENU = 48
_SETTLED = 0.25  # seconds until what was drawn is on the screen


class Photographer:
    """Takes numbered pictures.

    `alone`: the display is our own, so that there is nothing else on it, and a picture that can't be had is a failure;
    on somebody's desktop it is a note in the report.
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
    """The window with its title and menu, together with the dialogs over it, within the screen."""
    boxes = [_outline(window)]
    for child in window.winfo_children():
        if isinstance(child, tk.Toplevel) and child.winfo_viewable():
            boxes.append(_outline(child))
    left, top, right, bottom = zip(*boxes, strict=True)
    width, height = window.winfo_screenwidth(), window.winfo_screenheight()
    return max(0, min(left)), max(0, min(top)), min(width, max(right)), min(height, max(bottom))


def _on_screen(dialog: tk.Toplevel) -> Box:
    """A dialog with its title, within the screen."""
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
    """The picture without the black margin that our own display has."""
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
