"""The day from end to end."""

import datetime
import gc
import os
import shutil
import tkinter as tk
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .. import garbage, outbox
from ..launcher import display
from . import DemoFailed, qa
from .environment import LAB, TECHNICIAN, Environment, demo_environment
from .readings import FAULTY_PLOT, check
from .story import Story

if TYPE_CHECKING:
    from ..application import Application
    from .technician import Technician

MARKER = ".made-by-the-demo"
_MOST_FOLDERS = 100


def results_folder(asked: Path | None) -> Path:
    """Return an empty folder for the results; one of an earlier demo is replaced, anybody else's is left alone.

    Default: `demo` in the checkout, or in the current folder when the application was installed. Where the name is
    taken by something else it gets a number. Raises DemoFailed.
    """
    wanted = (asked or _default()).absolute()
    for number in range(1, _MOST_FOLDERS):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        if _is_ours(folder) or not folder.exists():
            return _made_empty(folder)
    raise DemoFailed(f"{wanted} and the names after it are taken. Name another folder with --folder.")


def _default() -> Path:
    checkout = Path(__file__).resolve().parents[2]
    return (checkout if (checkout / "abq_data_entry.py").is_file() else Path.cwd()) / "demo"


def _is_ours(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    return (folder / MARKER).is_file() or not any(folder.iterdir())


def _made_empty(folder: Path) -> Path:
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / MARKER).write_text("The next demo replaces this folder.\n", encoding="utf-8")
    except OSError as error:
        raise DemoFailed(f"{folder} can't be written: {error.strerror}. Name another folder with --folder.") from error
    return folder


def play(asked_folder: Path | None = None) -> None:
    """Play the day: report on standard output, and leave pictures, files and a report in the results' folder.

    Raises DemoFailed if a step fails; everything that was started is ended in any case.
    """
    results = results_folder(asked_folder)
    story = Story(results)
    today = datetime.date.today()
    watched = _can_show()
    print("ABQ Data Entry plays a laboratory's day, in a database of its own.", flush=True)
    with ExitStack() as stack:
        if not watched:
            stack.enter_context(_own_display())
        place = stack.enter_context(demo_environment(results, today))
        story.done("The database runs and holds yesterday's last check; the bundled servers answer")
        try:
            verified = _play_in_window(place, story, today, watched)
        finally:
            gc.unfreeze()
            gc.collect()  # the window has to be collected on this thread
            gc.enable()
    story.finish(verified)


def _play_in_window(place: Environment, story: Story, today: datetime.date, watched: bool) -> list[str]:
    from ..application import Application
    from .dialogs import Dialogs
    from .stage import Photographer, Stage
    from .technician import TIME, Technician

    readings = check(8, FAULTY_PLOT)
    window = Application()
    garbage.collect_on_tk_thread(window)
    try:
        stage = Stage(window)
        stage.wait_until(lambda: window.has_parts, "The window's start")
        window.lift()
        photographer = Photographer(stage, story, alone=not watched)
        technician = Technician(stage, photographer, pace=1.5 if watched else 1.0)
        technician.begin_check()
        story.done(f"The window is open; a check begins: lab {LAB}, {TIME}, {TECHNICIAN}")
        for reading in readings:
            technician.record(reading)
        photographer.take("check-complete", "All 20 plots are recorded; the list shows them, newest first.")
        what = f"{len(readings)} plots typed in by {stage.keys} keys: an equipment fault and its note, a slip refused"
        story.done(what)
        technician.fetch_weather()
        story.done("The weather fetched and stored")
        _deliver(technician, place, story, outbox.extract_name(today))
        technician.switch_theme("dark")
        photographer.take("dark", "The dark theme, switched from the Options menu.")
        technician.switch_theme("light")
        photographer.take("evening", "The end of the day.")
        story.done("The theme switched to dark and back")
        Dialogs(stage, photographer, place.endpoint).show_all(today)
        story.done("Each dialog opened, photographed and closed")
        verified = qa.verify(place.endpoint, today, readings, (TIME, LAB, TECHNICIAN), story.folder)
        qa.read(place.endpoint, today, story)
        return verified
    finally:
        _close(window)


def _deliver(technician: "Technician", place: Environment, story: Story, name: str) -> None:
    technician.deliver(
        "Upload CSV to corporate REST", place.rest, f"{name} successfully uploaded to REST API.", "rest"
    )
    story.done("The day's extract delivered by REST")
    technician.deliver("Upload CSV to corporate FTP", place.ftp, f"{name} successfully uploaded to FTP", "ftp")
    story.done("The day's extract delivered by FTP")
    technician.deliver_to_share("File Share", f"{name} successfully uploaded to the file share")
    story.done("The day's extract delivered into a shared folder")


def _can_show() -> bool:
    """Return whether a window can be shown: the name of a display may be left over from a session that has ended."""
    if not display.available():
        return False
    try:
        tk.Tk().destroy()
    except tk.TclError:
        return False
    return True


@contextmanager
def _own_display() -> Iterator[None]:
    """A virtual display; raises DemoFailed if none can be started."""
    screen = display.VirtualDisplay(width=1280, height=960)
    try:
        screen.__enter__()
    except display.DisplayError as error:
        raise DemoFailed(f"There is no display here, and none of our own can be had: {error}") from error
    before = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = screen.name
    try:
        yield
    finally:
        if before is None:
            del os.environ["DISPLAY"]
        else:
            os.environ["DISPLAY"] = before
        screen.close()


def _close(window: "Application") -> None:
    """End the window as it is, without asking: what is in its form is the demo's."""
    with suppress(tk.TclError):  # somebody who watched has closed it
        window.jobs.close()
        window.destroy()
    if window.data_model is not None:
        window.data_model.close()
