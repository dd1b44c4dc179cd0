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
from benchmarks import table
from benchmarks.keyboard import Keyboard
from benchmarks.options import Options, environment

BLOCKED_LIMIT = 50.0  # milliseconds
PATIENCE = 120.0  # seconds: counting ten million records takes some


class Driver:
    """Does to an `Application` what a person does, and waits for what a person sees."""

    def __init__(self, application: Application, keyboard: Keyboard) -> None:
        self.app = application
        self.keyboard = keyboard
        self.problems: list[str] = []
        self._schedule: int | None = _schedule_of_this_thread()
        self._beat_at, self._waited = self._now()
        self._longest = 0.0, 0.0
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

    def blocked(self, what: str = "") -> table.Row:
        """A row about the longest time without an answer since this was asked last.

        A thread that is ready has to wait where other programs use all processors: how much of that time it did stands
        beside it, and isn't subtracted.
        """
        self._note()
        (blocked, waited), self._longest = self._longest, (0.0, 0.0)
        remark = f"{1000 * waited:.0f} ms of it without a processor" if self._schedule is not None else ""
        what = f"the Tk thread doesn't answer: {what}"
        return table.Row(what, "ms", (1000 * blocked,), BLOCKED_LIMIT, judges_longest=True, remark=remark)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For what the benchmark itself does on the Tk thread: it isn't counted."""
        self._note()
        yield
        self._beat_at, self._waited = self._now()

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
        self.until(lambda: records.page.total is not None and not records.page.waiting, "the list")

    def _beat(self) -> None:
        self._note()
        self.app.after(1, self._beat)

    def _note(self) -> None:
        now, waited = self._now()
        self._longest = max(self._longest, (now - self._beat_at, waited - self._waited))
        self._beat_at, self._waited = now, waited

    def _now(self) -> tuple[float, float]:
        """The time, and how long this thread has waited for a processor (seconds)."""
        waited = 0 if self._schedule is None else int(os.pread(self._schedule, 100, 0).split()[1])
        return time.perf_counter(), waited / 1e9


def _schedule_of_this_thread() -> int | None:
    """What Linux tells about this thread's time: on a processor, and waiting for one (nanoseconds)."""
    try:
        return os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except OSError:
        return None


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
