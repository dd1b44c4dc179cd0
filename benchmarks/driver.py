"""The real window, driven from inside its process, with a heartbeat that notes when it doesn't answer."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from abq_data_entry import garbage
from abq_data_entry.application import Application
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from benchmarks.keyboard import Keyboard
from benchmarks.options import Options, environment

PATIENCE = 120.0  # seconds: counting ten million records takes some


class Driver:
    """Does to an `Application` what a person does, and waits for what a person sees."""

    def __init__(self, application: Application, keyboard: Keyboard) -> None:
        self.app = application
        self.keyboard = keyboard
        self.problems: list[str] = []
        self._beat_at = time.perf_counter()
        self._longest = 0.0
        application.report_callback_exception = (  # type: ignore[method-assign]
            lambda *error: self.problems.append("".join(traceback.format_exception(*error)))
        )
        self._beat()

    @property
    def model(self) -> SQLModel:
        """The window's database."""
        assert self.app.data_model is not None
        return self.app.data_model

    def until(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Run the window until the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.app.tk.dooneevent(0)  # the heartbeat ends it soon
            if self.problems:
                raise RuntimeError("\n".join(self.problems))
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain for {what}; status: {self.app.status.get()!r}")

    def settle(self) -> None:
        """Until nothing is to be done any more."""
        self.until(lambda: not self.app.jobs.busy, "the jobs to end")
        self.app.update()

    def turn_to(self, position: int) -> None:
        """Ask for the list's page from that position on, and wait until it is shown."""
        page = self.app.record_list.page
        page.go_to(position)
        self.until(lambda: not page.waiting, "the page")

    def seconds(self, action: Callable[[], object], condition: Callable[[], object], what: str) -> float:
        """Do something; return how long it takes until the condition holds and the window is drawn."""
        begun = time.perf_counter()
        action()
        self.until(condition, what)
        self.app.update_idletasks()
        return time.perf_counter() - begun

    def blocked(self) -> float:
        """The longest time without an answer since this was asked last, in milliseconds."""
        found, self._longest = max(self._longest, time.perf_counter() - self._beat_at), 0.0
        return 1000 * found

    def fill(self, texts: dict[str, str]) -> None:
        """Fill fields, as if typed and left; one after the other, as no hand fills all of them at once."""
        for name, text in texts.items():
            each = self.app.form.inputs[name]
            each.fill(text)
            each.editor.event_generate("<<Edited>>")
            self.app.update()

    def show_every_day(self) -> None:
        """Choose "any" as the list's date, and wait until all is counted."""
        records: Any = self.app.record_list
        records.filters.variables[F.DATE].set("any")
        records.apply()
        self.until(lambda: records.page.total is not None, "the count")
        self.settle()

    def _beat(self) -> None:
        now = time.perf_counter()
        self._longest = max(self._longest, now - self._beat_at)
        self._beat_at = now
        self.app.after(1, self._beat)


@contextmanager
def window(options: Options, database: str) -> Iterator[Driver]:
    """A window whose database is open. One a process: it changes this one's environment."""
    os.environ.update(environment(options, database))
    application = Application()
    garbage.collect_on_tk_thread(application)
    keyboard = Keyboard(options.display)
    driver = Driver(application, keyboard)
    try:
        driver.until(lambda: application.has_parts, "the window")
        driver.blocked()
        driver.until(lambda: application.data_model is not None and application.form.choices.get(F.LAB), "the database")
        driver.settle()
        yield driver
    finally:
        keyboard.close()
        application.end()
