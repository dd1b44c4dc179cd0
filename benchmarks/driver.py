"""The real window, driven from inside its process, with a heartbeat that notes when it doesn't answer."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from abq_data_entry import garbage
from abq_data_entry.application import Application
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from benchmarks import table
from benchmarks.keyboard import Keyboard
from benchmarks.options import Options, environment

BLOCKED_LIMIT = 50.0  # milliseconds
PATIENCE = 120.0  # seconds: counting ten million records takes some


class Moment(NamedTuple):
    """The time, and for how long up to then this thread, and any program of the machine, was ready to run but had no
    processor: seconds; 0 where the system doesn't tell."""

    time: float = 0.0
    thread: float = 0.0
    machine: float = 0.0


class _Waits:
    """Tells what Linux knows about waiting for a processor."""

    def __init__(self) -> None:
        self._thread = _opened("/proc/thread-self/schedstat")
        self._machine = _opened("/proc/pressure/cpu")

    def now(self) -> Moment:
        """This moment."""
        thread = 0 if self._thread is None else int(os.pread(self._thread, 100, 0).split()[1])
        machine = 0 if self._machine is None else int(os.pread(self._machine, 100, 0).split()[4][len("total=") :])
        return Moment(time.perf_counter(), thread / 1e9, machine / 1e6)


def _opened(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


class Driver:
    """Does to an `Application` what a person does, and waits for what a person sees."""

    def __init__(self, application: Application, keyboard: Keyboard) -> None:
        self.app = application
        self.keyboard = keyboard
        self.problems: list[str] = []
        self._waits = _Waits()
        self._beat_at = self._waits.now()
        self._longest = Moment()
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

        Where other programs use all processors it takes longer: how long this thread, and any program, had none stands
        beside it, and isn't subtracted.
        """
        self._note()
        gap, self._longest = self._longest, Moment()
        what = f"the Tk thread doesn't answer: {what}"
        thread, machine = round(1000 * gap.thread), round(1000 * gap.machine)
        remark = f"for {thread} ms the thread, for {machine} ms some program had no processor"
        return table.Row(what, "ms", (1000 * gap.time,), BLOCKED_LIMIT, judges_longest=True, remark=remark)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For what the benchmark itself does on the Tk thread: it isn't counted."""
        self._note()
        yield
        self._beat_at = self._waits.now()

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
        before, self._beat_at = self._beat_at, self._waits.now()
        gap = Moment(*(now - then for now, then in zip(self._beat_at, before, strict=True)))
        self._longest = max(self._longest, gap)


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
